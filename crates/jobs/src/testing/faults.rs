//! A kind of operation that fails, repeats or hangs where it is told to, and otherwise is the one it wraps.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use marquee_db::{DbError, Org, Tx};
use tokio::sync::Notify;

use crate::{Backoff, OperationKind, OperationOutcome, StepContext, StepDone, StepError};

/// What goes wrong, at the step of that place. A step that waits ([`crate::Retry::Later`]) is let wait: what comes after its
/// work comes after all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The step fails for good, without having done anything.
    FailBefore(usize),
    /// The step fails for good, after having done all its work.
    FailAfter(usize),
    /// Every call, of undo too, is made twice.
    Twice,
    /// The call never begins: what a worker leaves that dies just after the step was written as running.
    HangBefore(usize),
    /// The call does its work and never answers: what a worker leaves that dies before it could write it down.
    HangAfter(usize),
    /// The step of the first place fails after its work, and the undo of the one so many before it hangs before its work.
    HangBeforeUndo(usize, usize),
    /// As before, but the undo hangs after its work.
    HangAfterUndo(usize, usize),
}

/// See the module.
pub struct Faulty {
    inner: Arc<dyn OperationKind>,
    fault: Fault,
    /// How often the fault happened.
    pub struck: Arc<AtomicUsize>,
    /// Told when a call hangs.
    pub hanging: Arc<Notify>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Faulty {
    /// `inner`, with a fault.
    pub fn new(inner: Arc<dyn OperationKind>, fault: Fault) -> Self {
        Self { inner, fault, struck: Arc::default(), hanging: Arc::default() }
    }

    fn strike(&self) {
        self.struck.fetch_add(1, Ordering::SeqCst);
    }

    async fn hang<T>(&self) -> T {
        self.strike();
        self.hanging.notify_one();
        std::future::pending().await
    }
}

fn place(ctx: &StepContext) -> usize {
    usize::try_from(ctx.position).unwrap_or_default()
}

fn planned() -> StepError {
    StepError::permanent("planned", "The test had it fail.")
}

#[async_trait]
impl OperationKind for Faulty {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        let step = place(ctx);
        match self.fault {
            Fault::FailBefore(at) if at == step => {
                self.strike();
                Err(planned())
            }
            Fault::FailAfter(at) | Fault::HangBeforeUndo(at, _) | Fault::HangAfterUndo(at, _)
                if at == step =>
            {
                self.inner.run_step(ctx).await?;
                self.strike();
                Err(planned())
            }
            Fault::HangBefore(at) if at == step => self.hang().await,
            Fault::HangAfter(at) if at == step => {
                self.inner.run_step(ctx).await?;
                self.hang().await
            }
            Fault::Twice => {
                self.inner.run_step(ctx).await?;
                self.strike();
                self.inner.run_step(ctx).await
            }
            _ => self.inner.run_step(ctx).await,
        }
    }

    async fn undo_step(&self, ctx: &StepContext) -> Result<(), StepError> {
        let step = place(ctx);
        match self.fault {
            Fault::HangBeforeUndo(failed, back) if step + back == failed => self.hang().await,
            Fault::HangAfterUndo(failed, back) if step + back == failed => {
                self.inner.undo_step(ctx).await?;
                self.hang().await
            }
            Fault::Twice | Fault::FailAfter(_) => {
                self.inner.undo_step(ctx).await?;
                self.inner.undo_step(ctx).await
            }
            _ => self.inner.undo_step(ctx).await,
        }
    }

    async fn finished(&self, tx: &mut Tx<Org>, outcome: &OperationOutcome) -> Result<(), DbError> {
        self.inner.finished(tx, outcome).await
    }

    fn attempts(&self, step: &str) -> u16 {
        self.inner.attempts(step)
    }

    fn backoff(&self, _step: &str) -> Backoff {
        Backoff { first: Duration::from_millis(1), most: Duration::from_millis(5) }
    }

    fn deadline(&self, step: &str) -> Duration {
        self.inner.deadline(step)
    }
}
