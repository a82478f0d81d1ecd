//! Volumes: made, attached, changed, and what of them goes with an instance.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    Description, INSTANCES, SNAPSHOTS, VOLUMES, done, given_tags, instances::INSTANCE, paged, set,
    snapshots::SNAPSHOT, tag, with_tags,
};
use crate::{
    aws::{
        ask::{Ask, stamp},
        filters::Source,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Meter, Replay, Thing},
};

/// How long a volume is being made, and how long a change of it takes.
const MAKING: TimeDelta = TimeDelta::seconds(3);
const CHANGE: TimeDelta = TimeDelta::minutes(10);
/// How long the token of a creation is kept.
const TOKEN_KEPT: TimeDelta = TimeDelta::hours(24);
/// AWS lets a volume be changed again after so long.
const BETWEEN_CHANGES: TimeDelta = TimeDelta::hours(6);

pub(super) const VOLUME: Description = Description {
    kind: VOLUMES,
    ids: "VolumeIds",
    prefix: "vol-",
    code: "InvalidVolume",
    filters: &[
        ("volume-id", Source::Id),
        ("status", Source::State),
        ("volume-type", Source::Size),
        ("availability-zone", Source::Zone),
        ("size", Source::Body(&["Size"])),
        ("snapshot-id", Source::Body(&["SnapshotId"])),
        ("encrypted", Source::Body(&["Encrypted"])),
        ("attachment.instance-id", Source::Body(&["Attachments", "InstanceId"])),
        ("attachment.device", Source::Body(&["Attachments", "Device"])),
        ("attachment.delete-on-termination", Source::Body(&["Attachments", "DeleteOnTermination"])),
    ],
    exclusive: false,
};

/// GiB that a volume may have.
pub(super) const SIZES: std::ops::RangeInclusive<i64> = 1..=65_536;

/// A volume to be made.
struct Plan<'a> {
    zone: &'a str,
    size: i64,
    kind: &'a str,
    iops: Option<i64>,
    throughput: Option<i64>,
    snapshot: &'a str,
    encrypted: bool,
}

fn make(ask: &Ask<'_>, estate: &mut Estate, plan: &Plan<'_>) -> Thing {
    let id = ask.new_id(estate, "vol-", 17);
    let mut volume = Thing::new(&id, ask.place(), ask.now, "creating");
    volume.life = Life::new(ask.now, "creating").then(MAKING, "available");
    volume.zone = Some(plan.zone.into());
    volume.size = plan.kind.into();
    let gp3 = plan.kind == "gp3";
    let mut body = serde_json::Map::new();
    set(&mut body, "Size", plan.size);
    set(&mut body, "SnapshotId", plan.snapshot);
    set(&mut body, "Encrypted", plan.encrypted);
    set(&mut body, "MultiAttachEnabled", false);
    if let Some(iops) =
        plan.iops.or(gp3.then_some(3000)).or((plan.kind == "gp2").then(|| (plan.size * 3).clamp(100, 16_000)))
    {
        set(&mut body, "Iops", iops);
    }
    if let Some(throughput) = plan.throughput.or(gp3.then_some(125)) {
        set(&mut body, "Throughput", throughput);
    }
    volume.body = (&body).into();
    charge(ask, &mut volume, plan.size);
    volume
}

fn charge(ask: &Ask<'_>, volume: &mut Thing, gib: i64) {
    let sku = format!("disk/{}", volume.size);
    #[expect(clippy::cast_precision_loss, reason = "a size in GiB")]
    volume.meter(ask.now, [Meter::new(&sku, gib as f64)]);
}

/// The volumes that an image and a launch ask for: made, attached, and as the instance names them.
pub(super) fn launched(
    ask: &Ask<'_>,
    estate: &mut Estate,
    instance: &str,
    zone: &str,
    image: &Value,
    root: &str,
) -> Vec<Value> {
    let mut mappings: Vec<Value> = image["BlockDeviceMappings"].as_array().cloned().unwrap_or_default();
    for given in ask.list("BlockDeviceMappings") {
        match mappings.iter_mut().find(|known| known["DeviceName"] == given["DeviceName"]) {
            Some(known) => {
                for (name, value) in given["Ebs"].as_object().into_iter().flatten() {
                    known["Ebs"][name] = value.clone();
                }
            }
            None => mappings.push(given.clone()),
        }
    }
    let mut shown = Vec::new();
    for mapping in mappings.iter().filter(|mapping| mapping.get("NoDevice").is_none()) {
        let (device, ebs) = (mapping["DeviceName"].as_str().unwrap_or(root), &mapping["Ebs"]);
        let snapshot = ebs["SnapshotId"].as_str().unwrap_or_default();
        let kept = snapshot_of(ask, estate, snapshot).is_some_and(|(_, encrypted)| encrypted);
        let plan = Plan {
            zone,
            size: ebs["VolumeSize"].as_i64().unwrap_or(8),
            kind: ebs["VolumeType"].as_str().unwrap_or("gp3"),
            iops: ebs["Iops"].as_i64(),
            throughput: ebs["Throughput"].as_i64(),
            snapshot,
            encrypted: kept || ebs["Encrypted"].as_bool().unwrap_or(false),
        };
        let mut volume = make(ask, estate, &plan);
        tag(&mut volume, given_tags(ask, "volume"));
        let ends = ebs["DeleteOnTermination"].as_bool().unwrap_or(true);
        volume.life = Life::new(ask.now, "in-use");
        attached(ask, &mut volume, instance, device, ends);
        shown.push(mapping_of(ask, &volume, device, ends));
        ask.add(estate, VOLUMES, volume);
    }
    shown
}

/// A volume as its instance names it.
fn mapping_of(ask: &Ask<'_>, volume: &Thing, device: &str, ends: bool) -> Value {
    json!({
        "DeviceName": device,
        "Ebs": {
            "VolumeId": volume.id, "AttachTime": stamp(ask.now), "DeleteOnTermination": ends, "Status": "attached",
        },
    })
}

fn attached(ask: &Ask<'_>, volume: &mut Thing, instance: &str, device: &str, ends: bool) {
    let attachment = json!({
        "InstanceId": instance, "VolumeId": volume.id, "Device": device, "State": "attached",
        "AttachTime": stamp(ask.now), "DeleteOnTermination": ends,
    });
    volume.body.edit(|body| set(body, "Attachments", vec![attachment]));
}

/// The volumes that are attached to an instance, as it names them.
pub(super) fn attached_to(ask: &Ask<'_>, estate: &Estate, instance: &Thing) -> Vec<Thing> {
    let mappings = instance.body.get("BlockDeviceMappings");
    let ids =
        mappings.as_array().into_iter().flatten().filter_map(|mapping| mapping["Ebs"]["VolumeId"].as_str());
    ids.filter_map(|id| ask.find(estate, VOLUMES, id)).cloned().collect()
}

/// What becomes of volumes whose instance is terminated: they end with it, or are free.
pub(super) fn let_go(ask: &Ask<'_>, estate: &mut Estate, volumes: &[Thing]) {
    for volume in volumes {
        let attachments = volume.body.get("Attachments");
        let ends = attachments.as_array().into_iter().flatten().any(|one| one["DeleteOnTermination"] == true);
        if ends {
            ask.end(estate, VOLUMES, &volume.id, TimeDelta::seconds(30));
        } else if let Some(volume) = ask.find_mut(estate, VOLUMES, &volume.id) {
            free(ask, volume);
        }
    }
}

fn free(ask: &Ask<'_>, volume: &mut Thing) {
    volume.life.turn(ask.now, "available");
    volume.body.edit(|body| set(body, "Attachments", Vec::<Value>::new()));
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let Some(token) = ask.text("ClientToken") else { return create_new(ask, estate) };
    let scope = format!("CreateVolume/{}/{}", ask.owner(), ask.place());
    let request = ask.input.to_string();
    match estate.replay(&scope, token, &request, ask.now) {
        Replay::Same(answer) => return Ok(answer.into()),
        Replay::Other => {
            let message = "The client token was used with other parameters.";
            return Err(Refusal::new("IdempotentParameterMismatch", message));
        }
        Replay::New => {}
    }
    let answer = create_new(ask, estate)?;
    estate.remember(&scope, token, &request, answer.value.clone(), (ask.now, Some(ask.now + TOKEN_KEPT)));
    Ok(answer)
}

fn create_new(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let zone = ask.text("AvailabilityZone").unwrap_or_default();
    if !ask.zones().any(|known| known == zone) {
        return Err(Refusal::new("InvalidZone.NotFound", format!("The zone '{zone}' does not exist.")));
    }
    let snapshot = ask.text("SnapshotId").map(|id| SNAPSHOT.one(ask, estate, id)).transpose()?;
    if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.state(ask.now) != "completed") {
        let message = format!("Snapshot {} is in invalid state - {}", snapshot.id, snapshot.state(ask.now));
        return Err(Refusal::new("IncorrectState", message));
    }
    let least = snapshot.and_then(|snapshot| snapshot.body.get("VolumeSize").as_i64());
    let size = ask.number("Size").or(least).ok_or_else(|| {
        Refusal::new("MissingParameter", "The request must contain the parameter size/snapshot")
    })?;
    if size < least.unwrap_or(1) || !SIZES.contains(&size) {
        let message = format!("Volume of {size}GiB is smaller than its snapshot, or not from 1 to 65536 GiB");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let plan = Plan {
        zone,
        size,
        kind: ask.text("VolumeType").unwrap_or("gp2"),
        iops: ask.number("Iops"),
        throughput: ask.number("Throughput"),
        snapshot: ask.text("SnapshotId").unwrap_or_default(),
        // What is encrypted stays so.
        encrypted: ask.flag("Encrypted")
            || snapshot.is_some_and(|snapshot| snapshot.body.get("Encrypted") == true),
    };
    let mut volume = make(ask, estate, &plan);
    tag(&mut volume, given_tags(ask, "volume"));
    let shown = show(ask, &volume);
    ask.add(estate, VOLUMES, volume);
    Ok(shown.into())
}

fn show(ask: &Ask<'_>, volume: &Thing) -> Value {
    let mut shown = with_tags(volume);
    shown.shift_remove("Modification");
    set(&mut shown, "VolumeId", &*volume.id);
    set(&mut shown, "State", volume.state(ask.now));
    set(&mut shown, "VolumeType", &*volume.size);
    set(&mut shown, "AvailabilityZone", volume.zone.as_deref().unwrap_or_default());
    set(&mut shown, "CreateTime", stamp(volume.born));
    shown.entry("Attachments").or_insert_with(|| Value::Array(Vec::new()));
    Value::Object(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    Ok(paged("Volumes", VOLUME.page(ask, estate, show)?).into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let volume = VOLUME.one(ask, estate, ask.need("VolumeId"))?;
    let id = volume.id.clone();
    match volume.state(ask.now) {
        "available" | "error" => {
            ask.end(estate, VOLUMES, &id, TimeDelta::zero());
            Ok(done().into())
        }
        "in-use" => Err(Refusal::new("VolumeInUse", format!("Volume {id} is currently attached"))),
        other => Err(Refusal::new("IncorrectState", format!("Volume {id} is {other}"))),
    }
}

pub(crate) fn attach(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (id, device) = (ask.need("VolumeId"), ask.need("Device"));
    let instance = INSTANCE.one(ask, estate, ask.need("InstanceId"))?;
    let volume = VOLUME.one(ask, estate, id)?;
    if volume.state(ask.now) != "available" {
        let message = format!("vol {id} is not 'available'.");
        return Err(Refusal::new("IncorrectState", message));
    }
    if !matches!(instance.state(ask.now), "running" | "stopped") {
        let message = format!("Instance '{}' is not 'running' or 'stopped'.", instance.id);
        return Err(Refusal::new("IncorrectState", message));
    }
    if volume.zone != instance.zone {
        let message =
            format!("The volume '{id}' is not in the same availability zone as instance '{}'", instance.id);
        return Err(Refusal::new("InvalidVolume.ZoneMismatch", message));
    }
    let used = instance.body.get("BlockDeviceMappings");
    if used.as_array().into_iter().flatten().any(|mapping| mapping["DeviceName"] == device) {
        let message =
            format!("Invalid value '{device}' for unixDevice. Attachment point {device} is already in use");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let instance = instance.id.clone();
    let volume = VOLUME.one_mut(ask, estate, id)?;
    volume.life.turn(ask.now, "in-use");
    attached(ask, volume, &instance, device, false);
    let mapping = mapping_of(ask, volume, device, false);
    if let Some(instance) = ask.find_mut(estate, INSTANCES, &instance) {
        instance.body.edit(|body| {
            if let Some(list) = body.get_mut("BlockDeviceMappings").and_then(Value::as_array_mut) {
                list.push(mapping);
            }
        });
    }
    Ok(json!({
        "VolumeId": id, "InstanceId": instance, "Device": device, "State": "attaching", "AttachTime": stamp(ask.now),
        "DeleteOnTermination": false,
    })
    .into())
}

pub(super) fn detach(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = ask.need("VolumeId");
    let volume = VOLUME.one(ask, estate, id)?;
    let attachments = volume.body.get("Attachments");
    let attachment = attachments.as_array().and_then(|list| list.first()).cloned().ok_or_else(|| {
        Refusal::new("IncorrectState", format!("Volume '{id}' is in the 'available' state."))
    })?;
    let instance = attachment["InstanceId"].as_str().unwrap_or_default().to_owned();
    if ask.text("InstanceId").is_some_and(|wanted| wanted != instance) {
        let message = format!("Volume '{id}' is not attached to the instance that was named");
        return Err(Refusal::new("InvalidAttachment.NotFound", message));
    }
    if let Some(instance) = ask.find_mut(estate, INSTANCES, &instance) {
        let root = instance.body.get("RootDeviceName");
        if root == attachment["Device"] && instance.state(ask.now) != "stopped" {
            let message = format!("Unable to detach root volume '{id}' from instance '{}'", instance.id);
            return Err(Refusal::new("OperationNotPermitted", message));
        }
        instance.body.edit(|body| {
            if let Some(list) = body.get_mut("BlockDeviceMappings").and_then(Value::as_array_mut) {
                list.retain(|mapping| mapping["Ebs"]["VolumeId"] != id);
            }
        });
    }
    free(ask, VOLUME.one_mut(ask, estate, id)?);
    let mut shown = attachment;
    shown["State"] = "detaching".into();
    Ok(shown.into())
}

pub(super) fn modify(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = ask.need("VolumeId");
    let volume = VOLUME.one_mut(ask, estate, id)?;
    let body = volume.body.read();
    let since = body.get("Modification").and_then(|last| last["StartTime"].as_str()?.parse().ok());
    if since.is_some_and(|since: chrono::DateTime<chrono::Utc>| ask.now - since < BETWEEN_CHANGES) {
        let message = format!(
            "You've reached the maximum modification rate per volume limit. Wait at least 6 hours between modifications per EBS volume {id}."
        );
        return Err(Refusal::new("VolumeModificationRateExceeded", message));
    }
    let before = body.get("Size").and_then(Value::as_i64).unwrap_or_default();
    let size = ask.number("Size").unwrap_or(before);
    if !SIZES.contains(&size) {
        let message = format!("Volume of {size}GiB is not from 1 to 65536 GiB");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    if size < before {
        let message = format!("New size cannot be smaller than existing size {before} GiB");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let number = |name: &str| body.get(name).and_then(Value::as_i64);
    let kind = ask.text("VolumeType").unwrap_or(&volume.size).to_owned();
    let modification = json!({
        "VolumeId": id, "StartTime": stamp(ask.now),
        "OriginalSize": before, "TargetSize": size,
        "OriginalVolumeType": volume.size, "TargetVolumeType": kind,
        "OriginalIops": number("Iops"), "TargetIops": ask.number("Iops").or(number("Iops")),
        "OriginalThroughput": number("Throughput"), "TargetThroughput": ask.number("Throughput").or(number("Throughput")),
    });
    volume.size = kind.into();
    volume.body.edit(|body| {
        set(body, "Size", size);
        for name in ["Iops", "Throughput"] {
            if let Some(value) = ask.number(name) {
                set(body, name, value);
            }
        }
        set(body, "Modification", modification.clone());
    });
    charge(ask, volume, size);
    Ok(json!({ "VolumeModification": progress(ask, &modification) }).into())
}

/// How far a change has come.
fn progress(ask: &Ask<'_>, modification: &Value) -> Value {
    let mut shown = modification.clone();
    let since: Option<chrono::DateTime<chrono::Utc>> =
        modification["StartTime"].as_str().and_then(|text| text.parse().ok());
    let age = since.map_or(CHANGE, |since| ask.now - since);
    let percent = (age.num_seconds() * 100 / CHANGE.num_seconds()).clamp(0, 100);
    shown["Progress"] = percent.into();
    shown["ModificationState"] = if percent < 100 { "modifying" } else { "completed" }.into();
    if let Some(since) = since.filter(|_| percent == 100) {
        shown["EndTime"] = stamp(since + CHANGE);
    }
    shown
}

pub(super) fn modifications(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let show = |ask: &Ask<'_>, volume: &Thing| progress(ask, &volume.body.get("Modification"));
    let changed = |volume: &Thing| !volume.body.get("Modification").is_null();
    Ok(paged("VolumesModifications", VOLUME.page_of(ask, estate, show, changed)?).into())
}

/// Whether a snapshot was made of a volume that was made of it: what keeps it.
pub(super) fn snapshot_of(ask: &Ask<'_>, estate: &Estate, id: &str) -> Option<(i64, bool)> {
    let snapshot = ask.find(estate, SNAPSHOTS, id)?;
    let body = snapshot.body.read();
    Some((body.get("VolumeSize")?.as_i64()?, body.get("Encrypted")?.as_bool()?))
}
