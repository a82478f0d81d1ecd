//! The containers of blobs of an account, and the settings they share. The blobs themselves are not simulated.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{CONTAINER, SERVICE, account};
use crate::{
    azure::{
        call::{Answer, Call, merge, stamp},
        error::{Outcome, Refused},
        ids::Target,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// What the settings are until someone changes them.
fn default_settings() -> Value {
    json!({
        "cors": { "corsRules": [] },
        "deleteRetentionPolicy": { "allowPermanentDelete": false, "enabled": true, "days": 7 },
        "containerDeleteRetentionPolicy": { "enabled": true, "days": 7 },
        "isVersioningEnabled": false,
    })
}

/// The call's account, which must be there.
fn owner(call: &Call<'_>, estate: &Estate) -> Outcome<(Target, Thing)> {
    let target = account::target(call, estate)?;
    let thing = target.need(call, estate)?.clone();
    Ok((target, thing))
}

fn settings(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, SERVICE, &[call.part("accountName"), "default"])
}

fn shown(call: &Call<'_>, estate: &Estate) -> Outcome<Value> {
    let (_, account) = owner(call, estate)?;
    let target = settings(call, estate)?;
    let kept = target.find(call, estate).map(|thing| thing.body.get("properties"));
    Ok(json!({
        "id": target.id, "name": "default", "type": SERVICE, "sku": account.body.get("sku"),
        "properties": kept.unwrap_or_else(default_settings),
    }))
}

/// GET of the settings.
pub fn service(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    Ok(Answer::ok(&shown(call, estate)?))
}

/// The settings as a list: there is one of them.
pub fn services(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    Ok(Answer::ok(&json!({ "value": [shown(call, estate)?] })))
}

/// PUT of the settings.
pub fn put_service(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (_, account) = owner(call, estate)?;
    let target = settings(call, estate)?;
    let days = call.property("deleteRetentionPolicy.days");
    if days.as_i64().is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(Refused::bad(
            "InvalidValuesForRequestParameters",
            "Values for request parameters are invalid: properties.deleteRetentionPolicy.days.",
        ));
    }
    let mut properties = shown(call, estate)?["properties"].as_object().cloned().unwrap_or_else(Map::new);
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    merge(&mut properties, &sent);
    let mut draft = Draft::new(&account.place, json!({ "properties": properties }));
    draft.begins = "Succeeded";
    resource::keep(call, estate, &target, draft);
    service(call, estate)
}

/// The call's container.
fn container(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, CONTAINER, &[call.part("accountName"), "default", call.part("containerName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (_, account) = owner(call, estate)?;
    let target = container(call, estate)?;
    let fits = target.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !fits
        || !(3..=63).contains(&target.name.len())
        || target.name.contains("--")
        || target.name.starts_with('-')
    {
        let message = format!("The specified resource name '{}' contains invalid characters.", target.name);
        return Err(Refused::bad("InvalidResourceName", message));
    }
    let public = call.property("publicAccess").as_str().unwrap_or("None").to_owned();
    let allowed = account.body.get("properties")["allowBlobPublicAccess"] == true;
    if public != "None" && !allowed {
        return Err(Refused::conflict(
            "PublicAccessNotPermitted",
            "Public access is not permitted on this storage account.",
        ));
    }
    let existing = target.find(call, estate).map(|thing| thing.body.text().to_owned());
    if let Some(text) = existing {
        return Ok(Answer::text(StatusCode::OK, text));
    }
    let mut properties =
        call.body.get("properties").filter(|sent| sent.is_object()).cloned().unwrap_or_else(|| json!({}));
    properties["publicAccess"] = json!(public);
    for (name, value) in [
        ("leaseStatus", json!("Unlocked")),
        ("leaseState", json!("Available")),
        ("lastModifiedTime", stamp(call.now)),
        ("hasImmutabilityPolicy", json!(false)),
        ("hasLegalHold", json!(false)),
        ("defaultEncryptionScope", json!("$account-encryption-key")),
        ("denyEncryptionScopeOverride", json!(false)),
    ] {
        properties[name] = value;
    }
    let etag = format!("\"0x{}\"", &call.new_guid(estate, "container").replace('-', "").to_uppercase()[..15]);
    let mut draft = Draft::new(&account.place, json!({ "etag": etag, "properties": properties }));
    draft.begins = "Succeeded";
    let kept = resource::keep(call, estate, &target, draft);
    Ok(kept.answer())
}

fn missing() -> Refused {
    Refused::missing("ContainerNotFound", "The specified container does not exist.")
}

/// PATCH.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    owner(call, estate)?;
    let target = container(call, estate)?;
    target.find(call, estate).ok_or_else(missing)?;
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let settled = ("Updating", "Succeeded", TimeDelta::zero());
    resource::change(call, estate, &target, settled, |document| {
        if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
            merge(properties, &sent);
            properties.insert("lastModifiedTime".to_owned(), stamp(call.now));
        }
    });
    get(call, estate)
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    owner(call, estate)?;
    let thing = container(call, estate)?;
    let thing = thing.find(call, estate).ok_or_else(missing)?;
    Ok(Answer::text(StatusCode::OK, thing.body.text().to_owned()))
}

/// The containers of an account.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let (target, _) = owner(call, estate)?;
    let prefix = format!("{}/", target.key);
    let limit = call.asked("$maxpagesize").parse::<usize>().ok().filter(|size| *size > 0).unwrap_or(5_000);
    let starts = call.asked("$filter").to_lowercase();
    let takes = |thing: &Thing| thing.id.starts_with(&prefix) && thing.name.starts_with(&starts);
    resource::list_where(call, estate, CONTAINER, limit.min(5_000), takes, |_, thing| {
        thing.body.text().to_owned()
    })
}

/// DELETE, at once.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    owner(call, estate)?;
    let target = container(call, estate)?;
    if target.find(call, estate).is_none() {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    resource::end(call, estate, CONTAINER, &target.key, TimeDelta::zero());
    Ok(Answer::empty(StatusCode::OK))
}
