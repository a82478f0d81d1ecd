"""Instances: made, listed, changed in every way, ended; and each refusal."""

import uuid

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_bed import gcp, reason


def get(gcp, name):
    return gcp.compute("Instances").get(project=gcp.project, zone=gcp.zone, instance=name)


def call(gcp, verb, name, **more):
    return getattr(gcp.compute("Instances"), verb)(project=gcp.project, zone=gcp.zone, instance=name, **more)


def test_the_life_of_an_instance(gcp, control):
    client, name = gcp.compute("Instances"), gcp.name("life")
    control.call("PUT", "/clock", {"speed": 0})
    try:
        made = gcp.machine(name, labels={"venue": "orangery"}, tags=compute_v1.Tags(items=["http"]))
        operation = client.insert(project=gcp.project, zone=gcp.zone, instance_resource=made)
        assert not operation.done() and get(gcp, name).status == "PROVISIONING"
        control.advance(5)
        assert get(gcp, name).status == "STAGING"
        gcp.done(operation, 10)
        found = get(gcp, name)
        assert (found.status, dict(found.labels), list(found.tags.items)) == ("RUNNING", {"venue": "orangery"}, ["http"])
        assert found.machine_type.endswith("/n2-standard-2") and found.network_interfaces[0].network_i_p.startswith("10.")
        assert found.disks[0].boot and found.disks[0].disk_size_gb == 10 and found.id > 10**17
        operation = call(gcp, "stop", name)
        assert get(gcp, name).status == "STOPPING"
        gcp.done(operation)
        assert get(gcp, name).status == "TERMINATED"
        operation = call(gcp, "start", name)
        assert get(gcp, name).status == "PROVISIONING"
        gcp.done(operation)
        gcp.done(call(gcp, "reset", name))
        assert get(gcp, name).status == "RUNNING"
        operation = call(gcp, "delete", name)
        assert get(gcp, name).status == "STOPPING"
        gcp.done(operation)
    finally:
        control.call("PUT", "/clock", {"speed": 1})
    with pytest.raises(exceptions.NotFound):
        get(gcp, name)
    with pytest.raises(exceptions.NotFound):
        gcp.compute("Disks").get(project=gcp.project, zone=gcp.zone, disk=name)


def test_an_operation_is_found_by_name_and_number_and_can_be_waited_for(gcp):
    operation = gcp.compute("Instances").insert(
        project=gcp.project, zone=gcp.zone, instance_resource=gcp.machine(gcp.name("op"))
    )
    client = gcp.compute("ZoneOperations")
    place = {"project": gcp.project, "zone": gcp.zone}
    found = client.get(operation=operation.name, **place)
    assert found.operation_type == "insert" and found.target_link.startswith("https://www.googleapis.com/compute/v1/projects/")
    assert client.get(operation=str(found.id), **place).name == operation.name
    assert client.wait(operation=operation.name, **place).name == operation.name
    gcp.control.advance(60)
    done = client.wait(operation=operation.name, **place)
    assert done.status == compute_v1.Operation.Status.DONE and done.progress == 100 and done.end_time
    names = [one.name for one in client.list(request={"filter": "status = DONE", **place})]
    assert operation.name in names
    with pytest.raises(exceptions.NotFound):
        client.get(operation="operation-0", **place)


def test_listing_page_by_page(gcp):
    client = gcp.compute("Instances")
    everything = [one.name for one in client.list(project=gcp.project, zone=gcp.zone)]
    pages = list(client.list(request={"project": gcp.project, "zone": gcp.zone, "max_results": 2}).pages)
    assert len(pages) > 2 and [one.name for page in pages for one in page.items] == everything == sorted(everything)
    flat = [(scope, one.name) for scope, page in client.aggregated_list(request={"project": gcp.project, "max_results": 3}) for one in page.instances]
    assert len(flat) == len(set(flat)) and {name for scope, name in flat if scope == f"zones/{gcp.zone}"} == set(everything)
    web = client.list(request={"project": gcp.project, "zone": gcp.zone, "filter": "labels.tier = web AND status = RUNNING"})
    assert {one.labels["tier"] for one in web} == {"web"}
    scopes = dict(client.aggregated_list(request={"project": gcp.project, "filter": "name = no-such"}))
    assert {page.warning.code for page in scopes.values()} == {"NO_RESULTS_ON_PAGE"}


def test_a_repeated_request_is_one(gcp):
    client, name, request_id = gcp.compute("Instances"), gcp.name("once"), str(uuid.uuid4())
    request = {"project": gcp.project, "zone": gcp.zone, "request_id": request_id, "instance_resource": gcp.machine(name)}
    first, second = client.insert(request), client.insert(request)
    assert first.name == second.name
    gcp.done(first)
    with pytest.raises(exceptions.BadRequest):
        client.insert({**request, "instance_resource": gcp.machine(gcp.name("other"))})
    with pytest.raises(exceptions.BadRequest):
        client.insert({**request, "request_id": "not-a-uuid"})
    with pytest.raises(exceptions.Conflict) as caught:
        client.insert(project=gcp.project, zone=gcp.zone, instance_resource=gcp.machine(name))
    assert reason(caught.value) == "alreadyExists"


def test_the_machine_type_changes_only_while_stopped(gcp):
    name = gcp.make()
    wanted = compute_v1.InstancesSetMachineTypeRequest(machine_type=f"zones/{gcp.zone}/machineTypes/n2-standard-4")
    with pytest.raises(exceptions.BadRequest):
        call(gcp, "set_machine_type", name, instances_set_machine_type_request_resource=wanted)
    gcp.done(call(gcp, "stop", name))
    gcp.done(call(gcp, "set_machine_type", name, instances_set_machine_type_request_resource=wanted))
    assert get(gcp, name).machine_type.endswith("/n2-standard-4")
    unknown = compute_v1.InstancesSetMachineTypeRequest(machine_type=f"zones/{gcp.zone}/machineTypes/n2-standard-5")
    with pytest.raises(exceptions.BadRequest):
        call(gcp, "set_machine_type", name, instances_set_machine_type_request_resource=unknown)


def test_labels_tags_and_metadata_want_the_present_fingerprint(gcp):
    name = gcp.make(labels={"app": "a"})
    found = get(gcp, name)
    labels = compute_v1.InstancesSetLabelsRequest(label_fingerprint=found.label_fingerprint, labels={"app": "b", "tier": "web"})
    gcp.done(call(gcp, "set_labels", name, instances_set_labels_request_resource=labels))
    assert dict(get(gcp, name).labels) == {"app": "b", "tier": "web"}
    with pytest.raises(exceptions.PreconditionFailed) as caught:
        call(gcp, "set_labels", name, instances_set_labels_request_resource=labels)
    assert reason(caught.value) == "conditionNotMet"
    tags = compute_v1.Tags(fingerprint=found.tags.fingerprint, items=["https"])
    gcp.done(call(gcp, "set_tags", name, tags_resource=tags))
    assert list(get(gcp, name).tags.items) == ["https"]
    with pytest.raises(exceptions.PreconditionFailed):
        call(gcp, "set_tags", name, tags_resource=tags)
    metadata = compute_v1.Metadata(fingerprint=found.metadata.fingerprint, items=[compute_v1.Items(key="a", value="b")])
    gcp.done(call(gcp, "set_metadata", name, metadata_resource=metadata))
    assert get(gcp, name).metadata.items[0].value == "b"
    with pytest.raises(exceptions.PreconditionFailed):
        call(gcp, "set_metadata", name, metadata_resource=metadata)


def test_what_is_protected_is_not_deleted(gcp):
    name = gcp.make()
    client = gcp.compute("Instances")
    protect = {"project": gcp.project, "zone": gcp.zone, "resource": name}
    gcp.done(client.set_deletion_protection({**protect, "deletion_protection": True}))
    with pytest.raises(exceptions.BadRequest) as caught:
        call(gcp, "delete", name)
    assert "protected against deletion" in str(caught.value)
    gcp.done(client.set_deletion_protection({**protect, "deletion_protection": False}))
    gcp.done(call(gcp, "delete", name))


def test_disks_are_attached_and_detached(gcp):
    name, disk = gcp.make(), gcp.name("data")
    disks = gcp.compute("Disks")
    place = {"project": gcp.project, "zone": gcp.zone}
    gcp.done(disks.insert(disk_resource=compute_v1.Disk(name=disk, size_gb=20), **place))
    attached = compute_v1.AttachedDisk(source=f"projects/{gcp.project}/zones/{gcp.zone}/disks/{disk}", device_name="data")
    gcp.done(call(gcp, "attach_disk", name, attached_disk_resource=attached))
    assert [one.device_name for one in get(gcp, name).disks] == ["persistent-disk-0", "data"]
    assert disks.get(disk=disk, **place).users == [get(gcp, name).self_link]
    for refused in (lambda: disks.delete(disk=disk, **place), lambda: call(gcp, "attach_disk", gcp.make(), attached_disk_resource=attached)):
        with pytest.raises(exceptions.BadRequest) as caught:
            refused()
        assert reason(caught.value) == "resourceInUseByAnotherResource"
    with pytest.raises(exceptions.BadRequest):
        call(gcp, "detach_disk", name, device_name="persistent-disk-0")
    with pytest.raises(exceptions.BadRequest):
        call(gcp, "detach_disk", name, device_name="nothing")
    gcp.done(call(gcp, "detach_disk", name, device_name="data"))
    assert not disks.get(disk=disk, **place).users
    gcp.done(disks.delete(disk=disk, **place))


def test_power_wants_the_right_state(gcp):
    name = gcp.make()
    operation = call(gcp, "stop", name)
    for verb in ("stop", "start", "reset"):
        with pytest.raises(exceptions.BadRequest) as caught:
            call(gcp, verb, name)
        assert reason(caught.value) == "resourceNotReady"
    gcp.done(operation)
    gcp.done(call(gcp, "stop", name))


def test_requests_that_are_not_right(gcp):
    client = gcp.compute("Instances")
    place = {"project": gcp.project, "zone": gcp.zone}
    def refused(change, words):
        instance = gcp.machine(gcp.name("bad"))
        change(instance)
        with pytest.raises(exceptions.BadRequest) as caught:
            client.insert(instance_resource=instance, **place)
        assert words in str(caught.value), caught.value
    refused(lambda i: setattr(i, "name", "Upper"), "resource.name")
    refused(lambda i: setattr(i, "machine_type", f"zones/{gcp.zone}/machineTypes/huge"), "does not exist in zone")
    refused(lambda i: setattr(i, "disks", []), "No disks are specified")
    refused(lambda i: setattr(i, "network_interfaces", []), "network interface")
    refused(lambda i: setattr(i.network_interfaces[0], "subnetwork", f"regions/{gcp.region}/subnetworks/none"), "cannot be found")
    refused(lambda i: setattr(i.disks[0].initialize_params, "source_image", "global/images/none"), "cannot be found")
    refused(lambda i: setattr(i.disks[0].initialize_params, "disk_size_gb", 5), "smaller than the image")
    refused(lambda i: setattr(i, "labels", {"Upper": "x"}), "Label")
    answer = gcp.raw("POST", f"/compute/v1/projects/{gcp.project}/zones/{gcp.zone}/instances", json={"name": "x", "machinetype": "y"})
    assert answer.status_code == 400 and 'Unknown name "machinetype": Cannot find field.' in answer.json()["error"]["message"]
    answer = gcp.raw("POST", f"/compute/v1/projects/{gcp.project}/zones/{gcp.zone}/instances", json={})
    assert answer.json()["error"]["errors"][0]["reason"] == "required"
    with pytest.raises(exceptions.NotFound):
        get(gcp, "no-such")
