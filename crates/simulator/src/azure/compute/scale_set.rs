//! Scale sets: so many machines of one model.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{SET, SET_VM, profile, quota, set_instance, size, zones};
use crate::{
    azure::{
        call::{Answer, Call, inside, merge, stamp, text},
        error::{Outcome, Refused},
        groups,
        ids::Target,
        lro::Links,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// Seconds that it takes to make or change a set.
const CHANGE: i64 = 45;
/// Machines that a set may have.
const MOST: u64 = 1_000;

/// The call's set; the listing of machines names it differently.
pub fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    let name = match call.part("vmScaleSetName") {
        "" => call.part("virtualMachineScaleSetName"),
        name => name,
    };
    Target::of(call, estate, SET, &[name])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, SET, &[call.part("vmScaleSetName")])?;
    super::vm::refuse_taken(call, estate, &target)?;
    let region = call.location(SET)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    if let Some(thing) = existing {
        let document = call.body.as_object().cloned().unwrap_or_default();
        return update(call, estate, &target, &thing, document);
    }
    let zones = zones(call, region, SET, &target.name)?;
    let (name, capacity) = wanted(call, &call.body)?;
    let size = size(call, &name)?;
    refuse_profile(call, estate)?;
    quota::refuse_beyond(call, estate, region, size, capacity)?;
    let failure = quota::allocation_failure(call, region, zones.first().copied(), &size.name)?;
    let mut properties = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    complete(call, estate, &mut properties);
    let mut document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "sku": { "name": size.name.as_ref(), "tier": "Standard", "capacity": capacity },
        "etag": "\"1\"",
        "properties": properties,
    });
    if !zones.is_empty() {
        document["zones"] = json!(zones);
    }
    let mut draft = Draft::new(&region.id, document).takes(CHANGE);
    draft.size = size.name.to_string();
    if failure.is_some() {
        draft.settles = "Failed";
    }
    let kept = resource::keep(call, estate, &target, draft);
    if failure.is_none() {
        set_instance::scale(call, estate, &target, &region.id, capacity);
    }
    let running = resource::running(call, &target, &region.id, TimeDelta::seconds(CHANGE), Links::Status);
    Ok(kept.answer().running(running.failing(failure)))
}

/// Size and number of machines.
fn wanted(call: &Call<'_>, body: &Value) -> Outcome<(String, u64)> {
    let name = text(body, "sku.name");
    if name.is_empty() {
        return Err(Refused::lacks("sku.name"));
    }
    let capacity = inside(body, "sku.capacity").as_u64();
    let capacity = capacity.ok_or_else(|| Refused::lacks("sku.capacity"))?;
    if capacity > MOST {
        return Err(Refused::bad(
            "BadRequest",
            format!(
                "The capacity {capacity} of VM scale set '{}' exceeds the maximum of {MOST}.",
                call.part("vmScaleSetName")
            ),
        ));
    }
    Ok((name.to_owned(), capacity))
}

/// The model of the machines.
fn refuse_profile(call: &Call<'_>, estate: &Estate) -> Outcome<()> {
    let model = call.property("virtualMachineProfile");
    if model.is_null() {
        return Err(Refused::lacks("virtualMachineProfile"));
    }
    if call.property("orchestrationMode").as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("flexible")) {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            "Orchestration mode 'Flexible' is not available for this subscription. Use 'Uniform'.",
        ));
    }
    profile::image(call, estate, inside(model, "storageProfile.imageReference"))?;
    for name in ["computerNamePrefix", "adminUsername"] {
        if text(model, &format!("osProfile.{name}")).is_empty() {
            return Err(Refused::lacks(&format!("osProfile.{name}")));
        }
    }
    let interfaces = inside(model, "networkProfile.networkInterfaceConfigurations").as_array();
    if interfaces.is_none_or(Vec::is_empty) {
        return Err(Refused::lacks("networkProfile.networkInterfaceConfigurations"));
    }
    if call.property("upgradePolicy.mode").is_null() {
        return Err(Refused::lacks("upgradePolicy.mode"));
    }
    Ok(())
}

fn complete(call: &Call<'_>, estate: &mut Estate, properties: &mut Map<String, Value>) {
    properties.insert("uniqueId".to_owned(), json!(call.new_guid(estate, "set")));
    properties.insert("timeCreated".to_owned(), stamp(call.now));
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.entry("orchestrationMode").or_insert(json!("Uniform"));
    properties.entry("overprovision").or_insert(json!(false));
    let profile = properties.get_mut("virtualMachineProfile").and_then(|model| model.get_mut("osProfile"));
    if let Some(profile) = profile.and_then(Value::as_object_mut) {
        profile.retain(|name, _| !["adminPassword", "customData"].contains(&name.as_str()));
    }
}

/// PATCH.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    let mut document = thing.body.read();
    let mut change = call.body.as_object().cloned().unwrap_or_default();
    if let Some(tags) = change.remove("tags").filter(Value::is_object) {
        document.insert("tags".to_owned(), tags);
    }
    merge(&mut document, &change);
    update(call, estate, &target, &thing, document)
}

fn update(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    thing: &Thing,
    document: Map<String, Value>,
) -> Outcome<Answer> {
    super::power::refuse_busy(call, thing)?;
    let region = call.region(&thing.place, SET)?;
    let whole = Value::Object(document.clone());
    let (name, capacity) = wanted(call, &whole)?;
    let size = size(call, &name)?;
    let before = set_instance::count(call, estate, target);
    if *size.name != *thing.size && before > 0 {
        // Machines of a set get a new size only by being made anew, which this set does not do by itself.
        return Err(profile::change_not_allowed("sku.name"));
    }
    quota::refuse_beyond(call, estate, region, size, capacity.saturating_sub(before))?;
    let failure = if capacity > before {
        quota::allocation_failure(call, region, thing.zone.as_deref(), &size.name)?
    } else {
        None
    };
    let old = thing.body.get("properties");
    resource::change(call, estate, target, ("Updating", "Succeeded", TimeDelta::seconds(CHANGE)), |kept| {
        for (name, value) in document {
            if !["id", "name", "type", "location", "etag"].contains(&name.as_str()) {
                kept.insert(name, value);
            }
        }
        kept.insert(
            "sku".to_owned(),
            json!({ "name": size.name.as_ref(), "tier": "Standard", "capacity": capacity }),
        );
        if let Some(properties) = kept.get_mut("properties").and_then(Value::as_object_mut) {
            for name in ["uniqueId", "timeCreated", "provisioningState", "orchestrationMode"] {
                properties.insert(name.to_owned(), inside(&old, name).clone());
            }
        }
    });
    if failure.is_none() {
        set_instance::scale(call, estate, target, &region.id, capacity);
    }
    let running = resource::running(call, target, &region.id, TimeDelta::seconds(CHANGE), Links::Status);
    let shown = resource::show(call, target.need(call, estate)?);
    Ok(Answer::text(StatusCode::OK, shown).running(running.failing(failure)))
}

/// DELETE, with the machines.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let place = target.find(call, estate).map(|thing| thing.place.clone());
    if let Some(place) = place {
        set_instance::scale(call, estate, &target, &place, 0);
    }
    resource::delete(call, estate, &target, CHANGE, |_, _| Ok(()))
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::get(call, estate, &target(call, estate)?)
}

/// The sets of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list(call, estate, SET)
}

/// The instance view: how many machines are in which state.
pub fn view(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?;
    let prefix = format!("{}/", target.key);
    let mut counts = std::collections::BTreeMap::new();
    let machines = estate.all(&call.account.id, SET_VM, Some(&thing.place), call.now);
    for machine in machines.filter(|machine| machine.id.starts_with(&prefix)) {
        for status in super::view::statuses(call, machine) {
            *counts.entry(text(&status, "code").to_owned()).or_insert(0_u64) += 1;
        }
    }
    let summary: Vec<Value> =
        counts.into_iter().map(|(code, count)| json!({ "code": code, "count": count })).collect();
    Ok(Answer::ok(&json!({
        "virtualMachine": { "statusesSummary": summary },
        "statuses": super::view::statuses(call, thing).into_iter().take(1).collect::<Vec<_>>(),
    })))
}
