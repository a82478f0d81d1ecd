//! What identity does beside the requests: hearing of ended credentials, writing down their use, and removing
//! what is long over.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use marquee_jobs::{ReconcileContext, Reconciler, StepError, Summary};
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Credentials, store};

/// How often it is written down when credentials were last used.
const WRITING: Duration = Duration::from_mins(1);
/// An expired API key can be seen this long, so that one finds out why something stopped.
const KEYS_SHOWN: TimeDelta = TimeDelta::days(30);
/// Security events are kept this long.
const EVENTS_KEPT: TimeDelta = TimeDelta::days(90);

/// Runs in every process that answers requests, until told to stop.
pub async fn tend_credentials(credentials: Credentials, stop: CancellationToken) {
    tokio::join!(credentials.clone().listen(stop.clone()), write_last_used(credentials, stop));
}

async fn write_last_used(credentials: Credentials, stop: CancellationToken) {
    let mut turns = tokio::time::interval(WRITING);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            _ = turns.tick() => false,
        };
        if let Err(error) = credentials.write_last_used().await {
            tracing::warn!(%error, "could not write when credentials were last used; they are kept for the next time");
        }
        if stopping {
            return;
        }
    }
}

/// Removes sessions that are over, API keys that expired a while ago, and old security events.
#[derive(Debug, Default)]
pub struct CleanUp;

#[async_trait]
impl Reconciler for CleanUp {
    fn name(&self) -> &'static str {
        "identity_clean_up"
    }

    fn period(&self) -> Duration {
        Duration::from_hours(1)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let now = ctx.clock.now();
        let tx = ctx.db.system("remove credentials that are over");
        let removed = store::credentials::remove_ended(tx, now, now - KEYS_SHOWN, now - EVENTS_KEPT).await?;
        Ok(
            json!({ "sessions": removed.sessions, "api_keys": removed.keys, "security_events": removed.events }),
        )
    }
}
