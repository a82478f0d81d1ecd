"""Tokens, by Google's own authentication library."""

import google.auth.transport.requests
import pytest
from google.auth import exceptions, identity_pool
from google.oauth2 import service_account
from google_bed import EVERYTHING, gcp


def test_a_service_account_gets_a_token(gcp):
    credentials = gcp.scoped([EVERYTHING])
    credentials.refresh(google.auth.transport.requests.Request())
    assert credentials.token.startswith("ya29.") and credentials.valid


def test_a_service_account_signs_for_itself(gcp):
    credentials = gcp.scoped([EVERYTHING]).with_always_use_jwt_access(True)
    session = google.auth.transport.requests.AuthorizedSession(credentials)
    assert session.get(f"{gcp.url}/compute/v1/projects/{gcp.project}/zones").status_code == 200
    for service, status in (("compute", 200), ("dns", 401)):
        credentials = service_account.Credentials.from_service_account_info(gcp.info)
        credentials = credentials.with_always_use_jwt_access(True)
        credentials._create_self_signed_jwt(f"https://{service}.googleapis.com/")
        session = google.auth.transport.requests.AuthorizedSession(credentials)
        assert session.get(f"{gcp.url}/compute/v1/projects/{gcp.project}/zones").status_code == status


def test_a_workload_exchanges_its_identity(gcp, tmp_path):
    given = gcp.account["credentials"]["workload_identity"]
    (tmp_path / "token").write_text(given["subject_token"])
    info = {
        "type": "external_account",
        "audience": given["audience"],
        "subject_token_type": given["subject_token_type"],
        "token_url": given["token_url"],
        "credential_source": {"file": str(tmp_path / "token")},
    }
    identity_pool.Credentials._is_regional_access_boundary_lookup_required = lambda self: False
    credentials = identity_pool.Credentials.from_info(info, scopes=[EVERYTHING])
    session = google.auth.transport.requests.AuthorizedSession(credentials)
    assert session.get(f"{gcp.url}/compute/v1/projects/{gcp.project}/zones").status_code == 200


def test_a_stranger_gets_none(gcp, control):
    stranger = {**gcp.info, "client_email": "stranger@nowhere.iam.gserviceaccount.com"}
    credentials = service_account.Credentials.from_service_account_info(stranger, scopes=[EVERYTHING])
    with pytest.raises(exceptions.RefreshError) as caught:
        credentials.refresh(google.auth.transport.requests.Request())
    assert caught.value.args[1]["error"] == "invalid_grant"
    control.fault("revoked_credentials", face="google")
    with pytest.raises(exceptions.RefreshError):
        gcp.scoped([EVERYTHING]).refresh(google.auth.transport.requests.Request())
