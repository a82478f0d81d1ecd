//! `Microsoft.Insights`: metrics of machines, scale sets and servers, computed from what drives them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    call::{Answer, Call},
    compute::{SET, SET_VM, VM, WORKING},
    error::{Outcome, Refused, quoted},
    ids,
    postgres::{AWAKE, SERVER},
};
use crate::{
    estate::{Estate, Thing},
    load::{self, Bucket, Measure},
};

/// A metric of a type of resources.
struct Metric {
    name: &'static str,
    shown: &'static str,
    unit: &'static str,
    /// What it is asked for by default.
    primary: &'static str,
    measure: Measure,
    /// What a measure is multiplied by.
    factor: f64,
    /// Whether a total is over seconds: bytes in all, not bytes a second.
    rate: bool,
}

const fn gauge(
    name: &'static str,
    shown: &'static str,
    unit: &'static str,
    measure: Measure,
    factor: f64,
) -> Metric {
    Metric { name, shown, unit, primary: "Average", measure, factor, rate: false }
}

const fn sum(name: &'static str, shown: &'static str, measure: Measure) -> Metric {
    Metric { name, shown, unit: "Bytes", primary: "Total", measure, factor: 1.0, rate: true }
}

/// Metrics of machines.
const MACHINE: &[Metric] = &[
    gauge("Percentage CPU", "Percentage CPU", "Percent", Measure::Processor, 100.0),
    gauge("Available Memory Bytes", "Available Memory Bytes (Preview)", "Bytes", Measure::Memory, 1.0),
    gauge(
        "Available Memory Percentage",
        "Available Memory Percentage (Preview)",
        "Percent",
        Measure::Memory,
        100.0,
    ),
    sum("Network In Total", "Network In Total", Measure::NetworkIn),
    sum("Network Out Total", "Network Out Total", Measure::NetworkOut),
    gauge("Disk Read Operations/Sec", "Disk Read Operations/Sec", "CountPerSecond", Measure::DiskReads, 1.0),
    gauge(
        "Disk Write Operations/Sec",
        "Disk Write Operations/Sec",
        "CountPerSecond",
        Measure::DiskWrites,
        1.0,
    ),
];

/// Metrics of servers.
const DATABASE: &[Metric] = &[
    gauge("cpu_percent", "CPU percent", "Percent", Measure::Processor, 100.0),
    gauge("memory_percent", "Memory percent", "Percent", Measure::Memory, 100.0),
    gauge("storage_percent", "Storage percent", "Percent", Measure::Storage, 100.0),
    gauge("storage_used", "Storage Used", "Bytes", Measure::Storage, 1.0),
    gauge("active_connections", "Active Connections", "Count", Measure::Connections, 1.0),
    gauge("iops", "IOPS", "Count", Measure::DiskWrites, 1.0),
    sum("network_bytes_ingress", "Network In", Measure::NetworkIn),
    sum("network_bytes_egress", "Network Out", Measure::NetworkOut),
];

/// Intervals there are.
const GRAINS: &[(&str, i64)] = &[
    ("PT1M", 60),
    ("PT5M", 300),
    ("PT15M", 900),
    ("PT30M", 1_800),
    ("PT1H", 3_600),
    ("PT6H", 21_600),
    ("PT12H", 43_200),
    ("P1D", 86_400),
];
/// Metrics that can be asked for at once.
const AT_ONCE: usize = 20;
/// Data points that an answer may have; the vendor's limit is of the same kind.
const POINTS: i64 = 50_000;
/// For how long metrics are kept.
const KEPT: TimeDelta = TimeDelta::days(93);

/// A resource with metrics.
struct Subject<'e> {
    thing: &'e Thing,
    /// What is measured: the thing, or the machines of a set.
    parts: Vec<&'e Thing>,
    namespace: &'static str,
    metrics: &'static [Metric],
    running: &'static [&'static str],
}

fn subject<'e>(call: &Call<'_>, estate: &'e Estate) -> Outcome<Subject<'e>> {
    let id = format!("/{}", call.part("resourceUri").trim_matches('/'));
    let parsed = ids::parse(&id).filter(|parsed| !parsed.kind.is_empty());
    let parsed =
        parsed.ok_or_else(|| Refused::bad("BadRequest", format!("The resource id '{id}' is invalid.")))?;
    ids::group(call, estate, parsed.group)?;
    let known: [(&'static str, &'static [Metric], &'static [&'static str]); 3] =
        [(VM, MACHINE, WORKING), (SET, MACHINE, WORKING), (SERVER, DATABASE, AWAKE)];
    let found = known.into_iter().find(|(kind, ..)| kind.eq_ignore_ascii_case(&parsed.kind));
    let (kind, metrics, running) = found.ok_or_else(|| {
        Refused::bad("BadRequest", format!("Resource type '{}' is not supported for metrics.", parsed.kind))
    })?;
    let key = id.to_lowercase();
    let thing = ids::find(call, estate, kind, &key);
    let thing = thing.ok_or_else(|| Refused::no_resource(kind, parsed.name, parsed.group))?;
    let parts = if kind == SET {
        let prefix = format!("{key}/");
        let machines = estate.all(&call.account.id, SET_VM, Some(&thing.place), call.now);
        machines.filter(|machine| machine.id.starts_with(&prefix)).collect()
    } else {
        vec![thing]
    };
    Ok(Subject { thing, parts, namespace: kind, metrics, running })
}

/// GET `metricDefinitions`.
pub fn definitions(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let subject = subject(call, estate)?;
    let id = subject.thing.body.get("id");
    let id = id.as_str().unwrap_or_default();
    let list: Vec<Value> = subject
        .metrics
        .iter()
        .map(|metric| {
            let grains = GRAINS.iter().map(|(grain, _)| json!({ "timeGrain": grain, "retention": "P93D" }));
            json!({
                "id": format!("{id}/providers/microsoft.insights/metricdefinitions/{}", metric.name),
                "resourceId": id,
                "namespace": subject.namespace,
                "name": { "value": metric.name, "localizedValue": metric.shown },
                "displayDescription": metric.shown,
                "isDimensionRequired": false,
                "unit": metric.unit,
                "primaryAggregationType": metric.primary,
                "supportedAggregationTypes": ["None", "Average", "Minimum", "Maximum", "Total", "Count"],
                "metricAvailabilities": grains.collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(Answer::ok(&json!({ "value": list })))
}

/// GET `metrics`.
pub fn metrics(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let subject = subject(call, estate)?;
    let namespace = call.asked("metricnamespace");
    if !namespace.is_empty() && !namespace.eq_ignore_ascii_case(subject.namespace) {
        return Err(Refused::bad("BadRequest", format!("Failed to find metric namespace '{namespace}'.")));
    }
    let chosen = chosen(call, &subject)?;
    let (from, until) = span(call)?;
    let (grain, seconds) = grain(call)?;
    let count =
        (until - from).num_seconds() / seconds.max(1) * i64::try_from(chosen.len()).unwrap_or(i64::MAX);
    if count > POINTS {
        return Err(Refused::bad(
            "BadRequest",
            "Query returned too many data points. Reduce the timespan or the number of metrics, or enlarge the interval.",
        ));
    }
    let asked = aggregations(call)?;
    let id = subject.thing.body.get("id");
    let id = id.as_str().unwrap_or_default();
    let list: Vec<Value> = chosen
        .iter()
        .map(|metric| {
            let data = data(call, &subject, metric, (from, until), seconds, &asked);
            json!({
                "id": format!("{id}/providers/Microsoft.Insights/metrics/{}", metric.name),
                "type": "Microsoft.Insights/metrics",
                "name": { "value": metric.name, "localizedValue": metric.shown },
                "displayDescription": metric.shown,
                "unit": metric.unit,
                "timeseries": [{ "metadatavalues": [], "data": data }],
                "errorCode": "Success",
            })
        })
        .collect();
    Ok(Answer::ok(&json!({
        "cost": count,
        "timespan": format!("{}/{}", short(from), short(until)),
        "interval": grain,
        "namespace": subject.namespace,
        "resourceregion": subject.thing.place.as_ref(),
        "value": list,
    })))
}

/// The metrics that are asked for; the first, if none is named.
fn chosen(call: &Call<'_>, subject: &Subject<'_>) -> Outcome<Vec<&'static Metric>> {
    let names: Vec<&str> =
        call.asked("metricnames").split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > AT_ONCE {
        return Err(Refused::bad("BadRequest", format!("At most {AT_ONCE} metrics can be queried at once.")));
    }
    let first = subject.metrics.iter().take(1);
    if names.is_empty() {
        return Ok(first.collect());
    }
    let find = |name: &&str| {
        subject.metrics.iter().find(|metric| metric.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            Refused::bad(
                "BadRequest",
                format!(
                    "Failed to find metric configuration for provider: {}, resource Type: {}, metric: {name}, Valid \
                     metrics: {}",
                    subject.namespace.split('/').next().unwrap_or_default(),
                    subject.namespace.split('/').next_back().unwrap_or_default(),
                    quoted(subject.metrics.iter().map(|metric| metric.name))
                ),
            )
        })
    };
    names.iter().map(find).collect()
}

/// The span: an hour before now unless it is said.
fn span(call: &Call<'_>) -> Outcome<(DateTime<Utc>, DateTime<Utc>)> {
    let asked = call.asked("timespan");
    if asked.is_empty() {
        return Ok((call.now - TimeDelta::hours(1), call.now));
    }
    let wrong =
        || Refused::bad("BadRequest", format!("Detected invalid time grain or timespan input: '{asked}'."));
    let (from, until) = asked.split_once('/').ok_or_else(wrong)?;
    let read = |text: &str| -> Option<DateTime<Utc>> {
        let text = text.trim().replace(' ', "+");
        text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
    };
    let (from, until) = (read(from).ok_or_else(wrong)?, read(until).ok_or_else(wrong)?);
    if from > until {
        return Err(Refused::bad("BadRequest", "Start time cannot be later than end time."));
    }
    if from < call.now - KEPT - TimeDelta::days(1) {
        return Err(Refused::bad(
            "BadRequest",
            "The start time is more than 93 days ago, for which metrics are kept.",
        ));
    }
    Ok((from, until.min(call.now)))
}

fn grain(call: &Call<'_>) -> Outcome<(&'static str, i64)> {
    let asked = if call.asked("interval").is_empty() { "PT1M" } else { call.asked("interval") };
    let found = GRAINS.iter().find(|(name, _)| name.eq_ignore_ascii_case(asked));
    found.copied().ok_or_else(|| {
        let known = quoted(GRAINS.iter().map(|(name, _)| *name));
        let message = format!("Detected invalid time grain input {asked}, supported ones are {known}");
        Refused::bad("BadRequest", message)
    })
}

fn aggregations(call: &Call<'_>) -> Outcome<Vec<String>> {
    let asked = call.asked("aggregation").split(',').map(|name| name.trim().to_lowercase());
    let asked: Vec<String> = asked.filter(|name| !name.is_empty()).collect();
    let known = ["average", "minimum", "maximum", "total", "count", "none"];
    match asked.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refused::bad("BadRequest", format!("Invalid aggregation type '{name}'."))),
        None => Ok(asked),
    }
}

/// The values of a metric. What is deallocated has none, only times.
fn data(
    call: &Call<'_>,
    subject: &Subject<'_>,
    metric: &Metric,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    seconds: i64,
    asked: &[String],
) -> Vec<Value> {
    let period = TimeDelta::seconds(seconds);
    let start = call.world.began();
    let all: Vec<Vec<Bucket>> = subject
        .parts
        .iter()
        .map(|thing| {
            load::buckets(
                &call.world.plan,
                start,
                thing,
                metric.measure,
                subject.running,
                (from, until),
                period,
            )
        })
        .collect();
    let first = from.timestamp().div_euclid(seconds) * seconds;
    let times = (first..until.timestamp()).step_by(usize::try_from(seconds).unwrap_or(60));
    let value = |second: i64| {
        let at = DateTime::from_timestamp(second, 0)?;
        let here: Vec<&Bucket> =
            all.iter().filter_map(|buckets| buckets.iter().find(|bucket| bucket.from == at)).collect();
        Some(point(call, subject, metric, at, &here, asked))
    };
    times.filter_map(value).collect()
}

fn point(
    call: &Call<'_>,
    subject: &Subject<'_>,
    metric: &Metric,
    at: DateTime<Utc>,
    here: &[&Bucket],
    asked: &[String],
) -> Value {
    let mut value = json!({ "timeStamp": short(at) });
    if here.is_empty() {
        return value;
    }
    let wants = |name: &str| {
        if asked.is_empty() {
            name.eq_ignore_ascii_case(metric.primary)
        } else {
            asked.iter().any(|asked| asked == name)
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "some machines with some hundred samples each")]
    let count = here.iter().map(|bucket| bucket.count()).sum::<usize>() as f64;
    let sum: f64 = here.iter().map(|bucket| bucket.sum()).sum();
    let seconds = here.first().map_or(60.0, |bucket| bucket.seconds_a_sample);
    // A rate becomes an amount a sample; a share of memory in use becomes what is free of it.
    let amount = |raw: f64| scale(call, subject, metric, if metric.rate { raw * seconds } else { raw });
    let lowest = here.iter().map(|bucket| bucket.minimum()).fold(f64::INFINITY, f64::min);
    let highest = here.iter().map(|bucket| bucket.maximum()).fold(f64::NEG_INFINITY, f64::max);
    let (one, other) = (amount(lowest), amount(highest));
    let average = amount(sum / count);
    for (name, number) in [
        ("average", average),
        ("minimum", one.min(other)),
        ("maximum", one.max(other)),
        ("total", average * count),
        ("count", count),
    ] {
        if wants(name) {
            value[name] = json!((number * 1e4).round() / 1e4);
        }
    }
    value
}

/// A measure in the metric's unit.
fn scale(call: &Call<'_>, subject: &Subject<'_>, metric: &Metric, raw: f64) -> f64 {
    let size = call.world.plan.size(crate::FaceName::Azure, &subject.thing.size);
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory and disks")]
    match metric.name {
        "Available Memory Bytes" => (1.0 - raw) * size.map_or(0, |size| size.memory_mib) as f64 * 1_048_576.0,
        "Available Memory Percentage" => (1.0 - raw) * 100.0,
        "storage_used" => {
            let properties = subject.thing.body.get("properties");
            let gib = properties["storage"]["storageSizeGB"].as_u64().unwrap_or_default();
            raw * gib as f64 * 1_073_741_824.0
        }
        _ => raw * metric.factor,
    }
}

fn short(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
