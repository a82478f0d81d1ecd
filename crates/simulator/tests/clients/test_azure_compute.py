"""Virtual machines: made, read, listed, changed, switched and deleted, by azure-mgmt-compute."""

import copy

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import (IMAGE, OTHER_PLACE, PLACE, account, azure, error, group, machine, make_interface,  # noqa: F401
                       make_machine, make_network, unique)


def power(azure, group, name):
    view = azure.compute.virtual_machines.instance_view(group, name)
    return [status.code for status in view.statuses if status.code.startswith("PowerState/")]


def test_a_machine_from_its_making_to_its_end(azure, group):
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    interface = make_interface(azure, group, "vm-nic", subnet)
    poller = machines.begin_create_or_update(group, "Vm-1", machine(interface.id, zones=["2"]), polling=False)
    made = poller.result()
    assert made.properties.provisioning_state == "Creating"
    assert power(azure, group, "vm-1") == []
    azure.control.advance(60)
    got = machines.get(group, "VM-1", expand="instanceView")
    assert (got.name, got.properties.provisioning_state, got.zones) == ("Vm-1", "Succeeded", ["2"])
    assert got.id == azure.path(group, "Microsoft.Compute/virtualMachines", "Vm-1")
    assert got.properties.os_profile.admin_password is None and got.properties.os_profile.custom_data is None
    assert "PowerState/running" in [status.code for status in got.properties.instance_view.statuses]
    disk = azure.compute.disks.get(group, got.properties.storage_profile.os_disk.name)
    assert (disk.managed_by, disk.properties.disk_state, disk.properties.disk_size_gb) == (got.id, "Attached", 64)
    assert azure.network.network_interfaces.get(group, "vm-nic").properties.virtual_machine.id == got.id
    changed = machines.begin_update(group, "vm-1", {"tags": {"app": "other"}}).result()
    assert changed.tags == {"app": "other"} and power(azure, group, "vm-1") == ["PowerState/running"]
    machines.begin_delete(group, "vm-1").result()
    with pytest.raises(ResourceNotFoundError) as raised:
        machines.get(group, "vm-1")
    assert error(raised) == (404, "ResourceNotFound")
    with pytest.raises(ResourceNotFoundError):
        azure.compute.disks.get(group, disk.name)
    assert azure.network.network_interfaces.get(group, "vm-nic").properties.virtual_machine is None
    assert machines.begin_delete(group, "vm-1").result() is None


def test_power(azure, group):
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    made = make_machine(azure, group, "vm", subnet)
    disk = made.properties.storage_profile.os_disk.name
    machines.begin_power_off(group, "vm", polling=False).result()
    assert power(azure, group, "vm") == ["PowerState/stopping"]
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_start(group, "vm")
    assert error(raised) == (409, "Conflict")
    azure.control.advance(60)
    assert power(azure, group, "vm") == ["PowerState/stopped"]
    machines.begin_start(group, "vm").result()
    machines.begin_restart(group, "vm").result()
    machines.begin_deallocate(group, "vm").result()
    assert power(azure, group, "vm") == ["PowerState/deallocated"]
    assert azure.compute.disks.get(group, disk).properties.disk_state == "Reserved"
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_restart(group, "vm")
    assert error(raised) == (409, "OperationNotAllowed")
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_deallocate(group, "vm", hibernate=True)
    assert error(raised) == (409, "OperationNotAllowed")
    machines.begin_start(group, "vm").result()
    assert power(azure, group, "vm") == ["PowerState/running"]
    assert azure.compute.disks.get(group, disk).properties.disk_state == "Attached"


def test_another_size_needs_another_place(azure, group):
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    make_machine(azure, group, "vm", subnet)
    resize = lambda size: machines.begin_update(
        group, "vm", {"properties": {"hardwareProfile": {"vmSize": size}}}).result().properties.hardware_profile.vm_size
    assert resize("Standard_D4s_v5") == "Standard_D4s_v5"
    sizes = {size.name for size in machines.list_available_sizes(group, "vm")}
    assert "Standard_D8s_v5" in sizes and "Standard_E4s_v5" not in sizes
    with pytest.raises(HttpResponseError) as raised:
        resize("Standard_E4s_v5")
    assert error(raised) == (409, "OperationNotAllowed") and "deallocating" in raised.value.message
    machines.begin_deallocate(group, "vm").result()
    assert "Standard_E4s_v5" in {size.name for size in machines.list_available_sizes(group, "vm")}
    assert resize("Standard_E4s_v5") == "Standard_E4s_v5"
    assert power(azure, group, "vm") == ["PowerState/deallocated"]
    with pytest.raises(HttpResponseError) as raised:
        resize("Standard_Z9")
    assert error(raised) == (400, "InvalidParameter")


def test_a_stale_machine_is_not_overwritten(azure, group):
    from azure.core import MatchConditions

    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    made = make_machine(azure, group, "vm", subnet)
    change = lambda etag: machines.begin_update(
        group, "vm", {"tags": {"n": "1"}}, etag=etag, match_condition=MatchConditions.IfNotModified).result()
    assert change(made.etag).tags == {"n": "1"}
    with pytest.raises(HttpResponseError) as raised:
        change(made.etag)
    assert error(raised) == (412, "ConditionNotMet")


def test_what_a_machine_makes_goes_with_it(azure, group):
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    address = {"name": "vm-ip", "sku": {"name": "Standard"},
               "properties": {"deleteOption": "Delete", "publicIPAllocationMethod": "Static"}}
    interface = {"name": "vm-nic", "properties": {"primary": True, "deleteOption": "Delete", "ipConfigurations": [
        {"name": "ip", "properties": {"subnet": {"id": subnet}, "publicIPAddressConfiguration": address}}]}}
    body = machine("")
    body["properties"]["networkProfile"] = {"networkInterfaceConfigurations": [interface]}
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_create_or_update(group, "vm", body)
    assert error(raised) == (400, "InvalidParameter")
    body["properties"]["networkProfile"]["networkApiVersion"] = "2022-11-01"
    made = machines.begin_create_or_update(group, "vm", body).result()
    reference = made.properties.network_profile.network_interfaces[0]
    assert (reference.id.rsplit("/", 1)[1], reference.properties.delete_option) == ("vm-nic", "Delete")
    own = azure.network.network_interfaces.get(group, "vm-nic").properties
    assert own.virtual_machine.id == made.id
    assert own.ip_configurations[0].properties.public_ip_address.id.endswith("/vm-ip")
    assert azure.network.public_ip_addresses.get(group, "vm-ip").properties.ip_address
    machines.begin_delete(group, "vm").result()
    azure.control.advance(60)
    for gone in (lambda: azure.network.network_interfaces.get(group, "vm-nic"),
                 lambda: azure.network.public_ip_addresses.get(group, "vm-ip")):
        with pytest.raises(ResourceNotFoundError):
            gone()


def test_what_is_there_is_not_made_where_nothing_may_be(azure, group):
    from azure.core import MatchConditions

    machines, sets, subnet = (azure.compute.virtual_machines, azure.compute.virtual_machine_scale_sets,
                              make_network(azure, group))
    absent = {"etag": "*", "match_condition": MatchConditions.IfMissing}
    interface = make_interface(azure, group, "vm-nic", subnet)
    make = lambda: machines.begin_create_or_update(group, "vm", machine(interface.id), **absent)
    make().result()
    group_of = lambda: sets.begin_create_or_update(group, "set", scale_set(subnet), **absent)
    group_of().result()
    for again in (make, group_of):
        with pytest.raises(HttpResponseError) as raised:
            again()
        assert error(raised) == (412, "ConditionNotMet")


def test_data_disks_come_and_go(azure, group):
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    make_machine(azure, group, "one", subnet)
    make_machine(azure, group, "two", subnet)
    disk = azure.compute.disks.begin_create_or_update(group, "data", {
        "location": PLACE, "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 100}}).result()
    with_disks = lambda *disks: {"properties": {"storageProfile": {"dataDisks": list(disks)}}}
    attach = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": disk.id}}
    one = machines.begin_update(group, "one", with_disks(attach)).result()
    assert one.properties.storage_profile.data_disks[0].name == "data"
    assert azure.compute.disks.get(group, "data").managed_by == one.id
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_update(group, "two", with_disks(attach))
    assert error(raised) == (409, "ConflictingUserInput")
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.disks.begin_delete(group, "data")
    assert error(raised) == (409, "OperationNotAllowed")
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_update(group, "one", with_disks(attach, {"lun": 0, "createOption": "Empty", "diskSizeGB": 8}))
    assert error(raised) == (400, "InvalidParameter")
    machines.begin_update(group, "one", with_disks()).result()
    assert azure.compute.disks.get(group, "data").properties.disk_state == "Unattached"
    new = {"lun": 3, "createOption": "Empty", "diskSizeGB": 8, "name": "fresh"}
    machines.begin_update(group, "two", with_disks(new)).result()
    assert azure.compute.disks.get(group, "fresh").properties.disk_size_gb == 8


def test_a_machine_is_put_back_as_it_was_read(azure, group):
    """What only the vendor tells may be sent back; what is left out of a PUT is gone."""
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    make_machine(azure, group, "vm", subnet)
    path = azure.path(group, "Microsoft.Compute/virtualMachines", "vm") + "?api-version=2024-07-01"
    read = azure.send("GET", path).json()
    del read["tags"]
    assert azure.send("PUT", path, read).status_code == 200
    azure.control.advance(60)
    again = azure.send("GET", path).json()
    assert again.pop("tags") == {} and again.pop("etag") != read.pop("etag")
    assert again == read
    assert [status.code for status in machines.instance_view(group, "vm").statuses][-1] == "PowerState/running"


def test_what_is_fixed_stays(azure, group):
    machines, subnet = azure.compute.virtual_machines, make_network(azure, group)
    make_machine(azure, group, "vm", subnet)
    for change in ({"properties": {"osProfile": {"adminUsername": "other"}}},
                   {"properties": {"storageProfile": {"imageReference": {"sku": "other"}}}}, {"zones": ["1"]}):
        with pytest.raises(HttpResponseError) as raised:
            machines.begin_update(group, "vm", change)
        assert error(raised) == (409, "PropertyChangeNotAllowed"), change
    body = machine("", place=OTHER_PLACE)
    with pytest.raises(HttpResponseError) as raised:
        machines.begin_create_or_update(group, "vm", body)
    assert error(raised) == (409, "InvalidResourceLocation")


def wrong(change):
    def apply(body):
        body = copy.deepcopy(body)
        change(body)
        return body
    return apply


def prop(body):
    return body["properties"]


@pytest.mark.parametrize("change, status, code", [
    (lambda b: b.pop("location"), 400, "LocationRequired"),
    (lambda b: b.update(location="atlantis"), 400, "LocationNotAvailableForResourceType"),
    (lambda b: b.update(colour="blue"), 400, "InvalidRequestContent"),
    (lambda b: prop(b).update(colour="blue"), 400, "BadRequest"),
    (lambda b: prop(b).update(hardwareProfile="big"), 400, "BadRequest"),
    (lambda b: b.update(zones=["9"]), 400, "AvailabilityZoneNotSupported"),
    (lambda b: prop(b).pop("hardwareProfile"), 400, "InvalidParameter"),
    (lambda b: prop(b)["hardwareProfile"].update(vmSize="Standard_Z9"), 400, "InvalidParameter"),
    (lambda b: prop(b).pop("osProfile"), 400, "InvalidParameter"),
    (lambda b: prop(b)["osProfile"].pop("adminPassword"), 400, "InvalidParameter"),
    (lambda b: prop(b)["storageProfile"].pop("imageReference"), 400, "InvalidParameter"),
    (lambda b: prop(b)["storageProfile"]["osDisk"].update(createOption="Nothing"), 400, "InvalidParameter"),
    (lambda b: prop(b).pop("networkProfile"), 400, "InvalidParameter"),
    (lambda b: prop(b)["networkProfile"]["networkInterfaces"][0].update(id="nic"), 400, "LinkedInvalidPropertyId"),
    (lambda b: prop(b)["networkProfile"]["networkInterfaces"][0].update(
        id=prop(b)["networkProfile"]["networkInterfaces"][0]["id"] + "-none"), 404, "NotFound"),
])
def test_a_wrong_machine_is_refused(azure, group, change, status, code):
    interface = make_interface(azure, group, "nic", make_network(azure, group))
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.virtual_machines.begin_create_or_update(group, "vm", wrong(change)(machine(interface.id)))
    assert error(raised) == (status, code)


def test_an_interface_has_one_machine(azure, group):
    subnet = make_network(azure, group)
    make_machine(azure, group, "one", subnet)
    taken = azure.network.network_interfaces.get(group, "one-nic").id
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.virtual_machines.begin_create_or_update(group, "two", machine(taken))
    assert error(raised) == (400, "NicInUse")


def test_nothing_is_made_in_a_group_that_is_not_there(azure):
    with pytest.raises(ResourceNotFoundError) as raised:
        azure.compute.virtual_machines.begin_create_or_update("no-such-group", "vm", machine("x"))
    assert error(raised) == (404, "ResourceGroupNotFound")


def test_machines_come_page_by_page(azure, group):
    machines = azure.compute.virtual_machines
    whole = {one.id for one in machines.list_all()}
    assert len(whole) >= 32
    url = (f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/virtualMachines"
           "?api-version=2024-07-01&$top=5")
    found, pages = [], 0
    while url:
        page = azure.send("GET", url.removeprefix(azure.account["endpoint"])).json()
        assert len(page["value"]) <= 5
        found += [one["id"] for one in page["value"]]
        url, pages = page.get("nextLink"), pages + 1
    assert pages > 6 and len(found) == len(set(found)) and set(found) == whole
    subnet = make_network(azure, group)
    make_machine(azure, group, "own", subnet)
    assert [one.name for one in machines.list(group)] == ["own"]
    status = next(one for one in machines.list_all(status_only="true") if one.name == "own")
    assert status.properties.instance_view.statuses[-1].code == "PowerState/running"
    with pytest.raises(HttpResponseError) as raised:
        list(machines.list_all(expand="instanceView"))
    assert error(raised) == (400, "InvalidParameter")


def test_sizes_and_usages(azure):
    skus = list(azure.compute.resource_skus.list(filter=f"location eq '{PLACE}'"))
    sizes = {sku.name: sku for sku in skus if sku.resource_type == "virtualMachines"}
    facts = {fact.name: fact.value for fact in sizes["Standard_D4s_v5"].capabilities}
    assert (facts["vCPUs"], facts["MemoryGB"]) == ("4", "16") and sizes["Standard_D4s_v5"].locations == [PLACE]
    usages = {usage.name.value: usage for usage in azure.compute.usage.list(PLACE)}
    assert 0 < usages["cores"].current_value <= usages["cores"].limit
    assert usages["standardDSv5Family"].current_value > 0


def test_the_quota_ends(azure, group, control):
    subnet = make_network(azure, group)
    interface = make_interface(azure, group, "nic", subnet)
    control.fault("quota", face="azure", service="Microsoft.Compute", limit=1)
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.virtual_machines.begin_create_or_update(group, "vm", machine(interface.id))
    assert error(raised) == (409, "OperationNotAllowed") and "Cores quota" in raised.value.message
    assert {usage.limit for usage in azure.compute.usage.list(PLACE) if usage.name.value == "cores"} == {1}


@pytest.mark.parametrize("where, zones, code", [
    ({"zone": "2"}, ["2"], "ZonalAllocationFailed"),
    ({}, None, "AllocationFailed"),
])
def test_there_is_no_capacity_on_the_way(azure, group, control, where, zones, code):
    subnet = make_network(azure, group)
    interface = make_interface(azure, group, "nic", subnet)
    control.fault("no_capacity", face="azure", **where)
    body = machine(interface.id, **({"zones": zones} if zones else {}))
    poller = azure.compute.virtual_machines.begin_create_or_update(group, "vm", body)
    with pytest.raises(HttpResponseError) as raised:
        poller.result()
    assert raised.value.error.code == code
    got = azure.compute.virtual_machines.get(group, "vm", expand="instanceView")
    assert got.properties.provisioning_state == "Failed"
    control.clear_faults()
    again = azure.compute.virtual_machines.begin_create_or_update(group, "vm", body).result()
    assert again.properties.provisioning_state == "Succeeded" and power(azure, group, "vm") == ["PowerState/running"]


def test_a_size_is_sold_out(azure, group, control):
    subnet = make_network(azure, group)
    interface = make_interface(azure, group, "nic", subnet)
    control.fault("no_capacity", face="azure", size="Standard_D2s_v5")
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.virtual_machines.begin_create_or_update(group, "vm", machine(interface.id))
    assert error(raised) == (409, "SkuNotAvailable")
    sku = next(sku for sku in azure.compute.resource_skus.list(filter=f"location eq '{PLACE}'")
               if sku.name == "Standard_D2s_v5")
    assert sku.restrictions[0].reason_code == "NotAvailableForSubscription"


def test_a_machine_that_was_deallocated_finds_no_place(azure, group, control):
    subnet = make_network(azure, group)
    make_machine(azure, group, "vm", subnet, zones=["1"])
    azure.compute.virtual_machines.begin_deallocate(group, "vm").result()
    control.fault("no_capacity", face="azure", zone="1")
    poller = azure.compute.virtual_machines.begin_start(group, "vm")
    with pytest.raises(HttpResponseError) as raised:
        poller.result()
    assert raised.value.error.code == "ZonalAllocationFailed"
    assert power(azure, group, "vm") == ["PowerState/deallocated"]


def scale_set(subnet, capacity=3, **more):
    configuration = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [
        {"name": "ip", "properties": {"subnet": {"id": subnet}}}]}}
    return {
        "location": PLACE, "sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": capacity},
        "zones": ["1", "2"],
        "properties": {
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {
                "osProfile": {"computerNamePrefix": "set", "adminUsername": "marquee", "adminPassword": "Not-4-real!"},
                "storageProfile": {"imageReference": IMAGE, "osDisk": {"createOption": "FromImage"}},
                "networkProfile": {"networkInterfaceConfigurations": [configuration]},
            },
        },
        **more,
    }


def test_a_scale_set_grows_and_shrinks(azure, group):
    sets, machines = azure.compute.virtual_machine_scale_sets, azure.compute.virtual_machine_scale_set_vms
    subnet = make_network(azure, group)
    made = sets.begin_create_or_update(group, "set", scale_set(subnet)).result()
    assert (made.sku.capacity, made.properties.provisioning_state) == (3, "Succeeded")
    assert [one.instance_id for one in machines.list(group, "set")] == ["0", "1", "2"]
    assert [one.zones for one in machines.list(group, "set")] == [["1"], ["2"], ["1"]]
    sets.begin_update(group, "set", {"sku": {"name": "Standard_D2s_v5", "capacity": 5}}).result()
    assert len(list(machines.list(group, "set", expand="instanceView"))) == 5
    sets.begin_update(group, "set", {"sku": {"name": "Standard_D2s_v5", "capacity": 1}}).result()
    assert [one.name for one in machines.list(group, "set")] == ["set_0"]
    view = sets.get_instance_view(group, "set")
    assert {status.code: status.count for status in view.virtual_machine.statuses_summary}["PowerState/running"] == 1
    one = machines.get(group, "set", "0", expand="instanceView")
    assert one.properties.instance_view.statuses[-1].code == "PowerState/running"
    assert sets.get(group, "set").tags == {}
    assert [one.name for one in sets.list(group)] == ["set"]
    assert {"set", "rsvp"} <= {one.name for one in sets.list_all()}
    with pytest.raises(HttpResponseError) as raised:
        sets.begin_update(group, "set", {"sku": {"name": "Standard_D4s_v5"}})
    assert error(raised) == (409, "PropertyChangeNotAllowed")
    sets.begin_delete(group, "set").result()
    with pytest.raises(ResourceNotFoundError):
        sets.get(group, "set")


@pytest.mark.parametrize("change, status, code", [
    (lambda b: b["sku"].pop("capacity"), 400, "InvalidParameter"),
    (lambda b: b["sku"].update(capacity=1001), 400, "BadRequest"),
    (lambda b: prop(b).pop("virtualMachineProfile"), 400, "InvalidParameter"),
    (lambda b: prop(b).pop("upgradePolicy"), 400, "InvalidParameter"),
    (lambda b: prop(b).update(orchestrationMode="Flexible"), 409, "OperationNotAllowed"),
])
def test_a_wrong_scale_set_is_refused(azure, group, change, status, code):
    body = wrong(change)(scale_set("/subscriptions/x"))
    with pytest.raises(HttpResponseError) as raised:
        azure.compute.virtual_machine_scale_sets.begin_create_or_update(group, "set", body)
    assert error(raised) == (status, code)
