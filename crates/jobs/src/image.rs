//! The state of an operation in the memory of its driver, and the one function that decides what comes next.
//!
//! [`Image::next`] is pure: it is given what is known and says what to do, so that every order of successes,
//! failures, cancels and crashes can be tried without a database.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use marquee_types::OperationState;
use serde_json::{Value, json};

use crate::operation::Policy;

marquee_types::words! {
    /// Where a step stands.
    pub enum StepState {
        /// Not started, or to be tried again.
        Pending = "pending",
        /// Started; if no worker is on it, it was interrupted and will be started again.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Failed for good.
        Failed = "failed",
        /// Never started, and never will be.
        Skipped = "skipped",
        /// Its undo was started.
        Undoing = "undoing",
        /// Nothing of it is left.
        Undone = "undone",
        /// Something of it is left; its error says what.
        UndoFailed = "undo_failed",
    }
}

/// A step in memory.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub position: i32,
    pub name: Arc<str>,
    pub input: Arc<Value>,
    pub state: StepState,
    pub attempt: i32,
    pub failures: i32,
    pub undo_attempt: i32,
    pub undo_began_at: Option<DateTime<Utc>>,
    pub retry_at: Option<DateTime<Utc>>,
    pub output: Option<Arc<Value>>,
    /// What an attempt that waits left for the next, or for the undo.
    pub kept: Option<Arc<Value>>,
    pub error: Option<Value>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// A task of this process is on it.
    pub in_flight: bool,
    /// The database has it.
    pub stored: bool,
    /// It differs from what the database has.
    pub dirty: bool,
}

impl Step {
    /// A step that another one added.
    pub fn added(position: i32, name: &str, input: Value) -> Self {
        Self {
            position,
            name: name.into(),
            input: Arc::new(input),
            state: StepState::Pending,
            attempt: 0,
            failures: 0,
            undo_attempt: 0,
            undo_began_at: None,
            retry_at: None,
            output: None,
            kept: None,
            error: None,
            started_at: None,
            finished_at: None,
            in_flight: false,
            stored: false,
            dirty: false,
        }
    }

    fn to_do(&self) -> bool {
        !self.in_flight && matches!(self.state, StepState::Pending | StepState::Running)
    }

    // Also the step that failed: a call that failed, or whose answer was lost, may have done its work.
    fn to_undo(&self) -> bool {
        self.attempt > 0 && !matches!(self.state, StepState::Undone | StepState::UndoFailed)
    }

    /// Why it did not succeed, if it was started and did not.
    pub fn failure(&self) -> Option<Value> {
        let started = self.attempt > 0 && self.state != StepState::Succeeded;
        started.then(|| self.error.clone().unwrap_or_else(interrupted))
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.retry_at.is_none_or(|at| at <= now)
    }
}

/// An operation in memory.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub target: Option<String>,
    pub input: Arc<Value>,
    pub policy: Policy,
    pub state: OperationState,
    /// Under unwind, set as soon as undoing is decided.
    pub error: Option<Value>,
    pub request_id: String,
    pub started_at: Option<DateTime<Utc>>,
    /// Why the operation is to pause, by a step's or a person's wish.
    pub pause: Option<String>,
    /// That was a person's wish, which can be taken back.
    pub pause_asked: bool,
    pub steps: Vec<Step>,
    /// The operation's own columns differ from what the database has.
    pub dirty: bool,
}

/// What the driver does next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Start these steps (indices).
    Start(Vec<usize>),
    /// Start undoing this step.
    Undo(usize),
    /// Wait for a step under way, or until the time.
    Wait(Option<DateTime<Utc>>),
    /// Stop here until someone resumes it.
    Pause(String),
    /// Leave it to another worker.
    Release,
    /// It is over.
    Close(OperationState, Option<Value>),
}

impl Image {
    /// Whether this process is on any step.
    pub fn is_busy(&self) -> bool {
        self.steps.iter().any(|step| step.in_flight)
    }

    /// What to do, given whether it is to be cancelled, whether this process is shutting down, and the time.
    pub fn next(&self, cancelling: bool, draining: bool, now: DateTime<Utc>) -> Next {
        let under_way = self.steps.iter().filter(|step| step.in_flight).count();
        let unwinding = self.policy == Policy::Unwind && (cancelling || self.error.is_some());
        let stop = |then: Next| if under_way > 0 { Next::Wait(None) } else { then };
        if cancelling && !unwinding {
            return stop(self.close_partial());
        }
        if let (Some(reason), false) = (&self.pause, cancelling) {
            return stop(Next::Pause(reason.clone()));
        }
        if draining {
            return stop(Next::Release);
        }
        if unwinding { stop(self.next_undo(now)) } else { self.next_do(under_way, now) }
    }

    fn next_do(&self, under_way: usize, now: DateTime<Utc>) -> Next {
        let mut left = self.steps.iter().enumerate().filter(|(_, step)| step.to_do()).peekable();
        if left.peek().is_none() {
            return if under_way > 0 { Next::Wait(None) } else { self.close_partial() };
        }
        let parallel = match self.policy {
            // In order: a step that waits for its next attempt holds up those behind it.
            Policy::Unwind if under_way == 0 => {
                return match left.next() {
                    Some((index, step)) if step.is_due(now) => Next::Start(vec![index]),
                    waiting => Next::Wait(waiting.and_then(|(_, step)| step.retry_at)),
                };
            }
            Policy::Unwind => return Next::Wait(None),
            Policy::Partial { parallel } => parallel.max(1),
        };
        let free = parallel.saturating_sub(under_way);
        if free == 0 {
            return Next::Wait(None);
        }
        let (due, waiting): (Vec<_>, Vec<_>) = left.partition(|(_, step)| step.is_due(now));
        if due.is_empty() {
            return Next::Wait(waiting.iter().filter_map(|(_, step)| step.retry_at).min());
        }
        Next::Start(due.into_iter().take(free).map(|(index, _)| index).collect())
    }

    fn next_undo(&self, now: DateTime<Utc>) -> Next {
        match self.steps.iter().enumerate().rev().find(|(_, step)| step.to_undo()) {
            Some((index, step)) if step.is_due(now) => Next::Undo(index),
            Some((_, step)) => Next::Wait(step.retry_at),
            None => self.close_unwound(),
        }
    }

    fn close_unwound(&self) -> Next {
        let left: Vec<Value> =
            self.steps.iter().filter(|step| step.state == StepState::UndoFailed).map(what_is_left).collect();
        if !left.is_empty() {
            let mut error = self.error.clone().unwrap_or_else(cancelled);
            if error["code"] == "cancelled" && error["step"].is_null() {
                error["detail"] = json!(NOT_ALL_UNDONE);
            }
            error["left"] = Value::Array(left);
            return Next::Close(OperationState::Failed, Some(error));
        }
        if self.steps.iter().all(|step| step.attempt == 0) {
            return Next::Close(OperationState::Cancelled, self.error.clone());
        }
        Next::Close(OperationState::Undone, Some(self.error.clone().unwrap_or_else(cancelled)))
    }

    fn close_partial(&self) -> Next {
        let count = |state| self.steps.iter().filter(|step| step.state == state).count();
        let (succeeded, failed) = (count(StepState::Succeeded), count(StepState::Failed));
        let state = if succeeded + failed < self.steps.len() {
            OperationState::Cancelled
        } else if failed == 0 {
            OperationState::Succeeded
        } else if succeeded == 0 {
            OperationState::Failed
        } else {
            OperationState::PartiallySucceeded
        };
        // One that nobody approved has a reason, and no step that failed.
        Next::Close(state, self.failed_steps().or_else(|| self.error.clone()))
    }

    fn failed_steps(&self) -> Option<Value> {
        let named = |step: &Step| Some(with_step(step.failure()?, &step.name));
        let mut failures: Vec<Value> = self.steps.iter().filter_map(named).collect();
        let (failed, of) = (failures.len(), self.steps.len());
        let first = failures.first()?["detail"].as_str().unwrap_or_default();
        let detail = format!("{failed} of {of} steps failed; the first: {first}");
        failures.truncate(50);
        Some(json!({ "code": "steps_failed", "detail": detail, "steps": failures }))
    }
}

/// What stands as the detail of an operation that was cancelled and has left something.
const NOT_ALL_UNDONE: &str = "The operation was cancelled, and not all that it had done could be undone.";

fn what_is_left(step: &Step) -> Value {
    let mut left = with_step(step.failure().unwrap_or_default(), &step.name);
    left["output"] = step.output.as_deref().cloned().unwrap_or_default();
    left
}

/// A failure together with the step it happened in.
pub(crate) fn with_step(mut error: Value, name: &str) -> Value {
    if !error.is_object() {
        error = json!({});
    }
    error["step"] = json!(name);
    error
}

/// What stands as the error of an operation that was undone because someone asked for its end.
pub(crate) fn cancelled() -> Value {
    json!({ "code": "cancelled", "detail": "The operation was cancelled, and what it had done was undone." })
}

fn interrupted() -> Value {
    json!({
        "code": "interrupted",
        "detail": "Its worker died while it was under way, and the operation ended before it was tried again.",
    })
}
