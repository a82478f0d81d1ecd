//! How the workers are, for `/readyz` and the metrics. No figure names an organization.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use marquee_db::{Db, DbError};
use tokio::time::Instant;

use crate::{queue::STEER, workers::Inner};

/// How the workers of this process are.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// Whether the queue was read lately: within ten polls, and at least 15 s.
    pub live: bool,
    /// When it was last read.
    pub last_poll: Option<DateTime<Utc>>,
    /// Jobs this process is on.
    pub in_flight: usize,
    /// The queue of the whole installation, as last measured.
    pub depth: Depth,
    /// For how long the oldest job that could start has been waiting.
    pub oldest_ready: Duration,
}

/// What the loops note down.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    last_poll: Option<(Instant, DateTime<Utc>)>,
    depth: Depth,
}

impl Pulse {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn polled(&self, at: DateTime<Utc>) {
        self.noted().last_poll = Some((Instant::now(), at));
    }

    pub fn measured(&self, depth: Depth) {
        self.noted().depth = depth;
        #[expect(clippy::cast_precision_loss, reason = "counts stop at 10,000")]
        let gauge = |name, count: i64| metrics::gauge!(name).set(count as f64);
        gauge("jobs_ready", depth.ready);
        gauge("jobs_waiting", depth.waiting);
        gauge("jobs_running", depth.running);
        gauge("jobs_dead", depth.dead);
    }

    pub fn health(&self, inner: &Inner) -> Health {
        let noted = self.noted();
        let patience = (inner.limits.poll * 10).max(Duration::from_secs(15));
        let now = inner.clock.now();
        Health {
            live: noted.last_poll.is_some_and(|(at, _)| at.elapsed() < patience),
            last_poll: noted.last_poll.map(|(_, at)| at),
            in_flight: inner.load(),
            depth: noted.depth,
            oldest_ready: noted
                .depth
                .oldest_ready
                .and_then(|since| (now - since).to_std().ok())
                .unwrap_or_default(),
        }
    }
}

const DEPTH: &str = "
SELECT (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'waiting' LIMIT 10000) counted),
       (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'running' LIMIT 10000) counted),
       (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'dead' LIMIT 10000) counted),
       count(*), min(run_at)
FROM (SELECT run_at FROM jobs WHERE state = 'ready' LIMIT 10000) counted";

/// How full the queue is. Counts stop at 10,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Not due yet.
    pub waiting: i64,
    /// Being done somewhere.
    pub running: i64,
    /// Dead letters.
    pub dead: i64,
    /// Due and not started.
    pub ready: i64,
    /// Since when the oldest of those has been due.
    pub oldest_ready: Option<DateTime<Utc>>,
}

/// Looks how full the queue is, over all organizations.
pub(crate) async fn depth(db: &Db) -> Result<Depth, DbError> {
    let mut tx = db.system("jobs: measure the queue");
    let mut batch = tx.batch();
    batch.add(STEER, &[]).add(DEPTH, &[]);
    let rows = batch.rows().await?.pop().unwrap_or_default();
    tx.commit().await?;
    Ok(rows.first().map_or_else(Depth::default, |row| Depth {
        waiting: row.get(0),
        running: row.get(1),
        dead: row.get(2),
        ready: row.get(3),
        oldest_ready: row.get(4),
    }))
}
