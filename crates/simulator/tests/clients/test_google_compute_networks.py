"""Networks, subnetworks, firewalls, addresses, and what balances loads."""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_bed import gcp, reason


def names(things):
    return [thing.name for thing in things]


def refused(kind, why, call):
    with pytest.raises(kind) as caught:
        call()
    assert reason(caught.value) == why, caught.value


def test_a_network_with_subnetworks_of_its_own(gcp):
    networks, subnetworks = gcp.compute("Networks"), gcp.compute("Subnetworks")
    name, inner = gcp.name("net"), gcp.name("sub")
    place = {"project": gcp.project, "region": gcp.region}
    gcp.done(networks.insert(project=gcp.project, network_resource=compute_v1.Network(name=name, auto_create_subnetworks=False)))
    link = f"global/networks/{name}"
    made = compute_v1.Subnetwork(name=inner, network=link, ip_cidr_range="192.168.0.0/24")
    gcp.done(subnetworks.insert(subnetwork_resource=made, **place))
    found = subnetworks.get(subnetwork=inner, **place)
    assert found.gateway_address == "192.168.0.1" and found.network.endswith(link)
    assert networks.get(project=gcp.project, network=name).subnetworks == [found.self_link]
    overlap = compute_v1.Subnetwork(name="overlap", network=link, ip_cidr_range="192.168.0.128/25")
    refused(exceptions.BadRequest, "invalid", lambda: subnetworks.insert(subnetwork_resource=overlap, **place))
    wrong = compute_v1.Subnetwork(name="wrong", network=link, ip_cidr_range="192.168.1.1/24")
    refused(exceptions.BadRequest, "invalid", lambda: subnetworks.insert(subnetwork_resource=wrong, **place))
    assert inner in names(subnetworks.list(request={"max_results": 1, **place}))
    assert inner in names(dict(subnetworks.aggregated_list(project=gcp.project))[f"regions/{gcp.region}"].subnetworks)
    refused(exceptions.BadRequest, "resourceInUseByAnotherResource", lambda: networks.delete(project=gcp.project, network=name))
    gcp.done(subnetworks.delete(subnetwork=inner, **place))
    gcp.done(networks.delete(project=gcp.project, network=name))
    with pytest.raises(exceptions.NotFound):
        networks.get(project=gcp.project, network=name)
    with pytest.raises(exceptions.NotFound):
        subnetworks.get(subnetwork=inner, **place)


def test_an_automatic_network(gcp):
    networks, name = gcp.compute("Networks"), gcp.name("auto")
    gcp.done(networks.insert(project=gcp.project, network_resource=compute_v1.Network(name=name, auto_create_subnetworks=True)))
    assert len(networks.get(project=gcp.project, network=name).subnetworks) == len(gcp.regions)
    assert {name, "main"} <= set(names(networks.list(request={"project": gcp.project, "max_results": 1})))
    refused(exceptions.Conflict, "alreadyExists", lambda: networks.insert(project=gcp.project, network_resource=compute_v1.Network(name=name)))
    refused(exceptions.BadRequest, "resourceInUseByAnotherResource", lambda: networks.delete(project=gcp.project, network="main"))
    gcp.done(networks.delete(project=gcp.project, network=name))


def test_firewalls(gcp):
    client, name = gcp.compute("Firewalls"), gcp.name("fire")
    made = compute_v1.Firewall(
        name=name, network="global/networks/main", source_ranges=["10.0.0.0/8"], allowed=[compute_v1.Allowed(I_p_protocol="tcp", ports=["22"])]
    )
    gcp.done(client.insert(project=gcp.project, firewall_resource=made))
    found = client.get(project=gcp.project, firewall=name)
    assert (found.direction, found.priority, found.allowed[0].ports) == ("INGRESS", 1000, ["22"])
    assert name in names(client.list(request={"project": gcp.project, "max_results": 2}))
    for wrong in (compute_v1.Firewall(name="neither", network="global/networks/main"), compute_v1.Firewall(name="nowhere", network="global/networks/none", allowed=made.allowed)):
        refused(exceptions.BadRequest, "invalid", lambda: client.insert(project=gcp.project, firewall_resource=wrong))
    gcp.done(client.delete(project=gcp.project, firewall=name))
    with pytest.raises(exceptions.NotFound):
        client.get(project=gcp.project, firewall=name)


def test_addresses(gcp):
    client, name = gcp.compute("Addresses"), gcp.name("ip")
    place = {"project": gcp.project, "region": gcp.region}
    gcp.done(client.insert(address_resource=compute_v1.Address(name=name), **place))
    found = client.get(address=name, **place)
    assert found.status == "RESERVED" and found.address.count(".") == 3
    instance = gcp.machine(gcp.name("nat"))
    instance.network_interfaces[0].access_configs = [compute_v1.AccessConfig(nat_i_p=found.address)]
    gcp.done(gcp.compute("Instances").insert(project=gcp.project, zone=gcp.zone, instance_resource=instance))
    assert client.get(address=name, **place).status == "IN_USE"
    refused(exceptions.BadRequest, "resourceInUseByAnotherResource", lambda: client.delete(address=name, **place))
    gcp.done(gcp.compute("Instances").delete(project=gcp.project, zone=gcp.zone, instance=instance.name))
    labels = compute_v1.RegionSetLabelsRequest(label_fingerprint=found.label_fingerprint, labels={"a": "b"})
    gcp.done(client.set_labels(resource=name, region_set_labels_request_resource=labels, **place))
    assert name in names(client.list(request={"max_results": 1, **place}))
    scopes = dict(client.aggregated_list(project=gcp.project))
    assert name in names(scopes[f"regions/{gcp.region}"].addresses) and "global" in scopes
    gcp.done(client.delete(address=name, **place))
    with pytest.raises(exceptions.NotFound):
        client.get(address=name, **place)
    wide, client = gcp.name("gip"), gcp.compute("GlobalAddresses")
    gcp.done(client.insert(project=gcp.project, address_resource=compute_v1.Address(name=wide)))
    assert client.get(project=gcp.project, address=wide).status == "RESERVED"
    assert wide in names(client.list(project=gcp.project))
    gcp.done(client.delete(project=gcp.project, address=wide))


def test_a_global_service_before_a_group(gcp):
    checks, services, rules = gcp.compute("HealthChecks"), gcp.compute("BackendServices"), gcp.compute("GlobalForwardingRules")
    check, service, rule = gcp.name("check"), gcp.name("service"), gcp.name("rule")
    gcp.done(checks.insert(project=gcp.project, health_check_resource=compute_v1.HealthCheck(name=check, type_="TCP", tcp_health_check=compute_v1.TCPHealthCheck(port=80))))
    assert checks.get(project=gcp.project, health_check=check).check_interval_sec == 5
    assert check in names(checks.list(project=gcp.project))
    group = next(g for _, page in gcp.compute("InstanceGroups").aggregated_list(project=gcp.project) for g in page.instance_groups)
    made = compute_v1.BackendService(name=service, health_checks=[f"global/healthChecks/{check}"], backends=[compute_v1.Backend(group=group.self_link)])
    gcp.done(services.insert(project=gcp.project, backend_service_resource=made))
    found = services.get(project=gcp.project, backend_service=service)
    assert found.backends[0].group == group.self_link
    assert service in names(services.list(project=gcp.project))
    assert service in names(dict(services.aggregated_list(project=gcp.project))["global"].backend_services)
    wanted = compute_v1.ResourceGroupReference(group=group.self_link)
    health = lambda: services.get_health(project=gcp.project, backend_service=service, resource_group_reference_resource=wanted)
    assert [one.health_state for one in health().health_status] == ["HEALTHY"] * 3
    gcp.control.fault("unhealthy", face="google")
    assert {one.health_state for one in health().health_status} == {"UNHEALTHY"}
    refused(exceptions.BadRequest, "resourceInUseByAnotherResource", lambda: checks.delete(project=gcp.project, health_check=check))
    made = compute_v1.ForwardingRule(name=rule, backend_service=f"global/backendServices/{service}", port_range="80-80")
    gcp.done(rules.insert(project=gcp.project, forwarding_rule_resource=made))
    assert rules.get(project=gcp.project, forwarding_rule=rule).I_p_address
    assert rule in names(rules.list(project=gcp.project))
    refused(exceptions.BadRequest, "resourceInUseByAnotherResource", lambda: services.delete(project=gcp.project, backend_service=service))
    gcp.done(rules.delete(project=gcp.project, forwarding_rule=rule))
    gcp.done(services.delete(project=gcp.project, backend_service=service))
    gcp.done(checks.delete(project=gcp.project, health_check=check))


def test_a_regional_service_and_a_rule(gcp):
    services, rules = gcp.compute("RegionBackendServices"), gcp.compute("ForwardingRules")
    place = {"project": gcp.project, "region": gcp.region}
    check, service, rule = gcp.name("check"), gcp.name("service"), gcp.name("rule")
    gcp.done(gcp.compute("HealthChecks").insert(project=gcp.project, health_check_resource=compute_v1.HealthCheck(name=check, type_="HTTP")))
    group = next(g for scope, page in gcp.compute("InstanceGroups").aggregated_list(project=gcp.project) if gcp.region in scope for g in page.instance_groups)
    made = compute_v1.BackendService(name=service, protocol="TCP", health_checks=[f"global/healthChecks/{check}"], backends=[compute_v1.Backend(group=group.self_link)])
    gcp.done(services.insert(backend_service_resource=made, **place))
    assert services.get(backend_service=service, **place).protocol == "TCP" and service in names(services.list(**place))
    wanted = compute_v1.ResourceGroupReference(group=group.self_link)
    assert services.get_health(backend_service=service, resource_group_reference_resource=wanted, **place).health_status
    addresses, address = gcp.compute("Addresses"), gcp.name("front")
    gcp.done(addresses.insert(address_resource=compute_v1.Address(name=address), **place))
    wanted = addresses.get(address=address, **place).address
    made = compute_v1.ForwardingRule(name=rule, I_p_address=wanted, backend_service=f"regions/{gcp.region}/backendServices/{service}", ports=["80"])
    gcp.done(rules.insert(forwarding_rule_resource=made, **place))
    found = rules.get(forwarding_rule=rule, **place)
    assert found.I_p_address == wanted and addresses.get(address=address, **place).users == [found.self_link]
    made.name = "second"
    refused(exceptions.BadRequest, "invalid", lambda: rules.insert(forwarding_rule_resource=made, **place))
    labels = compute_v1.RegionSetLabelsRequest(label_fingerprint=found.label_fingerprint, labels={"a": "b"})
    gcp.done(rules.set_labels(resource=rule, region_set_labels_request_resource=labels, **place))
    assert {rule, "front"} <= set(names(rules.list(request={"max_results": 1, **place})))
    assert rule in names(dict(rules.aggregated_list(project=gcp.project))[f"regions/{gcp.region}"].forwarding_rules)
    refused(exceptions.BadRequest, "invalid", lambda: rules.insert(forwarding_rule_resource=compute_v1.ForwardingRule(name="aimless"), **place))
    gcp.done(rules.delete(forwarding_rule=rule, **place))
    assert addresses.get(address=address, **place).status == "RESERVED"
    gcp.done(services.delete(backend_service=service, **place))


def members(gcp, pool, place):
    """Instances come to a pool and go; those that are in it already stay, and those of other regions stay out."""
    client, other = gcp.compute("TargetPools"), gcp.make()
    reference = compute_v1.InstanceReference(instance=f"zones/{gcp.zone}/instances/{other}")
    added = compute_v1.TargetPoolsAddInstanceRequest(instances=[reference])
    for _ in range(2):
        gcp.done(client.add_instance(target_pool=pool, target_pools_add_instance_request_resource=added, **place))
    assert [link.rsplit("/", 1)[1] for link in client.get(target_pool=pool, **place).instances][1:] == [other]
    removed = compute_v1.TargetPoolsRemoveInstanceRequest(instances=[reference])
    gcp.done(client.remove_instance(target_pool=pool, target_pools_remove_instance_request_resource=removed, **place))
    assert len(client.get(target_pool=pool, **place).instances) == 1
    nobody = compute_v1.InstanceReference(instance=f"zones/{gcp.zone}/instances/nobody")
    wanted = compute_v1.TargetPoolsAddInstanceRequest(instances=[nobody])
    refused(exceptions.BadRequest, "invalid", lambda: client.add_instance(target_pool=pool, target_pools_add_instance_request_resource=wanted, **place))
    nothing = compute_v1.TargetPoolsAddInstanceRequest()
    refused(exceptions.BadRequest, "required", lambda: client.add_instance(target_pool=pool, target_pools_add_instance_request_resource=nothing, **place))


def test_target_pools(gcp):
    client, name = gcp.compute("TargetPools"), gcp.name("pool")
    place = {"project": gcp.project, "region": gcp.region}
    member = gcp.make()
    link = f"projects/{gcp.project}/zones/{gcp.zone}/instances/{member}"
    gcp.done(client.insert(target_pool_resource=compute_v1.TargetPool(name=name, instances=[link]), **place))
    assert client.get(target_pool=name, **place).instances[0].endswith(link)
    wanted = compute_v1.InstanceReference(instance=client.get(target_pool=name, **place).instances[0])
    health = client.get_health(target_pool=name, instance_reference_resource=wanted, **place)
    assert health.health_status[0].health_state == "HEALTHY"
    members(gcp, name, place)
    assert {name, "front"} <= set(names(client.list(**place)))
    assert name in names(dict(client.aggregated_list(project=gcp.project))[f"regions/{gcp.region}"].target_pools)
    refused(exceptions.BadRequest, "resourceInUseByAnotherResource", lambda: client.delete(target_pool="front", **place))
    gcp.done(client.delete(target_pool=name, **place))
    operations = gcp.compute("RegionOperations")
    last = list(operations.list(request={"filter": "operationType = delete", **place}))[-1]
    assert operations.get(operation=last.name, **place).name == last.name
    assert operations.wait(operation=last.name, **place).progress == 100
