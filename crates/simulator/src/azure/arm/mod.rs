//! Azure Resource Manager: what it does with every request before a provider sees it, and with every answer after.

pub mod auth;
mod check;
mod route;

use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, StatusCode};
use serde_json::Value;

pub use route::{Service, services};

use super::{
    call::{Answer, Call, normal},
    entra::Principal,
    error::{Outcome, Refused},
    ids, lro,
    table::{self, Handler},
};
use crate::{
    FaceName,
    estate::Estate,
    face::{Reply, Request},
    faults::{self, Effects},
    plan::Account,
    rest::Found,
    world::World,
};

/// The resource manager.
pub struct Arm {
    services: Result<Vec<Service>, String>,
    requests: AtomicU64,
}

/// A request on its way: what was found out of it.
struct Way<'a> {
    principal: Principal,
    account: &'a Account,
    pairs: Vec<(String, String)>,
}

impl Arm {
    /// With all its providers.
    pub fn new() -> Self {
        Self { services: services(), requests: AtomicU64::new(0) }
    }

    /// Every operation there is.
    pub fn routes() -> Vec<String> {
        let links = [route::STATUS, route::RESULT];
        table::HANDLERS.iter().map(|(name, _)| *name).chain(links).map(str::to_owned).collect()
    }

    /// Every operation, `Microsoft.Compute/disks_list`, with the action that it is for roles.
    pub fn actions(&self) -> Vec<(String, String)> {
        let operations = self.services.iter().flatten().flat_map(|service| &service.api.operations);
        operations
            .map(|(name, operation)| (name.clone(), auth::action(&operation.path, &operation.method)))
            .collect()
    }

    /// Answers a request.
    pub fn answer(&self, world: &World, request: &Request) -> Reply {
        let mut operation = String::new();
        let mut effects = Effects::default();
        let outcome = self
            .services
            .as_ref()
            .map_err(|error| broken(error))
            .and_then(|services| Self::serve(services, world, request, &mut operation, &mut effects));
        let reply = outcome.unwrap_or_else(|refused| refused.reply());
        self.headers(world, request, reply).of(&operation, &effects)
    }

    fn headers(&self, world: &World, request: &Request, reply: Reply) -> Reply {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let id = world.seed().uuid(&["azure", "request", &number.to_string()]);
        let correlation = match request.header("x-ms-correlation-request-id") {
            "" => id.clone(),
            sent => sent.to_owned(),
        };
        let kind = if request.method == Method::GET { "reads" } else { "writes" };
        let remaining = if kind == "reads" { 11_999 } else { 1_199 };
        let name = if kind == "reads" {
            "x-ms-ratelimit-remaining-subscription-reads"
        } else {
            "x-ms-ratelimit-remaining-subscription-writes"
        };
        let reply = reply.header("x-ms-request-id", &id).header("x-ms-correlation-request-id", &correlation);
        let reply = match request.header("x-ms-client-request-id") {
            "" => reply,
            sent => reply.header("x-ms-client-request-id", sent),
        };
        reply.header(name, &remaining.to_string()).header("cache-control", "no-cache")
    }

    fn serve(
        services: &[Service],
        world: &World,
        request: &Request,
        operation: &mut String,
        effects: &mut Effects,
    ) -> Outcome<Reply> {
        let pairs = request.query_pairs();
        let version = pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case("api-version"));
        let found = route::find(services, request);
        if let Ok((_, found)) = &found {
            found.name.clone_into(operation);
        }
        let principal = auth::principal(world, request)?;
        let Some((_, version)) = version.filter(|(_, version)| !version.is_empty()) else {
            let message = "The api-version query parameter (?api-version=) is required for all requests.";
            return Err(Refused::bad("MissingApiVersionParameter", message));
        };
        let account = subscription(world, request, &principal)?;
        let way = Way { principal, account, pairs: pairs.clone() };
        if let Some(link) = route::operation_link(&request.path) {
            link.operation.clone_into(operation);
            return follow(services, world, request, &way, &link, effects);
        }
        let (service, found) = found?;
        let scope = scope(&request.path);
        let action = auth::action_of(&found);
        auth::refuse_unauthorized(&way.principal, &account.id, &action, scope)?;
        route::refuse_version(service, &found, version, &way.account.regions)?;
        let body = check::body(&service.api, found.operation, service.namespace, request);
        let wish = body.as_ref().unwrap_or(&Value::Null);
        let region = region(world, account, request, &found, wish);
        *effects = happens(world, &way, (service.namespace, short(found.name), &action), (&region, wish));
        if let Some(refusal) = &effects.refusal {
            let caller = (&way.principal, scope);
            return Err(auth::refused_by_fault(world, refusal, caller, &region, world.clock.now()));
        }
        check::query(found.operation, &way.pairs)?;
        let call = call(world, request, &way, (version, found), body?, effects);
        let answer = run(world, &call)?;
        Ok(reply(world, &call, answer))
    }
}

/// The name of an operation within its provider.
fn short(operation: &str) -> &str {
    operation.rsplit('/').next().unwrap_or_default()
}

fn broken(error: &str) -> Refused {
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error)
}

/// The subscription in the path; the caller's own where the path names none.
fn subscription<'w>(world: &'w World, request: &Request, principal: &Principal) -> Outcome<&'w Account> {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let named = match segments.as_slice() {
        [word, id, ..] if word.eq_ignore_ascii_case("subscriptions") => *id,
        _ => &principal.account,
    };
    let shaped = named.len() == 36 && named.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    if !shaped {
        let message = format!("The provided subscription identifier '{named}' is malformed or invalid.");
        return Err(Refused::bad("InvalidSubscriptionId", message));
    }
    let known =
        world.plan.accounts_of(FaceName::Azure).find(|account| account.id.eq_ignore_ascii_case(named));
    known.ok_or_else(|| {
        Refused::missing("SubscriptionNotFound", format!("The subscription '{named}' could not be found."))
    })
}

/// What of a path is the scope of an action.
fn scope(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// The region that a call is about, as far as it can be told: named in the path or the body, or that of the resource.
fn region(world: &World, account: &Account, request: &Request, found: &Found<'_>, body: &Value) -> String {
    for name in ["location", "locationName"] {
        if let Some(location) = found.path.get(name) {
            return normal(location);
        }
    }
    let estate = world.read();
    let mut path = request.path.trim_matches('/').to_lowercase();
    while path.matches('/').count() > 3 {
        let key = format!("/{path}");
        let place = ids::parse(&key).and_then(|parsed| {
            let kind = table::KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(&parsed.kind))?;
            let places = account.regions.iter().map(|region| region.id.as_ref()).chain(["global"]);
            let mut found =
                places.filter_map(|place| estate.get(&account.id, kind, place, &key, world.clock.now()));
            found.next().map(|thing| thing.place.to_string())
        });
        if let Some(place) = place {
            return place;
        }
        path.truncate(path.rfind('/').unwrap_or(0));
    }
    body.get("location").and_then(Value::as_str).map(normal).unwrap_or_default()
}

/// What goes wrong with a call.
fn happens(
    world: &World,
    way: &Way<'_>,
    (service, operation, permission): (&str, &str, &str),
    (region, body): (&str, &Value),
) -> Effects {
    let zone = body.get("zones").and_then(|zones| zones.get(0)).and_then(Value::as_str).unwrap_or_default();
    let later_page = way.pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case("$skiptoken"));
    let call = faults::Call {
        face: Some(FaceName::Azure),
        account: &way.account.id,
        region,
        zone,
        service,
        operation,
        permission,
        later_page,
    };
    world.happens(call)
}

fn call<'a>(
    world: &'a World,
    request: &'a Request,
    way: &Way<'a>,
    (version, found): (&'a str, Found<'a>),
    body: Value,
    effects: &'a Effects,
) -> Call<'a> {
    Call {
        world,
        account: way.account,
        now: world.clock.now(),
        origin: &request.origin,
        path: &request.path,
        operation: found.name,
        version,
        parts: found.path,
        query: way.pairs.iter().cloned().collect(),
        body,
        if_match: request.header("if-match"),
        if_none_match: request.header("if-none-match"),
        role: way.principal.role,
        effects,
        growing: false,
    }
}

/// Lets the provider answer.
fn run(world: &World, call: &Call<'_>) -> Outcome<Answer> {
    match table::handler(call.operation) {
        Some(Handler::Tell(tell)) => Ok(tell(call, &world.read())),
        Some(Handler::Read(read)) => read(call, &world.read()),
        Some(Handler::Write(write)) => write(call, &mut world.write()),
        None => Err(Refused::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("The operation '{}' is not simulated.", call.operation),
        )),
    }
}

fn reply(world: &World, call: &Call<'_>, answer: Answer) -> Reply {
    let mut reply = Reply::new(answer.status);
    if let Some(body) = answer.body {
        reply = reply.with("application/json; charset=utf-8", body);
    }
    for (name, value) in answer.headers {
        reply = reply.header(name, &value);
    }
    if let Some(running) = answer.running {
        for (name, value) in running.headers(world, call.origin, call.version) {
            reply = reply.header(name, &value);
        }
    }
    reply
}

/// Answers a link to an operation that goes on.
fn follow(
    services: &[Service],
    world: &World,
    request: &Request,
    way: &Way<'_>,
    link: &route::Link<'_>,
    effects: &mut Effects,
) -> Outcome<Reply> {
    let action = &auth::following(&request.path);
    auth::refuse_unauthorized(&way.principal, &way.account.id, action, &request.path)?;
    let about = (link.region, &Value::Null);
    *effects = happens(world, way, ("Microsoft.Resources", short(link.operation), action), about);
    if let Some(refusal) = &effects.refusal {
        let caller = (&way.principal, request.path.as_str());
        return Err(auth::refused_by_fault(world, refusal, caller, link.region, world.clock.now()));
    }
    let token = way.pairs.iter().find(|(name, _)| name == "t").map_or("", |(_, token)| token.as_str());
    let answer = match lro::answer(world, token, link.name, link.result, world.clock.now())? {
        lro::Asked::Answer(answer) => answer,
        lro::Asked::Resource(id) => {
            let get = Request { method: Method::GET, path: id, query: String::new(), ..request.clone() };
            let (_, found) = route::find(services, &get)?;
            let version =
                way.pairs.iter().find(|(name, _)| name == "api-version").map_or("", |(_, version)| version);
            let calm = Effects::default();
            let own = Way { principal: way.principal.clone(), account: way.account, pairs: Vec::new() };
            run(world, &call(world, &get, &own, (version, found), Value::Null, &calm))?
        }
    };
    let mut reply = Reply::new(answer.status);
    if let Some(body) = answer.body {
        reply = reply.with("application/json; charset=utf-8", body);
    }
    for (name, value) in answer.headers {
        reply = reply.header(name, &value);
    }
    if reply.status == StatusCode::ACCEPTED {
        // Whoever polls a result goes on polling the same link.
        reply = reply.header("location", &format!("{}{}?{}", request.origin, request.path, request.query));
    }
    Ok(reply)
}

/// What a world grows by: a call of an operation as a provider sees it, with nothing going wrong.
pub fn grow(estate: &mut Estate, call: &Call<'_>) -> Outcome<()> {
    match table::handler(call.operation) {
        Some(Handler::Write(write)) => write(call, estate).map(|_| ()),
        _ => Err(Refused::bad("NotImplemented", call.operation)),
    }
}
