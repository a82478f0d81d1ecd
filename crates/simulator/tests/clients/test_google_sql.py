"""Cloud SQL: instances, replicas, clones, backups; and each refusal."""

import datetime

import pytest
from google_bed import gcp, reason
from googleapiclient.errors import HttpError


@pytest.fixture(scope="module")
def sql(gcp):
    return gcp.api("sqladmin")


def refused(status, why, call):
    with pytest.raises(HttpError) as caught:
        call.execute()
    assert (caught.value.status_code, reason(caught.value)) == (status, why), caught.value


def body(gcp, name, **settings):
    backup = {"enabled": True, "pointInTimeRecoveryEnabled": True}
    settings = {"tier": "db-custom-2-7680", "backupConfiguration": backup, "userLabels": {"app": "a"}, **settings}
    return {"name": name, "region": gcp.region, "databaseVersion": "POSTGRES_16", "settings": settings}


def make(gcp, sql, **settings):
    name = gcp.name("sql")
    gcp.finished(sql, sql.instances().insert(project=gcp.project, body=body(gcp, name, **settings)).execute())
    return name


def get(gcp, sql, name):
    return sql.instances().get(project=gcp.project, instance=name).execute()


def patch(gcp, sql, name, **settings):
    return sql.instances().patch(project=gcp.project, instance=name, body={"settings": settings})


def ago(gcp, **delta):
    now = datetime.datetime.fromisoformat(gcp.control.now().replace("Z", "+00:00"))
    return (now - datetime.timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_life_of_an_instance(gcp, sql):
    name, instances = gcp.name("sql"), sql.instances()
    operation = instances.insert(project=gcp.project, body=body(gcp, name, availabilityType="REGIONAL")).execute()
    assert operation["operationType"] == "CREATE" and get(gcp, sql, name)["state"] == "PENDING_CREATE"
    refused(409, "operationInProgress", instances.restart(project=gcp.project, instance=name))
    gcp.finished(sql, operation)
    found = get(gcp, sql, name)
    assert (found["state"], found["settings"]["activationPolicy"]) == ("RUNNABLE", "ALWAYS")
    assert found["secondaryGceZone"] != found["gceZone"] and found["connectionName"].endswith(f"{gcp.region}:{name}")
    operation = instances.restart(project=gcp.project, instance=name).execute()
    assert get(gcp, sql, name)["state"] == "MAINTENANCE"
    gcp.finished(sql, operation)
    refused(409, "instanceAlreadyExists", instances.insert(project=gcp.project, body=body(gcp, name)))
    operation = instances.delete(project=gcp.project, instance=name).execute()
    assert get(gcp, sql, name)["state"] == "PENDING_DELETE"
    gcp.finished(sql, operation)
    refused(404, "instanceDoesNotExist", instances.get(project=gcp.project, instance=name))
    refused(409, "instanceAlreadyExists", instances.insert(project=gcp.project, body=body(gcp, name)))


def test_listing(gcp, sql):
    instances, seen, token = sql.instances(), [], None
    while True:
        page = instances.list(project=gcp.project, maxResults=2, pageToken=token).execute()
        seen += [one["name"] for one in page["items"]]
        token = page.get("nextPageToken")
        if not token:
            break
    assert len(seen) == len(set(seen)) >= 6
    found = instances.list(project=gcp.project, filter="settings.userLabels.venue:orangery AND state:RUNNABLE").execute()
    assert {one["settings"]["userLabels"]["venue"] for one in found["items"]} == {"orangery"}
    operations = sql.operations().list(project=gcp.project, instance=seen[0]).execute()
    assert operations["kind"] == "sql#operationsList"
    refused(404, "operationDoesNotExist", sql.operations().get(project=gcp.project, operation="none"))
    tiers = sql.tiers().list(project=gcp.project).execute()["items"]
    assert "db-custom-4-15360" in {tier["tier"] for tier in tiers}
    refused(403, "notAuthorized", instances.list(project="somebody-else"))


def test_what_cannot_be_made(gcp, sql):
    def insert(**change):
        wanted = {**body(gcp, gcp.name("bad")), **change}
        return sql.instances().insert(project=gcp.project, body=wanted)
    refused(400, "invalidRequest", insert(name=""))
    refused(400, "invalidRequest", insert(name="Upper"))
    refused(400, "invalidRequest", insert(region="mars-north1"))
    refused(400, "invalidRequest", insert(settings={"tier": "db-huge"}))
    refused(400, "invalidRequest", insert(settings={}))
    refused(400, "invalidRequest", insert(settings={"tier": "db-f1-micro", "dataDiskSizeGb": "5"}))
    for days in (0, 8, 2**31 - 1):
        backup = {"enabled": True, "pointInTimeRecoveryEnabled": True, "transactionLogRetentionDays": days}
        refused(400, "invalidRequest", insert(settings={"tier": "db-custom-2-7680", "backupConfiguration": backup}))
    refused(404, "instanceDoesNotExist", insert(masterInstanceName="none"))
    answer = gcp.raw("POST", f"/v1/projects/{gcp.project}/instances", json={"name": "x", "tier": "y"})
    assert answer.status_code == 400 and 'Unknown name "tier"' in answer.json()["error"]["message"]


def test_settings_change(gcp, sql):
    name = make(gcp, sql)
    version = get(gcp, sql, name)["settings"]["settingsVersion"]
    operation = patch(gcp, sql, name, tier="db-custom-4-15360", dataDiskSizeGb="50", settingsVersion=version).execute()
    assert get(gcp, sql, name)["state"] == "MAINTENANCE"
    gcp.finished(sql, operation)
    found = get(gcp, sql, name)["settings"]
    assert (found["tier"], found["dataDiskSizeGb"], found["userLabels"]) == ("db-custom-4-15360", "50", {"app": "a"})
    refused(412, "conditionNotMet", patch(gcp, sql, name, settingsVersion=version, tier="db-f1-micro"))
    refused(400, "invalidRequest", patch(gcp, sql, name, dataDiskSizeGb="20"))
    refused(400, "invalidRequest", sql.instances().patch(project=gcp.project, instance=name, body={"databaseVersion": "POSTGRES_15"}))
    gcp.finished(sql, patch(gcp, sql, name, deletionProtectionEnabled=True).execute())
    refused(400, "invalidRequest", sql.instances().delete(project=gcp.project, instance=name))


def test_stopped_is_runnable_that_is_never_active(gcp, sql):
    name = make(gcp, sql)
    gcp.finished(sql, patch(gcp, sql, name, activationPolicy="NEVER").execute())
    found = get(gcp, sql, name)
    assert (found["state"], found["settings"]["activationPolicy"]) == ("RUNNABLE", "NEVER")
    refused(409, "invalidState", sql.instances().restart(project=gcp.project, instance=name))
    refused(409, "invalidState", sql.backupRuns().insert(project=gcp.project, instance=name, body={}))
    gcp.finished(sql, patch(gcp, sql, name, activationPolicy="ALWAYS").execute())
    gcp.finished(sql, sql.instances().restart(project=gcp.project, instance=name).execute())


def test_replicas(gcp, sql):
    primary, name = make(gcp, sql), gcp.name("replica")
    instances = sql.instances()
    wanted = {"name": name, "masterInstanceName": primary, "settings": {"tier": "db-custom-2-7680"}}
    operation = instances.insert(project=gcp.project, body=wanted).execute()
    assert operation["operationType"] == "CREATE_REPLICA"
    gcp.finished(sql, operation)
    found = get(gcp, sql, name)
    assert found["instanceType"] == "READ_REPLICA_INSTANCE" and found["masterInstanceName"] == f"{gcp.project}:{primary}"
    assert get(gcp, sql, primary)["replicaNames"] == [name]
    refused(400, "invalidRequest", instances.delete(project=gcp.project, instance=primary))
    refused(400, "invalidRequest", patch(gcp, sql, name, activationPolicy="NEVER"))
    refused(400, "invalidRequest", sql.backupRuns().insert(project=gcp.project, instance=name, body={}))
    refused(400, "invalidOperation", instances.promoteReplica(project=gcp.project, instance=primary))
    gcp.finished(sql, instances.stopReplica(project=gcp.project, instance=name).execute())
    assert get(gcp, sql, name)["settings"]["databaseReplicationEnabled"] is False
    gcp.finished(sql, instances.startReplica(project=gcp.project, instance=name).execute())
    gcp.finished(sql, instances.promoteReplica(project=gcp.project, instance=name).execute())
    found = get(gcp, sql, name)
    assert found["instanceType"] == "CLOUD_SQL_INSTANCE" and "masterInstanceName" not in found
    assert "replicaNames" not in get(gcp, sql, primary)
    refused(400, "invalidOperation", instances.startReplica(project=gcp.project, instance=name))


def test_a_clone_of_now_and_of_then(gcp, sql):
    source = make(gcp, sql)
    gcp.control.advance(7200)
    def clone(name, **context):
        context = {"destinationInstanceName": name, **context}
        return sql.instances().clone(project=gcp.project, instance=source, body={"cloneContext": context})
    now, then = gcp.name("clone"), gcp.name("clone")
    gcp.finished(sql, clone(now).execute())
    gcp.finished(sql, clone(then, pointInTime=ago(gcp, hours=1)).execute())
    assert get(gcp, sql, then)["settings"]["tier"] == "db-custom-2-7680"
    refused(400, "invalidRequest", clone("future", pointInTime=ago(gcp, hours=-1)))
    refused(400, "invalidRequest", clone("before", pointInTime=ago(gcp, days=2)))
    refused(409, "instanceAlreadyExists", clone(now))
    gcp.finished(sql, patch(gcp, sql, source, backupConfiguration={"pointInTimeRecoveryEnabled": False}).execute())
    refused(400, "invalidRequest", clone("without", pointInTime=ago(gcp, minutes=30)))


def test_backups(gcp, sql):
    name, runs = make(gcp, sql), sql.backupRuns()
    place = {"project": gcp.project, "instance": name}
    ids = []
    for text in ("first", "second", "third"):
        operation = runs.insert(**place, body={"description": text}).execute()
        ids.append(operation["backupContext"]["backupId"])
        assert runs.get(**place, id=ids[-1]).execute()["status"] in ("ENQUEUED", "RUNNING")
        gcp.finished(sql, operation)
    assert runs.get(**place, id=ids[0]).execute()["status"] == "SUCCESSFUL"
    page = runs.list(**place, maxResults=2).execute()
    rest = runs.list(**place, maxResults=2, pageToken=page["nextPageToken"]).execute()
    assert [run["description"] for run in page["items"] + rest["items"]] == ["third", "second", "first"]
    assert runs.list(project=gcp.project, instance="-").execute()["items"]
    restore = lambda run: sql.instances().restoreBackup(**place, body={"restoreBackupContext": {"backupRunId": run, "instanceId": name}})
    operation = restore(ids[0]).execute()
    assert operation["operationType"] == "RESTORE_VOLUME" and get(gcp, sql, name)["state"] == "MAINTENANCE"
    gcp.finished(sql, operation)
    refused(404, "backupRunDoesNotExist", restore("1"))
    gcp.finished(sql, runs.delete(**place, id=ids[1]).execute())
    refused(404, "backupRunDoesNotExist", runs.get(**place, id=ids[1]))


def test_enums_by_number(gcp, sql):
    """As Google's client for Rust sends and asks for them."""
    name = gcp.name("sql")
    wanted = body(gcp, name, activationPolicy=1, edition=2)
    answer = gcp.raw("POST", f"/v1/projects/{gcp.project}/instances?$alt=json;enum-encoding=int", json=wanted)
    assert answer.status_code == 200 and answer.json()["operationType"] == 3 and answer.json()["status"] == 1
    gcp.control.advance(600)
    assert get(gcp, sql, name)["settings"]["edition"] == "ENTERPRISE"
    path = f"/v1/projects/{gcp.project}/instances?filter=&maxResults=0&pageToken=&location=&$alt=json;enum-encoding=int"
    found = next(one for one in gcp.raw("GET", path).json()["items"] if one["name"] == name)
    assert found["settings"]["activationPolicy"] == 1 and found["state"] == 1 and isinstance(found["databaseVersion"], int)
    wanted["settings"]["activationPolicy"] = 99
    assert gcp.raw("POST", f"/v1/projects/{gcp.project}/instances", json=wanted).status_code == 400
