"""Entra, by azure-identity."""

import json

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (CertificateCredential, ClientAssertionCredential, ClientSecretCredential,
                            ManagedIdentityCredential)
from azure.core.rest import HttpRequest

from azure_bed import account, azure, claims  # noqa: F401

SCOPE = "https://management.azure.com/.default"


def secret(account, certificate, **changed):
    given = {"tenant_id": account["tenant_id"], "client_id": account["client_id"],
             "client_secret": account["client_secret"], **changed}
    return ClientSecretCredential(authority=account["authority"], disable_instance_discovery=True,
                                  connection_verify=certificate, **given)


def test_a_secret_opens_the_tenant(account, certificate):
    token = secret(account, certificate).get_token(SCOPE)
    said = claims(token.token)
    assert said["appid"] == account["client_id"] and said["tid"] == account["tenant_id"]
    assert said["aud"] == "https://management.azure.com"


def test_a_certificate_opens_the_tenant(account, certificate):
    credential = CertificateCredential(
        account["tenant_id"], account["client_id"], certificate_data=account["certificate"].encode(),
        authority=account["authority"], disable_instance_discovery=True, connection_verify=certificate)
    assert claims(credential.get_token(SCOPE).token)["oid"] == account["object_id"]


def test_a_workload_s_token_opens_the_tenant(account, certificate):
    credential = ClientAssertionCredential(
        account["tenant_id"], account["client_id"], lambda: account["federated_token"],
        authority=account["authority"], disable_instance_discovery=True, connection_verify=certificate)
    assert claims(credential.get_token(SCOPE).token)["oid"] == account["object_id"]


def test_a_machine_s_identity_needs_no_secret(account, certificate, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", account["endpoint"])
    identity = lambda **more: ManagedIdentityCredential(connection_verify=certificate, retry_total=0, **more)
    assert claims(identity().get_token(SCOPE).token)["oid"] == account["object_id"]
    reader = identity(client_id=account["reader_client_id"]).get_token(SCOPE)
    assert claims(reader.token)["appid"] == account["reader_client_id"]
    with pytest.raises(ClientAuthenticationError):
        identity(client_id="11111111-1111-1111-1111-111111111111").get_token(SCOPE)


@pytest.mark.parametrize("changed, number", [
    ({"client_secret": "wrong"}, "AADSTS7000215"),
    ({"client_id": "11111111-1111-1111-1111-111111111111"}, "AADSTS700016"),
])
def test_a_stranger_is_told_why(account, certificate, changed, number):
    with pytest.raises(ClientAuthenticationError, match=number):
        secret(account, certificate, **changed).get_token(SCOPE)


def test_an_unknown_tenant_has_no_configuration(account, certificate):
    credential = secret(account, certificate, tenant_id="22222222-2222-2222-2222-222222222222")
    with pytest.raises((ClientAuthenticationError, ValueError)):
        credential.get_token(SCOPE)


def test_a_scope_of_someone_else_is_refused(account, certificate):
    with pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
        secret(account, certificate).get_token("https://graph.microsoft.com/.default")


def test_a_token_for_storage_is_none_for_the_manager(account, certificate):
    import requests

    token = secret(account, certificate).get_token("https://storage.azure.com/.default").token
    said = claims(token)
    assert said["aud"] == "https://storage.azure.com" and said["iss"].startswith("https://sts.windows.net/")
    answer = requests.get(f"{account['endpoint']}/subscriptions?api-version=2022-12-01", verify=certificate,
                          headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")


def test_a_forged_assertion_is_refused(account, certificate):
    forged = account["federated_token"][:-8] + "AAAAAAAA"
    credential = ClientAssertionCredential(
        account["tenant_id"], account["client_id"], lambda: forged, authority=account["authority"],
        disable_instance_discovery=True, connection_verify=certificate)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        credential.get_token(SCOPE)


def test_credentials_can_be_revoked_and_expire(account, certificate, control):
    control.fault("revoked_credentials", face="azure", service="Microsoft.Entra", times=1)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        secret(account, certificate).get_token(SCOPE)
    control.fault("expired_credentials", face="azure", service="Microsoft.Entra", times=1)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000222"):
        secret(account, certificate).get_token(SCOPE)


def test_whether_an_authority_is_known_can_be_asked(azure, account):
    url = (f"{account['authority']}/common/discovery/instance?api-version=1.1&authorization_endpoint="
           f"{account['authority']}/{account['tenant_id']}/oauth2/v2.0/authorize")
    answer = azure.raw.send_request(HttpRequest("GET", url)).json()
    assert answer["tenant_discovery_endpoint"].endswith("/v2.0/.well-known/openid-configuration")


def test_a_request_without_a_token_is_challenged(account, certificate):
    import requests

    answer = requests.get(f"{account['endpoint']}/subscriptions?api-version=2022-12-01", verify=certificate, timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")
    assert json.loads(answer.text)["error"]["code"] == "AuthenticationFailed"
