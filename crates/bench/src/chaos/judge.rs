//! Whether the promises were kept: by what the simulator itself says was made, ended, and is there.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use marquee_simulator::{
    Simulator,
    ledger::{Entry, Verb},
};
use serde_json::Value;

use super::{ask::Asked, script::VENDORS};

/// The tag that carries the token of whatever Marquee made.
const TAG: &str = "marquee-operation";

/// Account, kind, place and id.
type Key = (String, String, String, String);

/// What is judged.
pub struct Case<'a> {
    pub simulator: &'a Simulator,
    /// What was there before.
    pub before: BTreeSet<Key>,
    /// Entries of the ledger that were there before.
    pub first: usize,
    pub asked: &'a [Asked],
    /// All changes, with their steps.
    pub operations: &'a [Value],
    pub inventory: &'a [Value],
}

/// A thing of the estate.
struct Seen {
    key: Key,
    token: Option<String>,
    there: bool,
}

/// What exists now.
pub fn present(simulator: &Simulator) -> BTreeSet<Key> {
    ever(simulator).into_iter().filter(|seen| seen.there).map(|seen| seen.key).collect()
}

/// Whatever exists or existed, but for the vendors' records of their own work.
fn ever(simulator: &Simulator) -> Vec<Seen> {
    let estate = simulator.world().read();
    let things =
        VENDORS.iter().flat_map(|vendor| estate.ever(vendor.account).map(|found| (vendor.account, found)));
    let things = things.filter(|(_, (kind, _))| !kind.to_lowercase().contains("operation"));
    things
        .map(|(account, (kind, thing))| Seen {
            key: (account.to_owned(), kind.to_owned(), thing.place.to_string(), thing.id.to_string()),
            token: thing.tags.get(TAG).map(ToString::to_string),
            there: thing.gone_at.is_none(),
        })
        .collect()
}

/// The promises that were not kept.
pub fn judge(case: &Case<'_>) -> Vec<String> {
    let seen = ever(case.simulator);
    let by_id: BTreeMap<&str, &Value> =
        case.operations.iter().filter_map(|operation| Some((operation["id"].as_str()?, operation))).collect();
    let mut wrongs = ended_well(case);
    wrongs.extend(made_once(&seen, &by_id));
    wrongs.extend(nothing_left(case, &seen, &by_id));
    wrongs.extend(nothing_lost(case, &seen));
    wrongs.extend(inventory_agrees(case));
    let ledger = lines(case);
    wrongs.into_iter().map(|wrong| with_lines(&wrong, &ledger)).collect()
}

fn ended_well(case: &Case<'_>) -> Vec<String> {
    let mut wrongs = Vec::new();
    for operation in case.operations {
        let state = operation["state"].as_str().unwrap_or_default();
        if operation["done"] != true {
            wrongs.push(format!("{} does not end: {operation:#}", operation["id"]));
            continue;
        }
        let says_left = operation["error"]["left"].as_array().is_some_and(|left| !left.is_empty());
        if !(matches!(state, "succeeded" | "undone" | "cancelled") || (state == "failed" && says_left)) {
            wrongs.push(format!(
                "{} ended {state} and does not say what is left: {}",
                operation["id"], operation["error"]
            ));
        }
    }
    for asked in case.asked {
        if asked
            .operation
            .as_ref()
            .is_some_and(|id| !case.operations.iter().any(|known| known["id"] == id.as_str()))
        {
            wrongs.push(format!("{asked:?} was taken and is not there"));
        }
    }
    wrongs
}

/// One token, at most one thing of a kind.
fn made_once(seen: &[Seen], operations: &BTreeMap<&str, &Value>) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), Vec<&Key>> = BTreeMap::new();
    for one in seen {
        if let Some(token) = &one.token {
            counts.entry((token, &one.key.1)).or_default().push(&one.key);
        }
    }
    let twice = counts.into_iter().filter(|(_, keys)| keys.len() > 1);
    twice
        .map(|((token, kind), keys)| {
            let state = operations.get(operation_of(token)).map(|operation| operation["state"].clone());
            format!("{token} ({state:?}) made {} of {kind}: {keys:?}", keys.len())
        })
        .collect()
}

/// What is new and there belongs to an operation that succeeded, or that said it is left.
fn nothing_left(case: &Case<'_>, seen: &[Seen], operations: &BTreeMap<&str, &Value>) -> Vec<String> {
    let ledger = lines(case);
    let calls: BTreeMap<Key, (DateTime<Utc>, String)> = ledger
        .iter()
        .filter(|entry| entry.verb == Verb::Created)
        .map(|entry| (key_of(entry), (entry.at, entry.operation.clone())))
        .collect();
    let tokens: BTreeMap<(DateTime<Utc>, String), &str> =
        seen.iter().filter_map(|one| Some((calls.get(&one.key)?.clone(), one.token.as_deref()?))).collect();
    let ended: BTreeSet<&str> =
        seen.iter().filter(|one| !one.there).filter_map(|one| one.token.as_deref()).collect();
    let mut wrongs = Vec::new();
    for one in seen.iter().filter(|one| one.there && !case.before.contains(&one.key)) {
        let own = one.token.as_deref();
        // What came along was made by the same call.
        let Some(token) = own.or_else(|| tokens.get(calls.get(&one.key)?).copied()) else {
            wrongs.push(format!("{:?} is there, and nobody's", one.key));
            continue;
        };
        let operation = operations.get(operation_of(token));
        let state = operation.map_or("unknown", |found| found["state"].as_str().unwrap_or_default());
        let left = operation.is_some_and(|found| found["error"]["left"].is_array());
        if !(state == "succeeded" || left) {
            wrongs.push(format!("{:?} is there, and {token} is {state}", one.key));
        } else if ended.contains(token) && !left {
            wrongs.push(format!("{:?} is there, and something else of {token} is gone", one.key));
        }
    }
    wrongs
}

/// What was there is there, unless an operation that succeeded deleted it; and what a successful creation made.
fn nothing_lost(case: &Case<'_>, seen: &[Seen]) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut allowed = 0;
    let deleted: BTreeSet<&str> = case
        .asked
        .iter()
        .filter(|asked| asked.what == "DELETE ")
        .filter_map(|asked| asked.resource.as_deref())
        .collect();
    let there: BTreeSet<&Key> = seen.iter().filter(|one| one.there).map(|one| &one.key).collect();
    let ours: BTreeSet<&str> =
        seen.iter().filter(|one| one.there).filter_map(|one| one.token.as_deref()).collect();
    for operation in case.operations.iter().filter(|operation| operation["state"] == "succeeded") {
        let kind = kind_of(operation);
        allowed += usize::from(kind == "terminate_instance");
        if !(kind.starts_with("create_") || kind.starts_with("snapshot_")) {
            continue;
        }
        let made = operation["steps"][1]["output"]["resource_id"].as_str().unwrap_or_default();
        let token = format!("{}-1", operation["id"].as_str().unwrap_or_default());
        if !deleted.contains(made) && !ours.contains(token.as_str()) {
            wrongs.push(format!("{} succeeded ({kind}), and what it made is not there", operation["id"]));
        }
    }
    let instances: Vec<&str> = VENDORS.iter().map(|vendor| vendor.shelves()[0].1).collect();
    let gone: Vec<&Key> = case
        .before
        .iter()
        .filter(|key| instances.contains(&key.1.as_str()) && !there.contains(key))
        .collect();
    if gone.len() > allowed {
        wrongs.push(format!("{allowed} instances were to be terminated, and these are gone: {gone:?}"));
    }
    wrongs
}

/// The inventory has what the estate has, of instances with their sizes and of disks.
fn inventory_agrees(case: &Case<'_>) -> Vec<String> {
    let estate = case.simulator.world().read();
    let now = case.simulator.world().clock.now();
    let mut wrongs = Vec::new();
    for vendor in VENDORS {
        for (kind, shelf) in vendor.shelves() {
            let held: BTreeMap<String, String> = estate
                .all(vendor.account, shelf, None, now)
                .filter(|thing| thing.gone_at.is_none())
                .map(|thing| (short(&thing.id), thing.size.to_string()))
                .collect();
            let known: BTreeMap<String, String> = case
                .inventory
                .iter()
                .filter(|one| one["kind"] == kind && is_at(one, vendor.kind) && one["state"] != "deleted")
                .filter_map(|one| {
                    Some((
                        short(one["native_id"].as_str()?),
                        one["size"].as_str().unwrap_or_default().to_owned(),
                    ))
                })
                .collect();
            for (id, size) in &held {
                match known.get(id) {
                    None => {
                        wrongs.push(format!("{kind} {id} is at {} and not in the inventory", vendor.kind));
                    }
                    Some(other) if kind == "compute_instance" && other != size => {
                        wrongs.push(format!(
                            "{kind} {id} is a {size} at {} and a {other} in the inventory",
                            vendor.kind
                        ));
                    }
                    Some(_) => {}
                }
            }
            for id in known.keys().filter(|id| !held.contains_key(*id)) {
                wrongs.push(format!("{kind} {id} is in the inventory and not at {}", vendor.kind));
            }
        }
    }
    wrongs
}

fn is_at(resource: &Value, vendor: &str) -> bool {
    let id = resource["native_id"].as_str().unwrap_or_default();
    match vendor {
        "aws" => id.starts_with("arn:"),
        "azure" => id.starts_with("/subscriptions/"),
        _ => id.starts_with("//"),
    }
}

/// What an operation does: the action of its most telling step.
pub fn kind_of(operation: &Value) -> String {
    let steps = operation["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let step = if steps.len() == 4 { steps.get(2) } else { steps.get(1) };
    let name = step.and_then(|step| step["name"].as_str()).unwrap_or("planned only");
    name.split(' ').next().unwrap_or_default().to_owned()
}

/// How long it took.
pub fn seconds(operation: &Value) -> f64 {
    let time = |name: &str| operation[name].as_str()?.parse::<DateTime<Utc>>().ok();
    let span = time("finished_at").zip(time("created_at")).map(|(end, start)| end - start);
    span.and_then(|span| span.to_std().ok()).map_or(0.0, |span| span.as_secs_f64())
}

fn short(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_lowercase()
}

fn operation_of(token: &str) -> &str {
    token.rsplit_once('-').map_or(token, |(operation, _)| operation)
}

fn key_of(entry: &Entry) -> Key {
    (entry.account.clone(), entry.kind.clone(), entry.place.clone(), entry.id.clone())
}

fn lines(case: &Case<'_>) -> Vec<Entry> {
    let estate = case.simulator.world().read();
    estate.ledger.after(case.first as u64).map(|(_, entry)| entry.clone()).collect()
}

/// A violation with the lines of the ledger whose thing it names.
fn with_lines(wrong: &str, ledger: &[Entry]) -> String {
    let about = ledger.iter().filter(|entry| wrong.contains(entry.id.as_str()));
    about.take(8).fold(wrong.to_owned(), |text, entry| {
        format!(
            "{text}\n    {} {:?} {} {} by {} ({:?})",
            entry.at, entry.verb, entry.kind, entry.id, entry.operation, entry.token
        )
    })
}
