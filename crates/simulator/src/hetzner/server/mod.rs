//! Servers: made, switched, changed and ended, each by an action during which the server is locked.

mod change;
mod create;
mod power;

use chrono::{DateTime, Datelike as _, TimeZone as _, Utc};
use serde_json::{Map, Value, json};

use super::{
    action, address,
    call::{
        Call,
        Handler::{self, Read, Write},
        number,
    },
    catalog, firewall, image, kind, metrics,
    refusal::Refusal,
    volume,
};
use crate::estate::{Estate, Thing};

/// The shelf.
pub const SHELF: &str = "servers";

/// Who answers.
pub fn handler(verb: &str) -> Option<Handler> {
    Some(match verb {
        "create" => Write(create::create),
        "delete" => Write(change::delete),
        "metrics" => Read(metrics::of_server),
        "poweron" | "poweroff" | "shutdown" | "reboot" | "reset" => Write(power::switch),
        "change_type" => Write(change::change_type),
        "create_image" => Write(image::create),
        "enable_backup" | "disable_backup" => Write(change::backup),
        "attach_to_network" => Write(change::attach),
        "detach_from_network" => Write(change::detach),
        "add_to_placement_group" => Write(change::join),
        "remove_from_placement_group" => Write(change::leave),
        _ => return None,
    })
}

/// The server of the call, which must not be busy or on its way out.
fn free<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let found = kind::named(call, estate)?;
    action::unlocked(call, estate, SHELF, &call.id)?;
    if found.gone_at.is_some() { Err(Refusal::locked("server")) } else { Ok(found) }
}

/// What follows from elsewhere.
pub fn show(call: &Call<'_>, estate: &Estate, thing: &Thing, shown: &mut Map<String, Value>) {
    let image = image::of_server(call, estate, shown);
    let group = shown.get("placement_group").and_then(Value::as_u64).map(|id| id.to_string());
    let group = group.and_then(|id| call.find(estate, "placement_groups", &id));
    let group = group.map(|group| kind::show(call, estate, "placement_groups", group));
    let volumes: Value = volume::of_server(call, estate, &thing.id).map(|one| number(&one.id)).collect();
    let id = number(&thing.id);
    let balancers: Value = estate
        .all(call.project(), "load_balancers", None, call.now)
        .filter(|one| {
            let targets = one.body.get("targets");
            targets.as_array().into_iter().flatten().any(|target| target["server"]["id"] == id)
        })
        .map(|one| number(&one.id))
        .collect();
    let (incoming, outgoing) = traffic(call.now, thing);
    shown.extend([
        ("status".to_owned(), Value::from(thing.state(call.now))),
        ("locked".to_owned(), action::is_busy(call, estate, SHELF, &thing.id).into()),
        ("location".to_owned(), catalog::location(call, &thing.place)),
        ("server_type".to_owned(), catalog::server_type(call, &thing.size)),
        ("image".to_owned(), image),
        ("iso".to_owned(), Value::Null),
        ("rescue_enabled".to_owned(), false.into()),
        ("placement_group".to_owned(), group.into()),
        ("public_net".to_owned(), public_net(call, estate, thing)),
        ("volumes".to_owned(), volumes),
        ("load_balancers".to_owned(), balancers),
        ("included_traffic".to_owned(), 20_000_000_000_000_u64.into()),
        ("ingoing_traffic".to_owned(), incoming.into()),
        ("outgoing_traffic".to_owned(), outgoing.into()),
    ]);
}

/// Bytes of this month.
fn traffic(now: DateTime<Utc>, thing: &Thing) -> (u64, u64) {
    let month = Utc.with_ymd_and_hms(now.year(), now.month(), 1, 0, 0, 0).single().unwrap_or(now);
    let seconds = u64::try_from((now - month.max(thing.born)).num_seconds()).unwrap_or_default();
    (seconds * 20_000, seconds * 30_000)
}

fn public_net(call: &Call<'_>, estate: &Estate, thing: &Thing) -> Value {
    let primary = |kind: &str| {
        let mut all = address::of_server(call, estate, address::PRIMARY, &thing.id);
        let found = all.find(|one| one.body.get("type") == kind)?;
        let ip = found.body.get("ip");
        let names = found.body.get("dns_ptr");
        let name = names[0]["dns_ptr"].clone();
        let names = if kind == "ipv4" { name } else { names };
        Some(json!({ "id": number(&found.id), "ip": ip, "blocked": false, "dns_ptr": names }))
    };
    let floating = address::of_server(call, estate, address::FLOATING, &thing.id);
    let firewalls = firewall::of_server(call, estate, thing);
    json!({
        "ipv4": primary("ipv4"),
        "ipv6": primary("ipv6"),
        "floating_ips": floating.map(|one| number(&one.id)).collect::<Value>(),
        "firewalls": firewalls.map(|one| json!({ "id": number(&one.id), "status": "applied" })).collect::<Value>(),
    })
}
