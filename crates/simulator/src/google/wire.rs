//! From a request to its answer: route, authenticate, read, let faults happen, handle, write.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    call::{Answer, Call, File, Handler, Outcome},
    compute,
    fields::Fields,
    numbers::Into as Way,
    oauth::{self, Identity, keys::Keys, scope},
    permission, project,
    refusal::Refusal,
    schemas::{self, Route, Schemas},
    sql, storage,
};
use crate::{
    face::{FaceName, Reply, Request},
    faults::{self, Effects},
    plan::Account,
    world::World,
};

const JSON: &str = "application/json; charset=UTF-8";

/// Answers a request of a service.
pub fn answer(world: &World, schemas: &Schemas, keys: &Keys, request: &Request) -> Reply {
    let route = match schemas.route(&request.method, &request.path) {
        Ok(route) => route,
        Err(refusal) => return refused(&refusal),
    };
    let operation = route.found.name;
    let prepared = oauth::authenticate(world, keys, request, route.service)
        .and_then(|identity| prepare(world, schemas, request, &route, identity));
    match prepared {
        Err(refusal) => refused(&refusal).of(operation, &Effects::default()),
        Ok(prepared) => {
            let reply = prepared.answer(world, schemas, request, &route);
            let own = reply.delay;
            let mut reply = reply.of(operation, &prepared.effects);
            reply.delay += own;
            reply
        }
    }
}

/// A refusal as a reply.
pub fn refused(refusal: &Refusal) -> Reply {
    let mut reply = Reply::new(refusal.http_status()).with(JSON, refusal.body().to_string());
    if refusal.code == 401 {
        let header = r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#;
        reply = reply.header("www-authenticate", header);
    }
    if refusal.reason == "insufficientPermissions" {
        let header = r#"Bearer realm="https://accounts.google.com/", error="insufficient_scope""#;
        reply = reply.header("www-authenticate", header);
    }
    if let Some(seconds) = refusal.retry_after {
        reply = reply.header("retry-after", &seconds.to_string());
    }
    reply
}

/// A request of someone known, read, with what faults do to it.
struct Prepared<'w> {
    identity: Identity,
    account: &'w Account,
    query: Map<String, Value>,
    effects: Effects,
}

fn prepare<'w>(
    world: &'w World,
    schemas: &Schemas,
    request: &Request,
    route: &Route<'_>,
    identity: Identity,
) -> Result<Prepared<'w>, Refusal> {
    if !scope::allow(&identity.scopes, route.service, &request.method) {
        let message = "Request had insufficient authentication scopes.";
        return Err(Refusal::new(403, "insufficientPermissions", message));
    }
    let query = schemas.query(route, request.query_pairs())?;
    let account = account(world, route, &query, &identity)?;
    let permission = permission::of(route.found.name).unwrap_or_default();
    let call = faults::Call { permission: &permission, ..call_of(world, route, &query, account) };
    let effects = world.happens(call);
    Ok(Prepared { identity, account, query, effects })
}

/// The project that a request is about, which must be the caller's.
fn account<'w>(
    world: &'w World,
    route: &Route<'_>,
    query: &Map<String, Value>,
    identity: &Identity,
) -> Result<&'w Account, Refusal> {
    let own = world.plan.account(FaceName::Google, &identity.project).ok_or_else(Refusal::unauthenticated)?;
    let named =
        ["project", "projectsId"].iter().find_map(|name| route.found.path.get(name).map(String::as_str));
    let named = named.or_else(|| query.get("project").and_then(Value::as_str));
    let operation = route.found.name;
    match named {
        Some(named) if named != &*own.id && named != project::number_of(world, &own.id) => {
            let public = operation.starts_with("compute.images.") && compute::image::is_public(named);
            if public && request_looks(route) {
                Ok(own)
            } else {
                Err(project::refused(world, operation, named))
            }
        }
        _ => Ok(own),
    }
}

fn request_looks(route: &Route<'_>) -> bool {
    route.found.operation.method == http::Method::GET
}

/// What faults tell calls apart by.
fn call_of<'c>(
    world: &World,
    route: &'c Route<'_>,
    query: &Map<String, Value>,
    account: &'c Account,
) -> faults::Call<'c> {
    let part = |name: &str| route.found.path.get(name).map_or("", String::as_str);
    let zone = part("zone");
    let region = match (zone, part("region")) {
        ("", "") if route.service == "sqladmin" => sql_region(world, account, part("instance")),
        ("", region) => region,
        (zone, _) => compute::link::region_of(zone),
    };
    faults::Call {
        face: Some(FaceName::Google),
        account: &account.id,
        region,
        zone,
        service: route.service,
        operation: route.found.name,
        later_page: query.contains_key("pageToken"),
        ..faults::Call::default()
    }
}

/// The region of an instance of Cloud SQL, whose paths name none.
fn sql_region<'a>(world: &World, account: &'a Account, name: &str) -> &'a str {
    let (estate, now) = (world.read(), world.clock.now());
    let place = estate.all(&account.id, sql::INSTANCES, None, now).find(|thing| *thing.id == *name);
    let place = place.map(|thing| thing.place.clone()).unwrap_or_default();
    account.region(&place).map_or("", |region| &region.id)
}

impl Prepared<'_> {
    fn answer(&self, world: &World, schemas: &Schemas, request: &Request, route: &Route<'_>) -> Reply {
        if let Some(refusal) = &self.effects.refusal {
            let caller = (self.identity.email.as_str(), &*self.account.id);
            return refused(&Refusal::of_fault(refusal, route.service, caller));
        }
        match self
            .handle(world, schemas, request, route)
            .and_then(|answer| write(schemas, request, route, answer))
        {
            Ok(reply) => reply,
            // Who asked for an object itself is told in plain words that there is none.
            Err(refusal) if refusal.code == 404 && storage::is_media(route.found.name, request) => {
                Reply::new(StatusCode::NOT_FOUND).with("text/html; charset=UTF-8", refusal.message)
            }
            Err(refusal) => refused(&refusal),
        }
    }

    fn handle(&self, world: &World, schemas: &Schemas, request: &Request, route: &Route<'_>) -> Outcome {
        let handler =
            schemas::handler(route.found.name).ok_or_else(|| Refusal::unimplemented(route.found.name))?;
        let path: BTreeMap<String, String> =
            route.found.path.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let (mut body, mut file) = (Map::new(), File::default());
        if route.found.name.ends_with(".upload") {
            (body, file) = storage::upload::read(request)?;
        } else {
            body = schemas.body(route, request.header("content-type"), &request.body).map(|read| {
                body.extend(read);
                body
            })?;
        }
        let mut query = self.query.clone();
        if let Some((_, alt)) = request.query_pairs().into_iter().find(|(name, _)| name == "alt") {
            query.entry("alt").or_insert(alt.into());
        }
        let call = Call {
            world,
            account: self.account,
            now: world.clock.now(),
            operation: route.found.name,
            path,
            query,
            body,
            file,
            effects: &self.effects,
            caller: &self.identity.email,
        };
        match handler {
            Handler::Read(handler) => handler(&call, &world.read()),
            Handler::Write(handler) => handler(&call, &mut world.write()),
        }
    }
}

/// An answer as the client wants it: partial, with enums by number, or as it is.
fn write(schemas: &Schemas, request: &Request, route: &Route<'_>, answer: Answer) -> Result<Reply, Refusal> {
    let pairs = request.query_pairs();
    let asked =
        |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let fields = [asked("fields"), asked("$fields")].into_iter().find(|text| !text.is_empty());
    let by_number = asked("$alt").contains("enum-encoding=int");
    let (value, delay) = match answer {
        Answer::Nothing => return Ok(Reply::new(StatusCode::NO_CONTENT)),
        Answer::File(file) => {
            return part(request, file);
        }
        Answer::Text(text) if fields.is_none() && !by_number && !cfg!(debug_assertions) => {
            return Ok(Reply::new(StatusCode::OK).with(JSON, text));
        }
        Answer::Text(text) => {
            (serde_json::from_str(&text).map_err(|error| broken(route, &error.to_string()))?, None)
        }
        Answer::Json(value) => (value, None),
        Answer::Late(value, delay) => (value, Some(delay)),
    };
    let mut value: Value = value;
    if cfg!(debug_assertions) {
        let wrongs = Schemas::wrongs(route.found.operation, route.api, &value);
        if !wrongs.is_empty() {
            return Err(broken(route, &format!("{wrongs:?}")));
        }
    }
    if let (true, Some(shape)) = (by_number, &route.found.operation.response) {
        schemas.numbers.rewrite(route.service, route.api, shape, &mut value, Way::Numbers);
    }
    if let Some(text) = fields {
        let fields = Fields::read(text).map_err(|why| Refusal::new(400, "invalidParameter", why))?;
        value = fields.of(value);
    }
    let mut reply = Reply::new(StatusCode::OK).with(JSON, value.to_string());
    reply.delay = delay.unwrap_or_default();
    Ok(reply)
}

/// A file, or the range of it that was asked for.
fn part(request: &Request, file: File) -> Result<Reply, Refusal> {
    let length = file.bytes.len();
    let Some((first, last)) =
        request.header("range").strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        let reply = Reply::new(StatusCode::OK).header("content-type", &file.content_type);
        return Ok(Reply { body: file.bytes, ..reply });
    };
    let (from, until) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(from), Ok(last)) => (from, last.saturating_add(1).min(length)),
        (Ok(from), Err(_)) => (from, length),
        (Err(_), Ok(last)) => (length.saturating_sub(last), length),
        (Err(_), Err(_)) => (length, length),
    };
    if from >= until {
        let message = "The requested range cannot be satisfied.";
        return Err(Refusal::new(416, "requestedRangeNotSatisfiable", message));
    }
    let reply = Reply::new(StatusCode::PARTIAL_CONTENT)
        .header("content-type", &file.content_type)
        .header("content-range", &format!("bytes {from}-{}/{length}", until - 1));
    Ok(Reply { body: file.bytes.slice(from..until), ..reply })
}

/// An answer that is not what Google promises: a defect here, found by whoever tests.
fn broken(route: &Route<'_>, what: &str) -> Refusal {
    tracing::error!(operation = route.found.name, what, "the answer is not what the schema says");
    Refusal::new(500, "backendError", format!("{}: {what}", route.found.name))
}
