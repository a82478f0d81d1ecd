//! Measurements of servers and load balancers: series of times and texts, as Hetzner gives them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    call::{Call, Outcome, time},
    kind,
    refusal::Refusal,
};
use crate::{
    estate::{Driven, Estate, Thing},
    load::{self, Measure},
};

/// Samples in one series, at most.
const MOST: i64 = 500;

/// A series: its type and name, what is measured, and what a sample is multiplied by.
type Series = (&'static str, &'static str, Measure, f64);

static SERVER: &[Series] = &[
    ("cpu", "cpu", Measure::Processor, 100.0),
    ("disk", "disk.0.iops.read", Measure::DiskReads, 1.0),
    ("disk", "disk.0.iops.write", Measure::DiskWrites, 1.0),
    ("disk", "disk.0.bandwidth.read", Measure::DiskReads, 16_384.0),
    ("disk", "disk.0.bandwidth.write", Measure::DiskWrites, 16_384.0),
    ("network", "network.0.pps.in", Measure::NetworkIn, 0.001),
    ("network", "network.0.pps.out", Measure::NetworkOut, 0.001),
    ("network", "network.0.bandwidth.in", Measure::NetworkIn, 1.0),
    ("network", "network.0.bandwidth.out", Measure::NetworkOut, 1.0),
];

static BALANCER: &[Series] = &[
    ("open_connections", "open_connections", Measure::Connections, 1.0),
    ("connections_per_second", "connections_per_second", Measure::Requests, 0.5),
    ("requests_per_second", "requests_per_second", Measure::Requests, 1.0),
    ("bandwidth", "bandwidth.in", Measure::NetworkIn, 1.0),
    ("bandwidth", "bandwidth.out", Measure::NetworkOut, 1.0),
];

/// Of a server, while it runs.
pub fn of_server(call: &Call<'_>, estate: &Estate) -> Outcome {
    answer(call, kind::named(call, estate)?, SERVER, &["running"])
}

/// Of a load balancer, which is driven as its first target is.
pub fn of_balancer(call: &Call<'_>, estate: &Estate) -> Outcome {
    let mut thing = kind::named(call, estate)?.clone();
    thing.driven = driver(call, estate, &thing);
    answer(call, &thing, BALANCER, &["available"])
}

fn driver(call: &Call<'_>, estate: &Estate, balancer: &Thing) -> Option<Driven> {
    let targets = balancer.body.get("targets");
    let mut ids = targets.as_array()?.iter().filter_map(|target| target["server"]["id"].as_u64());
    ids.find_map(|id| call.find(estate, "servers", &id.to_string())?.driven.clone())
}

fn answer(call: &Call<'_>, thing: &Thing, known: &[Series], running: &[&str]) -> Outcome {
    let (from, until) = (when(call, "start")?, when(call, "end")?);
    if until <= from {
        return Err(Refusal::invalid("end", "must be after start"));
    }
    let step = match call.asked("step") {
        "" => ((until - from).num_seconds() / 60).max(60),
        text => text
            .parse()
            .ok()
            .filter(|step: &i32| *step > 0)
            .map(i64::from)
            .ok_or_else(|| Refusal::invalid("step", "must be above 0, and a number of 32 bits"))?,
    };
    if (until - from).num_seconds() / step > MOST {
        return Err(Refusal::invalid("step", "gives more than 500 samples"));
    }
    let wanted: Vec<&str> = call.asked_all("type").flat_map(|text| text.split(',')).collect();
    let mut series = Map::new();
    for (_, name, measure, factor) in known.iter().filter(|(kind, ..)| wanted.contains(kind)) {
        let span = (from, until.min(call.now));
        let (plan, began) = (&call.world.plan, call.world.began());
        let buckets = load::buckets(plan, began, thing, *measure, running, span, TimeDelta::seconds(step));
        let values: Vec<Value> = buckets
            .iter()
            .map(|bucket| json!([bucket.from.timestamp(), format!("{:.6}", bucket.average() * factor)]))
            .collect();
        series.insert((*name).to_owned(), json!({ "values": values }));
    }
    Ok(json!({ "metrics": { "start": time(from), "end": time(until), "step": step, "time_series": series } })
        .into())
}

fn when(call: &Call<'_>, name: &str) -> Result<DateTime<Utc>, Refusal> {
    let found = DateTime::parse_from_rfc3339(call.asked(name));
    found.map(|time| time.to_utc()).map_err(|_| Refusal::invalid(name, "must be a time in ISO-8601 format"))
}
