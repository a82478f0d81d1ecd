"""What goes wrong at Hetzner, in Hetzner's words."""

import urllib.error
import urllib.request

import pytest
from hcloud import APIException
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hetzner_bed import PLACE, Refused, project


def test_a_location_without_machines(project, control):
    control.fault("no_capacity", face="hetzner", zone=PLACE, size="ccx33")
    with Refused("resource_unavailable"):
        project.server(size="ccx33")
    locations = project.client.server_types.get_by_name("ccx33").locations
    assert {one.location.name: one.available for one in locations} == {PLACE: False, "hel1": True}
    control.clear_faults()
    server = project.server(off=True)
    control.fault("no_capacity", face="hetzner")
    with Refused("resource_unavailable"):
        server.power_on()
    with Refused("resource_unavailable"):
        server.change_type(ServerType(name="cx33"), upgrade_disk=False)
    control.clear_faults()
    project.gone(server)


def test_a_limit(project, control):
    control.fault("quota", face="hetzner", limit=3, service="volumes")
    with Refused("resource_limit_exceeded") as refused:
        project.client.volumes.create(size=10, name=project.name("much"), location=Location(name=PLACE))
    assert refused.error.details["limits"] == [{"name": "volume_limit"}]


def test_too_many_calls(project, control):
    control.fault("throttled", face="hetzner", retry_after_seconds=7)
    with Refused("rate_limit_exceeded"):
        project.client.servers.get_all()
    request = urllib.request.Request(
        project.credentials["api_endpoint"] + "/servers",
        headers={"Authorization": "Bearer " + project.credentials["token"]},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert (caught.value.code, caught.value.headers["RateLimit-Remaining"]) == (429, "0")


def test_a_lost_location(project, control):
    control.fault("region_lost", face="hetzner", region="hel1")
    with Refused("unavailable"):
        project.client.volumes.create(size=10, name=project.name("lost"), location=Location(name="hel1"))
    servers = project.client.servers.get_all()
    lost = next(one for one in servers if one.location.name == "hel1")
    with Refused("unavailable"):
        lost.reload()
    next(one for one in servers if one.location.name == PLACE).reload()


def test_pages_that_fail_double_and_miss(project, control):
    ask = project.client.primary_ips.get_all
    everything = [one.id for one in ask()]
    control.fault("failing_page", face="hetzner", service="primary_ips")
    with Refused("server_error"):
        ask()
    control.clear_faults()
    control.fault("doubled_items", face="hetzner")
    doubled = [one.id for one in ask()]
    assert set(doubled) == set(everything) and len(doubled) > len(everything)
    control.clear_faults()
    control.fault("missing_items", face="hetzner")
    assert set(one.id for one in ask()) < set(everything)


def test_tokens_that_do_not_work_any_more(project, control):
    for kind in ["revoked_credentials", "expired_credentials"]:
        control.fault(kind, face="hetzner")
        with Refused("unauthorized"):
            project.client.servers.get_all()
        control.clear_faults()


def test_what_was_made_is_not_seen_at_once(project, control):
    control.fault("unseen", face="hetzner", seconds=30)
    made = project.client.placement_groups.create(name=project.name("hidden"), type="spread").placement_group
    with Refused("not_found"):
        made.reload()
    control.advance(40)
    made.reload()
    control.clear_faults()
    assert made.delete()


def test_errors_of_the_server(project, control):
    control.fault("failing", face="hetzner", status=500, operation="locations.list")
    with Refused("server_error"):
        project.client.locations.get_all()
    project.client.servers.get_all()
    control.clear_faults()
    control.fault("failing", face="hetzner", status=503)
    with pytest.raises(APIException):
        project.client.locations.get_all()


def test_the_ledger_knows_who_made_and_ended_what(project, control):
    before = control.ledger()["next"]
    volume = project.client.volumes.create(size=10, name=project.name("noted"), location=Location(name=PLACE))
    project.done(volume.action)
    assert volume.volume.delete()
    entries = [one for one in control.ledger(before)["entries"] if one["kind"] == "volumes"]
    assert [(one["verb"], one["operation"]) for one in entries] == [("created", "volumes.create"), ("deleted", "volumes.delete")]
