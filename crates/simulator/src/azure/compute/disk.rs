//! Managed disks.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{DISK, SNAPSHOT, attach, profile, zones};
use crate::{
    azure::{
        call::{Answer, Call, inside, merge, stamp, text},
        error::{Outcome, Refused},
        groups,
        ids::{self, Target},
        lro::Links,
        resource::{self, Draft},
    },
    estate::{Estate, Meter, Thing},
};

/// Seconds that it takes to make or change a disk.
const CHANGE: i64 = 3;

/// What a disk is charged for.
pub fn meter(sku: &str, gib: u64) -> Meter {
    let tier = if sku.starts_with("Premium") || sku.starts_with("Ultra") {
        "Premium_LRS"
    } else if sku.starts_with("StandardSSD") {
        "StandardSSD_LRS"
    } else {
        "Standard_LRS"
    };
    #[expect(clippy::cast_precision_loss, reason = "GiB of a disk")]
    Meter::new(&format!("disk/{tier}"), gib as f64)
}

/// The sku as it is shown, with its tier.
pub fn sku(name: &str) -> Value {
    let tier = name.split('_').next().unwrap_or("Standard");
    json!({ "name": name, "tier": if tier == "StandardSSD" { "Standard" } else { tier } })
}

/// The properties of a disk as they are shown.
pub fn shown(
    call: &Call<'_>,
    estate: &mut Estate,
    gib: u64,
    sku: &str,
    creation: &Value,
) -> Map<String, Value> {
    let (iops, mbps) = speed(sku, gib);
    let value = json!({
        "creationData": creation,
        "diskSizeGB": gib,
        "diskSizeBytes": gib * 1_073_741_824,
        "diskIOPSReadWrite": iops,
        "diskMBpsReadWrite": mbps,
        "encryption": { "type": "EncryptionAtRestWithPlatformKey" },
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": stamp(call.now),
        "uniqueId": call.new_guid(estate, "disk id"),
        "provisioningState": "Succeeded",
        "diskState": "Unattached",
    });
    if let Value::Object(members) = value { members } else { Map::new() }
}

/// Operations and megabytes a second, of the vendor's steps.
fn speed(sku: &str, gib: u64) -> (u64, u64) {
    match sku {
        sku if sku.starts_with("Premium") => match gib {
            0..=64 => (240, 50),
            65..=128 => (500, 100),
            129..=256 => (1_100, 125),
            257..=512 => (2_300, 150),
            _ => (5_000, 200),
        },
        sku if sku.starts_with("Ultra") => (gib * 300, 100),
        _ => (500, 60),
    }
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, DISK, &[call.part("diskName")])?;
    let region = call.location(DISK)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    if let Some(thing) = existing {
        return update(call, estate, &target, &thing);
    }
    let zones = zones(call, region, DISK, &target.name)?;
    let gib = size_of(call, estate, &region.id)?;
    let name = match text(&call.body, "sku.name") {
        "" => "Standard_LRS",
        name => name,
    };
    let creation = call.property("creationData").clone();
    let mut properties = shown(call, estate, gib, name, &creation);
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let kept = ["provisioningState", "diskState", "timeCreated", "uniqueId", "diskSizeBytes", "diskSizeGB"];
    properties
        .extend(sent.into_iter().filter(|(name, value)| !kept.contains(&name.as_str()) && !value.is_null()));
    let mut document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "sku": sku(name),
        "properties": properties,
    });
    if !zones.is_empty() {
        document["zones"] = json!(zones);
    }
    let mut draft = Draft::new(&region.id, document).takes(CHANGE).charged([meter(name, gib)]);
    draft.zone = zones.first().map(|zone| (*zone).into());
    name.clone_into(&mut draft.size);
    let text = resource::keep(call, estate, &target, draft).text;
    Ok(accepted(call, &target, &region.id, text))
}

fn accepted(call: &Call<'_>, target: &Target, place: &str, text: String) -> Answer {
    let running = resource::running(call, target, place, TimeDelta::seconds(CHANGE), Links::Both).giving();
    Answer::text(StatusCode::ACCEPTED, text).running(running)
}

/// The size of a new disk: what is asked for, at least that of its source.
fn size_of(call: &Call<'_>, estate: &Estate, place: &str) -> Outcome<u64> {
    let wanted = call.property("diskSizeGB").as_u64();
    let option = call.property("creationData.createOption").as_str().unwrap_or_default();
    let source_size = match option.to_lowercase().as_str() {
        "empty" => match wanted {
            None => return Err(Refused::lacks("disk.diskSizeGB")),
            Some(_) => 0,
        },
        "copy" => {
            let source = source(call, estate, place)?;
            inside(&source.body.get("properties"), "diskSizeGB").as_u64().unwrap_or(0)
        }
        "fromimage" => {
            if text(call.property("creationData"), "imageReference.id").is_empty()
                && text(call.property("creationData"), "galleryImageReference.id").is_empty()
            {
                return Err(Refused::lacks("disk.creationData.imageReference"));
            }
            30
        }
        _ => {
            return Err(Refused::conflict(
                "OperationNotAllowed",
                format!("The create option '{option}' of disk '{}' is not supported.", call.part("diskName")),
            ));
        }
    };
    let gib = wanted.unwrap_or(source_size);
    if gib < source_size {
        return Err(Refused::value(
            "disk.diskSizeGB",
            format!(
                "The specified disk size {gib} GB is smaller than the size of the source, {source_size} GB."
            ),
        ));
    }
    refuse_range("disk.diskSizeGB", gib)?;
    Ok(gib)
}

/// Refuses a size that no disk has, wherever one is said.
pub fn refuse_range(member: &str, gib: u64) -> Outcome<()> {
    if (1..=65_536).contains(&gib) {
        return Ok(());
    }
    Err(Refused::value(
        member,
        format!("The value '{gib}' of parameter '{member}' is out of range. It must be from 1 to 65536."),
    ))
}

/// The disk or snapshot that is copied, in the same region.
pub fn source<'e>(call: &Call<'_>, estate: &'e Estate, place: &str) -> Outcome<&'e Thing> {
    let id = call.property("creationData.sourceResourceId").as_str().unwrap_or_default();
    if id.is_empty() {
        return Err(Refused::lacks("creationData.sourceResourceId"));
    }
    let found = [DISK, SNAPSHOT].into_iter().find_map(|kind| ids::referred(call, estate, kind, id));
    let source = found.ok_or_else(|| profile::not_found(id, "creationData.sourceResourceId"))?;
    let start = call
        .property("creationData.createOption")
        .as_str()
        .is_some_and(|option| option.eq_ignore_ascii_case("copystart"));
    if *source.place != *place && !start {
        return Err(Refused::value(
            "creationData.sourceResourceId",
            format!(
                "The source resource '{id}' is in location '{}'; with create option 'Copy' it must be in '{place}'.",
                source.place
            ),
        ));
    }
    if source.gone_at.is_some() {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!("The source resource '{id}' cannot be copied since it is marked for deletion."),
        ));
    }
    if id.to_lowercase().contains("/snapshots/") && source.state(call.now) == "Creating" {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!("The source resource '{id}' cannot be copied since its own copy is not complete."),
        ));
    }
    Ok(source)
}

/// PATCH.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, DISK, &[call.part("diskName")])?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    update(call, estate, &target, &thing)
}

/// Changes size, sku, tags and settings.
fn update(call: &Call<'_>, estate: &mut Estate, target: &Target, thing: &Thing) -> Outcome<Answer> {
    let old = thing.body.get("properties");
    let before = inside(&old, "diskSizeGB").as_u64().unwrap_or_default();
    let gib = call.property("diskSizeGB").as_u64().unwrap_or(before);
    refuse_range("disk.diskSizeGB", gib)?;
    refuse_size(call, estate, thing, before, gib)?;
    let name = match text(&call.body, "sku.name") {
        "" => thing.size.to_string(),
        name => name.to_owned(),
    };
    let allocated =
        attach::owner(call, estate, thing).is_some_and(|owner| owner.state(call.now) != "Deallocated");
    if *name != *thing.size && allocated {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!(
                "Cannot change the storage account type of disk {} while it is attached to a running VM. Please \
                 deallocate the VM and retry the operation.",
                thing.name
            ),
        ));
    }
    let (iops, mbps) = speed(&name, gib);
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let tags = call.body.get("tags").filter(|tags| tags.is_object()).cloned();
    resource::change(
        call,
        estate,
        target,
        ("Updating", "Succeeded", TimeDelta::seconds(CHANGE)),
        |document| {
            if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
                let fixed = ["creationData", "provisioningState", "diskState", "timeCreated", "uniqueId"];
                merge(
                    properties,
                    &sent.into_iter().filter(|(name, _)| !fixed.contains(&name.as_str())).collect(),
                );
                properties.insert("diskSizeGB".to_owned(), json!(gib));
                properties.insert("diskSizeBytes".to_owned(), json!(gib * 1_073_741_824));
                properties.insert("diskIOPSReadWrite".to_owned(), json!(iops));
                properties.insert("diskMBpsReadWrite".to_owned(), json!(mbps));
            }
            document.insert("sku".to_owned(), sku(&name));
            if let Some(tags) = tags {
                document.insert("tags".to_owned(), tags);
            }
        },
    );
    if let Some(thing) = ids::find_mut(call, estate, DISK, &target.key) {
        thing.size = name.as_str().into();
        resource::charge(call, thing, vec![meter(&name, gib)]);
    }
    let text = resource::show(call, target.need(call, estate)?);
    Ok(accepted(call, target, &thing.place, text))
}

/// Disks only grow, and boot disks only while their machine has no place.
fn refuse_size(call: &Call<'_>, estate: &Estate, thing: &Thing, before: u64, gib: u64) -> Outcome<()> {
    if gib < before {
        return Err(Refused::bad(
            "BadRequest",
            format!(
                "Disk size reduction is not supported. Current size is {} bytes, requested size is {} bytes.",
                before * 1_073_741_824,
                gib * 1_073_741_824
            ),
        )
        .about("disk.diskSizeGB"));
    }
    let boot = !inside(&thing.body.get("properties"), "osType").is_null();
    let owner = attach::owner(call, estate, thing).filter(|owner| owner.state(call.now) != "Deallocated");
    match owner {
        Some(owner) if gib > before && boot => Err(Refused::conflict(
            "OperationNotAllowed",
            format!(
                "Cannot resize disk {} while it is attached to running VM {}. Resizing a disk of an Azure Virtual Machine \
                 requires the virtual machine to be deallocated. Please stop your VM and retry the operation.",
                thing.name, owner.name
            ),
        )),
        _ => Ok(()),
    }
}

/// DELETE.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, DISK, &[call.part("diskName")])?;
    resource::delete(call, estate, &target, CHANGE, |_, thing| match thing.body.get("managedBy").as_str() {
        Some(owner) => Err(Refused::conflict(
            "OperationNotAllowed",
            format!("Disk {} is attached to VM {owner}.", thing.name),
        )),
        None => Ok(()),
    })
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::get(call, estate, &Target::of(call, estate, DISK, &[call.part("diskName")])?)
}

/// The disks of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, DISK)
}
