//! Disks, and the snapshots of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    change,
    collection::Collection,
    image,
    link::{self, BASE, Link},
    operation, read,
};
use crate::{
    estate::{Estate, Meter, Thing},
    google::{
        call::{Answer, Call, Outcome, number, pacific},
        refusal::Refusal,
    },
};

/// The types there are, with the least and most GiB.
pub const TYPES: &[(&str, u64, u64)] = &[
    ("pd-standard", 10, 65_536),
    ("pd-balanced", 10, 65_536),
    ("pd-ssd", 10, 65_536),
    ("pd-extreme", 500, 65_536),
    ("hyperdisk-balanced", 4, 65_536),
];

/// What follows from the time: who uses a disk is kept beside its body, since a user that is gone uses nothing.
pub fn shown(thing: &Thing, _now: DateTime<Utc>) -> Map<String, Value> {
    let mut members = Map::new();
    if !thing.size.is_empty() {
        members.insert("sizeGb".into(), json!(&*thing.size));
    }
    members
}

/// What a disk is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name and place.
    pub link: Link,
    /// `pd-balanced`.
    pub kind: String,
    /// GiB.
    pub gib: u64,
    /// Members that say what it is made from, and what else is copied.
    pub members: Map<String, Value>,
    /// Labels.
    pub labels: Value,
}

/// `insert`.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    let mut members = Map::new();
    let image_text =
        Some(call.asked("sourceImage")).filter(|text| !text.is_empty()).unwrap_or(call.said("sourceImage"));
    let source = source(call, estate, "resource", image_text, call.said("sourceSnapshot"))?;
    let asked = call.body.get("sizeGb").and_then(number);
    let gib = size(asked, source.as_ref().map(|source| source.gib), 500)?;
    if let Some(source) = source {
        members.extend(source.members);
    }
    let dropped = ["name", "sizeGb", "type", "sourceImage", "sourceSnapshot"];
    let said = call.body.iter().filter(|(name, _)| !dropped.contains(&name.as_str()));
    change::keep(&mut members, &said.map(|(name, value)| (name.clone(), value.clone())).collect());
    let kind = disk_type(call, "resource.type", call.said("type"), &link.place)?;
    let labels = call.body.get("labels").cloned().unwrap_or_default();
    let wanted = Wanted { link: link.clone(), kind, gib, members, labels };
    let thing = make(call, estate, wanted, TimeDelta::seconds(4))?;
    let target_id = thing.body.get("id").as_str().unwrap_or_default().to_owned();
    estate.add(call.cause(), "compute.disks", thing);
    let known = change::Known { link, id: target_id };
    change::done(call, estate, &known, "insert", TimeDelta::seconds(4))
}

/// A disk that is ready after a while; it is not added yet.
pub fn make(
    call: &Call<'_>,
    estate: &mut Estate,
    wanted: Wanted,
    takes: TimeDelta,
) -> Result<Thing, Refusal> {
    let Wanted { link, kind, gib, members, labels } = wanted;
    let (least, most) = TYPES
        .iter()
        .find(|(name, ..)| *name == kind)
        .map_or((10, 65_536), |(_, least, most)| (*least, *most));
    if !(least..=most).contains(&gib) {
        let why = format!("Disk size must be between {least} GB and {most} GB, inclusive.");
        return Err(Refusal::invalid("resource.sizeGb", &gib.to_string(), &why));
    }
    let collection = Collection::named("disks").ok_or_else(|| Refusal::unimplemented("disks"))?;
    let (mut thing, mut body) = change::new_thing(call, estate, collection, &link, "CREATING")?;
    thing.tags = change::labels(Some(&labels))?;
    thing.life.plan(takes, "READY");
    thing.size = gib.to_string().into();
    body.insert(
        "type".into(),
        format!("{BASE}projects/{}/zones/{}/diskTypes/{kind}", link.project, link.place).into(),
    );
    body.insert("physicalBlockSizeBytes".into(), "4096".into());
    body.extend(members);
    thing.body = (&body).into();
    thing.meter(call.now, [Meter::new(&format!("disk/{kind}"), as_f64(gib))]);
    Ok(thing)
}

/// What a disk is made from.
#[derive(Debug)]
pub struct Source {
    /// The least it may have.
    pub gib: u64,
    /// What the disk says of it.
    pub members: Map<String, Value>,
}

/// The image or snapshot that a disk is to be made from, if one is named.
pub fn source(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    image_text: &str,
    snapshot: &str,
) -> Result<Option<Source>, Refusal> {
    let mut members = Map::new();
    if !image_text.is_empty() {
        let image = image::resolve(call, estate, &format!("{field}.sourceImage"), image_text)?;
        let gib = image.get("diskSizeGb").and_then(number).unwrap_or(10);
        for (from, to) in [
            ("selfLink", "sourceImage"),
            ("id", "sourceImageId"),
            ("architecture", "architecture"),
            ("licenses", "licenses"),
            ("guestOsFeatures", "guestOsFeatures"),
        ] {
            if let Some(value) = image.get(from) {
                members.insert(to.into(), value.clone());
            }
        }
        return Ok(Some(Source { gib, members }));
    }
    if snapshot.is_empty() {
        return Ok(None);
    }
    let link =
        change::resolve(call, estate, &format!("{field}.sourceSnapshot"), snapshot, "global", "snapshots")?;
    let thing = estate.get(call.project(), "compute.snapshots", "global", &link.name, call.now);
    let thing = thing.ok_or_else(|| Refusal::not_found(&link.path()))?;
    if thing.state(call.now) != "READY" {
        return Err(Refusal::not_ready(&link.path()));
    }
    let kept = thing.body.read();
    let gib = kept.get("diskSizeGb").and_then(number).unwrap_or(10);
    members.insert("sourceSnapshot".into(), link.to_string().into());
    members.insert("sourceSnapshotId".into(), kept.get("id").cloned().unwrap_or_default());
    Ok(Some(Source { gib, members }))
}

/// How large a disk becomes: what was asked for, but not less than its source.
pub fn size(asked: Option<u64>, source: Option<u64>, otherwise: u64) -> Result<u64, Refusal> {
    match (asked, source) {
        (Some(asked), Some(source)) if asked < source => {
            let why = format!("Requested disk size cannot be smaller than the image size ({source} GB)");
            Err(Refusal::invalid("resource.sizeGb", &asked.to_string(), &why))
        }
        (Some(asked), _) => Ok(asked),
        (None, source) => Ok(source.unwrap_or(otherwise)),
    }
}

/// A type of disks, by link or name; `pd-standard` if none is said.
pub fn disk_type(call: &Call<'_>, field: &str, text: &str, place: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Ok("pd-standard".into());
    }
    let link = Link::read(text, call.project(), place, "diskTypes")
        .ok_or_else(|| Refusal::invalid(field, text, "The URL is malformed."))?;
    if link.place == place && TYPES.iter().any(|(name, ..)| *name == link.name) {
        return Ok(link.name);
    }
    Err(Refusal::dangling(field, text))
}

/// `resize`: only to more.
pub fn resize(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = change::known(call, estate)?;
    let wanted = call.body.get("sizeGb").and_then(number).ok_or_else(|| Refusal::required("sizeGb"))?;
    let thing = change::changed(call, estate)?;
    if thing.state(call.now) != "READY" {
        return Err(Refusal::not_ready(&known.link.path()));
    }
    let present: u64 = thing.size.parse().unwrap_or_default();
    if wanted <= present {
        let why = format!("New disk size '{wanted}' must be larger than existing size '{present}'.");
        return Err(Refusal::invalid("sizeGb", &wanted.to_string(), &why));
    }
    thing.size = wanted.to_string().into();
    let kind = thing.body.get("type").as_str().map(|kind| link::last(kind).to_owned()).unwrap_or_default();
    thing.meter(call.now, [Meter::new(&format!("disk/{kind}"), as_f64(wanted))]);
    change::done(call, estate, &known, "resizeDisk", TimeDelta::seconds(3))
}

/// `delete`, of a disk that no instance has.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (_, thing) = read::named(call, estate)?;
    let users = thing.body.get("users");
    if let Some(user) = users.get(0).and_then(Value::as_str) {
        let path = Link::new(call.project(), &thing.place, "disks", &thing.id).path();
        return Err(Refusal::in_use(&path, user.trim_start_matches(BASE)));
    }
    change::delete(call, estate)
}

/// Says that an instance uses a disk, or does not any more.
pub fn set_user(disk: &mut Thing, instance: &Link, uses: bool, now: DateTime<Utc>) {
    let user = Value::String(instance.to_string());
    disk.body.edit(|body| {
        let mut users = body.remove("users").and_then(|users| users.as_array().cloned()).unwrap_or_default();
        users.retain(|other| *other != user);
        if uses {
            users.push(user);
        }
        if !users.is_empty() {
            body.insert("users".into(), users.into());
        }
        let key = if uses { "lastAttachTimestamp" } else { "lastDetachTimestamp" };
        body.insert(key.into(), pacific(now).into());
    });
}

/// `disks.createSnapshot`: the snapshot is what the body describes.
pub fn create_snapshot(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let place = read::place(call)?;
    let disk = Link::new(call.project(), place, "disks", call.part("disk"));
    snapshot(call, estate, &disk, "createSnapshot")
}

/// `snapshots.insert`: the same, with the disk named in the body.
pub fn insert_snapshot(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let text = call.must_say("sourceDisk")?;
    let disk = Link::read(text, call.project(), "", "disks").filter(|link| !link.place.is_empty());
    let disk = disk.ok_or_else(|| Refusal::invalid("resource.sourceDisk", text, "The URL is malformed."))?;
    snapshot(call, estate, &disk, "insert")
}

fn snapshot(call: &Call<'_>, estate: &mut Estate, source: &Link, kind: &str) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let disk = estate.get(call.project(), "compute.disks", &source.place, &source.name, call.now);
    let disk = disk.ok_or_else(|| Refusal::not_found(&source.path()))?;
    if disk.state(call.now) != "READY" {
        return Err(Refusal::not_ready(&source.path()));
    }
    let (gib, disk_id, kept) = (disk.size.to_string(), disk.body.get("id"), disk.body.read());
    let collection = Collection::named("snapshots").ok_or_else(|| Refusal::unimplemented("snapshots"))?;
    let name = call.must_say("name")?;
    change::check_name("resource.name", name)?;
    let link = Link::new(call.project(), "global", "snapshots", name);
    if estate.is_taken(call.project(), "compute.snapshots", "global", name, call.now) {
        return Err(Refusal::exists(&link.path()));
    }
    let takes = TimeDelta::seconds(40);
    let (mut thing, mut body) = change::new_thing(call, estate, collection, &link, "CREATING")?;
    thing.life.plan(TimeDelta::seconds(5), "UPLOADING");
    thing.life.plan(takes - TimeDelta::seconds(5), "READY");
    let stored = gib.parse::<u64>().unwrap_or_default() * 2 / 5;
    body.insert("sourceDisk".into(), source.to_string().into());
    body.insert("sourceDiskId".into(), disk_id);
    body.insert("diskSizeGb".into(), gib.into());
    body.insert("storageBytes".into(), (stored << 30).to_string().into());
    body.insert("storageBytesStatus".into(), "UP_TO_DATE".into());
    body.insert("storageLocations".into(), json!([link::region_of(&source.place)]));
    body.insert("snapshotType".into(), "STANDARD".into());
    for name in ["architecture", "licenses", "guestOsFeatures"] {
        if let Some(value) = kept.get(name) {
            body.insert(name.into(), value.clone());
        }
    }
    thing.body = (&body).into();
    thing.meter(call.now, [Meter::new("snapshot/standard", as_f64(stored.max(1)))]);
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    estate.add(call.cause(), "compute.snapshots", thing);
    // Google keeps the operation in the disk's zone; the target is the disk for one method, the snapshot for the other.
    let target = if kind == "insert" { link } else { source.clone() };
    change::done(call, estate, &change::Known { link: target, id }, kind, takes)
}

/// A count as a number that is charged for.
pub fn as_f64(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "gibibytes and processors are few")]
    let number = count as f64;
    number
}
