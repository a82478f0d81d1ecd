//! Schedules: jobs that are asked for again and again, by a [`Timetable`].
//!
//! A schedule is a row: which job, when, and what becomes of the occurrences that nobody was there for. Every process
//! looks for what is due; the jobs of an occurrence and the step to the next one are one transaction over a locked row,
//! so no occurrence is fired twice and none is forgotten, whichever process dies and however many there are.
//!
//! What a schedule makes is a job like any other: it has its attempts, its turn among the organizations, its dead letter.
//! So a schedule never waits for its work, and its work is never lost with it.
//!
//! Reading order: `timetable` and `recurrence` (pure: when), `firing` (pure: which of the due occurrences), `store` (the rows), `fire` (the
//! transaction). The rules for changes of the clocks and for missed occurrences are in docs/jobs.md.

mod fire;
mod firing;
mod recurrence;
mod store;
mod timetable;

use std::time::Duration;

use chrono::{DateTime, Utc};
use marquee_db::DbError;
use marquee_types::ScheduleId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::job::{JobRun, NewJob};

pub(crate) use fire::fire_all;
pub use store::{drop_schedule, pause_schedule, put_schedule, resume_schedule, schedules};
pub use timetable::{Timetable, TimetableError};

/// The longest delay that a schedule may be given.
pub const MOST_JITTER: Duration = Duration::from_hours(1);
/// The least and the most that a schedule looks back for what it missed.
pub const CATCH_UP: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(7 * 24));
/// No more occurrences are caught up with at once under [`Missed::All`]; the latest win.
pub const MOST_AT_ONCE: usize = 100;
/// Where in a job's payload its [`Occasion`] stands.
const OCCASION: &str = "schedule";

/// What becomes of occurrences that nobody was there for. One that is fired within a minute was not missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are over.
    Skip,
    /// One job for all of them, with the latest as its occurrence.
    Once,
    /// A job for each, at most the latest [`MOST_AT_ONCE`].
    All,
}

impl Missed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Skip, Self::Once, Self::All].into_iter().find(|missed| missed.as_str() == text)
    }
}

/// What is to be done, and when.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// Unique in the organization; putting another schedule of the name replaces this one.
    pub name: String,
    /// The job of each occurrence. Its payload is an object, which gets an [`Occasion`]; its `run_at` is none. If it has a
    /// `dedup_key`, an occurrence whose predecessor's job is unfinished makes none.
    pub job: NewJob,
    /// When.
    pub timetable: Timetable,
    /// Up to this much later, so that schedules of the same hour do not all come at once; the same delay at every
    /// occurrence. At most [`MOST_JITTER`].
    pub jitter: Duration,
    /// What becomes of occurrences that nobody was there for.
    pub missed: Missed,
    /// How long an occurrence can still be caught up with; within [`CATCH_UP`].
    pub catch_up: Duration,
}

impl NewSchedule {
    /// A schedule without delay, that makes one job for what it missed in the last day.
    pub fn new(name: impl Into<String>, job: NewJob, timetable: Timetable) -> Self {
        Self {
            name: name.into(),
            job,
            timetable,
            jitter: Duration::ZERO,
            missed: Missed::Once,
            catch_up: Duration::from_hours(24),
        }
    }
}

/// A schedule as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRow {
    /// Its id.
    pub id: ScheduleId,
    /// Its name.
    pub name: String,
    /// The kind of its jobs.
    pub job_kind: String,
    /// `{"cron", "time_zone"}` or `{"rrule", "starts_at", "time_zone"}`.
    pub timetable: Value,
    /// Whether it was paused.
    pub paused: bool,
    /// The next occurrence, without its delay; none if it is paused or over.
    pub next_at: Option<DateTime<Utc>>,
    /// When that is fired.
    pub fire_at: Option<DateTime<Utc>>,
    /// The last occurrence that was fired or given up.
    pub last_at: Option<DateTime<Utc>>,
    /// When jobs were last made.
    pub fired_at: Option<DateTime<Utc>>,
    /// Why it fires no more, if its timetable can no longer be read: `{"code", "detail"}`.
    pub error: Option<Value>,
}

/// What a job that a schedule made knows of it; stands in its payload as `schedule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// The schedule.
    pub id: ScheduleId,
    /// Its name.
    pub name: String,
    /// The occurrence, by the timetable: neither delay nor lateness is in it.
    pub occurrence: DateTime<Utc>,
    /// The first occurrence this job stands for: earlier than `occurrence` if some were missed.
    pub since: DateTime<Utc>,
}

impl Occasion {
    /// The occasion of a job; none if no schedule made it.
    pub fn of(run: &JobRun) -> Option<Self> {
        serde_json::from_value(run.payload.get(OCCASION)?.clone()).ok()
    }
}

/// Why a schedule could not be put.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The timetable has no occurrence after now.
    #[error("the timetable never comes to pass")]
    Never,
    /// A value is outside its limits; which one and how.
    #[error("{0}")]
    Invalid(&'static str),
    /// The timetable could not be followed.
    #[error(transparent)]
    Timetable(#[from] TimetableError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}
