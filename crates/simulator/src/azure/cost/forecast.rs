//! POST `forecast`: what things will cost, if they go on as in the last weeks.

use chrono::{DateTime, Datelike as _, Days, Utc};
use serde_json::{Value, json};

use super::{
    dimension::Filter,
    money, scope,
    spans::{self, Grain, Span, midnight},
    table,
};
use crate::{
    FaceName,
    azure::{
        call::{Answer, Call, inside},
        error::{Outcome, Refused},
    },
    charges::charges,
    estate::Estate,
};

/// Days that a forecast is drawn from: eight weeks.
const DAYS: u64 = 56;

/// POST.
pub fn answer(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let prefix = scope(call, estate)?;
    let asked = spans::asked(call)?;
    let today = midnight(call.now.date_naive());
    if asked.1 <= today {
        return Err(Refused::bad(
            "BadRequest",
            "Forecast is unavailable for the specified time period: it lies in the past.",
        ));
    }
    let filter = Filter::read(inside(&call.body, "dataset.filter"))?;
    let past: Vec<Span> = Grain::Daily.divide((today - Days::new(DAYS), today));
    let costs = daily(call, estate, prefix.as_deref(), &filter, &past);
    if costs.iter().filter(|cost| **cost > 0.0).count() < 7 {
        return Err(Refused::new(
            http::StatusCode::FAILED_DEPENDENCY,
            "FailedDependency",
            "Forecast is unavailable for the specified time period: there is too little history.",
        ));
    }
    let actual = call.body.get("includeActualCost").and_then(Value::as_bool).unwrap_or(true);
    let before = if actual { Grain::Daily.divide((asked.0.min(today), today)) } else { Vec::new() };
    let known = daily(call, estate, prefix.as_deref(), &filter, &before);
    let mut days: Vec<(DateTime<Utc>, f64, &str)> =
        before.iter().zip(known).map(|((from, _), cost)| (*from, cost, "Actual")).collect();
    let trend = Trend::of(&past, &costs);
    for (from, _) in Grain::Daily.divide((asked.0.max(today), asked.1)) {
        days.push((from, trend.at(from), "Forecast"));
    }
    let grain = match Grain::of(call) {
        Grain::None => Grain::Daily,
        grain => grain,
    };
    let mut rows: Vec<(Value, f64, &str)> = Vec::new();
    for (from, cost, status) in days {
        let time = grain.value(from);
        match rows.iter_mut().find(|row| row.0 == time && row.2 == status) {
            Some(row) => row.1 += cost,
            None => rows.push((time, cost, status)),
        }
    }
    let aggregation = inside(&call.body, "dataset.aggregation").as_object();
    let name = aggregation
        .into_iter()
        .flatten()
        .next()
        .and_then(|(_, said)| said["name"].as_str())
        .unwrap_or("Cost");
    let mut columns = vec![(name.to_owned(), "Number")];
    columns.extend(grain.column());
    columns.extend([("CostStatus".to_owned(), "String"), ("Currency".to_owned(), "String")]);
    let rows: Vec<Vec<Value>> = rows
        .into_iter()
        .map(|(time, cost, status)| vec![money(cost), time, json!(status), json!("USD")])
        .collect();
    table(call, "forecast", &columns, &rows)
}

/// The cost of each span.
fn daily(
    call: &Call<'_>,
    estate: &Estate,
    prefix: Option<&str>,
    filter: &Filter,
    spans: &[Span],
) -> Vec<f64> {
    let mut costs = vec![0.0; spans.len()];
    for charge in charges(call.world, estate, FaceName::Azure, &call.account.id, spans) {
        let inside = prefix.is_none_or(|prefix| charge.thing.id.starts_with(prefix));
        if !inside || !filter.takes(call, &charge) {
            continue;
        }
        if let Ok(index) = spans.binary_search_by_key(&charge.from, |(from, _)| *from) {
            costs[index] += charge.usd;
        }
    }
    costs
}

/// A straight line through the last weeks, and how each day of the week differs from it.
struct Trend {
    origin: DateTime<Utc>,
    level: f64,
    slope: f64,
    weekdays: [f64; 7],
}

impl Trend {
    /// Least squares through the days' costs.
    fn of(spans: &[Span], costs: &[f64]) -> Self {
        let origin = spans.first().map_or(DateTime::UNIX_EPOCH, |(from, _)| *from);
        #[expect(clippy::cast_precision_loss, reason = "some weeks of days")]
        let count = costs.len().max(1) as f64;
        let mean_x = (count - 1.0) / 2.0;
        let mean_y = costs.iter().sum::<f64>() / count;
        let (mut above, mut below) = (0.0, 0.0);
        let mut x = 0.0;
        for cost in costs {
            above += (x - mean_x) * (cost - mean_y);
            below += (x - mean_x) * (x - mean_x);
            x += 1.0;
        }
        let slope = if below > 0.0 { above / below } else { 0.0 };
        let mut trend = Self { origin, level: mean_y - slope * mean_x, slope, weekdays: [0.0; 7] };
        let weeks = (count / 7.0).max(1.0);
        let mut differences = [0.0; 7];
        for ((from, _), cost) in spans.iter().zip(costs) {
            differences[weekday(*from)] += (cost - trend.at(*from)) / weeks;
        }
        trend.weekdays = differences;
        trend
    }

    fn at(&self, day: DateTime<Utc>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "days of some years")]
        let days = (day - self.origin).num_days() as f64;
        (self.level + self.slope * days + self.weekdays[weekday(day)]).max(0.0)
    }
}

fn weekday(day: DateTime<Utc>) -> usize {
    day.weekday().num_days_from_monday() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_week_in_it_goes_on() {
        let start: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
        let spans = Grain::Daily.divide((start, start + Days::new(DAYS)));
        let cost = |index: usize| {
            100.0 + f64::from(u32::try_from(index).unwrap()) + if index % 7 == 5 { 30.0 } else { 0.0 }
        };
        let costs: Vec<f64> = (0..spans.len()).map(cost).collect();
        let trend = Trend::of(&spans, &costs);
        let saturday = start + Days::new(DAYS + 5);
        assert!((trend.at(saturday) - cost(61)).abs() < 3.0, "{}", trend.at(saturday));
        assert!((trend.at(start + Days::new(DAYS)) - cost(56)).abs() < 3.0);
    }
}
