//! `timeSeries.list`: which series a filter means, their points, brought to a period and made one.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    align::{self, Aligner, Point},
    metric::{METRICS, Metric},
};
use crate::{
    estate::{Estate, Thing},
    google::{
        call::{Answer, Call, Outcome},
        compute::disk::as_f64,
        filter::{Filter, Operand, Operator},
        list as lists,
        refusal::Refusal,
    },
    load,
};

/// Points of an answer, at most.
const POINTS: u64 = 100_000;
/// Samples that a period is computed from, at most: a day is made of five-minute samples.
const SAMPLES: i64 = 288;
/// How often there is a sample, for as long as Google keeps it so, and how often after that.
const MINUTE: TimeDelta = TimeDelta::seconds(60);
const RECENT: TimeDelta = TimeDelta::days(42);
const COARSE: TimeDelta = TimeDelta::seconds(600);

/// What is asked for.
struct Query {
    metric: &'static Metric,
    filter: Filter,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    period: Option<TimeDelta>,
    aligner: Aligner,
    /// Whether a metric that counts still counts after it was aligned.
    keeps_counting: bool,
    reducer: Aligner,
    /// What series are told apart by after they were made one.
    group_by: Vec<Vec<String>>,
}

/// One series: what it is of, and its points, the latest first.
struct Series {
    metric: Value,
    resource: Value,
    points: Vec<Point>,
}

/// `timeSeries.list`.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let query = read(call)?;
    let series = reduced(&query, measured(call, estate, &query));
    let (from, limit) = page(call)?;
    let headers = call.asked("view") == "HEADERS";
    let (mut skip, mut left) = (from, limit);
    let mut answer = Vec::new();
    let mut more = false;
    for one in series {
        let length = if headers { 1 } else { one.points.len() };
        if skip >= length {
            skip -= length;
            continue;
        }
        if left == 0 {
            more = true;
            break;
        }
        let points =
            if headers { vec![] } else { one.points.iter().skip(skip).take(left).copied().collect() };
        let given = if headers { 1 } else { points.len() };
        more = skip + given < length;
        skip = 0;
        left -= given;
        answer.push(shown(&query, &one, &points));
        if more {
            break;
        }
    }
    let mut body = json!({ "unit": query.metric.unit });
    if !answer.is_empty() {
        body["timeSeries"] = answer.into();
    }
    if more {
        body["nextPageToken"] = token(call, from + limit - left).into();
    }
    Ok(Answer::Json(body))
}

/// How many points were on the pages before, and how many fit on this.
fn page(call: &Call<'_>) -> Result<(usize, usize), Refusal> {
    let limit = usize::try_from(call.asked_number("pageSize").unwrap_or(POINTS).min(POINTS)).unwrap_or(1);
    let text = call.asked("pageToken");
    if text.is_empty() {
        return Ok((0, limit));
    }
    let from: usize =
        text.split_once('-').and_then(|(from, _)| from.parse().ok()).ok_or_else(lists::bad_token)?;
    if token(call, from) == text { Ok((from, limit)) } else { Err(lists::bad_token()) }
}

fn token(call: &Call<'_>, from: usize) -> String {
    let said = |name: &String| !matches!(name.as_str(), "pageToken" | "pageSize");
    let query: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| said(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{from}-{:x}", call.seed().number(&[call.operation, &query.join("&"), &from.to_string()]))
}

fn read(call: &Call<'_>) -> Result<Query, Refusal> {
    let text = call.asked("filter");
    if text.is_empty() {
        return Err(Refusal::bad("Field filter had an invalid value of \"\": must not be empty."));
    }
    let wrong = |why: &str| Refusal::bad(format!("Field filter had an invalid value of \"{text}\": {why}"));
    let filter = Filter::read(text).map_err(|why| wrong(&why))?;
    let metric = metric(&filter).ok_or_else(|| wrong("The filter must specify exactly one metric type."))?;
    let metric = METRICS.iter().find(|known| known.name == metric).ok_or_else(|| {
        let message = format!("Cannot find metric(s) that match type = \"{metric}\". If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon.");
        Refusal::new(404, "notFound", message)
    })?;
    let until = time(call, "interval.endTime")?
        .ok_or_else(|| Refusal::bad("Field interval.endTime had an invalid value: must be specified."))?;
    let from = time(call, "interval.startTime")?.unwrap_or(until);
    if from > until {
        return Err(Refusal::bad(
            "Field interval had an invalid value: the start time must not be later than the end time.",
        ));
    }
    let (period, aligner, reducer) = aggregation(call, metric)?;
    if !call.asked("secondaryAggregation.perSeriesAligner").is_empty() {
        return Err(Refusal::unimplemented("secondaryAggregation"));
    }
    let fields =
        call.query.get("aggregation.groupByFields").and_then(Value::as_array).cloned().unwrap_or_default();
    let path = |field: &Value| field.as_str().unwrap_or_default().split('.').map(str::to_owned).collect();
    let keeps_counting = call.asked("aggregation.perSeriesAligner") == "ALIGN_DELTA";
    Ok(Query {
        metric,
        filter,
        from,
        until,
        period,
        aligner,
        keeps_counting,
        reducer,
        group_by: fields.iter().map(path).collect(),
    })
}

/// A time of the query, if it is given.
fn time(call: &Call<'_>, name: &str) -> Result<Option<DateTime<Utc>>, Refusal> {
    let text = call.asked(name);
    if text.is_empty() {
        return Ok(None);
    }
    let kind = "type.googleapis.com/google.protobuf.Timestamp";
    text.parse()
        .map(Some)
        .map_err(|_| Refusal::bad(format!("Invalid value at '{name}' ({kind}), \"{text}\"")))
}

/// The type of metric that a filter names.
fn metric(filter: &Filter) -> Option<String> {
    let terms = filter.terms()?;
    let mut types =
        terms.into_iter().filter(|term| term.path == ["metric", "type"] && term.operator == Operator::Equal);
    match (types.next()?.operand.clone(), types.next()) {
        (Operand::Text(name), None) => Some(name),
        _ => None,
    }
}

fn aggregation(call: &Call<'_>, metric: &Metric) -> Result<(Option<TimeDelta>, Aligner, Aligner), Refusal> {
    let text = call.asked("aggregation.alignmentPeriod");
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
    if !text.is_empty() && seconds.is_none() {
        return Err(Refusal::bad(format!(
            "Invalid value at 'aggregation.alignmentPeriod' (type.googleapis.com/google.protobuf.Duration), \"{text}\""
        )));
    }
    #[expect(clippy::cast_possible_truncation, reason = "seconds of at most some years")]
    let period = seconds.filter(|seconds| *seconds > 0.0).map(|seconds| TimeDelta::seconds(seconds as i64));
    let named = |parameter: &str, prefix: &str| {
        let name = call.asked(parameter);
        let unknown = || Refusal::unimplemented(&format!("{parameter} {name}"));
        Aligner::named(name.trim_start_matches(prefix)).ok_or_else(unknown)
    };
    let aligner = named("aggregation.perSeriesAligner", "ALIGN_")?;
    let reducer = named("aggregation.crossSeriesReducer", "REDUCE_")?;
    let name = call.asked("aggregation.perSeriesAligner");
    if matches!(name, "ALIGN_DELTA" | "ALIGN_RATE") && !metric.counts {
        return Err(Refusal::bad(format!(
            "Field aggregation.perSeriesAligner had an invalid value of \"{name}\": The aligner cannot be applied to metrics with kind {} and value type {}.",
            metric.kind(),
            metric.value_type()
        )));
    }
    if aligner != Aligner::None && period.is_none_or(|period| period < MINUTE) {
        return Err(Refusal::bad(format!(
            "Field aggregation.alignmentPeriod had an invalid value of \"{text}\": The alignment period must be at least 60 seconds."
        )));
    }
    if reducer != Aligner::None && aligner == Aligner::None {
        return Err(Refusal::bad(
            "Field aggregation.perSeriesAligner had an invalid value of \"ALIGN_NONE\": The aligner must be specified when a reducer is.",
        ));
    }
    Ok((period, aligner, reducer))
}

/// The series of all things, also of those that are gone, that the filter means.
fn measured(call: &Call<'_>, estate: &Estate, query: &Query) -> Vec<Series> {
    let things = estate
        .ever(call.project())
        .filter(|(shelf, thing)| *shelf == query.metric.shelf() && query.metric.is_of(thing));
    let mut series: Vec<(&Thing, Series)> = things
        .filter_map(|(_, thing)| {
            let (own, resource) = query.metric.labels(call, thing);
            let metric = json!({ "type": query.metric.name, "labels": own });
            let resource = json!({ "type": query.metric.resource(), "labels": resource });
            if !query.filter.passes(&known(call, thing, &metric, &resource)) {
                return None;
            }
            let points = points(call, query, thing);
            (!points.is_empty()).then_some((thing, Series { metric, resource, points }))
        })
        .collect();
    series.sort_by(|(a, _), (b, _)| (&a.place, &a.id, a.born).cmp(&(&b.place, &b.id, b.born)));
    series.into_iter().map(|(_, series)| series).collect()
}

/// What a filter can ask of a series; labels go by two names.
fn known(call: &Call<'_>, thing: &Thing, metric: &Value, resource: &Value) -> Value {
    let both = |of: &Value| json!({ "type": of["type"], "labels": of["labels"], "label": of["labels"] });
    let user: Map<String, Value> =
        thing.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect();
    json!({
        "metric": both(metric), "resource": both(resource), "project": call.project(),
        "metadata": { "user_labels": user, "system_labels": { "name": &*thing.id, "machine_type": &*thing.size } },
    })
}

fn points(call: &Call<'_>, query: &Query, thing: &Thing) -> Vec<Point> {
    let until = query.until.min(call.now);
    // Of a thing that was gone before, or made after, nothing has to be computed.
    if thing.born > until || thing.gone_at.is_some_and(|gone| gone < query.from) {
        return Vec::new();
    }
    let value = |at: DateTime<Utc>| {
        let alive = thing.born <= at && at < thing.gone_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let runs = alive && query.metric.running().contains(&thing.state(at));
        runs.then(|| {
            load::sample(&call.world.plan, call.world.began(), thing, query.metric.measure, at)
                * query.metric.factor
        })
    };
    let Some(period) = query.period.filter(|_| query.aligner != Aligner::None) else {
        let step = if until - query.from > RECENT { COARSE } else { MINUTE };
        let ends = align::ends(query.from, floor(until, step), step);
        // Without a beginning the interval is one point of time.
        let ends = if query.from == query.until { vec![floor(until, MINUTE)] } else { ends };
        return ends.into_iter().filter_map(|at| Some(Point { at, value: value(at)? })).collect();
    };
    let ends = if query.from == query.until {
        vec![query.until]
    } else {
        align::ends(query.from, query.until, period)
    };
    let step = TimeDelta::seconds((period.num_seconds() / SAMPLES / 60 * 60).max(60));
    let scale = as_f64((step.num_seconds() / 60).cast_unsigned());
    let counts = matches!(query.aligner, Aligner::Sum | Aligner::Rate | Aligner::Count);
    let aligned = ends.into_iter().filter_map(|end| {
        let mut values: Vec<f64> = Vec::new();
        let mut at = floor(end - period, MINUTE) + MINUTE;
        while at <= end.min(call.now) {
            values.extend(value(at));
            at += step;
        }
        let found = query.aligner.of(&values, period)?;
        Some(Point { at: end, value: if counts { found * scale } else { found } })
    });
    aligned.collect()
}

fn floor(at: DateTime<Utc>, step: TimeDelta) -> DateTime<Utc> {
    let seconds = step.num_seconds().max(1);
    DateTime::from_timestamp(at.timestamp().div_euclid(seconds) * seconds, 0).unwrap_or(at)
}

/// The series of each group made one.
fn reduced(query: &Query, series: Vec<Series>) -> Vec<Series> {
    if query.reducer == Aligner::None {
        return series;
    }
    let mut groups: Vec<(Value, Value, Vec<Vec<Point>>)> = Vec::new();
    for one in series {
        let keep = |of: &Value, what: &str| {
            let kept = query.group_by.iter().filter(|path| path.len() == 3 && path[0] == what);
            let labels: Map<String, Value> = kept
                .filter_map(|path| Some((path[2].clone(), of["labels"].get(&path[2])?.clone())))
                .collect();
            let mut left = json!({ "type": of["type"] });
            if !labels.is_empty() {
                left["labels"] = labels.into();
            }
            left
        };
        let (metric, resource) = (keep(&one.metric, "metric"), keep(&one.resource, "resource"));
        match groups.iter_mut().find(|(m, r, _)| *m == metric && *r == resource) {
            Some((_, _, all)) => all.push(one.points),
            None => groups.push((metric, resource, vec![one.points])),
        }
    }
    let period = query.period.unwrap_or(MINUTE);
    groups
        .into_iter()
        .map(|(metric, resource, all)| Series {
            metric,
            resource,
            points: align::reduce(&all, query.reducer, period),
        })
        .collect()
}

fn shown(query: &Query, series: &Series, points: &[Point]) -> Value {
    let raw = query.aligner == Aligner::None;
    let integer = query.metric.whole && query.aligner.keeps_type() && query.reducer.keeps_type();
    let whole = integer || query.aligner == Aligner::Count || query.reducer == Aligner::Count;
    let delta = query.metric.counts && (raw || query.keeps_counting) && query.reducer == Aligner::None;
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let point = |point: &Point| {
        let span = query.period.filter(|_| !raw).unwrap_or(MINUTE);
        let from = if delta { point.at - span } else { point.at };
        #[expect(clippy::cast_possible_truncation, reason = "counts of bytes and requests")]
        let value = if whole {
            json!({ "int64Value": (point.value.round() as i64).to_string() })
        } else {
            json!({ "doubleValue": point.value })
        };
        json!({ "interval": { "startTime": time(from), "endTime": time(point.at) }, "value": value })
    };
    let mut shown = json!({
        "metric": series.metric, "resource": series.resource,
        "metricKind": if delta { "DELTA" } else { "GAUGE" }, "valueType": if whole { "INT64" } else { "DOUBLE" },
    });
    if !points.is_empty() {
        shown["points"] = points.iter().map(point).collect();
    }
    shown
}
