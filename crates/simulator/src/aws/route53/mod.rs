//! Route 53: zones, records, health checks and their tags.

mod checks;
mod records;
mod tags;
mod zones;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    ask::{Ask, stamp},
    protocol::Refusal,
    service::{Answered, Handler, Row},
};
use crate::estate::{Estate, Thing};

pub(super) use records::change as change_records;
pub(super) use zones::create as create_zone;

/// The kinds of things, as shelves are named.
pub const ZONES: &str = "route53/hostedzone";
pub const CHECKS: &str = "route53/healthcheck";
/// Where they are kept: in no region.
pub const GLOBAL: &str = "global";

/// How long a change takes to be everywhere.
const SPREADING: TimeDelta = TimeDelta::seconds(30);

/// All of the operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("ChangeResourceRecordSets", Handler::Write(records::change)),
    ("ChangeTagsForResource", Handler::Write(tags::change)),
    ("CreateHealthCheck", Handler::Write(checks::create)),
    ("CreateHostedZone", Handler::Write(zones::create)),
    ("DeleteHealthCheck", Handler::Write(checks::delete)),
    ("DeleteHostedZone", Handler::Write(zones::delete)),
    ("GetChange", Handler::Read(get_change)),
    ("GetHealthCheck", Handler::Read(checks::get)),
    ("GetHealthCheckStatus", Handler::Read(checks::status)),
    ("GetHostedZone", Handler::Read(zones::get)),
    ("ListHealthChecks", Handler::Read(checks::list)),
    ("ListHostedZones", Handler::Read(zones::list)),
    ("ListResourceRecordSets", Handler::Read(records::list)),
    ("ListTagsForResource", Handler::Read(tags::of_one)),
    ("ListTagsForResources", Handler::Read(tags::of_several)),
];

/// A change that was just made. Its id holds when, so that nothing needs to be kept of it.
fn changed(ask: &Ask<'_>) -> Value {
    let at = format!("{:X}", ask.now.timestamp());
    let seal = ask.world.seed().hex(&["route53-change", &at], 8).to_uppercase();
    change(ask, &format!("C{at}{seal}"), ask.now)
}

fn change(ask: &Ask<'_>, id: &str, at: DateTime<Utc>) -> Value {
    let status = if ask.now - at < SPREADING { "PENDING" } else { "INSYNC" };
    json!({ "Id": format!("/change/{id}"), "Status": status, "SubmittedAt": stamp(at) })
}

fn get_change(ask: &Ask<'_>, _: &Estate) -> Answered {
    let id = ask.need("Id");
    let known = || {
        let (at, seal) = id.strip_prefix('C')?.split_at_checked(id.len().checked_sub(9)?)?;
        let ours = ask.world.seed().hex(&["route53-change", at], 8).to_uppercase() == seal;
        DateTime::from_timestamp(i64::from_str_radix(at, 16).ok()?, 0).filter(|_| ours)
    };
    let at = known()
        .ok_or_else(|| Refusal::new("NoSuchChange", format!("Could not find resource with ID: {id}")))?;
    Ok(json!({ "ChangeInfo": change(ask, id, at) }).into())
}

/// An id as it may come: with or without what Route 53 puts before it.
fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A page of a shelf, as Route 53 counts pages: in texts, and marked by the id that the next page begins with.
fn page(
    ask: &Ask<'_>,
    estate: &Estate,
    (kind, list): (&str, &str),
    wanted: impl Fn(&Thing) -> bool,
    show: impl Fn(&Thing) -> Value,
) -> Answered {
    let limit = match ask.text("MaxItems").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(limit)) if limit > 0 => limit.min(100),
        Some(_) => return Err(Refusal::new("InvalidInput", "MaxItems must be a number from 1 on")),
    };
    let limit = limit.min(ask.effects.lens.most.unwrap_or(usize::MAX));
    let all = estate.all(ask.owner(), kind, Some(GLOBAL), ask.now).filter(|thing| wanted(thing));
    let all: Vec<&Thing> = all.collect();
    let marker = ask.text("Marker").map(bare).filter(|marker| !marker.is_empty());
    let mut first = match marker {
        None => 0,
        Some(marker) => all
            .iter()
            .position(|thing| &*thing.id == marker)
            .ok_or_else(|| Refusal::new("InvalidInput", format!("The marker {marker} is not valid")))?,
    };
    let next = all.get(first + limit);
    if ask.effects.lens.doubles && limit > 1 {
        first = first.saturating_sub(1);
    }
    let mut things: Vec<&Thing> = all.iter().copied().skip(first).take(limit).collect();
    if ask.effects.lens.misses && next.is_some() && things.len() > 1 {
        things.remove(things.len() - 2);
    }
    let mut output = Map::new();
    output.insert(list.to_owned(), things.into_iter().map(show).collect());
    output.insert("Marker".to_owned(), marker.unwrap_or_default().into());
    output.insert("IsTruncated".to_owned(), next.is_some().into());
    output.insert("MaxItems".to_owned(), limit.to_string().into());
    if let Some(next) = next {
        output.insert("NextMarker".to_owned(), (*next.id).into());
    }
    Ok(Value::Object(output).into())
}
