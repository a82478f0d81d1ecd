//! Cloud DNS: zones, their record sets, and changes of several record sets at once.

pub mod record;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    call::{
        Answer, Call,
        Handler::{self, Read, Write},
        Outcome, new_id, zulu,
    },
    list,
    refusal::Refusal,
    sql::settings::merge,
};
use crate::estate::{Estate, Meter, Thing};

const SHELF: &str = "dns.managedZones";

/// Who answers an operation of Cloud DNS.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("managedZones", "get") => Read(get),
        ("managedZones", "list") => Read(list_zones),
        ("managedZones", "create") => Write(create),
        ("managedZones", "patch") => Write(patch),
        ("managedZones", "delete") => Write(delete),
        ("resourceRecordSets", "get") => Read(record::get),
        ("resourceRecordSets", "list") => Read(record::list),
        ("resourceRecordSets", "create") => Write(record::create),
        ("resourceRecordSets", "patch") => Write(record::patch),
        ("resourceRecordSets", "delete") => Write(record::delete),
        ("changes", "create") => Write(record::change),
        ("changes", "get") => Read(record::change_get),
        ("changes", "list") => Read(record::change_list),
        _ => return None,
    })
}

/// The zone of a call, by name or numeric id.
pub fn zone<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let wanted = call.part("managedZone");
    if let Some(thing) = estate.get(call.project(), SHELF, "global", wanted, call.now) {
        return Ok(thing);
    }
    let found =
        estate.all(call.project(), SHELF, None, call.now).find(|thing| thing.body.get("id") == wanted);
    let message = format!("The 'parameters.managedZone' resource named '{wanted}' does not exist.");
    found.ok_or_else(|| Refusal::new(404, "notFound", message))
}

fn shown(thing: &Thing) -> Value {
    let mut body = thing.body.read();
    if !thing.tags.is_empty() {
        body.insert(
            "labels".into(),
            thing.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect(),
        );
    }
    Value::Object(body)
}

/// `managedZones.get`.
fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    Ok(Answer::Json(shown(zone(call, estate)?)))
}

/// `managedZones.list`, of one name of DNS if it is given.
fn list_zones(call: &Call<'_>, estate: &Estate) -> Outcome {
    let name = call.asked("dnsName");
    let wanted = |thing: &Thing| name.is_empty() || thing.body.get("dnsName") == name;
    let page = list::page(call, estate, SHELF, None, ("maxResults", 1000), wanted)?;
    let zones: Vec<Value> = page.things.iter().map(|thing| shown(thing)).collect();
    let mut answer = json!({ "kind": "dns#managedZonesListResponse", "managedZones": zones });
    if let Some(next) = page.next {
        answer["nextPageToken"] = next.into();
    }
    Ok(Answer::Json(answer))
}

fn must(call: &Call<'_>, name: &str) -> Result<String, Refusal> {
    let text = call.said(name);
    let message = format!("The 'entity.managedZone.{name}' parameter is required but was missing.");
    if text.is_empty() { Err(Refusal::new(400, "required", message)) } else { Ok(text.to_owned()) }
}

/// `managedZones.create`: with the records that every zone has.
fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (name, dns_name) = (must(call, "name")?, must(call, "dnsName")?);
    super::compute::change::check_name("entity.managedZone.name", &name)?;
    if !call.body.contains_key("description") {
        must(call, "description")?;
    }
    if !dns_name.ends_with('.') || dns_name.len() < 3 {
        let message = format!("Invalid value for 'entity.managedZone.dnsName': '{dns_name}'");
        return Err(Refusal::new(400, "invalid", message));
    }
    if estate.get(call.project(), SHELF, "global", &name, call.now).is_some() {
        let message = format!("The resource 'entity.managedZone' named '{name}' already exists");
        return Err(Refusal::new(409, "alreadyExists", message));
    }
    let mut thing = Thing::new(&name, "global", call.now, "ACTIVE");
    thing.seen_from = call.now + call.effects.unseen;
    thing.name = name.as_str().into();
    thing.tags = super::compute::change::labels(call.body.get("labels"))?;
    let letter = char::from(b'a' + u8::try_from(call.seed().number(&["dns", &name]) % 5).unwrap_or(0));
    let servers: Vec<String> = (1..=4).map(|n| format!("ns-cloud-{letter}{n}.googledomains.com.")).collect();
    let usual = json!({
        "kind": "dns#managedZone", "id": new_id(call, estate, "zone"), "name": name, "dnsName": dns_name,
        "description": call.said("description"), "creationTime": zulu(call.now), "nameServers": servers,
        "visibility": "public", "cloudLoggingConfig": { "kind": "dns#managedZoneCloudLoggingConfig" },
    });
    let mut body: Map<String, Value> = usual.as_object().cloned().unwrap_or_default();
    super::compute::change::copy(
        call,
        &mut body,
        &["visibility", "dnssecConfig", "privateVisibilityConfig", "cloudLoggingConfig"],
    );
    thing.body = (&body).into();
    thing.meter(call.now, [Meter::new("zone/dns", 1.0)]);
    let answer = shown(&thing);
    estate.add(call.cause(), SHELF, thing);
    let soa = format!("{} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300", servers[0]);
    record::put(
        call,
        estate,
        &name,
        &json!({ "name": dns_name, "type": "NS", "ttl": 21_600, "rrdatas": servers }),
    );
    record::put(
        call,
        estate,
        &name,
        &json!({ "name": dns_name, "type": "SOA", "ttl": 21_600, "rrdatas": [soa] }),
    );
    Ok(Answer::Json(answer))
}

/// `managedZones.patch`.
fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = zone(call, estate)?;
    let (name, before) = (thing.id.clone(), shown(thing));
    for fixed in ["name", "dnsName", "visibility"] {
        if !call.said(fixed).is_empty() && before[fixed] != call.said(fixed) {
            let message = format!("The value of 'entity.managedZone.{fixed}' cannot be changed.");
            return Err(Refusal::new(400, "invalid", message));
        }
    }
    let mut after = before.clone();
    merge(&mut after, &Value::Object(call.body.clone()));
    let labels = super::compute::change::labels(after.get("labels"))?;
    let number = estate.next_number();
    let missing = || Refusal::new(404, "notFound", "The zone does not exist.");
    let thing = estate.get_mut(call.project(), SHELF, "global", &name, call.now).ok_or_else(missing)?;
    let mut kept = after.as_object().cloned().unwrap_or_default();
    kept.shift_remove("labels");
    thing.tags = labels;
    thing.body = (&kept).into();
    Ok(Answer::Json(json!({
        "kind": "dns#operation", "id": call.seed().uuid(&["dns", &number.to_string()]), "type": "update", "status": "done",
        "startTime": zulu(call.now), "user": call.caller,
        "zoneContext": { "oldValue": before, "newValue": shown(thing) },
    })))
}

/// `managedZones.delete`, of one that has no more than every zone has.
fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = zone(call, estate)?.id.clone();
    let own = |thing: &Thing| !matches!(thing.size.as_ref(), "NS" | "SOA");
    if estate.all(call.project(), record::SHELF, Some(&name), call.now).any(own) {
        let message = format!("The resource named '{name}' cannot be deleted because it is not empty");
        return Err(Refusal::new(400, "containerNotEmpty", message));
    }
    let all: Vec<_> = estate
        .all(call.project(), record::SHELF, Some(&name), call.now)
        .map(|thing| thing.id.clone())
        .collect();
    for id in all {
        estate.end(call.cause(), record::SHELF, &name, &id, call.now);
    }
    estate.end(call.cause(), SHELF, "global", &name, call.now + TimeDelta::zero());
    Ok(Answer::Nothing)
}
