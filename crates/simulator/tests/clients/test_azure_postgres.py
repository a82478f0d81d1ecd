"""Flexible servers, by azure-mgmt-postgresqlflexibleservers."""

import datetime

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from azure_bed import OTHER_PLACE, PLACE, account, azure, error, group, unique  # noqa: F401


def server(size="Standard_D2ds_v5", tier="GeneralPurpose", place=PLACE, **properties):
    return {"location": place, "sku": {"name": size, "tier": tier}, "tags": {"a": "1"}, "properties": {
        "administratorLogin": "marquee", "administratorLoginPassword": "Not-4-real!", "version": "16",
        "storage": {"storageSizeGB": 64}, **properties}}


def make(azure, group, name=None, **more):
    name = name or unique("pg-")
    return azure.postgres.servers.begin_create_or_update(group, name, server(**more)).result()


def test_a_server_from_its_making_to_its_end(azure, group):
    servers, name = azure.postgres.servers, unique("pg-")
    servers.begin_create_or_update(group, name, server(highAvailability={"mode": "ZoneRedundant"}), polling=False)
    assert servers.get(group, name).properties.state == "Provisioning"
    with pytest.raises(HttpResponseError) as raised:
        servers.begin_update(group, name, {"tags": {}})
    assert error(raised) == (409, "ServerIsBusy")
    azure.control.advance(600)
    got = servers.get(group, name)
    assert (got.properties.state, got.sku.name) == ("Ready", "Standard_D2ds_v5")
    assert got.properties.fully_qualified_domain_name == f"{name}.postgres.database.azure.com"
    assert got.properties.high_availability.state == "Healthy"
    assert got.properties.administrator_login_password is None
    grown = servers.begin_update(group, name, {
        "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
        "properties": {"storage": {"storageSizeGB": 128}, "backup": {"backupRetentionDays": 14}}}).result()
    assert (grown.sku.name, grown.properties.storage.storage_size_gb) == ("Standard_D4ds_v5", 128)
    assert servers.begin_update(group, name, {"tags": {"b": "2"}}).result().tags == {"b": "2"}
    zone = got.properties.availability_zone
    servers.begin_restart(group, name, {"restartWithFailover": True, "failoverMode": "PlannedFailover"}).result()
    assert servers.get(group, name).properties.availability_zone != zone
    assert [one.name for one in servers.list_by_resource_group(group)] == [name]
    assert {name, "bookings"} <= {one.name for one in servers.list_by_subscription()}
    with pytest.raises(HttpResponseError) as raised:
        servers.begin_create_or_update("orangery-events-northeurope", name, server(place=OTHER_PLACE))
    assert error(raised) == (409, "ServerNameAlreadyExists")
    servers.begin_delete(group, name).result()
    with pytest.raises(ResourceNotFoundError):
        servers.get(group, name)
    assert servers.begin_delete(group, name).result() is None


@pytest.mark.parametrize("change, code", [
    ({"tier": "Burstable"}, "InvalidParameterValue"),
    ({"size": "Standard_Z9"}, "InvalidParameterValue"),
    ({"version": "9"}, "InvalidParameterValue"),
    ({"storage": {"storageSizeGB": 50}}, "InvalidParameterValue"),
    ({"administratorLogin": "admin"}, "InvalidParameterValue"),
    ({"administratorLoginPassword": None}, "InvalidParameterValue"),
    ({"backup": {"backupRetentionDays": 99}}, "InvalidParameterValue"),
    ({"availabilityZone": "9"}, "InvalidParameterValue"),
    ({"colour": "blue"}, "InvalidParameterValue"),
    ({"size": "Standard_B1ms", "tier": "Burstable", "highAvailability": {"mode": "SameZone"}}, "HANotSupportedForBurstable"),
    ({"createMode": "GeoRestore"}, "CreateModeNotSupported"),
    ({"place": "atlantis"}, "LocationNotAvailableForResourceType"),
])
def test_a_wrong_server_is_refused(azure, group, change, code):
    with pytest.raises(HttpResponseError) as raised:
        azure.postgres.servers.begin_create_or_update(group, unique("pg-"), server(**change))
    assert error(raised) == (400, code)


def test_a_wrong_name_is_refused(azure, group):
    with pytest.raises(HttpResponseError) as raised:
        azure.postgres.servers.begin_create_or_update(group, "Wrong_Name", server())
    assert error(raised) == (400, "InvalidServerName")


def test_a_server_within_a_network(azure, group):
    delegation = {"name": "db", "properties": {"serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}}
    azure.network.virtual_networks.begin_create_or_update(group, "net", {
        "location": PLACE, "properties": {
            "addressSpace": {"addressPrefixes": ["10.40.0.0/16"]},
            "subnets": [{"name": "db", "properties": {"addressPrefix": "10.40.1.0/24", "delegations": [delegation]}},
                        {"name": "web", "properties": {"addressPrefix": "10.40.2.0/24"}}]}}).result()
    subnet = lambda name: azure.path(group, "Microsoft.Network/virtualNetworks", "net") + f"/subnets/{name}"
    for name in ("web", "none"):
        with pytest.raises(HttpResponseError) as raised:
            make(azure, group, network={"delegatedSubnetResourceId": subnet(name)})
        assert error(raised) == (400, "InvalidParameterValue")
    made = make(azure, group, network={"delegatedSubnetResourceId": subnet("db").upper()})
    assert made.properties.network.delegated_subnet_resource_id == subnet("db")
    assert made.properties.network.public_network_access == "Disabled"
    with pytest.raises(HttpResponseError) as raised:
        azure.network.virtual_networks.begin_delete(group, "net")
    assert error(raised) == (400, "InUseSubnetCannotBeDeleted")


def test_a_server_stops_and_starts(azure, group):
    servers, made = azure.postgres.servers, make(azure, group)
    with pytest.raises(HttpResponseError) as raised:
        servers.begin_start(group, made.name)
    assert error(raised) == (409, "ServerIsNotStopped")
    servers.begin_stop(group, made.name).result()
    assert servers.get(group, made.name).properties.state == "Stopped"
    resize = {"sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"}}
    for refused in (lambda: servers.begin_update(group, made.name, resize), lambda: servers.begin_restart(group, made.name),
                    lambda: azure.postgres.backups_automatic_and_on_demand.begin_create(group, made.name, "now")):
        with pytest.raises(HttpResponseError) as raised:
            refused()
        assert error(raised) == (409, "ServerIsStopped")
    servers.begin_start(group, made.name).result()
    assert servers.get(group, made.name).properties.state == "Ready"
    servers.begin_stop(group, made.name).result()
    azure.control.advance(8 * 24 * 3600)
    assert servers.get(group, made.name).properties.state == "Ready"


def test_what_cannot_be_changed(azure, group):
    servers, made = azure.postgres.servers, make(azure, group)
    for change, code in (({"storage": {"storageSizeGB": 32}}, "StorageSizeReductionNotSupported"),
                         ({"storage": {"storageSizeGB": 65}}, "InvalidParameterValue"),
                         ({"version": "17"}, "InvalidParameterValue"),
                         ({"replica": {"promoteMode": "Standalone"}}, "ServerIsNotReplica")):
        with pytest.raises(HttpResponseError) as raised:
            servers.begin_update(group, made.name, {"properties": change})
        assert error(raised) == (400, code)
    with pytest.raises(HttpResponseError) as raised:
        servers.begin_restart(group, made.name, {"restartWithFailover": True})
    assert error(raised) == (400, "FailoverNotSupported")


def test_a_server_is_restored_to_a_time(azure, group):
    servers, made = azure.postgres.servers, make(azure, group)
    azure.control.advance(3 * 24 * 3600)
    source = servers.get(group, made.name)
    earliest = source.properties.backup.earliest_restore_date
    now = datetime.datetime.fromisoformat(azure.control.now().replace("Z", "+00:00"))
    restore = lambda at, **more: servers.begin_create_or_update(group, unique("pg-"), {
        "location": PLACE, "properties": {"createMode": "PointInTimeRestore", "sourceServerResourceId": source.id,
                                          "pointInTimeUTC": at.isoformat(), **more}})
    restored = restore(now - datetime.timedelta(hours=5)).result()
    assert (restored.properties.state, restored.properties.storage.storage_size_gb) == ("Ready", 64)
    assert restored.sku.name == source.sku.name
    for at in (earliest - datetime.timedelta(minutes=1), now + datetime.timedelta(days=1)):
        with pytest.raises(HttpResponseError) as raised:
            restore(at)
        assert error(raised) == (400, "InvalidParameterValue")
    with pytest.raises(HttpResponseError) as raised:
        restore(now, sourceServerResourceId=source.id + "-none")
    assert error(raised) == (404, "ResourceNotFound")


def test_replicas_and_their_promotion(azure, group):
    servers, primary = azure.postgres.servers, make(azure, group)
    replica = lambda place: servers.begin_create_or_update(group, unique("pg-"), {
        "location": place, "properties": {"createMode": "Replica", "sourceServerResourceId": primary.id}}).result()
    near, far = replica(PLACE), replica(OTHER_PLACE)
    assert (near.properties.replication_role, far.properties.replication_role) == ("AsyncReplica", "GeoAsyncReplica")
    assert {one.name for one in azure.postgres.replicas.list_by_server(group, primary.name)} == {near.name, far.name}
    with pytest.raises(HttpResponseError) as raised:
        servers.begin_delete(group, primary.name)
    assert error(raised) == (409, "ServerHasReplicas")
    with pytest.raises(HttpResponseError) as raised:
        servers.begin_create_or_update(group, unique("pg-"), {
            "location": PLACE, "properties": {"createMode": "Replica", "sourceServerResourceId": near.id}})
    assert error(raised) == (400, "CascadeReplicaNotSupported")
    promote = lambda one, mode: servers.begin_update(group, one.name, {"properties": {"replica": {
        "role": "Primary", "promoteMode": mode, "promoteOption": "Planned"}}}).result()
    assert promote(near, "Standalone").properties.replication_role == "Primary"
    assert promote(far, "Switchover").properties.replication_role == "Primary"
    assert servers.get(group, primary.name).properties.replication_role == "GeoAsyncReplica"
    assert [one.name for one in azure.postgres.replicas.list_by_server(group, far.name)] == [primary.name]


def test_small_servers_have_no_replicas(azure, group):
    small = make(azure, group, size="Standard_B1ms", tier="Burstable")
    with pytest.raises(HttpResponseError) as raised:
        azure.postgres.servers.begin_create_or_update(group, unique("pg-"), {
            "location": PLACE, "properties": {"createMode": "Replica", "sourceServerResourceId": small.id}})
    assert error(raised) == (400, "ReadReplicaNotSupported")


def test_backups(azure, group):
    backups, made = azure.postgres.backups_automatic_and_on_demand, make(azure, group)
    azure.control.advance(3 * 24 * 3600)
    automatic = [one for one in backups.list_by_server(group, made.name)]
    assert 2 <= len(automatic) <= 4 and {one.properties.backup_type for one in automatic} == {"Full"}
    poller = backups.begin_create(group, made.name, "before-the-wedding", polling=False)
    with pytest.raises(ResourceNotFoundError):
        backups.get(group, made.name, "before-the-wedding")
    assert "before-the-wedding" not in {one.name for one in backups.list_by_server(group, made.name)}
    azure.control.advance(180)
    assert poller.done()
    own = backups.get(group, made.name, "before-the-wedding")
    assert made.system_data.created_at < own.properties.completed_time
    assert own.properties.backup_type == "Customer On-Demand"
    assert backups.get(group, made.name, automatic[0].name).name == automatic[0].name
    assert own.name in {one.name for one in backups.list_by_server(group, made.name)}
    for name, status, code in ((own.name, 409, "BackupAlreadyExists"),):
        with pytest.raises(HttpResponseError) as raised:
            backups.begin_create(group, made.name, name)
        assert error(raised) == (status, code)
    with pytest.raises(HttpResponseError) as raised:
        backups.begin_delete(group, made.name, automatic[0].name)
    assert error(raised) == (400, "AutomaticBackupCannotBeDeleted")
    backups.begin_delete(group, made.name, own.name).result()
    with pytest.raises(ResourceNotFoundError):
        backups.get(group, made.name, own.name)


def test_capabilities_names_and_usages(azure):
    capability = next(iter(azure.postgres.capabilities_by_location.list(PLACE)))
    editions = {edition.name: edition for edition in capability.supported_server_editions}
    assert "Standard_D4ds_v5" in {sku.name for sku in editions["GeneralPurpose"].supported_server_skus}
    check = lambda name: azure.postgres.name_availability.check_globally(
        {"name": name, "type": "Microsoft.DBforPostgreSQL/flexibleServers"})
    assert check(unique("pg-")).name_available
    assert (check("bookings").name_available, check("bookings").reason) == (False, "AlreadyExists")
    assert check("No_Name").reason == "Invalid"
    assert next(iter(azure.postgres.quota_usages.list(PLACE))).current_value > 0
