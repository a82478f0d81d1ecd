"""Servers: made, switched, measured, changed and ended, with what may not be done when."""

import datetime

from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet
from hcloud.server_types import ServerType
from hetzner_bed import PLACE, Refused, project


def test_a_server_becomes_what_was_asked_for(project):
    client = project.client
    made = client.servers.create(
        name=project.name("web"),
        server_type=ServerType(name="cax11"),
        image=Image(name="ubuntu-24.04"),
        location=Location(name="hel1"),
        labels={"tier": "web", "just-a-key": ""},
    )
    server = made.server
    assert (server.status, server.locked, made.action.command) == ("initializing", True, "create_server")
    assert made.root_password
    with Refused("locked"):
        server.power_off()
    project.control.advance(10)
    server.reload()
    assert server.status == "starting"
    project.done(made.next_actions[0])
    server.reload()
    assert (server.status, server.locked) == ("running", False)
    assert server.location.name == "hel1" and server.server_type.architecture == "arm"
    assert server.image.os_flavor == "ubuntu" and server.image.architecture == "arm"
    assert server.public_net.ipv4.ip and server.public_net.ipv6.network
    assert server.public_net.primary_ipv4.auto_delete
    server = server.update(name=project.name("renamed"), labels={"tier": "api"})
    assert server.labels == {"tier": "api"}
    address = server.public_net.primary_ipv4.id
    project.gone(server)
    with Refused("not_found"):
        client.servers.get_by_id(server.id)
    with Refused("not_found"):
        client.primary_ips.get_by_id(address)


def test_power(project):
    server = project.server()
    for switch, states in [
        (server.reboot, ("running", "running")),
        (server.reset, ("running", "running")),
        (server.power_off, ("stopping", "off")),
        (server.power_on, ("starting", "running")),
        (server.shutdown, ("running", "off")),
    ]:
        action = switch()
        server.reload()
        assert server.status == states[0]
        project.done(action)
        server.reload()
        assert server.status == states[1], action.command
    with Refused("server_error"):
        server.reboot()
    project.done(server.power_off())
    commands = [action.command for action in server.get_actions(sort=["id"])]
    assert commands[:2] == ["create_server", "start_server"]
    assert commands[2:4] == ["reboot_server", "reset_server"]
    project.gone(server)


def test_a_type_is_changed_while_a_server_is_off(project):
    server = project.server()
    with Refused("server_not_stopped"):
        server.change_type(ServerType(name="cx33"), upgrade_disk=False)
    project.done(server.power_off())
    with Refused("invalid_server_type"):
        server.change_type(ServerType(name="cax21"), upgrade_disk=False)
    with Refused("invalid_input"):
        server.change_type(ServerType(name="cx99"), upgrade_disk=False)
    project.done(server.change_type(ServerType(name="cx33"), upgrade_disk=True))
    server.reload()
    assert (server.server_type.name, server.primary_disk_size) == ("cx33", 80)
    with Refused("invalid_server_type"):
        server.change_type(ServerType(name="cx23"), upgrade_disk=False)
    project.gone(server)


def test_a_protected_server_stays(project):
    server = project.server()
    with Refused("invalid_input"):
        server.change_protection(delete=True, rebuild=False)
    project.done(server.change_protection(delete=True, rebuild=True))
    with Refused("protected"):
        server.delete()
    project.done(server.change_protection(delete=False, rebuild=False))
    project.gone(server)


def test_backups_and_snapshots(project):
    server = project.server()
    with Refused("unsupported_error"):
        server.create_image(type="backup")
    project.done(server.enable_backup())
    backup = server.create_image(type="backup", description="nightly")
    assert backup.image.status == "creating" and backup.image.image_size is None
    project.done(backup.action)
    image = project.client.images.get_by_id(backup.image.id)
    assert (image.status, image.bound_to.id, image.created_from.id) == ("available", server.id, server.id)
    snapshot = server.create_image(description="before", labels={"keep": "yes"})
    with Refused("locked"):
        server.power_off()
    project.done(snapshot.action)
    again = project.client.servers.create(
        name=project.name("copy"), server_type=ServerType(name="cx23"), image=Image(id=snapshot.image.id), location=Location(name=PLACE)
    )
    project.done(again.next_actions[0])
    assert again.server.image.id == snapshot.image.id
    project.gone(again.server)
    project.done(server.disable_backup())
    with Refused("not_found"):
        project.client.images.get_by_id(backup.image.id)
    assert project.client.images.get_by_id(snapshot.image.id).delete()
    project.gone(server)


def test_networks_of_a_server(project):
    network = project.client.networks.create(
        name=project.name("net"), ip_range="10.20.0.0/16", subnets=[NetworkSubnet("10.20.1.0/24", type="cloud", network_zone="eu-central")]
    )
    server = project.server(networks=[network])
    assert server.private_net[0].ip == "10.20.1.2"
    with Refused("server_already_attached"):
        server.attach_to_network(network)
    project.done(server.detach_from_network(network))
    with Refused("server_not_attached_to_network"):
        server.detach_from_network(network)
    with Refused("ip_not_available"):
        server.attach_to_network(network, ip="10.30.0.1")
    project.done(server.attach_to_network(network, ip="10.20.1.77"))
    server.reload()
    assert server.private_net[0].ip == "10.20.1.77"
    network.reload()
    assert [one.id for one in network.servers] == [server.id]
    with Refused("resource_in_use"):
        network.delete_subnet(network.subnets[0])
    project.gone(server)
    assert network.delete()


def test_placement(project):
    group = project.client.placement_groups.create(name=project.name("spread"), type="spread").placement_group
    server = project.server()
    with Refused("server_not_stopped"):
        server.add_to_placement_group(group)
    project.done(server.power_off())
    project.done(server.add_to_placement_group(group))
    with Refused("server_already_added"):
        server.add_to_placement_group(group)
    group.reload()
    assert group.servers == [server.id]
    project.done(server.remove_from_placement_group())
    with Refused("service_error"):
        server.remove_from_placement_group()
    project.gone(server)
    assert group.delete()


def test_measurements(project):
    server = project.client.servers.get_all(label_selector="tier=api", status=["running"])[0]
    end = datetime.datetime.fromisoformat(project.control.now().replace("Z", "+00:00")).replace(microsecond=0)
    start = end - datetime.timedelta(hours=2)
    metrics = server.get_metrics(type=["cpu", "network"], start=start, end=end, step=300).metrics
    assert set(metrics.time_series) == {
        "cpu",
        "network.0.pps.in",
        "network.0.pps.out",
        "network.0.bandwidth.in",
        "network.0.bandwidth.out",
    }
    values = metrics.time_series["cpu"]["values"]
    assert 23 <= len(values) <= 25 and all(0 <= float(value) <= 100 for _, value in values)
    assert server.get_metrics(type="disk", start=start, end=end).metrics.step >= 60
    with Refused("invalid_input"):
        server.get_metrics(type="cpu", start=end, end=start)
    with Refused("invalid_input"):
        server.get_metrics(type="cpu", start=start, end=end, step=1)
    for step in (2**31, 2**63 - 1):
        with Refused("invalid_input"):
            server.get_metrics(type="cpu", start=start, end=end, step=step)


def test_what_no_server_can_be_made_of(project):
    def make(**change):
        wanted = {
            "name": project.name("never"),
            "server_type": ServerType(name="cx23"),
            "image": Image(name="debian-12"),
            "location": Location(name=PLACE),
        }
        return project.client.servers.create(**(wanted | change))

    for change in [
        {"name": "no host"},
        {"server_type": ServerType(name="cx99")},
        {"image": Image(name="plan9")},
        {"location": Location(name="moon1")},
        {"labels": {"-x": "y"}},
        {"ssh_keys": []} | {"image": Image(id=45557056)},
    ]:
        with Refused("invalid_input"):
            make(**change)
    known = project.client.servers.get_all()[0].name
    with Refused("uniqueness_error") as refused:
        make(name=known)
    assert refused.error.details["fields"] == [{"name": "name"}]


def test_actions_by_every_way(project):
    client, server = project.client, project.server()
    action = server.reboot()
    assert client.actions.get_by_id(action.id).status == "running"
    assert client.servers.actions.get_by_id(action.id).command == "reboot_server"
    project.done(action)
    listed = client.servers.actions.get_list(status=["success"], sort=["id:desc"], per_page=5).actions
    assert listed[0].id == action.id
    assert [one["id"] for one in client.request("GET", "/actions", params={"id": [action.id]})["actions"]] == [action.id]
    with Refused("invalid_input"):
        client.request("GET", "/actions")
    with Refused("not_found"):
        client.actions.get_by_id(1)
    with Refused("not_found"):
        client.volumes.actions.get_by_id(action.id)
    project.gone(server)


def test_the_same_actions_of_every_kind(project):
    client = project.client
    for kind in ["certificates", "firewalls", "floating_ips", "images", "load_balancers", "networks", "primary_ips", "volumes"]:
        things = getattr(client, kind).get_all()
        if kind == "images":
            things = client.images.get_all(type=["snapshot"])
        found = getattr(client, kind).actions.get_list(per_page=50).actions
        for action in found[:1]:
            assert getattr(client, kind).actions.get_by_id(action.id).id == action.id
        if things:
            assert isinstance(client.request("GET", f"/{kind}/{things[0].id}/actions")["actions"], list)
