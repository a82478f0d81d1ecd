"""Zones, regions, types and the project, and what is said to those who may not see them."""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_bed import gcp, reason


def test_zones_and_regions(gcp):
    zones = list(gcp.compute("Zones").list(request={"project": gcp.project, "max_results": 2}))
    assert len(zones) == 6 and {zone.status for zone in zones} == {"UP"}
    zone = gcp.compute("Zones").get(project=gcp.project, zone=gcp.zone)
    assert zone.region.endswith(gcp.region) and zone.id
    regions = list(gcp.compute("Regions").list(project=gcp.project))
    assert [region.name for region in regions] == gcp.regions
    region = gcp.compute("Regions").get(project=gcp.project, region=gcp.region)
    quotas = {quota.metric: quota for quota in region.quotas}
    assert 0 < quotas["CPUS"].usage < quotas["CPUS"].limit
    assert gcp.zone in " ".join(region.zones)


def test_machine_types(gcp):
    client = gcp.compute("MachineTypes")
    types = list(client.list(request={"project": gcp.project, "zone": gcp.zone, "max_results": 3}))
    names = [kind.name for kind in types]
    assert names == sorted(set(names)) and "n2-standard-4" in names and not any(name.startswith("db-") for name in names)
    one = client.get(project=gcp.project, zone=gcp.zone, machine_type="n2-standard-4")
    assert (one.guest_cpus, one.memory_mb) == (4, 16384)
    scopes = dict(client.aggregated_list(project=gcp.project))
    assert all(len(scope.machine_types) == len(names) for scope in scopes.values()) and len(scopes) == 6
    few = list(client.aggregated_list(request={"project": gcp.project, "filter": "name = n2-standard-4", "max_results": 4}))
    found = [kind.name for _, scope in few for kind in scope.machine_types]
    assert found == ["n2-standard-4"] * 6
    with pytest.raises(exceptions.NotFound):
        client.get(project=gcp.project, zone=gcp.zone, machine_type="n2-standard-5")


def test_disk_types(gcp):
    client = gcp.compute("DiskTypes")
    names = {kind.name for kind in client.list(project=gcp.project, zone=gcp.zone)}
    assert {"pd-standard", "pd-balanced", "pd-ssd"} <= names
    assert client.get(project=gcp.project, zone=gcp.zone, disk_type="pd-ssd").valid_disk_size == "10GB-65536GB"
    assert dict(client.aggregated_list(project=gcp.project))[f"zones/{gcp.zone}"].disk_types


def test_the_project(gcp):
    project = gcp.compute("Projects").get(project=gcp.project)
    assert project.name == gcp.project and project.default_service_account


def test_places_that_are_not_there(gcp):
    with pytest.raises(exceptions.BadRequest) as caught:
        list(gcp.compute("Instances").list(project=gcp.project, zone="mars-north1-a"))
    assert "Unknown zone" in str(caught.value)
    with pytest.raises(exceptions.NotFound):
        gcp.compute("Regions").get(project=gcp.project, region="mars-north1")
    with pytest.raises(exceptions.NotFound):
        list(gcp.compute("Zones").list(project="no-such-project"))


def test_every_form_of_a_filter_and_partial_answers(gcp):
    client = gcp.compute("Zones")
    texts = [f"name = {gcp.zone}", f"(name eq {gcp.zone[:-1]}.*)(name eq .*b)", f'name = "{gcp.zone}" AND status != DOWN']
    for text in texts:
        assert [zone.name for zone in client.list(request={"project": gcp.project, "filter": text})] == [gcp.zone]
    with pytest.raises(exceptions.BadRequest):
        list(client.list(request={"project": gcp.project, "filter": "name ="}))
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?fields=items(name),nextPageToken&maxResults=1")
    assert set(answer.json()) == {"items", "nextPageToken"} and set(answer.json()["items"][0]) == {"name"}
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?pageToken=&filter=&maxResults=0&$alt=json;enum-encoding=int&$apiVersion=2026-09-01")
    assert len(answer.json()["items"]) == 6


def test_what_google_does_not_know_is_refused(gcp):
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?maxresults=1")
    assert answer.status_code == 400 and "Cannot bind query parameter" in answer.json()["error"]["message"]
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?maxResults=501")
    assert answer.status_code == 400 and answer.json()["error"]["errors"][0]["reason"] == "invalid"
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?maxResults=many")
    assert answer.status_code == 400
    first = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?maxResults=1").json()["nextPageToken"]
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones?maxResults=1&filter=status=UP&pageToken={first}")
    assert answer.status_code == 400 and "page token" in answer.json()["error"]["message"]
    assert gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/global/urlMaps").status_code == 501
    assert gcp.raw("GET", "/nothing/here").status_code == 404


def test_scopes_decide(gcp):
    client = gcp.compute("Zones", gcp.scoped(["https://www.googleapis.com/auth/devstorage.read_only"]))
    with pytest.raises(exceptions.Forbidden) as caught:
        list(client.list(project=gcp.project))
    assert reason(caught.value) == "insufficientPermissions"
    looking = gcp.compute("Networks", gcp.scoped(["https://www.googleapis.com/auth/compute.readonly"]))
    list(looking.list(project=gcp.project))
    with pytest.raises(exceptions.Forbidden):
        looking.insert(project=gcp.project, network_resource=compute_v1.Network(name="forbidden"))
