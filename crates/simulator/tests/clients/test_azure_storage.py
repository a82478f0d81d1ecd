"""Storage accounts and containers, by azure-mgmt-storage."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import OTHER_PLACE, PLACE, account, azure, error, group, unique  # noqa: F401


def body(**more):
    return {"location": PLACE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, **more}


@pytest.fixture
def store(azure, group):
    name = unique("test")
    azure.storage.storage_accounts.begin_create(group, name, body(tags={"a": "1"})).result()
    return name


def test_an_account_from_its_making_to_its_end(azure, group):
    accounts, name = azure.storage.storage_accounts, unique("test")
    assert accounts.check_name_availability({"name": name, "type": "Microsoft.Storage/storageAccounts"}).name_available
    made = accounts.begin_create(group, name, body(sku={"name": "Standard_GRS"}, tags={"a": "1"})).result()
    assert made.properties.primary_endpoints.blob == f"https://{name}.blob.core.windows.net/"
    assert (made.properties.provisioning_state, made.properties.secondary_location) == ("Succeeded", OTHER_PLACE)
    taken = accounts.check_name_availability({"name": name, "type": "Microsoft.Storage/storageAccounts"})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    changed = accounts.update(group, name, {"tags": {"b": "2"}, "properties": {"accessTier": "Cool"}})
    assert (changed.tags, changed.properties.access_tier) == ({"b": "2"}, "Cool")
    assert accounts.begin_create(group, name, body(tags={"c": "3"})).result().tags == {"c": "3"}
    assert accounts.get_properties(group, name).name == name
    assert [one.name for one in accounts.list_by_resource_group(group)] == [name]
    assert name in {one.name for one in accounts.list()}
    assert [key["keyName"] for key in accounts.list_keys(group, name)["keys"]] == ["key1", "key2"]
    accounts.delete(group, name)
    with pytest.raises(ResourceNotFoundError):
        accounts.get_properties(group, name)
    assert accounts.delete(group, name) is None


@pytest.mark.parametrize("name, given, status, code", [
    ("UPPER", body(), 400, "AccountNameInvalid"),
    ("ab", body(), 400, "AccountNameInvalid"),
    ("wrongsku1", body(sku={"name": "Golden_LRS"}), 400, "InvalidRequestPropertyName"),
    ("nokind1", {"location": PLACE, "sku": {"name": "Standard_LRS"}}, 400, "InvalidRequestContent"),
    ("unknown1", body(properties={"colour": "blue"}), 400, "InvalidRequestPropertyName"),
    ("orangeryazuremediawesteu", body(), 409, "StorageAccountAlreadyTaken"),
])
def test_a_wrong_account_is_refused(azure, group, name, given, status, code):
    with pytest.raises(HttpResponseError) as raised:
        azure.storage.storage_accounts.begin_create(group, name, given)
    assert error(raised) == (status, code)


def test_the_settings_of_blobs(azure, group, store):
    services = azure.storage.blob_services
    assert services.get_service_properties(group, store)["properties"]["isVersioningEnabled"] is False
    changed = services.set_service_properties(group, store, {"properties": {"isVersioningEnabled": True}})
    assert changed["properties"]["isVersioningEnabled"] is True
    assert changed["properties"]["deleteRetentionPolicy"]["days"] == 7
    assert services.get_service_properties(group, store)["properties"]["isVersioningEnabled"] is True
    assert [one.name for one in services.list(group, store)] == ["default"]
    with pytest.raises(HttpResponseError) as raised:
        services.set_service_properties(group, store, {"properties": {"deleteRetentionPolicy": {"enabled": True, "days": 999}}})
    assert error(raised) == (400, "InvalidValuesForRequestParameters")


def test_containers(azure, group, store):
    containers = azure.storage.blob_containers
    for n in range(5):
        containers.create(group, store, f"photos-{n}", {"properties": {"metadata": {"n": str(n)}}})
    assert containers.create(group, store, "photos-0", {"properties": {}}).name == "photos-0"
    assert containers.get(group, store, "photos-1")["properties"]["metadata"] == {"n": "1"}
    changed = containers.update(group, store, "photos-1", {"properties": {"metadata": {"n": "9"}}})
    assert changed["properties"]["metadata"] == {"n": "9"}
    pages = list(containers.list(group, store, maxpagesize="2").by_page())
    assert [len(list(page)) for page in pages] == [2, 2, 1]
    assert [one.name for one in containers.list(group, store, filter="photos-3")] == ["photos-3"]
    for name, given, status, code in (("No", {}, 400, "InvalidResourceName"),
                                      ("open", {"publicAccess": "Blob"}, 409, "PublicAccessNotPermitted")):
        with pytest.raises(HttpResponseError) as raised:
            containers.create(group, store, name, {"properties": given})
        assert error(raised) == (status, code)
    containers.delete(group, store, "photos-0")
    with pytest.raises(ResourceNotFoundError) as raised:
        containers.get(group, store, "photos-0")
    assert error(raised) == (404, "ContainerNotFound")
    with pytest.raises(ResourceNotFoundError):
        containers.create(group, "nosuchaccount", "photos", {"properties": {}})


def rule(name, **definition):
    return {"name": name, "type": "Lifecycle", "definition": {
        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["photos/drafts"]},
        "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 30}}}, **definition}}


def test_the_rules_by_which_blobs_go(azure, group, store):
    policies = azure.storage.management_policies
    put = lambda *rules: policies.create_or_update(group, store, "default", {
        "properties": {"policy": {"rules": list(rules)}}})
    with pytest.raises(ResourceNotFoundError) as raised:
        policies.get(group, store, "default")
    assert error(raised) == (404, "ManagementPolicyNotFound")
    assert policies.delete(group, store, "default") is None
    made = put(rule("drafts"), rule("versions", actions={"version": {"delete": {"daysAfterCreationGreaterThan": 7}}}))
    rules = made.properties.policy.rules
    assert [one.name for one in rules] == ["drafts", "versions"] and rules[0].enabled
    assert rules[0].definition.actions.base_blob.delete.days_after_modification_greater_than == 30.0
    assert [one.name for one in put(rule("other")).properties.policy.rules] == ["other"]
    assert policies.get(group, store, "default").properties.last_modified_time
    for wrong in ((), (rule("a"), rule("a")), (rule("a", actions={}),), (rule("a", filters={"blobTypes": []}),)):
        with pytest.raises(HttpResponseError) as raised:
            put(*wrong)
        assert error(raised) == (400, "InvalidManagementPolicyDefinition")
    with pytest.raises(HttpResponseError) as raised:
        policies.get(group, store, "other")
    assert error(raised) == (400, "InvalidManagementPolicyName")
    policies.delete(group, store, "default")
    with pytest.raises(ResourceNotFoundError):
        policies.get(group, store, "default")


def test_an_account_has_nothing_but_blobs(azure, group, store):
    for holder in (azure.storage.file_shares, azure.storage.queue, azure.storage.table):
        assert list(holder.list(group, store)) == []
        with pytest.raises(ResourceNotFoundError):
            list(holder.list(group, "nosuchaccount"))


def test_usages(azure):
    assert next(iter(azure.storage.usages.list_by_location(PLACE))).current_value >= 2
