//! Snapshots of disks.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{SNAPSHOT, disk};
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

/// Seconds that it takes to change a snapshot.
const CHANGE: i64 = 3;

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, SNAPSHOT, &[call.part("snapshotName")])?;
    let region = call.location(SNAPSHOT)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    if let Some(thing) = existing {
        return update(call, estate, &target, &thing);
    }
    let option = call.property("creationData.createOption").as_str().unwrap_or_default().to_lowercase();
    if !["copy", "copystart"].contains(&option.as_str()) {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!("The create option '{option}' of snapshot '{}' is not supported.", target.name),
        ));
    }
    let source = disk::source(call, estate, &region.id)?;
    let (gib, seconds) = size_and_time(source, &region.id);
    let source_properties = source.body.get("properties");
    let name = match text(&call.body, "sku.name") {
        "" => "Standard_LRS",
        name => name,
    };
    let mut creation = call.property("creationData").clone();
    creation["sourceUniqueId"] = inside(&source_properties, "uniqueId").clone();
    let mut properties = json!({
        "creationData": creation,
        "diskSizeGB": gib,
        "diskSizeBytes": gib * 1_073_741_824,
        "encryption": { "type": "EncryptionAtRestWithPlatformKey" },
        "incremental": call.property("incremental").as_bool().unwrap_or(false),
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": stamp(call.now),
        "uniqueId": call.new_guid(estate, "snapshot"),
        "provisioningState": "Succeeded",
        "diskState": "Unattached",
    });
    if let Some(system) = source_properties.get("osType") {
        properties["osType"] = system.clone();
    }
    let document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "sku": { "name": name, "tier": name.split('_').next() },
        "properties": properties,
    });
    #[expect(clippy::cast_precision_loss, reason = "GiB of a disk")]
    let meter = Meter::new("snapshot/Standard_LRS", gib as f64);
    let draft = Draft::new(&region.id, document).takes(seconds).charged([meter]);
    let text = resource::keep(call, estate, &target, draft).text;
    let takes = TimeDelta::seconds(seconds);
    let running = resource::running(call, &target, &region.id, takes, Links::Both).giving();
    Ok(Answer::text(StatusCode::ACCEPTED, text).running(running))
}

/// The size of a source, and how long its copy takes: seconds within a region, minutes between two.
fn size_and_time(source: &Thing, place: &str) -> (u64, i64) {
    let gib = inside(&source.body.get("properties"), "diskSizeGB").as_u64().unwrap_or_default();
    let far = *source.place != *place;
    (gib, if far { 60 + i64::try_from(gib).unwrap_or_default() } else { 5 })
}

/// PATCH.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, SNAPSHOT, &[call.part("snapshotName")])?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    update(call, estate, &target, &thing)
}

fn update(call: &Call<'_>, estate: &mut Estate, target: &Target, thing: &Thing) -> Outcome<Answer> {
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let tags = call.body.get("tags").filter(|tags| tags.is_object()).cloned();
    let takes = TimeDelta::seconds(CHANGE);
    resource::change(call, estate, target, ("Updating", "Succeeded", takes), |document| {
        if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
            let open = ["networkAccessPolicy", "publicNetworkAccess", "diskAccessId", "dataAccessAuthMode"];
            merge(properties, &sent.into_iter().filter(|(name, _)| open.contains(&name.as_str())).collect());
        }
        if let Some(tags) = tags {
            document.insert("tags".to_owned(), tags);
        }
    });
    let text = resource::show(call, target.need(call, estate)?);
    let running = resource::running(call, target, &thing.place, takes, Links::Both).giving();
    Ok(Answer::text(StatusCode::ACCEPTED, text).running(running))
}

/// DELETE.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, SNAPSHOT, &[call.part("snapshotName")])?;
    resource::delete(call, estate, &target, CHANGE, |_, _| Ok(()))
}

/// GET. While it is copied from another region, it tells how far that is.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = Target::of(call, estate, SNAPSHOT, &[call.part("snapshotName")])?;
    let thing = target.need(call, estate)?;
    Ok(Answer::text(StatusCode::OK, show(call, thing)))
}

fn show(call: &Call<'_>, thing: &Thing) -> String {
    if thing.life.is_settled(call.now) {
        return resource::show(call, thing);
    }
    let mut value = resource::value(call, thing);
    #[expect(clippy::cast_precision_loss, reason = "seconds of a copy")]
    let share = {
        let begun = thing.life.since(call.now);
        let whole = (thing.life.settles_at() - begun).num_seconds().max(1) as f64;
        ((call.now - begun).num_seconds() as f64 / whole * 100.0).floor()
    };
    value["properties"]["completionPercent"] = json!(share);
    value.to_string()
}

/// The snapshots of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list_where(call, estate, SNAPSHOT, resource::PAGE, |_| true, show)
}

/// The thing behind an id, for those that refer to it.
pub fn find<'e>(call: &Call<'_>, estate: &'e Estate, id: &str) -> Option<&'e Thing> {
    ids::referred(call, estate, SNAPSHOT, id)
}
