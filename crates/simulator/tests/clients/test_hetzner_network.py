"""Networks, firewalls, primary and floating addresses."""

from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.locations import Location
from hcloud.networks import NetworkRoute, NetworkSubnet
from hetzner_bed import PLACE, Refused, project

WEB = FirewallRule(direction="in", protocol="tcp", port="443", source_ips=["0.0.0.0/0", "::/0"], description="https")


def test_a_network_with_subnets_and_routes(project):
    network = project.client.networks.create(name=project.name("net"), ip_range="10.40.0.0/16", labels={"a": "b"})
    assert network.subnets == []
    project.done(network.add_subnet(NetworkSubnet("10.40.1.0/24", type="cloud", network_zone="eu-central")))
    project.done(network.add_subnet(NetworkSubnet(None, type="cloud", network_zone="us-east")))
    network.reload()
    assert [one.ip_range for one in network.subnets] == ["10.40.1.0/24", "10.40.0.0/24"]
    assert network.subnets[0].gateway == "10.40.1.1"
    for wrong in ["10.40.1.128/25", "10.41.0.0/24", "8.8.8.0/24"]:
        with Refused("invalid_input"):
            network.add_subnet(NetworkSubnet(wrong, type="cloud", network_zone="eu-central"))
    project.done(network.delete_subnet(network.subnets[1]))
    route = NetworkRoute(destination="10.100.0.0/24", gateway="10.40.1.9")
    project.done(network.add_route(route))
    with Refused("uniqueness_error"):
        network.add_route(route)
    project.done(network.delete_route(route))
    with Refused("not_found"):
        network.delete_route(route)
    with Refused("invalid_input"):
        network.change_ip_range("10.40.0.0/20")
    project.done(network.change_ip_range("10.40.0.0/15"))
    network = network.update(name=project.name("renamed"), labels={})
    assert (network.ip_range, network.labels) == ("10.40.0.0/15", {})
    assert project.client.networks.get_by_name(network.name).id == network.id
    project.done(network.change_protection(delete=True))
    with Refused("protected"):
        network.delete()
    project.done(network.change_protection(delete=False))
    assert network.delete()
    with Refused("not_found"):
        project.client.networks.get_by_id(network.id)


def test_a_firewall_protects_servers_and_what_labels_select(project):
    server = project.server(labels={"zone": project.name("z")})
    selector = FirewallResource(
        type="label_selector", label_selector=FirewallResourceLabelSelector(selector=f"zone={server.labels['zone']}")
    )
    made = project.client.firewalls.create(name=project.name("fw"), rules=[WEB], resources=[selector])
    project.control.advance(10)
    firewall = made.firewall
    assert {action.command for action in made.actions} == {"set_firewall_rules", "apply_firewall"}
    server.reload()
    assert [one.firewall.id for one in server.public_net.firewalls] == [firewall.id]
    with Refused("resource_in_use"):
        firewall.delete()
    with Refused("firewall_already_applied"):
        firewall.apply_to_resources([selector])
    project.done(firewall.remove_from_resources([selector])[0])
    with Refused("firewall_already_removed"):
        firewall.remove_from_resources([selector])
    direct = FirewallResource(type="server", server=server)
    project.done(firewall.apply_to_resources([direct])[0])
    project.done(firewall.set_rules([WEB, FirewallRule(direction="out", protocol="icmp", destination_ips=["10.0.0.0/8"], source_ips=[])])[0])
    firewall.reload()
    assert [rule.direction for rule in firewall.rules] == ["in", "out"]
    for rule in [
        FirewallRule(direction="in", protocol="tcp", source_ips=["0.0.0.0/0"]),
        FirewallRule(direction="in", protocol="icmp", source_ips=["1.2.3.4"]),
    ]:
        with Refused("invalid_input"):
            firewall.set_rules([rule])
    project.gone(server)
    firewall = firewall.update(name=project.name("renamed"), labels={"a": "b"})
    assert firewall.applied_to == [] and firewall.labels == {"a": "b"}
    assert project.client.firewalls.get_by_id(firewall.id).name == firewall.name
    assert firewall.delete()
    assert len(project.client.firewalls.get_all()) == 2


def test_a_primary_address_changes_hands_while_servers_are_off(project):
    client, server = project.client, project.server(off=True)
    own = server.public_net.primary_ipv4
    made = client.primary_ips.create(name=project.name("ip"), type="ipv4", location=Location(name=PLACE), auto_delete=False)
    address = made.primary_ip
    with Refused("server_has_ipv4"):
        address.assign(server.id, "server")
    project.done(own.unassign())
    with Refused("service_error"):
        own.unassign()
    project.done(address.assign(server.id, "server"))
    with Refused("primary_ip_assigned"):
        address.assign(server.id, "server")
    with Refused("primary_ip_assigned"):
        address.delete()
    project.done(server.power_on())
    with Refused("server_not_stopped"):
        address.unassign()
    project.done(address.change_dns_ptr(address.ip, "web.example.com"))
    address = address.update(name=project.name("renamed"), labels={"a": "b"}, auto_delete=False)
    assert address.dns_ptr == [{"ip": address.ip, "dns_ptr": "web.example.com"}]
    with Refused("invalid_input"):
        address.change_dns_ptr("192.0.2.1", "x.example.com")
    assert [one.id for one in client.primary_ips.get_list(ip=address.ip).primary_ips] == [address.id]
    project.gone(server)
    assert client.primary_ips.get_by_id(address.id).assignee_id is None
    project.done(address.change_protection(delete=True))
    with Refused("protected"):
        address.delete()
    project.done(address.change_protection(delete=False))
    assert address.delete() and own.delete()


def test_a_floating_address_moves_at_any_time(project):
    client, server = project.client, project.server()
    made = client.floating_ips.create(type="ipv4", home_location=Location(name=PLACE), description="entry", name=project.name("float"))
    address = made.floating_ip
    assert (address.server, address.description) == (None, "entry")
    project.done(address.assign(server))
    server.reload()
    assert [one.id for one in server.public_net.floating_ips] == [address.id]
    project.done(address.unassign())
    with Refused("service_error"):
        address.unassign()
    project.done(address.change_dns_ptr(address.ip, "entry.example.com"))
    project.done(address.change_protection(delete=True))
    with Refused("protected"):
        address.delete()
    project.done(address.change_protection(delete=False))
    address = address.update(description="spare", labels={"a": "b"})
    assert client.floating_ips.get_by_id(address.id).description == "spare"
    assert client.floating_ips.get_all(label_selector="a=b")
    assert address.delete()
    unnamed = client.floating_ips.create(type="ipv6", server=server)
    assert unnamed.floating_ip.name and unnamed.action.command == "assign_floating_ip"
    project.done(unnamed.action)
    project.gone(server)
    assert unnamed.floating_ip.delete()
