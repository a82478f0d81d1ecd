//! Primary and floating addresses. A primary one is the server's own, may go with it, and changes hands only while the
//! server is off; a floating one is of the project, and moves at any time.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    action,
    call::{
        Answer, Call,
        Handler::{self, Write},
        Outcome, number, seconds, singular,
    },
    catalog, kind,
    refusal::Refusal,
};
use crate::estate::{Estate, Meter, Thing};

/// The shelf of primary addresses.
pub const PRIMARY: &str = "primary_ips";
/// The shelf of floating addresses.
pub const FLOATING: &str = "floating_ips";

/// Who answers.
pub fn handler(verb: &str) -> Option<Handler> {
    Some(match verb {
        "create" => Write(create),
        "delete" => Write(delete),
        "assign" => Write(assign),
        "unassign" => Write(unassign),
        "change_dns_ptr" => Write(change_dns_ptr),
        _ => return None,
    })
}

/// What follows from elsewhere.
pub fn show(call: &Call<'_>, shelf: &str, thing: &Thing, shown: &mut Map<String, Value>) {
    let member = if shelf == PRIMARY { "location" } else { "home_location" };
    shown.insert(member.into(), catalog::location(call, &thing.place));
}

/// The member that names an address's server.
fn owner(shelf: &str) -> &'static str {
    if shelf == PRIMARY { "assignee_id" } else { "server" }
}

/// The addresses of a server on one of the shelves.
pub fn of_server<'e>(
    call: &Call<'_>,
    estate: &'e Estate,
    shelf: &str,
    server: &str,
) -> impl Iterator<Item = &'e Thing> {
    let (id, member) = (number(server), owner(shelf));
    estate.all(call.project(), shelf, None, call.now).filter(move |one| one.body.get(member) == id)
}

/// An address that nothing else has: ranges for benchmarks and documentation, which lead nowhere.
fn address(shelf: &str, kind: &str, id: &str) -> String {
    let n = id.parse::<u64>().unwrap_or_default() % 60_000;
    let net = if shelf == PRIMARY { 18 } else { 19 };
    match kind {
        "ipv4" => format!("198.{net}.{}.{}", n / 250, n % 250 + 1),
        _ => format!("2001:db8:{net}:{n:x}::/64"),
    }
}

/// Gives a new thing what an address is.
pub fn fill(thing: &mut Thing, shelf: &str, kind: &str, server: Option<&str>, auto_delete: bool) {
    let mut body = json!({ "type": kind, "ip": address(shelf, kind, &thing.id), "dns_ptr": [], "blocked": false,
        "protection": { "delete": false }, owner(shelf): server.map(number) });
    if shelf == PRIMARY {
        body["assignee_type"] = "server".into();
        body["auto_delete"] = auto_delete.into();
    }
    thing.body = body.into();
    let sku = if shelf == PRIMARY { "primary-ip" } else { "floating-ip" };
    thing.meter(thing.born, [Meter::new(&format!("{sku}/{kind}"), 1.0)]);
}

/// `create`, in a location or for a server.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    let server = call.id_of(owner(shelf));
    let field = if shelf == PRIMARY { "location" } else { "home_location" };
    let place = match (&server, call.said(field).is_null()) {
        (Some(id), true) => call.need(estate, "servers", id)?.place.to_string(),
        (None, false) => catalog::need_location(call, field)?,
        (Some(_), false) if shelf == FLOATING => catalog::need_location(call, field)?,
        _ => return Err(Refusal::invalid(field, "either a location or a server is required")),
    };
    if let Some(server) = &server {
        assignable(call, estate, shelf, server, call.text("type"), &place)?;
    }
    // A floating address without a name is called after its number.
    let unnamed = call.thing(estate, shelf, &place, "available").id;
    let name = Some(call.text("name")).filter(|name| !name.is_empty());
    let name = name.map_or_else(|| format!("{}-{unnamed}", singular(shelf).replace('_', "-")), str::to_owned);
    let mut thing = kind::new_called(call, estate, &name, &place, "available")?;
    fill(&mut thing, shelf, call.text("type"), server.as_deref(), call.flag("auto_delete", false));
    if shelf == FLOATING {
        thing.body.edit(|body| drop(body.insert("description".into(), call.text("description").into())));
    }
    let (id, shown) = (thing.id.to_string(), kind::show(call, estate, shelf, &thing));
    estate.add(call.cause(), shelf, thing);
    let mut answer = json!({ singular(shelf): shown });
    if let Some(server) = &server {
        let on = [(shelf, id.as_str()), ("servers", server.as_str())];
        answer["action"] = action::begin(call, estate, &command(shelf, "assign"), &on, seconds(2));
    }
    Ok(Answer::Json(StatusCode::CREATED, answer))
}

fn command(shelf: &str, verb: &str) -> String {
    format!("{verb}_{}", singular(shelf))
}

/// Whether a server can have one more address of a kind. A primary one is for a server that is off, in its location,
/// and without one of the kind.
fn assignable(
    call: &Call<'_>,
    estate: &Estate,
    shelf: &str,
    server: &str,
    kind: &str,
    place: &str,
) -> Result<(), Refusal> {
    let found = call.need(estate, "servers", server)?;
    action::unlocked(call, estate, "servers", server)?;
    if shelf == FLOATING {
        return Ok(());
    }
    if *found.place != *place {
        return Err(Refusal::invalid("assignee_id", "must be in the location of the primary IP"));
    }
    if found.state(call.now) != "off" {
        return Err(Refusal::new(422, "server_not_stopped", "server must be stopped"));
    }
    let has = of_server(call, estate, PRIMARY, server).any(|one| one.body.get("type") == kind);
    let code = if kind == "ipv4" { "server_has_ipv4" } else { "server_has_ipv6" };
    if has { Err(Refusal::new(422, code, "server already has a primary IP of this type")) } else { Ok(()) }
}

/// `assign`.
pub fn assign(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, shelf, &call.id)?;
    let (place, body) = (thing.place.to_string(), thing.body.read());
    if shelf == PRIMARY && !body[owner(shelf)].is_null() {
        return Err(Refusal::new(422, "primary_ip_assigned", "primary IP is already assigned"));
    }
    let server = call.id_of(owner(shelf)).unwrap_or_default();
    assignable(call, estate, shelf, &server, body["type"].as_str().unwrap_or_default(), &place)?;
    kind::edit(call, estate, shelf, &call.id, |body| drop(body.insert(owner(shelf).into(), number(&server))));
    let on = [(shelf, call.id.as_str()), ("servers", server.as_str())];
    action::answer(action::begin(call, estate, &command(shelf, "assign"), &on, seconds(2)))
}

/// `unassign`.
pub fn unassign(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, shelf, &call.id)?;
    let Some(server) = thing.body.get(owner(shelf)).as_u64().map(|id| id.to_string()) else {
        return Err(Refusal::new(422, "service_error", "address is not assigned"));
    };
    action::unlocked(call, estate, "servers", &server)?;
    let state = call.need(estate, "servers", &server)?.state(call.now);
    if shelf == PRIMARY && state != "off" {
        return Err(Refusal::new(422, "server_not_stopped", "server must be stopped"));
    }
    kind::edit(call, estate, shelf, &call.id, |body| drop(body.insert(owner(shelf).into(), Value::Null)));
    let on = [(shelf, call.id.as_str()), ("servers", server.as_str())];
    action::answer(action::begin(call, estate, &command(shelf, "unassign"), &on, seconds(2)))
}

/// `change_dns_ptr`: the name of one address; null takes it away.
pub fn change_dns_ptr(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, shelf, &call.id)?;
    let own = thing.body.get("ip").as_str().unwrap_or_default().to_owned();
    let ip = call.text("ip");
    if !ip.starts_with(own.trim_end_matches("/64")) {
        return Err(Refusal::invalid("ip", "is not of this address"));
    }
    kind::edit(call, estate, shelf, &call.id, |body| {
        if let Some(names) = body.get_mut("dns_ptr").and_then(Value::as_array_mut) {
            names.retain(|known| known["ip"] != ip);
            if !call.text("dns_ptr").is_empty() {
                names.push(json!({ "ip": ip, "dns_ptr": call.text("dns_ptr") }));
            }
        }
    });
    action::answer(action::begin(call, estate, "change_dns_ptr", &[(shelf, &call.id)], seconds(1)))
}

/// `delete`; a primary address only while it is nobody's.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    let thing = kind::deletable(call, estate)?;
    if shelf == PRIMARY && !thing.body.get(owner(shelf)).is_null() {
        return Err(Refusal::new(422, "primary_ip_assigned", "primary IP is assigned to a server"));
    }
    kind::remove(call, estate)
}
