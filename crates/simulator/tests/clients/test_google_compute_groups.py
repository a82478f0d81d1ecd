"""Templates, managed groups, the groups they fill, and autoscalers."""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_bed import gcp, reason


def template(gcp):
    name = gcp.name("template")
    machine = gcp.machine("unused")
    properties = compute_v1.InstanceProperties(
        machine_type="e2-medium", labels={"app": "grouped"}, disks=machine.disks, network_interfaces=machine.network_interfaces
    )
    made = compute_v1.InstanceTemplate(name=name, properties=properties)
    gcp.done(gcp.compute("InstanceTemplates").insert(project=gcp.project, instance_template_resource=made))
    return name


def test_templates(gcp):
    client, name = gcp.compute("InstanceTemplates"), template(gcp)
    found = client.get(project=gcp.project, instance_template=name)
    assert found.properties.machine_type == "e2-medium"
    assert name in [one.name for one in client.list(request={"project": gcp.project, "max_results": 1})]
    instance = gcp.name("vm")
    request = {"project": gcp.project, "zone": gcp.zone, "source_instance_template": f"global/instanceTemplates/{name}", "instance_resource": compute_v1.Instance(name=instance)}
    gcp.done(gcp.compute("Instances").insert(request))
    made = gcp.compute("Instances").get(project=gcp.project, zone=gcp.zone, instance=instance)
    assert made.machine_type.endswith("/e2-medium") and dict(made.labels) == {"app": "grouped"}
    gcp.done(client.delete(project=gcp.project, instance_template=name))
    with pytest.raises(exceptions.NotFound):
        client.get(project=gcp.project, instance_template=name)
    with pytest.raises(exceptions.BadRequest):
        client.insert(project=gcp.project, instance_template_resource=compute_v1.InstanceTemplate(name="empty"))


def test_a_managed_group(gcp):
    client, groups, name = gcp.compute("InstanceGroupManagers"), gcp.compute("InstanceGroups"), gcp.name("mig")
    place = {"project": gcp.project, "zone": gcp.zone}
    source = template(gcp)
    made = compute_v1.InstanceGroupManager(name=name, target_size=2, instance_template=f"global/instanceTemplates/{source}")
    operation = client.insert(instance_group_manager_resource=made, **place)
    assert not client.get(instance_group_manager=name, **place).status.is_stable
    gcp.done(operation)
    found = client.get(instance_group_manager=name, **place)
    assert found.status.is_stable and found.target_size == 2 and found.current_actions.none == 2
    members = list(client.list_managed_instances(instance_group_manager=name, **place))
    assert {one.instance_status for one in members} == {"RUNNING"} and len(members) == 2
    wanted = compute_v1.InstanceGroupsListInstancesRequest(instance_state="RUNNING")
    inside = list(groups.list_instances(instance_group=name, instance_groups_list_instances_request_resource=wanted, **place))
    assert {one.instance for one in inside} == {one.instance for one in members}
    assert groups.get(instance_group=name, **place).size == 2
    gcp.done(client.resize(instance_group_manager=name, size=3, **place))
    assert len(list(client.list_managed_instances(instance_group_manager=name, **place))) == 3
    gcp.done(client.resize(instance_group_manager=name, size=1, **place))
    assert groups.get(instance_group=name, **place).size == 1
    for one, listed in ((client, "instance_group_managers"), (groups, "instance_groups")):
        assert name in [thing.name for thing in one.list(request={"max_results": 1, **place})]
        page = dict(one.aggregated_list(project=gcp.project))[f"zones/{gcp.zone}"]
        assert name in [thing.name for thing in getattr(page, listed)]
    with pytest.raises(exceptions.BadRequest) as caught:
        gcp.compute("InstanceTemplates").delete(project=gcp.project, instance_template=source)
    assert reason(caught.value) == "resourceInUseByAnotherResource"
    scaler(gcp, name)
    gcp.done(client.delete(instance_group_manager=name, **place))
    with pytest.raises(exceptions.NotFound):
        groups.get(instance_group=name, **place)
    left = [one.name for one in gcp.compute("Instances").list(request={"filter": f"name eq {name}-.*", **place})]
    assert left == []
    with pytest.raises(exceptions.BadRequest):
        client.insert(instance_group_manager_resource=compute_v1.InstanceGroupManager(name="none", target_size=1, instance_template="global/instanceTemplates/none"), **place)


def scaler(gcp, manager):
    client = gcp.compute("Autoscalers")
    place = {"project": gcp.project, "zone": gcp.zone}
    target = f"projects/{gcp.project}/zones/{gcp.zone}/instanceGroupManagers/{manager}"
    policy = compute_v1.AutoscalingPolicy(min_num_replicas=1, max_num_replicas=4)
    made = compute_v1.Autoscaler(name=manager, target=target, autoscaling_policy=policy)
    gcp.done(client.insert(autoscaler_resource=made, **place))
    assert client.get(autoscaler=manager, **place).status == "ACTIVE"
    assert manager in [one.name for one in client.list(**place)]
    assert manager in [one.name for one in dict(client.aggregated_list(project=gcp.project))[f"zones/{gcp.zone}"].autoscalers]
    for wrong in (compute_v1.Autoscaler(name="second", target=target, autoscaling_policy=policy), compute_v1.Autoscaler(name="less", target=target, autoscaling_policy=compute_v1.AutoscalingPolicy(min_num_replicas=3, max_num_replicas=1))):
        with pytest.raises(exceptions.BadRequest):
            client.insert(autoscaler_resource=wrong, **place)
    groups = gcp.compute("InstanceGroupManagers")
    with pytest.raises(exceptions.BadRequest):
        groups.delete(instance_group_manager=manager, **place)
    bounds(gcp, manager, place)
    gcp.done(client.delete(autoscaler=manager, **place))


def bounds(gcp, manager, place):
    """What is patched goes over what is there; who scales by hand must have switched the autoscaler off."""
    client, groups = gcp.compute("Autoscalers"), gcp.compute("InstanceGroupManagers")
    with pytest.raises(exceptions.BadRequest) as scaled:
        groups.resize(instance_group_manager=manager, size=2, **place)
    assert reason(scaled.value) == "invalidResourceUsage"
    off = compute_v1.Autoscaler(autoscaling_policy=compute_v1.AutoscalingPolicy(mode="OFF", max_num_replicas=6))
    gcp.done(client.patch(request={"autoscaler": manager, "autoscaler_resource": off, **place}))
    policy = client.get(autoscaler=manager, **place).autoscaling_policy
    assert (policy.mode, policy.min_num_replicas, policy.max_num_replicas) == ("OFF", 1, 6)
    gcp.done(groups.resize(instance_group_manager=manager, size=2, **place))
    for wrong in ({"autoscaler": manager, "most": 0}, {"autoscaler": "none", "most": 6}):
        less = compute_v1.Autoscaler(autoscaling_policy=compute_v1.AutoscalingPolicy(max_num_replicas=wrong["most"]))
        with pytest.raises((exceptions.BadRequest, exceptions.NotFound)):
            client.patch(request={"autoscaler": wrong["autoscaler"], "autoscaler_resource": less, **place})


def test_operations_of_the_project(gcp):
    client = gcp.compute("GlobalOperations")
    template(gcp)
    last = list(client.list(project=gcp.project))[-1]
    assert client.get(project=gcp.project, operation=last.name).name == last.name
    assert client.wait(project=gcp.project, operation=last.name).progress == 100
    scopes = dict(client.aggregated_list(project=gcp.project))
    assert last.name in [one.name for one in scopes["global"].operations] and f"zones/{gcp.zone}" in scopes
