//! Jobs: one idempotent step of work, asked for in the transaction that makes it necessary.
//!
//! If that transaction rolls back there is no job; if it commits there is one, and it will be run at least
//! once, also when the process dies in between. So a handler must bear being run twice: what it does to the
//! database it does in a transaction with [`JobRun::finish_with`], what it does elsewhere under a token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use marquee_db::{Db, DbError, Org, OrgContext, Tx};
use marquee_types::{Clock, JobId, OrganizationId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    failure::JobError,
    lease::Lease,
    queue::{self, QUEUE_CHANNEL},
};

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Which [`JobHandler`] does it.
    pub kind: &'static str,
    /// What the handler needs to know; never a secret, since it can be read by whoever reads dead letters.
    pub payload: Value,
    /// At most one unfinished job of this kind has the key.
    pub dedup_key: Option<String>,
    /// Higher first, among the jobs of one organization; between organizations turns are taken.
    pub priority: i16,
    /// Not before this time; `None` is at once.
    pub run_at: Option<DateTime<Utc>>,
    /// How often it may be started before it becomes a dead letter; at least 1.
    pub max_attempts: u16,
}

impl NewJob {
    /// A job to be run at once, with ordinary priority, up to ten times.
    pub fn new(kind: &'static str, payload: Value) -> Self {
        Self { kind, payload, dedup_key: None, priority: 0, run_at: None, max_attempts: 10 }
    }
}

/// What asking for a job led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// A job was made.
    New(JobId),
    /// An unfinished one with the same key was there.
    Existing(JobId),
}

impl Enqueued {
    /// The job that will do it.
    pub fn id(self) -> JobId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}

/// Asks for a job; it exists if and when the transaction commits, and workers are woken then.
pub async fn enqueue(tx: &mut Tx<Org>, job: NewJob) -> Result<Enqueued, DbError> {
    let enqueued = queue::insert(tx, &job).await?;
    if matches!(enqueued, Enqueued::New(_)) && job.run_at.is_none() {
        wake_workers(tx);
    }
    Ok(enqueued)
}

/// After the commit, every process looks into the queue.
pub(crate) fn wake_workers(tx: &mut Tx<Org>) {
    let notices = tx.notices();
    tx.after_commit(move || notices.publish(QUEUE_CHANNEL, ""));
}

/// Does the jobs of one kind.
#[async_trait]
pub trait JobHandler: Send + Sync + 'static {
    /// The kind, unique in the installation, `snake_case`.
    fn kind(&self) -> &'static str;

    /// Does one job. Runs at least once; may run again after a crash at any point.
    async fn run(&self, run: &JobRun) -> Result<(), JobError>;

    /// A run that takes longer is stopped and counts as failed.
    fn deadline(&self) -> Duration {
        Duration::from_mins(10)
    }

    /// How many jobs of this kind one process runs at once.
    fn parallel(&self) -> usize {
        usize::MAX
    }

    /// The wait between attempts.
    fn backoff(&self) -> Backoff {
        Backoff::default()
    }
}

/// One attempt at one job, as its handler sees it.
#[derive(Debug)]
pub struct JobRun {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Whose job it is.
    pub organization: OrganizationId,
    /// The job.
    pub id: JobId,
    /// What to do.
    pub payload: Value,
    /// 1 for the first attempt.
    pub attempt: u32,
    pub(crate) lease: Lease,
    pub(crate) context: OrgContext,
    pub(crate) stopping: CancellationToken,
    pub(crate) finished: Arc<AtomicBool>,
}

impl JobRun {
    /// A transaction inside the job's organization, as actor `worker:<kind>`.
    pub fn org(&self) -> Result<Tx<Org>, DbError> {
        self.db.org(&self.context)
    }

    /// Whose transactions [`JobRun::org`] makes.
    pub fn context(&self) -> &OrgContext {
        &self.context
    }

    /// Makes sure that the transaction cannot commit if another worker has the job by now.
    pub async fn fence(&self, tx: &mut Tx<Org>) -> Result<(), DbError> {
        self.lease.hold(tx).await
    }

    /// Makes the job done in the very commit of its effect, so that the effect happens exactly once. The
    /// handler then returns `Ok`.
    pub fn finish_with(&self, tx: &mut Tx<Org>) {
        self.lease.hold_at_commit(tx);
        queue::delete_at_commit(tx, &self.lease);
        let finished = Arc::clone(&self.finished);
        tx.after_commit(move || finished.store(true, Ordering::Release));
    }

    /// Whether the process is shutting down: a long job should come to a good place to be taken up again.
    pub fn stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }
}
