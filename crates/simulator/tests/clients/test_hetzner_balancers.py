"""Load balancers: services, targets and their health, networks, measurements."""

import datetime

from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerService,
    LoadBalancerServiceHttp,
    LoadBalancerTarget,
    LoadBalancerTargetIP,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hetzner_bed import PLACE, Refused, project

CHECK = LoadBalancerHealthCheck(protocol="tcp", port=80, interval=15, timeout=10, retries=3)


def service(port=80, **more):
    return LoadBalancerService(
        **({"protocol": "tcp", "listen_port": port, "destination_port": 80, "proxyprotocol": False, "health_check": CHECK} | more)
    )


def make(project, **more):
    made = project.client.load_balancers.create(
        name=project.name("front"), load_balancer_type=LoadBalancerType(name="lb11"), location=Location(name=PLACE), **more
    )
    project.done(made.action)
    return made.load_balancer


def test_services_and_targets(project):
    balancer, server = make(project, services=[service()]), project.server()
    with Refused("source_port_already_used"):
        balancer.add_service(service())
    with Refused("invalid_input"):
        balancer.add_service(service(443, protocol="https"))
    project.done(balancer.add_service(service(8080)))
    project.done(balancer.update_service(LoadBalancerService(listen_port=8080, destination_port=8081)))
    target = LoadBalancerTarget(type="server", server=server, use_private_ip=False)
    project.done(balancer.add_target(target))
    with Refused("target_already_defined"):
        balancer.add_target(target)
    balancer.reload()
    assert [one.destination_port for one in balancer.services] == [80, 8081]
    health = {one.listen_port: one.status for one in balancer.targets[0].health_status}
    assert health == {80: "healthy", 8080: "healthy"}
    shown = project.client.request("GET", f"/servers/{server.id}")["server"]
    assert shown["load_balancers"] == [balancer.id]
    project.done(server.power_off())
    balancer.reload()
    assert {one.status for one in balancer.targets[0].health_status} == {"unhealthy"}
    project.done(balancer.remove_target(target))
    with Refused("not_found"):
        balancer.remove_target(target)
    project.done(balancer.delete_service(service(8080)))
    with Refused("not_found"):
        balancer.delete_service(service(8080))
    project.done(balancer.add_target(LoadBalancerTarget(type="ip", ip=LoadBalancerTargetIP(ip="203.0.113.9"))))
    selected = LoadBalancerTargetLabelSelector(selector="tier=api")
    project.done(balancer.add_target(LoadBalancerTarget(type="label_selector", label_selector=selected, use_private_ip=False)))
    balancer.reload()
    assert len(balancer.targets[1].targets) == len(project.client.servers.get_all(label_selector="tier=api"))
    project.gone(server)
    project.done(balancer.delete().action)


def test_a_load_balancer_in_a_network(project):
    client = project.client
    network = client.networks.create(
        name=project.name("net"), ip_range="10.50.0.0/16", subnets=[NetworkSubnet("10.50.1.0/24", type="cloud", network_zone="eu-central")]
    )
    inside, outside = project.server(networks=[network]), project.server()
    balancer = make(project, services=[service()])
    private = lambda server: LoadBalancerTarget(type="server", server=server, use_private_ip=True)
    with Refused("load_balancer_not_attached_to_network"):
        balancer.add_target(private(inside))
    project.done(balancer.attach_to_network(network))
    with Refused("load_balancer_already_attached"):
        balancer.attach_to_network(network)
    with Refused("server_not_attached_to_network"):
        balancer.add_target(private(outside))
    project.done(balancer.add_target(private(inside)))
    with Refused("targets_without_use_private_ip"):
        balancer.detach_from_network(network)
    project.done(balancer.remove_target(private(inside)))
    project.done(balancer.detach_from_network(network))
    with Refused("not_found"):
        balancer.detach_from_network(network)
    project.done(balancer.disable_public_interface())
    balancer.reload()
    assert balancer.public_net.enabled is False
    project.done(balancer.enable_public_interface())
    for server in [inside, outside]:
        project.gone(server)
    project.done(balancer.delete().action)
    assert network.delete()


def test_what_can_be_changed(project):
    balancer = make(project)
    project.done(balancer.change_algorithm(LoadBalancerAlgorithm(type="least_connections")))
    project.done(balancer.change_type(LoadBalancerType(name="lb21")))
    with Refused("invalid_input"):
        balancer.change_type(LoadBalancerType(name="lb99"))
    balancer = balancer.update(name=project.name("renamed"), labels={"a": "b"})
    assert (balancer.algorithm.type, balancer.load_balancer_type.name) == ("least_connections", "lb21")
    assert project.client.load_balancers.get_by_id(balancer.id).labels == {"a": "b"}
    project.done(balancer.change_protection(delete=True))
    with Refused("protected"):
        balancer.delete()
    project.done(balancer.change_protection(delete=False))
    project.done(balancer.delete().action)
    assert len(project.client.load_balancers.get_all()) == 2


def test_https_with_a_certificate(project):
    client = project.client
    certificate = client.certificates.create(
        name=project.name("cert"), certificate="-----BEGIN CERTIFICATE-----\nx", private_key="-----BEGIN PRIVATE KEY-----\nx"
    )
    balancer = make(project, services=[service(443, protocol="https", http=LoadBalancerServiceHttp(certificates=[certificate]))])
    shown = client.request("GET", f"/certificates/{certificate.id}")["certificate"]
    assert shown["used_by"] == [{"id": balancer.id, "type": "load_balancer"}]
    with Refused("resource_in_use"):
        certificate.delete()
    project.done(balancer.delete().action)
    assert certificate.delete()


def test_measurements_and_health(project, control):
    balancer = project.client.load_balancers.get_all()[0]
    end = datetime.datetime.fromisoformat(control.now().replace("Z", "+00:00")).replace(microsecond=0)
    kinds = ["open_connections", "requests_per_second", "connections_per_second", "bandwidth"]
    metrics = balancer.get_metrics(type=kinds, start=end - datetime.timedelta(hours=1), end=end, step=60).metrics
    assert set(metrics.time_series) == {*kinds[:3], "bandwidth.in", "bandwidth.out"}
    assert metrics.time_series["requests_per_second"]["values"]
    control.fault("unhealthy", face="hetzner")
    balancer.reload()
    assert {status.status for target in balancer.targets for status in target.health_status} == {"unhealthy"}
