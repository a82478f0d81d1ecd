//! Record sets: all records of one name and type.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{RECORDS, refuse_etag, zones};
use crate::{
    azure::{
        call::{Answer, Call, inside, merge, text},
        error::{Outcome, Refused},
        ids::Target,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// Types of records, with the member that holds them.
const TYPES: &[(&str, &str)] = &[
    ("A", "ARecords"),
    ("AAAA", "AAAARecords"),
    ("CAA", "caaRecords"),
    ("CNAME", "CNAMERecord"),
    ("MX", "MXRecords"),
    ("NS", "NSRecords"),
    ("PTR", "PTRRecords"),
    ("SOA", "SOARecord"),
    ("SRV", "SRVRecords"),
    ("TXT", "TXTRecords"),
];
/// Records that a set may have.
const MOST: usize = 20;

/// The record sets of a zone that is named by its key.
pub fn of<'e>(call: &Call<'_>, estate: &'e Estate, zone: &str) -> impl Iterator<Item = &'e Thing> {
    let prefix = format!("{zone}/");
    let all = estate.all(&call.account.id, RECORDS, Some("global"), call.now);
    all.filter(move |thing| thing.id.starts_with(&prefix))
}

/// A record set's place: its type stands where other ids have a fixed word.
fn target(zone: &Target, kind: &str, name: &str) -> Target {
    let id = format!("{}/{kind}/{name}", zone.id);
    Target { kind: RECORDS, key: id.to_lowercase(), id, group: zone.group.clone(), name: name.to_owned() }
}

/// The type of records in the call's path.
fn kind(call: &Call<'_>) -> Outcome<(&'static str, &'static str)> {
    let asked = call.part("recordType");
    let found = TYPES.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(asked));
    found.copied().ok_or_else(|| {
        Refused::missing(
            "InvalidResourceType",
            format!("The resource type 'dnsZones/{asked}' could not be found in the namespace 'Microsoft.Network'."),
        )
    })
}

/// The sets that every zone begins with: who serves it.
pub fn begin(call: &Call<'_>, estate: &mut Estate, zone: &Target, servers: &Value) {
    let names: Vec<Value> =
        servers.as_array().into_iter().flatten().map(|name| json!({ "nsdname": name })).collect();
    let soa = json!({
        "email": "azuredns-hostmaster.microsoft.com", "expireTime": 2_419_200, "host": servers[0],
        "minimumTTL": 300, "refreshTime": 3_600, "retryTime": 300, "serialNumber": 1,
    });
    let sets = [("NS", "NSRecords", 172_800, json!(names)), ("SOA", "SOARecord", 3_600, soa)];
    for (kind, member, ttl, records) in sets {
        let target = target(zone, kind, "@");
        write(call, estate, zone, &target, kind, json!({ "TTL": ttl, member: records }));
    }
}

fn write(
    call: &Call<'_>,
    estate: &mut Estate,
    zone: &Target,
    target: &Target,
    kind: &str,
    mut properties: Value,
) -> resource::Kept {
    let fqdn = if target.name == "@" {
        format!("{}.", zone.name)
    } else {
        format!("{}.{}.", target.name, zone.name)
    };
    properties["fqdn"] = json!(fqdn);
    properties["provisioningState"] = json!("Succeeded");
    if !properties["targetResource"].is_object() {
        properties["targetResource"] = json!({});
    }
    let document = json!({
        "type": format!("Microsoft.Network/dnszones/{kind}"),
        "etag": call.new_guid(estate, "records"),
        "properties": properties,
    });
    let mut draft = Draft::new("global", document);
    draft.begins = "Succeeded";
    kind.clone_into(&mut draft.size);
    resource::keep(call, estate, target, draft)
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let zone = zones::target(call, estate)?;
    let zone = zone.clone().with_letters_of(zone.need(call, estate)?);
    resource::refuse_deleting(call, zone.need(call, estate)?, &zone)?;
    let (kind, member) = kind(call)?;
    let target = target(&zone, kind, call.part("relativeRecordSetName"));
    let target = match target.find(call, estate) {
        Some(thing) => target.clone().with_letters_of(thing),
        None => target,
    };
    let existing = target.find(call, estate);
    refuse_etag(call, existing)?;
    if existing.is_none() && kind == "SOA" {
        return Err(Refused::bad(
            "BadRequest",
            "A record set of type SOA cannot be created: it is made with its zone.",
        ));
    }
    let properties = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    refuse_records(call, estate, &zone, &target, (kind, member), &properties)?;
    let kept = write(call, estate, &zone, &target, kind, properties);
    Ok(kept.answer())
}

/// Refuses sets that cannot be: without records or time to live, of another type, or beside a CNAME.
fn refuse_records(
    call: &Call<'_>,
    estate: &Estate,
    zone: &Target,
    target: &Target,
    (kind, member): (&str, &str),
    properties: &Value,
) -> Outcome<()> {
    if inside(properties, "TTL").as_i64().is_none_or(|ttl| ttl < 1) {
        return Err(Refused::bad(
            "BadRequest",
            "The record set is missing a valid TTL. Specify a TTL of at least 1 second.",
        ));
    }
    let others = TYPES.iter().filter(|(_, other)| *other != member);
    let strangers = others.map(|(_, other)| inside(properties, other));
    let full = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty()) || value.is_object();
    if strangers.into_iter().any(full) {
        return Err(Refused::bad(
            "BadRequest",
            format!("The record set of type '{kind}' may hold '{member}' only."),
        ));
    }
    let records = inside(properties, member);
    let alias = !text(properties, "targetResource.id").is_empty();
    if !alias && !full(records) {
        return Err(Refused::bad("BadRequest", "The resource record set must have at least one record."));
    }
    if records.as_array().is_some_and(|list| list.len() > MOST) {
        return Err(Refused::bad("BadRequest", format!("A record set may have at most {MOST} records.")));
    }
    let suffix = format!("/{}", target.name.to_lowercase());
    let beside =
        of(call, estate, &zone.key).filter(|other| other.id.ends_with(&suffix) && *other.id != *target.key);
    let beside: Vec<&str> = beside.map(|other| other.size.as_ref()).collect();
    if (kind == "CNAME" && !beside.is_empty()) || beside.contains(&"CNAME") {
        return Err(Refused::bad(
            "CnameAndOtherRecordsConflict",
            format!("A CNAME record set cannot exist with other records of the name '{}'.", target.name),
        ));
    }
    Ok(())
}

/// PATCH.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let zone = zones::target(call, estate)?;
    let zone = zone.clone().with_letters_of(zone.need(call, estate)?);
    let (kind, member) = kind(call)?;
    let target = target(&zone, kind, call.part("relativeRecordSetName"));
    let thing = target.find(call, estate).ok_or_else(|| missing(&zone, &target, kind))?;
    let target = target.clone().with_letters_of(thing);
    refuse_etag(call, Some(thing))?;
    let mut properties = thing.body.get("properties").as_object().cloned().unwrap_or_else(Map::new);
    let change = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    merge(&mut properties, &change);
    let properties = Value::Object(properties);
    refuse_records(call, estate, &zone, &target, (kind, member), &properties)?;
    Ok(write(call, estate, &zone, &target, kind, properties).answer())
}

fn missing(zone: &Target, target: &Target, kind: &str) -> Refused {
    Refused::missing(
        "NotFound",
        format!(
            "The resource record '{}' of type '{kind}' does not exist in resource group '{}' of zone '{}'.",
            target.name, zone.group, zone.name
        ),
    )
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let zone = zones::target(call, estate)?;
    zone.need(call, estate)?;
    let (kind, _) = kind(call)?;
    let target = target(&zone, kind, call.part("relativeRecordSetName"));
    let thing = target.find(call, estate).ok_or_else(|| missing(&zone, &target, kind))?;
    Ok(Answer::text(StatusCode::OK, thing.body.text().to_owned()))
}

/// The record sets of a zone: all, or those of a type.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let zone = zones::target(call, estate)?;
    zone.need(call, estate)?;
    let wanted = if call.part("recordType").is_empty() { "" } else { kind(call)?.0 };
    let prefix = format!("{}/", zone.key);
    let suffix = call.asked("$recordsetnamesuffix").to_lowercase();
    let takes = |thing: &Thing| {
        thing.id.starts_with(&prefix)
            && (wanted.is_empty() || *thing.size == *wanted)
            && thing.name.to_lowercase().ends_with(&suffix)
    };
    resource::list_where(call, estate, RECORDS, 100, takes, |_, thing| thing.body.text().to_owned())
}

/// DELETE.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let zone = zones::target(call, estate)?;
    zone.need(call, estate)?;
    let (kind, _) = kind(call)?;
    let target = target(&zone, kind, call.part("relativeRecordSetName"));
    let Some(thing) = target.find(call, estate) else { return Ok(Answer::empty(StatusCode::NO_CONTENT)) };
    refuse_etag(call, Some(thing))?;
    if kind == "SOA" || (kind == "NS" && target.name == "@") {
        return Err(Refused::bad(
            "BadRequest",
            format!("The record set of type '{kind}' at the zone apex cannot be deleted."),
        ));
    }
    resource::end(call, estate, RECORDS, &target.key, chrono::TimeDelta::zero());
    Ok(Answer::empty(StatusCode::OK))
}
