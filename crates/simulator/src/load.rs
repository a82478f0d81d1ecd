//! What drives measurements: a load with a day, a week, a year, growth, dated peaks and noise; and what a thing that it
//! drives would show on its instruments.
//!
//! A sample is computed, never stored: asked twice, it is the same.

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use serde::Deserialize;

use crate::{
    estate::{Driven, Thing},
    plan::Plan,
    seed::{Seed, mix, unit},
};

/// How much is asked of a service, as a share of its ordinary peak.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// The least of a day, as a share of its most.
    #[serde(default = "Load::night")]
    pub night: f64,
    /// The hour with most (UTC, 0 to 23.99).
    #[serde(default = "Load::evening")]
    pub peak_hour: f64,
    /// Factors from Monday to Sunday.
    #[serde(default = "Load::flat_week")]
    pub week: [f64; 7],
    /// Factors from January to December, met in the middle of each month.
    #[serde(default = "Load::flat_year")]
    pub year: [f64; 12],
    /// Growth a year, e.g. 0.2.
    #[serde(default)]
    pub growth: f64,
    /// How much a minute differs from the curve, e.g. 0.05.
    #[serde(default)]
    pub noise: f64,
    /// Dates with more.
    #[serde(default)]
    pub peaks: Vec<Peak>,
}

/// A date with more.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peak {
    /// When it is highest.
    pub at: DateTime<Utc>,
    /// Hours before and after in which it rises and falls.
    pub hours: f64,
    /// What the load is multiplied by at its height.
    pub factor: f64,
}

/// What can be measured of a thing, in words of no vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Share of the processors in use, 0 to 1.
    Processor,
    /// Share of the memory in use, 0 to 1.
    Memory,
    /// Bytes received a second.
    NetworkIn,
    /// Bytes sent a second.
    NetworkOut,
    /// Disk reads a second.
    DiskReads,
    /// Disk writes a second.
    DiskWrites,
    /// Open connections.
    Connections,
    /// Requests a second.
    Requests,
    /// Seconds a request takes.
    Latency,
    /// Share of the storage in use, 0 to 1.
    Storage,
}

/// Samples of one span, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Its beginning.
    pub from: DateTime<Utc>,
    /// Its samples, sorted; there is at least one.
    samples: Vec<f64>,
    /// Seconds that one sample stands for.
    pub seconds_a_sample: f64,
}

/// Samples of a bucket, at most: a day's bucket is made of five-minute samples, not of minutes.
const SAMPLES: i64 = 288;

impl Load {
    fn night() -> f64 {
        0.25
    }
    fn evening() -> f64 {
        19.0
    }
    fn flat_week() -> [f64; 7] {
        [1.0; 7]
    }
    fn flat_year() -> [f64; 12] {
        [1.0; 12]
    }

    /// The load at a time, without noise. Growth counts from `start`.
    pub fn level(&self, at: DateTime<Utc>, start: DateTime<Utc>) -> f64 {
        let hour = f64::from(at.num_seconds_from_midnight()) / 3600.0;
        let swing = ((hour - self.peak_hour) / 24.0 * std::f64::consts::TAU).cos().midpoint(1.0);
        let day = self.night + (1.0 - self.night) * swing;
        let week = self.week[at.weekday().num_days_from_monday() as usize];
        let peaks: f64 = self.peaks.iter().map(|peak| peak.factor_at(at)).product();
        #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
        let years = (at - start).num_seconds() as f64 / 31_557_600.0;
        let growth = (1.0 + self.growth).powf(years);
        (day * week * self.year_at(at) * growth * peaks).max(0.0)
    }

    /// The year's curve: straight lines between the middles of the months.
    fn year_at(&self, at: DateTime<Utc>) -> f64 {
        let month = f64::from(at.month0()) + (f64::from(at.day()) - 1.0) / 30.5 - 0.5;
        let from = month.floor();
        #[expect(clippy::cast_possible_truncation, reason = "a month, from -1 to 11")]
        let pick = |month: f64| self.year[(month as i64).rem_euclid(12) as usize];
        let share = month - from;
        pick(from) * (1.0 - share) + pick(from + 1.0) * share
    }
}

impl Peak {
    fn factor_at(&self, at: DateTime<Utc>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
        let hours = ((at - self.at).num_seconds() as f64 / 3600.0).abs();
        let share = (1.0 - hours / self.hours.max(0.1)).max(0.0);
        1.0 + (self.factor - 1.0) * share
    }
}

/// A thing's samples from `from` until `until`, a bucket each `period`. While it is not in one of the `running` states
/// there are none, and buckets without a sample are left out.
pub fn buckets(
    plan: &Plan,
    start: DateTime<Utc>,
    thing: &Thing,
    measure: Measure,
    running: &[&str],
    span: (DateTime<Utc>, DateTime<Utc>),
    period: TimeDelta,
) -> Vec<Bucket> {
    let period_s = period.num_seconds().max(1);
    let step = (period_s / SAMPLES).max(60).min(period_s);
    let first = span.0.timestamp().div_euclid(period_s) * period_s;
    let mut found = Vec::new();
    let mut at = first;
    while at < span.1.timestamp() {
        let times = (at..at + period_s).step_by(usize::try_from(step).unwrap_or(60));
        let times = times.filter_map(|second| DateTime::from_timestamp(second, 0));
        let alive = times.filter(|time| {
            *time < span.1
                && thing.born <= *time
                && running.contains(&thing.state(*time))
                && thing.gone_at.is_none_or(|gone| *time < gone)
        });
        let mut samples: Vec<f64> = alive.map(|time| sample(plan, start, thing, measure, time)).collect();
        samples.sort_by(f64::total_cmp);
        if let (false, Some(from)) = (samples.is_empty(), DateTime::from_timestamp(at, 0)) {
            #[expect(clippy::cast_precision_loss, reason = "seconds of a period")]
            found.push(Bucket { from, samples, seconds_a_sample: step as f64 });
        }
        at += period_s;
    }
    found
}

/// One sample: what the instrument shows in the minute of `at`.
pub fn sample(plan: &Plan, start: DateTime<Utc>, thing: &Thing, measure: Measure, at: DateTime<Utc>) -> f64 {
    let (level, noise) = match &thing.driven {
        Some(Driven { load, at_peak }) => plan
            .loads
            .get(load.as_ref())
            .map_or((0.0, 0.0), |load| (load.level(at, start) * at_peak, load.noise)),
        None => (0.0, 0.02),
    };
    // A cheap hash of thing and minute: a month of minutes is asked for at once.
    let minute = at.timestamp().div_euclid(60).cast_unsigned();
    let base = Seed(plan.seed).number(&[&thing.id]);
    let jitter = 1.0 + noise * (unit(mix(base ^ minute.wrapping_mul(0x9e37_79b9_7f4a_7c15))) * 2.0 - 1.0);
    let busy = level * jitter;
    let capped = busy.clamp(0.0, 1.0);
    match measure {
        Measure::Processor => (0.02 + 0.98 * capped).min(1.0),
        Measure::Memory => 0.3 + 0.5 * capped,
        Measure::NetworkIn => 20_000.0 + 4_000_000.0 * capped,
        Measure::NetworkOut => 30_000.0 + 12_000_000.0 * capped,
        Measure::DiskReads => 2.0 + 400.0 * capped,
        Measure::DiskWrites => 5.0 + 250.0 * capped,
        Measure::Connections => (4.0 + 180.0 * busy).round(),
        Measure::Requests => 0.1 + 220.0 * busy,
        // An open queue: waiting grows without bound as the load nears what there is.
        Measure::Latency => 0.02 / (1.0 - capped.min(0.98)),
        Measure::Storage => storage(thing, at, jitter),
    }
}

/// Fills up slowly over the years.
fn storage(thing: &Thing, at: DateTime<Utc>, jitter: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "days of some years")]
    let days = (at - thing.born).num_days().max(0) as f64;
    (0.2 + 0.6 * (1.0 - (-days / 900.0).exp()) * jitter).min(0.97)
}

impl Bucket {
    /// How many samples.
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.samples.iter().sum()
    }

    /// Their mean.
    pub fn average(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some hundred samples")]
        let count = self.count() as f64;
        self.sum() / count
    }

    /// The least.
    pub fn minimum(&self) -> f64 {
        self.samples.first().copied().unwrap_or_default()
    }

    /// The most.
    pub fn maximum(&self) -> f64 {
        self.samples.last().copied().unwrap_or_default()
    }

    /// A percentile from 0 to 100, between the two samples next to it.
    pub fn percentile(&self, percent: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some hundred samples")]
        let place = (percent / 100.0).clamp(0.0, 1.0) * (self.count() - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the samples")]
        let below = place.floor() as usize;
        let above = (below + 1).min(self.count() - 1);
        self.samples[below] + (self.samples[above] - self.samples[below]) * place.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn season() -> Load {
        toml::from_str(
            "peak_hour = 19.0\nnight = 0.2\nweek = [0.7, 0.7, 0.7, 0.8, 1.0, 1.5, 1.2]\n\
             year = [1.4, 1.2, 1.0, 0.9, 1.1, 1.3, 1.5, 1.5, 1.2, 0.8, 0.6, 0.7]\ngrowth = 0.2",
        )
        .unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn evenings_saturdays_and_summers_are_busy() {
        let (load, start) = (season(), at("2026-01-01T00:00:00Z"));
        let level = |text| load.level(at(text), start);
        assert!(level("2026-07-11T19:00:00Z") > 3.0 * level("2026-07-11T07:00:00Z"));
        assert!(level("2026-07-11T19:00:00Z") > 1.8 * level("2026-07-07T19:00:00Z"));
        assert!(level("2026-07-11T19:00:00Z") > 1.8 * level("2026-11-14T19:00:00Z"));
        assert!(load.level(at("2027-07-10T19:00:00Z"), start) > 1.15 * level("2026-07-11T19:00:00Z"));
    }

    #[test]
    fn the_year_has_no_steps() {
        let load = season();
        let mut day = at("2026-01-01T12:00:00Z");
        while day < at("2027-01-02T00:00:00Z") {
            let next = day + TimeDelta::days(1);
            assert!((load.year_at(day) - load.year_at(next)).abs() < 0.03, "{day}");
            day = next;
        }
    }

    #[test]
    fn a_percentile_lies_between_its_neighbors() {
        let bucket = Bucket {
            from: at("2026-01-01T00:00:00Z"),
            samples: vec![1.0, 2.0, 3.0, 4.0],
            seconds_a_sample: 60.0,
        };
        assert!((bucket.percentile(50.0) - 2.5).abs() < 1e-9);
        assert!((bucket.percentile(100.0) - 4.0).abs() < 1e-9);
        assert!((bucket.average() - 2.5).abs() < 1e-9);
    }
}
