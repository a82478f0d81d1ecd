//! How an operation's image changes: a step begins, a step or an undo ends, the operation itself turns.
//!
//! Pure like [`crate::image`]: time and chance come in as values.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_types::OperationState;
use serde_json::Value;

use crate::{
    backoff::{Backoff, Jitter},
    failure::{Retry, StepError},
    image::{Image, Step, StepState, cancelled, with_step},
    kind::StepDone,
    operation::Policy,
};

/// A step that was started this often without ever giving an answer kills its workers: it fails.
const SILENT_STARTS: i32 = 50;

/// How often and how patiently a step is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub attempts: u16,
    pub backoff: Backoff,
    pub jitter: &'a Jitter,
}

impl Image {
    /// The steps that only ever end with the worker's death fail, for the others' sake.
    pub fn give_up_on_killers(&mut self, now: DateTime<Utc>) {
        for index in 0..self.steps.len() {
            let step = &self.steps[index];
            if step.state == StepState::Running && step.attempt - step.failures >= SILENT_STARTS {
                let detail =
                    format!("The step was started {} times and its worker died each time.", step.attempt);
                self.fail(index, &StepError::permanent("worker_lost", detail), now);
            } else if step.state == StepState::Undoing && step.undo_attempt - step.failures >= SILENT_STARTS {
                let detail = format!(
                    "Its undo was started {} times and the worker died each time.",
                    step.undo_attempt
                );
                let step = &mut self.steps[index];
                step.state = StepState::UndoFailed;
                step.error = Some(StepError::permanent("worker_lost", detail).to_json());
                step.finished_at = Some(now);
                step.dirty = true;
            }
        }
    }

    /// A step is started.
    pub fn begin(&mut self, index: usize, now: DateTime<Utc>) {
        let step = &mut self.steps[index];
        step.state = StepState::Running;
        step.attempt += 1;
        step.started_at.get_or_insert(now);
        step.took_off();
        if self.state == OperationState::Pending || self.started_at.is_none() {
            self.started_at.get_or_insert(now);
            self.turn(OperationState::Running);
        }
    }

    /// The undo of a step is started.
    pub fn begin_undo(&mut self, index: usize, now: DateTime<Utc>) {
        let step = &mut self.steps[index];
        if step.state != StepState::Undoing {
            step.failures = 0;
        }
        step.state = StepState::Undoing;
        step.undo_attempt += 1;
        step.undo_began_at.get_or_insert(now);
        step.finished_at = None;
        step.took_off();
        if self.error.is_none() {
            self.error = Some(cancelled());
            self.dirty = true;
        }
        if self.state != OperationState::Undoing {
            self.turn(OperationState::Undoing);
        }
    }

    /// The operation itself changes.
    pub fn turn(&mut self, state: OperationState) {
        self.state = state;
        self.dirty = true;
    }

    /// The operation is over: what was never started never will be, and what was started and not brought to an
    /// end has failed.
    pub fn close(&mut self, state: OperationState, error: Option<Value>) {
        let open = |step: &&mut Step| matches!(step.state, StepState::Pending | StepState::Running);
        for step in self.steps.iter_mut().filter(open) {
            step.state = if step.attempt == 0 { StepState::Skipped } else { StepState::Failed };
            step.error = step.failure();
            step.retry_at = None;
            step.dirty = true;
        }
        self.error = error;
        self.pause = None;
        self.turn(state);
    }

    /// A step answered.
    pub fn fold(
        &mut self,
        index: usize,
        answer: Result<StepDone, StepError>,
        patience: Patience<'_>,
        now: DateTime<Utc>,
    ) {
        self.steps[index].landed();
        match answer {
            Ok(done) => self.succeed(index, done, now),
            Err(error) => match self.steps[index].wait_after(&error, patience, now) {
                Verdict::Again => self.note_pause(&error),
                Verdict::GiveUp => self.fail(index, &error, now),
            },
        }
    }

    /// An undo answered.
    pub fn fold_undo(
        &mut self,
        index: usize,
        answer: Result<(), StepError>,
        patience: Patience<'_>,
        now: DateTime<Utc>,
    ) {
        let step = &mut self.steps[index];
        step.landed();
        let Err(error) = answer else {
            step.state = StepState::Undone;
            step.kept = None;
            step.finished_at = Some(now);
            return;
        };
        match step.wait_after(&error, patience, now) {
            Verdict::Again => {
                step.state = StepState::Undoing;
                self.note_pause(&error);
            }
            Verdict::GiveUp => {
                step.state = StepState::UndoFailed;
                step.finished_at = Some(now);
            }
        }
    }

    fn succeed(&mut self, index: usize, done: StepDone, now: DateTime<Utc>) {
        let step = &mut self.steps[index];
        step.state = StepState::Succeeded;
        step.output = Some(Arc::new(done.output));
        step.kept = None;
        step.error = None;
        step.retry_at = None;
        step.finished_at = Some(now);
        for (position, new) in (next_position(&self.steps)..).zip(done.then) {
            self.steps.push(Step::added(position, &new.name, new.input));
        }
    }

    fn fail(&mut self, index: usize, error: &StepError, now: DateTime<Utc>) {
        let step = &mut self.steps[index];
        step.state = StepState::Failed;
        step.error = Some(error.to_json());
        step.retry_at = None;
        step.finished_at = Some(now);
        step.dirty = true;
        if self.policy == Policy::Unwind && self.error.is_none() {
            self.error = Some(with_step(error.to_json(), &step.name));
            self.dirty = true;
        }
    }

    fn note_pause(&mut self, error: &StepError) {
        if error.retry == Retry::Pause {
            self.pause = Some(error.detail.chars().take(2000).collect());
            self.pause_asked = false;
        }
    }

    /// What is in the database now is what is here.
    pub fn saved(&mut self) {
        self.dirty = false;
        for step in &mut self.steps {
            step.dirty = false;
            step.stored = true;
        }
    }
}

fn next_position(steps: &[Step]) -> i32 {
    steps.last().map_or(0, |step| step.position + 1)
}

enum Verdict {
    Again,
    GiveUp,
}

impl Step {
    fn took_off(&mut self) {
        self.retry_at = None;
        self.in_flight = true;
        self.dirty = true;
    }

    fn landed(&mut self) {
        self.in_flight = false;
        self.dirty = true;
    }

    /// Notes the failure and, if it may be tried again, when.
    fn wait_after(&mut self, error: &StepError, patience: Patience<'_>, now: DateTime<Utc>) -> Verdict {
        self.error = Some(error.to_json());
        if let Some(kept) = &error.kept {
            self.kept = Some(Arc::new(kept.clone()));
        }
        if let Retry::Later(wait) = error.retry {
            // A look is no attempt; and whatever failed before it is over, however long it is waited for.
            let starts =
                if self.state == StepState::Undoing { &mut self.undo_attempt } else { &mut self.attempt };
            *starts = (*starts - 1 - self.failures).max(1);
            self.failures = 0;
            self.state = StepState::Pending;
            self.retry_at = Some(later(now, wait));
            return Verdict::Again;
        }
        self.failures += 1;
        self.state = StepState::Pending;
        let wait = match error.retry {
            Retry::Never => return Verdict::GiveUp,
            Retry::Pause => return Verdict::Again,
            _ if self.failures >= i32::from(patience.attempts) => return Verdict::GiveUp,
            Retry::After(wait) | Retry::Later(wait) => wait,
            Retry::Backoff => patience.backoff.delay(self.failures.unsigned_abs(), patience.jitter),
        };
        self.retry_at = Some(later(now, wait));
        Verdict::Again
    }
}

/// `now` and `wait` more, or as late as time goes.
pub(crate) fn later(now: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| now.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
