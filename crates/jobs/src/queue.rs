//! All SQL about the table `jobs`.
//!
//! Two clocks are at work. When a job is due is told by the workers' [`marquee_types::Clock`]; when a lease
//! ends is told by the database's own clock alone, so that a machine whose clock jumps cannot take work from
//! the others.

use std::time::Duration;

use chrono::{DateTime, Utc};
use marquee_db::{Db, DbError, Org, Row, System, Tx};
use marquee_types::{Clock, JobId, OrganizationId};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    failure::StepError,
    job::{Enqueued, NewJob},
    lease::Lease,
};

/// The notice channel that tells workers to look into the queue. The payload is empty.
pub const QUEUE_CHANNEL: &str = "jobs";

/// A job as a worker got it.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub lease: Lease,
    pub kind: String,
    pub payload: Value,
    pub attempt: i32,
    pub max_attempts: i32,
    pub request_id: String,
    /// When it could have started.
    pub due_at: DateTime<Utc>,
}

/// What a claim asks for.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub worker: &'a str,
    /// How many at most.
    pub batch: i32,
    /// The kinds this process has a free slot for.
    pub kinds: Vec<&'a str>,
    /// The organization whose turn was last.
    pub after: Uuid,
    /// How many slots an organization may hold in this process.
    pub share: i32,
    /// Organizations that hold slots, and how many they may still get.
    pub left: Vec<(Uuid, i32)>,
    pub lease: Duration,
    pub now: DateTime<Utc>,
}

/// What a claim got.
#[derive(Debug)]
pub(crate) struct Claims {
    pub jobs: Vec<Claimed>,
    /// Whether an organization got its whole share, so that it may have more.
    pub more: bool,
    /// The organization whose turn was last now.
    pub after: Uuid,
}

const INSERT: &str = "
INSERT INTO jobs (organization_id, id, kind, payload, dedup_key, priority, state, run_at, max_attempts,
                  request_id, enqueued_at)
VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7::timestamptz IS NULL THEN 'ready' ELSE 'waiting' END,
        coalesce($7, $8), $9, $10, $8)
ON CONFLICT (organization_id, kind, dedup_key) WHERE dedup_key IS NOT NULL AND state <> 'dead' DO NOTHING";

const FIND_DUPLICATE: &str = "
SELECT id FROM jobs WHERE organization_id = $1 AND kind = $2 AND dedup_key = $3 AND state <> 'dead'";

/// Inserts the job, or finds the unfinished one with its key.
pub(crate) async fn insert(tx: &mut Tx<Org>, job: &NewJob) -> Result<Enqueued, DbError> {
    insert_as(tx, job, job.kind, i32::from(job.max_attempts.max(1))).await
}

/// As [`insert`], with a kind and a number of attempts that only the engine may choose.
pub(crate) async fn insert_as(
    tx: &mut Tx<Org>,
    job: &NewJob,
    kind: &str,
    max_attempts: i32,
) -> Result<Enqueued, DbError> {
    let (organization, request_id) = origin(tx);
    let id = JobId::new();
    let now = tx.clock().now();
    loop {
        let inserted = tx
            .execute(
                INSERT,
                &[
                    &organization,
                    &id.uuid(),
                    &kind,
                    &job.payload,
                    &job.dedup_key,
                    &job.priority,
                    &job.run_at,
                    &now,
                    &max_attempts,
                    &request_id,
                ],
            )
            .await?;
        if inserted == 1 {
            return Ok(Enqueued::New(id));
        }
        // The one that stood in the way may be done by the time we look for it: then there is room for ours.
        if let Some(row) = tx.query_opt(FIND_DUPLICATE, &[&organization, &kind, &job.dedup_key]).await? {
            return Ok(Enqueued::Existing(JobId::from(row.get::<_, Uuid>(0))));
        }
    }
}

/// The organization of the transaction and the request it belongs to. `Tx<Org>` always has a context; the nil
/// id that would stand for a missing one is refused by row level security.
pub(crate) fn origin(tx: &Tx<Org>) -> (Uuid, String) {
    tx.context().map(|context| (context.organization.uuid(), context.request_id.clone())).unwrap_or_default()
}

/// The organization of the transaction.
pub(crate) fn organization(tx: &Tx<Org>) -> Uuid {
    origin(tx).0
}

// Organizations that have work take turns: two skip scans over the first column of jobs_ready list the next
// ones behind the last turn, then those from the beginning. Each gets an equal share of the batch, best
// priority first. FOR UPDATE is what hold_lease() conflicts with.
const CLAIM: &str = "
WITH RECURSIVE ahead AS (
    (SELECT organization_id FROM jobs
     WHERE state = 'ready' AND organization_id > $1 AND organization_id <> ALL ($2) AND kind = ANY ($3)
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT next.organization_id FROM ahead, LATERAL (
        SELECT organization_id FROM jobs
        WHERE state = 'ready' AND organization_id > ahead.organization_id
          AND organization_id <> ALL ($2) AND kind = ANY ($3)
        ORDER BY organization_id LIMIT 1) next
), behind AS (
    (SELECT organization_id FROM jobs
     WHERE state = 'ready' AND organization_id <= $1 AND organization_id <> ALL ($2) AND kind = ANY ($3)
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT next.organization_id FROM behind, LATERAL (
        SELECT organization_id FROM jobs
        WHERE state = 'ready' AND organization_id > behind.organization_id AND organization_id <= $1
          AND organization_id <> ALL ($2) AND kind = ANY ($3)
        ORDER BY organization_id LIMIT 1) next
), turns AS MATERIALIZED (
    SELECT organization_id FROM (
        SELECT organization_id FROM ahead UNION ALL SELECT organization_id FROM behind) listed
    LIMIT $4::integer
), shares AS MATERIALIZED (
    SELECT turns.organization_id,
           least(coalesce(held.remaining, $5::integer),
                 ceil($4::integer::float8 / (SELECT count(*) FROM turns))::integer) AS share
    FROM turns LEFT JOIN unnest($6::uuid[], $7::integer[]) AS held (organization_id, remaining)
      USING (organization_id)
), picked AS MATERIALIZED (
    SELECT best.organization_id, best.id, shares.share
    FROM shares CROSS JOIN LATERAL (
        SELECT organization_id, id FROM jobs
        WHERE organization_id = shares.organization_id AND state = 'ready' AND kind = ANY ($3)
        ORDER BY priority DESC, id
        LIMIT shares.share
        FOR UPDATE SKIP LOCKED) best
    LIMIT $4::integer
)
UPDATE jobs
SET state = 'running', attempt = jobs.attempt + 1, lease = jobs.lease + 1, worker = $8, started_at = $9,
    lease_until = clock_timestamp() + make_interval(secs => $10)
FROM picked
WHERE jobs.organization_id = picked.organization_id AND jobs.id = picked.id
RETURNING jobs.organization_id, jobs.id, jobs.lease, jobs.kind, jobs.payload, jobs.attempt, jobs.max_attempts,
          jobs.request_id, greatest(jobs.run_at, jobs.enqueued_at), picked.share";

/// Takes work, in turns between organizations; see `CLAIM`.
pub(crate) async fn claim(tx: &mut Tx<System>, ask: &Ask<'_>) -> Result<Claims, DbError> {
    let full: Vec<Uuid> = ask.left.iter().filter(|(_, left)| *left <= 0).map(|(id, _)| *id).collect();
    let (held, left): (Vec<Uuid>, Vec<i32>) = ask.left.iter().copied().unzip();
    let lease = ask.lease.as_secs_f64();
    let rows = tx
        .query(
            CLAIM,
            &[
                &ask.after,
                &full,
                &ask.kinds,
                &ask.batch,
                &ask.share,
                &held,
                &left,
                &ask.worker,
                &ask.now,
                &lease,
            ],
        )
        .await?;
    Ok(Claims {
        more: got_whole_share(&rows),
        after: last_turn(&rows, ask.after),
        jobs: rows.iter().map(claimed).collect(),
    })
}

fn claimed(row: &Row) -> Claimed {
    Claimed {
        lease: Lease {
            organization: OrganizationId::from(row.get::<_, Uuid>(0)),
            job: JobId::from(row.get::<_, Uuid>(1)),
            token: row.get(2),
        },
        kind: row.get(3),
        payload: row.get(4),
        attempt: row.get(5),
        max_attempts: row.get(6),
        request_id: row.get(7),
        due_at: row.get(8),
    }
}

fn got_whole_share(rows: &[Row]) -> bool {
    let mut got = std::collections::HashMap::<Uuid, i32>::new();
    rows.iter().any(|row| {
        let count = got.entry(row.get(0)).or_default();
        *count += 1;
        *count >= row.get::<_, i32>(9)
    })
}

fn last_turn(rows: &[Row], after: Uuid) -> Uuid {
    let order = |id: &Uuid| (*id <= after, *id);
    rows.iter().map(|row| row.get::<_, Uuid>(0)).max_by_key(order).unwrap_or(after)
}

const PROMOTE: &str = "
UPDATE jobs SET state = 'ready'
FROM (SELECT organization_id, id FROM jobs WHERE state = 'waiting' AND run_at <= $1
      ORDER BY run_at LIMIT 500 FOR UPDATE SKIP LOCKED) due
WHERE jobs.organization_id = due.organization_id AND jobs.id = due.id";

const EXPIRE: &str = "
UPDATE jobs
SET state = CASE WHEN jobs.attempt >= jobs.max_attempts THEN 'dead' ELSE 'ready' END,
    died_at = CASE WHEN jobs.attempt >= jobs.max_attempts THEN $1::timestamptz END,
    lease_until = NULL,
    error = jsonb_build_object('code', 'worker_lost', 'detail', 'The worker fell silent: ' || jobs.worker),
    worker = NULL
FROM (SELECT organization_id, id FROM jobs WHERE state = 'running' AND lease_until < clock_timestamp()
      LIMIT 200 FOR UPDATE SKIP LOCKED) late
WHERE jobs.organization_id = late.organization_id AND jobs.id = late.id";

/// Makes ready what is due by now, and what a silent worker has held for too long.
pub(crate) async fn refill(tx: &mut Tx<System>, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut batch = tx.batch();
    batch.add(PROMOTE, &[&now]);
    batch.add(EXPIRE, &[&now]);
    let expired = batch.run().await?.last().copied().unwrap_or_default();
    if expired > 0 {
        tracing::warn!(expired, "jobs were taken back from silent workers");
        metrics::counter!("jobs_leases_expired_total").increment(expired);
    }
    Ok(())
}

const EXTEND: &str = "
UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => $4)
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS held (organization_id, id, lease)
WHERE jobs.organization_id = held.organization_id AND jobs.id = held.id AND jobs.lease = held.lease
  AND jobs.state = 'running'
RETURNING jobs.id";

/// Renews leases; gives the jobs whose lease is still held.
pub(crate) async fn extend(db: &Db, leases: &[Lease], by: Duration) -> Result<Vec<JobId>, DbError> {
    let organizations: Vec<Uuid> = leases.iter().map(|lease| lease.organization.uuid()).collect();
    let jobs: Vec<Uuid> = leases.iter().map(|lease| lease.job.uuid()).collect();
    let tokens: Vec<i64> = leases.iter().map(|lease| lease.token).collect();
    let mut tx = db.system("jobs: renew leases").await?;
    let rows = tx.query(EXTEND, &[&organizations, &jobs, &tokens, &by.as_secs_f64()]).await?;
    tx.commit().await?;
    Ok(rows.iter().map(|row| JobId::from(row.get::<_, Uuid>(0))).collect())
}

const DELETE: &str = "
DELETE FROM jobs WHERE organization_id = $1 AND id = $2 AND lease = $3 AND state = 'running'";

/// The job is done: it leaves the queue with the commit of `tx`.
pub(crate) fn delete_at_commit(tx: &mut Tx<Org>, lease: &Lease) {
    let (organization, job) = lease.keys();
    tx.before_commit(DELETE, vec![Box::new(organization), Box::new(job), Box::new(lease.token)]);
}

/// The job is done. Whether it was still ours makes no difference: if not, another worker does it again.
pub(crate) async fn delete(db: &Db, lease: &Lease) -> Result<(), DbError> {
    let mut tx = db.system("jobs: finish").await?;
    let (organization, job) = lease.keys();
    tx.before_commit(DELETE, vec![Box::new(organization), Box::new(job), Box::new(lease.token)]);
    tx.commit().await
}

const PUT_OFF: &str = "
UPDATE jobs SET state = CASE WHEN $4::timestamptz IS NULL THEN 'ready' ELSE 'waiting' END,
    run_at = coalesce($4, run_at), lease_until = NULL, worker = NULL, error = coalesce($5, error),
    attempt = attempt - $6
WHERE organization_id = $1 AND id = $2 AND lease = $3 AND state = 'running'";

/// How a worker leaves a job that is not done.
#[derive(Debug, Clone)]
pub(crate) enum PutOff {
    /// Another worker may have it at once; the attempt does not count.
    GivenBack,
    /// Not before the time, because of the failure.
    Failed(DateTime<Utc>, StepError),
    /// Not before the time, because there is nothing to do until then; the attempt does not count.
    Until(DateTime<Utc>),
}

/// Leaves a job that is not done.
pub(crate) async fn put_off(db: &Db, lease: &Lease, how: &PutOff) -> Result<(), DbError> {
    let mut tx = db.system("jobs: put off").await?;
    let (organization, job) = lease.keys();
    let (run_at, error, uncounted) = how.columns();
    tx.before_commit(
        PUT_OFF,
        vec![
            Box::new(organization),
            Box::new(job),
            Box::new(lease.token),
            Box::new(run_at),
            Box::new(error),
            Box::new(uncounted),
        ],
    );
    tx.commit().await
}

/// As [`put_off`], in the commit of a transaction inside the organization.
pub(crate) fn put_off_at_commit(tx: &mut Tx<Org>, lease: &Lease, how: &PutOff) {
    let (organization, job) = lease.keys();
    let (run_at, error, uncounted) = how.columns();
    tx.before_commit(
        PUT_OFF,
        vec![
            Box::new(organization),
            Box::new(job),
            Box::new(lease.token),
            Box::new(run_at),
            Box::new(error),
            Box::new(uncounted),
        ],
    );
}

impl PutOff {
    fn columns(&self) -> (Option<DateTime<Utc>>, Option<Value>, i32) {
        match self {
            Self::GivenBack => (None, None, 1),
            Self::Failed(at, error) => (Some(*at), Some(error.to_json()), 0),
            Self::Until(at) => (Some(*at), None, 1),
        }
    }
}

const BURY: &str = "
UPDATE jobs SET state = 'dead', died_at = $4, lease_until = NULL, worker = NULL, error = $5
WHERE organization_id = $1 AND id = $2 AND lease = $3 AND state = 'running'";

/// The job becomes a dead letter.
pub(crate) async fn bury(db: &Db, lease: &Lease, clock: &Clock, error: &StepError) -> Result<(), DbError> {
    let mut tx = db.system("jobs: bury").await?;
    let (organization, job) = lease.keys();
    tx.execute(BURY, &[&organization, &job, &lease.token, &clock.now(), &error.to_json()]).await?;
    tx.commit().await
}
