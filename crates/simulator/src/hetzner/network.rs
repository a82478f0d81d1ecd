//! Networks with their subnets and routes. A subnet lies in its network, meets no other one, and is of a network zone.

use std::net::Ipv4Addr;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    action,
    call::{
        Answer, Call,
        Handler::{self, Write},
        Outcome, number, seconds,
    },
    kind,
    refusal::Refusal,
};
use crate::{
    cidr::Cidr,
    estate::{Estate, Thing},
};

/// The shelf.
pub const SHELF: &str = "networks";

/// The first addresses of a subnet, which Hetzner keeps for itself: the gateway is the first after the range's own.
const KEPT: u32 = 2;

/// Who answers.
pub fn handler(verb: &str) -> Option<Handler> {
    Some(match verb {
        "create" => Write(create),
        "delete" => Write(delete),
        "add_subnet" => Write(add_subnet),
        "delete_subnet" => Write(delete_subnet),
        "add_route" => Write(add_route),
        "delete_route" => Write(delete_route),
        "change_ip_range" => Write(change_ip_range),
        _ => return None,
    })
}

/// What follows from elsewhere.
pub fn show(call: &Call<'_>, estate: &Estate, thing: &Thing, shown: &mut Map<String, Value>) {
    for (member, shelf) in [("servers", "servers"), ("load_balancers", "load_balancers")] {
        let ids: Value = inside(call, estate, shelf, &thing.id).map(|one| number(&one.id)).collect();
        shown.insert(member.into(), ids);
    }
}

/// What of a shelf has an address in a network.
pub fn inside<'e>(
    call: &Call<'_>,
    estate: &'e Estate,
    shelf: &str,
    network: &str,
) -> impl Iterator<Item = &'e Thing> {
    let id = number(network);
    estate.all(call.project(), shelf, None, call.now).filter(move |one| {
        one.body.get("private_net").as_array().into_iter().flatten().any(|net| net["network"] == id)
    })
}

/// A private range that servers may use.
fn range(field: &str, text: &str) -> Result<Cidr, Refusal> {
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    let found = Cidr::parse(text).filter(|range| {
        private.iter().filter_map(|whole| Cidr::parse(whole)).any(|whole| whole.holds(*range))
    });
    found.ok_or_else(|| Refusal::invalid(field, "is no private range"))
}

/// A subnet as it is kept: with its gateway, and a range of its own if none was said.
fn subnet(whole: Cidr, others: &[Value], said: &Value) -> Result<Value, Refusal> {
    let taken: Vec<Cidr> =
        others.iter().filter_map(|other| Cidr::parse(other["ip_range"].as_str()?)).collect();
    let free = |range: Cidr| whole.holds(range) && !taken.iter().any(|other| other.meets(range));
    let text = match said["ip_range"].as_str() {
        Some(text) => text.to_owned(),
        None => (0..256_u32)
            .filter_map(|n| Some(Ipv4Addr::from(u32::from(whole.first()).checked_add(n << 8)?)))
            .map(|first| format!("{first}/24"))
            .find(|text| Cidr::parse(text).is_some_and(free))
            .ok_or_else(|| {
                Refusal::new(422, "no_subnet_available", "no subnet is available in the network")
            })?,
    };
    let wanted = range("ip_range", &text)?;
    if !free(wanted) {
        return Err(Refusal::invalid("ip_range", "must lie in the network and meet no other subnet"));
    }
    if !matches!(said["network_zone"].as_str(), Some("eu-central" | "us-east" | "us-west" | "ap-southeast")) {
        return Err(Refusal::invalid("network_zone", "is no network zone"));
    }
    let gateway = wanted.nth(1, 0).map(|address| address.to_string());
    Ok(
        json!({ "type": said["type"], "ip_range": text, "network_zone": said["network_zone"], "gateway": gateway,
        "vswitch_id": said["vswitch_id"] }),
    )
}

/// `create`.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut thing = kind::new(call, estate, "global", "available")?;
    let whole = range("ip_range", call.text("ip_range"))?;
    let mut subnets: Vec<Value> = Vec::new();
    for said in call.said("subnets").as_array().into_iter().flatten() {
        let made = subnet(whole, &subnets, said)?;
        subnets.push(made);
    }
    let routes = call.said("routes").as_array().cloned().unwrap_or_default();
    thing.body = json!({ "ip_range": call.text("ip_range"), "subnets": subnets, "routes": routes,
        "expose_routes_to_vswitch": call.flag("expose_routes_to_vswitch", false),
        "protection": { "delete": false } })
    .into();
    let shown = kind::show(call, estate, SHELF, &thing);
    estate.add(call.cause(), SHELF, thing);
    Ok(Answer::Json(StatusCode::CREATED, json!({ "network": shown })))
}

/// `delete`: servers and load balancers leave it.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    kind::deletable(call, estate)?;
    let id = number(&call.id);
    for shelf in ["servers", "load_balancers"] {
        for one in estate.all_mut(call.project(), shelf, call.now) {
            one.body.edit(|body| {
                if let Some(nets) = body.get_mut("private_net").and_then(Value::as_array_mut) {
                    nets.retain(|net| net["network"] != id);
                }
            });
        }
    }
    kind::remove(call, estate)
}

/// The network of the call, which must be free.
fn free<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, SHELF, &call.id)?;
    Ok(thing)
}

fn changed(call: &Call<'_>, estate: &mut Estate, member: &str, value: Value, command: &str) -> Outcome {
    kind::edit(call, estate, SHELF, &call.id, |body| drop(body.insert(member.to_owned(), value)));
    action::answer(action::begin(call, estate, command, &[(SHELF, &call.id)], seconds(1)))
}

fn list_of(thing: &Thing, member: &str) -> Vec<Value> {
    thing.body.get(member).as_array().cloned().unwrap_or_default()
}

/// `add_subnet`.
pub fn add_subnet(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = free(call, estate)?;
    let mut subnets = list_of(thing, "subnets");
    let whole = range("ip_range", thing.body.get("ip_range").as_str().unwrap_or_default())?;
    let made = subnet(whole, &subnets, &Value::Object(call.body.clone()))?;
    subnets.push(made);
    changed(call, estate, "subnets", subnets.into(), "add_subnet")
}

/// `delete_subnet`, of one in which nothing has an address.
pub fn delete_subnet(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = free(call, estate)?;
    let (text, mut subnets) = (call.text("ip_range"), list_of(thing, "subnets"));
    let before = subnets.len();
    subnets.retain(|subnet| subnet["ip_range"] != text);
    if subnets.len() == before {
        return Err(Refusal::new(404, "not_found", "subnet not found"));
    }
    if Cidr::parse(text)
        .is_some_and(|range| addresses(call, estate, &call.id).iter().any(|ip| range.has(*ip)))
    {
        return Err(Refusal::new(409, "resource_in_use", "subnet still has resources attached"));
    }
    changed(call, estate, "subnets", subnets.into(), "delete_subnet")
}

/// `add_route`.
pub fn add_route(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut routes = list_of(free(call, estate)?, "routes");
    let wanted = Value::Object(call.body.clone());
    if Cidr::parse(call.text("destination")).is_none() {
        return Err(Refusal::invalid("destination", "is no range"));
    }
    if routes.iter().any(|route| route["destination"] == wanted["destination"]) {
        return Err(Refusal::taken("destination", "route destination"));
    }
    routes.push(wanted);
    changed(call, estate, "routes", routes.into(), "add_route")
}

/// `delete_route`.
pub fn delete_route(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut routes = list_of(free(call, estate)?, "routes");
    let (before, wanted) = (routes.len(), Value::Object(call.body.clone()));
    routes.retain(|route| *route != wanted);
    if routes.len() == before {
        return Err(Refusal::new(404, "not_found", "route not found"));
    }
    changed(call, estate, "routes", routes.into(), "delete_route")
}

/// `change_ip_range`: only to more.
pub fn change_ip_range(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = free(call, estate)?;
    let wanted = range("ip_range", call.text("ip_range"))?;
    let present = thing.body.get("ip_range").as_str().and_then(Cidr::parse);
    if !present.is_some_and(|present| wanted.holds(present)) {
        return Err(Refusal::invalid("ip_range", "must hold the present range"));
    }
    changed(call, estate, "ip_range", call.text("ip_range").into(), "change_ip_range")
}

/// The addresses that are taken in a network.
fn addresses(call: &Call<'_>, estate: &Estate, network: &str) -> Vec<Ipv4Addr> {
    let id = number(network);
    ["servers", "load_balancers"]
        .into_iter()
        .flat_map(|shelf| inside(call, estate, shelf, network))
        .flat_map(|one| one.body.get("private_net").as_array().cloned().unwrap_or_default())
        .filter(|net| net["network"] == id)
        .filter_map(|net| net["ip"].as_str()?.parse().ok())
        .collect()
}

/// An address in a network for something in a network zone: the one that is asked for, or the next that is free.
pub fn take_address(
    call: &Call<'_>,
    estate: &Estate,
    network: &str,
    zone: &str,
    asked: Option<&str>,
) -> Result<String, Refusal> {
    let thing = call.need(estate, SHELF, network)?;
    let subnets = list_of(thing, "subnets");
    let ranges = subnets.iter().filter(|subnet| subnet["network_zone"] == zone);
    let ranges: Vec<Cidr> = ranges.filter_map(|subnet| Cidr::parse(subnet["ip_range"].as_str()?)).collect();
    let taken = addresses(call, estate, network);
    if ranges.is_empty() {
        return Err(Refusal::new(
            422,
            "no_subnet_available",
            "the network has no subnet in the network zone",
        ));
    }
    let free = |address: &Ipv4Addr| !taken.contains(address);
    let found = match asked {
        Some(text) => {
            let inside = |address: &Ipv4Addr| ranges.iter().any(|range| range.has(*address));
            text.parse().ok().filter(inside).filter(free)
        }
        None => ranges.iter().flat_map(|range| (0..).map_while(|n| range.nth(KEPT, n))).find(free),
    };
    found
        .map(|address| address.to_string())
        .ok_or_else(|| Refusal::new(422, "ip_not_available", "the address is not available"))
}
