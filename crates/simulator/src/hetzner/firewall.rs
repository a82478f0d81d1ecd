//! Firewalls: rules, and what they are applied to, servers or all that labels select.

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
    selector::Selector,
};
use crate::estate::{Estate, Thing};

/// The shelf.
pub const SHELF: &str = "firewalls";
/// Rules of a firewall, at most.
const MOST: usize = 50;

/// Who answers.
pub fn handler(verb: &str) -> Option<Handler> {
    Some(match verb {
        "create" => Write(create),
        "delete" => Write(delete),
        "set_rules" => Write(set_rules),
        "apply_to_resources" => Write(apply),
        "remove_from_resources" => Write(remove),
        _ => return None,
    })
}

/// What labels select is told beside the selector.
pub fn show(call: &Call<'_>, estate: &Estate, _: &Thing, shown: &mut Map<String, Value>) {
    for target in shown.get_mut("applied_to").and_then(Value::as_array_mut).into_iter().flatten() {
        if target["type"] == "label_selector" {
            let servers: Value = selected(call, estate, &target["label_selector"])
                .map(|server| json!({ "type": "server", "server": { "id": number(&server.id) } }))
                .collect();
            target["applied_to_resources"] = servers;
        }
    }
}

/// The servers that `{"selector": …}` selects.
pub fn selected<'e>(call: &Call<'_>, estate: &'e Estate, said: &Value) -> impl Iterator<Item = &'e Thing> {
    let selector = Selector::parse(said["selector"].as_str().unwrap_or_default());
    let servers = estate.all(call.project(), "servers", None, call.now);
    servers.filter(move |server| selector.as_ref().is_some_and(|selector| selector.takes(&server.tags)))
}

/// The firewalls that protect a server.
pub fn of_server<'e>(call: &Call<'_>, estate: &'e Estate, server: &Thing) -> impl Iterator<Item = &'e Thing> {
    let (id, tags) = (number(&server.id), server.tags.clone());
    estate.all(call.project(), SHELF, None, call.now).filter(move |firewall| {
        let targets = firewall.body.get("applied_to");
        targets.as_array().into_iter().flatten().any(|target| match target["type"].as_str() {
            Some("server") => target["server"]["id"] == id,
            _ => Selector::parse(target["label_selector"]["selector"].as_str().unwrap_or_default())
                .is_some_and(|selector| selector.takes(&tags)),
        })
    })
}

/// Rules that can be: with ports where the protocol has some, and addresses on the side they come from or go to.
fn rules(said: &Value) -> Result<Value, Refusal> {
    let mut kept = Vec::new();
    for (index, rule) in said.as_array().into_iter().flatten().enumerate() {
        let at = |member: &str| format!("rules[{index}].{member}");
        let ports = matches!(rule["protocol"].as_str(), Some("tcp" | "udp"));
        if ports == rule["port"].is_null() {
            return Err(Refusal::invalid(&at("port"), "is for tcp and udp, and required there"));
        }
        let side = if rule["direction"] == "in" { "source_ips" } else { "destination_ips" };
        let list = rule[side].as_array().filter(|list| !list.is_empty());
        let is_range = |text: &Value| text.as_str().is_some_and(|text| text.contains('/'));
        if !list.is_some_and(|list| list.iter().all(is_range)) {
            return Err(Refusal::invalid(&at(side), "must be ranges in CIDR notation"));
        }
        let or_none = |member: &str| rule[member].as_array().cloned().unwrap_or_default();
        kept.push(
            json!({ "direction": rule["direction"], "protocol": rule["protocol"], "port": rule["port"],
            "source_ips": or_none("source_ips"), "destination_ips": or_none("destination_ips"),
            "description": rule["description"] }),
        );
    }
    if kept.len() > MOST {
        return Err(Refusal::limit("firewall_rules_limit"));
    }
    Ok(kept.into())
}

/// Targets that there are.
fn targets(call: &Call<'_>, estate: &Estate, said: &Value) -> Result<Vec<Value>, Refusal> {
    let mut found = Vec::new();
    for target in said.as_array().into_iter().flatten() {
        if target["type"] == "server" {
            let id = target["server"]["id"].as_u64().map(|id| id.to_string()).unwrap_or_default();
            call.need(estate, "servers", &id)?;
            found.push(json!({ "type": "server", "server": { "id": number(&id) } }));
        } else {
            let text = target["label_selector"]["selector"].as_str().unwrap_or_default();
            Selector::parse(text)
                .ok_or_else(|| Refusal::invalid("label_selector", "is no label selector"))?;
            found.push(json!({ "type": "label_selector", "label_selector": { "selector": text } }));
        }
    }
    Ok(found)
}

/// `create`.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut thing = kind::new(call, estate, "global", "available")?;
    let (rules, targets) = (rules(call.said("rules"))?, targets(call, estate, call.said("apply_to"))?);
    let command = (!targets.is_empty()).then_some("apply_firewall");
    thing.body = json!({ "rules": rules, "applied_to": targets }).into();
    let (id, shown) = (thing.id.to_string(), kind::show(call, estate, SHELF, &thing));
    estate.add(call.cause(), SHELF, thing);
    let mut actions = vec![action::begin(call, estate, "set_firewall_rules", &[(SHELF, &id)], seconds(1))];
    actions.extend(command.map(|command| action::begin(call, estate, command, &[(SHELF, &id)], seconds(2))));
    Ok(Answer::Json(StatusCode::CREATED, json!({ "firewall": shown, "actions": actions })))
}

/// `delete`, of one that protects nothing.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let applied = kind::deletable(call, estate)?.body.get("applied_to");
    if applied.as_array().is_some_and(|list| !list.is_empty()) {
        return Err(Refusal::new(409, "resource_in_use", "firewall is still in use"));
    }
    kind::remove(call, estate)
}

fn changed(call: &Call<'_>, estate: &mut Estate, member: &str, value: Value, command: &str) -> Outcome {
    action::unlocked(call, estate, SHELF, &call.id)?;
    kind::edit(call, estate, SHELF, &call.id, |body| drop(body.insert(member.to_owned(), value)));
    let action = action::begin(call, estate, command, &[(SHELF, &call.id)], seconds(1));
    Ok(Answer::Json(StatusCode::CREATED, json!({ "actions": [action] })))
}

/// `set_rules`: all of them anew.
pub fn set_rules(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    kind::named(call, estate)?;
    let rules = rules(call.said("rules"))?;
    changed(call, estate, "rules", rules, "set_firewall_rules")
}

/// `apply_to_resources`.
pub fn apply(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut all = kind::named(call, estate)?.body.get("applied_to").as_array().cloned().unwrap_or_default();
    for target in targets(call, estate, call.said("apply_to"))? {
        if all.contains(&target) {
            return Err(Refusal::new(422, "firewall_already_applied", "firewall is already applied"));
        }
        all.push(target);
    }
    changed(call, estate, "applied_to", all.into(), "apply_firewall")
}

/// `remove_from_resources`.
pub fn remove(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut all = kind::named(call, estate)?.body.get("applied_to").as_array().cloned().unwrap_or_default();
    for target in targets(call, estate, call.said("remove_from"))? {
        let before = all.len();
        all.retain(|known| *known != target);
        if all.len() == before {
            return Err(Refusal::new(422, "firewall_already_removed", "firewall is not applied"));
        }
    }
    changed(call, estate, "applied_to", all.into(), "remove_firewall")
}
