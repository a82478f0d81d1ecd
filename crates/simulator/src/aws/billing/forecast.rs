//! What will be spent: the last weeks, carried on with their trend.

use chrono::{Days, TimeDelta};
use serde_json::{Value, json};

use super::{
    costs::{Span, amount, period, spans, spent, validation, written},
    filter::check,
};
use crate::{
    aws::{ask::Ask, protocol::Refusal, service::Answered},
    estate::Estate,
};

/// Days that the forecast looks back on.
const DAYS: u64 = 56;

pub(super) fn forecast(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let filter = ask.get("Filter").cloned().unwrap_or_default();
    check(&filter)?;
    if matches!(ask.need("Metric"), "USAGE_QUANTITY" | "NORMALIZED_USAGE_AMOUNT") {
        return Err(validation("GetCostForecast forecasts costs only"));
    }
    let (from, until) = period(ask)?;
    let midnight = ask.now.date_naive().and_hms_opt(0, 0, 0).map_or(ask.now, |time| time.and_utc());
    if from < midnight {
        return Err(validation("Start date must be current date or a future date."));
    }
    if until > from + TimeDelta::days(366) {
        return Err(validation("The forecast period is at most a year."));
    }
    let past = spans((midnight - Days::new(DAYS), midnight), "DAILY");
    let daily = spent(ask, estate, &past, &filter);
    if daily.iter().filter(|usd| **usd > 0.0).count() < 14 {
        return Err(Refusal::new(
            "DataUnavailableException",
            "Insufficient amount of historical data to generate forecast",
        )
        .status(400));
    }
    let (level, slope) = line(&daily);
    let mut total = 0.0;
    let margin = margin(&daily, (level, slope), ask.number("PredictionIntervalLevel").unwrap_or(80));
    let granularity = ask.need("Granularity");
    let shown: Vec<Value> = spans((from, until), granularity)
        .into_iter()
        .map(|span| {
            let mean = expected(span, midnight, (level, slope));
            total += mean;
            let days = days(span).max(1.0 / 24.0);
            let wide = margin * days.sqrt();
            json!({
                "TimePeriod": written(span, granularity), "MeanValue": amount(mean),
                "PredictionIntervalLowerBound": amount((mean - wide).max(0.0)),
                "PredictionIntervalUpperBound": amount(mean + wide),
            })
        })
        .collect();
    Ok(json!({ "Total": { "Amount": amount(total), "Unit": "USD" }, "ForecastResultsByTime": shown }).into())
}

fn days((from, until): Span) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
    let days = (until - from).num_seconds() as f64 / 86_400.0;
    days
}

/// What a span comes to: the line at its middle, for as long as it lasts.
fn expected(span: Span, today: chrono::DateTime<chrono::Utc>, (level, slope): (f64, f64)) -> f64 {
    let middle = span.0 + (span.1 - span.0) / 2;
    ((level + slope * days((today, middle))) * days(span)).max(0.0)
}

/// The line of least squares through the days: its level today, and its slope a day.
fn line(daily: &[f64]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "some dozens of days")]
    let at = |index: usize| index as f64 - daily.len() as f64;
    #[expect(clippy::cast_precision_loss, reason = "some dozens of days")]
    let count = daily.len() as f64;
    let mean_x = (0..daily.len()).map(at).sum::<f64>() / count;
    let mean_y = daily.iter().sum::<f64>() / count;
    let (mut xy, mut xx) = (0.0, 0.0);
    for (index, usd) in daily.iter().enumerate() {
        xy += (at(index) - mean_x) * (usd - mean_y);
        xx += (at(index) - mean_x).powi(2);
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    (mean_y - slope * mean_x, slope)
}

/// How far a day is off the line, at a level of confidence.
fn margin(daily: &[f64], (level, slope): (f64, f64), percent: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some dozens of days")]
    let off =
        |(index, usd): (usize, &f64)| (usd - level - slope * (index as f64 - daily.len() as f64)).powi(2);
    #[expect(clippy::cast_precision_loss, reason = "some dozens of days")]
    let deviation = (daily.iter().enumerate().map(off).sum::<f64>() / daily.len() as f64).sqrt();
    // Quantiles of the normal distribution at both ends of what AWS lets be asked for.
    let width = if percent >= 95 {
        1.96
    } else if percent >= 90 {
        1.645
    } else {
        1.282
    };
    deviation * width
}
