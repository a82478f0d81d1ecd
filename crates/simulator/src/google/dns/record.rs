//! Record sets and changes of them. A record set is known by its name and type.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::zone;
use crate::{
    estate::{Cause, Estate, Thing},
    google::{
        call::{Answer, Call, Outcome, zulu},
        list as lists,
        refusal::Refusal,
    },
};

/// The shelf of record sets; a zone's are at the place of its name.
pub const SHELF: &str = "dns.resourceRecordSets";
const CHANGES: &str = "dns.changes";
/// Until name servers answer by a change.
const SPREADS: TimeDelta = TimeDelta::seconds(20);

fn key(name: &str, kind: &str) -> String {
    format!("{name} {kind}")
}

fn find<'e>(call: &Call<'_>, estate: &'e Estate, zone: &str, name: &str, kind: &str) -> Option<&'e Thing> {
    estate.get(call.project(), SHELF, zone, &key(name, kind), call.now)
}

fn missing(what: &str, name: &str, kind: &str) -> Refusal {
    Refusal::new(404, "notFound", format!("The '{what}' resource named '{name} ({kind})' does not exist."))
}

fn text<'v>(set: &'v Value, member: &str) -> &'v str {
    set[member].as_str().unwrap_or_default()
}

/// Adds a record set, or puts it in the place of another.
pub fn put(call: &Call<'_>, estate: &mut Estate, zone: &str, set: &Value) {
    let (name, kind) = (text(set, "name"), text(set, "type"));
    let mut thing = Thing::new(&key(name, kind), zone, call.now, "ACTIVE");
    thing.name = name.into();
    thing.size = kind.into();
    let mut body = set.clone();
    body["kind"] = "dns#resourceRecordSet".into();
    if body["ttl"].is_null() {
        body["ttl"] = 300.into();
    }
    thing.body = body.into();
    estate.add(Cause { operation: call.operation, ..call.cause() }, SHELF, thing);
}

fn take(call: &Call<'_>, estate: &mut Estate, zone: &str, name: &str, kind: &str) {
    let cause = Cause { operation: call.operation, ..call.cause() };
    estate.end(cause, SHELF, zone, &key(name, kind), call.now);
}

/// Refuses a record set that the zone cannot have.
fn check(zone: &Thing, what: &str, set: &Value) -> Result<(), Refusal> {
    let (name, kind) = (text(set, "name"), text(set, "type"));
    let domain = zone.body.get("dnsName");
    let domain = domain.as_str().unwrap_or_default();
    if name != domain && !name.ends_with(&format!(".{domain}")) {
        return Err(Refusal::new(400, "invalid", format!("Invalid value for '{what}.name': '{name}'")));
    }
    let data =
        set["rrdatas"].as_array().is_some_and(|data| !data.is_empty()) || set["routingPolicy"].is_object();
    if set["rrdatas"].is_array() && set["routingPolicy"].is_object() {
        let message = format!("Invalid value for '{what}': only one of rrdatas and routingPolicy may be set");
        return Err(Refusal::new(400, "invalid", message));
    }
    if kind.is_empty() || !data {
        let member = if kind.is_empty() { "type" } else { "rrdatas" };
        let message = format!("The '{what}.{member}' parameter is required but was missing.");
        return Err(Refusal::new(400, "required", message));
    }
    let fits = |data: &str| match kind {
        "A" => data.parse::<std::net::Ipv4Addr>().is_ok(),
        "AAAA" => data.parse::<std::net::Ipv6Addr>().is_ok(),
        "CNAME" | "NS" => data.ends_with('.'),
        _ => !data.is_empty(),
    };
    let items = set["routingPolicy"]["wrr"]["items"].as_array().into_iter().flatten();
    let lists = std::iter::once(&set["rrdatas"]).chain(items.map(|item| &item["rrdatas"]));
    let data = lists.filter_map(Value::as_array).flatten();
    for data in data.map(|data| data.as_str().unwrap_or_default()) {
        if !fits(data) {
            return Err(Refusal::new(400, "invalid", format!("Invalid value for '{what}.rrdata': '{data}'")));
        }
    }
    Ok(())
}

/// `resourceRecordSets.get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (zone, name, kind) = (zone(call, estate)?, call.part("name"), call.part("type"));
    let found =
        find(call, estate, &zone.id, name, kind).ok_or_else(|| missing("parameters.name", name, kind))?;
    Ok(Answer::Json(Value::Object(found.body.read())))
}

/// `resourceRecordSets.list`, of one name or of one name and type.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (zone, name, kind) = (zone(call, estate)?, call.asked("name"), call.asked("type"));
    if name.is_empty() && !kind.is_empty() {
        return Err(Refusal::new(
            400,
            "invalid",
            "'parameters.type' may be specified only with 'parameters.name'.",
        ));
    }
    let wanted = |thing: &Thing| {
        (name.is_empty() || *thing.name == *name) && (kind.is_empty() || *thing.size == *kind)
    };
    let page = lists::page(call, estate, SHELF, Some(&zone.id), ("maxResults", 1000), wanted)?;
    let sets: Vec<Value> = page.things.iter().map(|thing| Value::Object(thing.body.read())).collect();
    let mut answer = json!({ "kind": "dns#resourceRecordSetsListResponse", "rrsets": sets });
    if let Some(next) = page.next {
        answer["nextPageToken"] = next.into();
    }
    Ok(Answer::Json(answer))
}

fn exists(what: &str, name: &str, kind: &str) -> Refusal {
    Refusal::new(
        409,
        "alreadyExists",
        format!("The resource '{what}' named '{name} ({kind})' already exists"),
    )
}

/// `resourceRecordSets.create`.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let set = Value::Object(call.body.clone());
    let zone = zone(call, estate)?;
    check(zone, "entity.rrset", &set)?;
    let (id, name, kind) = (zone.id.clone(), text(&set, "name"), text(&set, "type"));
    if find(call, estate, &id, name, kind).is_some() {
        return Err(exists("entity.rrset", name, kind));
    }
    put(call, estate, &id, &set);
    answer(call, estate, &id, name, kind)
}

/// `resourceRecordSets.patch`.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (name, kind) = (call.part("name"), call.part("type"));
    let zone = zone(call, estate)?;
    let found =
        find(call, estate, &zone.id, name, kind).ok_or_else(|| missing("parameters.name", name, kind))?;
    let mut set = Value::Object(found.body.read());
    for (member, value) in &call.body {
        set[member.as_str()] = value.clone();
    }
    check(zone, "entity.rrset", &set)?;
    let id = zone.id.clone();
    if text(&set, "name") != name || text(&set, "type") != kind {
        return Err(Refusal::new(400, "invalid", "The name and type of a record set cannot be changed."));
    }
    put(call, estate, &id, &set);
    answer(call, estate, &id, name, kind)
}

fn answer(call: &Call<'_>, estate: &Estate, zone: &str, name: &str, kind: &str) -> Outcome {
    let found = find(call, estate, zone, name, kind).ok_or_else(|| missing("entity.rrset", name, kind))?;
    Ok(Answer::Json(Value::Object(found.body.read())))
}

/// `resourceRecordSets.delete`, of any but the zone's own.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (name, kind) = (call.part("name"), call.part("type"));
    let zone = zone(call, estate)?;
    find(call, estate, &zone.id, name, kind).ok_or_else(|| missing("parameters.name", name, kind))?;
    refuse_own(zone, "parameters.name", name, kind)?;
    let id = zone.id.clone();
    take(call, estate, &id, name, kind);
    Ok(Answer::Json(json!({})))
}

/// A zone always has its own name servers and authority.
fn refuse_own(zone: &Thing, what: &str, name: &str, kind: &str) -> Result<(), Refusal> {
    if matches!(kind, "NS" | "SOA") && zone.body.get("dnsName") == name {
        let message = format!(
            "The resource record set '{what}' is invalid because a zone must contain exactly one resource record set of type '{kind}' at the apex."
        );
        return Err(Refusal::new(400, "invalidZoneApex", message));
    }
    Ok(())
}

/// `changes.create`: all deletions and additions, or none. A deletion must say exactly what is there.
pub fn change(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let zone = zone(call, estate)?;
    let id = zone.id.clone();
    let sets = |member: &str| call.body.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
    let (additions, deletions) = (sets("additions"), sets("deletions"));
    if additions.is_empty() && deletions.is_empty() {
        return Err(Refusal::new(
            400,
            "required",
            "The 'entity.change' parameter is required but was missing.",
        ));
    }
    for (index, set) in deletions.iter().enumerate() {
        let what = format!("entity.change.deletions[{index}]");
        let (name, kind) = (text(set, "name"), text(set, "type"));
        let found = find(call, estate, &id, name, kind).ok_or_else(|| missing(&what, name, kind))?;
        let present = found.body.read();
        if ["ttl", "rrdatas", "routingPolicy"].iter().any(|member| present.get(*member) != set.get(*member)) {
            return Err(Refusal::new(412, "conditionNotMet", format!("Precondition not met for '{what}'")));
        }
        let replaced =
            additions.iter().any(|other| text(other, "name") == name && text(other, "type") == kind);
        if !replaced {
            refuse_own(zone, &what, name, kind)?;
        }
    }
    for (index, set) in additions.iter().enumerate() {
        let what = format!("entity.change.additions[{index}]");
        check(zone, &what, set)?;
        let (name, kind) = (text(set, "name"), text(set, "type"));
        let deleted =
            deletions.iter().any(|other| text(other, "name") == name && text(other, "type") == kind);
        let doubled =
            additions[..index].iter().any(|other| text(other, "name") == name && text(other, "type") == kind);
        if doubled || (!deleted && find(call, estate, &id, name, kind).is_some()) {
            return Err(exists(&what, name, kind));
        }
    }
    for set in &deletions {
        take(call, estate, &id, text(set, "name"), text(set, "type"));
    }
    for set in &additions {
        put(call, estate, &id, set);
    }
    Ok(Answer::Json(note(call, estate, &id, &additions, &deletions)))
}

/// Writes a change down; ids count up from 1 in each zone.
fn note(call: &Call<'_>, estate: &mut Estate, zone: &str, additions: &[Value], deletions: &[Value]) -> Value {
    let number = estate.all(call.project(), CHANGES, Some(zone), call.now).count() + 1;
    let mut thing = Thing::new(&format!("{number:020}"), zone, call.now, "pending");
    thing.life.plan(SPREADS, "done");
    let mut body = json!({ "kind": "dns#change", "id": number.to_string(), "startTime": zulu(call.now), "isServing": false });
    for (member, sets) in [("additions", additions), ("deletions", deletions)] {
        if !sets.is_empty() {
            body[member] = sets.into();
        }
    }
    thing.body = body.into();
    let answer = shown(&thing, call);
    estate.add(Cause { operation: call.operation, ..call.cause() }, CHANGES, thing);
    answer
}

fn shown(thing: &Thing, call: &Call<'_>) -> Value {
    let mut body = thing.body.read();
    let state = thing.state(call.now);
    body.insert("isServing".into(), (state == "done").into());
    body.insert("status".into(), state.into());
    Value::Object(body)
}

/// `changes.get`.
pub fn change_get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (zone, id) = (zone(call, estate)?, call.part("changeId"));
    let key = format!("{id:0>20}");
    let found = estate.get(call.project(), CHANGES, &zone.id, &key, call.now);
    let message = format!("The 'parameters.changeId' resource named '{id}' does not exist.");
    let found = found.ok_or_else(|| Refusal::new(404, "notFound", message))?;
    Ok(Answer::Json(shown(found, call)))
}

/// `changes.list`, in the order they were made; the last first where that is asked for.
pub fn change_list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let zone = zone(call, estate)?;
    let (sets, next) = if call.asked("sortOrder") == "descending" {
        last_first(call, estate, &zone.id)?
    } else {
        let page = lists::page(call, estate, CHANGES, Some(&zone.id), ("maxResults", 1000), |_| true)?;
        (page.things.iter().map(|thing| shown(thing, call)).collect(), page.next)
    };
    let mut answer = json!({ "kind": "dns#changesListResponse", "changes": sets });
    if let Some(next) = next {
        answer["nextPageToken"] = next.into();
    }
    Ok(Answer::Json(answer))
}

/// A page of changes, the last first: its token is the number of the change before.
fn last_first(call: &Call<'_>, estate: &Estate, zone: &str) -> Result<(Vec<Value>, Option<String>), Refusal> {
    let token = call.asked("pageToken");
    let wrong = || Refusal::new(400, "invalid", "Invalid value for 'parameters.pageToken'");
    let from: u64 = if token.is_empty() { u64::MAX } else { token.parse().map_err(|_| wrong())? };
    let limit = usize::try_from(call.asked_number("maxResults").unwrap_or(1_000)).unwrap_or(1_000);
    let number = |thing: &Thing| thing.id.parse::<u64>().unwrap_or_default();
    let all: Vec<&Thing> = estate.all(call.project(), CHANGES, Some(zone), call.now).collect();
    let mut left = all.into_iter().rev().filter(|thing| number(thing) <= from);
    let page = left.by_ref().take(limit).map(|thing| shown(thing, call)).collect();
    Ok((page, left.next().map(|thing| number(thing).to_string())))
}
