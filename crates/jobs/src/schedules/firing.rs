//! Which of the due occurrences make a job, and what comes next. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{MOST_AT_ONCE, Missed, Timetable, TimetableError};

/// An occurrence that makes its job within this was not missed: processes look every second and take a while to start.
const ON_TIME: TimeDelta = TimeDelta::minutes(1);

/// What a schedule is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Firing {
    /// The occurrences that make a job, each with the first that it stands for.
    pub jobs: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// The last occurrence that is over, whether it made a job or not.
    pub last: DateTime<Utc>,
    /// The next; none if there is none.
    pub next: Option<DateTime<Utc>>,
}

/// What to look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due<'a> {
    pub timetable: &'a Timetable,
    pub missed: Missed,
    pub catch_up: Duration,
    /// The first occurrence that has not been seen to; not after `now`.
    pub first: DateTime<Utc>,
    /// The time, less the schedule's own delay.
    pub now: DateTime<Utc>,
}

impl Due<'_> {
    pub(super) fn decide(self) -> Result<Firing, TimetableError> {
        let due = self.occurrences()?;
        let last = due.last().copied().unwrap_or(self.first);
        let from = match self.missed {
            Missed::Skip => due.partition_point(|at| self.now - *at > ON_TIME),
            Missed::Once => due.len().saturating_sub(1),
            Missed::All => due.len().saturating_sub(MOST_AT_ONCE),
        };
        let mut jobs: Vec<_> = due[from..].iter().map(|at| (*at, *at)).collect();
        if let Some((_, since)) = jobs.first_mut() {
            *since = self.first;
        }
        Ok(Firing { jobs, last, next: self.timetable.next_after(self.now.max(last))? })
    }

    /// Those that are due and not too old to be caught up with.
    fn occurrences(&self) -> Result<Vec<DateTime<Utc>>, TimetableError> {
        let catch_up = TimeDelta::from_std(self.catch_up).unwrap_or(TimeDelta::MAX);
        let oldest = self.now.checked_sub_signed(catch_up).unwrap_or(DateTime::<Utc>::MIN_UTC);
        if self.first < oldest {
            return self.timetable.between(oldest, self.now);
        }
        let mut due = vec![self.first];
        due.extend(self.timetable.between(self.first, self.now)?);
        Ok(due)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-06-20T{text}:00Z").parse().unwrap()
    }

    fn decide(missed: Missed, first: &str, now: &str) -> (Vec<(String, String)>, Option<String>) {
        let timetable = Timetable::cron("0 * * * *", "UTC").unwrap();
        let catch_up = Duration::from_hours(6);
        let due = Due { timetable: &timetable, missed, catch_up, first: at(first), now: at(now) };
        let firing = due.decide().unwrap();
        let word = |at: DateTime<Utc>| at.format("%H:%M").to_string();
        (firing.jobs.iter().map(|(at, since)| (word(*at), word(*since))).collect(), firing.next.map(word))
    }

    fn pairs(words: &[(&str, &str)]) -> Vec<(String, String)> {
        words.iter().map(|(at, since)| ((*at).to_owned(), (*since).to_owned())).collect()
    }

    #[test]
    fn on_time_it_is_one_job_under_every_policy() {
        for missed in [Missed::Skip, Missed::Once, Missed::All] {
            let (jobs, next) = decide(missed, "12:00", "12:00");
            assert_eq!((jobs, next.as_deref()), (pairs(&[("12:00", "12:00")]), Some("13:00")), "{missed:?}");
        }
    }

    #[test]
    fn what_was_missed_is_skipped_gathered_or_caught_up_with() {
        let (jobs, next) = decide(Missed::Skip, "09:00", "12:30");
        assert_eq!((jobs, next.as_deref()), (Vec::new(), Some("13:00")));
        // Back at the very minute of an occurrence: that one is on time, and stands for those before it.
        assert_eq!(decide(Missed::Skip, "09:00", "12:00").0, pairs(&[("12:00", "09:00")]));
        assert_eq!(decide(Missed::Once, "09:00", "12:30").0, pairs(&[("12:00", "09:00")]));
        let all = pairs(&[("09:00", "09:00"), ("10:00", "10:00"), ("11:00", "11:00"), ("12:00", "12:00")]);
        assert_eq!(decide(Missed::All, "09:00", "12:30").0, all);
    }

    #[test]
    fn what_is_older_than_the_catch_up_is_over() {
        let (jobs, _) = decide(Missed::All, "01:00", "12:30");
        assert_eq!(jobs.len(), 6);
        assert_eq!(jobs[0], ("07:00".into(), "01:00".into()));
        assert_eq!(decide(Missed::Once, "01:00", "12:30").0, pairs(&[("12:00", "01:00")]));
    }

    #[test]
    fn too_old_to_be_caught_up_with_and_nothing_since() {
        let timetable = Timetable::cron("0 8 * * SAT", "UTC").unwrap();
        let (first, now) = ("2026-06-06T08:00:00Z".parse().unwrap(), "2026-06-12T12:00:00Z".parse().unwrap());
        let due =
            Due { timetable: &timetable, missed: Missed::All, catch_up: Duration::from_hours(1), first, now };
        let firing = due.decide().unwrap();
        let next = Some("2026-06-13T08:00:00Z".parse().unwrap());
        assert_eq!(firing, Firing { jobs: Vec::new(), last: first, next });
    }

    proptest! {
        /// Whatever the outages, with `all` and time enough every occurrence makes exactly one job.
        #[test]
        fn no_occurrence_is_lost_or_made_twice(waits in prop::collection::vec(1_i64..5000, 1..40)) {
            let timetable = Timetable::cron("*/7 2-5 * * *", "Europe/Berlin").unwrap();
            let start: DateTime<Utc> = "2026-10-24T00:00:00Z".parse().unwrap();
            let (mut first, mut now, mut made) = (timetable.next_after(start).unwrap().unwrap(), start, Vec::new());
            for wait in waits {
                now += TimeDelta::seconds(wait);
                if first > now {
                    continue;
                }
                let catch_up = Duration::from_hours(24);
                let firing = Due { timetable: &timetable, missed: Missed::All, catch_up, first, now }.decide().unwrap();
                made.extend(firing.jobs.iter().map(|(at, _)| *at));
                first = firing.next.unwrap();
                prop_assert!(first > now);
            }
            prop_assert_eq!(made, timetable.between(start, now).unwrap());
        }
    }
}
