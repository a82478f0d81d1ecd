//! Operations as those see them who ask for them: start, look, wait, cancel, pause, resume.
//!
//! Starting writes the operation, its steps and the job that drives it in the caller's transaction. Everything
//! after that is the [driver](crate::driver)'s, which looks at what was asked of it at every step boundary.

use std::time::Duration;

use marquee_db::{Db, DbError, Notice, Org, OrgContext, Tx};
use marquee_types::{OperationId, OperationState, OrganizationId};
use serde_json::Value;

use crate::{
    job::wake_workers,
    queue::organization,
    record::{self, OperationRow, StepRow},
};

/// The notice channel for changes of operations. The payload is `org_…/op_…`.
pub const OPERATIONS_CHANNEL: &str = "operations";
/// The notice channel that tells a driver to look what is asked of its operation. The payload is `op_…`.
pub(crate) const ASK_CHANNEL: &str = "operation_asks";

/// What a failed step means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// All or nothing: steps run one after the other; when one fails for good, every step that was ever
    /// started is undone, in reverse.
    Unwind,
    /// Each for itself: up to `parallel` (at least 1) steps at once; each succeeds or fails alone.
    Partial {
        /// How many steps run at once.
        parallel: usize,
    },
}

/// A step to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStep {
    /// What it is called, for people and for the operation's kind; unique within the operation by custom.
    pub name: String,
    /// What it needs to know; never a secret.
    pub input: Value,
}

impl NewStep {
    /// A step.
    pub fn new(name: impl Into<String>, input: Value) -> Self {
        Self { name: name.into(), input }
    }
}

/// A long change to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// Which [`crate::OperationKind`] does it.
    pub kind: &'static str,
    /// The id of what is worked on.
    pub target: Option<String>,
    /// What all steps need to know; never a secret.
    pub input: Value,
    /// What a failed step means for the others.
    pub policy: Policy,
    /// In order; steps may add more.
    pub steps: Vec<NewStep>,
    /// At most one operation of this kind that is not done has the key.
    pub dedup_key: Option<String>,
    /// Who asked: `user:usr_…`, `api_key:key_…`, `reconciler:<name>`.
    pub requested_by: String,
}

/// What starting an operation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// A new one.
    New(OperationId),
    /// One with the same key was under way.
    Joined(OperationId),
}

impl Started {
    /// The operation that does it.
    pub fn id(self) -> OperationId {
        match self {
            Self::New(id) | Self::Joined(id) => id,
        }
    }
}

/// What asking for the end of an operation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It will stop at the next step boundary; under [`Policy::Unwind`] what was done is then undone.
    Cancelling,
    /// It is undoing already, and will end by itself.
    Undoing,
    /// It is done.
    Done(OperationState),
    /// There is none with this id in the organization.
    NotFound,
}

/// What asking an operation to pause or to go on led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseOutcome {
    /// It will pause at the next step boundary; or it goes on.
    Accepted,
    /// In this state it can do neither.
    Refused(OperationState),
    /// There is none with this id in the organization.
    NotFound,
}

/// What approving or refusing an operation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalOutcome {
    /// It begins; or it ends without having begun.
    Accepted,
    /// It does not await approval.
    Refused(OperationState),
    /// There is none with this id in the organization.
    NotFound,
}

/// Starts an operation, or joins the one under way with the same key. It exists if and when the transaction
/// commits.
pub async fn start_operation(tx: &mut Tx<Org>, operation: NewOperation) -> Result<Started, DbError> {
    let started = record::insert(tx, &operation, OperationState::Pending).await?;
    if let Started::New(id) = started {
        wake_workers(tx);
        announce(tx, id);
    }
    Ok(started)
}

/// Writes an operation down that somebody has to approve first: nothing drives it until [`approve_operation`].
pub async fn propose_operation(tx: &mut Tx<Org>, operation: NewOperation) -> Result<Started, DbError> {
    let started = record::insert(tx, &operation, OperationState::AwaitingApproval).await?;
    if let Started::New(id) = started {
        announce(tx, id);
    }
    Ok(started)
}

/// Lets an operation begin that awaits approval.
pub async fn approve_operation(tx: &mut Tx<Org>, id: OperationId) -> Result<ApprovalOutcome, DbError> {
    match record::lock(tx, id).await? {
        None => Ok(ApprovalOutcome::NotFound),
        Some(OperationState::AwaitingApproval) => {
            record::approve(tx, id).await?;
            drive(tx, id).await?;
            Ok(ApprovalOutcome::Accepted)
        }
        Some(state) => Ok(ApprovalOutcome::Refused(state)),
    }
}

/// Ends an operation that awaits approval, as cancelled and with `error` as the reason: `{"code", "detail"}`.
pub async fn refuse_operation(
    tx: &mut Tx<Org>,
    id: OperationId,
    error: Value,
) -> Result<ApprovalOutcome, DbError> {
    match record::lock(tx, id).await? {
        None => Ok(ApprovalOutcome::NotFound),
        Some(OperationState::AwaitingApproval) => {
            record::refuse(tx, id, &error).await?;
            drive(tx, id).await?;
            Ok(ApprovalOutcome::Accepted)
        }
        Some(state) => Ok(ApprovalOutcome::Refused(state)),
    }
}

/// Asks an operation to stop at the next step boundary. Asking twice is no error.
pub async fn cancel_operation(tx: &mut Tx<Org>, id: OperationId) -> Result<CancelOutcome, DbError> {
    use OperationState as S;
    let Some(state) = record::lock(tx, id).await? else { return Ok(CancelOutcome::NotFound) };
    match state {
        S::Undoing => Ok(CancelOutcome::Undoing),
        S::Cancelling => Ok(CancelOutcome::Cancelling),
        S::Pending | S::AwaitingApproval | S::Running | S::Paused => {
            record::request_cancel(tx, id).await?;
            drive(tx, id).await?;
            Ok(CancelOutcome::Cancelling)
        }
        S::Succeeded | S::PartiallySucceeded | S::Failed | S::Undone | S::Cancelled => {
            Ok(CancelOutcome::Done(state))
        }
    }
}

/// Has a step that waits ([`crate::StepError::later`]) looked at now rather than when its time has passed.
pub async fn hasten_step(tx: &mut Tx<Org>, id: OperationId, position: i32) -> Result<(), DbError> {
    record::hasten_step(tx, id, position).await?;
    wake_workers(tx);
    Ok(())
}

/// Asks an operation to pause at the next step boundary, for a reason that it then shows.
pub async fn pause_operation(
    tx: &mut Tx<Org>,
    id: OperationId,
    reason: &str,
) -> Result<PauseOutcome, DbError> {
    use OperationState as S;
    let Some(state) = record::lock(tx, id).await? else { return Ok(PauseOutcome::NotFound) };
    if !matches!(state, S::Pending | S::Running | S::Undoing) {
        return Ok(PauseOutcome::Refused(state));
    }
    record::request_pause(tx, id, reason).await?;
    drive(tx, id).await?;
    Ok(PauseOutcome::Accepted)
}

/// Lets a paused operation go on where it stopped; one that was asked to pause and has not yet come to it does not.
pub async fn resume_operation(tx: &mut Tx<Org>, id: OperationId) -> Result<PauseOutcome, DbError> {
    let Some(state) = record::lock(tx, id).await? else { return Ok(PauseOutcome::NotFound) };
    if state != OperationState::Paused && !record::is_to_pause(tx, id).await? {
        return Ok(PauseOutcome::Refused(state));
    }
    record::resume(tx, id).await?;
    drive(tx, id).await?;
    Ok(PauseOutcome::Accepted)
}

/// The operation, without its steps.
pub async fn find_operation(tx: &mut Tx<Org>, id: OperationId) -> Result<Option<OperationRow>, DbError> {
    record::find(tx, id).await
}

/// The steps of an operation, in order.
pub async fn operation_steps(tx: &mut Tx<Org>, id: OperationId) -> Result<Vec<StepRow>, DbError> {
    record::steps(tx, id).await
}

/// Waits until the operation is done, or for `at_most`; gives it as it is then. Woken by notices; if they are
/// all lost it looks every second.
pub async fn wait_operation(
    db: &Db,
    context: &OrgContext,
    id: OperationId,
    at_most: Duration,
) -> Result<Option<OperationRow>, DbError> {
    let mut notices = db.notices().subscribe(OPERATIONS_CHANNEL);
    let payload = announcement(context.organization, id);
    let deadline = tokio::time::Instant::now() + at_most;
    loop {
        let mut tx = db.org(context)?;
        let found = find_operation(&mut tx, id).await?;
        tx.commit().await?;
        let now = tokio::time::Instant::now();
        if found.as_ref().is_none_or(|operation| operation.state.is_done()) || now >= deadline {
            return Ok(found);
        }
        let look_again = deadline.min(now + Duration::from_secs(1));
        let told = async {
            // Either way the row is read again: a notice is a hint, never the news itself.
            while let Notice::Message(said) = notices.recv().await {
                if said == payload {
                    break;
                }
            }
        };
        let _told_or_time_is_up = tokio::time::timeout_at(look_again, told).await;
    }
}

/// Makes sure that a worker looks at the operation now.
async fn drive(tx: &mut Tx<Org>, id: OperationId) -> Result<(), DbError> {
    record::ensure_driver(tx, id).await?;
    wake_workers(tx);
    announce(tx, id);
    let notices = tx.notices();
    tx.after_commit(move || notices.publish(ASK_CHANNEL, &id.to_string()));
    Ok(())
}

/// After the commit, tells whoever listens that the operation changed.
pub(crate) fn announce(tx: &mut Tx<Org>, id: OperationId) {
    let payload = announcement(OrganizationId::from(organization(tx)), id);
    let notices = tx.notices();
    tx.after_commit(move || notices.publish(OPERATIONS_CHANNEL, &payload));
}

fn announcement(organization: OrganizationId, id: OperationId) -> String {
    format!("{organization}/{id}")
}
