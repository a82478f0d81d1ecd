//! Images: boot disks that machines are made from.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;

use super::{DISK, IMAGE, profile, snapshot};
use crate::{
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        groups,
        ids::{self, Target},
        lro::Links,
        resource::{self, Draft},
    },
    estate::Estate,
};

/// Seconds that it takes to make or change an image.
const CHANGE: i64 = 8;

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, IMAGE, &[call.part("imageName")])?;
    let region = call.location(IMAGE)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    let source = text(&call.body, "properties.sourceVirtualMachine.id");
    if !source.is_empty() {
        let machine = ids::referred(call, estate, super::VM, source);
        let machine = machine.ok_or_else(|| profile::not_found(source, "sourceVirtualMachine"))?;
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!(
                "The VM '{}' is not generalized. An image can be made of a generalized VM only.",
                machine.name
            ),
        ));
    }
    let gib = boot_size(call, estate)?;
    let mut properties = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    let boot = &mut properties["storageProfile"]["osDisk"];
    if boot["diskSizeGB"].is_null() && gib > 0 {
        boot["diskSizeGB"] = json!(gib);
    }
    for (name, value) in [("caching", "ReadWrite"), ("storageAccountType", "Standard_LRS")] {
        if boot[name].is_null() {
            boot[name] = json!(value);
        }
    }
    if properties["storageProfile"]["dataDisks"].is_null() {
        properties["storageProfile"]["dataDisks"] = json!([]);
    }
    properties["hyperVGeneration"] = match text(&properties, "hyperVGeneration") {
        "" => json!("V1"),
        generation => json!(generation),
    };
    properties["provisioningState"] = json!("Succeeded");
    let document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "properties": properties,
    });
    let draft = Draft::new(&region.id, document).takes(CHANGE);
    let answer = resource::keep(call, estate, &target, draft).answer();
    let running = resource::running(call, &target, &region.id, TimeDelta::seconds(CHANGE), Links::Status);
    Ok(answer.running(running))
}

/// The size of what the boot disk is made from, which must be there.
fn boot_size(call: &Call<'_>, estate: &Estate) -> Outcome<u64> {
    let boot = call.property("storageProfile.osDisk");
    if boot.is_null() {
        return Err(Refused::lacks("storageProfile.osDisk"));
    }
    let (disk, copy) = (text(boot, "managedDisk.id"), text(boot, "snapshot.id"));
    let found = match (disk, copy, text(boot, "blobUri")) {
        ("", "", "") => return Err(Refused::lacks("osDisk.managedDisk")),
        ("", "", _) => return Ok(0),
        ("", copy, _) => {
            snapshot::find(call, estate, copy).ok_or_else(|| profile::not_found(copy, "osDisk.snapshot"))?
        }
        (disk, ..) => ids::referred(call, estate, DISK, disk)
            .ok_or_else(|| profile::not_found(disk, "osDisk.managedDisk"))?,
    };
    Ok(inside(&found.body.get("properties"), "diskSizeGB").as_u64().unwrap_or_default())
}

/// PATCH: tags; what an image is made from stays.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, IMAGE, &[call.part("imageName")])?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    if !call.property("storageProfile").is_null() {
        return Err(profile::change_not_allowed("storageProfile"));
    }
    let tags = call.body.get("tags").filter(|tags| tags.is_object()).cloned();
    let takes = TimeDelta::seconds(CHANGE);
    resource::change(call, estate, &target, ("Updating", "Succeeded", takes), |document| {
        if let Some(tags) = tags {
            document.insert("tags".to_owned(), tags);
        }
    });
    let shown = resource::show(call, target.need(call, estate)?);
    let running = resource::running(call, &target, &thing.place, takes, Links::Status);
    Ok(Answer::text(StatusCode::OK, shown).running(running))
}

/// DELETE.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, IMAGE, &[call.part("imageName")])?;
    resource::delete(call, estate, &target, CHANGE, |_, _| Ok(()))
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::get(call, estate, &Target::of(call, estate, IMAGE, &[call.part("imageName")])?)
}

/// The images of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, IMAGE)
}
