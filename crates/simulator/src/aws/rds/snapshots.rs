//! Snapshots of database instances.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    Description, SNAPSHOTS, free,
    instances::{self, INSTANCE, in_state},
    set,
};
use crate::{
    aws::{
        ask::{Ask, copied, stamp, tag_list, tags_of},
        filters::Source,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Meter, Thing},
};

const COPYING: TimeDelta = TimeDelta::minutes(2);

pub(super) const SNAPSHOT: Description = Description {
    kind: SNAPSHOTS,
    id: "DBSnapshotIdentifier",
    not_found: "DBSnapshotNotFound",
    noun: "DBSnapshot",
    filters: &[
        ("db-snapshot-id", Source::Id),
        ("db-instance-id", Source::Body(&["DBInstanceIdentifier"])),
        ("dbi-resource-id", Source::Body(&["DbiResourceId"])),
        ("snapshot-type", Source::Always("manual")),
        ("engine", Source::Body(&["Engine"])),
    ],
    list: "DBSnapshots",
};

/// What a snapshot keeps of its instance.
const KEPT: &[&str] = &[
    "AllocatedStorage",
    "DbiResourceId",
    "Engine",
    "EngineVersion",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "MasterUsername",
    "StorageType",
    "StorageThroughput",
    "DBInstanceClass",
    "DBName",
    "AutoMinorVersionUpgrade",
];

/// Makes a snapshot, if the name is free.
pub(super) fn make(
    ask: &Ask<'_>,
    estate: &mut Estate,
    instance: &str,
    name: &str,
) -> Result<String, Refusal> {
    let id = free(ask, estate, SNAPSHOTS, name, "DBSnapshotAlreadyExists")?;
    let source = INSTANCE.one(ask, estate, instance)?;
    let (of, _) = instances::holding(&source.body.read(), ask.now);
    let of = Value::Object(of);
    let mut body = copied(&of, KEPT);
    set(&mut body, "DBInstanceIdentifier", &*source.id);
    set(&mut body, "Encrypted", of["StorageEncrypted"].clone());
    set(&mut body, "Port", of["DbInstancePort"].clone());
    set(&mut body, "InstanceCreateTime", stamp(source.born));
    let mut snapshot = Thing::new(&id, ask.place(), ask.now, "creating");
    snapshot.life = Life::new(ask.now, "creating").then(COPYING, "available");
    snapshot.zone.clone_from(&source.zone);
    snapshot.name = id.as_str().into();
    snapshot.tags = tags_of(ask.list("Tags"));
    if of["CopyTagsToSnapshot"] == true {
        let own = std::mem::take(&mut snapshot.tags);
        snapshot.tags = source.tags.clone();
        snapshot.tags.extend(own);
    }
    let gib = of["AllocatedStorage"].as_f64().unwrap_or_default();
    snapshot.meter(ask.now, [Meter::new("database-backup/standard", gib)]);
    snapshot.body = (&body).into();
    ask.add(estate, SNAPSHOTS, snapshot);
    Ok(id)
}

fn show(ask: &Ask<'_>, snapshot: &Thing) -> Value {
    let mut shown = snapshot.body.read();
    // Kept for restoring; AWS does not show them here.
    for name in ["DBInstanceClass", "DBName", "AutoMinorVersionUpgrade"] {
        shown.shift_remove(name);
    }
    let status = snapshot.state(ask.now);
    let done = if status == "available" { 100 } else { 50 };
    set(&mut shown, "DBSnapshotIdentifier", &*snapshot.id);
    set(&mut shown, "DBSnapshotArn", ask.arn("rds", &format!("snapshot:{}", snapshot.id)));
    set(&mut shown, "Status", status);
    set(&mut shown, "PercentProgress", done);
    set(&mut shown, "SnapshotType", "manual");
    set(&mut shown, "SnapshotCreateTime", stamp(snapshot.born));
    set(&mut shown, "AvailabilityZone", snapshot.zone.as_deref().unwrap_or_default());
    set(&mut shown, "TagList", tag_list(&snapshot.tags));
    Value::Object(shown)
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let source = INSTANCE.one(ask, estate, ask.need("DBInstanceIdentifier"))?;
    in_state(ask, source, &["available", "stopped"])?;
    let source = source.id.to_string();
    let id = make(ask, estate, &source, ask.need("DBSnapshotIdentifier"))?;
    let later = Ask { now: ask.now + ask.effects.unseen, ..*ask };
    let made = SNAPSHOT.one(&later, estate, &id)?;
    Ok(json!({ "DBSnapshot": show(ask, made) }).into())
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let instance = ask.text("DBInstanceIdentifier").map(str::to_lowercase);
    let manual = ask.text("SnapshotType").is_none_or(|kind| kind == "manual");
    SNAPSHOT.page(ask, estate, show, |snapshot| {
        manual && instance.as_deref().is_none_or(|wanted| snapshot.body.get("DBInstanceIdentifier") == wanted)
    })
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let snapshot = SNAPSHOT.one(ask, estate, ask.need("DBSnapshotIdentifier"))?;
    if snapshot.state(ask.now) != "available" {
        let message = format!("Snapshot {} is not available.", snapshot.id);
        return Err(Refusal::new("InvalidDBSnapshotState", message));
    }
    let (id, mut shown) = (snapshot.id.clone(), show(ask, snapshot));
    shown["Status"] = "deleted".into();
    ask.end(estate, SNAPSHOTS, &id, TimeDelta::zero());
    Ok(json!({ "DBSnapshot": shown }).into())
}
