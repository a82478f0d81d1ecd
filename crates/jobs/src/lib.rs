//! Durable work over PostgreSQL, without a word of any domain.
//!
//! Four words only:
//!
//! - a **job** is one idempotent step, asked for in the transaction that makes it necessary ([`enqueue`]);
//! - an **operation** is a list of steps that survives any crash, can be watched, paused and cancelled, and is
//!   undone when it fails ([`start_operation`], [`OperationKind`]);
//! - a **reconciler** compares what is with what should be, by period and by nudge ([`Reconciler`]);
//! - a **schedule** asks for a job again and again, by a timetable ([`put_schedule`]).
//!
//! What holds, whatever dies and whenever:
//!
//! 1. Work exists if and only if the transaction that asked for it committed.
//! 2. It is started at least once. What it commits through a fenced transaction counts once: a worker that was
//!    taken for dead and comes back cannot commit ([`Lease`]).
//! 3. A step is written down before it is started and after it ended, so an operation goes on where it was.
//! 4. No organization waits for another's backlog: claims go round in turns, and none may hold every slot.
//! 5. Notices only hasten. With all of them lost, everything still happens, by looking.
//!
//! Reading order: [`job`](NewJob), `lease`, `queue` (the SQL of claims), `operation` and `kind` (what is asked
//! and what the application writes), `image` and `change` (the pure heart: what comes next, and what an answer
//! changes), `driver` and `save` (the step boundary), `workers`, `claims`, `work`, `heartbeat` (one process), `reconciler`, `schedules`.
//! The essay is docs/jobs.md.

mod backoff;
mod change;
mod claims;
mod dead_letter;
mod driver;
mod failure;
mod health;
mod heartbeat;
mod image;
mod job;
mod kind;
mod lease;
#[cfg(test)]
mod model;
mod operation;
mod queue;
mod reconciler;
mod record;
mod registry;
mod save;
mod schedules;
#[cfg(feature = "testing")]
pub mod testing;
mod upkeep;
mod work;
mod workers;

pub use crate::{
    backoff::{Backoff, Jitter},
    dead_letter::{DeadLetter, Revived, dead_letters, drop_dead_letter, retry_dead_letter},
    failure::{JobError, Retry, StepError},
    health::{Depth, Health},
    image::StepState,
    job::{Enqueued, JobHandler, JobRun, NewJob, enqueue},
    kind::{OperationKind, OperationOutcome, StepContext, StepDone, StepOutcome},
    lease::{Lease, lease_was_lost},
    operation::{
        ApprovalOutcome, CancelOutcome, NewOperation, NewStep, OPERATIONS_CHANNEL, PauseOutcome, Policy,
        Started, approve_operation, cancel_operation, find_operation, hasten_step, operation_steps,
        pause_operation, propose_operation, refuse_operation, resume_operation, start_operation,
        wait_operation,
    },
    reconciler::{ReconcileContext, Reconciler, Summary, nudge},
    record::{OperationRow, StepRow},
    registry::Registry,
    schedules::{
        CATCH_UP, MOST_AT_ONCE, MOST_JITTER, Missed, NewSchedule, Occasion, ScheduleError, ScheduleRow,
        Timetable, TimetableError, drop_schedule, pause_schedule, put_schedule, resume_schedule, schedules,
    },
    workers::{Limits, Workers},
};
