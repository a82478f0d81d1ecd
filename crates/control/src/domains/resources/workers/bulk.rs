//! The operation `change_in_bulk`: many resources, each changed by an operation of its own that succeeds or fails alone.
//!
//! A step starts the operation of its resource, in the transaction that writes down which it is, and is then looked at
//! again until that is done: it holds no worker meanwhile. The operation that ends has its step looked at at once. Cancelling
//! the whole cancels those that are not done; what they had begun they take back themselves.

use std::time::Duration;

use async_trait::async_trait;
use marquee_db::{DbError, Org, Tx};
use marquee_jobs::{
    OperationKind, OperationOutcome, StepContext, StepDone, StepError, cancel_operation, find_operation,
};
use marquee_types::{OperationId, OperationState};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    super::{
        actions::launch::{Launched, launch, one_change},
        store::{approvals, bulk},
        wire::Decision,
    },
    change::{ChangeInput, read},
};

/// The kind of the operation.
pub const BULK: &str = "change_in_bulk";
/// A step whose operation ends is looked at then. For when that was not heard, it is looked at when its operation is twice as old,
/// and no more often and no less often than this.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// What all steps know.
#[derive(Debug, Serialize, Deserialize)]
pub struct BulkInput {
    /// Who asked.
    pub requested_by: String,
}

/// Changes many resources.
#[derive(Debug)]
pub struct BulkOperation;

#[async_trait]
impl OperationKind for BulkOperation {
    fn kind(&self) -> &'static str {
        BULK
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        let mut tx = ctx.org()?;
        ctx.fence(&mut tx).await?;
        let Some(change) = bulk::change(&mut tx, ctx.operation, ctx.position).await? else {
            let change = start(ctx, &mut tx).await?;
            bulk::add(&mut tx, ctx.operation, ctx.position, change).await?;
            tx.commit().await?;
            return Err(StepError::later(LOOKS.0, format!("It waits for {change}.")));
        };
        let found = find_operation(&mut tx, change).await?;
        let Some(found) = found else {
            return Err(StepError::permanent("not_found", format!("{change} is no longer known.")));
        };
        match found.state {
            OperationState::Succeeded => Ok(StepDone {
                output: json!({ "operation_id": change }),
                progress: json!({ "changed": 1 }),
                ..StepDone::default()
            }),
            state if !state.is_done() => {
                let age = (ctx.clock.now() - found.created_at).to_std().unwrap_or_default();
                let wait = age.clamp(LOOKS.0, LOOKS.1);
                Err(StepError::later(wait, format!("It waits for {change}, which is {state}.")))
            }
            state => {
                let said = |name: &str| found.error.as_ref()?.get(name)?.as_str().map(str::to_owned);
                let code = said("code").unwrap_or_else(|| state.to_string());
                let detail = said("detail").unwrap_or_default();
                Err(StepError::permanent(code, format!("{change} is {state}. {detail}")))
            }
        }
    }

    async fn finished(&self, tx: &mut Tx<Org>, outcome: &OperationOutcome) -> Result<(), DbError> {
        if outcome.state != OperationState::Cancelled {
            return Ok(());
        }
        for change in bulk::open(tx, outcome.operation).await? {
            cancel_operation(tx, change).await?;
        }
        let (now, by) = (tx.clock().now(), format!("worker:{BULK}"));
        approvals::decide(tx, outcome.operation, Decision::Withdrawn, &by, None, now).await.map(drop)
    }
}

/// Starts the operation of one resource; it comes next where another has it in hand.
async fn start(ctx: &StepContext, tx: &mut Tx<Org>) -> Result<OperationId, StepError> {
    let all: BulkInput = read(&ctx.operation_input)?;
    let input: ChangeInput = read(&ctx.input)?;
    let resources: Vec<_> = input.wishes.iter().filter_map(|wish| wish.resource_id).collect();
    let target = resources.first().map(ToString::to_string);
    let operation = one_change(ctx.input.as_ref().clone(), target, all.requested_by);
    match launch(tx, operation, &resources, true).await? {
        Launched::Started(change, _) => Ok(change),
        Launched::Busy(holder) => {
            Err(StepError::transient("resource_busy", format!("{holder} has it in hand.")))
        }
    }
}
