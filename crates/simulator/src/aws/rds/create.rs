//! How database instances come about: anew, as a replica, from a snapshot, or from another's past.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    CLUSTERS, INSTANCES, check_numbers, free,
    instances::{self, INSTANCE},
    set,
    snapshots::SNAPSHOT,
};
use crate::{
    aws::{
        ask::{Ask, copied, tags_of},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Thing},
    face::FaceName,
};

/// How long an instance is being made.
const CREATION: TimeDelta = TimeDelta::minutes(5);
/// Instances of a region, unless a fault says less.
pub const INSTANCE_QUOTA: usize = 10_000;

/// What a request may set of an instance, and is shown as it was given.
const SETTINGS: &[&str] = &[
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DeletionProtection",
    "Engine",
    "EngineVersion",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "MasterUsername",
    "MaxAllocatedStorage",
    "MultiAZ",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PromotionTier",
    "PubliclyAccessible",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
    "DBClusterIdentifier",
    "DBName",
];

/// What is copied from where an instance comes from, unless the request says otherwise.
const INHERITED: &[&str] = &[
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "DBName",
    "DBInstanceClass",
    "Engine",
    "EngineVersion",
    "LicenseModel",
    "MasterUsername",
    "StorageEncrypted",
    "KmsKeyId",
    "StorageType",
    "DbInstancePort",
    "MultiAZ",
];

fn port(engine: &str) -> i64 {
    match engine {
        "mysql" | "mariadb" | "aurora-mysql" => 3306,
        engine if engine.starts_with("oracle") => 1521,
        engine if engine.starts_with("sqlserver") => 1433,
        _ => 5432,
    }
}

fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "AllocatedStorage": 20, "AutoMinorVersionUpgrade": true, "BackupRetentionPeriod": 1,
        "CopyTagsToSnapshot": false, "DeletionProtection": false, "MultiAZ": false, "PubliclyAccessible": false,
        "PreferredBackupWindow": "03:00-03:30", "PreferredMaintenanceWindow": "sun:05:00-sun:05:30",
        "StorageEncrypted": false, "StorageType": "gp3", "IAMDatabaseAuthenticationEnabled": false,
        "PerformanceInsightsEnabled": false, "MonitoringInterval": 0, "ReadReplicaDBInstanceIdentifiers": [],
        "CACertificateIdentifier": "rds-ca-rsa2048-g1", "LicenseModel": "postgresql-license",
    });
    defaults.as_object().cloned().unwrap_or_default()
}

/// Makes an instance of a body, and answers with it.
fn make(ask: &Ask<'_>, estate: &mut Estate, mut body: Map<String, Value>) -> Answered {
    check_numbers(ask)?;
    let id = free(ask, estate, INSTANCES, ask.need("DBInstanceIdentifier"), "DBInstanceAlreadyExists")?;
    let class = body.get("DBInstanceClass").and_then(Value::as_str).unwrap_or_default().to_owned();
    let size = ask.world.plan.size(FaceName::Aws, &class).filter(|size| size.database);
    let size = size.ok_or_else(|| {
        Refusal::new("InvalidParameterValue", format!("Invalid DB Instance class: {class}")).status(400)
    })?;
    let quota = ask.effects.quota.map(|quota| usize::try_from(quota).unwrap_or(INSTANCE_QUOTA));
    if quota.is_some_and(|quota| ask.all(estate, INSTANCES).count() >= quota) {
        return Err(Refusal::new(
            "InstanceQuotaExceeded",
            "Cannot create more than the quota of DB instances",
        ));
    }
    let zone = ask.text("AvailabilityZone").or_else(|| spread(ask, &id)).unwrap_or_default();
    if !ask.zones().any(|known| known == zone) {
        let message = format!("The zone {zone} is not one of this region's");
        return Err(Refusal::new("InvalidParameterValue", message).status(400));
    }
    if !ask.effects.has_capacity(zone, &class) {
        let message = format!("Insufficient capacity for {class} in {zone}.");
        return Err(Refusal::new("InsufficientDBInstanceCapacity", message));
    }
    let resource = ask.new_id(estate, "db-", 26).to_uppercase().replacen("DB-", "db-", 1);
    set(&mut body, "DbiResourceId", resource);
    if body.get("MultiAZ") == Some(&Value::Bool(true)) {
        let other = ask.zones().find(|known| *known != zone);
        set(&mut body, "SecondaryAvailabilityZone", other);
    }
    let mut instance = Thing::new(&id, ask.place(), ask.now, "creating");
    instance.life = Life::new(ask.now, "creating").then(CREATION, "available");
    instance.zone = Some(zone.into());
    instance.name = id.as_str().into();
    instance.size = size.name.clone();
    instance.tags = tags_of(ask.list("Tags"));
    instances::charge(&mut instance, &body, ask.now, ask.now);
    instance.body = (&body).into();
    let shown = instances::show(ask, &instance);
    ask.add(estate, INSTANCES, instance);
    Ok(json!({ "DBInstance": shown }).into())
}

/// A zone that follows from the name, so that instances are spread.
fn spread<'a>(ask: &Ask<'a>, id: &str) -> Option<&'a str> {
    let count = ask.zones().count().max(1) as u64;
    let index = usize::try_from(ask.world.seed().number(&["rds-zone", id]) % count).ok()?;
    ask.zones().nth(index)
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let mut body = defaults();
    let engine = ask.need("Engine");
    let cluster = ask.text("DBClusterIdentifier").map(str::to_lowercase);
    if let Some(cluster) = &cluster {
        let found = ask.find(estate, CLUSTERS, cluster).ok_or_else(|| {
            Refusal::new("DBClusterNotFoundFault", format!("DBCluster {cluster} not found."))
        })?;
        if found.body.get("Engine") != engine {
            let message = format!("The engine of the cluster is not {engine}");
            return Err(Refusal::new("InvalidParameterCombination", message).status(400));
        }
    } else if ask.text("MasterUsername").is_none()
        || ask.text("MasterUserPassword").is_none() && !ask.flag("ManageMasterUserPassword")
    {
        let message = "The parameter MasterUsername and MasterUserPassword must be provided.";
        return Err(Refusal::new("InvalidParameterValue", message).status(400));
    }
    body.extend(copied(ask.input, SETTINGS));
    set(&mut body, "DbInstancePort", ask.number("Port").unwrap_or_else(|| port(engine)));
    if !body.contains_key("EngineVersion") {
        set(&mut body, "EngineVersion", if engine.contains("postgres") { "17.6" } else { "8.4.6" });
    }
    let answer = make(ask, estate, body)?;
    if let Some(cluster) = cluster {
        super::clusters::join(ask, estate, &cluster, &ask.need("DBInstanceIdentifier").to_lowercase());
    }
    Ok(answer)
}

/// A body with what another has, but for what the request sets: more storage, not less, and the same engine.
fn inherit(ask: &Ask<'_>, source: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let combination = |message: String| Refusal::new("InvalidParameterCombination", message).status(400);
    let engine = source.get("Engine").and_then(Value::as_str).unwrap_or_default();
    if let Some(other) = ask.text("Engine").filter(|other| *other != engine) {
        return Err(combination(format!(
            "The engine {other} is not compatible with the source's, {engine}."
        )));
    }
    let gib = source.get("AllocatedStorage").and_then(Value::as_i64).unwrap_or_default();
    if let Some(less) = ask.number("AllocatedStorage").filter(|asked| *asked < gib) {
        let message = format!("The allocated storage of {less} GiB is less than the source's, {gib} GiB.");
        return Err(combination(message));
    }
    let mut body = defaults();
    for name in INHERITED {
        if let Some(value) = source.get(*name) {
            body.insert((*name).to_owned(), value.clone());
        }
    }
    body.extend(copied(ask.input, SETTINGS));
    if let Some(port) = ask.number("Port") {
        set(&mut body, "DbInstancePort", port);
    }
    Ok(body)
}

pub(crate) fn replica(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let given = ask.text("SourceDBInstanceIdentifier").unwrap_or_default();
    let mut parts = given.split(':').skip(3);
    let region = parts.next().and_then(|region| ask.account.region(region)).unwrap_or(ask.region);
    let there = Ask { region, ..*ask };
    let id = given.rsplit(':').next().unwrap_or_default();
    let source = INSTANCE.one(&there, estate, id)?;
    instances::in_state(&there, source, &["available"])?;
    let (source_body, _) = instances::holding(&source.body.read(), ask.now);
    if source_body.get("BackupRetentionPeriod").and_then(Value::as_i64).unwrap_or(0) == 0 {
        let message = "Automated backups are not enabled for this database instance.";
        return Err(Refusal::new("InvalidDBInstanceState", message));
    }
    let source = source.id.clone();
    let mut body = inherit(ask, &source_body)?;
    set(&mut body, "BackupRetentionPeriod", 0);
    let same = region.id == ask.region.id;
    // A key is of its region.
    if !same && ask.text("KmsKeyId").is_none() {
        body.shift_remove("KmsKeyId");
    }
    let shown_source = if same { source.to_string() } else { there.arn("rds", &format!("db:{source}")) };
    set(&mut body, "ReadReplicaSourceDBInstanceIdentifier", shown_source);
    set(
        &mut body,
        "StatusInfos",
        json!([{ "StatusType": "read replication", "Normal": true, "Status": "replicating" }]),
    );
    let answer = make(ask, estate, body)?;
    let id = ask.need("DBInstanceIdentifier").to_lowercase();
    let shown = if same { id } else { ask.arn("rds", &format!("db:{id}")) };
    list_replica(&there, estate, &source, &shown, true);
    Ok(answer)
}

/// Adds a replica to the list of its source, or takes it out.
pub(super) fn list_replica(ask: &Ask<'_>, estate: &mut Estate, source: &str, replica: &str, add: bool) {
    if let Some(source) = ask.find_mut(estate, INSTANCES, source) {
        source.body.edit(|body| {
            let entry = body.entry("ReadReplicaDBInstanceIdentifiers").or_insert_with(|| json!([]));
            if let Some(list) = entry.as_array_mut() {
                list.retain(|known| known != replica);
                if add {
                    list.push(replica.into());
                }
            }
        });
    }
}

pub(super) fn from_snapshot(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = ask.text("DBSnapshotIdentifier").unwrap_or_default();
    let snapshot = SNAPSHOT.one(ask, estate, id.rsplit(':').next().unwrap_or(id))?;
    if snapshot.state(ask.now) != "available" {
        let message = format!("Snapshot {id} is not available.");
        return Err(Refusal::new("InvalidDBSnapshotState", message));
    }
    let mut kept = snapshot.body.read();
    // Snapshots have other words for these.
    for (theirs, ours) in [("Encrypted", "StorageEncrypted"), ("Port", "DbInstancePort")] {
        if let Some(value) = kept.shift_remove(theirs) {
            set(&mut kept, ours, value);
        }
    }
    let body = inherit(ask, &kept)?;
    make(ask, estate, body)
}

pub(super) fn to_point_in_time(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let combination = |message: &str| Refusal::new("InvalidParameterCombination", message).status(400);
    let target = ask.need("TargetDBInstanceIdentifier");
    let source = ask.text("SourceDBInstanceIdentifier");
    let source = source.ok_or_else(|| combination("SourceDBInstanceIdentifier must be specified."))?;
    let source = INSTANCE.one(ask, estate, source)?;
    let (body, _) = instances::holding(&source.body.read(), ask.now);
    let days = body.get("BackupRetentionPeriod").and_then(Value::as_i64).unwrap_or(0);
    if days == 0 {
        let message = "Point in time restore is not enabled for this instance.";
        return Err(Refusal::new("PointInTimeRestoreNotEnabled", message));
    }
    let (time, latest) = (ask.time("RestoreTime"), ask.flag("UseLatestRestorableTime"));
    match (time, latest) {
        (Some(_), true) => {
            return Err(combination("RestoreTime can not be specified if UseLatestRestorableTime is true."));
        }
        (None, false) => {
            return Err(combination("Either RestoreTime or UseLatestRestorableTime must be specified."));
        }
        (Some(time), false) if time > instances::latest(ask, source) => {
            return Err(combination(
                "The specified instance cannot be restored to a time later than its latest restorable time.",
            ));
        }
        (Some(time), false) if time < source.born.max(ask.now - TimeDelta::days(days)) => {
            return Err(combination(
                "The specified instance cannot be restored to a time before its earliest restorable time.",
            ));
        }
        _ => {}
    }
    let mut input = ask.input.clone();
    input["DBInstanceIdentifier"] = target.into();
    let body = inherit(ask, &body)?;
    make(&Ask { input: &input, ..*ask }, estate, body)
}
