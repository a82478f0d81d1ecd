//! A new server: from an image, with addresses, networks, volumes, firewalls and a placement group.

use http::StatusCode;
use serde_json::{Value, json};

use super::SHELF;
use crate::{
    estate::{Estate, Meter, Thing},
    hetzner::{
        action,
        address::{self, PRIMARY},
        call::{Answer, Call, Outcome, number, seconds},
        catalog, image, keys, kind, network,
        refusal::Refusal,
    },
    plan::Size,
};

/// How long it takes until a server is made, and until it has started.
const MAKING: i64 = 8;
const BOOT: i64 = 12;

/// `create`.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let size = catalog::need_size(call, "server_type")?;
    let place = if call.said("location").is_null() {
        call.account.regions.first().map_or_else(String::new, |region| region.id.to_string())
    } else {
        catalog::need_location(call, "location")?
    };
    let image = image::need(call, estate, size)?;
    available(call, &place, size)?;
    let parts = Parts::read(call, estate, &place)?;
    let mut thing = kind::new(call, estate, &place, "initializing")?;
    thing.size = size.name.clone();
    let starts = call.flag("start_after_create", true);
    thing.life.plan(seconds(MAKING), if starts { "starting" } else { "off" });
    if starts {
        thing.life.plan(seconds(BOOT), "running");
    }
    thing.body = json!({ "image": image["id"], "primary_disk_size": catalog::disk_of(size),
        "placement_group": call.said("placement_group"), "private_net": parts.nets, "backup_window": null,
        "protection": { "delete": false, "rebuild": false } })
    .into();
    thing.meter(call.now, [Meter::new(&format!("compute/{}", size.name), 1.0)]);
    let id = thing.id.to_string();
    estate.add(call.cause(), SHELF, thing);
    parts.take(call, estate, &id, &place);
    let action = action::begin(call, estate, "create_server", &[(SHELF, &id)], seconds(MAKING));
    let mut next = Vec::new();
    if starts {
        next.push(action::begin(call, estate, "start_server", &[(SHELF, &id)], seconds(MAKING + BOOT)));
    }
    // With a key nobody needs a password.
    let open = call.said("ssh_keys").as_array().is_none_or(Vec::is_empty);
    let password = open.then(|| call.world.seed().hex(&["root password", &id], 20));
    let made = call.change(estate, SHELF, &id).cloned();
    let shown = made.map(|thing| kind::show(call, estate, SHELF, &thing));
    Ok(Answer::Json(
        StatusCode::CREATED,
        json!({ "server": shown, "action": action, "next_actions": next, "root_password": password }),
    ))
}

/// Whether a server of a type can be had in a location.
pub fn available(call: &Call<'_>, place: &str, size: &Size) -> Result<(), Refusal> {
    if call.effects.has_capacity(place, &size.name) {
        return Ok(());
    }
    let message = format!("server type {} is currently not available in {place}", size.name);
    Err(Refusal::new(412, "resource_unavailable", message))
}

/// What a server is given when it is made, all of it there and free.
struct Parts {
    nets: Vec<Value>,
    volumes: Vec<String>,
    firewalls: Vec<String>,
    /// Addresses by kind: one that is there, or a new one.
    addresses: Vec<(&'static str, Option<String>)>,
}

impl Parts {
    fn read(call: &Call<'_>, estate: &Estate, place: &str) -> Result<Self, Refusal> {
        let ids = |member: &str| -> Vec<String> {
            let listed = call.said(member).as_array().into_iter().flatten();
            listed.filter_map(Value::as_u64).map(|id| id.to_string()).collect()
        };
        for key in call.said("ssh_keys").as_array().into_iter().flatten() {
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            let known = estate
                .all(call.project(), "ssh_keys", None, call.now)
                .any(|one| *one.name == key || *one.id == key);
            if !known {
                return Err(Refusal::invalid("ssh_keys", "SSH key not found"));
            }
        }
        if let Some(group) = call.id_of("placement_group") {
            keys::need_group(call, estate, &group)?;
        }
        let mut nets = Vec::new();
        for id in ids("networks") {
            let ip = network::take_address(call, estate, &id, catalog::zone_of(place), None)?;
            nets.push(net(&id, &ip));
        }
        let volumes = ids("volumes");
        for id in &volumes {
            let volume = call.need(estate, "volumes", id)?;
            if *volume.place != *place || !volume.body.get("server").is_null() {
                return Err(Refusal::invalid("volumes", "must be free, and in the location of the server"));
            }
        }
        let listed = call.said("firewalls").as_array().into_iter().flatten();
        let firewalls: Vec<String> =
            listed.filter_map(|one| Some(one["firewall"].as_u64()?.to_string())).collect();
        for id in &firewalls {
            call.need(estate, "firewalls", id)?;
        }
        let addresses = Self::addresses(call, estate, place)?;
        if addresses.is_empty() && nets.is_empty() {
            return Err(Refusal::invalid("public_net", "a server needs an address or a network"));
        }
        Ok(Self { nets, volumes, firewalls, addresses })
    }

    fn addresses(
        call: &Call<'_>,
        estate: &Estate,
        place: &str,
    ) -> Result<Vec<(&'static str, Option<String>)>, Refusal> {
        let wanted = call.said("public_net");
        let mut found = Vec::new();
        for (kind, enabled) in [("ipv4", "enable_ipv4"), ("ipv6", "enable_ipv6")] {
            if wanted[enabled] == false {
                continue;
            }
            let id = wanted[kind].as_u64().map(|id| id.to_string());
            if let Some(id) = &id {
                let one = call.need(estate, PRIMARY, id)?;
                let body = one.body.read();
                if body["type"] != kind || !body["assignee_id"].is_null() || *one.place != *place {
                    return Err(Refusal::invalid(kind, "must be free, and in the location of the server"));
                }
            }
            found.push((kind, id));
        }
        Ok(found)
    }

    /// Gives all of it to the server.
    fn take(self, call: &Call<'_>, estate: &mut Estate, id: &str, place: &str) {
        for volume in &self.volumes {
            kind::edit(call, estate, "volumes", volume, |body| {
                drop(body.insert("server".into(), number(id)));
            });
        }
        for firewall in &self.firewalls {
            let target = json!({ "type": "server", "server": { "id": number(id) } });
            kind::edit(call, estate, "firewalls", firewall, |body| {
                if let Some(targets) = body.get_mut("applied_to").and_then(Value::as_array_mut) {
                    targets.push(target);
                }
            });
        }
        for (kind, known) in self.addresses {
            if let Some(known) = known {
                let assign = |body: &mut serde_json::Map<String, Value>| {
                    drop(body.insert("assignee_id".into(), number(id)));
                };
                kind::edit(call, estate, PRIMARY, &known, assign);
                continue;
            }
            let mut made: Thing = call.thing(estate, PRIMARY, place, "available");
            made.name = format!("primary_ip-{}", made.id).into();
            address::fill(&mut made, PRIMARY, kind, Some(id), true);
            estate.add(call.cause(), PRIMARY, made);
        }
    }
}

/// A server's place in a network.
pub fn net(network: &str, ip: &str) -> Value {
    let octets: Vec<String> =
        ip.split('.').filter_map(|part| part.parse::<u8>().ok()).map(|byte| format!("{byte:02x}")).collect();
    json!({ "network": number(network), "ip": ip, "alias_ips": [], "mac_address": format!("86:00:{}", octets.join(":")) })
}
