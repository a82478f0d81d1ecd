"""The control API, as the other tests use it."""

import urllib.error
from datetime import datetime

import pytest


def test_the_clock_moves_forward_and_never_back(control):
    before = datetime.fromisoformat(control.now())
    after = datetime.fromisoformat(control.advance(90)["now"])
    assert (after - before).total_seconds() >= 90
    with pytest.raises(urllib.error.HTTPError) as refused:
        control.call("PUT", "/clock", {"now": before.isoformat()})
    assert refused.value.code == 422


def test_a_fault_is_on_until_it_is_switched_off(control):
    number = control.fault("slow", face="aws", milliseconds=5)
    assert [fault["id"] for fault in control.call("GET", "/faults")] == [number]
    assert control.clear_faults() == []


def test_every_account_has_credentials_and_an_endpoint(control, addresses):
    accounts = control.call("GET", "/accounts")
    assert {account["face"] for account in accounts} <= {"aws", "azure", "google"}
    for account in accounts:
        assert account["endpoint"] == addresses[account["face"]]
