//! Asking for metrics: which there are, and what they were.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::metrics::{Metric, Point, SOURCES, Source};
use crate::{
    aws::{
        ask::{Ask, stamp},
        protocol::Refusal,
        service::Answered,
    },
    estate::Estate,
};

/// Metrics on a page of a list.
const LISTED: usize = 500;
/// Values on a page of data, at most.
const VALUES: usize = 100_800;
/// Values of one metric that the older call gives, at most.
const STATISTICS: i64 = 1440;

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message).status(400)
}

fn validation(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message).status(400)
}

pub(super) fn list(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let (namespace, name) = (ask.text("Namespace"), ask.text("MetricName"));
    let dimensions = ask.list("Dimensions");
    let first: usize = match ask.text("NextToken") {
        None => 0,
        Some(token) => token.strip_prefix("m-").and_then(|text| text.parse().ok()).ok_or_else(|| {
            Refusal::new("InvalidParameterValue", "The next token is not valid").status(400)
        })?,
    };
    let fits = |source: &Source, id: &str| {
        dimensions.iter().all(|wanted| {
            wanted["Name"] == source.dimension && wanted.get("Value").is_none_or(|value| *value == *id)
        })
    };
    let mut found = Vec::new();
    let mut seen = 0;
    for source in SOURCES.iter().filter(|source| namespace.is_none_or(|wanted| wanted == source.namespace)) {
        for thing in source.things(ask, estate) {
            let id = source.named(thing);
            if !fits(source, &id) {
                continue;
            }
            for metric in
                source.metrics.iter().filter(|metric| name.is_none_or(|wanted| wanted == metric.name))
            {
                seen += 1;
                if seen > first && found.len() <= LISTED {
                    found.push(json!({
                        "Namespace": source.namespace, "MetricName": metric.name,
                        "Dimensions": [{ "Name": source.dimension, "Value": id }],
                    }));
                }
            }
        }
    }
    let mut output = Map::new();
    if found.len() > LISTED {
        found.truncate(LISTED);
        output.insert("NextToken".to_owned(), format!("m-{}", first + LISTED).into());
    }
    output.insert("Metrics".to_owned(), Value::Array(found));
    Ok(Value::Object(output).into())
}

/// What a request names: the values of a metric, which are none for what is not there.
fn points(
    ask: &Ask<'_>,
    estate: &Estate,
    metric: &Value,
    span: (DateTime<Utc>, DateTime<Utc>),
    period: i64,
) -> (Vec<Point>, Option<&'static Metric>) {
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let dimensions = metric["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
    let [dimension] = dimensions else { return (Vec::new(), None) };
    let source = SOURCES
        .iter()
        .find(|source| metric["Namespace"] == source.namespace && dimension["Name"] == source.dimension);
    let Some(source) = source else { return (Vec::new(), None) };
    let Some(known) = source.metrics.iter().find(|known| metric["MetricName"] == known.name) else {
        return (Vec::new(), None);
    };
    match source.find(ask, estate, &text(&dimension["Value"])) {
        Some(thing) => (source.points(ask, thing, known, span, period), Some(known)),
        None => (Vec::new(), Some(known)),
    }
}

fn span(ask: &Ask<'_>) -> Result<(DateTime<Utc>, DateTime<Utc>), Refusal> {
    match (ask.time("StartTime"), ask.time("EndTime")) {
        (Some(from), Some(until)) if from < until => Ok((from, until)),
        _ => Err(validation("The parameter StartTime must be less than the parameter EndTime.")),
    }
}

fn check_period(period: i64) -> Result<(), Refusal> {
    // The model says that it is a number of 32 bits.
    let fine = matches!(period, 1 | 5 | 10 | 20 | 30) || period > 0 && period % 60 == 0;
    if fine && period <= i64::from(i32::MAX) {
        Ok(())
    } else {
        Err(validation("Period must be 1, 5, 10, 20, 30, or any multiple of 60"))
    }
}

pub(super) fn data(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let span = span(ask)?;
    let most = ask.limit("MaxDatapoints", VALUES);
    let (first, skip) = match ask.text("NextToken") {
        None => (0, 0),
        Some(token) => read_token(token)
            .ok_or_else(|| Refusal::new("InvalidNextToken", "The token is not valid").status(400))?,
    };
    let queries = ask.list("MetricDataQueries");
    if queries.len() > 500 {
        return Err(validation("The collection MetricDataQueries must not have a size greater than 500."));
    }
    let (mut results, mut room, mut next) = (Vec::new(), most, None);
    for (index, query) in queries.iter().enumerate().skip(first) {
        let Some(stat) = query.get("MetricStat") else {
            return Err(validation("Expressions are not supported by the simulator."));
        };
        if query["ReturnData"] == false {
            continue;
        }
        let mut values = values(ask, estate, stat, span)?;
        if ask.text("ScanBy") != Some("TimestampAscending") {
            values.reverse();
        }
        let left = values.split_off(if index == first { skip.min(values.len()) } else { 0 });
        let whole = left.len() <= room;
        let taken: Vec<(DateTime<Utc>, f64)> = left.into_iter().take(room).collect();
        room -= taken.len();
        let label =
            query["Label"].as_str().or_else(|| stat["Metric"]["MetricName"].as_str()).unwrap_or_default();
        results.push(json!({
            "Id": query["Id"], "Label": label, "StatusCode": if whole { "Complete" } else { "PartialData" },
            "Timestamps": taken.iter().map(|(at, _)| stamp(*at)).collect::<Vec<_>>(),
            "Values": taken.iter().map(|(_, value)| value).collect::<Vec<_>>(),
        }));
        if !whole {
            let before = if index == first { skip } else { 0 };
            next = Some(format!("d-{index}-{}", before + taken.len()));
            break;
        }
    }
    let mut output = json!({ "MetricDataResults": results, "Messages": [] });
    if let Some(next) = next {
        output["NextToken"] = next.into();
    }
    Ok(output.into())
}

fn read_token(token: &str) -> Option<(usize, usize)> {
    let (query, value) = token.strip_prefix("d-")?.split_once('-')?;
    Some((query.parse().ok()?, value.parse().ok()?))
}

fn values(
    ask: &Ask<'_>,
    estate: &Estate,
    stat: &Value,
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<(DateTime<Utc>, f64)>, Refusal> {
    let period = stat["Period"].as_i64().unwrap_or(300);
    check_period(period)?;
    let name = stat["Stat"].as_str().unwrap_or_default();
    let known = matches!(name, "Average" | "Sum" | "SampleCount" | "Minimum" | "Maximum");
    let percentile = name.strip_prefix('p').and_then(|text| text.parse::<f64>().ok());
    if !known && percentile.is_none_or(|percent| !(0.0..=100.0).contains(&percent)) {
        return Err(validation(format!("Invalid statistic: {name}")));
    }
    let (points, metric) = points(ask, estate, &stat["Metric"], span, period);
    let unit = stat["Unit"].as_str();
    if unit.is_some_and(|unit| metric.is_some_and(|metric| metric.unit != unit)) {
        return Ok(Vec::new());
    }
    Ok(points.into_iter().filter_map(|point| Some((point.at, point.value(name)?))).collect())
}

pub(super) fn statistics(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let (from, until) = span(ask)?;
    let period = ask.number("Period").unwrap_or(60);
    check_period(period)?;
    let asked = (until - from).num_seconds() / period;
    if asked > STATISTICS {
        let message = format!(
            "You have requested up to {asked} datapoints, which exceeds the limit of {STATISTICS}. You may reduce the \
             datapoints requested by increasing Period, or decreasing the time range."
        );
        return Err(Refusal::new("InvalidParameterCombination", message).status(400));
    }
    let (plain, extended) = (ask.texts("Statistics"), ask.texts("ExtendedStatistics"));
    if plain.is_empty() && extended.is_empty() {
        let message = "At least one of the parameters Statistics and ExtendedStatistics must be specified.";
        return Err(Refusal::new("MissingParameter", message).status(400));
    }
    let (points, metric) = points(ask, estate, ask.input, (from, until), period);
    let mut shown = Vec::new();
    for point in points {
        let mut datapoint = Map::new();
        datapoint.insert("Timestamp".to_owned(), stamp(point.at));
        datapoint.insert("Unit".to_owned(), metric.map_or("None", |metric| metric.unit).into());
        for name in &plain {
            datapoint.insert((*name).to_owned(), point.value(name).into());
        }
        let mut more = Map::new();
        for name in &extended {
            let value = point.value(name).ok_or_else(|| invalid(format!("Invalid statistic: {name}")))?;
            more.insert((*name).to_owned(), value.into());
        }
        if !more.is_empty() {
            datapoint.insert("ExtendedStatistics".to_owned(), Value::Object(more));
        }
        shown.push(Value::Object(datapoint));
    }
    Ok(json!({ "Label": ask.need("MetricName"), "Datapoints": shown }).into())
}
