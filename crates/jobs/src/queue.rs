//! All SQL about the table `jobs`.
//!
//! Two clocks are at work. When a job is due is told by the workers' [`marquee_types::Clock`]; when a lease
//! ends is told by the database's own clock alone, so that a machine whose clock jumps cannot take work from
//! the others.

use std::time::Duration;

use chrono::{DateTime, Utc};
use marquee_db::{Db, DbError, Org, Row, System, ToSql, Tx};
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
    /// Never used before: what the claimed jobs are held by.
    pub token: i64,
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

// The statistics of a queue are always out of date, and a claim that is planned by them may read and sort all of
// it (150 times slower with 20,000 jobs). There is one right plan, along the indexes, whatever the statistics say.
//
// What is written here is not waited for to reach the disk: should the database crash just then, a claim is lost
// (and with it the token, so that its worker can commit nothing), a renewal is, or a finished job runs again.
// Each of them is what a worker's death could do as well.
pub(crate) const STEER: &str = "
SELECT set_config(name, 'off', true)
FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'synchronous_commit']) AS name";

const UNWAITED: &str = "SELECT set_config('synchronous_commit', 'off', true)";

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
SET state = 'running', attempt = jobs.attempt + 1, lease = $11, worker = $8, started_at = $9,
    lease_until = clock_timestamp() + make_interval(secs => $10)
FROM picked
WHERE jobs.organization_id = picked.organization_id AND jobs.id = picked.id
RETURNING jobs.organization_id, jobs.id, jobs.kind, jobs.payload, jobs.attempt, jobs.max_attempts,
          jobs.request_id, greatest(jobs.run_at, jobs.enqueued_at), picked.share";

/// Takes work, in turns between organizations; see `CLAIM`. With `refill`, what became due is made ready before.
pub(crate) async fn claim(tx: &mut Tx<System>, ask: &Ask<'_>, refill: bool) -> Result<Claims, DbError> {
    let full: Vec<Uuid> = ask.left.iter().filter(|(_, left)| *left <= 0).map(|(id, _)| *id).collect();
    let (held, left): (Vec<Uuid>, Vec<i32>) = ask.left.iter().copied().unzip();
    let lease = ask.lease.as_secs_f64();
    let refilling: [&(dyn ToSql + Sync); 1] = [&ask.now];
    let claiming: [&(dyn ToSql + Sync); 11] = [
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
        &ask.token,
    ];
    let mut batch = tx.batch();
    batch.add(STEER, &[]);
    if refill {
        batch.add(PROMOTE, &refilling);
        batch.add(EXPIRE, &refilling);
    }
    batch.add(CLAIM, &claiming);
    let mut replies = batch.rows().await?;
    let rows = replies.pop().unwrap_or_default();
    if refill {
        report_expired(replies.pop().map_or(0, |expired| expired.len()));
    }
    let jobs = rows.iter().map(|row| claimed(row, ask.token)).collect();
    Ok(Claims { more: got_whole_share(&rows), after: last_turn(&rows, ask.after), jobs })
}

fn report_expired(expired: usize) {
    if expired > 0 {
        tracing::warn!(expired, "jobs were taken back from silent workers");
        metrics::counter!("jobs_leases_expired_total").increment(expired as u64);
    }
}

fn claimed(row: &Row, token: i64) -> Claimed {
    Claimed {
        lease: Lease {
            organization: OrganizationId::from(row.get::<_, Uuid>(0)),
            job: JobId::from(row.get::<_, Uuid>(1)),
            token,
        },
        kind: row.get(2),
        payload: row.get(3),
        attempt: row.get(4),
        max_attempts: row.get(5),
        request_id: row.get(6),
        due_at: row.get(7),
    }
}

fn got_whole_share(rows: &[Row]) -> bool {
    let mut got = std::collections::HashMap::<Uuid, i32>::new();
    rows.iter().any(|row| {
        let count = got.entry(row.get(0)).or_default();
        *count += 1;
        *count >= row.get::<_, i32>(8)
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
    lease = NULL, lease_until = NULL, worker = NULL,
    error = jsonb_build_object('code', 'worker_lost', 'detail', 'The worker fell silent: ' || jobs.worker)
FROM (SELECT organization_id, id FROM jobs WHERE state = 'running' AND lease_until < clock_timestamp()
      LIMIT 200 FOR UPDATE SKIP LOCKED) late
WHERE jobs.organization_id = late.organization_id AND jobs.id = late.id
RETURNING jobs.id";

const EXTEND: &str = "
UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => $4)
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS held (organization_id, id, lease)
WHERE jobs.organization_id = held.organization_id AND jobs.id = held.id AND jobs.lease = held.lease
RETURNING jobs.id";

/// Renews leases; gives the jobs whose lease is still held.
pub(crate) async fn extend(db: &Db, leases: &[Lease], by: Duration) -> Result<Vec<JobId>, DbError> {
    let organizations: Vec<Uuid> = leases.iter().map(|lease| lease.organization.uuid()).collect();
    let jobs: Vec<Uuid> = leases.iter().map(|lease| lease.job.uuid()).collect();
    let tokens: Vec<i64> = leases.iter().map(|lease| lease.token).collect();
    let mut tx = db.system("jobs: renew leases");
    let (by, held): (f64, [&(dyn ToSql + Sync); 3]) = (by.as_secs_f64(), [&organizations, &jobs, &tokens]);
    let mut batch = tx.batch();
    batch.add(STEER, &[]);
    batch.add(EXTEND, &[held[0], held[1], held[2], &by]);
    let rows = batch.rows().await?.pop().unwrap_or_default();
    tx.commit().await?;
    Ok(rows.iter().map(|row| JobId::from(row.get::<_, Uuid>(0))).collect())
}

const DELETE: &str = "
DELETE FROM jobs WHERE organization_id = $1 AND id = $2 AND lease = $3";

/// The job is done: it leaves the queue with the commit of `tx`.
pub(crate) fn delete_at_commit(tx: &mut Tx<Org>, lease: &Lease) {
    let (organization, job) = lease.keys();
    tx.before_commit(DELETE, vec![Box::new(organization), Box::new(job), Box::new(lease.token)]);
}

/// The job is done. Whether it was still ours makes no difference: if not, another worker does it again.
pub(crate) async fn delete(db: &Db, lease: &Lease) -> Result<(), DbError> {
    let mut tx = db.system("jobs: finish");
    tx.before_commit(UNWAITED, Vec::new());
    let (organization, job) = lease.keys();
    tx.before_commit(DELETE, vec![Box::new(organization), Box::new(job), Box::new(lease.token)]);
    tx.commit().await
}

const PUT_OFF: &str = "
UPDATE jobs SET state = CASE WHEN $4::timestamptz IS NULL THEN 'ready' ELSE 'waiting' END,
    run_at = coalesce($4, run_at), lease = NULL, lease_until = NULL, worker = NULL, error = coalesce($5, error),
    attempt = attempt - $6
WHERE organization_id = $1 AND id = $2 AND lease = $3";

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
    let mut tx = db.system("jobs: put off");
    tx.before_commit(UNWAITED, Vec::new());
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
UPDATE jobs SET state = 'dead', died_at = $4, lease = NULL, lease_until = NULL, worker = NULL, error = $5
WHERE organization_id = $1 AND id = $2 AND lease = $3";

/// The job becomes a dead letter.
pub(crate) async fn bury(db: &Db, lease: &Lease, clock: &Clock, error: &StepError) -> Result<(), DbError> {
    let mut tx = db.system("jobs: bury");
    let (organization, job) = lease.keys();
    tx.execute(BURY, &[&organization, &job, &lease.token, &clock.now(), &error.to_json()]).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use marquee_db::testing::TestDb;

    use super::*;

    const FILL: &str = "
    INSERT INTO jobs (organization_id, id, kind, run_at, max_attempts, enqueued_at)
    SELECT md5((n % 50)::text)::uuid, gen_random_uuid(), 'x', now(), 10, now() FROM generate_series(1, 5000) AS n";

    /// Nobody has analyzed the table: the plan must be the right one all the same.
    #[tokio::test]
    async fn a_claim_goes_along_the_index_whatever_the_statistics_say() {
        let test = TestDb::new(Clock::system()).await;
        let mut tx = test.db.system("test: explain a claim");
        tx.execute(FILL, &[]).await.unwrap();
        tx.query(STEER, &[]).await.unwrap();
        let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {CLAIM}");
        let (nobody, none) = (Vec::<Uuid>::new(), Vec::<i32>::new());
        let rows = tx
            .query_dynamic(
                &explain,
                &[
                    &Uuid::nil(),
                    &nobody,
                    &vec!["x"],
                    &16_i32,
                    &24_i32,
                    &nobody,
                    &none,
                    &"test",
                    &Clock::system().now(),
                    &30.0_f64,
                    &7_i64,
                ],
            )
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        for wrong in ["Seq Scan", "Bitmap", "Sort"] {
            assert!(!plan.contains(wrong), "{wrong} in\n{plan}");
        }
        assert!(plan.contains("jobs_ready"), "{plan}");
    }
}
