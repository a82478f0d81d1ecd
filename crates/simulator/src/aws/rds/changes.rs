//! Changes of database instances: at once or in the maintenance window, starting and stopping, promotion, the end.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    INSTANCES, check_numbers, create,
    instances::{self, INSTANCE, STORAGE, charge, in_state, is_optimizing, settle, take_over, window},
    set, snapshots,
};
use crate::{
    aws::{
        ask::{Ask, copied},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
    face::FaceName,
};

const CHANGE: TimeDelta = TimeDelta::minutes(3);
const SWITCH: TimeDelta = TimeDelta::minutes(2);
const REBOOT: TimeDelta = TimeDelta::minutes(1);
const DELETION: TimeDelta = TimeDelta::minutes(3);
/// What is stopped starts by itself after so long.
pub(super) const WEEK: TimeDelta = TimeDelta::days(7);

/// Changes that wait for the maintenance window, unless they are wanted at once.
const DEFERRED: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "DBInstanceClass",
    "EngineVersion",
    "Iops",
    "LicenseModel",
    "MultiAZ",
    "StorageThroughput",
    "StorageType",
];
/// Changes that are never deferred.
const AT_ONCE: &[&str] = &[
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "MaxAllocatedStorage",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PubliclyAccessible",
    "PromotionTier",
];

#[expect(clippy::unnecessary_wraps, reason = "what every handler here ends with")]
fn answer(ask: &Ask<'_>, instance: &Thing) -> Answered {
    Ok(json!({ "DBInstance": instances::show(ask, instance) }).into())
}

pub(super) fn modify(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    check_numbers(ask)?;
    let instance = INSTANCE.one_mut(ask, estate, ask.need("DBInstanceIdentifier"))?;
    in_state(ask, instance, &["available", "stopped"])?;
    settle(instance, ask.now);
    let mut body = instance.body.read();
    let changes = copied(ask.input, DEFERRED);
    check(ask, &body, &changes)?;
    body.extend(copied(ask.input, AT_ONCE));
    body.shift_remove("PendingAt");
    let waited = body.shift_remove("Pending");
    // What is asked for now is laid over what is pending; who asks for what holds already takes the change back.
    let mut pending = match &waited {
        Some(Value::Object(pending)) => pending.clone(),
        _ => Map::new(),
    };
    pending.extend(changes);
    pending.retain(|name, value| body.get(name) != Some(value));
    if pending.is_empty() {
        if waited.is_some() {
            charge(instance, &body, ask.now, ask.now);
        }
    } else if ask.flag("ApplyImmediately") {
        if instance.state(ask.now) == "available" {
            instance.life.turn(ask.now, "modifying");
            instance.life.plan(CHANGE, "available");
        }
        take_over(&mut body, pending, ask.now);
        charge(instance, &body, ask.now, ask.now);
    } else {
        let at = window(ask.now);
        let mut then = body.clone();
        then.extend(pending.clone());
        charge(instance, &then, ask.now, at);
        set(&mut body, "Pending", pending);
        set(&mut body, "PendingAt", crate::aws::ask::stamp(at));
    }
    instance.body = (&body).into();
    answer(ask, instance)
}

fn check(ask: &Ask<'_>, body: &Map<String, Value>, changes: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(class) = changes.get("DBInstanceClass").and_then(Value::as_str) {
        let known = ask.world.plan.size(FaceName::Aws, class).is_some_and(|size| size.database);
        if !known {
            let message = format!("Invalid DB Instance class: {class}");
            return Err(Refusal::new("InvalidParameterValue", message).status(400));
        }
    }
    let storage = |map: &Map<String, Value>| map.get("AllocatedStorage").and_then(Value::as_i64);
    if let (Some(new), Some(old)) = (storage(changes), storage(body))
        && new < old
    {
        let message = "Invalid storage size for engine: storage cannot be reduced.";
        return Err(Refusal::new("InvalidParameterCombination", message).status(400));
    }
    let differs = |name: &&str| changes.get(*name).is_some_and(|value| body.get(*name) != Some(value));
    if STORAGE.iter().any(differs) && is_optimizing(body, ask.now) {
        let message = "You can't currently modify the storage of this DB instance because the previous storage \
            change is being optimized.";
        return Err(Refusal::new("InvalidParameterCombination", message).status(400));
    }
    Ok(())
}

pub(super) fn start(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let instance = INSTANCE.one_mut(ask, estate, ask.need("DBInstanceIdentifier"))?;
    in_state(ask, instance, &["stopped"])?;
    instance.life.turn(ask.now, "starting");
    instance.life.plan(SWITCH, "available");
    answer(ask, instance)
}

pub(super) fn stop(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let instance = INSTANCE.one(ask, estate, ask.need("DBInstanceIdentifier"))?;
    in_state(ask, instance, &["available"])?;
    let body = instance.body.read();
    let replicas = body.get("ReadReplicaDBInstanceIdentifiers").and_then(Value::as_array);
    if body.contains_key("ReadReplicaSourceDBInstanceIdentifier")
        || replicas.is_some_and(|list| !list.is_empty())
    {
        let message = "Cannot stop or start a read replica instance, or one that has a read replica.";
        return Err(Refusal::new("InvalidDBInstanceState", message));
    }
    if let Some(name) = ask.text("DBSnapshotIdentifier") {
        let id = instance.id.to_string();
        snapshots::make(ask, estate, &id, name)?;
    }
    let instance = INSTANCE.one_mut(ask, estate, ask.need("DBInstanceIdentifier"))?;
    instance.life.turn(ask.now, "stopping");
    instance.life.plan(SWITCH, "stopped");
    instance.life.plan(WEEK, "starting");
    instance.life.plan(SWITCH, "available");
    answer(ask, instance)
}

pub(super) fn reboot(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let instance = INSTANCE.one_mut(ask, estate, ask.need("DBInstanceIdentifier"))?;
    in_state(ask, instance, &["available"])?;
    if ask.flag("ForceFailover") {
        let body = instance.body.read();
        let standby = body.get("SecondaryAvailabilityZone").and_then(Value::as_str);
        let standby = standby.ok_or_else(|| {
            let message = "Cannot force a failover when the instance is not configured for MultiAZ.";
            Refusal::new("InvalidParameterCombination", message).status(400)
        })?;
        let before = instance.zone.replace(standby.into());
        instance.body.edit(|body| set(body, "SecondaryAvailabilityZone", before.as_deref()));
    }
    instance.life.turn(ask.now, "rebooting");
    instance.life.plan(REBOOT, "available");
    answer(ask, instance)
}

pub(super) fn promote(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    check_numbers(ask)?;
    let instance = INSTANCE.one_mut(ask, estate, ask.need("DBInstanceIdentifier"))?;
    in_state(ask, instance, &["available"])?;
    let source = instance.body.get("ReadReplicaSourceDBInstanceIdentifier");
    let Some(source) = source.as_str().map(str::to_owned) else {
        let message = format!("DB Instance is not a read replica: {}", instance.id);
        return Err(Refusal::new("InvalidDBInstanceState", message));
    };
    stand_alone(ask, instance);
    instance.body.edit(|body| {
        set(body, "BackupRetentionPeriod", ask.number("BackupRetentionPeriod").unwrap_or(1));
        if let Some(backup) = ask.text("PreferredBackupWindow") {
            set(body, "PreferredBackupWindow", backup);
        }
    });
    let id = instance.id.to_string();
    unlist(ask, estate, &source, &id);
    answer(ask, INSTANCE.one(ask, estate, &id)?)
}

/// Makes a replica an instance of its own.
fn stand_alone(ask: &Ask<'_>, replica: &mut Thing) {
    replica.body.edit(|body| {
        body.shift_remove("ReadReplicaSourceDBInstanceIdentifier");
        body.shift_remove("StatusInfos");
    });
    replica.life.turn(ask.now, "modifying");
    replica.life.plan(CHANGE, "rebooting");
    replica.life.plan(REBOOT, "available");
}

/// What becomes of the replicas of a source that is deleted: those of its region are promoted, those of another only
/// replicate no more.
fn let_go(ask: &Ask<'_>, estate: &mut Estate, replicas: &[String]) {
    for replica in replicas {
        let region = replica.split(':').nth(3).and_then(|region| ask.account.region(region));
        let there = Ask { region: region.unwrap_or(ask.region), ..*ask };
        let id = replica.rsplit(':').next().unwrap_or(replica);
        let Some(instance) = there.find_mut(estate, INSTANCES, id) else { continue };
        if instance.gone_at.is_some() {
            continue;
        }
        if region.is_none() {
            stand_alone(&there, instance);
            continue;
        }
        let ended = json!([{ "StatusType": "read replication", "Normal": false, "Status": "terminated" }]);
        instance.body.edit(|body| set(body, "StatusInfos", ended));
    }
}

/// Takes a replica out of its source's list, wherever the source is.
fn unlist(ask: &Ask<'_>, estate: &mut Estate, source: &str, replica: &str) {
    let region = source.split(':').nth(3).and_then(|region| ask.account.region(region));
    let there = Ask { region: region.unwrap_or(ask.region), ..*ask };
    let shown = match region {
        Some(_) => ask.arn("rds", &format!("db:{replica}")),
        None => replica.to_owned(),
    };
    create::list_replica(&there, estate, source.rsplit(':').next().unwrap_or(source), &shown, false);
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let combination = |message: String| Refusal::new("InvalidParameterCombination", message).status(400);
    let instance = INSTANCE.one(ask, estate, ask.need("DBInstanceIdentifier"))?;
    if instance.state(ask.now) == "deleting" {
        let message = format!("Instance {} is already being deleted.", instance.id);
        return Err(Refusal::new("InvalidDBInstanceState", message));
    }
    let body = instance.body.read();
    if body.get("DeletionProtection") == Some(&Value::Bool(true)) {
        return Err(combination(
            "Cannot delete protected DB Instance, please disable deletion protection and try again."
                .to_owned(),
        ));
    }
    let source = body.get("ReadReplicaSourceDBInstanceIdentifier").and_then(Value::as_str).map(str::to_owned);
    let member = body.get("DBClusterIdentifier").and_then(Value::as_str).map(str::to_owned);
    let replicas = body.get("ReadReplicaDBInstanceIdentifiers").and_then(Value::as_array);
    let replicas: Vec<String> =
        replicas.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let id = instance.id.to_string();
    match (ask.text("FinalDBSnapshotIdentifier"), ask.flag("SkipFinalSnapshot")) {
        (Some(_), true) => {
            let message =
                "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot";
            return Err(combination(message.to_owned()));
        }
        (None, false) if source.is_none() && member.is_none() => {
            let message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.";
            return Err(combination(message.to_owned()));
        }
        (Some(_), false) if source.is_some() => {
            let message = "FinalDBSnapshotIdentifier can not be specified when deleting a replica instance";
            return Err(combination(message.to_owned()));
        }
        (Some(name), false) => {
            in_state(ask, instance, &["available", "stopped"])?;
            snapshots::make(ask, estate, &id, name)?;
        }
        _ => {}
    }
    if let Some(source) = source {
        unlist(ask, estate, &source, &id);
    }
    if let Some(cluster) = member {
        super::clusters::leave(ask, estate, &cluster, &id);
    }
    let_go(ask, estate, &replicas);
    INSTANCE.one_mut(ask, estate, &id)?.life.turn(ask.now, "deleting");
    ask.end(estate, INSTANCES, &id, DELETION);
    answer(ask, INSTANCE.one(ask, estate, &id)?)
}
