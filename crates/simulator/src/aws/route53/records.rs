//! Record sets: a batch of changes is made whole or not at all.

use serde_json::{Value, json};

use super::{CHECKS, GLOBAL, ZONES, bare, changed, zones};
use crate::{
    aws::{ask::Ask, protocol::Refusal, service::Answered},
    estate::Estate,
};

/// What tells record sets apart: the name with its labels turned around, as lists are ordered; the type; the identifier.
fn key(record: &Value) -> (Vec<String>, String, String) {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let mut labels: Vec<String> = zones::full(&text("Name")).split('.').map(str::to_owned).collect();
    labels.reverse();
    (labels, text("Type"), text("SetIdentifier"))
}

pub(crate) fn change(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let zone = zones::one(ask, estate, ask.need("HostedZoneId"))?;
    let (id, name) = (zone.id.clone(), zone.name.clone());
    let mut records = match zone.body.get("Records") {
        Value::Array(records) => records,
        _ => Vec::new(),
    };
    let batch = ask.get("ChangeBatch").map(|batch| &batch["Changes"]);
    let mut wrongs = Vec::new();
    for change in batch.and_then(Value::as_array).into_iter().flatten() {
        if let Err(wrong) = apply(ask, estate, &name, &mut records, change) {
            wrongs.push(wrong);
        }
    }
    if !wrongs.is_empty() {
        return Err(Refusal::new("InvalidChangeBatch", format!("[{}]", wrongs.join(", "))));
    }
    records.sort_by_cached_key(key);
    if let Some(zone) = estate.get_mut(ask.owner(), ZONES, GLOBAL, &id, ask.now) {
        zone.body.edit(|body| {
            body.insert("Records".to_owned(), Value::Array(records));
        });
    }
    Ok(json!({ "ChangeInfo": changed(ask) }).into())
}

/// Makes one change, or says what is wrong with it.
fn apply(
    ask: &Ask<'_>,
    estate: &Estate,
    zone: &str,
    records: &mut Vec<Value>,
    change: &Value,
) -> Result<(), String> {
    let mut record = change["ResourceRecordSet"].clone();
    let name = zones::full(record["Name"].as_str().unwrap_or_default());
    let kind = record["Type"].as_str().unwrap_or_default().to_owned();
    record["Name"] = name.as_str().into();
    let called = format!("[name='{name}', type='{kind}']");
    check(ask, estate, zone, &record, &called)?;
    let place = records.iter().position(|known| key(known) == key(&record));
    match (change["Action"].as_str().unwrap_or_default(), place) {
        ("CREATE", Some(_)) => {
            Err(format!("Tried to create resource record set {called} but it already exists"))
        }
        ("CREATE" | "UPSERT", None) => {
            records.push(record);
            Ok(())
        }
        ("UPSERT", Some(place)) => {
            records[place] = record;
            Ok(())
        }
        (_, None) => Err(format!("Tried to delete resource record set {called} but it was not found")),
        (_, Some(_)) if name == zone && matches!(kind.as_str(), "NS" | "SOA") => {
            Err(format!("A HostedZone must contain exactly one {kind} record at its apex"))
        }
        (_, Some(place)) if records[place] != record => Err(format!(
            "Tried to delete resource record set {called} but the values provided do not match the current values"
        )),
        (_, Some(place)) => {
            records.remove(place);
            Ok(())
        }
    }
}

/// Says what is wrong with a record set, whatever is to become of it.
fn check(ask: &Ask<'_>, estate: &Estate, zone: &str, record: &Value, called: &str) -> Result<(), String> {
    let name = record["Name"].as_str().unwrap_or_default();
    if name != zone && !name.ends_with(&format!(".{zone}")) {
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
    }
    if record["Type"] == "CNAME" && name == zone {
        return Err(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
        ));
    }
    if let Some(check) = record.get("HealthCheckId").and_then(Value::as_str)
        && estate.get(ask.owner(), CHECKS, GLOBAL, check, ask.now).is_none()
    {
        return Err(format!("The health check {check} of {called} does not exist"));
    }
    let routed = ["Weight", "Failover", "Region", "GeoLocation", "MultiValueAnswer"];
    let routed = routed.iter().filter(|name| record.get(**name).is_some()).count();
    if routed != usize::from(record.get("SetIdentifier").is_some()) {
        return Err(format!(
            "Invalid request: Missing field 'SetIdentifier', or expected exactly one of [Weight, Region, Failover, \
             GeoLocation, or MultiValueAnswer] for {called}"
        ));
    }
    if record.get("ResourceRecords").is_some() == record.get("AliasTarget").is_some() {
        return Err(format!(
            "Invalid request: expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
             TrafficPolicyInstanceId] for {called}"
        ));
    }
    Ok(())
}

pub(super) fn list(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let zone = zones::one(ask, estate, ask.need("HostedZoneId"))?;
    let mut records = match zone.body.get("Records") {
        Value::Array(records) => records,
        _ => Vec::new(),
    };
    let limit = ask.text("MaxItems").map_or(Ok(100), str::parse::<usize>);
    let limit = limit.map_err(|_| Refusal::new("InvalidInput", "MaxItems must be a number"))?.clamp(1, 300);
    if let Some(name) = ask.text("StartRecordName") {
        let start = key(&json!({
            "Name": name, "Type": ask.text("StartRecordType"), "SetIdentifier": ask.text("StartRecordIdentifier"),
        }));
        records.retain(|record| key(record) >= start);
    } else if ask.text("StartRecordType").is_some() {
        return Err(Refusal::new("InvalidInput", "StartRecordType must be used with StartRecordName"));
    }
    let mut output = json!({ "IsTruncated": records.len() > limit, "MaxItems": limit.to_string() });
    if let Some(next) = records.get(limit) {
        output["NextRecordName"] = next["Name"].clone();
        output["NextRecordType"] = next["Type"].clone();
        if let Some(identifier) = next.get("SetIdentifier") {
            output["NextRecordIdentifier"] = identifier.clone();
        }
    }
    records.truncate(limit);
    output["ResourceRecordSets"] = Value::Array(records);
    Ok(output.into())
}

/// The addresses and names that a name of the account's zones leads to.
pub(super) fn resolve(ask: &Ask<'_>, estate: &Estate, name: &str) -> Vec<String> {
    let name = zones::full(name);
    let mut found = Vec::new();
    for zone in estate.all(ask.owner(), ZONES, Some(GLOBAL), ask.now) {
        let records = zone.body.get("Records");
        for record in records.as_array().into_iter().flatten().filter(|record| record["Name"] == *name) {
            if !matches!(record["Type"].as_str(), Some("A" | "CNAME")) {
                continue;
            }
            let values = record["ResourceRecords"].as_array().into_iter().flatten();
            found.extend(values.filter_map(|value| value["Value"].as_str()).map(str::to_owned));
            found.extend(record["AliasTarget"]["DNSName"].as_str().map(str::to_owned));
        }
    }
    found
}

/// Whether a record points to a health check.
pub(super) fn uses(ask: &Ask<'_>, estate: &Estate, check: &str) -> bool {
    estate.all(ask.owner(), ZONES, Some(GLOBAL), ask.now).any(|zone| {
        let records = zone.body.get("Records");
        records
            .as_array()
            .into_iter()
            .flatten()
            .any(|record| record["HealthCheckId"].as_str().is_some_and(|id| bare(id) == check))
    })
}
