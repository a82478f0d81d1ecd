//! Operations: every change of Compute answers with one, and is done when it is.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    collection::Collection,
    link::{self, BASE, Link},
    read,
};
use crate::{
    estate::{Cause, Estate, Life, Replay, Thing},
    google::{
        call::{Answer, Call, Outcome, new_id, pacific},
        refusal::Refusal,
    },
};

/// How long Google keeps an operation that is done.
const KEPT: TimeDelta = TimeDelta::days(14);
/// A real answer to `wait` comes when the operation is done, but not later than this.
const PATIENCE: TimeDelta = TimeDelta::seconds(2);

/// What an operation does, and how it ends.
#[derive(Debug)]
pub struct Plan<'a> {
    /// `insert`, `stop`, …
    pub kind: &'a str,
    /// What it is done to.
    pub target: Link,
    /// The target's numeric id.
    pub target_id: &'a str,
    /// How long it takes.
    pub takes: TimeDelta,
    /// Why it ends in failure, if it does.
    pub failure: Option<Failure>,
}

/// Why an operation ends in failure.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The HTTP status that goes with it.
    pub status: u16,
    /// `ZONE_RESOURCE_POOL_EXHAUSTED`
    pub code: &'static str,
    /// What is said of it.
    pub message: String,
}

/// Begins an operation and answers with it.
pub fn begin(call: &Call<'_>, estate: &mut Estate, plan: Plan<'_>) -> Outcome {
    let id = new_id(call, estate, "operation");
    let millis = call.now.timestamp_millis();
    let name = format!("operation-{millis}-{}-{}", estate.new_hex(call.seed(), "operation", 13), &id[11..]);
    let place = plan.target.place.as_str();
    let own = Link::new(call.project(), place, "operations", &name);
    let mut body = json!({
        "kind": "compute#operation",
        "id": id,
        "name": name,
        "operationType": plan.kind,
        "targetLink": plan.target.to_string(),
        "targetId": plan.target_id,
        "user": call.caller,
        "insertTime": pacific(call.now),
        "selfLink": own.to_string(),
    });
    if place != "global" {
        let key = if link::is_zone(place) { "zone" } else { "region" };
        body[key] = format!("{BASE}projects/{}/{}", call.project(), link::scope(place)).into();
    }
    if !call.asked("requestId").is_empty() {
        body["clientOperationId"] = call.asked("requestId").into();
    }
    let mut thing = Thing::new(&name, place, call.now, "PENDING");
    let first = TimeDelta::seconds(1).min(plan.takes);
    thing.life = Life::new(call.now, "PENDING").then(first, "RUNNING").then(plan.takes - first, "DONE");
    thing.gone_at = Some(call.now + plan.takes + KEPT);
    thing.body = body.into();
    // An operation has no labels; how it ends is not told before it does, so it is kept beside the body.
    if let Some(failure) = plan.failure {
        let kept = [
            ("status", failure.status.to_string()),
            ("code", failure.code.into()),
            ("message", failure.message),
        ];
        thing.tags.extend(kept.map(|(key, value)| (key.into(), value.into())));
    }
    let answer = collection().value(&thing, call.now);
    remember(call, estate, &thing);
    // Growing a world leaves no operations behind: they would be long forgotten.
    if call.now + plan.takes + KEPT > call.world.clock.now() {
        let cause = Cause { operation: call.operation, ..call.cause() };
        estate.add(cause, "compute.operations", thing);
    }
    Ok(Answer::Json(answer))
}

/// The operation that an earlier request with the same `requestId` began, if there was one.
pub fn repeated(call: &Call<'_>, estate: &Estate) -> Result<Option<Value>, Refusal> {
    let token = call.asked("requestId");
    if token.is_empty() {
        return Ok(None);
    }
    let zero = token.chars().all(|c| matches!(c, '0' | '-'));
    if zero || uuid_parts(token) != Some([8, 4, 4, 4, 12]) {
        return Err(Refusal::invalid("requestId", token, "Must be a valid, non-zero UUID."));
    }
    match estate.replay(&scope(call), token, &request(call), call.now) {
        Replay::New => Ok(None),
        Replay::Other => {
            let why = "The request ID was used for another request.";
            Err(Refusal::invalid("requestId", token, why))
        }
        Replay::Same(kept) => {
            let text = |member: &str| kept[member].as_str().unwrap_or_default().to_owned();
            let (place, name) = (text("place"), text("name"));
            let found = estate.get(call.project(), "compute.operations", &place, &name, call.now);
            Ok(found.map(|thing| collection().value(thing, call.now)))
        }
    }
}

/// How long a `requestId` means its request.
const REQUESTS_KEPT: TimeDelta = TimeDelta::minutes(60);

/// Only the names are kept: the same request later sees how far the operation is.
fn remember(call: &Call<'_>, estate: &mut Estate, thing: &Thing) {
    let token = call.asked("requestId");
    if !token.is_empty() {
        let kept = json!({ "place": &*thing.place, "name": &*thing.id });
        let until = Some(call.now + REQUESTS_KEPT);
        estate.remember(&scope(call), token, &request(call), kept, (call.now, until));
    }
}

fn scope(call: &Call<'_>) -> String {
    format!("compute\u{1f}{}", call.project())
}

fn request(call: &Call<'_>) -> String {
    format!("{}\u{1f}{:?}\u{1f}{}", call.operation, call.path, Value::Object(call.body.clone()))
}

fn uuid_parts(text: &str) -> Option<[usize; 5]> {
    let parts: Vec<usize> = text
        .split('-')
        .map(|part| if part.chars().all(|c| c.is_ascii_hexdigit()) { part.len() } else { 0 })
        .collect();
    parts.try_into().ok()
}

fn collection() -> &'static Collection {
    // The table has it; an empty one would show what is kept.
    Collection::named("operations").unwrap_or(&super::collection::COLLECTIONS[0])
}

/// What follows from the time: how far it is and, once it is done, how it ended.
pub fn shown(thing: &Thing, now: DateTime<Utc>) -> Map<String, Value> {
    let state = thing.state(now).to_owned();
    let progress = match state.as_str() {
        "PENDING" => 0,
        "RUNNING" => 50,
        _ => 100,
    };
    let mut members = Map::new();
    members.insert("progress".into(), progress.into());
    if state != "PENDING" {
        members.insert("startTime".into(), pacific(thing.born).into());
    }
    if state == "DONE" {
        members.insert("endTime".into(), pacific(thing.life.settles_at()).into());
        let kept = |name: &str| thing.tags.get(name).map(AsRef::as_ref);
        if let (Some(status), Some(code), Some(message)) = (kept("status"), kept("code"), kept("message")) {
            members.insert("error".into(), json!({ "errors": [{ "code": code, "message": message }] }));
            members.insert("httpErrorStatusCode".into(), status.parse::<u16>().unwrap_or(500).into());
            let text = http::StatusCode::from_bytes(status.as_bytes()).ok();
            let text = text.and_then(|status| status.canonical_reason()).unwrap_or("ERROR");
            members.insert("httpErrorMessage".into(), text.to_uppercase().into());
        }
    }
    members.insert("status".into(), state.into());
    members
}

/// `get`, by name or by numeric id.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    Ok(Answer::Json(collection().value(find(call, estate)?, call.now)))
}

/// `wait`: answered when the operation is done, or after a while with how far it is by then.
pub fn wait(call: &Call<'_>, estate: &Estate) -> Outcome {
    let thing = find(call, estate)?;
    let speed = call.world.clock.show().speed;
    let remaining = (thing.life.settles_at() - call.now).max(TimeDelta::zero());
    #[expect(clippy::cast_precision_loss, reason = "seconds of an operation")]
    let real_seconds = remaining.num_milliseconds() as f64 / 1e3 / speed.max(1e-9);
    let delay = real_seconds.min(PATIENCE.as_seconds_f64());
    #[expect(clippy::cast_possible_truncation, reason = "two seconds at most, at the clock's speed")]
    let then = call.now + TimeDelta::microseconds((delay * speed * 1e6) as i64);
    Ok(Answer::Late(collection().value(thing, then), std::time::Duration::from_secs_f64(delay)))
}

fn find<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let (place, wanted) = (read::place(call)?, call.part("operation"));
    if let Some(thing) = estate.get(call.project(), "compute.operations", place, wanted, call.now) {
        return Ok(thing);
    }
    let numeric = !wanted.is_empty() && wanted.chars().all(|c| c.is_ascii_digit());
    let mut all = estate.all(call.project(), "compute.operations", Some(place), call.now);
    let name = all.find(|thing| numeric && thing.body.get("id") == wanted).map(|thing| thing.id.clone());
    let found =
        name.and_then(|name| estate.get(call.project(), "compute.operations", place, &name, call.now));
    found.ok_or_else(|| Refusal::not_found(&Link::new(call.project(), place, "operations", wanted).path()))
}
