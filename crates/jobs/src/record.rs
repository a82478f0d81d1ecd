//! All SQL about the tables `operations` and `operation_steps`.
//!
//! Lock order, everywhere: the job's lease, then the operation's row. What comes from outside (cancel, pause,
//! resume) locks the operation's row alone and only then touches the job.

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::{OperationId, OperationState};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    image::StepState,
    job::NewJob,
    operation::{NewOperation, Policy, Started},
    queue::{self, organization, origin},
};

/// The kind of the job that drives operations of `kind`. Per kind, so that a process only claims what it knows.
pub(crate) fn driver_kind(kind: &str) -> String {
    format!("operation:{kind}")
}

/// An operation as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRow {
    /// Its id.
    pub id: OperationId,
    /// What kind of change.
    pub kind: String,
    /// The id of what is worked on.
    pub target: Option<String>,
    /// What all steps know.
    pub input: Value,
    /// Where it stands.
    pub state: OperationState,
    /// Why it is, or is about to be, paused.
    pub pause_reason: Option<String>,
    /// The counters of its steps.
    pub progress: Value,
    /// Why it did not wholly succeed: `{"code", "detail", …}`.
    pub error: Option<Value>,
    /// Who asked.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first step started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A step as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Its place, from 0.
    pub position: i32,
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub state: StepState,
    /// How often it was started.
    pub attempt: i32,
    /// What it says it did.
    pub output: Option<Value>,
    /// Its last failure: `{"code", "detail"}`.
    pub error: Option<Value>,
    /// Not to be tried again before.
    pub retry_at: Option<DateTime<Utc>>,
    /// When it was first started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub finished_at: Option<DateTime<Utc>>,
}

const INSERT: &str = "
INSERT INTO operations (organization_id, id, kind, target, input, policy, parallel, dedup_key, requested_by,
                        request_id, created_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (organization_id, kind, dedup_key) WHERE dedup_key IS NOT NULL AND NOT done DO NOTHING";

const FIND_DUPLICATE: &str = "
SELECT id FROM operations WHERE organization_id = $1 AND kind = $2 AND dedup_key = $3 AND NOT done";

pub(crate) const INSERT_STEPS: &str = "
INSERT INTO operation_steps (organization_id, operation_id, position, name, input)
SELECT $1, $2, step.position, step.name, step.input
FROM unnest($3::integer[], $4::text[], $5::jsonb[]) AS step (position, name, input)
ON CONFLICT (organization_id, operation_id, position) DO NOTHING";

/// Inserts an operation with its steps and, unless it awaits approval, its driver; or finds the one with its key.
pub(crate) async fn insert(
    tx: &mut Tx<Org>,
    new: &NewOperation,
    state: OperationState,
) -> Result<Started, DbError> {
    let (organization, request_id) = origin(tx);
    let id = OperationId::new();
    let (policy, parallel) = match new.policy {
        Policy::Unwind => ("unwind", 1),
        Policy::Partial { parallel } => ("partial", i32::try_from(parallel.clamp(1, 1000)).unwrap_or(1)),
    };
    let now = tx.clock().now();
    loop {
        let inserted = tx
            .execute(
                INSERT,
                &[
                    &organization,
                    &id.uuid(),
                    &new.kind,
                    &new.target,
                    &new.input,
                    &policy,
                    &parallel,
                    &new.dedup_key,
                    &new.requested_by,
                    &request_id,
                    &now,
                    &state.as_str(),
                ],
            )
            .await?;
        if inserted == 1 {
            break;
        }
        // The one that stood in the way may be done by the time we look for it: then there is room for ours.
        if let Some(row) = tx.query_opt(FIND_DUPLICATE, &[&organization, &new.kind, &new.dedup_key]).await? {
            return Ok(Started::Joined(OperationId::from(row.get::<_, Uuid>(0))));
        }
    }
    let names: Vec<&str> = new.steps.iter().map(|step| step.name.as_str()).collect();
    let inputs: Vec<&Value> = new.steps.iter().map(|step| &step.input).collect();
    let positions: Vec<i32> = (0..).take(names.len()).collect();
    tx.execute(INSERT_STEPS, &[&organization, &id.uuid(), &positions, &names, &inputs]).await?;
    if state == OperationState::Pending {
        insert_driver(tx, id, new.kind).await?;
    }
    Ok(Started::New(id))
}

async fn insert_driver(tx: &mut Tx<Org>, id: OperationId, kind: &str) -> Result<(), DbError> {
    let mut job = NewJob::new("operation", json!({ "operation": id }));
    job.dedup_key = Some(id.to_string());
    // A driver is started again as often as workers die; what limits attempts are the steps.
    queue::insert_as(tx, &job, &driver_kind(kind), i32::MAX).await.map(drop)
}

const HASTEN_DRIVER: &str = "
UPDATE jobs SET state = 'ready', run_at = $4
WHERE organization_id = $1 AND kind = $2 AND dedup_key = $3 AND state = 'waiting'";

const HASTEN_STEP: &str = "
UPDATE operation_steps SET retry_at = NULL
WHERE organization_id = $1 AND operation_id = $2 AND position = $3 AND state = 'pending' AND retry_at IS NOT NULL";

/// A step that waits is due, and a driver that sleeps until then wakes. A driver that is awake looks when the time has passed.
pub(crate) async fn hasten_step(tx: &mut Tx<Org>, id: OperationId, position: i32) -> Result<(), DbError> {
    let owner = organization(tx);
    let Some(row) = tx.query_opt(KIND, &[&owner, &id.uuid()]).await? else { return Ok(()) };
    let kind = driver_kind(row.get(0));
    tx.execute(HASTEN_STEP, &[&owner, &id.uuid(), &position]).await?;
    let now = tx.clock().now();
    tx.execute(HASTEN_DRIVER, &[&owner, &kind, &id.to_string(), &now]).await.map(drop)
}

const KIND: &str = "SELECT kind FROM operations WHERE organization_id = $1 AND id = $2";

/// Makes sure that the operation, whose row the caller has locked, has a driver that is not asleep.
pub(crate) async fn ensure_driver(tx: &mut Tx<Org>, id: OperationId) -> Result<(), DbError> {
    let owner = organization(tx);
    let kind: String = tx.query_one(KIND, &[&owner, &id.uuid()]).await?.get(0);
    insert_driver(tx, id, &kind).await?;
    let now = tx.clock().now();
    tx.execute(HASTEN_DRIVER, &[&owner, &driver_kind(&kind), &id.to_string(), &now]).await.map(drop)
}

const LOCK: &str = "
SELECT state FROM operations WHERE organization_id = $1 AND id = $2 FOR NO KEY UPDATE";

/// Locks the operation's row and tells where it stands.
pub(crate) async fn lock(tx: &mut Tx<Org>, id: OperationId) -> Result<Option<OperationState>, DbError> {
    let row = tx.query_opt(LOCK, &[&organization(tx), &id.uuid()]).await?;
    Ok(row.map(|row| state(&row, 0)))
}

const CANCEL: &str = "
UPDATE operations SET state = 'cancelling', pause_reason = NULL WHERE organization_id = $1 AND id = $2";

/// The operation, locked before, is to stop.
pub(crate) async fn request_cancel(tx: &mut Tx<Org>, id: OperationId) -> Result<(), DbError> {
    tx.execute(CANCEL, &[&organization(tx), &id.uuid()]).await.map(drop)
}

const APPROVE: &str = "UPDATE operations SET state = 'pending' WHERE organization_id = $1 AND id = $2";

/// The operation, locked before, need not await approval any longer.
pub(crate) async fn approve(tx: &mut Tx<Org>, id: OperationId) -> Result<(), DbError> {
    tx.execute(APPROVE, &[&organization(tx), &id.uuid()]).await.map(drop)
}

const REFUSE: &str = "
UPDATE operations SET state = 'cancelling', error = $3 WHERE organization_id = $1 AND id = $2";

/// The operation, locked before, is to end for that reason.
pub(crate) async fn refuse(tx: &mut Tx<Org>, id: OperationId, error: &Value) -> Result<(), DbError> {
    tx.execute(REFUSE, &[&organization(tx), &id.uuid(), error]).await.map(drop)
}

const PAUSE: &str = "UPDATE operations SET pause_reason = $3 WHERE organization_id = $1 AND id = $2";

/// The operation, locked before, is to pause.
pub(crate) async fn request_pause(tx: &mut Tx<Org>, id: OperationId, reason: &str) -> Result<(), DbError> {
    let reason: String = reason.chars().take(2000).collect();
    tx.execute(PAUSE, &[&organization(tx), &id.uuid(), &reason]).await.map(drop)
}

const IS_TO_PAUSE: &str = "
SELECT pause_reason IS NOT NULL AND state IN ('pending', 'running', 'undoing')
FROM operations WHERE organization_id = $1 AND id = $2";

/// Whether the operation, locked before, was asked to pause and has not come to it.
pub(crate) async fn is_to_pause(tx: &mut Tx<Org>, id: OperationId) -> Result<bool, DbError> {
    Ok(tx.query_one(IS_TO_PAUSE, &[&organization(tx), &id.uuid()]).await?.get(0))
}

// Where it goes on is told by what was recorded: an error is set when undoing begins.
const RESUME: &str = "
UPDATE operations
SET pause_reason = NULL,
    state = CASE WHEN policy = 'unwind' AND error IS NOT NULL THEN 'undoing'
                 WHEN started_at IS NULL THEN 'pending' ELSE 'running' END
WHERE organization_id = $1 AND id = $2";

const RESUME_STEPS: &str = "
UPDATE operation_steps SET retry_at = NULL, failures = 0
WHERE organization_id = $1 AND operation_id = $2 AND state IN ('pending', 'undoing')
  AND (retry_at IS NOT NULL OR failures > 0)";

/// The paused operation, locked before, is to go on, with all attempts of its waiting steps.
pub(crate) async fn resume(tx: &mut Tx<Org>, id: OperationId) -> Result<(), DbError> {
    let owner = organization(tx);
    tx.execute(RESUME, &[&owner, &id.uuid()]).await?;
    tx.execute(RESUME_STEPS, &[&owner, &id.uuid()]).await.map(drop)
}

const FIND: &str = "
SELECT id, kind, target, input, state, pause_reason, progress, error, requested_by, created_at, started_at,
       finished_at
FROM operations WHERE organization_id = $1 AND id = $2";

/// The operation, if the organization has it.
pub(crate) async fn find(tx: &mut Tx<Org>, id: OperationId) -> Result<Option<OperationRow>, DbError> {
    let row = tx.query_opt(FIND, &[&organization(tx), &id.uuid()]).await?;
    Ok(row.as_ref().map(operation_row))
}

fn operation_row(row: &Row) -> OperationRow {
    OperationRow {
        id: OperationId::from(row.get::<_, Uuid>(0)),
        kind: row.get(1),
        target: row.get(2),
        input: row.get(3),
        state: state(row, 4),
        pause_reason: row.get(5),
        progress: row.get(6),
        error: row.get(7),
        requested_by: row.get(8),
        created_at: row.get(9),
        started_at: row.get(10),
        finished_at: row.get(11),
    }
}

// The CHECK of the domain knows exactly these words; one that this build does not know was written by a newer
// one, and `paused` is the state in which nothing is done to it.
pub(crate) fn state(row: &Row, column: usize) -> OperationState {
    row.get::<_, &str>(column).parse().unwrap_or(OperationState::Paused)
}

pub(crate) const STEPS: &str = "
SELECT position, name, state, attempt, output, error, retry_at, started_at, finished_at,
       input, failures, undo_attempt
FROM operation_steps WHERE organization_id = $1 AND operation_id = $2 ORDER BY position";

/// The steps of an operation, in order.
pub(crate) async fn steps(tx: &mut Tx<Org>, id: OperationId) -> Result<Vec<StepRow>, DbError> {
    let rows = tx.query(STEPS, &[&organization(tx), &id.uuid()]).await?;
    let step = |row: &Row| StepRow {
        position: row.get(0),
        name: row.get(1),
        state: step_state(row, 2),
        attempt: row.get(3),
        output: row.get(4),
        error: row.get(5),
        retry_at: row.get(6),
        started_at: row.get(7),
        finished_at: row.get(8),
    };
    Ok(rows.iter().map(step).collect())
}

pub(crate) fn step_state(row: &Row, column: usize) -> StepState {
    row.get::<_, &str>(column).parse().unwrap_or(StepState::Skipped)
}
