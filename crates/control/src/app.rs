//! The application: what every handler and worker has, and no methods of any domain.

use std::sync::{Arc, OnceLock};

use marquee_db::Db;
use marquee_jobs::Workers;
use marquee_types::Clock;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;

use crate::{
    clouds::Clouds,
    config::Config,
    domains::{audit, identity},
    http::{health::Readiness, limits::Limits},
    vault::Vault,
};

/// Cheap to clone; all clones are the same application.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What the application is made of.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The clouds.
    pub clouds: Clouds,
    /// The time.
    pub clock: Clock,
    /// The keys.
    pub vault: Vault,
    /// The configuration.
    pub config: Config,
    /// The rate limits.
    pub limits: Limits,
    /// Who may do what, and who was seen lately.
    pub identity: identity::Identity,
    /// What callers do whom nobody knows.
    pub security_events: audit::SecurityEvents,
    /// The metrics of this process.
    pub metrics: PrometheusHandle,
    /// What runs beside the requests; a shutdown waits for it.
    pub tasks: TaskTracker,
    /// What the database answered lately when asked how it is.
    pub readiness: Readiness,
    /// Who may write to the inventory at once, so that syncs leave connections to requests.
    pub inventory_writers: Semaphore,
    /// The workers of this process, once they run.
    pub workers: OnceLock<Workers>,
}

impl App {
    /// An application of these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Has a reconciler look now rather than at its next turn, if this process has workers.
    pub fn nudge(&self, reconciler: &'static str) {
        if let Some(workers) = self.workers.get() {
            workers.nudge(reconciler);
        }
    }

    /// Waits for a turn to write to the inventory.
    pub async fn inventory_turn(&self) -> SemaphorePermit<'_> {
        let turn = self.inventory_writers.acquire().await;
        turn.unwrap_or_else(|error| unreachable!("nobody closes the turns: {error}"))
    }

    /// Whether the database has every migration this server was built with.
    pub async fn pending_migrations(&self) -> Result<(), String> {
        match marquee_db::migrate::pending(&self.db).await {
            Ok(pending) if pending.is_empty() => Ok(()),
            Ok(pending) => Err(format!("not applied: {}", pending.join(", "))),
            Err(error) => {
                tracing::warn!(%error, "not ready: the migrations");
                Err("unknown".to_owned())
            }
        }
    }

    /// Whether this process's workers read their queue.
    pub fn workers_health(&self) -> Result<(), String> {
        match self.workers.get() {
            // A process that only serves has none to be ill.
            None => Ok(()),
            Some(workers) if workers.health().live => Ok(()),
            Some(_) => Err("the workers have not read their queue lately".to_owned()),
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
