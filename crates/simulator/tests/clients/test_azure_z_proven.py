"""The last of Azure's tests: every route was called with success by a client that no one here wrote."""

import pytest

from azure_bed import Transport, azure, account  # noqa: F401
from conftest import unproven


def test_every_route_is_proven(control, azure):
    if not any(row["operation"].startswith("Microsoft.CostManagement") for row in control.call("GET", "/calls")):
        pytest.skip("the other tests of Azure did not run before")
    assert unproven(control, "azure") == []


def test_an_answer_that_is_wrong_is_noticed():
    disk = {"id": "x", "name": "x", "type": "x", "location": "x", "colour": "blue"}
    path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d"
    with pytest.raises(AssertionError, match="colour"):
        Transport.schemas.check("GET", path, disk)
    del disk["colour"]
    assert Transport.schemas.check("GET", path, disk) == "Microsoft.Compute/disks_get"
