//! Starts the syncs that are due, of all organizations.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use marquee_db::{DbError, OrgContext};
use marquee_jobs::{ReconcileContext, Reconciler, StepError, Summary};
use serde_json::json;

use super::super::{
    actions,
    store::syncs::{self, Due},
};
use crate::{app::App, domains::providers, fault::Fault};

/// The reconciler's name, for nudges.
pub const SCHEDULER: &str = "sync_schedule";
/// When a provider whose sync could not be started is looked at again.
const PUT_OFF: TimeDelta = TimeDelta::minutes(1);

/// Looks which providers are due, and asks for their syncs.
#[derive(Debug)]
pub struct Scheduler {
    app: App,
}

impl Scheduler {
    /// With everything the application has.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    async fn put_off(&self, due: Due) -> Result<(), DbError> {
        let mut tx = self.app.db.org(&context(due))?;
        syncs::schedule(&mut tx, due.provider, self.app.clock.now() + PUT_OFF).await?;
        tx.commit().await
    }

    async fn start(&self, due: Due) -> Result<(), Fault> {
        let mut tx = self.app.db.org(&context(due))?;
        if !providers::lock_connected(&mut tx, due.provider).await? {
            return Ok(());
        }
        actions::start_sync(&self.app, &mut tx, due.provider, format!("reconciler:{SCHEDULER}")).await?;
        syncs::schedule(
            &mut tx,
            due.provider,
            self.app.clock.now() + shortened(due.interval_seconds, rand::random()),
        )
        .await?;
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl Reconciler for Scheduler {
    fn name(&self) -> &'static str {
        SCHEDULER
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let mut started = 0;
        loop {
            let tx = ctx.db.system("resources: find the syncs that are due");
            let due = syncs::due(tx, ctx.clock.now()).await?;
            if due.is_empty() || ctx.stopping.is_cancelled() {
                return Ok(json!({ "started": started }));
            }
            for provider in due {
                match self.start(provider).await {
                    Ok(()) => started += 1,
                    // One provider's trouble is not the others': it is looked at again a little later.
                    Err(fault) => {
                        tracing::warn!(provider = %provider.provider, ?fault, "a sync could not be started");
                        self.put_off(provider).await?;
                    }
                }
            }
        }
    }
}

fn context(due: Due) -> OrgContext {
    OrgContext {
        organization: due.organization,
        actor: format!("worker:{SCHEDULER}"),
        credential: None,
        request_id: marquee_types::RequestId::new().to_string(),
        address: None,
    }
}

/// The interval, shorter by a twentieth to a fifth as `chance` (0 to 1) has it: so providers do not march in step, and what
/// is left of the interval is time to be found due and to be listed, for nothing to be older than the interval.
fn shortened(interval_seconds: i32, chance: f64) -> TimeDelta {
    let factor = 0.8 + 0.15 * chance;
    let millis = f64::from(interval_seconds) * 1_000.0 * factor;
    #[expect(clippy::cast_possible_truncation, reason = "an interval of at most a week in milliseconds")]
    let millis = millis as i64;
    TimeDelta::milliseconds(millis)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::shortened;

    #[test]
    fn a_sync_is_asked_for_before_what_is_known_is_too_old() {
        assert_eq!(shortened(300, 0.0), TimeDelta::seconds(240));
        assert_eq!(shortened(300, 1.0), TimeDelta::seconds(285));
        assert_eq!(shortened(604_800, 0.5), TimeDelta::seconds(529_200));
    }
}
