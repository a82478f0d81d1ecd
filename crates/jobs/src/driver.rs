//! Drives one operation, from the claim of its job until it is over, paused or left to another worker.
//!
//! The loop has one kind of transaction, the *step boundary*: prove the lease, lock the operation's row, see
//! what was asked of it (cancel, pause), decide, and write what ended together with what begins. A step is
//! started only after the commit that says so, and ends with the commit that says so; so at any moment the
//! database knows everything but whether a step that is written as running has done its work, and that is why
//! steps must be idempotent.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use marquee_db::{Db, DbError, Org, OrgContext, Tx};
use marquee_types::{Clock, OperationId, OperationState};
use serde_json::Value;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{Backoff, Jitter},
    change::Patience,
    failure::{StepError, is_lost},
    image::{Image, Next, StepState},
    kind::{OperationKind, OperationOutcome, StepContext, StepDone, StepOutcome},
    lease::Lease,
    operation,
    queue::{self, PutOff},
    save::{self, Counted},
};

/// An operation with nothing to do for longer than this gives its slot to others.
const WORTH_WAITING: TimeDelta = TimeDelta::seconds(2);

/// How a drive ended. Whatever it was, nothing more is to be done about the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drive {
    Over,
    Paused,
    Released,
    Lost,
}

/// One operation in the hands of this process.
pub(crate) struct Driver {
    pub kind: Arc<dyn OperationKind>,
    pub db: Db,
    pub clock: Clock,
    pub jitter: Jitter,
    pub lease: Lease,
    pub operation: OperationId,
    /// Told when somebody may have asked something of the operation.
    pub poke: Arc<Notify>,
    pub stopping: CancellationToken,
    pub context: OrgContext,
    /// Told to the steps under way when the operation is to be cancelled.
    pub cancelled: CancellationToken,
    /// The shutdown was seen at the last boundary.
    pub draining: bool,
}

/// What a boundary led to.
enum Turn {
    Start(Vec<usize>),
    Undo(usize),
    Wait(Option<DateTime<Utc>>),
    End(Drive),
}

enum Ended {
    Done(usize, Result<StepDone, StepError>),
    Undone(usize, Result<(), StepError>),
}

impl Driver {
    /// Drives until the end. An error means that the database refused something it should not have.
    pub async fn drive(mut self) -> Result<Drive, DbError> {
        let Some(mut image) = self.load().await? else {
            queue::delete(&self.db, &self.lease).await?;
            return Ok(Drive::Over);
        };
        self.context.request_id.clone_from(&image.request_id);
        image.give_up_on_killers(self.clock.now());
        let mut tasks = JoinSet::new();
        let mut counters = Vec::new();
        loop {
            self.draining = self.stopping.is_cancelled();
            let (turn, stored) = match self.boundary_with_patience(&image, &counters).await {
                Ok(turned) => turned,
                Err(error) if is_lost(&error) => return Ok(Drive::Lost),
                Err(error) => return Err(error),
            };
            image = stored;
            counters.clear();
            let until = match turn {
                Turn::End(end) => return Ok(end),
                Turn::Start(indices) => {
                    for index in indices {
                        self.start(&mut tasks, &image, index);
                    }
                    None
                }
                Turn::Undo(index) => {
                    self.start_undo(&mut tasks, &image, index);
                    None
                }
                Turn::Wait(until) => until,
            };
            self.wait(&mut tasks, until, &mut image, &mut counters).await;
        }
    }

    async fn load(&self) -> Result<Option<Image>, DbError> {
        let mut tx = self.db.org(&self.context)?;
        let image = save::load(&mut tx, self.operation).await?;
        tx.commit().await?;
        Ok(image)
    }

    /// [`Driver::boundary`], as often as the database is away. Steps under way go on meanwhile; if the lease
    /// is lost by then, the boundary says so.
    async fn boundary_with_patience(
        &self,
        image: &Image,
        counters: &[Counted],
    ) -> Result<(Turn, Image), DbError> {
        let backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(5) };
        let mut failures = 0;
        loop {
            match self.boundary(image.clone(), counters).await {
                Err(error) if error.is_unavailable() || error.is_retryable() => {
                    failures += 1;
                    tracing::warn!(operation = %self.operation, %error, "a step boundary has to wait");
                    tokio::time::sleep(backoff.delay(failures, &self.jitter)).await;
                }
                settled => return settled,
            }
        }
    }

    /// One step boundary: gives what was decided and the image as it is stored now.
    async fn boundary(&self, mut image: Image, counters: &[Counted]) -> Result<(Turn, Image), DbError> {
        let mut tx = self.db.org(&self.context)?;
        let (stored, pause) = save::boundary(&mut tx, &self.lease, self.operation).await?;
        let cancelling = stored == OperationState::Cancelling;
        if cancelling {
            self.cancelled.cancel();
            image.state = stored;
            image.pause = None;
        } else if pause.is_some() || image.pause_asked {
            // Also none: whoever asked for a pause may have thought better of it before it came to that.
            image.pause_asked = pause.is_some();
            image.pause = pause;
        }
        let (before, now) = (image.state, self.clock.now());
        let next = image.next(cancelling, self.draining, now);
        let turn = self.apply(&mut tx, &mut image, next, now).await?;
        for counted in counters {
            save::count_success_at_commit(&mut tx, self.operation, counted);
        }
        let finished_at = image.state.is_done().then_some(now);
        save::save_at_commit(&mut tx, self.operation, &image, finished_at);
        if image.state != before {
            operation::announce(&mut tx, self.operation);
        }
        tx.commit().await?;
        image.saved();
        Ok((turn, image))
    }

    /// Enters what was decided into the image and, as far as it concerns the job, into the transaction.
    async fn apply(
        &self,
        tx: &mut Tx<Org>,
        image: &mut Image,
        next: Next,
        now: DateTime<Utc>,
    ) -> Result<Turn, DbError> {
        Ok(match next {
            Next::Start(indices) => {
                for index in &indices {
                    image.begin(*index, now);
                }
                Turn::Start(indices)
            }
            Next::Undo(index) => {
                image.begin_undo(index, now);
                Turn::Undo(index)
            }
            Next::Wait(Some(at)) if at - now > WORTH_WAITING && !image.is_busy() => {
                queue::put_off_at_commit(tx, &self.lease, &PutOff::Until(at));
                Turn::End(Drive::Released)
            }
            Next::Wait(until) => Turn::Wait(until),
            Next::Release => {
                queue::put_off_at_commit(tx, &self.lease, &PutOff::GivenBack);
                Turn::End(Drive::Released)
            }
            Next::Pause(reason) => {
                image.pause = Some(reason);
                image.turn(OperationState::Paused);
                queue::delete_at_commit(tx, &self.lease);
                Turn::End(Drive::Paused)
            }
            Next::Close(state, error) => {
                self.close(tx, image, state, error).await?;
                Turn::End(Drive::Over)
            }
        })
    }

    async fn close(
        &self,
        tx: &mut Tx<Org>,
        image: &mut Image,
        state: OperationState,
        error: Option<Value>,
    ) -> Result<(), DbError> {
        image.close(state, error);
        let steps = image.steps.iter().map(|step| StepOutcome {
            name: Arc::clone(&step.name),
            input: Arc::clone(&step.input),
            state: step.state,
            output: step.output.clone(),
            error: step.error.clone(),
        });
        let outcome = OperationOutcome {
            operation: self.operation,
            target: image.target.clone(),
            input: Arc::clone(&image.input),
            state,
            error: image.error.clone(),
            steps: steps.collect(),
        };
        self.kind.finished(tx, &outcome).await?;
        queue::delete_at_commit(tx, &self.lease);
        let kind = self.kind.kind();
        tx.after_commit(move || {
            metrics::counter!("operations_finished_total", "kind" => kind, "state" => state.as_str())
                .increment(1);
        });
        Ok(())
    }

    fn start(&self, tasks: &mut JoinSet<Ended>, image: &Image, index: usize) {
        let context = self.step_context(image, index, image.steps[index].attempt);
        let kind = Arc::clone(&self.kind);
        tasks.spawn(async move {
            let deadline = kind.deadline(&context.name);
            Ended::Done(index, guarded(deadline, kind.run_step(&context)).await)
        });
    }

    fn start_undo(&self, tasks: &mut JoinSet<Ended>, image: &Image, index: usize) {
        let context = self.step_context(image, index, image.steps[index].undo_attempt);
        let kind = Arc::clone(&self.kind);
        tasks.spawn(async move {
            let deadline = kind.deadline(&context.name);
            Ended::Undone(index, guarded(deadline, kind.undo_step(&context)).await)
        });
    }

    fn step_context(&self, image: &Image, index: usize, attempt: i32) -> StepContext {
        let step = &image.steps[index];
        let earlier =
            image.steps.iter().filter_map(|step| Some((Arc::clone(&step.name), step.output.clone()?)));
        StepContext {
            db: self.db.clone(),
            clock: self.clock.clone(),
            organization: self.lease.organization,
            operation: self.operation,
            target: image.target.clone(),
            operation_input: Arc::clone(&image.input),
            position: step.position,
            name: Arc::clone(&step.name),
            input: Arc::clone(&step.input),
            attempt: attempt.unsigned_abs(),
            undo_began_at: step.undo_began_at,
            output: step.output.clone(),
            kept: step.kept.clone(),
            earlier: earlier.collect(),
            lease: self.lease,
            context: self.context.clone(),
            cancelled: self.cancelled.clone(),
            stopping: self.stopping.clone(),
        }
    }

    /// Waits until there is a reason for the next boundary, and takes in what ended by then.
    async fn wait(
        &self,
        tasks: &mut JoinSet<Ended>,
        until: Option<DateTime<Utc>>,
        image: &mut Image,
        counters: &mut Vec<Counted>,
    ) {
        // The clock may be moved by hand, and the machine's may jump: look again every second.
        let nap = until.map(|at| {
            (at - self.clock.now())
                .to_std()
                .unwrap_or_default()
                .clamp(Duration::from_millis(1), Duration::from_secs(1))
        });
        let asleep = async {
            match nap {
                Some(nap) => tokio::time::sleep(nap).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = tasks.join_next() => self.take_in(ended, image, counters),
            () = self.poke.notified() => {}
            () = self.stopping.cancelled(), if !self.draining => {}
            () = asleep => {}
        }
        while let Some(ended) = tasks.try_join_next() {
            self.take_in(ended, image, counters);
        }
    }

    fn take_in(
        &self,
        ended: Result<Ended, tokio::task::JoinError>,
        image: &mut Image,
        counters: &mut Vec<Counted>,
    ) {
        // A task cannot panic (see `guarded`) and nobody aborts it.
        let Ok(ended) = ended else { return };
        let now = self.clock.now();
        let (Ended::Done(index, _) | Ended::Undone(index, _)) = ended;
        let name = Arc::clone(&image.steps[index].name);
        let patience = Patience {
            attempts: self.kind.attempts(&name),
            backoff: self.kind.backoff(&name),
            jitter: &self.jitter,
        };
        match ended {
            Ended::Done(_, answer) => {
                if let Ok(StepDone { progress: delta @ Value::Object(_), .. }) = &answer {
                    let position = image.steps[index].position;
                    counters.push(Counted { position, delta: delta.clone() });
                }
                image.fold(index, answer, patience, now);
            }
            Ended::Undone(_, answer) => image.fold_undo(index, answer, patience, now),
        }
        report(self.kind.kind(), image.steps[index].state);
    }
}

fn report(kind: &'static str, state: StepState) {
    metrics::counter!("operation_steps_total", "kind" => kind, "state" => state.as_str()).increment(1);
}

/// Runs work of the application's within its deadline; a panic is a failure like any other.
pub(crate) async fn guarded<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    match tokio::time::timeout(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => Err(StepError::transient("panic", said(&*panic))),
        Err(_) => {
            let detail = format!("It took longer than the {} s it may take.", deadline.as_secs_f64());
            Err(StepError::transient("deadline", detail))
        }
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("It panicked: {}", text.unwrap_or("without a message"))
}
