//! What the application writes for one kind of operation: how a step is done, how it is undone, and what
//! belongs into the transaction that closes it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use marquee_db::{Db, DbError, Org, OrgContext, Tx};
use marquee_types::{Clock, OperationId, OperationState, OrganizationId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{backoff::Backoff, failure::StepError, image::StepState, lease::Lease, operation::NewStep, save};

/// What a step did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepDone {
    /// What its undo and later steps need to know; shown with the step.
    pub output: Value,
    /// Steps to be done as well; they go behind all there are.
    pub then: Vec<NewStep>,
    /// Counters to be merged into the operation's progress in the commit that records this success, so that
    /// they count exactly once. Null for none.
    pub progress: Value,
}

impl StepDone {
    /// Done, with something to remember.
    pub fn with(output: Value) -> Self {
        Self { output, ..Self::default() }
    }
}

/// Does the operations of one kind.
///
/// Both `run_step` and `undo_step` are started at least once and may be started again after a crash at any
/// point, also after they had done all their work: they must be idempotent. [`StepContext::token`] is the same
/// at every attempt and is what to give a cloud that accepts tokens.
#[async_trait]
pub trait OperationKind: Send + Sync + 'static {
    /// The kind, unique in the installation, `snake_case`.
    fn kind(&self) -> &'static str;

    /// Does one step.
    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError>;

    /// Undoes one step that was started: whether it had succeeded, had failed half-way or was interrupted is
    /// for the implementation to find out ([`StepContext::output`] is there only if it had succeeded). Undoing
    /// what is not there is a success.
    async fn undo_step(&self, _ctx: &StepContext) -> Result<(), StepError> {
        Ok(())
    }

    /// Runs in the transaction that closes the operation.
    async fn finished(&self, _tx: &mut Tx<Org>, _outcome: &OperationOutcome) -> Result<(), DbError> {
        Ok(())
    }

    /// How often a step, and then its undo, may fail before that is final.
    fn attempts(&self, _step: &str) -> u16 {
        5
    }

    /// The wait between attempts.
    fn backoff(&self, _step: &str) -> Backoff {
        Backoff::default()
    }

    /// A step or an undo that takes longer is stopped and has failed.
    fn deadline(&self, _step: &str) -> Duration {
        Duration::from_hours(1)
    }
}

/// One attempt at one step or at its undo.
#[derive(Clone)]
pub struct StepContext {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Whose operation it is.
    pub organization: OrganizationId,
    /// The operation.
    pub operation: OperationId,
    /// The id of what is worked on.
    pub target: Option<String>,
    /// What all steps know.
    pub operation_input: Arc<Value>,
    /// The step's place.
    pub position: i32,
    /// The step's name.
    pub name: Arc<str>,
    /// The step's own input.
    pub input: Arc<Value>,
    /// 1 for the first attempt; the undo counts for itself.
    pub attempt: u32,
    /// When the first attempt at its undo began, whichever worker made it; none while it is done. What an undo waits for is
    /// counted from there: a wait that begins anew with each worker never ends where workers die sooner.
    pub undo_began_at: Option<DateTime<Utc>>,
    /// What this step gave when it succeeded; for its undo.
    pub output: Option<Arc<Value>>,
    /// What the last attempt that waits left to be gone on with ([`StepError::keeping`]): the undo finds there what a step
    /// that was not brought to its end had begun, until it leaves something of its own.
    pub kept: Option<Arc<Value>>,
    pub(crate) earlier: Arc<[(Arc<str>, Arc<Value>)]>,
    pub(crate) lease: Lease,
    pub(crate) context: OrgContext,
    pub(crate) cancelled: CancellationToken,
    pub(crate) stopping: CancellationToken,
}

impl StepContext {
    /// A transaction inside the operation's organization, as actor `worker:<kind>`.
    pub fn org(&self) -> Result<Tx<Org>, DbError> {
        self.db.org(&self.context)
    }

    /// Whose transactions [`StepContext::org`] makes.
    pub fn context(&self) -> &OrgContext {
        &self.context
    }

    /// The same text at every attempt of this step, and no other step's: for clouds that take an idempotency
    /// token.
    pub fn token(&self) -> String {
        format!("{}-{}", self.operation, self.position)
    }

    /// What a step that succeeded earlier gave; if several have the name, the last.
    pub fn output_of(&self, step: &str) -> Option<&Value> {
        self.earlier.iter().rev().find(|(name, _)| &**name == step).map(|(_, output)| &**output)
    }

    /// Fails (see [`crate::lease_was_lost`]) if another worker has the operation by now; if not, none can get
    /// it before this transaction ends. Call it in every transaction whose writes would harm if they came late.
    pub async fn fence(&self, tx: &mut Tx<Org>) -> Result<(), DbError> {
        self.lease.hold(tx).await
    }

    /// Merges counters into the operation's progress when `tx` commits: numbers add, objects merge, anything
    /// else replaces. A step that is run again counts again; what must count once goes into
    /// [`StepDone::progress`], or is written as a value that replaces.
    pub fn progress(&self, tx: &mut Tx<Org>, delta: Value) {
        save::count_at_commit(tx, self.operation, delta);
    }

    /// Whether the operation was asked to stop: a long step may return early, as failed or as done.
    pub fn cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Completes when the operation is asked to stop.
    pub async fn until_cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Whether the process is shutting down: a long step should come to a good place to be taken up again.
    pub fn stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("operation", &self.operation)
            .field("name", &self.name)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct OperationOutcome {
    /// The operation.
    pub operation: OperationId,
    /// The id of what was worked on.
    pub target: Option<String>,
    /// What all steps knew.
    pub input: Arc<Value>,
    /// Its final state.
    pub state: OperationState,
    /// Why it did not wholly succeed.
    pub error: Option<Value>,
    /// Its steps, in order.
    pub steps: Vec<StepOutcome>,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    /// Its name.
    pub name: Arc<str>,
    /// What it knew.
    pub input: Arc<Value>,
    /// Its final state.
    pub state: StepState,
    /// What it gave, if it succeeded.
    pub output: Option<Arc<Value>>,
    /// Its last failure.
    pub error: Option<Value>,
}
