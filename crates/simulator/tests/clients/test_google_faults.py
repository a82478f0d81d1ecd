"""What goes wrong at Google, in Google's words.

The clients would try again what may pass, for minutes: here they are told not to.
"""

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google_bed import gcp, reason
from googleapiclient.errors import HttpError


def insert(gcp, name, size="n2-standard-2"):
    return gcp.compute("Instances").insert(project=gcp.project, zone=gcp.zone, instance_resource=gcp.machine(name, size))


def ended(gcp, operation):
    gcp.control.advance(60)
    return gcp.compute("ZoneOperations").get(project=gcp.project, zone=gcp.zone, operation=operation.name)


def test_a_zone_without_machines(gcp, control):
    name = gcp.name("short")
    control.fault("no_capacity", face="google", zone=gcp.zone, size="n2-standard-8")
    done = ended(gcp, insert(gcp, name, "n2-standard-8"))
    assert (done.error.errors[0].code, done.http_error_status_code) == ("ZONE_RESOURCE_POOL_EXHAUSTED", 503)
    with pytest.raises(exceptions.NotFound):
        gcp.compute("Instances").get(project=gcp.project, zone=gcp.zone, instance=name)
    with pytest.raises(exceptions.ServiceUnavailable):
        gcp.done(insert(gcp, name, "n2-standard-8"))
    gcp.done(insert(gcp, name))


def test_a_stopped_instance_may_not_start_again(gcp, control):
    name = gcp.make()
    gcp.done(gcp.compute("Instances").stop(project=gcp.project, zone=gcp.zone, instance=name))
    control.fault("no_capacity", face="google", zone=gcp.zone)
    done = ended(gcp, gcp.compute("Instances").start(project=gcp.project, zone=gcp.zone, instance=name))
    assert done.error.errors[0].code == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert gcp.compute("Instances").get(project=gcp.project, zone=gcp.zone, instance=name).status == "TERMINATED"


def test_a_quota(gcp, control):
    control.fault("quota", face="google", limit=4)
    done = ended(gcp, insert(gcp, gcp.name("much")))
    assert (done.error.errors[0].code, done.http_error_status_code) == ("QUOTA_EXCEEDED", 403)
    assert "Limit: 4.0 in region" in done.error.errors[0].message


def test_a_quota_of_databases(gcp, control):
    control.fault("quota", face="google", service="sqladmin", limit=2)
    body = {"name": gcp.name("much"), "region": gcp.region, "settings": {"tier": "db-f1-micro"}}
    with pytest.raises(HttpError) as caught:
        gcp.api("sqladmin").instances().insert(project=gcp.project, body=body).execute()
    assert (caught.value.status_code, reason(caught.value)) == (403, "quotaExceeded")


def test_too_many_calls(gcp, control):
    control.fault("throttled", face="google", service="compute", retry_after_seconds=7)
    answer = gcp.raw("GET", f"/compute/v1/projects/{gcp.project}/zones")
    assert (answer.status_code, answer.headers["retry-after"]) == (403, "7")
    assert answer.json()["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    control.clear_faults()
    control.fault("throttled", face="google", service="sqladmin")
    with pytest.raises(HttpError) as caught:
        gcp.api("sqladmin").instances().list(project=gcp.project).execute()
    assert caught.value.status_code == 429 and reason(caught.value) == "rateLimitExceeded"


def test_a_lost_region(gcp, control):
    lost = gcp.regions[1]
    control.fault("region_lost", face="google", region=lost)
    client = gcp.compute("Instances")
    with pytest.raises(exceptions.ServiceUnavailable):
        list(client.list(project=gcp.project, zone=f"{lost}-a", retry=None))
    assert list(client.list(project=gcp.project, zone=gcp.zone))
    pager = client.aggregated_list(project=gcp.project)
    assert set(pager.unreachables) == {f"zones/{lost}-{letter}" for letter in "abc"}
    scopes = dict(pager)
    assert scopes[f"zones/{lost}-a"].warning.code == "UNREACHABLE" and not scopes[f"zones/{lost}-a"].instances
    assert scopes[f"zones/{gcp.zone}"].instances
    answer = gcp.api("sqladmin").instances().list(project=gcp.project).execute()
    assert [warning["region"] for warning in answer["warnings"]] == [lost]
    assert {one["region"] for one in answer["items"]} == {gcp.region}
    with pytest.raises(HttpError):
        gcp.api("sqladmin").instances().get(project=gcp.project, instance=f"bookings-{lost}").execute()
    with pytest.raises(HttpError):
        gcp.api("storage").buckets().list(project=gcp.project).execute()
    answer = gcp.api("storage").buckets().list(project=gcp.project, returnPartialSuccess=True).execute()
    assert len(answer["unreachable"]) == 2


def test_pages_that_fail_double_and_miss(gcp, control):
    client = gcp.compute("Instances")
    ask = {"project": gcp.project, "zone": gcp.zone, "max_results": 2}
    everything = [one.name for one in client.list(request=ask)]
    control.fault("failing_page", face="google", operation="compute.instances.list")
    pages = client.list(request=ask, retry=None).pages
    assert len(next(pages).items) == 2
    with pytest.raises(exceptions.InternalServerError):
        next(pages)
    control.clear_faults()
    control.fault("doubled_items", face="google")
    doubled = [one.name for one in client.list(request=ask)]
    assert set(doubled) == set(everything) and len(doubled) > len(everything)
    control.clear_faults()
    control.fault("missing_items", face="google")
    missing = [one.name for one in client.list(request=ask)]
    assert set(missing) < set(everything)


def test_credentials_that_do_not_work_any_more(gcp, control):
    control.fault("revoked_credentials", face="google")
    with pytest.raises(exceptions.Unauthorized):
        list(gcp.compute("Zones").list(project=gcp.project, retry=None))


def test_what_was_made_is_not_seen_at_once(gcp, control):
    control.fault("unseen", face="google", seconds=30)
    name = gcp.name("hidden")
    disks = gcp.compute("Disks")
    disks.insert(project=gcp.project, zone=gcp.zone, disk_resource=compute_v1.Disk(name=name, size_gb=10))
    with pytest.raises(exceptions.NotFound):
        disks.get(project=gcp.project, zone=gcp.zone, disk=name)
    control.advance(40)
    assert disks.get(project=gcp.project, zone=gcp.zone, disk=name).status == "READY"


def test_errors_of_the_server(gcp, control):
    control.fault("failing", face="google", status=500, operation="compute.zones.list")
    with pytest.raises(exceptions.InternalServerError):
        list(gcp.compute("Zones").list(project=gcp.project, retry=None))


def test_a_missing_permission(gcp, control):
    """Compute and Resource Manager name it, the older services do not; testIamPermissions knows."""
    api, ask = gcp.api("cloudresourcemanager").projects(), {"permissions": ["compute.instances.list", "compute.disks.list"]}
    granted = lambda: api.testIamPermissions(resource=f"projects/{gcp.project}", body=ask).execute().get("permissions")
    control.fault("denied", face="google", permissions=["compute.instances.list", "cloudsql.instances.list", "storage.buckets.list",
                                                        "dns.managedZones.list", "resourcemanager.projects.get"])
    for refused in (lambda: list(gcp.compute("Instances").aggregated_list(project=gcp.project)),
                    lambda: list(gcp.compute("Instances").list(project=gcp.project, zone=gcp.zone))):
        with pytest.raises(exceptions.Forbidden, match="Required 'compute.instances.list' permission for 'projects/"):
            refused()
    assert list(gcp.compute("Disks").list(project=gcp.project, zone=gcp.zone)) is not None
    for service, refused, why in (
            ("sqladmin", lambda api: api.instances().list(project=gcp.project), "notAuthorized"),
            ("storage", lambda api: api.buckets().list(project=gcp.project), "forbidden"),
            ("dns", lambda api: api.managedZones().list(project=gcp.project), "forbidden")):
        with pytest.raises(HttpError) as caught:
            refused(gcp.api(service)).execute()
        assert (caught.value.status_code, reason(caught.value)) == (403, why)
    with pytest.raises(HttpError) as caught:
        api.get(name=f"projects/{gcp.project}").execute()
    assert [one["reason"] for one in caught.value.error_details] == ["IAM_PERMISSION_DENIED"]
    assert caught.value.error_details[0]["metadata"]["permission"] == "resourcemanager.projects.get"
    assert granted() == ["compute.disks.list"]
    control.clear_faults()
    control.fault("denied", face="google", **{"except": ["compute.instances.list"]})
    assert list(gcp.compute("Instances").list(project=gcp.project, zone=gcp.zone)) is not None
    assert granted() == ["compute.instances.list"]
    with pytest.raises(exceptions.Forbidden, match="Required 'compute.disks.list' permission"):
        list(gcp.compute("Disks").list(project=gcp.project, zone=gcp.zone))
