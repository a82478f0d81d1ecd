//! What has no location and no actions: SSH keys, placement groups and certificates.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    action,
    call::{
        Answer, Call,
        Handler::{self, Write},
        Outcome, number, seconds, singular, time,
    },
    kind,
    refusal::Refusal,
};
use crate::{
    estate::{Estate, Thing},
    seed::Seed,
};

/// Servers in one placement group, at most.
const MOST: usize = 10;

/// Who answers.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("ssh_keys", "create") => Write(create_key),
        ("placement_groups", "create") => Write(create_group),
        ("certificates", "create") => Write(create_certificate),
        ("certificates", "delete") => Write(delete_certificate),
        (_, "delete") => Write(kind::remove),
        _ => return None,
    })
}

/// What follows from elsewhere.
pub fn show(call: &Call<'_>, estate: &Estate, shelf: &str, thing: &Thing, shown: &mut Map<String, Value>) {
    match shelf {
        "placement_groups" => {
            let ids: Value = members(call, estate, &thing.id).map(|server| number(&server.id)).collect();
            shown.insert("servers".into(), ids);
        }
        "certificates" => {
            let used: Value = users(call, estate, &thing.id)
                .map(|balancer| json!({ "id": number(&balancer.id), "type": "load_balancer" }))
                .collect();
            shown.insert("used_by".into(), used);
            if thing.body.get("type") == "managed" {
                let pending = thing.state(call.now) == "pending";
                let status = json!({ "issuance": if pending { "pending" } else { "completed" },
                    "renewal": if pending { "unavailable" } else { "scheduled" }, "error": null });
                shown.insert("status".into(), status);
            }
        }
        _ => {}
    }
}

/// The servers of a placement group.
pub fn members<'e>(call: &Call<'_>, estate: &'e Estate, group: &str) -> impl Iterator<Item = &'e Thing> {
    let id = number(group);
    let servers = estate.all(call.project(), "servers", None, call.now);
    servers.filter(move |server| server.body.get("placement_group") == id)
}

/// A placement group that takes one more server.
pub fn need_group(call: &Call<'_>, estate: &Estate, id: &str) -> Result<(), Refusal> {
    call.need(estate, "placement_groups", id)?;
    let full = members(call, estate, id).count() >= MOST;
    if full { Err(Refusal::new(422, "placement_error", "placement group is full")) } else { Ok(()) }
}

/// The load balancers that use a certificate.
fn users<'e>(call: &Call<'_>, estate: &'e Estate, certificate: &str) -> impl Iterator<Item = &'e Thing> {
    let id = number(certificate);
    estate.all(call.project(), "load_balancers", None, call.now).filter(move |balancer| {
        let services = balancer.body.get("services");
        let mut lists = services
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["http"]["certificates"].as_array());
        lists.any(|ids| ids.contains(&id))
    })
}

fn created(call: &Call<'_>, estate: &mut Estate, thing: Thing, action: Option<Value>) -> Answer {
    let shelf = call.noun();
    let mut answer = json!({ singular(shelf): kind::show(call, estate, shelf, &thing) });
    if let Some(action) = action {
        answer["action"] = action;
    }
    estate.add(call.cause(), shelf, thing);
    Answer::Json(StatusCode::CREATED, answer)
}

/// Sixteen bytes as Hetzner writes fingerprints of keys.
fn fingerprint(text: &str) -> String {
    let bytes = Seed(0).bytes(&["fingerprint", text]);
    bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// `ssh_keys.create`.
pub fn create_key(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let key = call.text("public_key").trim();
    let known = ["ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp256 "].iter().any(|kind| key.starts_with(kind));
    if !known {
        return Err(Refusal::invalid("public_key", "is no SSH key"));
    }
    let mut thing = kind::new(call, estate, "global", "available")?;
    let print = fingerprint(key.rsplit_once(' ').map_or(key, |(key, _)| key));
    let twice = estate
        .all(call.project(), "ssh_keys", None, call.now)
        .any(|other| other.body.get("fingerprint") == print.as_str());
    if twice {
        return Err(Refusal::taken("public_key", "SSH key with the same fingerprint"));
    }
    thing.body = json!({ "public_key": key, "fingerprint": print }).into();
    Ok(created(call, estate, thing, None))
}

/// `placement_groups.create`.
pub fn create_group(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut thing = kind::new(call, estate, "global", "available")?;
    thing.body = json!({ "type": call.text("type") }).into();
    Ok(created(call, estate, thing, None))
}

/// `certificates.create`, uploaded or managed. What is in an uploaded one is not read.
pub fn create_certificate(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let managed = call.text("type") == "managed";
    let mut thing = kind::new(call, estate, "global", if managed { "pending" } else { "available" })?;
    let domains = call.said("domain_names").clone();
    let is_pem = |name: &str| call.text(name).starts_with("-----BEGIN");
    if managed && domains.as_array().is_none_or(Vec::is_empty) {
        return Err(Refusal::invalid("domain_names", "is required"));
    }
    let whole = is_pem("certificate") && is_pem("private_key");
    if !managed && !whole {
        return Err(Refusal::invalid("certificate", "certificate and private_key must be in PEM"));
    }
    let until = call.now + TimeDelta::days(90);
    thing.body = json!({
        "type": if managed { "managed" } else { "uploaded" },
        "certificate": if managed { Value::Null } else { call.text("certificate").into() },
        "domain_names": if managed { domains } else { json!([]) },
        "fingerprint": fingerprint(&thing.id), "status": null,
        "not_valid_before": time(call.now), "not_valid_after": time(until),
    })
    .into();
    if !managed {
        return Ok(created(call, estate, thing, None));
    }
    thing.life.plan(seconds(60), "available");
    let on = [("certificates", &*thing.id.clone())];
    let action = action::begin(call, estate, "issue_certificate", &on, seconds(60));
    Ok(created(call, estate, thing, Some(action)))
}

/// `certificates.delete`, of one that no load balancer uses.
pub fn delete_certificate(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    kind::deletable(call, estate)?;
    if users(call, estate, &call.id).next().is_some() {
        return Err(Refusal::new(409, "resource_in_use", "certificate is used by a load balancer"));
    }
    kind::remove(call, estate)
}
