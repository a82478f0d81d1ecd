//! What the driver reads and writes at a step boundary.
//!
//! Every value is written absolutely, never as a difference, so that writing it again after a commit whose
//! answer was lost changes nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Row, ToSql, Tx};
use marquee_types::{OperationId, OperationState};
use serde_json::Value;

use crate::{
    image::{Image, Step},
    lease::Lease,
    operation::Policy,
    queue::organization,
    record::{INSERT_STEPS, state, step_state},
};

const LOAD: &str = "
SELECT target, input, policy, parallel, state, error, request_id, started_at
FROM operations WHERE organization_id = $1 AND id = $2 AND NOT done";

const LOAD_STEPS: &str = "
SELECT position, name, state, attempt, output, error, retry_at, started_at, finished_at,
       input, failures, undo_attempt, undo_began_at, kept
FROM operation_steps WHERE organization_id = $1 AND operation_id = $2 ORDER BY position";

/// What the driver works on; `None` if there is nothing left to do.
pub(crate) async fn load(tx: &mut Tx<Org>, id: OperationId) -> Result<Option<Image>, DbError> {
    let owner = organization(tx);
    let operation = id.uuid();
    let mut batch = tx.batch();
    let keys: [&(dyn marquee_db::ToSql + Sync); 2] = [&owner, &operation];
    batch.add(LOAD, &keys);
    batch.add(LOAD_STEPS, &keys);
    let mut replies = batch.rows().await?.into_iter();
    let (operation, steps) = (replies.next().unwrap_or_default(), replies.next().unwrap_or_default());
    Ok(operation.first().map(|row| image(row, &steps)))
}

fn image(row: &Row, steps: &[Row]) -> Image {
    let parallel = usize::try_from(row.get::<_, i32>(3)).unwrap_or(1);
    Image {
        target: row.get(0),
        input: Arc::new(row.get(1)),
        policy: if row.get::<_, &str>(2) == "unwind" { Policy::Unwind } else { Policy::Partial { parallel } },
        state: state(row, 4),
        error: row.get(5),
        request_id: row.get(6),
        started_at: row.get(7),
        pause: None,
        pause_asked: false,
        steps: steps.iter().map(step).collect(),
        dirty: false,
    }
}

fn step(row: &Row) -> Step {
    Step {
        position: row.get(0),
        name: row.get::<_, &str>(1).into(),
        input: Arc::new(row.get(9)),
        state: step_state(row, 2),
        attempt: row.get(3),
        failures: row.get(10),
        undo_attempt: row.get(11),
        undo_began_at: row.get(12),
        retry_at: row.get(6),
        output: row.get::<_, Option<Value>>(4).map(Arc::new),
        kept: row.get::<_, Option<Value>>(13).map(Arc::new),
        error: row.get(5),
        started_at: row.get(7),
        finished_at: row.get(8),
        in_flight: false,
        stored: true,
        dirty: false,
    }
}

const BOUNDARY: &str = "
WITH held AS MATERIALIZED (SELECT hold_lease($1, $2, $3))
SELECT operations.state, operations.pause_reason
FROM held, operations WHERE operations.organization_id = $1 AND operations.id = $4
FOR NO KEY UPDATE OF operations";

/// Proves the lease, locks the operation's row and reads what was asked of it since.
pub(crate) async fn boundary(
    tx: &mut Tx<Org>,
    lease: &Lease,
    id: OperationId,
) -> Result<(OperationState, Option<String>), DbError> {
    let (organization, job) = lease.keys();
    let row = tx.query_one(BOUNDARY, &[&organization, &job, &lease.token, &id.uuid()]).await?;
    Ok((state(&row, 0), row.get(1)))
}

const SAVE_OPERATION: &str = "
UPDATE operations
SET state = $3, error = $4, started_at = $5, finished_at = $6, pause_reason = $7
WHERE organization_id = $1 AND id = $2";

const SAVE_STEPS: &str = "
UPDATE operation_steps
SET state = now.state, attempt = now.attempt, failures = now.failures, undo_attempt = now.undo_attempt,
    retry_at = now.retry_at, output = now.output, error = now.error, started_at = now.started_at,
    finished_at = now.finished_at, undo_began_at = now.undo_began_at, kept = now.kept
FROM unnest($3::integer[], $4::text[], $5::integer[], $6::integer[], $7::integer[], $8::timestamptz[],
            $9::jsonb[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::jsonb[])
     AS now (position, state, attempt, failures, undo_attempt, retry_at, output, error, started_at, finished_at,
             undo_began_at, kept)
WHERE operation_steps.organization_id = $1 AND operation_steps.operation_id = $2
  AND operation_steps.position = ANY ($3) AND operation_steps.position = now.position";

/// Sends along with the commit whatever of the image changed.
pub(crate) fn save_at_commit(
    tx: &mut Tx<Org>,
    id: OperationId,
    image: &Image,
    finished_at: Option<DateTime<Utc>>,
) {
    let owner = organization(tx);
    let key = || (Box::new(owner), Box::new(id.uuid()));
    if image.dirty {
        let (organization, operation) = key();
        tx.before_commit(
            SAVE_OPERATION,
            vec![
                organization,
                operation,
                Box::new(image.state.as_str()),
                Box::new(image.error.clone()),
                Box::new(image.started_at),
                Box::new(finished_at),
                Box::new(image.pause.clone()),
            ],
        );
    }
    let added: Vec<&Step> = image.steps.iter().filter(|step| !step.stored).collect();
    if !added.is_empty() {
        let (organization, operation) = key();
        let positions: Vec<i32> = added.iter().map(|step| step.position).collect();
        let names: Vec<String> = added.iter().map(|step| step.name.to_string()).collect();
        let inputs: Vec<Value> = added.iter().map(|step| Value::clone(&step.input)).collect();
        tx.before_commit(
            INSERT_STEPS,
            vec![organization, operation, Box::new(positions), Box::new(names), Box::new(inputs)],
        );
    }
    let changed: Vec<&Step> = image.steps.iter().filter(|step| step.dirty).collect();
    if !changed.is_empty() {
        let (organization, operation) = key();
        tx.before_commit(
            SAVE_STEPS,
            vec![
                organization,
                operation,
                column(&changed, |step| step.position),
                column(&changed, |step| step.state.as_str()),
                column(&changed, |step| step.attempt),
                column(&changed, |step| step.failures),
                column(&changed, |step| step.undo_attempt),
                column(&changed, |step| step.retry_at),
                column(&changed, |step| step.output.as_deref().cloned()),
                column(&changed, |step| step.error.clone()),
                column(&changed, |step| step.started_at),
                column(&changed, |step| step.finished_at),
                column(&changed, |step| step.undo_began_at),
                column(&changed, |step| step.kept.as_deref().cloned()),
            ],
        );
    }
}

/// One column of the changed steps, as an array.
fn column<T>(steps: &[&Step], of: impl Fn(&Step) -> T) -> Box<dyn ToSql + Sync + Send>
where
    T: ToSql + Sync + Send + 'static,
{
    Box::new(steps.iter().map(|step| of(step)).collect::<Vec<T>>())
}

const COUNT: &str = "
UPDATE operations SET progress = add_counters(progress, $3) WHERE organization_id = $1 AND id = $2";

/// Adds to the operation's counters in the commit of a step's own transaction: the row, which all steps of the
/// operation share, is locked for no longer than that.
pub(crate) fn count_at_commit(tx: &mut Tx<Org>, id: OperationId, delta: Value) {
    let owner = organization(tx);
    tx.before_commit(COUNT, vec![Box::new(owner), Box::new(id.uuid()), Box::new(delta)]);
}

// The one difference among absolute values: so it counts only while the success is not yet recorded, and must
// be sent before that.
const COUNT_SUCCESS: &str = "
UPDATE operations SET progress = add_counters(progress, $3)
WHERE organization_id = $1 AND id = $2 AND NOT EXISTS (
    SELECT FROM operation_steps
    WHERE organization_id = $1 AND operation_id = $2 AND position = $4 AND state = 'succeeded')";

/// Adds what a step counted to the operation's counters, in the commit that records its success.
pub(crate) fn count_success_at_commit(tx: &mut Tx<Org>, id: OperationId, counted: &Counted) {
    let owner = organization(tx);
    tx.before_commit(
        COUNT_SUCCESS,
        vec![
            Box::new(owner),
            Box::new(id.uuid()),
            Box::new(counted.delta.clone()),
            Box::new(counted.position),
        ],
    );
}

/// What a step that just succeeded counted.
pub(crate) struct Counted {
    pub position: i32,
    pub delta: Value,
}
