//! Snapshots of volumes.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Description, IMAGES, SNAPSHOTS, done, given_tags, paged, set, tag, volumes, with_tags};
use crate::{
    aws::{
        ask::{Ask, stamp},
        filters::Source,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Meter, Thing},
};

/// How long a snapshot is pending.
const COPYING: TimeDelta = TimeDelta::seconds(60);
/// What of a volume is used, and so kept by a snapshot.
const USED: f64 = 0.6;

pub(super) const SNAPSHOT: Description = Description {
    kind: SNAPSHOTS,
    ids: "SnapshotIds",
    prefix: "snap-",
    code: "InvalidSnapshot",
    filters: &[
        ("snapshot-id", Source::Id),
        ("status", Source::State),
        ("volume-id", Source::Body(&["VolumeId"])),
        ("volume-size", Source::Body(&["VolumeSize"])),
        ("description", Source::Body(&["Description"])),
        ("encrypted", Source::Body(&["Encrypted"])),
        ("owner-id", Source::Owner),
        ("storage-tier", Source::Always("standard")),
    ],
    exclusive: true,
};

/// Makes a snapshot of a size.
pub(super) fn make(
    ask: &Ask<'_>,
    estate: &mut Estate,
    volume: &str,
    (gib, encrypted): (i64, bool),
    description: &str,
) -> Thing {
    let id = ask.new_id(estate, "snap-", 17);
    let mut snapshot = Thing::new(&id, ask.place(), ask.now, "pending");
    snapshot.life = Life::new(ask.now, "pending").then(COPYING, "completed");
    snapshot.body = json!({
        "VolumeId": volume, "VolumeSize": gib, "Encrypted": encrypted, "Description": description,
        "StorageTier": "standard",
    })
    .into();
    #[expect(clippy::cast_precision_loss, reason = "a size in GiB")]
    snapshot.meter(ask.now, [Meter::new("snapshot/standard", gib as f64 * USED)]);
    snapshot
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let volume = volumes::VOLUME.one(ask, estate, ask.need("VolumeId"))?;
    let body = volume.body.read();
    let id = volume.id.clone();
    let size = body.get("Size").and_then(Value::as_i64).unwrap_or(1);
    let encrypted = body.get("Encrypted").and_then(Value::as_bool).unwrap_or(false);
    let mut snapshot = make(ask, estate, &id, (size, encrypted), ask.text("Description").unwrap_or_default());
    tag(&mut snapshot, given_tags(ask, "snapshot"));
    let shown = show(ask, &snapshot);
    ask.add(estate, SNAPSHOTS, snapshot);
    Ok(shown.into())
}

pub(super) fn show(ask: &Ask<'_>, snapshot: &Thing) -> Value {
    let mut shown = with_tags(snapshot);
    let state = snapshot.state(ask.now);
    let age = (ask.now - snapshot.born).num_seconds().max(0);
    let percent = if state == "completed" { 100 } else { (age * 100 / COPYING.num_seconds()).min(99) };
    set(&mut shown, "SnapshotId", &*snapshot.id);
    set(&mut shown, "State", state);
    set(&mut shown, "Progress", format!("{percent}%"));
    set(&mut shown, "StartTime", stamp(snapshot.born));
    set(&mut shown, "OwnerId", ask.owner());
    if state == "completed" {
        set(&mut shown, "CompletionTime", stamp(snapshot.life.settles_at()));
    }
    Value::Object(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let owners = ask.texts("OwnerIds");
    let ours = owners.is_empty() || owners.iter().any(|owner| *owner == "self" || *owner == ask.owner());
    Ok(paged("Snapshots", SNAPSHOT.page_of(ask, estate, show, |_| ours)?).into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = SNAPSHOT.one(ask, estate, ask.need("SnapshotId"))?.id.clone();
    let uses = |image: &&Thing| {
        let mappings = image.body.get("BlockDeviceMappings");
        mappings.as_array().into_iter().flatten().any(|mapping| mapping["Ebs"]["SnapshotId"] == *id)
    };
    if let Some(image) = ask.all(estate, IMAGES).find(uses) {
        let message = format!("The snapshot {id} is currently in use by {}", image.id);
        return Err(Refusal::new("InvalidSnapshot.InUse", message));
    }
    ask.end(estate, SNAPSHOTS, &id, TimeDelta::zero());
    Ok(done().into())
}

pub(super) fn copy(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (region, id) = (ask.need("SourceRegion"), ask.need("SourceSnapshotId"));
    let there = source(ask, region)?;
    let source = SNAPSHOT.one(&there, estate, id)?;
    if source.state(ask.now) != "completed" {
        return Err(Refusal::new("IncorrectState", format!("The snapshot '{id}' is not completed.")));
    }
    let size = volumes::snapshot_of(&there, estate, id).unwrap_or((1, false));
    let encrypted = size.1 || ask.flag("Encrypted");
    // AWS gives copies a volume that does not exist.
    let description = ask.text("Description").unwrap_or_default();
    let mut copy = make(ask, estate, "vol-ffffffff", (size.0, encrypted), description);
    tag(&mut copy, given_tags(ask, "snapshot"));
    let (id, tags) = (copy.id.clone(), crate::aws::ask::tag_list(&copy.tags));
    ask.add(estate, SNAPSHOTS, copy);
    Ok(json!({ "SnapshotId": id, "Tags": tags }).into())
}

/// The same caller in another region of the account.
pub(super) fn source<'a>(ask: &Ask<'a>, region: &str) -> Result<Ask<'a>, Refusal> {
    let found = ask.account.region(region).filter(|region| region.enabled);
    let found = found.ok_or_else(|| {
        Refusal::new("InvalidParameterValue", format!("Invalid value '{region}' for SourceRegion."))
    })?;
    Ok(Ask { region: found, ..*ask })
}
