"""RDS: instances, replicas, snapshots, restores and clusters, and what is refused in which state."""

from datetime import datetime, timedelta

import pytest
from aws_clients import client, code, every, status
from aws_fixtures import fresh
from botocore.exceptions import ClientError


@pytest.fixture(scope="session")
def rds(account):
    return client("rds", account)


def refused(call, **arguments):
    with pytest.raises(ClientError) as found:
        call(**arguments)
    return code(found)


def shown(rds, name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


@pytest.fixture
def create(rds, control):
    def created(wait=True, **more):
        name = fresh("db")
        arguments = {
            "DBInstanceIdentifier": name,
            "DBInstanceClass": "db.m7g.large",
            "Engine": "postgres",
            "AllocatedStorage": 50,
            "MasterUsername": "me",
            "MasterUserPassword": "secret-secret",
            **more,
        }
        rds.create_db_instance(**arguments)
        if wait:
            control.advance(360)
        return name

    return created


def test_the_life_of_an_instance(rds, create, control):
    name = create(wait=False, Tags=[{"Key": "app", "Value": "x"}])
    new = shown(rds, name)
    assert new["DBInstanceStatus"] == "creating" and "Endpoint" not in new
    assert refused(rds.stop_db_instance, DBInstanceIdentifier=name) == "InvalidDBInstanceState"
    control.advance(360)
    assert shown(rds, name)["DBInstanceStatus"] == "available" and shown(rds, name)["Endpoint"]["Port"] == 5432
    arn = shown(rds, name)["DBInstanceArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "b", "Value": "2"}])
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["app"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "b", "Value": "2"}]
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    assert shown(rds, name)["DBInstanceStatus"] == "rebooting"
    control.advance(120)
    assert rds.stop_db_instance(DBInstanceIdentifier=name)["DBInstance"]["DBInstanceStatus"] == "stopping"
    control.advance(180)
    assert shown(rds, name)["DBInstanceStatus"] == "stopped"
    assert refused(rds.reboot_db_instance, DBInstanceIdentifier=name) == "InvalidDBInstanceState"
    rds.start_db_instance(DBInstanceIdentifier=name)
    control.advance(180)
    assert refused(rds.delete_db_instance, DBInstanceIdentifier=name) == "InvalidParameterCombination"
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=True)
    assert refused(rds.delete_db_instance, DBInstanceIdentifier=name, SkipFinalSnapshot=True) == "InvalidParameterCombination"
    rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
    last = fresh("last")
    rds.delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=last)
    assert shown(rds, name)["DBInstanceStatus"] == "deleting"
    control.advance(300)
    with pytest.raises(ClientError) as found:
        shown(rds, name)
    assert (code(found), status(found)) == ("DBInstanceNotFound", 404)
    assert rds.describe_db_snapshots(DBSnapshotIdentifier=last)["DBSnapshots"][0]["Status"] == "available"


def test_creation_is_refused(rds, create, control):
    name = create()
    for wrong, expected in [
        ({"DBInstanceIdentifier": name}, "DBInstanceAlreadyExists"),
        ({"DBInstanceIdentifier": "1-bad--name"}, "InvalidParameterValue"),
        ({"DBInstanceClass": "db.gone.large"}, "InvalidParameterValue"),
        ({"DBClusterIdentifier": "gone"}, "DBClusterNotFoundFault"),
        ({"BackupRetentionPeriod": 2**31 - 1}, "InvalidParameterValue"),
    ]:
        with pytest.raises(ClientError) as found:
            create(**wrong)
        assert code(found) == expected, wrong
    control.fault("no_capacity", face="aws", operation="CreateDBInstance")
    with pytest.raises(ClientError) as found:
        create()
    assert code(found) == "InsufficientDBInstanceCapacity"
    control.clear_faults()
    control.fault("quota", face="aws", operation="CreateDBInstance", limit=1)
    with pytest.raises(ClientError) as found:
        create()
    assert code(found) == "InstanceQuotaExceeded"


def test_a_change_waits_for_its_window_unless_it_is_wanted_at_once(rds, create, control):
    name = create()
    waiting = rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.m7g.xlarge")["DBInstance"]
    assert waiting["DBInstanceClass"] == "db.m7g.large" and waiting["DBInstanceStatus"] == "available"
    assert waiting["PendingModifiedValues"] == {"DBInstanceClass": "db.m7g.xlarge"}
    control.advance(7 * 86400 + 60)
    after = shown(rds, name)
    assert (after["DBInstanceClass"], after["PendingModifiedValues"]) == ("db.m7g.xlarge", {})
    now = rds.modify_db_instance(DBInstanceIdentifier=name, AllocatedStorage=80, ApplyImmediately=True)["DBInstance"]
    assert (now["AllocatedStorage"], now["DBInstanceStatus"]) == (80, "modifying")
    assert refused(rds.modify_db_instance, DBInstanceIdentifier=name, AllocatedStorage=90) == "InvalidDBInstanceState"
    control.advance(300)
    smaller = {"AllocatedStorage": 20, "ApplyImmediately": True}
    assert refused(rds.modify_db_instance, DBInstanceIdentifier=name, **smaller) == "InvalidParameterCombination"


def test_a_promoted_replica_is_none(rds, account, create, control):
    source = create()
    name = fresh("replica")
    rds.create_db_instance_read_replica(DBInstanceIdentifier=name, SourceDBInstanceIdentifier=source)
    control.advance(360)
    assert shown(rds, name)["ReadReplicaSourceDBInstanceIdentifier"] == source
    assert shown(rds, source)["ReadReplicaDBInstanceIdentifiers"] == [name]
    assert refused(rds.stop_db_instance, DBInstanceIdentifier=source) == "InvalidDBInstanceState"
    assert refused(rds.promote_read_replica, DBInstanceIdentifier=source) == "InvalidDBInstanceState"
    rds.promote_read_replica(DBInstanceIdentifier=name, BackupRetentionPeriod=7)
    assert shown(rds, name)["DBInstanceStatus"] == "modifying"
    control.advance(600)
    promoted = shown(rds, name)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in promoted and promoted["DBInstanceStatus"] == "available"
    assert promoted["BackupRetentionPeriod"] == 7
    assert shown(rds, source)["ReadReplicaDBInstanceIdentifiers"] == []

    there = client("rds", account, account["regions"][1])
    far = fresh("far")
    arn = shown(rds, source)["DBInstanceArn"]
    there.create_db_instance_read_replica(DBInstanceIdentifier=far, SourceDBInstanceIdentifier=arn, SourceRegion=account["regions"][0])
    assert shown(there, far)["ReadReplicaSourceDBInstanceIdentifier"] == arn
    assert shown(rds, source)["ReadReplicaDBInstanceIdentifiers"] == [shown(there, far)["DBInstanceArn"]]
    there.delete_db_instance(DBInstanceIdentifier=far, SkipFinalSnapshot=True)
    assert shown(rds, source)["ReadReplicaDBInstanceIdentifiers"] == []


def test_snapshots_and_restores(rds, create, control):
    source, snapshot = create(), fresh("snap")
    made = rds.create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier=snapshot)["DBSnapshot"]
    assert made["Status"] == "creating"
    assert refused(rds.delete_db_snapshot, DBSnapshotIdentifier=snapshot) == "InvalidDBSnapshotState"
    restore = {"DBInstanceIdentifier": fresh("restored"), "DBSnapshotIdentifier": snapshot}
    assert refused(rds.restore_db_instance_from_db_snapshot, **restore) == "InvalidDBSnapshotState"
    control.advance(180)
    again = {"DBInstanceIdentifier": source, "DBSnapshotIdentifier": snapshot}
    assert refused(rds.create_db_snapshot, **again) == "DBSnapshotAlreadyExists"
    restored = rds.restore_db_instance_from_db_snapshot(**restore)["DBInstance"]
    assert (restored["DBInstanceStatus"], restored["AllocatedStorage"]) == ("creating", 50)
    rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot)
    assert refused(rds.delete_db_snapshot, DBSnapshotIdentifier=snapshot) == "DBSnapshotNotFound"

    now = datetime.fromisoformat(control.now())
    target = {"SourceDBInstanceIdentifier": source, "TargetDBInstanceIdentifier": fresh("pitr")}
    for wrong in [
        {"RestoreTime": now + timedelta(hours=1)},
        {"RestoreTime": now - timedelta(days=90)},
        {"RestoreTime": now, "UseLatestRestorableTime": True},
        {},
    ]:
        assert refused(rds.restore_db_instance_to_point_in_time, **target, **wrong) == "InvalidParameterCombination", wrong
    rds.restore_db_instance_to_point_in_time(**target, UseLatestRestorableTime=True, DBInstanceClass="db.m7g.xlarge")
    control.advance(360)
    assert shown(rds, target["TargetDBInstanceIdentifier"])["DBInstanceClass"] == "db.m7g.xlarge"


def test_a_restore_keeps_what_its_snapshot_was_made_of(rds, create, control):
    source, snapshot = create(StorageEncrypted=True, KmsKeyId="arn:aws:kms:r:1:key/k", Port=6000), fresh("snap")
    rds.create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier=snapshot)
    control.advance(180)
    restore = {"DBInstanceIdentifier": fresh("restored"), "DBSnapshotIdentifier": snapshot}
    assert refused(rds.restore_db_instance_from_db_snapshot, **restore, Engine="mysql") == "InvalidParameterCombination"
    assert refused(rds.restore_db_instance_from_db_snapshot, **restore, AllocatedStorage=20) == "InvalidParameterCombination"
    made = rds.restore_db_instance_from_db_snapshot(**restore)["DBInstance"]
    assert (made["StorageEncrypted"], made["KmsKeyId"], made["DbInstancePort"]) == (True, "arn:aws:kms:r:1:key/k", 6000)


def test_what_is_asked_later_is_laid_over_what_is_pending(rds, create, control):
    name = create()
    modify = lambda **more: rds.modify_db_instance(DBInstanceIdentifier=name, **more)["DBInstance"]
    modify(DBInstanceClass="db.m7g.xlarge", MultiAZ=True)
    assert modify(DBInstanceClass="db.m7g.large")["PendingModifiedValues"] == {"MultiAZ": True}
    assert modify(MultiAZ=False)["PendingModifiedValues"] == {}
    control.advance(7 * 86400 + 60)
    assert (shown(rds, name)["DBInstanceClass"], shown(rds, name)["MultiAZ"]) == ("db.m7g.large", False)
    modify(DBInstanceClass="db.m7g.xlarge", MultiAZ=True)
    applied = modify(DBInstanceClass="db.m7g.large", ApplyImmediately=True)
    assert (applied["DBInstanceStatus"], applied["MultiAZ"], applied["DBInstanceClass"]) == ("modifying", True, "db.m7g.large")
    assert applied["PendingModifiedValues"] == {}
    control.advance(300)
    assert modify(MultiAZ=True, ApplyImmediately=True)["DBInstanceStatus"] == "available"


def test_storage_grows_again_after_six_hours_only(rds, create, control):
    name = create()
    grow = {"DBInstanceIdentifier": name, "ApplyImmediately": True}
    rds.modify_db_instance(**grow, AllocatedStorage=80)
    control.advance(300)
    assert refused(rds.modify_db_instance, **grow, AllocatedStorage=100) == "InvalidParameterCombination"
    rds.modify_db_instance(**grow, BackupRetentionPeriod=3)
    control.advance(6 * 3600)
    assert rds.modify_db_instance(**grow, AllocatedStorage=100)["DBInstance"]["AllocatedStorage"] == 100
    later = create()
    rds.modify_db_instance(DBInstanceIdentifier=later, AllocatedStorage=80)
    control.advance(7 * 86400 + 60)
    assert shown(rds, later)["AllocatedStorage"] == 80
    # The six hours begin with the maintenance window, on Sunday at five, and not when somebody looks.
    now = datetime.fromisoformat(control.now())
    opened = now.replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=(now.weekday() + 1) % 7)
    opened -= timedelta(days=7) if opened > now else timedelta()
    left = 6 * 3600 - (now - opened).total_seconds()
    if left > 0:
        assert refused(rds.modify_db_instance, **{**grow, "DBInstanceIdentifier": later}, AllocatedStorage=100) == "InvalidParameterCombination"
        control.advance(left + 60)
    rds.modify_db_instance(DBInstanceIdentifier=later, AllocatedStorage=100, ApplyImmediately=True)


def test_what_is_stopped_starts_again_after_a_week(rds, create, control):
    name, cluster = create(), fresh("cluster")
    rds.create_db_cluster(DBClusterIdentifier=cluster, Engine="aurora-mysql", MasterUsername="me", MasterUserPassword="secret-secret")
    member = create(DBClusterIdentifier=cluster, Engine="aurora-mysql")
    rds.stop_db_instance(DBInstanceIdentifier=name)
    rds.stop_db_cluster(DBClusterIdentifier=cluster)
    status_of = lambda: [
        shown(rds, name)["DBInstanceStatus"],
        shown(rds, member)["DBInstanceStatus"],
        rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]["Status"],
    ]
    control.advance(7 * 86400 - 60)
    assert status_of() == ["stopped"] * 3
    control.advance(900)
    assert status_of() == ["available"] * 3


def test_replicas_outlive_their_source(rds, account, create, control):
    source, near, far = create(), fresh("near"), fresh("far")
    there = client("rds", account, account["regions"][1])
    arn = shown(rds, source)["DBInstanceArn"]
    rds.create_db_instance_read_replica(DBInstanceIdentifier=near, SourceDBInstanceIdentifier=source)
    there.create_db_instance_read_replica(DBInstanceIdentifier=far, SourceDBInstanceIdentifier=arn, SourceRegion=account["regions"][0])
    control.advance(360)
    last = {"DBInstanceIdentifier": near, "FinalDBSnapshotIdentifier": fresh("last")}
    assert refused(rds.delete_db_instance, **last) == "InvalidParameterCombination"
    rds.delete_db_instance(DBInstanceIdentifier=source, SkipFinalSnapshot=True)
    control.advance(600)
    alone = shown(rds, near)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in alone and alone["DBInstanceStatus"] == "available"
    broken = shown(there, far)
    assert broken["ReadReplicaSourceDBInstanceIdentifier"] == arn
    assert [(one["Normal"], one["Status"]) for one in broken["StatusInfos"]] == [(False, "terminated")]
    there.promote_read_replica(DBInstanceIdentifier=far)
    rds.stop_db_instance(DBInstanceIdentifier=near)


def test_lists_are_paged(rds, create):
    for _ in range(22):
        create(wait=False)
    databases, pages = every(rds, "describe_db_instances", "DBInstances", PaginationConfig={"PageSize": 20})
    assert pages >= 2 and len({one["DBInstanceIdentifier"] for one in databases}) == len(databases)
    assert refused(rds.describe_db_instances, MaxRecords=19) == "InvalidParameterValue"
    assert refused(rds.describe_db_instances, Marker="nonsense") == "InvalidParameterValue"
    found = rds.describe_db_instances(Filters=[{"Name": "engine", "Values": ["mysql"]}])["DBInstances"]
    assert found == []


def test_clusters(rds, create, control):
    name = fresh("cluster")
    rds.create_db_cluster(DBClusterIdentifier=name, Engine="aurora-postgresql", MasterUsername="me", MasterUserPassword="secret-secret")
    assert refused(rds.create_db_cluster, DBClusterIdentifier=name, Engine="aurora-postgresql") == "DBClusterAlreadyExistsFault"
    control.advance(180)
    member = create(DBClusterIdentifier=name, Engine="aurora-postgresql")
    cluster = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    assert [(one["DBInstanceIdentifier"], one["IsClusterWriter"]) for one in cluster["DBClusterMembers"]] == [(member, True)]
    rds.modify_db_cluster(DBClusterIdentifier=name, BackupRetentionPeriod=5)
    snapshot = fresh("cluster-snap")
    rds.create_db_cluster_snapshot(DBClusterIdentifier=name, DBClusterSnapshotIdentifier=snapshot)
    control.advance(180)
    listed = rds.describe_db_cluster_snapshots(DBClusterIdentifier=name)["DBClusterSnapshots"]
    assert [(one["DBClusterSnapshotIdentifier"], one["Status"]) for one in listed] == [(snapshot, "available")]
    rds.stop_db_cluster(DBClusterIdentifier=name)
    assert refused(rds.stop_db_cluster, DBClusterIdentifier=name) == "InvalidDBClusterStateFault"
    control.advance(300)
    assert shown(rds, member)["DBInstanceStatus"] == "stopped"
    rds.start_db_cluster(DBClusterIdentifier=name)
    control.advance(300)
    ending = {"DBClusterIdentifier": name, "SkipFinalSnapshot": True}
    assert refused(rds.delete_db_cluster, **ending) == "InvalidDBClusterStateFault"
    rds.delete_db_instance(DBInstanceIdentifier=member, SkipFinalSnapshot=True)
    rds.delete_db_cluster(**ending)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot)
    control.advance(600)
    assert refused(rds.describe_db_clusters, DBClusterIdentifier=name) == "DBClusterNotFoundFault"
