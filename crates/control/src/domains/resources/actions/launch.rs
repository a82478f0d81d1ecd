//! Starting an operation with its resources in hand, or waiting for them.

use marquee_db::{DbError, Org, Tx};
use marquee_jobs::{NewOperation, NewStep, Policy, pause_operation, start_operation};
use marquee_types::{OperationId, OperationState, ResourceId};
use serde_json::{Value, json};

use super::super::{
    store::claims,
    workers::{CHANGE, PLAN},
};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launched {
    /// It goes, or waits for its turn.
    Started(OperationId, OperationState),
    /// That one has a resource in hand, and this one does not wait: the transaction is to be given up.
    Busy(OperationId),
}

/// The operation that makes one change; `input` is a [`super::super::workers::ChangeInput`].
pub fn one_change(input: Value, target: Option<String>, requested_by: String) -> NewOperation {
    NewOperation {
        kind: CHANGE,
        target,
        input,
        policy: Policy::Unwind,
        steps: vec![NewStep::new(PLAN, json!({}))],
        dedup_key: None,
        requested_by,
    }
}

/// Starts an operation that changes `resources`.
pub async fn launch(
    tx: &mut Tx<Org>,
    operation: NewOperation,
    resources: &[ResourceId],
    wait: bool,
) -> Result<Launched, DbError> {
    let id = start_operation(tx, operation).await?.id();
    let holder = take_in_hand(tx, id, resources, wait).await?;
    Ok(match holder {
        None => Launched::Started(id, OperationState::Pending),
        Some(holder) if !wait => Launched::Busy(holder),
        Some(_) => Launched::Started(id, OperationState::Paused),
    })
}

/// Takes resources in hand for an operation that has not begun; one that must wait for another is paused, if it waits. Whoever
/// has a resource in hand already, if anyone has.
pub async fn take_in_hand(
    tx: &mut Tx<Org>,
    operation: OperationId,
    resources: &[ResourceId],
    wait: bool,
) -> Result<Option<OperationId>, DbError> {
    let now = tx.clock().now();
    let mut busy = None;
    for resource in resources {
        let Some(holder) = claims::claim(tx, *resource, operation, now).await? else { continue };
        busy = Some(holder);
        if !wait {
            break;
        }
        claims::wait(tx, *resource, operation, now).await?;
        let reason = format!("It waits for {holder}, which is changing the same resource.");
        pause_operation(tx, operation, &reason).await?;
    }
    Ok(busy)
}
