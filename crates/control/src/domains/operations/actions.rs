//! What can be done with operations.

use std::time::Duration;

use marquee_jobs::{CancelOutcome, cancel_operation, find_operation, operation_steps, wait_operation};
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
