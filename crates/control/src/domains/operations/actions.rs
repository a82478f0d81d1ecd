//! What can be done with operations.

use std::time::Duration;

use marquee_db::{Org, Tx};
use marquee_jobs::{
    CancelOutcome, PauseOutcome, cancel_operation, find_operation, operation_steps, pause_operation,
    resume_operation, wait_operation,
};
use marquee_types::OperationId;

use super::wire::{Operation, OperationDetail, Step};
use crate::{domains::audit, fault::Fault, http::Call};

/// The operation with its steps.
pub async fn get(call: &Call, id: OperationId) -> Result<OperationDetail, Fault> {
    let mut tx = call.tx()?;
    let operation = find_operation(&mut tx, id).await?.ok_or(Fault::NotFound("operation"))?;
    let steps = operation_steps(&mut tx, id).await?;
    Ok(OperationDetail { operation: operation.into(), steps: steps.into_iter().map(Step::from).collect() })
}

/// Waits until the operation has ended, or for `at_most`; as it is then.
pub async fn wait(call: &Call, id: OperationId, at_most: Duration) -> Result<Operation, Fault> {
    let context = call.actor.context(&call.meta);
    let found = wait_operation(&call.app.db, &context, id, at_most).await?;
    found.map(Operation::from).ok_or(Fault::NotFound("operation"))
}

/// Asks the operation to stop at the next step boundary.
pub async fn cancel(call: &Call, id: OperationId) -> Result<Operation, Fault> {
    let mut tx = call.tx()?;
    match cancel_operation(&mut tx, id).await? {
        CancelOutcome::NotFound => return Err(Fault::NotFound("operation")),
        CancelOutcome::Done(state) => {
            return Err(Fault::conflict(
                "operation_done",
                format!("The operation has already ended: {state}."),
            ));
        }
        CancelOutcome::Cancelling | CancelOutcome::Undoing => {}
    }
    let operation = find_operation(&mut tx, id).await?.ok_or(Fault::NotFound("operation"))?;
    audit::record(&mut tx, audit::Entry::allowed("operations.cancel").target("operation", id));
    tx.commit().await?;
    Ok(operation.into())
}

/// Asks the operation to pause at the next step boundary.
pub async fn pause(call: &Call, id: OperationId, reason: &str) -> Result<Operation, Fault> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 || reason.contains('\0') {
        return Err(Fault::invalid("/reason", "must have 1 to 500 characters"));
    }
    let mut tx = call.tx()?;
    accepted(pause_operation(&mut tx, id, reason).await?, "paused")?;
    settled(call, tx, id).await
}

/// Lets a paused operation go on.
pub async fn resume(call: &Call, id: OperationId) -> Result<Operation, Fault> {
    let mut tx = call.tx()?;
    accepted(resume_operation(&mut tx, id).await?, "resumed")?;
    settled(call, tx, id).await
}

fn accepted(outcome: PauseOutcome, what: &str) -> Result<(), Fault> {
    match outcome {
        PauseOutcome::Accepted => Ok(()),
        PauseOutcome::NotFound => Err(Fault::NotFound("operation")),
        PauseOutcome::Refused(state) if state.is_done() => {
            Err(Fault::conflict("operation_done", format!("The operation has already ended: {state}.")))
        }
        PauseOutcome::Refused(state) => {
            Err(Fault::conflict("operation_state", format!("An operation that is {state} cannot be {what}.")))
        }
    }
}

async fn settled(call: &Call, mut tx: Tx<Org>, id: OperationId) -> Result<Operation, Fault> {
    let operation = find_operation(&mut tx, id).await?.ok_or(Fault::NotFound("operation"))?;
    audit::record(&mut tx, audit::Entry::allowed(call.verb()).target("operation", id));
    tx.commit().await?;
    Ok(operation.into())
}
