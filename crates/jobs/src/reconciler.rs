//! Reconcilers: they compare what is with what should be and mend the difference.
//!
//! A reconciler takes no input and does constant work: nothing about it can be lost, since it looks at
//! everything each time. It runs by period, so that it needs no trigger, and by nudge, so that nobody waits for
//! the period. Of all processes one runs it at a time; a lease row says which.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use marquee_db::{Db, DbError, Scope, Tx};
use marquee_types::Clock;
use serde_json::Value;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    change::later,
    driver::guarded,
    failure::StepError,
    workers::{Inner, Stop},
};

/// The notice channel of nudges. The payload is the reconciler's name.
pub(crate) const NUDGE_CHANNEL: &str = "reconcilers";

/// What a run says it did, for people: counts, as a JSON object.
pub type Summary = Value;

/// Mends one kind of difference between what is and what should be.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// Its name, unique in the installation, `snake_case`.
    fn name(&self) -> &'static str;

    /// How often it runs without being nudged; jittered by a tenth.
    fn period(&self) -> Duration;

    /// Looks at everything and mends what differs. Stopped at [`Reconciler::deadline`] or when the process
    /// shuts down, at any await.
    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError>;

    /// A run that takes longer is stopped and has failed.
    fn deadline(&self) -> Duration {
        Duration::from_mins(10)
    }
}

/// What a reconciler works with.
#[derive(Debug, Clone)]
pub struct ReconcileContext {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the process shuts down.
    pub stopping: CancellationToken,
}

/// Has a reconciler run soon, in one of all processes, once `tx` is committed. If the nudge is lost, its period
/// brings it.
pub fn nudge<S: Scope>(tx: &mut Tx<S>, reconciler: &'static str) {
    let notices = tx.notices();
    tx.after_commit(move || notices.publish(NUDGE_CHANNEL, reconciler));
}

/// Runs every reconciler of the registry when it is due, until the shutdown.
pub(crate) async fn tend_all(inner: &Arc<Inner>, stop: &Stop) {
    let mut tasks = JoinSet::new();
    for reconciler in inner.registry.reconcilers() {
        let nudged = inner.nudges.get(reconciler.name()).cloned().unwrap_or_default();
        let tender = Tender {
            inner: Arc::clone(inner),
            reconciler: Arc::clone(reconciler),
            stopping: stop.draining.clone(),
        };
        tasks.spawn(async move { tender.tend(&nudged).await });
    }
    while tasks.join_next().await.is_some() {}
}

/// Sees to one reconciler.
struct Tender {
    inner: Arc<Inner>,
    reconciler: Arc<dyn Reconciler>,
    stopping: CancellationToken,
}

const ENSURE: &str = "INSERT INTO reconcilers (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

const HASTEN: &str = "UPDATE reconcilers SET due_at = least(due_at, $2) WHERE name = $1";

// A due time further ahead than any period could have set it was set by a clock that has jumped back since, or
// by a longer period: then it is due now.
const TAKE: &str = "
UPDATE reconcilers
SET lease = lease + 1, lease_until = clock_timestamp() + make_interval(secs => $4), worker = $5, started_at = $2,
    due_at = $3
WHERE name = $1 AND (due_at <= $2 OR due_at > $6)
  AND (lease_until IS NULL OR lease_until < clock_timestamp())
RETURNING lease";

const LOOK: &str = "SELECT due_at FROM reconcilers WHERE name = $1";

const EXTEND: &str = "
UPDATE reconcilers SET lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE name = $1 AND lease = $2";

const SUCCEED: &str = "
UPDATE reconcilers
SET lease_until = NULL, worker = NULL, finished_at = $3, failures = 0, summary = $4, error = NULL
WHERE name = $1 AND lease = $2";

const FAIL: &str = "
UPDATE reconcilers
SET lease_until = NULL, worker = NULL, finished_at = $3, failures = failures + 1, error = $4,
    due_at = least(due_at, $5)
WHERE name = $1 AND lease = $2";

const GIVE_BACK: &str = "
UPDATE reconcilers SET lease_until = NULL, worker = NULL, due_at = $3 WHERE name = $1 AND lease = $2";

impl Tender {
    async fn tend(&self, nudged: &Notify) {
        let mut hasten = false;
        let mut failures = 0;
        while !self.stopping.is_cancelled() {
            let wait = match self.turn(hasten, &mut failures).await {
                Ok(wait) => wait,
                Err(error) if error.is_unavailable() => self.inner.jitter.around(Duration::from_secs(5), 0.5),
                Err(error) => {
                    tracing::error!(reconciler = self.reconciler.name(), %error, "could not see whether it is due");
                    self.inner.jitter.around(Duration::from_secs(5), 0.5)
                }
            };
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = nudged.notified() => hasten = true,
                () = tokio::time::sleep(wait) => hasten = false,
            }
        }
    }

    /// Runs it if it is due and nobody else does; gives the time to wait before looking again.
    async fn turn(&self, hasten: bool, failures: &mut u32) -> Result<Duration, DbError> {
        if let Some(lease) = self.take(hasten).await? {
            self.run(lease, failures).await?;
        }
        let now = self.inner.clock.now();
        let due = self.look(now).await?;
        let until_due = (due - now).to_std().unwrap_or_default();
        // The clock may be moved by hand, and whoever runs it may die: look again after a while.
        let longest = self.inner.jitter.around(Duration::from_secs(30), 0.25);
        Ok(until_due.clamp(self.inner.limits.poll, longest.max(self.inner.limits.poll)))
    }

    async fn take(&self, hasten: bool) -> Result<Option<i64>, DbError> {
        let (name, now) = (self.reconciler.name(), self.inner.clock.now());
        let period = self.reconciler.period();
        let next = later(now, self.inner.jitter.around(period, 0.1));
        let implausible = later(now, period * 2);
        let lease = self.inner.limits.lease.as_secs_f64();
        let mut tx = self.inner.db.system("jobs: take a reconciler");
        if hasten {
            tx.execute(HASTEN, &[&name, &now]).await?;
        }
        let taken = tx.query_opt(TAKE, &[&name, &now, &next, &lease, &self.inner.name, &implausible]).await?;
        tx.commit().await?;
        Ok(taken.map(|row| row.get(0)))
    }

    async fn look(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, DbError> {
        let name = self.reconciler.name();
        let tx = self.inner.db.system("jobs: look at a reconciler");
        if let Some(row) = tx.read(LOOK, &[&name]).await?.first() {
            return Ok(row.get(0));
        }
        let mut tx = self.inner.db.system("jobs: register a reconciler");
        tx.execute(ENSURE, &[&name, &now]).await?;
        tx.commit().await?;
        Ok(now)
    }

    async fn run(&self, lease: i64, failures: &mut u32) -> Result<(), DbError> {
        let name = self.reconciler.name();
        let context = ReconcileContext {
            db: self.inner.db.clone(),
            clock: self.inner.clock.clone(),
            stopping: self.stopping.clone(),
        };
        let answer = tokio::select! {
            answer = guarded(self.reconciler.deadline(), self.reconciler.reconcile(&context)) => answer,
            () = self.keep(lease) => return Ok(()),
            () = self.stopping.cancelled() => return self.give_back(lease).await,
        };
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.system("jobs: finish a reconciler");
        let outcome = match &answer {
            Ok(summary) => {
                *failures = 0;
                tx.execute(SUCCEED, &[&name, &lease, &now, summary]).await?;
                "succeeded"
            }
            Err(error) => {
                *failures = failures.saturating_add(1);
                tracing::warn!(reconciler = name, %error, "a reconciler failed");
                let again = later(now, Backoff::default().delay(*failures, &self.inner.jitter));
                tx.execute(FAIL, &[&name, &lease, &now, &error.to_json(), &again]).await?;
                "failed"
            }
        };
        metrics::counter!("reconciler_runs_total", "reconciler" => name, "outcome" => outcome).increment(1);
        tx.commit().await
    }

    async fn give_back(&self, lease: i64) -> Result<(), DbError> {
        let mut tx = self.inner.db.system("jobs: give a reconciler back");
        tx.execute(GIVE_BACK, &[&self.reconciler.name(), &lease, &self.inner.clock.now()]).await?;
        tx.commit().await
    }

    /// Keeps the lease alive; ends when it is lost.
    async fn keep(&self, lease: i64) {
        let span = self.inner.limits.lease;
        loop {
            tokio::time::sleep(span / 3).await;
            match self.extend(lease, span).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(
                        reconciler = self.reconciler.name(),
                        "the lease was lost; another process runs it"
                    );
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease of a reconciler could not be renewed"),
            }
        }
    }

    async fn extend(&self, lease: i64, span: Duration) -> Result<bool, DbError> {
        let mut tx = self.inner.db.system("jobs: renew a reconciler's lease");
        let extended = tx.execute(EXTEND, &[&self.reconciler.name(), &lease, &span.as_secs_f64()]).await?;
        tx.commit().await?;
        Ok(extended == 1)
    }
}
