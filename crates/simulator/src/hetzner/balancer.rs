//! Load balancers: services, the targets they send traffic to, and how healthy those are.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    action,
    call::{
        Answer, Call,
        Handler::{self, Read, Write},
        Outcome, number, seconds,
    },
    catalog, firewall, kind, metrics, network,
    refusal::Refusal,
    selector::Selector,
};
use crate::estate::{Estate, Meter, Thing};

/// The shelf.
pub const SHELF: &str = "load_balancers";

/// Who answers.
pub fn handler(verb: &str) -> Option<Handler> {
    Some(match verb {
        "create" => Write(create),
        "delete" => Write(delete),
        "metrics" => Read(metrics::of_balancer),
        "add_service" => Write(add_service),
        "update_service" => Write(update_service),
        "delete_service" => Write(delete_service),
        "add_target" => Write(add_target),
        "remove_target" => Write(remove_target),
        "attach_to_network" => Write(attach),
        "detach_from_network" => Write(detach),
        "change_algorithm" => Write(change_algorithm),
        "change_type" => Write(change_type),
        "enable_public_interface" | "disable_public_interface" => Write(public_interface),
        _ => return None,
    })
}

/// What follows from elsewhere.
pub fn show(call: &Call<'_>, estate: &Estate, thing: &Thing, shown: &mut Map<String, Value>) {
    let n = thing.id.parse::<u64>().unwrap_or_default() % 60_000;
    let ports: Vec<Value> =
        list(thing, "services").iter().map(|service| service["listen_port"].clone()).collect();
    let targets: Vec<Value> =
        list(thing, "targets").into_iter().map(|target| with_health(call, estate, &ports, target)).collect();
    let enabled = thing.body.get("public").as_bool().unwrap_or(true);
    shown.remove("public");
    shown.extend([
        ("location".to_owned(), catalog::location(call, &thing.place)),
        ("load_balancer_type".to_owned(), catalog::balancer_type(call, &thing.size)),
        ("targets".to_owned(), targets.into()),
        (
            "public_net".to_owned(),
            json!({ "enabled": enabled,
                "ipv4": { "ip": format!("198.51.{}.{}", n / 250, n % 250 + 1), "dns_ptr": null },
                "ipv6": { "ip": format!("2001:db8:33:{n:x}::1"), "dns_ptr": null } }),
        ),
        ("included_traffic".to_owned(), 20_000_000_000_000_u64.into()),
        ("ingoing_traffic".to_owned(), Value::Null),
        ("outgoing_traffic".to_owned(), Value::Null),
    ]);
}

/// A target with the health of each of the ports; one of labels with what they select.
fn with_health(call: &Call<'_>, estate: &Estate, ports: &[Value], mut target: Value) -> Value {
    let health = |server: Option<&Thing>| -> Value {
        let runs = server.is_none_or(|server| server.state(call.now) == "running");
        let word = if runs && !call.effects.unhealthy { "healthy" } else { "unhealthy" };
        ports.iter().map(|port| json!({ "listen_port": port, "status": word })).collect()
    };
    match target["type"].as_str() {
        Some("label_selector") => {
            let private = target["use_private_ip"].clone();
            let found: Value = firewall::selected(call, estate, &target["label_selector"])
                .map(|server| {
                    json!({ "type": "server", "server": { "id": number(&server.id) },
                        "use_private_ip": private, "health_status": health(Some(server)) })
                })
                .collect();
            target["targets"] = found;
        }
        Some("server") => {
            let id = target["server"]["id"].as_u64().map(|id| id.to_string()).unwrap_or_default();
            target["health_status"] = health(call.find(estate, "servers", &id));
        }
        _ => target["health_status"] = health(None),
    }
    target
}

fn list(thing: &Thing, member: &str) -> Vec<Value> {
    thing.body.get(member).as_array().cloned().unwrap_or_default()
}

/// A target that can be, in the words it is kept in.
fn target(call: &Call<'_>, estate: &Estate, nets: &[Value], said: &Value) -> Result<Value, Refusal> {
    let private = said["use_private_ip"] == true;
    let mut kept = json!({ "type": said["type"] });
    match said["type"].as_str() {
        Some("server") => {
            let id = said["server"]["id"].as_u64().map(|id| id.to_string()).unwrap_or_default();
            let server = call.need(estate, "servers", &id)?;
            if private {
                reachable(server, nets)?;
            }
            kept["server"] = json!({ "id": number(&id) });
            kept["use_private_ip"] = private.into();
        }
        Some("label_selector") => {
            let text = said["label_selector"]["selector"].as_str().unwrap_or_default();
            Selector::parse(text)
                .ok_or_else(|| Refusal::invalid("label_selector", "is no label selector"))?;
            kept["label_selector"] = json!({ "selector": text });
            kept["use_private_ip"] = private.into();
        }
        _ => {
            let ip = said["ip"]["ip"].as_str().unwrap_or_default();
            if ip.parse::<std::net::IpAddr>().is_err() {
                return Err(Refusal::invalid("ip", "is no address"));
            }
            kept["ip"] = json!({ "ip": ip });
        }
    }
    Ok(kept)
}

/// Whether a server has an address in a network of the load balancer's.
fn reachable(server: &Thing, nets: &[Value]) -> Result<(), Refusal> {
    if nets.is_empty() {
        let message = "load balancer is not attached to a network";
        return Err(Refusal::new(422, "load_balancer_not_attached_to_network", message));
    }
    let own = server.body.get("private_net");
    let mut own = own.as_array().into_iter().flatten();
    let shared = own.any(|net| nets.iter().any(|other| other["network"] == net["network"]));
    if shared {
        return Ok(());
    }
    Err(Refusal::new(422, "server_not_attached_to_network", "server is not attached to the network"))
}

/// A service that can be beside others.
fn service(call: &Call<'_>, estate: &Estate, others: &[Value], mut said: Value) -> Result<Value, Refusal> {
    let port = |name: &str| said[name].as_u64().is_some_and(|port| (1..=65_535).contains(&port));
    if !port("listen_port") || !port("destination_port") {
        return Err(Refusal::invalid("listen_port", "ports must be between 1 and 65535"));
    }
    if others.iter().any(|other| other["listen_port"] == said["listen_port"]) {
        return Err(Refusal::new(422, "source_port_already_used", "the listen port is already used"));
    }
    let certificates = said["http"]["certificates"].as_array().cloned().unwrap_or_default();
    if (said["protocol"] == "https") == certificates.is_empty() {
        return Err(Refusal::invalid("http.certificates", "are for https, and required there"));
    }
    for id in certificates.iter().filter_map(Value::as_u64) {
        call.need(estate, "certificates", &id.to_string())?;
    }
    if said["protocol"] != "tcp" {
        let mut http = json!({ "cookie_name": "HCLBSTICKY", "cookie_lifetime": 300, "certificates": [],
            "redirect_http": false, "sticky_sessions": false, "timeout_idle": 60 });
        if let (Some(usual), Some(said)) = (http.as_object_mut(), said["http"].as_object()) {
            usual.extend(said.clone());
        }
        said["http"] = http;
    }
    Ok(said)
}

/// `create`, in a location or in the first one of a network zone.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let size = catalog::need_balancer_type(call)?;
    let place = match call.said("network_zone").as_str() {
        Some(zone) => catalog::in_zone(call, zone)?,
        None => catalog::need_location(call, "location")?,
    };
    let mut thing = kind::new(call, estate, &place, "available")?;
    let mut nets = Vec::new();
    if let Some(id) = call.id_of("network") {
        let ip = network::take_address(call, estate, &id, catalog::zone_of(&place), None)?;
        nets.push(json!({ "network": number(&id), "ip": ip }));
    }
    let (mut services, mut targets) = (Vec::new(), Vec::new());
    for said in call.said("services").as_array().into_iter().flatten() {
        services.push(service(call, estate, &services, said.clone())?);
    }
    for said in call.said("targets").as_array().into_iter().flatten() {
        targets.push(target(call, estate, &nets, said)?);
    }
    let usual = json!({ "type": "round_robin" });
    let algorithm = Some(call.said("algorithm")).filter(|said| !said.is_null()).unwrap_or(&usual);
    thing.size = size.into();
    thing.body =
        json!({ "algorithm": algorithm, "services": services, "targets": targets, "private_net": nets,
        "public": call.flag("public_interface", true), "protection": { "delete": false } })
        .into();
    thing.meter(call.now, [Meter::new(&format!("balancer/{size}"), 1.0)]);
    let (id, shown) = (thing.id.to_string(), kind::show(call, estate, SHELF, &thing));
    estate.add(call.cause(), SHELF, thing);
    let action = action::begin(call, estate, "create_load_balancer", &[(SHELF, &id)], seconds(4));
    Ok(Answer::Json(StatusCode::CREATED, json!({ "load_balancer": shown, "action": action })))
}

/// `delete`: it is seen until the action is at its end.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let place = kind::deletable(call, estate)?.place.clone();
    let action = action::begin(call, estate, "delete_load_balancer", &[(SHELF, &call.id)], seconds(3));
    estate.end(call.cause(), SHELF, &place, &call.id, call.now + seconds(3));
    Ok(Answer::from(json!({ "action": action })))
}

/// The load balancer of the call, which must be free.
fn free<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let found = kind::named(call, estate)?;
    action::unlocked(call, estate, SHELF, &call.id)?;
    Ok(found)
}

fn changed(call: &Call<'_>, estate: &mut Estate, member: &str, value: Value, command: &str) -> Outcome {
    kind::edit(call, estate, SHELF, &call.id, |body| drop(body.insert(member.to_owned(), value)));
    action::answer(action::begin(call, estate, command, &[(SHELF, &call.id)], seconds(1)))
}

/// `add_service`.
pub fn add_service(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut services = list(free(call, estate)?, "services");
    let made = service(call, estate, &services, Value::Object(call.body.clone()))?;
    services.push(made);
    changed(call, estate, "services", services.into(), "add_service")
}

/// `update_service`: what is said of the service that listens on a port.
pub fn update_service(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut services = list(free(call, estate)?, "services");
    let port = call.said("listen_port");
    let found = services.iter_mut().find(|service| service["listen_port"] == *port);
    let known = found.and_then(Value::as_object_mut);
    let known = known.ok_or_else(|| Refusal::new(404, "not_found", "service not found"))?;
    for (member, value) in &call.body {
        match (known.get_mut(member).and_then(Value::as_object_mut), value.as_object()) {
            (Some(present), Some(said)) => present.extend(said.clone()),
            _ => drop(known.insert(member.clone(), value.clone())),
        }
    }
    changed(call, estate, "services", services.into(), "update_service")
}

/// `delete_service`.
pub fn delete_service(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut services = list(free(call, estate)?, "services");
    let before = services.len();
    services.retain(|service| service["listen_port"] != *call.said("listen_port"));
    if services.len() == before {
        return Err(Refusal::new(404, "not_found", "service not found"));
    }
    changed(call, estate, "services", services.into(), "delete_service")
}

/// Whether two targets are the same, whichever address is used.
fn same(one: &Value, other: &Value) -> bool {
    ["type", "server", "label_selector", "ip"].iter().all(|member| one[member] == other[member])
}

/// `add_target`.
pub fn add_target(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = free(call, estate)?;
    let (mut targets, nets, size) = (list(thing, "targets"), list(thing, "private_net"), thing.size.clone());
    let made = target(call, estate, &nets, &Value::Object(call.body.clone()))?;
    if targets.iter().any(|known| same(known, &made)) {
        return Err(Refusal::new(422, "target_already_defined", "target is already defined"));
    }
    if targets.len() as u64 >= catalog::most_targets(&size) {
        return Err(Refusal::limit("load_balancer_target_limit"));
    }
    targets.push(made);
    changed(call, estate, "targets", targets.into(), "add_target")
}

/// `remove_target`.
pub fn remove_target(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut targets = list(free(call, estate)?, "targets");
    let (before, wanted) = (targets.len(), Value::Object(call.body.clone()));
    targets.retain(|known| !same(known, &wanted));
    if targets.len() == before {
        return Err(Refusal::new(404, "not_found", "target not found"));
    }
    changed(call, estate, "targets", targets.into(), "remove_target")
}

/// `attach_to_network`.
pub fn attach(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = free(call, estate)?;
    let mut nets = list(thing, "private_net");
    let network = call.id_of("network").unwrap_or_default();
    if !nets.is_empty() {
        let message = "load balancer is already attached to a network";
        return Err(Refusal::new(422, "load_balancer_already_attached", message));
    }
    let (zone, asked) = (catalog::zone_of(&thing.place), call.said("ip").as_str());
    let ip = network::take_address(call, estate, &network, zone, asked)?;
    nets.push(json!({ "network": number(&network), "ip": ip }));
    changed(call, estate, "private_net", nets.into(), "attach_to_network")
}

/// `detach_from_network`, if no target is reached through it.
pub fn detach(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = free(call, estate)?;
    let mut nets = list(thing, "private_net");
    if list(thing, "targets").iter().any(|target| target["use_private_ip"] == true) {
        return Err(Refusal::new(422, "targets_without_use_private_ip", "targets use the private network"));
    }
    let before = nets.len();
    nets.retain(|net| net["network"] != *call.said("network"));
    if nets.len() == before {
        return Err(Refusal::new(404, "not_found", "load balancer is not attached to the network"));
    }
    changed(call, estate, "private_net", nets.into(), "detach_from_network")
}

/// `change_algorithm`.
pub fn change_algorithm(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    free(call, estate)?;
    changed(call, estate, "algorithm", Value::Object(call.body.clone()), "change_algorithm")
}

/// `change_type`, if it takes the targets that there are.
pub fn change_type(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let targets = list(free(call, estate)?, "targets").len() as u64;
    let size = catalog::need_balancer_type(call)?;
    if targets > catalog::most_targets(size) {
        return Err(Refusal::new(422, "invalid_load_balancer_type", "the type takes fewer targets"));
    }
    if let Some(thing) = call.change(estate, SHELF, &call.id) {
        thing.size = size.into();
        thing.meter(call.now, [Meter::new(&format!("balancer/{size}"), 1.0)]);
    }
    action::answer(action::begin(call, estate, "change_load_balancer_type", &[(SHELF, &call.id)], seconds(3)))
}

/// `enable_public_interface`, `disable_public_interface`.
pub fn public_interface(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    free(call, estate)?;
    let verb = call.operation.rsplit('.').next().unwrap_or_default();
    changed(call, estate, "public", verb.starts_with("enable").into(), verb)
}
