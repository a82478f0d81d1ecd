"""Disks, snapshots and images, by azure-mgmt-compute."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import (  # noqa: F401
    OTHER_PLACE, PLACE, account, azure, error, group, machine, make_interface, make_machine, make_network,
)


def disk(gib=32, **more):
    return {"location": PLACE, "sku": {"name": "Premium_LRS"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": gib}, **more}


def copy_of(source, place=PLACE, option="Copy", **properties):
    return {"location": place, "properties": {"creationData": {"createOption": option, "sourceResourceId": source},
                                              **properties}}


def test_a_disk_from_its_making_to_its_end(azure, group):
    disks = azure.compute.disks
    made = disks.begin_create_or_update(group, "Disk", disk(zones=["3"], tags={"a": "1"}), polling=False).result()
    assert made.properties.provisioning_state == "Creating"
    azure.control.advance(30)
    got = disks.get(group, "disk")
    assert (got.name, got.zones, got.properties.disk_state) == ("Disk", ["3"], "Unattached")
    grown = disks.begin_update(group, "disk", {"properties": {"diskSizeGB": 200}, "sku": {"name": "Standard_LRS"}}).result()
    assert (grown.properties.disk_size_gb, grown.sku.name) == (200, "Standard_LRS")
    with pytest.raises(HttpResponseError) as raised:
        disks.begin_update(group, "disk", {"properties": {"diskSizeGB": 100}})
    assert error(raised) == (400, "BadRequest") and "reduction" in raised.value.message
    again = disks.begin_create_or_update(group, "disk", disk(gib=200, tags={"b": "2"})).result()
    assert again.tags == {"b": "2"}
    assert [one.name for one in disks.list_by_resource_group(group)] == ["Disk"]
    assert "Disk" in {one.name for one in disks.list()}
    disks.begin_delete(group, "disk").result()
    with pytest.raises(ResourceNotFoundError):
        disks.get(group, "disk")


@pytest.mark.parametrize("body, status, code", [
    ({"location": PLACE, "properties": {"creationData": {"createOption": "Empty"}}}, 400, "InvalidParameter"),
    ({"location": PLACE, "properties": {"diskSizeGB": 5}}, 400, "InvalidParameter"),
    ({"location": PLACE, "properties": {"creationData": {"createOption": "Copy"}}}, 400, "InvalidParameter"),
    ({"location": PLACE, "properties": {"creationData": {"createOption": "Upload"}}}, 409, "OperationNotAllowed"),
    (disk(gib=100_000), 400, "InvalidParameter"),
    (disk(gib=2**63), 400, None),
    ({**disk(), "sku": {"name": "Golden_LRS"}}, 400, "InvalidParameter"),
    ({**disk(), "zones": ["7"]}, 400, "AvailabilityZoneNotSupported"),
])
def test_a_wrong_disk_is_refused(azure, group, body, status, code):
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.disks.begin_create_or_update(group, "disk", body)
    assert raised.value.status_code == status and code in (None, error(raised)[1])


def test_no_way_makes_a_disk_of_a_size_that_none_has(azure, group):
    azure.compute.disks.begin_create_or_update(group, "disk", disk()).result()
    wanted = machine(make_interface(azure, group, "nic", make_network(azure, group)).id)
    for gib in (0, 65_537, 2**31 - 1):
        with pytest.raises(HttpResponseError) as raised:
            azure.compute.disks.begin_update(group, "disk", {"properties": {"diskSizeGB": gib}})
        assert error(raised)[0] == 400, gib
        wanted["properties"]["storageProfile"]["dataDisks"] = [{"lun": 0, "createOption": "Empty", "diskSizeGB": gib}]
        with pytest.raises(HttpResponseError) as raised:
            azure.compute.virtual_machines.begin_create_or_update(group, "vm", wanted)
        assert error(raised) == (400, "InvalidParameter"), gib
    assert [one.name for one in azure.compute.disks.list_by_resource_group(group)] == ["disk"]


def test_a_boot_disk_grows_only_without_its_machine(azure, group):
    made = make_machine(azure, group, "vm", make_network(azure, group))
    name, grow = made.properties.storage_profile.os_disk.name, {"properties": {"diskSizeGB": 128}}
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.disks.begin_update(group, name, grow)
    assert error(raised) == (409, "OperationNotAllowed") and "deallocated" in raised.value.message
    azure.compute.virtual_machines.begin_deallocate(group, "vm").result()
    assert azure.compute.disks.begin_update(group, name, grow).result().properties.disk_size_gb == 128


def test_snapshots_and_what_is_made_of_them(azure, group):
    snapshots, disks = azure.compute.snapshots, azure.compute.disks
    source = disks.begin_create_or_update(group, "disk", disk(gib=64)).result()
    made = snapshots.begin_create_or_update(group, "Snap", copy_of(source.id, incremental=True)).result()
    assert (made.properties.disk_size_gb, made.properties.incremental) == (64, True)
    assert made.properties.creation_data.source_unique_id == source.properties.unique_id
    assert snapshots.begin_update(group, "snap", {"tags": {"keep": "yes"}}).result().tags == {"keep": "yes"}
    restored = disks.begin_create_or_update(group, "restored", copy_of(made.id)).result()
    assert restored.properties.disk_size_gb == 64
    with pytest.raises(HttpResponseError) as raised:
        disks.begin_create_or_update(group, "small", copy_of(made.id, diskSizeGB=16))
    assert error(raised) == (400, "InvalidParameter")
    with pytest.raises(HttpResponseError) as raised:
        disks.begin_create_or_update(group, "far", copy_of(made.id, OTHER_PLACE))
    assert error(raised) == (400, "InvalidParameter")
    snapshots.begin_create_or_update(group, "far", copy_of(made.id, OTHER_PLACE, "CopyStart"), polling=False).result()
    azure.control.advance(30)
    assert 0 < snapshots.get(group, "far").properties.completion_percent < 100
    azure.control.advance(600)
    assert snapshots.get(group, "far").properties.provisioning_state == "Succeeded"
    assert {one.name for one in snapshots.list_by_resource_group(group)} == {"Snap", "far"}
    assert {"Snap", "far"} <= {one.name for one in snapshots.list()}
    with pytest.raises(HttpResponseError) as raised:
        snapshots.begin_create_or_update(group, "none", copy_of(source.id + "-none"))
    assert error(raised) == (404, "NotFound")
    snapshots.begin_delete(group, "snap").result()
    with pytest.raises(ResourceNotFoundError):
        snapshots.get(group, "snap")


def test_a_source_must_be_complete_and_stay(azure, group):
    snapshots, disks = azure.compute.snapshots, azure.compute.disks
    source = disks.begin_create_or_update(group, "disk", disk(gib=64)).result()
    near = snapshots.begin_create_or_update(group, "near", copy_of(source.id)).result()
    copy = copy_of(near.id, OTHER_PLACE, "CopyStart")
    far = snapshots.begin_create_or_update(group, "far", copy, polling=False).result()
    with pytest.raises(HttpResponseError) as raised:
        disks.begin_create_or_update(group, "early", copy_of(far.id, OTHER_PLACE))
    assert error(raised) == (409, "OperationNotAllowed") and "not complete" in raised.value.message
    azure.control.advance(600)
    disks.begin_create_or_update(group, "early", copy_of(far.id, OTHER_PLACE)).result()
    snapshots.begin_delete(group, "near", polling=False)
    for make in (disks, snapshots):
        with pytest.raises(HttpResponseError) as raised:
            make.begin_create_or_update(group, "late", copy_of(near.id))
        assert error(raised) == (409, "OperationNotAllowed") and "deletion" in raised.value.message


def test_a_machine_does_not_take_a_disk_by_its_name(azure, group):
    kept = azure.compute.disks.begin_create_or_update(group, "Data", disk(gib=64, tags={"keep": "yes"})).result()
    nic = make_interface(azure, group, "nic", make_network(azure, group))
    data = [{"lun": 0, "name": "data", "createOption": "Empty", "diskSizeGB": 10}]
    for place, name in (("osDisk", {"name": "data"}), ("dataDisks", data)):
        body = machine(nic.id)
        storage = body["properties"]["storageProfile"]
        storage[place] = {**storage["osDisk"], **name} if place == "osDisk" else name
        with pytest.raises(HttpResponseError) as raised:
            azure.compute.virtual_machines.begin_create_or_update(group, "vm", body)
        assert error(raised) == (409, "ConflictingUserInput") and "Only CreateOption.Attach" in raised.value.message
    assert azure.compute.disks.get(group, "data").as_dict() == kept.as_dict()
    body = machine(nic.id)
    body["properties"]["storageProfile"]["osDisk"]["name"] = "boot"
    machines = azure.compute.virtual_machines
    machines.begin_create_or_update(group, "vm", body).result()
    made = azure.compute.disks.get(group, "boot").properties.unique_id
    machines.begin_create_or_update(group, "vm", body).result()
    assert azure.compute.disks.get(group, "boot").properties.unique_id == made


def test_images(azure, group):
    images = azure.compute.images
    source = azure.compute.disks.begin_create_or_update(group, "disk", disk(gib=30)).result()
    body = lambda **boot: {"location": PLACE, "properties": {
        "hyperVGeneration": "V2", "storageProfile": {"osDisk": {"osType": "Linux", "osState": "Generalized", **boot}}}}
    made = images.begin_create_or_update(group, "Image", body(managedDisk={"id": source.id})).result()
    assert made.properties.storage_profile.os_disk.disk_size_gb == 30
    assert images.begin_update(group, "image", {"tags": {"a": "1"}}).result().tags == {"a": "1"}
    assert images.get(group, "image").name == "Image"
    assert [one.name for one in images.list_by_resource_group(group)] == ["Image"]
    assert "Image" in {one.name for one in images.list()}
    for boot, status, code in (({}, 400, "InvalidParameter"), ({"managedDisk": {"id": source.id + "x"}}, 404, "NotFound")):
        with pytest.raises(HttpResponseError) as raised:
            images.begin_create_or_update(group, "other", body(**boot))
        assert error(raised) == (status, code)
    machine = make_machine(azure, group, "vm", make_network(azure, group))
    with pytest.raises(HttpResponseError) as raised:
        images.begin_create_or_update(group, "other", {
            "location": PLACE, "properties": {"sourceVirtualMachine": {"id": machine.id}}})
    assert error(raised) == (409, "OperationNotAllowed")
    images.begin_delete(group, "image").result()
    with pytest.raises(ResourceNotFoundError):
        images.get(group, "image")
