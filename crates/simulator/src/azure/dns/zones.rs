//! Zones.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{RECORDS, ZONE, records, refuse_etag};
use crate::{
    azure::{
        call::{Answer, Call, text},
        error::{Outcome, Refused},
        groups,
        ids::Target,
        resource::{self, Draft},
    },
    estate::{Estate, Meter, Thing},
};

/// Seconds that it takes to delete a zone.
const DELETION: i64 = 10;

/// The call's zone.
pub fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, ZONE, &[call.part("zoneName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, ZONE, &[call.part("zoneName")])?;
    if !text(&call.body, "location").eq_ignore_ascii_case("global") {
        return Err(Refused::bad(
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{}' is not available for resource type '{ZONE}'. List of available regions for \
                 the resource type is 'global'.",
                text(&call.body, "location")
            ),
        ));
    }
    refuse_etag(call, existing.as_ref())?;
    refuse_name(&target.name)?;
    if text(&call.body, "properties.zoneType").eq_ignore_ascii_case("private") {
        return Err(Refused::bad("BadRequest", "Zones of type 'Private' are made as privateDnsZones."));
    }
    let kept = existing.as_ref().map(|thing| thing.body.get("properties")["nameServers"].clone());
    let servers = kept.unwrap_or_else(|| {
        let number = estate.next_number() % 40 + 1;
        let server = |(n, domain): (u32, &str)| format!("ns{n}-{number:02}.azure-dns.{domain}.");
        json!([(1, "com"), (2, "net"), (3, "org"), (4, "info")].map(server))
    });
    let document = json!({
        "location": "global",
        "tags": call.body.get("tags").filter(|tags| tags.is_object()).cloned().unwrap_or_else(|| json!({})),
        "etag": call.new_guid(estate, "zone"),
        "properties": {
            "maxNumberOfRecordSets": 10_000, "maxNumberOfRecordsPerRecordSet": 20, "nameServers": servers,
            "zoneType": "Public",
        },
    });
    let made = existing.is_none();
    let mut draft = Draft::new("global", document).charged([Meter::new("zone/dns", 1.0)]);
    draft.begins = "Succeeded";
    resource::keep(call, estate, &target, draft);
    if made {
        records::begin(call, estate, &target, &servers);
    }
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    let shown = target.find(call, estate).map(|thing| show(call, estate, thing));
    Ok(Answer::text(status, shown.unwrap_or_default()))
}

/// A zone has two labels or more, of letters, digits and hyphens.
fn refuse_name(name: &str) -> Outcome<()> {
    let label = |label: &str| {
        let fits = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        !label.is_empty() && label.len() <= 63 && fits
    };
    if name.len() <= 253 && name.split('.').count() >= 2 && name.split('.').all(label) {
        return Ok(());
    }
    Err(Refused::bad(
        "InvalidDomainName",
        format!("The domain name '{name}' is invalid. The provided zone name is invalid."),
    ))
}

/// A zone as it is shown, with the number of its record sets.
fn show(call: &Call<'_>, estate: &Estate, thing: &Thing) -> String {
    let mut value = Value::Object(thing.body.read());
    value["properties"]["numberOfRecordSets"] = json!(records::of(call, estate, &thing.id).count());
    value.to_string()
}

/// PATCH: tags.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    refuse_etag(call, Some(target.need(call, estate)?))?;
    resource::update_tags(call, estate, &target)?;
    get(call, estate)
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    Ok(Answer::text(StatusCode::OK, show(call, estate, target.need(call, estate)?)))
}

/// The zones of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list_where(call, estate, ZONE, 100, |_| true, |call, thing| show(call, estate, thing))
}

/// DELETE, with its records.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let existing = target.find(call, estate);
    if existing.is_some() {
        refuse_etag(call, existing)?;
    }
    let records: Vec<String> =
        records::of(call, estate, &target.key).map(|thing| thing.id.to_string()).collect();
    let answer = resource::delete(call, estate, &target, DELETION, |_, _| Ok(()))?;
    for key in records {
        resource::end(call, estate, RECORDS, &key, TimeDelta::seconds(DELETION));
    }
    Ok(answer)
}
