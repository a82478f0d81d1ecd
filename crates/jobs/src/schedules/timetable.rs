//! When: wall clock times of a time zone, by a cron pattern or a recurrence rule (RFC 5545), as moments.
//!
//! What happens when the clocks are changed:
//!
//! - A **cron pattern with one time of day** fires once a day. If that time does not exist, at the first moment after the
//!   gap; if it exists twice, at the first.
//! - A **cron pattern that repeats within a day** (`*/15 * * * *`) goes on as the wall clock shows it: through both of two
//!   equal hours, and past an hour that is not there.
//! - A **recurrence rule** is of days and times of day. A time that does not exist is read with the offset from before the
//!   gap, as RFC 5545 has it (02:30 becomes 03:30); of two equal times it is the first.
//!
//! Nothing recurs more often than once a minute: neither form can name a second.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Serialize};

use super::recurrence::Recurrence;

/// No pattern or rule is longer.
pub(super) const MOST_TEXT: usize = 500;

/// When something happens, again and again. Read from JSON as `{"cron", "time_zone"}` or
/// `{"rrule", "starts_at", "time_zone"}`, and written so.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Timetable {
    written: Written,
    zone: Tz,
    rule: Rule,
}

#[derive(Clone)]
enum Rule {
    Cron(Box<Cron>),
    Recurrence(Box<Recurrence>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rrule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts_at: Option<NaiveDateTime>,
    time_zone: String,
}

/// Why a timetable cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimetableError {
    /// Not a name of the IANA time zone database.
    #[error("{0:?} is not a time zone of the IANA database, such as Europe/Berlin")]
    TimeZone(String),
    /// Not a cron pattern of five fields.
    #[error("{text:?} is not a cron pattern of five fields: {reason}")]
    Cron {
        /// The pattern.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a recurrence rule, or not one of days.
    #[error("{text:?} is not a recurrence rule that can be followed: {reason}")]
    Recurrence {
        /// The rule.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither of the two forms.
    #[error("a timetable has either cron, or rrule and starts_at")]
    Shape,
}

impl Timetable {
    /// By a cron pattern of five fields (minute, hour, day of month, month, day of week), or `@daily` and its like. Where
    /// both days are given, either will do.
    pub fn cron(pattern: &str, time_zone: &str) -> Result<Self, TimetableError> {
        let zone = parse_zone(time_zone)?;
        let wrong = |reason: String| TimetableError::Cron { text: shortened(pattern), reason };
        if pattern.len() > MOST_TEXT {
            return Err(wrong(format!("it is longer than {MOST_TEXT} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|error| wrong(error.to_string()))?;
        let written = Written {
            cron: Some(pattern.to_owned()),
            rrule: None,
            starts_at: None,
            time_zone: zone.name().to_owned(),
        };
        Ok(Self { written, zone, rule: Rule::Cron(Box::new(cron)) })
    }

    /// By the value of an `RRULE` of RFC 5545 (`FREQ=WEEKLY;BYDAY=SA`), from `starts_at`, a wall clock time of the zone
    /// that is the first occurrence if the rule has it. Daily or rarer: what recurs within a day is either a cron pattern
    /// or a rule with `BYHOUR` and `BYMINUTE`.
    pub fn recurrence(rule: &str, starts_at: NaiveDateTime, time_zone: &str) -> Result<Self, TimetableError> {
        let zone = parse_zone(time_zone)?;
        let rule_of_days = Recurrence::new(rule, starts_at, zone)
            .map_err(|reason| TimetableError::Recurrence { text: shortened(rule), reason })?;
        let written = Written {
            cron: None,
            rrule: Some(rule.to_owned()),
            starts_at: Some(starts_at),
            time_zone: zone.name().to_owned(),
        };
        Ok(Self { written, zone, rule: Rule::Recurrence(Box::new(rule_of_days)) })
    }

    /// The first occurrence after a moment; none if there will be none.
    pub fn next_after(&self, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, TimetableError> {
        match &self.rule {
            Rule::Cron(cron) => self.next_of_cron(cron, after),
            Rule::Recurrence(rule) => Ok(rule.next_after(after)),
        }
    }

    /// Every occurrence after one moment and not after another, in order.
    pub fn between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, TimetableError> {
        let cron = match &self.rule {
            Rule::Cron(cron) => cron,
            Rule::Recurrence(rule) => return Ok(rule.between(after, until)),
        };
        let (mut found, mut from) = (Vec::new(), after);
        while let Some(next) = self.next_of_cron(cron, from)?.filter(|next| *next <= until) {
            found.push(next);
            from = next;
        }
        Ok(found)
    }

    fn next_of_cron(
        &self,
        cron: &Cron,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, TimetableError> {
        let from = after.trunc_subsecs(0).with_timezone(&self.zone);
        match cron.find_next_occurrence(&from, false) {
            Ok(next) => Ok(Some(next.with_timezone(&Utc))),
            Err(CronError::TimeSearchLimitExceeded) => Ok(None),
            Err(error) => Err(TimetableError::Cron {
                text: self.written.cron.clone().unwrap_or_default(),
                reason: error.to_string(),
            }),
        }
    }
}

impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Timetable {}

impl fmt::Debug for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

impl TryFrom<Written> for Timetable {
    type Error = TimetableError;

    fn try_from(written: Written) -> Result<Self, TimetableError> {
        match (&written.cron, &written.rrule, written.starts_at) {
            (Some(pattern), None, None) => Self::cron(pattern, &written.time_zone),
            (None, Some(rule), Some(starts_at)) => Self::recurrence(rule, starts_at, &written.time_zone),
            _ => Err(TimetableError::Shape),
        }
    }
}

impl From<Timetable> for Written {
    fn from(timetable: Timetable) -> Self {
        timetable.written
    }
}

fn parse_zone(name: &str) -> Result<Tz, TimetableError> {
    Tz::from_str(name).map_err(|_| TimetableError::TimeZone(shortened(name)))
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, LocalResult, TimeDelta, TimeZone, Timelike};
    use proptest::prelude::*;

    use super::*;

    const ZONES: [&str; 5] =
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"];

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn wall(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn some(table: &Timetable, after: DateTime<Utc>, count: usize) -> Vec<String> {
        let zone = table.zone;
        let first = table.next_after(after).unwrap();
        std::iter::successors(first, |last| table.next_after(*last).unwrap())
            .take(count)
            .map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string())
            .collect()
    }

    #[test]
    fn a_time_of_day_comes_once_a_day_whatever_the_clocks_do() {
        let table = Timetable::cron("30 2 * * *", "Europe/Berlin").unwrap();
        let spring = some(&table, at("2026-03-27T12:00:00Z"), 3);
        assert_eq!(spring, ["2026-03-28 02:30 CET", "2026-03-29 03:00 CEST", "2026-03-30 02:30 CEST"]);
        let autumn = some(&table, at("2026-10-24T12:00:00Z"), 2);
        assert_eq!(autumn, ["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"]);
    }

    #[test]
    fn what_repeats_within_a_day_goes_on_through_a_repeated_hour() {
        let table = Timetable::cron("*/30 * * * *", "Europe/Berlin").unwrap();
        let autumn = some(&table, at("2026-10-24T23:59:00Z"), 6);
        let wanted = [
            "2026-10-25 02:00 CEST",
            "2026-10-25 02:30 CEST",
            "2026-10-25 02:00 CET",
            "2026-10-25 02:30 CET",
            "2026-10-25 03:00 CET",
            "2026-10-25 03:30 CET",
        ];
        assert_eq!(autumn, wanted);
        let spring = some(&table, at("2026-03-29T00:29:00Z"), 2);
        assert_eq!(spring, ["2026-03-29 01:30 CET", "2026-03-29 03:00 CEST"]);
    }

    #[test]
    fn a_recurrence_keeps_its_wall_clock_time_and_moves_over_a_gap_by_its_length() {
        let table =
            Timetable::recurrence("FREQ=DAILY", wall("2026-01-01T02:30:00"), "Europe/Berlin").unwrap();
        let spring = some(&table, at("2026-03-27T12:00:00Z"), 3);
        assert_eq!(spring, ["2026-03-28 02:30 CET", "2026-03-29 03:30 CEST", "2026-03-30 02:30 CEST"]);
        let autumn = some(&table, at("2026-10-24T12:00:00Z"), 2);
        assert_eq!(autumn, ["2026-10-25 02:30 CEST", "2026-10-26 02:30 CET"]);
    }

    #[test]
    fn times_within_a_gap_do_not_hide_those_behind_it() {
        let rule = "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,45";
        let table = Timetable::recurrence(rule, wall("2026-01-01T02:00:00"), "Europe/Berlin").unwrap();
        // 02:00 becomes 03:00 and 02:45 becomes 03:45, which are there already.
        let spring = some(&table, at("2026-03-29T00:00:00Z"), 3);
        assert_eq!(spring, ["2026-03-29 03:00 CEST", "2026-03-29 03:45 CEST", "2026-03-30 02:00 CEST"]);
        let day = table.between(at("2026-03-29T00:00:00Z"), at("2026-03-29T12:00:00Z")).unwrap();
        assert_eq!(day, [at("2026-03-29T01:00:00Z"), at("2026-03-29T01:45:00Z")]);
    }

    /// The rules and occurrences are examples of RFC 5545, 3.8.5.3.
    #[test]
    fn the_examples_of_the_standard() {
        let cases: [(&str, &str, &[&str]); 5] = [
            (
                "FREQ=DAILY;COUNT=3",
                "1997-09-02T09:00:00",
                &["1997-09-02 09:00 EDT", "1997-09-03 09:00 EDT", "1997-09-04 09:00 EDT"],
            ),
            (
                "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
                "1997-09-05T09:00:00",
                &[
                    "1997-09-05 09:00 EDT",
                    "1997-10-03 09:00 EDT",
                    "1997-11-07 09:00 EST",
                    "1997-12-05 09:00 EST",
                    "1998-01-02 09:00 EST",
                    "1998-02-06 09:00 EST",
                    "1998-03-06 09:00 EST",
                    "1998-04-03 09:00 EST",
                    "1998-05-01 09:00 EDT",
                    "1998-06-05 09:00 EDT",
                ],
            ),
            (
                "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
                "1996-11-05T09:00:00",
                &["1996-11-05 09:00 EST", "2000-11-07 09:00 EST", "2004-11-02 09:00 EST"],
            ),
            (
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
                "1997-09-29T09:00:00",
                &[
                    "1997-09-29 09:00 EDT",
                    "1997-10-30 09:00 EST",
                    "1997-11-27 09:00 EST",
                    "1997-12-30 09:00 EST",
                    "1998-01-29 09:00 EST",
                ],
            ),
            (
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,SU",
                "1997-08-05T09:00:00",
                &[
                    "1997-08-05 09:00 EDT",
                    "1997-08-17 09:00 EDT",
                    "1997-08-19 09:00 EDT",
                    "1997-08-31 09:00 EDT",
                ],
            ),
        ];
        for (rule, starts, wanted) in cases {
            let table = Timetable::recurrence(rule, wall(starts), "America/New_York").unwrap();
            assert_eq!(some(&table, at("1990-01-01T00:00:00Z"), wanted.len()), wanted, "{rule}");
        }
        let rule = "FREQ=DAILY;UNTIL=19971224T000000Z";
        let table = Timetable::recurrence(rule, wall("1997-09-02T09:00:00"), "America/New_York").unwrap();
        let all = some(&table, at("1990-01-01T00:00:00Z"), 1000);
        assert_eq!((all.len(), all[112].as_str()), (113, "1997-12-23 09:00 EST"));
    }

    #[test]
    fn the_end_is_a_moment_and_not_a_wall_clock_time() {
        // 07:30 UTC is 09:30 in Berlin in June: the occurrence at 09:00 is before it, the one at 10:00 is not.
        let rule = "FREQ=DAILY;BYHOUR=9,10;UNTIL=20260601T073000Z";
        let table = Timetable::recurrence(rule, wall("2026-06-01T09:00:00"), "Europe/Berlin").unwrap();
        assert_eq!(some(&table, at("2026-01-01T00:00:00Z"), 9), ["2026-06-01 09:00 CEST"]);
    }

    #[test]
    fn either_day_will_do_where_both_are_given() {
        let table = Timetable::cron("0 8 1 * SAT", "UTC").unwrap();
        let wanted = ["2026-06-01 08:00 UTC", "2026-06-06 08:00 UTC", "2026-06-13 08:00 UTC"];
        assert_eq!(some(&table, at("2026-05-31T00:00:00Z"), 3), wanted);
    }

    #[test]
    fn what_never_comes_is_none_and_soon_known() {
        let never = Timetable::cron("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(never.next_after(at("2026-01-01T00:00:00Z")), Ok(None));
        for rule in [
            "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=DAILY;INTERVAL=0",
        ] {
            let table = Timetable::recurrence(rule, wall("2026-01-01T00:00:00"), "UTC").unwrap();
            assert_eq!(table.next_after(at("2026-01-01T00:00:00Z")), Ok(None), "{rule}");
        }
        let over = Timetable::recurrence("FREQ=DAILY;COUNT=2", wall("2026-01-01T00:00:00"), "UTC").unwrap();
        assert_eq!(over.next_after(at("2026-01-02T00:00:00Z")), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = "0,".repeat(300);
        let crons =
            ["", "* * * *", "0 0 * * * *", "60 * * * *", "0 0 * * * 2026", "* * * * MOON", long.as_str()];
        for pattern in crons {
            let error = Timetable::cron(pattern, "UTC").unwrap_err();
            assert!(matches!(&error, TimetableError::Cron { .. }), "{pattern}: {error}");
        }
        let start = wall("2026-01-01T00:00:00");
        let rules = [
            ("FREQ=HOURLY", "BYHOUR"),
            ("FREQ=SECONDLY", "BYHOUR"),
            ("FREQ=DAILY;BYSECOND=1,2", "BYSECOND"),
            ("FREQ=DAILY;UNTIL=20270101", "UTC"),
            ("FREQ=DAILY;UNTIL=20200101T000000Z", ""),
            ("FREQ=DAILY;BYDAY=XX", ""),
            ("INTERVAL=2", ""),
            ("", ""),
            ("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY", "one RRULE"),
            (long.as_str(), "longer"),
        ];
        for (rule, said) in rules {
            let error = Timetable::recurrence(rule, start, "UTC").unwrap_err();
            assert!(error.to_string().contains(said), "{rule}: {error}");
        }
        assert!(Timetable::recurrence("FREQ=DAILY", wall("2026-01-01T00:00:30"), "UTC").is_err());
        assert!(Timetable::recurrence("FREQ=DAILY", wall("0026-01-01T00:00:00"), "UTC").is_err());
        let error = Timetable::cron("@daily", "Berlin").unwrap_err();
        assert_eq!(error, TimetableError::TimeZone("Berlin".into()));
    }

    #[test]
    fn json_there_and_back() {
        for text in [
            r#"{"cron":"0 8 * * SAT","time_zone":"Europe/Berlin"}"#,
            r#"{"rrule":"FREQ=WEEKLY;BYDAY=SA","starts_at":"2026-06-06T08:00:00","time_zone":"Europe/Berlin"}"#,
        ] {
            let table: Timetable = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&table).unwrap(), text);
        }
        for text in [
            r#"{"time_zone":"UTC"}"#,
            r#"{"cron":"@daily","rrule":"FREQ=DAILY","time_zone":"UTC"}"#,
            r#"{"rrule":"FREQ=DAILY","time_zone":"UTC"}"#,
            r#"{"cron":"@daily","time_zone":"UTC","zone":"UTC"}"#,
        ] {
            assert!(serde_json::from_str::<Timetable>(text).is_err(), "{text}");
        }
    }

    /// Moments a few days around the changes of the clocks of 2026, or any of ten years.
    fn starts() -> impl Strategy<Value = DateTime<Utc>> {
        let changes = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04"];
        let near = (prop::sample::select(changes.to_vec()), -172_800_i64..172_800)
            .prop_map(|(day, seconds)| at(&format!("{day}T00:00:00Z")) + TimeDelta::seconds(seconds));
        let any = (1_577_836_800_i64..1_893_456_000).prop_map(|s| DateTime::from_timestamp(s, 0).unwrap());
        prop_oneof![3 => near, 1 => any]
    }

    #[derive(Debug, Clone)]
    struct Pattern {
        minute: Option<u32>,
        /// Every so many minutes, if there is no minute.
        every: u32,
        hour: Option<u32>,
        weekday: Option<u32>,
    }

    impl Pattern {
        fn text(&self) -> String {
            let word = |value: Option<u32>, or: String| value.map_or(or, |value| value.to_string());
            let minute = word(self.minute, format!("*/{}", self.every));
            format!("{minute} {} * * {}", word(self.hour, "*".into()), word(self.weekday, "*".into()))
        }

        fn is_time_of_day(&self) -> bool {
            self.minute.is_some() && self.hour.is_some()
        }

        fn matches(&self, wall: NaiveDateTime) -> bool {
            let minute = self
                .minute
                .map_or(wall.minute().is_multiple_of(self.every), |minute| minute == wall.minute());
            minute
                && self.hour.is_none_or(|hour| hour == wall.hour())
                && self.weekday.is_none_or(|day| day == wall.weekday().num_days_from_sunday())
        }
    }

    fn patterns() -> impl Strategy<Value = Pattern> {
        (
            prop::option::of(0_u32..60),
            prop::sample::select(vec![1_u32, 5, 15, 20, 30]),
            prop::option::weighted(0.7, prop_oneof![3 => 0_u32..4, 1 => 4_u32..24]),
            prop::option::weighted(0.3, 0_u32..7),
        )
            .prop_map(|(minute, every, hour, weekday)| Pattern { minute, every, hour, weekday })
    }

    /// What the rules at the top of this file say, minute by minute.
    fn looked_for(pattern: &Pattern, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first =
            after.trunc_subsecs(0) - TimeDelta::seconds(i64::from(after.second())) + TimeDelta::minutes(1);
        let minutes = (0..15 * 24 * 60).map(|n| first + TimeDelta::minutes(n));
        minutes.into_iter().find(|t| {
            let wall = t.with_timezone(&zone).naive_local();
            if !pattern.is_time_of_day() {
                return pattern.matches(wall);
            }
            let second = matches!(zone.from_local_datetime(&wall), LocalResult::Ambiguous(_, b) if b == *t);
            let before = (*t - TimeDelta::minutes(1)).with_timezone(&zone).naive_local();
            let gap = (1..(wall - before).num_minutes()).map(|n| before + TimeDelta::minutes(n));
            (pattern.matches(wall) && !second) || gap.into_iter().any(|wall| pattern.matches(wall))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn cron_is_what_a_look_at_every_minute_finds(
            pattern in patterns(), zone in prop::sample::select(ZONES.to_vec()), after in starts()
        ) {
            let table = Timetable::cron(&pattern.text(), zone).unwrap();
            let found = table.next_after(after).unwrap();
            prop_assert_eq!(found, looked_for(&pattern, table.zone, after), "{} in {}", pattern.text(), zone);
        }

        #[test]
        fn a_daily_recurrence_comes_once_on_every_day_at_its_time_or_behind_the_gap(
            hour in 0_u32..24, minute in 0_u32..60, zone in prop::sample::select(ZONES.to_vec()), after in starts()
        ) {
            let start = (after.date_naive() - TimeDelta::days(40)).and_hms_opt(hour, minute, 0).unwrap();
            let table = Timetable::recurrence("FREQ=DAILY", start, zone).unwrap();
            let until = after + TimeDelta::days(20);
            let found = table.between(after, until).unwrap();
            let one_by_one: Vec<_> =
                std::iter::successors(table.next_after(after).unwrap(), |last| table.next_after(*last).unwrap())
                    .take_while(|next| *next <= until)
                    .collect();
            prop_assert_eq!(&found, &one_by_one);
            prop_assert!((19..=21).contains(&found.len()), "{found:?}");
            let walls: Vec<_> = found.iter().map(|at| at.with_timezone(&table.zone).naive_local()).collect();
            for pair in walls.windows(2) {
                prop_assert_eq!(pair[1].date() - pair[0].date(), TimeDelta::days(1));
            }
            for wall in walls {
                let wanted = wall.date().and_hms_opt(hour, minute, 0).unwrap();
                let late = wall - wanted;
                let exists = !matches!(table.zone.from_local_datetime(&wanted), LocalResult::None);
                prop_assert!(late == TimeDelta::zero() || !exists && late <= TimeDelta::hours(1), "{wall}");
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-Z0-9=;,*/@ +-]{0,60}", zone in ".{0,20}") {
            let after = at("2026-06-20T12:00:00Z");
            for table in [
                Timetable::cron(&text, "Europe/Berlin"),
                Timetable::recurrence(&text, wall("2026-01-01T00:00:00"), "Europe/Berlin"),
                Timetable::cron("@daily", &zone),
            ].into_iter().flatten() {
                if let Some(next) = table.next_after(after).unwrap() {
                    prop_assert!(next > after);
                }
            }
        }
    }
}
