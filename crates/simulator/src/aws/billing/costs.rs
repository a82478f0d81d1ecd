//! What was spent, on what.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::filter::{DIMENSIONS, check, chosen, dimension};
use crate::{
    aws::{ask::Ask, protocol::Refusal, service::Answered},
    charges::{Charge, charges},
    estate::Estate,
    face::FaceName,
};

/// A span of time: its beginning and its end.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// Groups on a page of results.
const GROUPS: usize = 5_000;
/// How many days back hours are told apart.
const HOURLY_DAYS: i64 = 14;
/// How old the oldest charges are that can be asked for.
const MONTHS_KEPT: u32 = 38;

pub(super) fn validation(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message).status(400)
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let midnight = day.and_then(|day| day.and_hms_opt(0, 0, 0)).map(|time| time.and_utc());
    midnight.or_else(|| text.parse().ok())
}

/// The time that is asked for.
pub(super) fn period(ask: &Ask<'_>) -> Result<Span, Refusal> {
    let given = ask.get("TimePeriod");
    let part = |name: &str| given.and_then(|given| given[name].as_str()).and_then(moment);
    match (part("Start"), part("End")) {
        (Some(from), Some(until)) if from < until => Ok((from, until)),
        (Some(_), Some(_)) => Err(validation("Start date (and hour) should be before end date (and hour)")),
        _ => Err(validation("Start and end must be dates as in 2026-06-21")),
    }
}

/// The spans that a time is divided into.
pub(super) fn spans((from, until): Span, granularity: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut at = from;
    while at < until {
        let next = match granularity {
            "HOURLY" => at + TimeDelta::hours(1),
            "MONTHLY" => month_after(at),
            _ => at + Days::new(1),
        };
        spans.push((at, next.min(until)));
        at = next;
    }
    spans
}

fn month_after(at: DateTime<Utc>) -> DateTime<Utc> {
    use chrono::Datelike as _;
    let first = at.date_naive().with_day(1).and_then(|day| day.checked_add_months(Months::new(1)));
    first.and_then(|day| day.and_hms_opt(0, 0, 0)).map_or(at + TimeDelta::days(30), |time| time.and_utc())
}

pub(super) fn written((from, until): Span, granularity: &str) -> Value {
    let format = if granularity == "HOURLY" { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%d" };
    json!({ "Start": from.format(format).to_string(), "End": until.format(format).to_string() })
}

/// What is summed for a group: dollars and units.
#[derive(Default, Clone, Copy)]
struct Sum {
    usd: f64,
    quantity: f64,
}

impl Sum {
    fn add(&mut self, charge: &Charge<'_>) {
        self.usd += charge.usd;
        self.quantity += charge.quantity;
    }

    fn shown(self, metrics: &[&str]) -> Value {
        let one = |name: &&str| {
            let value = match *name {
                "UsageQuantity" | "NormalizedUsageAmount" => {
                    json!({ "Amount": amount(self.quantity), "Unit": "N/A" })
                }
                _ => json!({ "Amount": amount(self.usd), "Unit": "USD" }),
            };
            ((*name).to_owned(), value)
        };
        Value::Object(metrics.iter().map(one).collect())
    }
}

pub(super) fn amount(value: f64) -> String {
    format!("{value:.10}")
}

/// The keys of a charge under what it is grouped by.
fn keys(ask: &Ask<'_>, charge: &Charge<'_>, groups: &[Value]) -> Vec<String> {
    let key = |group: &Value| {
        let name = group["Key"].as_str().unwrap_or_default();
        if group["Type"] == "TAG" {
            return format!("{name}${}", charge.thing.tags.get(name).map_or("", AsRef::as_ref));
        }
        dimension(ask, charge, name).unwrap_or_default()
    };
    groups.iter().map(key).collect()
}

pub(super) fn usage(ask: &Ask<'_>, estate: &Estate) -> Answered {
    const METRICS: &[&str] = &[
        "AmortizedCost",
        "BlendedCost",
        "NetAmortizedCost",
        "NetUnblendedCost",
        "NormalizedUsageAmount",
        "UnblendedCost",
        "UsageQuantity",
    ];
    let (metrics, groups) = (ask.texts("Metrics"), ask.list("GroupBy"));
    if let Some(other) = metrics.iter().find(|metric| !METRICS.contains(metric)) {
        return Err(validation(format!("Metric {other} is not one of {}", METRICS.join(", "))));
    }
    if groups.len() > 2 {
        return Err(validation("Group by at most 2 definitions"));
    }
    for group in groups {
        let key = group["Key"].as_str().unwrap_or_default();
        if group["Type"] != "TAG" && (group["Type"] != "DIMENSION" || !DIMENSIONS.contains(&key)) {
            return Err(validation(format!("Group by {key} is not supported by the simulator")));
        }
    }
    let filter = ask.get("Filter").cloned().unwrap_or_default();
    check(&filter)?;
    let granularity = ask.need("Granularity");
    let spans = spans(of_the_past(ask)?, granularity);
    let first = token(ask, spans.len())?;
    let sums = sums(ask, estate, &spans[first..], |charge| {
        chosen(ask, charge, &filter).then(|| keys(ask, charge, groups))
    });
    let (mut results, mut shown, mut next) = (Vec::new(), 0, None);
    for (index, (span, groups_of_span)) in spans[first..].iter().zip(sums).enumerate() {
        if shown > 0 && shown + groups_of_span.len() > GROUPS {
            next = Some(format!("p-{}", first + index));
            break;
        }
        shown += groups_of_span.len();
        results.push(result(ask, *span, granularity, &groups_of_span, !groups.is_empty()));
    }
    let mut output = json!({ "ResultsByTime": results, "DimensionValueAttributes": [] });
    if !groups.is_empty() {
        output["GroupDefinitions"] = groups.into();
    }
    if let Some(next) = next {
        output["NextPageToken"] = next.into();
    }
    Ok(output.into())
}

/// The time asked for, if charges of it can still be had.
fn of_the_past(ask: &Ask<'_>) -> Result<Span, Refusal> {
    let (from, until) = period(ask)?;
    if ask.now.checked_sub_months(Months::new(MONTHS_KEPT)).is_some_and(|oldest| from < oldest) {
        return Err(validation(format!("You haven't enabled historical data beyond {MONTHS_KEPT} months")));
    }
    if until > ask.now + TimeDelta::days(366) {
        return Err(validation("end date past the beginning of next month"));
    }
    if ask.text("Granularity") == Some("HOURLY") && from < ask.now - TimeDelta::days(HOURLY_DAYS + 1) {
        return Err(validation(format!("Hourly data is available for the last {HOURLY_DAYS} days")));
    }
    Ok((from, until))
}

/// The first span of a page.
fn token(ask: &Ask<'_>, spans: usize) -> Result<usize, Refusal> {
    let Some(token) = ask.text("NextPageToken") else { return Ok(0) };
    let first = token.strip_prefix("p-").and_then(|text| text.parse().ok()).filter(|first| *first < spans);
    first.ok_or_else(|| Refusal::new("InvalidNextTokenException", "The token is not valid").status(400))
}

type Sums = BTreeMap<Vec<String>, Sum>;

/// What the charges of each span come to, by their keys.
fn sums(
    ask: &Ask<'_>,
    estate: &Estate,
    spans: &[Span],
    keys: impl Fn(&Charge<'_>) -> Option<Vec<String>>,
) -> Vec<Sums> {
    let mut sums = vec![Sums::new(); spans.len()];
    for charge in charges(ask.world, estate, FaceName::Aws, ask.owner(), spans) {
        let Some(keys) = keys(&charge) else { continue };
        let place = spans.partition_point(|(from, _)| *from < charge.from);
        if let Some(sums) = sums.get_mut(place) {
            sums.entry(keys).or_default().add(&charge);
        }
    }
    sums
}

fn result(ask: &Ask<'_>, span: Span, granularity: &str, sums: &Sums, grouped: bool) -> Value {
    let metrics = ask.texts("Metrics");
    let mut result = json!({
        "TimePeriod": written(span, granularity), "Groups": [], "Total": {},
        // AWS calls charges estimated until the month's bill is made.
        "Estimated": span.1 + TimeDelta::days(5) > ask.now,
    });
    if grouped {
        let groups = sums.iter().map(|(keys, sum)| json!({ "Keys": keys, "Metrics": sum.shown(&metrics) }));
        result["Groups"] = groups.collect();
    } else {
        result["Total"] = sums.values().next().copied().unwrap_or_default().shown(&metrics);
    }
    result
}

/// What was spent in each span, in dollars.
pub(super) fn spent(ask: &Ask<'_>, estate: &Estate, spans: &[Span], filter: &Value) -> Vec<f64> {
    let sums = sums(ask, estate, spans, |charge| chosen(ask, charge, filter).then(Vec::new));
    sums.iter().map(|sums| sums.values().map(|sum| sum.usd).sum()).collect()
}

/// Different values of what was charged for.
fn different(
    ask: &Ask<'_>,
    estate: &Estate,
    values: impl Fn(&Charge<'_>) -> Vec<String>,
) -> Result<Vec<String>, Refusal> {
    let filter = ask.get("Filter").cloned().unwrap_or_default();
    check(&filter)?;
    let spans = [of_the_past(ask)?];
    let search = ask.text("SearchString").unwrap_or_default().to_lowercase();
    let mut found = BTreeSet::new();
    for charge in charges(ask.world, estate, FaceName::Aws, ask.owner(), &spans) {
        if chosen(ask, &charge, &filter) {
            found.extend(values(&charge).into_iter().filter(|value| value.to_lowercase().contains(&search)));
        }
    }
    Ok(found.into_iter().collect())
}

/// A page of values.
fn values_page(ask: &Ask<'_>, all: &[String]) -> Result<(Vec<String>, Map<String, Value>), Refusal> {
    let first = token(ask, all.len())?;
    let until = all.len().min(first + ask.limit("MaxResults", 1000));
    let mut output = Map::new();
    output.insert("ReturnSize".to_owned(), (until - first).into());
    output.insert("TotalSize".to_owned(), all.len().into());
    if until < all.len() {
        output.insert("NextPageToken".to_owned(), format!("p-{until}").into());
    }
    Ok((all[first..until].to_vec(), output))
}

pub(super) fn dimensions(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let name = ask.need("Dimension");
    if !DIMENSIONS.contains(&name) {
        return Err(validation(format!("Dimension {name} is not supported by the simulator")));
    }
    let all = different(ask, estate, |charge| dimension(ask, charge, name).into_iter().collect())?;
    let (page, mut output) = values_page(ask, &all)?;
    let attributes = |value: &str| match name {
        "LINKED_ACCOUNT" => json!({ "description": ask.account.name, "value": value }),
        _ => json!({}),
    };
    let shown = page.iter().map(|value| json!({ "Value": value, "Attributes": attributes(value) }));
    output.insert("DimensionValues".to_owned(), shown.collect());
    Ok(Value::Object(output).into())
}

pub(super) fn tags(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let key = ask.text("TagKey");
    let all = different(ask, estate, |charge| match key {
        None => charge.thing.tags.keys().map(ToString::to_string).collect(),
        Some(key) => charge.thing.tags.get(key).map(ToString::to_string).into_iter().collect(),
    })?;
    let (page, mut output) = values_page(ask, &all)?;
    output.insert("Tags".to_owned(), page.into());
    Ok(Value::Object(output).into())
}
