"""The resource manager itself: subscriptions, groups, what is in them, tags, versions and roles."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import (OTHER_PLACE, PLACE, account, azure, error, group, machine, make_interface,  # noqa: F401
                       make_network, reader, unique)


def test_subscriptions_and_locations(azure):
    ids = [one.subscription_id for one in azure.subscriptions.subscriptions.list()]
    assert ids == [azure.subscription]
    assert azure.subscriptions.subscriptions.get(azure.subscription).state == "Enabled"
    places = {place.name: place for place in azure.subscriptions.subscriptions.list_locations(azure.subscription)}
    assert places["westeurope"].display_name == "West Europe"
    listed = azure.send("GET", f"/subscriptions/{azure.subscription}/locations?api-version=2022-12-01").json()
    assert [zone["logicalZone"] for zone in listed["value"][0]["availabilityZoneMappings"]] == ["1", "2", "3"]


def test_providers(azure):
    names = {provider.namespace for provider in azure.resources.providers.list()}
    assert {"Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage", "Microsoft.DBforPostgreSQL"} <= names
    compute = azure.resources.providers.get("microsoft.compute")
    assert "virtualMachines" in {kind.resource_type for kind in compute.resource_types}
    assert azure.resources.providers.register("Microsoft.Compute").registration_state == "Registered"
    with pytest.raises(ResourceNotFoundError) as raised:
        azure.resources.providers.get("Microsoft.Nothing")
    assert error(raised) == (404, "InvalidResourceNamespace")


def test_a_group_is_made_read_changed_listed_and_deleted(azure):
    groups, name = azure.resources.resource_groups, unique("Group-")
    made = groups.create_or_update(name, {"location": "West Europe", "tags": {"a": "1"}})
    assert (made.name, made.location, made.properties.provisioning_state) == (name, PLACE, "Succeeded")
    assert groups.get(name.lower()).name == name
    assert groups.check_existence(name) and not groups.check_existence("none")
    assert groups.update(name, {"tags": {"b": "2"}}).tags == {"b": "2"}
    assert groups.create_or_update(name.upper(), {"location": PLACE, "tags": {"a": "1"}}).name == name
    assert name in {one.name for one in groups.list()}
    assert [one.name for one in groups.list(filter="tagName eq 'a' and tagValue eq '1'")] == [name]
    with pytest.raises(HttpResponseError) as raised:
        groups.create_or_update(name, {"location": OTHER_PLACE})
    assert error(raised) == (409, "InvalidResourceGroupLocation")
    poller = groups.begin_delete(name, polling=False)
    assert poller.result() is None
    assert groups.get(name).properties.provisioning_state == "Deleting"
    with pytest.raises(HttpResponseError) as raised:
        groups.create_or_update(name, {"location": PLACE})
    assert error(raised) == (409, "ResourceGroupBeingDeleted")
    azure.control.advance(120)
    with pytest.raises(ResourceNotFoundError) as raised:
        groups.get(name)
    assert error(raised) == (404, "ResourceGroupNotFound")


def test_a_group_is_deleted_with_what_is_in_it(azure):
    name = unique("Group-")
    azure.resources.resource_groups.create_or_update(name, {"location": PLACE})
    make_network(azure, name)
    assert [one.type for one in azure.resources.resources.list_by_resource_group(name)] == [
        "Microsoft.Network/virtualNetworks"]
    azure.resources.resource_groups.begin_delete(name).result()
    azure.resources.resource_groups.create_or_update(name, {"location": PLACE})
    assert list(azure.resources.resources.list_by_resource_group(name)) == []
    azure.resources.resource_groups.begin_delete(name).result()


def test_a_group_that_goes_lets_go_of_what_lies_in_others(azure, group):
    other = unique("Group-")
    azure.resources.resource_groups.create_or_update(other, {"location": PLACE})
    interface = make_interface(azure, group, "nic", make_network(azure, group))
    azure.compute.virtual_machines.begin_create_or_update(other, "vm", machine(interface.id)).result()
    assert azure.network.network_interfaces.get(group, "nic").properties.virtual_machine
    azure.resources.resource_groups.begin_delete(other).result()
    assert azure.network.network_interfaces.get(group, "nic").properties.virtual_machine is None


@pytest.mark.parametrize("body, code", [
    ({}, "LocationRequired"),
    ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
    ({"location": PLACE, "colour": "blue"}, "InvalidRequestContent"),
    ({"location": 5}, "InvalidRequestContent"),
])
def test_a_wrong_group_is_refused(azure, body, code):
    with pytest.raises(HttpResponseError) as raised:
        azure.resources.resource_groups.create_or_update("wrong", body)
    assert error(raised) == (400, code)


def test_all_resources_come_page_by_page_and_filtered(azure):
    whole = [one.id for one in azure.resources.resources.list()]
    assert len(whole) > 60 and len(whole) == len(set(whole))
    paged = [one.id for page in azure.resources.resources.list(top=7).by_page() for one in page]
    assert paged == whole
    kind = "resourceType eq 'Microsoft.Compute/virtualMachines'"
    machines = list(azure.resources.resources.list(filter=kind, expand="createdTime,provisioningState"))
    assert machines and {one.type for one in machines} == {"Microsoft.Compute/virtualMachines"}
    assert machines[0].created_time and machines[0].provisioning_state == "Succeeded"
    tagged = azure.resources.resources.list(filter="tagName eq 'tier' and tagValue eq 'web'")
    assert all(one.tags["tier"] == "web" for one in tagged)
    with pytest.raises(HttpResponseError) as raised:
        list(azure.resources.resources.list(filter="colour eq 'blue'"))
    assert error(raised) == (400, "InvalidFilterInQueryString")


def test_a_page_s_token_belongs_to_its_query(azure):
    pages = azure.compute.virtual_machines.list_all().by_page()
    first = azure.send("GET", f"/subscriptions/{azure.subscription}/resources?api-version=2021-04-01&$top=5").json()
    link = first["nextLink"]
    assert link.startswith(azure.account["endpoint"])
    assert list(next(pages))
    token = link.split("skiptoken=")[1]
    wrong = azure.send("GET", f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/virtualMachines"
                              f"?api-version=2024-07-01&$skiptoken={token}")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "InvalidSkipToken")


def test_tags_at_a_scope(azure, group):
    make_network(azure, group)
    scope = azure.path(group, "Microsoft.Network/virtualNetworks", "net").strip("/")
    tags = azure.resources.tags
    put = tags.begin_create_or_update_at_scope(scope, {"properties": {"tags": {"a": "1", "b": "2"}}}).result()
    assert put.properties.tags == {"a": "1", "b": "2"}
    merge = {"operation": "Merge", "properties": {"tags": {"c": "3"}}}
    assert tags.begin_update_at_scope(scope, merge).result().properties.tags == {"a": "1", "b": "2", "c": "3"}
    delete = {"operation": "Delete", "properties": {"tags": {"a": "1", "b": "other"}}}
    assert tags.begin_update_at_scope(scope, delete).result().properties.tags == {"b": "2", "c": "3"}
    assert tags.get_at_scope(scope).properties.tags == {"b": "2", "c": "3"}
    assert azure.network.virtual_networks.get(group, "net").tags == {"b": "2", "c": "3"}


def test_versions(azure):
    base = f"/subscriptions/{azure.subscription}"
    tell = lambda path: (lambda r: (r.status_code, r.json()["error"]["code"], r.json()["error"]["message"]))(
        azure.send("GET", base + path))
    assert tell("/resourcegroups")[:2] == (400, "MissingApiVersionParameter")
    assert tell("/resourcegroups?api-version=1999-01-01")[:2] == (400, "InvalidApiVersionParameter")
    status, code, message = tell("/providers/Microsoft.Compute/virtualMachines?api-version=1999-01-01")
    assert (status, code) == (400, "NoRegisteredProviderFound") and "2024-07-01" in message
    assert tell("/providers/Microsoft.Nothing/things?api-version=2024-07-01")[:2] == (404, "InvalidResourceNamespace")
    assert tell("/providers/Microsoft.Compute/things?api-version=2024-07-01")[:2] == (404, "InvalidResourceType")
    wrong = azure.send("PATCH", f"{base}/providers/Microsoft.Compute/skus?api-version=2021-07-01", {})
    assert wrong.status_code == 405


def test_every_answer_has_an_id_and_what_is_left_of_the_limit(azure):
    headers = azure.send("GET", f"/subscriptions/{azure.subscription}?api-version=2022-12-01").headers
    assert headers["x-ms-request-id"] and headers["x-ms-correlation-request-id"]
    assert int(headers["x-ms-ratelimit-remaining-subscription-reads"]) > 0


def test_a_body_that_is_no_json_is_refused(azure):
    from azure.core.rest import HttpRequest

    url = f"{azure.account['endpoint']}/subscriptions/{azure.subscription}/resourcegroups/x?api-version=2021-04-01"
    send = lambda content, kind: azure.raw.send_request(
        HttpRequest("PUT", url, content=content, headers={"Content-Type": kind}))
    assert send(b"{", "application/json").json()["error"]["code"] == "InvalidRequestContent"
    assert send(b"[]", "application/json").json()["error"]["code"] == "InvalidRequestContent"
    assert send(b"{}", "text/plain").status_code == 415


def test_a_reader_reads_and_changes_nothing(azure, reader, group):
    assert list(reader.compute.virtual_machines.list_all())
    with pytest.raises(HttpResponseError) as raised:
        reader.resources.resource_groups.update(group, {"tags": {}})
    assert error(raised) == (403, "AuthorizationFailed")
    with pytest.raises(HttpResponseError) as raised:
        reader.compute.virtual_machines.begin_start(group, "any")
    assert error(raised) == (403, "AuthorizationFailed")


def test_what_a_caller_may_do_can_be_asked(azure, reader, group):
    make_network(azure, group)
    path = (f"/subscriptions/{azure.subscription}/resourcegroups/{group}/providers/Microsoft.Authorization/permissions"
            "?api-version=2022-04-01")
    assert azure.send("GET", path).json()["value"][0]["actions"] == ["*"]
    assert "*/read" in reader.send("GET", path).json()["value"][0]["actions"]
    thing = path.replace("/providers/Microsoft.Authorization",
                         "/providers/Microsoft.Network//virtualNetworks/net/providers/Microsoft.Authorization")
    assert azure.send("GET", thing).json()["value"]


def test_an_operation_s_link_cannot_be_made_up(azure):
    path = (f"/subscriptions/{azure.subscription}/providers/Microsoft.Compute/locations/{PLACE}/operations/"
            "11111111-1111-1111-1111-111111111111?api-version=2024-07-01&t=abc")
    assert azure.send("GET", path).status_code == 404
