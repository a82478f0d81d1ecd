//! Time of queries: what is asked for, and the days or months it is made of.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::azure::{
    call::{Call, text},
    error::{Outcome, Refused},
};

/// A span of time.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

/// How an answer is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Not at all.
    None,
    /// By days.
    Daily,
    /// By months.
    Monthly,
}

impl Grain {
    /// Of a request's dataset.
    pub fn of(call: &Call<'_>) -> Self {
        match text(&call.body, "dataset.granularity").to_lowercase().as_str() {
            "daily" => Self::Daily,
            "monthly" => Self::Monthly,
            _ => Self::None,
        }
    }

    /// The column that tells the time, if there is one.
    pub fn column(self) -> Option<(String, &'static str)> {
        match self {
            Self::None => None,
            Self::Daily => Some(("UsageDate".to_owned(), "Number")),
            Self::Monthly => Some(("BillingMonth".to_owned(), "Datetime")),
        }
    }

    /// The value of that column for a span.
    pub fn value(self, from: DateTime<Utc>) -> Value {
        match self {
            Self::Daily => {
                let day = from.date_naive();
                json!(i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day()))
            }
            _ => json!(format!("{:04}-{:02}-01T00:00:00", from.year(), from.month())),
        }
    }

    /// A span, divided.
    pub fn divide(self, (from, until): Span) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut at = from;
        while at < until {
            let next = match self {
                Self::None => until,
                Self::Daily => midnight(at.date_naive() + Days::new(1)),
                Self::Monthly => midnight(month(at.date_naive()) + Months::new(1)),
            };
            spans.push((at, next.min(until)));
            at = next;
        }
        spans
    }
}

/// The beginning of a day.
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// The first day of a month.
pub fn month(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// The time that a request asks for.
pub fn asked(call: &Call<'_>) -> Outcome<Span> {
    let today = call.now.date_naive();
    let tomorrow = midnight(today + Days::new(1));
    let this = month(today);
    let span = match text(&call.body, "timeframe").to_lowercase().as_str() {
        "monthtodate" | "billingmonthtodate" | "thecurrentmonth" => (midnight(this), tomorrow),
        "thelastmonth" | "thelastbillingmonth" => (midnight(this - Months::new(1)), midnight(this)),
        "weektodate" => {
            let days = u64::from(today.weekday().num_days_from_sunday());
            (midnight(today - Days::new(days)), tomorrow)
        }
        "custom" => return custom(call),
        other => return Err(Refused::bad("BadRequest", format!("Invalid timeframe: '{other}'."))),
    };
    Ok(span)
}

/// Whole days, both ends included, as the vendor counts them.
fn custom(call: &Call<'_>) -> Outcome<Span> {
    let read = |name: &str| {
        let text = text(&call.body, &format!("timePeriod.{name}"));
        let time = text.parse::<DateTime<Utc>>().ok().or_else(|| format!("{text}Z").parse().ok());
        let time = time.or_else(|| text.parse::<NaiveDate>().ok().map(midnight));
        time.ok_or_else(|| {
            Refused::bad(
                "BadRequest",
                format!("Invalid query definition: timePeriod.{name} is missing or invalid."),
            )
        })
    };
    let (from, to) = (read("from")?, read("to")?);
    if from > to {
        return Err(Refused::bad(
            "BadRequest",
            "Invalid query definition: timePeriod.from is after timePeriod.to.",
        ));
    }
    if to - from > TimeDelta::days(366) {
        return Err(Refused::bad(
            "BadRequest",
            "Invalid query definition, The time period for pulling the data cannot exceed 1 year(s).",
        ));
    }
    Ok((midnight(from.date_naive()), midnight(to.date_naive() + Days::new(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_divided_at_midnight_and_the_first() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let span = (at("2026-01-30T00:00:00Z"), at("2026-02-02T00:00:00Z"));
        assert_eq!(Grain::Daily.divide(span).len(), 3);
        let months = Grain::Monthly.divide(span);
        assert_eq!(months.len(), 2);
        assert_eq!(months[1].0, at("2026-02-01T00:00:00Z"));
        assert_eq!(Grain::Daily.value(at("2026-02-01T00:00:00Z")), 20_260_201);
        assert_eq!(Grain::None.divide(span), [span]);
    }
}
