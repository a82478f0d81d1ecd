"""What goes wrong, in Azure's words, and what the vendor's clients make of it."""

import pytest
from azure.core.exceptions import (ClientAuthenticationError, HttpResponseError, ResourceNotFoundError,
                                   ServiceResponseError)

from azure_bed import PLACE, account, azure, error, group, make_network  # noqa: F401

COMPUTE = {"face": "azure", "service": "Microsoft.Compute"}


def listing(azure, **more):
    return list(azure.compute.disks.list(**more))


def test_throttled_calls_are_tried_again_when_that_is_said(azure, control):
    control.fault("throttled", retry_after_seconds=7, times=2, **COMPUTE)
    before = control.now()
    assert listing(azure)
    assert control.now() > before


def test_a_throttled_call_says_so(azure, control):
    control.fault("throttled", retry_after_seconds=7, **COMPUTE)
    with pytest.raises(HttpResponseError) as raised:
        listing(azure, retry_total=0)
    assert error(raised) == (429, "SubscriptionRequestsThrottled")
    assert raised.value.response.headers["Retry-After"] == "7"
    control.clear_faults()
    control.fault("throttled", **COMPUTE)
    with pytest.raises(HttpResponseError) as raised:
        listing(azure, retry_total=0)
    assert "Retry-After" not in raised.value.response.headers


def test_failures_are_tried_again(azure, control):
    control.fault("failing", status=503, times=2, **COMPUTE)
    assert listing(azure)
    control.fault("failing", status=500, **COMPUTE)
    with pytest.raises(HttpResponseError) as raised:
        listing(azure, retry_total=0)
    assert error(raised) == (500, "InternalServerError")


def test_an_answer_that_is_cut_off(azure, control):
    control.fault("cut_off", times=1, operation="disks_list", **COMPUTE)
    with pytest.raises(ServiceResponseError):
        listing(azure, retry_total=0)


def test_revoked_and_expired_tokens(azure, control):
    for kind, code in (("revoked_credentials", "InvalidAuthenticationToken"),
                       ("expired_credentials", "ExpiredAuthenticationToken")):
        control.fault(kind, **COMPUTE)
        with pytest.raises(ClientAuthenticationError) as raised:
            listing(azure, retry_total=0)
        assert error(raised) == (401, code)
        control.clear_faults()


def test_a_missing_permission_is_named_with_its_scope(azure, control, group):
    control.fault("denied", face="azure", permissions=["Microsoft.Compute/disks/read"])
    with pytest.raises(HttpResponseError) as raised:
        listing(azure, retry_total=0)
    assert error(raised) == (403, "AuthorizationFailed")
    scope = f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/disks"
    assert f"does not have authorization to perform action 'Microsoft.Compute/disks/read' over scope '{scope}'" in raised.value.message
    assert list(azure.compute.snapshots.list()) is not None
    url = (f"/subscriptions/{azure.subscription}/resourceGroups/{group}/providers/Microsoft.Authorization/permissions"
           "?api-version=2022-04-01")
    told = lambda: azure.send("GET", url).json()["value"][0]
    assert "Microsoft.Compute/disks/read" in told()["notActions"]
    control.clear_faults()
    control.fault("denied", face="azure", **{"except": ["Microsoft.Compute/disks/read", "Microsoft.Authorization/permissions/read"]})
    assert listing(azure)
    assert told()["actions"] == ["Microsoft.Compute/disks/read", "Microsoft.Authorization/permissions/read"]
    with pytest.raises(HttpResponseError) as raised:
        list(azure.compute.snapshots.list(retry_total=0))
    assert error(raised) == (403, "AuthorizationFailed")
    # The group of the test has to go after it.
    control.clear_faults()


def test_a_lost_region_loses_what_is_in_it(azure, control, group):
    make_network(azure, group)
    control.fault("region_lost", face="azure", region=PLACE)
    with pytest.raises(HttpResponseError) as raised:
        azure.network.virtual_networks.get(group, "net", retry_total=0)
    assert error(raised) == (503, "ServiceUnavailable")
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.usage.list(PLACE, retry_total=0).next()
    assert error(raised) == (503, "ServiceUnavailable")
    with pytest.raises(HttpResponseError) as raised:
        azure.network.virtual_networks.begin_create_or_update(
            group, "other", {"location": PLACE, "properties": {}}, retry_total=0)
    assert error(raised) == (503, "ServiceUnavailable")
    assert azure.compute.usage.list("northeurope").next()


def pages(azure):
    url, found = (f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/disks"
                  "?api-version=2024-03-02&$top=5"), []
    while url:
        answer = azure.send("GET", url.removeprefix(azure.account["endpoint"]))
        answer.raise_for_status()
        found += [one["id"] for one in answer.json()["value"]]
        url = answer.json().get("nextLink")
    return found


def test_pages_fail_double_and_miss(azure, control):
    whole = pages(azure)
    control.fault("failing_page", **COMPUTE)
    with pytest.raises(HttpResponseError):
        pages(azure)
    control.clear_faults()
    control.fault("doubled_items", **COMPUTE)
    doubled = pages(azure)
    assert set(doubled) == set(whole) and len(doubled) > len(whole)
    control.clear_faults()
    control.fault("missing_items", **COMPUTE)
    missing = pages(azure)
    assert set(missing) < set(whole)


def test_what_was_made_is_not_seen_for_a_while(azure, control, group):
    control.fault("unseen", seconds=50, face="azure", service="Microsoft.Network")
    made = azure.network.network_security_groups.begin_create_or_update(
        group, "nsg", {"location": PLACE, "properties": {}}, polling=False).result()
    assert made.name == "nsg"
    with pytest.raises(ResourceNotFoundError):
        azure.network.network_security_groups.get(group, "nsg")
    azure.control.advance(60)
    assert azure.network.network_security_groups.get(group, "nsg").name == "nsg"


def test_the_ledger_knows_who_made_what(azure, control, group):
    entries = control.ledger()["entries"] if isinstance(control.ledger(), dict) else control.ledger()
    made = [entry for entry in entries if entry.get("name") == group]
    assert [(entry["verb"], entry["operation"]) for entry in made] == [
        ("created", "Microsoft.Resources/resourceGroups_createOrUpdate")]
