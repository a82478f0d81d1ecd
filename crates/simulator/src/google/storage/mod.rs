//! Cloud Storage's JSON API: buckets and what is in them.
//!
//! Names of buckets are unique in the world; a bucket stands on its project's shelf under its location. Of an object
//! the shelf `storage.objects` holds what is said of it, and `storage.contents` its bytes.

pub mod object;
pub mod upload;

use serde_json::{Map, Value, json};

use super::{
    call::{
        Answer, Call,
        Handler::{self, Read, Write},
        Outcome, fingerprint, number, zulu,
    },
    list, project,
    refusal::Refusal,
    sql::settings::merge,
};
use crate::{
    estate::{Estate, Meter, Thing},
    face::{FaceName, Request},
};

const SHELF: &str = "storage.buckets";
/// Locations that are no region.
const MULTI_REGIONS: &[&str] = &["US", "EU", "ASIA"];
const CLASSES: &[&str] = &["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"];

/// Who answers an operation of Cloud Storage.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("buckets", "get") => Read(get),
        ("buckets", "list") => Read(list_buckets),
        ("buckets", "insert") => Write(insert),
        ("buckets", "patch") => Write(patch),
        ("buckets", "delete") => Write(delete),
        ("objects", "get") => Read(object::get),
        ("objects", "list") => Read(object::list),
        ("objects", "insert") => Write(object::insert),
        ("objects", "upload") => Write(object::upload),
        ("objects", "delete") => Write(object::delete),
        _ => return None,
    })
}

/// Whether a request is for an object itself.
pub fn is_media(operation: &str, request: &Request) -> bool {
    let asked = |(name, value): &(String, String)| name == "alt" && value == "media";
    operation == "storage.objects.get" && request.query_pairs().iter().any(asked)
}

/// A bucket by its name, if it is the caller's.
pub fn find<'e>(call: &Call<'_>, estate: &'e Estate, name: &str) -> Result<&'e Thing, Refusal> {
    let own = estate.all(call.project(), SHELF, None, call.now).find(|thing| *thing.id == *name);
    if let Some(thing) = own {
        return Ok(thing);
    }
    if is_taken(call, estate, name) {
        let message = format!(
            "{} does not have storage.buckets.get access to the Google Cloud Storage bucket.",
            call.caller
        );
        return Err(Refusal::new(403, "forbidden", message));
    }
    Err(Refusal::new(404, "notFound", "The specified bucket does not exist."))
}

fn find_mut<'e>(call: &Call<'_>, estate: &'e mut Estate) -> Result<&'e mut Thing, Refusal> {
    let name = call.part("bucket");
    let place = find(call, estate, name)?.place.clone();
    let found = estate.get_mut(call.project(), SHELF, &place, name, call.now);
    found.ok_or_else(|| Refusal::new(404, "notFound", "The specified bucket does not exist."))
}

fn is_taken(call: &Call<'_>, estate: &Estate, name: &str) -> bool {
    let mut accounts = call.world.plan.accounts_of(FaceName::Google);
    accounts.any(|account| estate.all(&account.id, SHELF, None, call.now).any(|thing| *thing.id == *name))
}

fn shown(thing: &Thing) -> Value {
    let mut body = thing.body.read();
    if !thing.tags.is_empty() {
        body.insert(
            "labels".into(),
            thing.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect(),
        );
    }
    let metageneration = body.get("metageneration").and_then(Value::as_str).unwrap_or_default();
    body.insert("etag".into(), fingerprint(&["bucket", metageneration]).into());
    Value::Object(body)
}

/// `buckets.get`.
fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let thing = find(call, estate, call.part("bucket"))?;
    conditions(call, &thing.body.get("metageneration"), "Metageneration")?;
    Ok(Answer::Json(shown(thing)))
}

/// `buckets.list`.
fn list_buckets(call: &Call<'_>, estate: &Estate) -> Outcome {
    let prefix = call.asked("prefix");
    let lost = list::lost_regions(call, "storage");
    let here = |thing: &Thing| !lost.iter().any(|region| **region == *thing.place);
    if !lost.is_empty() && !call.asked_whether("returnPartialSuccess") {
        return Err(Refusal::new(503, "backendError", "The service is currently unavailable."));
    }
    let wanted = |thing: &Thing| thing.id.starts_with(prefix) && here(thing);
    let page = list::page(call, estate, SHELF, None, ("maxResults", 1000), wanted)?;
    let items = page.things.iter().map(|thing| shown(thing)).collect();
    let mut answer = list::answer("storage#buckets", items, page.next);
    if !lost.is_empty() {
        let all = estate.all(call.project(), SHELF, None, call.now).filter(|thing| !here(thing));
        answer["unreachable"] = all.map(|thing| format!("projects/_/buckets/{}", thing.id)).collect();
    }
    Ok(Answer::Json(answer))
}

/// `buckets.insert`.
fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.said("name");
    check_name(name)?;
    check_free(call, estate, name)?;
    let location = Some(call.said("location")).filter(|text| !text.is_empty()).unwrap_or("US").to_uppercase();
    let region = call.account.region(&location.to_lowercase()).filter(|region| region.enabled);
    if region.is_none() && !MULTI_REGIONS.contains(&location.as_str()) {
        return Err(Refusal::new(400, "invalid", "The specified location constraint is not valid."));
    }
    let class =
        Some(call.said("storageClass")).filter(|text| !text.is_empty()).unwrap_or("STANDARD").to_uppercase();
    check_class(&class)?;
    let mut thing = Thing::new(name, &location.to_lowercase(), call.now, "ACTIVE");
    thing.seen_from = call.now + call.effects.unseen;
    thing.name = name.into();
    thing.tags = super::compute::change::labels(call.body.get("labels"))?;
    let uniform = json!({
        "bucketPolicyOnly": { "enabled": false }, "uniformBucketLevelAccess": { "enabled": false },
        "publicAccessPrevention": "inherited",
    });
    let usual = json!({
        "kind": "storage#bucket", "id": name, "name": name, "projectNumber": project::number(call),
        "selfLink": format!("https://www.googleapis.com/storage/v1/b/{name}"), "location": location,
        "locationType": if region.is_some() { "region" } else { "multi-region" }, "storageClass": class,
        "metageneration": "1", "generation": micros(call), "timeCreated": zulu(call.now), "updated": zulu(call.now),
        "iamConfiguration": uniform,
        "softDeletePolicy": { "retentionDurationSeconds": "604800", "effectiveTime": zulu(call.now) },
    });
    let mut body: Map<String, Value> = usual.as_object().cloned().unwrap_or_default();
    super::compute::change::copy(
        call,
        &mut body,
        &[
            "versioning",
            "lifecycle",
            "cors",
            "website",
            "logging",
            "retentionPolicy",
            "encryption",
            "iamConfiguration",
            "autoclass",
        ],
    );
    thing.body = (&body).into();
    thing.meter(call.now, [Meter::new(&format!("bucket/{class}"), 0.0)]);
    let answer = shown(&thing);
    estate.add(call.cause(), SHELF, thing);
    Ok(Answer::Json(answer))
}

fn check_free(call: &Call<'_>, estate: &Estate, name: &str) -> Result<(), Refusal> {
    if estate.all(call.project(), SHELF, None, call.now).any(|thing| *thing.id == *name) {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(Refusal::new(409, "conflict", message));
    }
    if is_taken(call, estate, name) {
        let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                       system. Please select a different name and try again.";
        return Err(Refusal::new(409, "conflict", message));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::new(400, "required", "Required"));
    }
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = (3..=222).contains(&name.len())
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
        && name.split('.').all(|part| part.len() <= 63)
        && !name.starts_with("goog")
        && !name.contains("google.");
    if fits { Ok(()) } else { Err(Refusal::new(400, "invalid", format!("Invalid bucket name: '{name}'"))) }
}

fn check_class(class: &str) -> Result<(), Refusal> {
    let known = CLASSES.contains(&class);
    if known { Ok(()) } else { Err(Refusal::new(400, "invalid", format!("Invalid storage class: {class}"))) }
}

/// `buckets.patch`.
fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = find_mut(call, estate)?;
    conditions(call, &thing.body.get("metageneration"), "Metageneration")?;
    let mut said = call.body.clone();
    if let Some(labels) = said.shift_remove("labels") {
        let mut all: Value =
            thing.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect();
        merge(&mut all, &labels);
        thing.tags = super::compute::change::labels(Some(&all))?;
    }
    if let Some(class) = said.get("storageClass").and_then(Value::as_str) {
        check_class(class)?;
    }
    for fixed in [
        "name",
        "location",
        "id",
        "kind",
        "selfLink",
        "timeCreated",
        "projectNumber",
        "etag",
        "metageneration",
    ] {
        said.shift_remove(fixed);
    }
    let mut body = Value::Object(thing.body.read());
    merge(&mut body, &Value::Object(said));
    let next = number(&body["metageneration"]).unwrap_or(1) + 1;
    body["metageneration"] = next.to_string().into();
    body["updated"] = zulu(call.now).into();
    thing.body = body.into();
    Ok(Answer::Json(shown(thing)))
}

/// `buckets.delete`, of an empty one.
fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.part("bucket");
    let thing = find(call, estate, name)?;
    conditions(call, &thing.body.get("metageneration"), "Metageneration")?;
    let place = thing.place.clone();
    if estate.all(call.project(), object::SHELF, Some(name), call.now).next().is_some() {
        return Err(Refusal::new(409, "conflict", "The bucket you tried to delete is not empty."));
    }
    estate.end(call.cause(), SHELF, &place, name, call.now);
    Ok(Answer::Nothing)
}

/// Refuses if the query names another generation than the present (`what`: `Generation` or `Metageneration`).
pub fn conditions(call: &Call<'_>, present: &Value, what: &str) -> Result<(), Refusal> {
    let asked = |name: &str| call.query.get(name).and_then(number);
    let present = number(present).unwrap_or_default();
    let differs = asked(&format!("if{what}Match")).is_some_and(|wanted| wanted != present);
    let same = asked(&format!("if{what}NotMatch")).is_some_and(|unwanted| unwanted == present);
    if differs || same {
        let message = "At least one of the pre-conditions you specified did not hold.";
        return Err(Refusal::new(412, "conditionNotMet", message));
    }
    Ok(())
}

/// The time as a generation: microseconds since 1970.
pub fn micros(call: &Call<'_>) -> String {
    call.now.timestamp_micros().to_string()
}
