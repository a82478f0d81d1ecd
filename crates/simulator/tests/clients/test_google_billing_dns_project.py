"""Billing, DNS and Resource Manager."""

import pytest
from google_bed import gcp, reason
from googleapiclient.errors import HttpError


def refused(status, why, call):
    with pytest.raises(HttpError) as caught:
        call.execute()
    assert (caught.value.status_code, reason(caught.value)) == (status, why), caught.value


def test_prices(gcp):
    api = gcp.api("cloudbilling")
    services = {one["displayName"]: one["name"] for one in api.services().list().execute()["services"]}
    assert {"Compute Engine", "Cloud SQL", "Cloud Storage"} <= set(services)
    few = api.services().list(pageSize=1).execute()
    assert len(few["services"]) == 1 and api.services().list(pageSize=1, pageToken=few["nextPageToken"]).execute()["services"]
    skus, token = [], None
    while True:
        page = api.services().skus().list(parent=services["Compute Engine"], pageSize=20, pageToken=token).execute()
        skus += page["skus"]
        token = page.get("nextPageToken")
        if not token:
            break
    assert len({sku["skuId"] for sku in skus}) == len(skus)
    cost = {}
    for sku in skus:
        if "n2-standard-4" in sku["description"]:
            price = sku["pricingInfo"][0]["pricingExpression"]["tieredRates"][0]["unitPrice"]
            cost[sku["serviceRegions"][0]] = int(price["units"]) + price["nanos"] / 1e9
    assert set(cost) == set(gcp.regions) and cost["us-central1"] < cost["europe-west1"]
    refused(404, "notFound", api.services().skus().list(parent="services/0000-0000-0000"))
    info = api.projects().getBillingInfo(name=f"projects/{gcp.project}").execute()
    assert info["billingEnabled"] and info["billingAccountName"].startswith("billingAccounts/")
    refused(403, "forbidden", api.projects().getBillingInfo(name="projects/somebody-else"))


def test_the_project(gcp):
    api = gcp.api("cloudresourcemanager").projects()
    project = api.get(name=f"projects/{gcp.project}").execute()
    assert (project["projectId"], project["state"]) == (gcp.project, "ACTIVE")
    assert api.get(name=project["name"]).execute()["projectId"] == gcp.project
    assert [one["projectId"] for one in api.search().execute()["projects"]] == [gcp.project]
    assert api.search(query=f"id:{gcp.project} state:ACTIVE").execute()["projects"] == [project]
    assert api.search(query="id:somebody-else").execute() == {}
    refused(403, "forbidden", api.get(name="projects/somebody-else"))
    wanted = ["compute.instances.list", "cloudsql.instances.list", "unheardof.things.list"]
    test = lambda permissions: api.testIamPermissions(resource=f"projects/{gcp.project}", body={"permissions": permissions})
    assert test(wanted).execute()["permissions"] == wanted[:2]
    refused(400, "badRequest", test(["compute.*"]))


def test_zones_of_names(gcp):
    api, name = gcp.api("dns"), gcp.name("zone")
    zones, place = api.managedZones(), {"project": gcp.project}
    made = zones.create(**place, body={"name": name, "dnsName": f"{name}.example.", "description": "test", "labels": {"a": "b"}}).execute()
    assert len(made["nameServers"]) == 4 and zones.get(**place, managedZone=made["id"]).execute() == made
    assert name in [one["name"] for one in zones.list(**place, maxResults=1).execute()["managedZones"]] or zones.list(**place, maxResults=1).execute()["nextPageToken"]
    assert [one["name"] for one in zones.list(**place, dnsName=f"{name}.example.").execute()["managedZones"]] == [name]
    operation = zones.patch(**place, managedZone=name, body={"description": "other", "labels": {"a": "c"}}).execute()
    assert operation["zoneContext"]["newValue"]["labels"] == {"a": "c"}
    assert zones.get(**place, managedZone=name).execute()["description"] == "other"
    refused(409, "alreadyExists", zones.create(**place, body={"name": name, "dnsName": "a.example.", "description": ""}))
    refused(400, "required", zones.create(**place, body={"name": "nameless", "description": ""}))
    refused(400, "required", zones.create(**place, body={"name": "undescribed", "dnsName": "a.example."}))
    refused(400, "invalid", zones.create(**place, body={"name": "dotless", "dnsName": "a.example", "description": ""}))
    refused(400, "invalid", zones.patch(**place, managedZone=name, body={"dnsName": "b.example."}))
    records(gcp, api, name)
    zones.delete(**place, managedZone=name).execute()
    refused(404, "notFound", zones.get(**place, managedZone=name))


def records(gcp, api, name):
    sets, place = api.resourceRecordSets(), {"project": gcp.project, "managedZone": name}
    www = {"name": f"www.{name}.example.", "type": "A", "ttl": 60, "rrdatas": ["203.0.113.1"]}
    made = sets.create(**place, body=www).execute()
    assert made["ttl"] == 60 and sets.get(**place, name=www["name"], type="A").execute() == made
    refused(409, "alreadyExists", sets.create(**place, body=www))
    refused(400, "invalid", sets.create(**place, body={**www, "name": "www.elsewhere.example."}))
    refused(400, "invalid", sets.create(**place, body={**www, "name": f"x.{name}.example.", "rrdatas": ["not-an-address"]}))
    changed = sets.patch(**place, name=www["name"], type="A", body={"ttl": 120}).execute()
    assert (changed["ttl"], changed["rrdatas"]) == (120, ["203.0.113.1"])
    page = sets.list(**place, maxResults=2).execute()
    rest = sets.list(**place, maxResults=2, pageToken=page["nextPageToken"]).execute()
    assert {one["type"] for one in page["rrsets"] + rest["rrsets"]} == {"A", "NS", "SOA"}
    assert [one["ttl"] for one in sets.list(**place, name=www["name"], type="A").execute()["rrsets"]] == [120]
    refused(400, "containerNotEmpty", api.managedZones().delete(**place))
    refused(400, "invalidZoneApex", sets.delete(**place, name=f"{name}.example.", type="NS"))
    old = {key: changed[key] for key in ("name", "type", "ttl", "rrdatas")}
    new = {**old, "rrdatas": ["203.0.113.2"]}
    changes(gcp, api, place, old, new)
    sets.delete(**place, name=www["name"], type="A").execute()
    refused(404, "notFound", sets.get(**place, name=www["name"], type="A"))


def weighed(client, place, plain):
    """Sets that share their answers by weight are items of one policy, which is deleted word by word like any other."""
    items = lambda *weights: {"wrr": {"items": [{"weight": weight, "rrdatas": [f"203.0.113.{n}"]} for n, weight in enumerate(weights, 1)]}}
    name = {"name": "by-weight." + plain["name"].split(".", 1)[1], "type": "A", "ttl": 60}
    one, two = {**name, "routingPolicy": items(1, 3)}, {**name, "routingPolicy": items(2, 2)}
    client.create(**place, body={"additions": [one]}).execute()
    refused(412, "conditionNotMet", client.create(**place, body={"deletions": [two], "additions": [one]}))
    refused(400, "invalid", client.create(**place, body={"deletions": [one], "additions": [{**two, "rrdatas": ["203.0.113.9"]}]}))
    client.create(**place, body={"deletions": [one], "additions": [two]}).execute()
    client.create(**place, body={"deletions": [two]}).execute()


def changes(gcp, api, place, old, new):
    client = api.changes()
    refused(412, "conditionNotMet", client.create(**place, body={"deletions": [{**old, "ttl": 1}], "additions": [new]}))
    refused(409, "alreadyExists", client.create(**place, body={"additions": [new]}))
    refused(404, "notFound", client.create(**place, body={"deletions": [{**old, "type": "AAAA"}]}))
    change = client.create(**place, body={"deletions": [old], "additions": [new]}).execute()
    assert change["status"] == "pending"
    gcp.control.advance(30)
    assert client.get(**place, changeId=change["id"]).execute()["status"] == "done"
    assert [one["id"] for one in client.list(**place).execute()["changes"]] == [change["id"]]
    back = client.create(**place, body={"deletions": [new], "additions": [old]}).execute()
    again = client.create(**place, body={"deletions": [old], "additions": [new]}).execute()
    gcp.control.advance(30)
    last_first, page = [], client.list(**place, sortBy="changeSequence", sortOrder="descending", maxResults=2)
    while page:
        answer = page.execute()
        last_first += [one["id"] for one in answer["changes"]]
        page = client.list_next(page, answer)
    assert last_first == [again["id"], back["id"], change["id"]]
    weighed(client, place, new)
    refused(404, "notFound", client.get(**place, changeId="99"))
