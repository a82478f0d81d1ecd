//! What a disconnected provider had leaves the inventory: a batch a transaction, so that neither a large account nor a
//! sync that is still writing holds anything up. The request that disconnects does it at once; the job
//! `retire_provider` is there for when that request's process does not live to finish.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use marquee_db::{DbError, Org, OrgContext, Tx};
use marquee_jobs::{JobError, JobHandler, JobRun, NewJob, enqueue};
use marquee_types::ProviderId;
use serde_json::json;

use super::super::store::{syncs, write};
use crate::{app::App, domains::providers};

const RETIRE: &str = "retire_provider";
/// When the job looks whether anything is left to do.
const AFTER: TimeDelta = TimeDelta::minutes(1);

/// Takes what is left of disconnected providers out of the inventory.
#[derive(Debug)]
pub struct RetireProvider {
    app: App,
}

impl RetireProvider {
    /// With everything the application has.
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

#[async_trait]
impl JobHandler for RetireProvider {
    fn kind(&self) -> &'static str {
        RETIRE
    }

    async fn run(&self, run: &JobRun) -> Result<(), JobError> {
        let provider = run.payload["provider_id"].as_str().and_then(|id| id.parse().ok());
        let provider =
            provider.ok_or_else(|| JobError::permanent("internal", "the job names no provider"))?;
        if retire(&self.app, run.context(), provider, || run.stopping()).await? {
            return Ok(());
        }
        Err(JobError::transient("stopping", "the process is shutting down"))
    }

    fn deadline(&self) -> Duration {
        Duration::from_hours(1)
    }
}

/// Asks, in the transaction that disconnects the provider, for what [`retire`] does to be done in any case.
pub async fn retire_in_any_case(app: &App, tx: &mut Tx<Org>, provider: ProviderId) -> Result<(), DbError> {
    let mut job = NewJob::new(RETIRE, json!({ "provider_id": provider }));
    job.run_at = Some(app.clock.now() + AFTER);
    enqueue(tx, job).await.map(drop)
}

/// Takes all that a disconnected provider had out of the inventory, and forgets its scopes. The history stays. False if
/// the process is shutting down and something is left.
pub async fn retire(
    app: &App,
    context: &OrgContext,
    provider: ProviderId,
    stopping: impl Fn() -> bool,
) -> Result<bool, DbError> {
    while !stopping() {
        let _turn = app.inventory_turn().await;
        let mut tx = app.db.org(context)?;
        if !providers::lock_disconnected(&mut tx, provider).await? {
            return Ok(true);
        }
        let some = write::retire_some(&mut tx, provider, None, app.clock.now()).await?;
        if some == 0 {
            syncs::forget_scopes(&mut tx, provider, None).await?;
        }
        tx.commit().await?;
        if some == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
