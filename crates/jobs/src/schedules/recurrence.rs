//! Recurrence rules of RFC 5545 over the wall clock times of a zone.
//!
//! The crate that knows the rules would shift times itself when the clocks change, and drop those that do not exist. So it is
//! told that wall clock times are UTC, and [`moment`] says what they mean.

use chrono::{DateTime, Datelike, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{GapInfo, Tz};
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};

use super::timetable::MOST_TEXT;

/// A recurrence begins in these years: it is followed from its beginning each time.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2200;

/// A rule, from its beginning on.
#[derive(Clone)]
pub(super) struct Recurrence {
    set: RRuleSet,
    zone: Tz,
}

impl Recurrence {
    /// The rule, or what is wrong with it.
    pub fn new(rule: &str, starts_at: NaiveDateTime, zone: Tz) -> Result<Self, String> {
        check_text(rule)?;
        if starts_at.second() != 0 || starts_at.nanosecond() != 0 || !YEARS.contains(&starts_at.year()) {
            return Err(format!(
                "starts_at is a full minute of the years {} to {}",
                YEARS.start(),
                YEARS.end()
            ));
        }
        let mut parsed: RRule<Unvalidated> =
            rule.parse().map_err(|error: rrule::RRuleError| error.to_string())?;
        if parsed.get_freq() > Frequency::Daily {
            return Err(
                "FREQ is YEARLY, MONTHLY, WEEKLY or DAILY; within a day, use BYHOUR and BYMINUTE or cron"
                    .into(),
            );
        }
        if !parsed.get_by_second().is_empty() {
            return Err("BYSECOND cannot be followed: nothing recurs more often than once a minute".into());
        }
        if let Some(until) = parsed.get_until() {
            let wall = until.with_timezone(&zone).naive_local();
            parsed = parsed.until(rrule::Tz::UTC.from_utc_datetime(&wall));
        }
        let start = rrule::Tz::UTC.from_utc_datetime(&starts_at);
        let set = parsed.build(start).map_err(|error| error.to_string())?.limit();
        Ok(Self { set, zone })
    }

    /// The first occurrence after a moment.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut best: Option<DateTime<Utc>> = None;
        for wall in &self.set {
            let wall = wall.naive_utc();
            // A time within a gap comes after later times of its day, so the first one found may not be the first.
            if best.is_some_and(|best| wall > best.with_timezone(&self.zone).naive_local()) {
                break;
            }
            let at = moment(wall, self.zone);
            if at > after && best.is_none_or(|best| at < best) {
                best = Some(at);
            }
        }
        best
    }

    /// Every occurrence after one moment and not after another, in order.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let last = until.with_timezone(&self.zone).naive_local();
        let walls = (&self.set).into_iter().map(|wall| wall.naive_utc()).take_while(|wall| *wall <= last);
        let mut found: Vec<_> = walls.map(|wall| moment(wall, self.zone)).collect();
        found.retain(|at| *at > after && *at <= until);
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn check_text(rule: &str) -> Result<(), String> {
    if rule.len() > MOST_TEXT {
        return Err(format!("it is longer than {MOST_TEXT} characters"));
    }
    let known = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "=;,+-".contains(c);
    if !rule.chars().all(known) {
        return Err("it is the value of one RRULE, in capitals, such as FREQ=WEEKLY;BYDAY=SA".into());
    }
    // Without its Z it would be read as a time of this machine's own zone.
    let until = rule.split(';').find_map(|part| part.strip_prefix("UNTIL="));
    if until.is_some_and(|until| !until.ends_with('Z')) {
        return Err("UNTIL is a time in UTC, such as 20261231T230000Z".into());
    }
    Ok(())
}

/// The moment that a wall clock time means: the first of two, and one in a gap by the offset from before it.
fn moment(wall: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => {
            let before = GapInfo::new(&wall, &zone).and_then(|gap| gap.begin);
            let offset = before.map_or(0, |(_, offset)| offset.fix().local_minus_utc());
            (wall - TimeDelta::seconds(i64::from(offset))).and_utc()
        }
    }
}
