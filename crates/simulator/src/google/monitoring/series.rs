//! `timeSeries.list`: which series a filter means, their points, brought to a period and made one.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
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
/// Points that series are made one from, at most: what Google refuses is a query of too many, too.
const REDUCED: usize = 2_000_000;
/// The longest period that Google aligns by.
const LONGEST: TimeDelta = TimeDelta::weeks(104);
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
    let (from, limit) = page(call)?;
    let headers = call.asked("view") == "HEADERS";
    // Series that stand alone are computed as far as the page goes; of the rest all must be known.
    let things = things(call, estate, &query);
    let most = if headers { 1 } else { from.saturating_add(limit).saturating_add(1) };
    let series: Box<dyn Iterator<Item = Series>> = if query.reducer == Aligner::None {
        Box::new(things.into_iter().filter_map(|subject| measured(call, &query, subject, most)))
    } else {
        Box::new(reduced(&query, all(call, &query, things)?).into_iter())
    };
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
    let time: Option<DateTime<Utc>> = text.parse().ok();
    time.filter(|time| (1..=9999).contains(&time.year()))
        .map(Some)
        .ok_or_else(|| Refusal::bad(format!("Invalid value at '{name}' ({kind}), \"{text}\"")))
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
    if !text.is_empty() && !seconds.is_some_and(f64::is_finite) {
        return Err(Refusal::bad(format!(
            "Invalid value at 'aggregation.alignmentPeriod' (type.googleapis.com/google.protobuf.Duration), \"{text}\""
        )));
    }
    if seconds.is_some_and(|seconds| seconds > as_f64(LONGEST.num_seconds().cast_unsigned())) {
        return Err(Refusal::bad(format!(
            "Field aggregation.alignmentPeriod had an invalid value of \"{text}\": The alignment period must be at most 104 weeks."
        )));
    }
    #[expect(clippy::cast_possible_truncation, reason = "seconds of at most two years")]
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

/// A thing with what its series says of metric and resource.
type Subject<'e> = (&'e Thing, Value, Value);

/// All things, also those that are gone, that the filter means.
fn things<'e>(call: &Call<'_>, estate: &'e Estate, query: &Query) -> Vec<Subject<'e>> {
    let things = estate
        .ever(call.project())
        .filter(|(shelf, thing)| *shelf == query.metric.shelf() && query.metric.is_of(thing));
    let mut subjects: Vec<Subject<'e>> = things
        .filter_map(|(_, thing)| {
            let (own, resource) = query.metric.labels(call, thing);
            let metric = json!({ "type": query.metric.name, "labels": own });
            let resource = json!({ "type": query.metric.resource(), "labels": resource });
            let wanted = query.filter.passes(&known(call, thing, &metric, &resource));
            wanted.then_some((thing, metric, resource))
        })
        .collect();
    subjects.sort_by(|(a, ..), (b, ..)| (&a.place, &a.id, a.born).cmp(&(&b.place, &b.id, b.born)));
    subjects
}

/// The series of a thing, if it has points: at most so many.
fn measured(
    call: &Call<'_>,
    query: &Query,
    (thing, metric, resource): Subject<'_>,
    most: usize,
) -> Option<Series> {
    let points = points(call, query, thing, most);
    (!points.is_empty()).then_some(Series { metric, resource, points })
}

/// The series of all things, whole.
fn all(call: &Call<'_>, query: &Query, things: Vec<Subject<'_>>) -> Result<Vec<Series>, Refusal> {
    let (mut found, mut left) = (Vec::new(), REDUCED);
    for subject in things {
        let series = measured(call, query, subject, left + 1);
        left = left.checked_sub(series.as_ref().map_or(0, |one| one.points.len())).ok_or_else(|| {
            Refusal::bad(format!(
                "The query reads more than {REDUCED} points. Shorten its interval or lengthen its alignment period."
            ))
        })?;
        found.extend(series);
    }
    Ok(found)
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

fn points(call: &Call<'_>, query: &Query, thing: &Thing, most: usize) -> Vec<Point> {
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
    let instant = query.from == query.until;
    let Some(period) = query.period.filter(|_| query.aligner != Aligner::None) else {
        let step = if until - query.from > RECENT { COARSE } else { MINUTE };
        // Without a beginning the interval is one point of time.
        let ends: Box<dyn Iterator<Item = DateTime<Utc>>> = if instant {
            Box::new(std::iter::once(floor(until, MINUTE)))
        } else {
            Box::new(align::ends(query.from.max(thing.born - step), floor(until, step), step))
        };
        return ends.filter_map(|at| Some(Point { at, value: value(at)? })).take(most).collect();
    };
    let ends: Box<dyn Iterator<Item = DateTime<Utc>>> = if instant {
        Box::new(std::iter::once(query.until))
    } else {
        // What lies wholly before its birth or after now has no samples, and need not be gone through.
        let ahead = (query.until - until).num_seconds() / period.num_seconds().max(1);
        let last = query.until - TimeDelta::seconds(ahead * period.num_seconds());
        Box::new(align::ends(query.from.max(thing.born - period), last, period))
    };
    let step = TimeDelta::seconds((period.num_seconds() / SAMPLES / 60 * 60).max(60));
    let scale = as_f64((step.num_seconds() / 60).cast_unsigned());
    let counts = matches!(query.aligner, Aligner::Sum | Aligner::Rate | Aligner::Count);
    let aligned = ends.filter_map(|end| {
        let mut values: Vec<f64> = Vec::new();
        let mut at = floor(end - period, MINUTE) + MINUTE;
        while at <= end.min(call.now) {
            values.extend(value(at));
            at += step;
        }
        let found = query.aligner.of(&values, period)?;
        Some(Point { at: end, value: if counts { found * scale } else { found } })
    });
    aligned.take(most).collect()
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
