//! From a request to its answer: route, authenticate, let faults happen, read, handle, write.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    call::{Answer, Call, Handler, Outcome},
    refusal::Refusal,
    token,
};
use crate::{
    face::{FaceName, Reply, Request},
    faults::{self, Effects},
    plan::Account,
    rest::{Api, Direction, Found, Letters, NotFound, Shape, What, Wrong},
    world::World,
};

const JSON: &str = "application/json";

/// Requests that a project may make in an hour.
const HOURLY: u64 = 3_600;

/// Where Hetzner announced that data centers go.
const GONE: &str = "https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated";

/// Collections of Hetzner's that are not simulated.
const UNSUPPORTED: &[&str] = &["isos", "zones", "storage_boxes", "storage_box_types"];

/// Answers a request.
pub fn answer(world: &World, api: &Api, request: &Request) -> Reply {
    let reply = match token::authenticate(world, request) {
        Err(refusal) => refused(&refusal),
        Ok(account) => match find(api, request) {
            Err(refusal) => refused(&refusal),
            Ok(found) => routed(world, api, request, account, &found),
        },
    };
    limits(world, reply)
}

/// A refusal as a reply.
pub fn refused(refusal: &Refusal) -> Reply {
    let mut reply = Reply::new(refusal.http_status()).with(JSON, refusal.body().to_string());
    if let Some(seconds) = refusal.again_after {
        reply = reply.header("ratelimit-reset", &seconds.to_string());
    }
    reply
}

/// Says how many requests are left, as every answer does. What is left is not counted: a limit of the face would be
/// asked here. After a refusal for too many the whole hour has to be gained again, one request a second, unless the
/// fault says otherwise. The time is the machine's own: clients know no other.
pub fn limits(world: &World, reply: Reply) -> Reply {
    let throttled = reply.status == StatusCode::TOO_MANY_REQUESTS;
    let said = reply.headers.get("ratelimit-reset").and_then(|text| text.to_str().ok()?.parse().ok());
    let seconds = said.unwrap_or(if throttled { HOURLY.cast_signed() } else { 1 });
    let reset = world.clock.real_now() + TimeDelta::try_seconds(seconds).unwrap_or_default();
    reply
        .header("ratelimit-limit", &HOURLY.to_string())
        .header("ratelimit-remaining", &if throttled { 0 } else { HOURLY - 1 }.to_string())
        .header("ratelimit-reset", &reset.timestamp().to_string())
}

fn find<'a>(api: &'a Api, request: &Request) -> Result<Found<'a>, Refusal> {
    let collection = request.path.split('/').nth(2).unwrap_or_default();
    match api.find(&request.method, &request.path, Letters::Exact) {
        Ok(found) => Ok(found),
        Err(_) if collection == "datacenters" => Err(Refusal {
            details: serde_json::json!({ "announcement": GONE }),
            ..Refusal::new(410, "deprecated_api_endpoint", "API functionality was removed")
        }),
        Err(NotFound::Path) if UNSUPPORTED.contains(&collection) || request.path.contains("/actions/") => {
            Err(Refusal::unsupported(&request.path))
        }
        Err(NotFound::Method) => Err(Refusal::new(405, "method_not_allowed", "method not allowed")),
        Err(NotFound::Path | NotFound::Encoding) => Err(Refusal::new(404, "not_found", "not found")),
    }
}

fn routed(world: &World, api: &Api, request: &Request, account: &Account, found: &Found<'_>) -> Reply {
    let effects = world.happens(concern(world, request, account, found));
    let outcome = match &effects.refusal {
        Some(refusal) => Err(Refusal::of_fault(refusal)),
        None => handle(world, api, request, account, found, &effects),
    };
    let reply = match outcome.and_then(|answer| write(api, found, answer)) {
        Ok(reply) => reply,
        Err(refusal) => refused(&refusal),
    };
    let number = world.seed().hex(&["correlation", found.name, &world.clock.real_now().to_rfc3339()], 16);
    reply.header("x-correlation-id", &number).of(found.name, &effects)
}

/// What faults tell calls apart by. A list lies in no location: Hetzner gives those of all at once.
fn concern<'c>(
    world: &World,
    request: &Request,
    account: &'c Account,
    found: &'c Found<'_>,
) -> faults::Call<'c> {
    let service = found.name.split('.').next().unwrap_or_default();
    let place = if let Some(id) = found.path.get("id") {
        let (estate, now) = (world.read(), world.clock.now());
        estate.find(&account.id, service, id, now).map(|thing| thing.place.to_string())
    } else {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        ["location", "home_location"].iter().find_map(|name| body[name].as_str().map(str::to_owned))
    };
    let region = place.and_then(|place| account.region(&place));
    let page = request.query_pairs().into_iter().find(|(name, _)| name == "page");
    faults::Call {
        face: Some(FaceName::Hetzner),
        account: &account.id,
        region: region.map_or("", |region| &region.id),
        zone: "",
        service,
        operation: found.name,
        // Tokens are for reading, or for all.
        permission: if request.method == http::Method::GET { "read" } else { "write" },
        later_page: page.is_some_and(|(_, text)| text != "1"),
    }
}

fn handle(
    world: &World,
    api: &Api,
    request: &Request,
    account: &Account,
    found: &Found<'_>,
    effects: &Effects,
) -> Outcome {
    let query = query(api, found, request.query_pairs())?;
    let body = body(api, found, request)?;
    let id = found.path.get("id").cloned().unwrap_or_default();
    if !id.is_empty() && id.parse::<u64>().is_err() {
        return Err(Refusal::invalid("id", "must be a number"));
    }
    let now = world.clock.now();
    let call = Call {
        world,
        account,
        now,
        operation: found.name,
        id,
        query,
        body,
        effects,
        grows: false,
        origin: &request.origin,
    };
    match super::handler(found.name) {
        Some(Handler::Read(handler)) => handler(&call, &world.read()),
        Some(Handler::Write(handler)) => handler(&call, &mut world.write()),
        None => Err(Refusal::unsupported(found.name)),
    }
}

/// The query, held against the schema.
fn query(
    api: &Api,
    found: &Found<'_>,
    pairs: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Refusal> {
    let known = &found.operation.query;
    let mut wrongs: Vec<(String, String)> = Vec::new();
    for (name, text) in &pairs {
        let Some(shape) = known.get(name) else {
            wrongs.push((name.clone(), "unknown parameter".to_owned()));
            continue;
        };
        let shape = api.resolve(shape);
        let several = shape.items.is_some();
        let one = api.resolve(shape.items.as_deref().unwrap_or(shape));
        // Of a list all may stand in one parameter.
        let mut parts = text.split(|letter| several && letter == ',');
        wrongs.extend(parts.find_map(|part| misfit(one, part)).map(|what| (name.clone(), what)));
    }
    for (name, shape) in known {
        if shape.required.is_set() && !pairs.iter().any(|(sent, _)| sent == name) {
            wrongs.push((name.clone(), "is required".to_owned()));
        }
    }
    if wrongs.is_empty() { Ok(pairs) } else { Err(Refusal::invalid_fields(&wrongs)) }
}

fn misfit(shape: &Shape, text: &str) -> Option<String> {
    let kind = shape.kind.as_deref().unwrap_or("string");
    let fits = match kind {
        "integer" => text.parse::<u64>().is_ok(),
        "number" => text.parse::<f64>().is_ok(),
        "boolean" => matches!(text, "true" | "false"),
        _ => true,
    };
    if !fits {
        return Some(format!("must be of type {kind}"));
    }
    let words = shape.words.as_ref()?;
    let known = words.iter().any(|word| word.as_str() == Some(text));
    (!known).then(|| format!("{text} is none of the values that are allowed"))
}

/// The body, held against the schema.
fn body(api: &Api, found: &Found<'_>, request: &Request) -> Result<Map<String, Value>, Refusal> {
    let Some(shape) = &found.operation.body else {
        return Ok(Map::new());
    };
    let value: Value = if request.body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::new(400, "json_error", format!("invalid JSON: {error}")))?
    };
    let wrongs = api.check(shape, &value, Direction::Request);
    if !wrongs.is_empty() {
        let told: Vec<_> = wrongs.iter().map(|wrong| (wrong.at.clone(), told(wrong))).collect();
        return Err(Refusal::invalid_fields(&told));
    }
    match value {
        Value::Object(body) => Ok(body),
        _ => Err(Refusal::new(400, "json_error", "a JSON object is expected")),
    }
}

fn told(wrong: &Wrong) -> String {
    match &wrong.what {
        What::Unknown => "unknown field".to_owned(),
        What::Missing => "is required".to_owned(),
        What::Type(kind) => format!("must be of type {kind}"),
        What::Word(word) => format!("{word} is none of the values that are allowed"),
    }
}

fn write(api: &Api, found: &Found<'_>, answer: Answer) -> Result<Reply, Refusal> {
    let (status, value, link) = match answer {
        Answer::Nothing => return Ok(Reply::new(StatusCode::NO_CONTENT)),
        Answer::Json(status, value) => (status, value, None),
        Answer::Page(value, link) => (StatusCode::OK, value, Some(link)),
    };
    if let (true, Some(shape)) = (cfg!(debug_assertions), &found.operation.response) {
        let wrongs = api.check(shape, &value, Direction::Answer);
        if !wrongs.is_empty() {
            // A defect here, found by whoever tests.
            tracing::error!(operation = found.name, ?wrongs, "the answer is not what the schema says");
            return Err(Refusal::new(500, "server_error", format!("{}: {wrongs:?}", found.name)));
        }
    }
    let reply = Reply::new(status).with(JSON, value.to_string());
    Ok(match link {
        Some(link) if !link.is_empty() => reply.header("link", &link),
        _ => reply,
    })
}
