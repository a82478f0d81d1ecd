//! The machines of scale sets: made and ended as the set's capacity says.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{SET_VM, scale_set, view, vm};
use crate::{
    azure::{
        call::{Answer, Call, inside, stamp, text},
        error::Outcome,
        ids::Target,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// Seconds that a machine takes to come or go.
const CHANGE: i64 = 40;

/// The keys of a set's machines that are not being deleted, with their numbers.
fn machines(call: &Call<'_>, estate: &Estate, set: &Target, place: &str) -> Vec<(u64, String)> {
    let prefix = format!("{}/virtualmachines/", set.key);
    let all = estate.all(&call.account.id, SET_VM, Some(place), call.now);
    let own = all.filter(|thing| thing.gone_at.is_none());
    let mut found: Vec<(u64, String)> = own
        .filter_map(|thing| Some((thing.id.strip_prefix(&prefix)?.parse().ok()?, thing.id.to_string())))
        .collect();
    found.sort_unstable();
    found
}

/// How many there are.
pub fn count(call: &Call<'_>, estate: &Estate, set: &Target) -> u64 {
    let place = set.find(call, estate).map(|thing| thing.place.clone());
    place.map_or(0, |place| machines(call, estate, set, &place).len() as u64)
}

/// Makes or ends machines until there are so many; the newest go first.
pub fn scale(call: &Call<'_>, estate: &mut Estate, set: &Target, place: &str, capacity: u64) {
    let there = machines(call, estate, set, place);
    let have = there.len() as u64;
    for (_, key) in there.iter().rev().take(usize::try_from(have.saturating_sub(capacity)).unwrap_or(0)) {
        resource::end(call, estate, SET_VM, key, TimeDelta::seconds(CHANGE));
    }
    let first = there.last().map_or(0, |(number, _)| number + 1);
    let Some(model) = set.find(call, estate).cloned() else { return };
    for number in first..first + capacity.saturating_sub(have) {
        make(call, estate, set, &model, number);
    }
}

fn make(call: &Call<'_>, estate: &mut Estate, set: &Target, model: &Thing, number: u64) {
    let whole = Value::Object(model.body.read());
    let zones = inside(&whole, "zones").as_array().cloned().unwrap_or_default();
    let zone = usize::try_from(number).ok().and_then(|number| zones.get(number % zones.len().max(1)));
    let profile = inside(&whole, "properties.virtualMachineProfile");
    let instance = number.to_string();
    let target = Target::in_group(call.subscription(), &set.group, SET_VM, &[&set.name, &instance]);
    let prefix = text(profile, "osProfile.computerNamePrefix").to_owned();
    let mut document = json!({
        "location": model.place.as_ref(),
        "tags": inside(&whole, "tags"),
        "instanceId": instance,
        "sku": { "name": model.size.as_ref(), "tier": "Standard" },
        "properties": {
            "latestModelApplied": true,
            "vmId": call.new_guid(estate, "set vm"),
            "hardwareProfile": { "vmSize": model.size.as_ref() },
            "storageProfile": {
                "imageReference": inside(profile, "storageProfile.imageReference"),
                "osDisk": {
                    "name": format!("{}_{number}_OsDisk_1", set.name), "createOption": "FromImage", "osType": "Linux",
                    "diskSizeGB": 30,
                },
                "dataDisks": [],
            },
            "osProfile": {
                "computerName": format!("{prefix}{number:06}"),
                "adminUsername": inside(profile, "osProfile.adminUsername"),
            },
            "networkProfile": { "networkInterfaces": [] },
            "timeCreated": stamp(call.now),
            "provisioningState": "Succeeded",
        },
    });
    if let Some(zone) = zone {
        document["zones"] = json!([zone]);
    }
    let mut draft = Draft::new(&model.place, document).takes(CHANGE).charged([vm::meter(&model.size)]);
    draft.zone = zone.and_then(Value::as_str).map(Into::into);
    draft.size = model.size.to_string();
    draft.settles = "Running";
    draft.driven.clone_from(&model.driven);
    resource::keep(call, estate, &target, draft);
    let name = format!("{}_{number}", set.name);
    resource::change(call, estate, &target, ("Creating", "Running", TimeDelta::zero()), |document| {
        document.insert("name".to_owned(), json!(name));
    });
}

/// The machines of a set.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let set = scale_set::target(call, estate)?;
    set.need(call, estate)?;
    let prefix = format!("{}/", set.key);
    let expanded = call.asked("$expand").to_lowercase().contains("instanceview");
    let text = move |call: &Call<'_>, thing: &Thing| {
        if expanded { with_view(call, thing).to_string() } else { resource::show(call, thing) }
    };
    resource::list_where(call, estate, SET_VM, resource::PAGE, |thing| thing.id.starts_with(&prefix), text)
}

/// One machine of a set.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let set = scale_set::target(call, estate)?;
    set.need(call, estate)?;
    let names = [set.name.as_str(), call.part("instanceId")];
    let target = Target::of(call, estate, SET_VM, &names)?;
    let thing = target.need(call, estate)?;
    if call.asked("$expand").eq_ignore_ascii_case("instanceView") {
        return Ok(Answer::ok(&with_view(call, thing)));
    }
    Ok(Answer::text(StatusCode::OK, resource::show(call, thing)))
}

fn with_view(call: &Call<'_>, thing: &Thing) -> Value {
    let mut value = resource::value(call, thing);
    value["properties"]["instanceView"] = json!({ "statuses": view::statuses(call, thing) });
    value
}
