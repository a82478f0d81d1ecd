//! Clusters, and snapshots of them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CLUSTER_SNAPSHOTS, CLUSTERS, Description, INSTANCES, changes::WEEK, check_numbers, free, set};
use crate::{
    aws::{
        ask::{Ask, copied, stamp, tag_list, tags_of},
        filters::Source,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Meter, Thing},
};

const CREATION: TimeDelta = TimeDelta::minutes(2);
const SWITCH: TimeDelta = TimeDelta::minutes(3);

const CLUSTER: Description = Description {
    kind: CLUSTERS,
    id: "DBClusterIdentifier",
    not_found: "DBClusterNotFoundFault",
    noun: "DBCluster",
    filters: &[("db-cluster-id", Source::Id), ("engine", Source::Body(&["Engine"]))],
    list: "DBClusters",
};

const SNAPSHOT: Description = Description {
    kind: CLUSTER_SNAPSHOTS,
    id: "DBClusterSnapshotIdentifier",
    not_found: "DBClusterSnapshotNotFoundFault",
    noun: "DBClusterSnapshot",
    filters: &[
        ("db-cluster-snapshot-id", Source::Id),
        ("db-cluster-id", Source::Body(&["DBClusterIdentifier"])),
        ("engine", Source::Body(&["Engine"])),
        ("snapshot-type", Source::Always("manual")),
    ],
    list: "DBClusterSnapshots",
};

const SETTINGS: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DatabaseName",
    "DeletionProtection",
    "Engine",
    "EngineMode",
    "EngineVersion",
    "MasterUsername",
    "Port",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
    "StorageType",
    "KmsKeyId",
];

fn show(ask: &Ask<'_>, cluster: &Thing) -> Value {
    let mut shown = cluster.body.read();
    let host = |what: &str| format!("{}.{what}simulated.{}.rds.amazonaws.com", cluster.id, ask.place());
    set(&mut shown, "DBClusterIdentifier", &*cluster.id);
    set(&mut shown, "DBClusterArn", ask.arn("rds", &format!("cluster:{}", cluster.id)));
    set(&mut shown, "Status", cluster.state(ask.now));
    set(&mut shown, "ClusterCreateTime", stamp(cluster.born));
    set(&mut shown, "Endpoint", host("cluster-"));
    set(&mut shown, "ReaderEndpoint", host("cluster-ro-"));
    set(&mut shown, "TagList", tag_list(&cluster.tags));
    set(&mut shown, "AvailabilityZones", ask.zones().collect::<Vec<_>>());
    Value::Object(shown)
}

pub(super) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    check_numbers(ask)?;
    let id = free(ask, estate, CLUSTERS, ask.need("DBClusterIdentifier"), "DBClusterAlreadyExistsFault")?;
    if !ask.need("Engine").starts_with("aurora") {
        let message =
            format!("The engine {} is not supported for clusters by the simulator.", ask.need("Engine"));
        return Err(Refusal::new("InvalidParameterValue", message).status(400));
    }
    let mysql = ask.need("Engine") == "aurora-mysql";
    let defaults = json!({
        "AllocatedStorage": 1, "BackupRetentionPeriod": 1, "DeletionProtection": false, "MultiAZ": false,
        "EngineMode": "provisioned", "EngineVersion": if mysql { "8.0.mysql_aurora.3.10.0" } else { "17.5" },
        "Port": if mysql { 3306 } else { 5432 }, "StorageEncrypted": false, "DBClusterMembers": [],
        "PreferredBackupWindow": "03:00-03:30", "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
        "DbClusterResourceId": ask.new_id(estate, "cluster-", 26).to_uppercase().replacen("CLUSTER-", "cluster-", 1),
    });
    let mut body = defaults.as_object().cloned().unwrap_or_default();
    body.extend(copied(ask.input, SETTINGS));
    let mut cluster = Thing::new(&id, ask.place(), ask.now, "creating");
    cluster.life = Life::new(ask.now, "creating").then(CREATION, "available");
    cluster.name = id.as_str().into();
    cluster.tags = tags_of(ask.list("Tags"));
    cluster.body = (&body).into();
    let shown = show(ask, &cluster);
    ask.add(estate, CLUSTERS, cluster);
    Ok(json!({ "DBCluster": shown }).into())
}

/// Takes an instance into its cluster: the first one writes.
pub(super) fn join(ask: &Ask<'_>, estate: &mut Estate, cluster: &str, instance: &str) {
    edit_members(ask, estate, cluster, |members| {
        let first = members.is_empty();
        members.push(json!({
            "DBInstanceIdentifier": instance, "IsClusterWriter": first, "DBClusterParameterGroupStatus": "in-sync",
            "PromotionTier": 1,
        }));
    });
}

/// Takes an instance out; if it wrote, the next one does.
pub(super) fn leave(ask: &Ask<'_>, estate: &mut Estate, cluster: &str, instance: &str) {
    edit_members(ask, estate, cluster, |members| {
        members.retain(|member| member["DBInstanceIdentifier"] != instance);
        if let Some(first) = members.first_mut().filter(|first| first["IsClusterWriter"] != true) {
            first["IsClusterWriter"] = true.into();
        }
    });
}

fn edit_members(ask: &Ask<'_>, estate: &mut Estate, cluster: &str, edit: impl FnOnce(&mut Vec<Value>)) {
    if let Some(cluster) = ask.find_mut(estate, CLUSTERS, cluster) {
        cluster.body.edit(|body| {
            if let Some(members) = body.get_mut("DBClusterMembers").and_then(Value::as_array_mut) {
                edit(members);
            }
        });
    }
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    CLUSTER.page(ask, estate, show, |_| true)
}

fn in_state(ask: &Ask<'_>, cluster: &Thing, state: &str) -> Result<(), Refusal> {
    let now = cluster.state(ask.now);
    if now == state {
        return Ok(());
    }
    let message = format!("DbCluster {} is in {now} state but expected it to be {state}.", cluster.id);
    Err(Refusal::new("InvalidDBClusterStateFault", message))
}

fn turn(
    ask: &Ask<'_>,
    estate: &mut Estate,
    from: &str,
    (over, then): (&'static str, &[(TimeDelta, &'static str)]),
) -> Answered {
    let cluster = CLUSTER.one_mut(ask, estate, ask.need("DBClusterIdentifier"))?;
    in_state(ask, cluster, from)?;
    let switch = |thing: &mut Thing| {
        thing.life.turn(ask.now, over);
        for (wait, state) in then {
            thing.life.plan(*wait, *state);
        }
    };
    switch(cluster);
    let (shown, id) = (show(ask, cluster), cluster.id.clone());
    for member in estate.all_mut(ask.owner(), INSTANCES, ask.now) {
        if &*member.place == ask.place() && member.body.get("DBClusterIdentifier") == *id {
            switch(member);
        }
    }
    Ok(json!({ "DBCluster": shown }).into())
}

pub(super) fn start(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    turn(ask, estate, "stopped", ("starting", &[(SWITCH, "available")]))
}

pub(super) fn stop(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let then = [(SWITCH, "stopped"), (WEEK, "starting"), (SWITCH, "available")];
    turn(ask, estate, "available", ("stopping", &then))
}

pub(super) fn modify(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    const CHANGEABLE: &[&str] = &[
        "BackupRetentionPeriod",
        "CopyTagsToSnapshot",
        "DeletionProtection",
        "EngineVersion",
        "Port",
        "PreferredBackupWindow",
        "PreferredMaintenanceWindow",
        "StorageType",
    ];
    check_numbers(ask)?;
    let cluster = CLUSTER.one_mut(ask, estate, ask.need("DBClusterIdentifier"))?;
    in_state(ask, cluster, "available")?;
    cluster.body.edit(|body| body.extend(copied(ask.input, CHANGEABLE)));
    Ok(json!({ "DBCluster": show(ask, cluster) }).into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let cluster = CLUSTER.one(ask, estate, ask.need("DBClusterIdentifier"))?;
    let (body, id) = (cluster.body.read(), cluster.id.to_string());
    if body.get("DeletionProtection") == Some(&Value::Bool(true)) {
        let message = "Cannot delete protected Cluster, please disable deletion protection and try again.";
        return Err(Refusal::new("InvalidParameterCombination", message).status(400));
    }
    if body.get("DBClusterMembers").and_then(Value::as_array).is_some_and(|members| !members.is_empty()) {
        let message = "Cluster cannot be deleted, it still contains DB instances in non-deleting state.";
        return Err(Refusal::new("InvalidDBClusterStateFault", message));
    }
    match (ask.text("FinalDBSnapshotIdentifier"), ask.flag("SkipFinalSnapshot")) {
        (None, false) => {
            let message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.";
            return Err(Refusal::new("InvalidParameterCombination", message).status(400));
        }
        (Some(name), false) => drop(make_snapshot(ask, estate, &id, name)?),
        _ => {}
    }
    let cluster = CLUSTER.one_mut(ask, estate, &id)?;
    cluster.life.turn(ask.now, "deleting");
    let shown = show(ask, cluster);
    ask.end(estate, CLUSTERS, &id, SWITCH);
    Ok(json!({ "DBCluster": shown }).into())
}

fn show_snapshot(ask: &Ask<'_>, snapshot: &Thing) -> Value {
    let mut shown = snapshot.body.read();
    let status = snapshot.state(ask.now);
    set(&mut shown, "DBClusterSnapshotIdentifier", &*snapshot.id);
    set(&mut shown, "DBClusterSnapshotArn", ask.arn("rds", &format!("cluster-snapshot:{}", snapshot.id)));
    set(&mut shown, "Status", status);
    set(&mut shown, "PercentProgress", if status == "available" { 100 } else { 50 });
    set(&mut shown, "SnapshotType", "manual");
    set(&mut shown, "SnapshotCreateTime", stamp(snapshot.born));
    set(&mut shown, "TagList", tag_list(&snapshot.tags));
    Value::Object(shown)
}

fn make_snapshot(ask: &Ask<'_>, estate: &mut Estate, cluster: &str, name: &str) -> Result<Value, Refusal> {
    let id = free(ask, estate, CLUSTER_SNAPSHOTS, name, "DBClusterSnapshotAlreadyExistsFault")?;
    let source = CLUSTER.one(ask, estate, cluster)?;
    let of = Value::Object(source.body.read());
    let mut body = copied(
        &of,
        &[
            "AllocatedStorage",
            "DbClusterResourceId",
            "Engine",
            "EngineMode",
            "EngineVersion",
            "MasterUsername",
            "Port",
            "StorageEncrypted",
        ],
    );
    set(&mut body, "DBClusterIdentifier", &*source.id);
    set(&mut body, "ClusterCreateTime", stamp(source.born));
    let mut snapshot = Thing::new(&id, ask.place(), ask.now, "creating");
    snapshot.life = Life::new(ask.now, "creating").then(CREATION, "available");
    snapshot.name = id.as_str().into();
    snapshot.tags = tags_of(ask.list("Tags"));
    let gib = of["AllocatedStorage"].as_f64().unwrap_or(1.0);
    snapshot.meter(ask.now, [Meter::new("database-backup/standard", gib)]);
    snapshot.body = (&body).into();
    let shown = show_snapshot(ask, &snapshot);
    ask.add(estate, CLUSTER_SNAPSHOTS, snapshot);
    Ok(shown)
}

pub(super) fn snapshot(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let cluster = CLUSTER.one(ask, estate, ask.need("DBClusterIdentifier"))?;
    in_state(ask, cluster, "available")?;
    let id = cluster.id.to_string();
    let shown = make_snapshot(ask, estate, &id, ask.need("DBClusterSnapshotIdentifier"))?;
    Ok(json!({ "DBClusterSnapshot": shown }).into())
}

pub(super) fn describe_snapshots(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let cluster = ask.text("DBClusterIdentifier").map(str::to_lowercase);
    let manual = ask.text("SnapshotType").is_none_or(|kind| kind == "manual");
    SNAPSHOT.page(ask, estate, show_snapshot, |snapshot| {
        manual && cluster.as_deref().is_none_or(|wanted| snapshot.body.get("DBClusterIdentifier") == wanted)
    })
}

pub(super) fn delete_snapshot(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let snapshot = SNAPSHOT.one(ask, estate, ask.need("DBClusterSnapshotIdentifier"))?;
    if snapshot.state(ask.now) != "available" {
        let message = format!("Snapshot {} is not available.", snapshot.id);
        return Err(Refusal::new("InvalidDBClusterSnapshotStateFault", message));
    }
    let (id, mut shown) = (snapshot.id.clone(), show_snapshot(ask, snapshot));
    shown["Status"] = "deleted".into();
    ask.end(estate, CLUSTER_SNAPSHOTS, &id, TimeDelta::zero());
    Ok(json!({ "DBClusterSnapshot": shown }).into())
}
