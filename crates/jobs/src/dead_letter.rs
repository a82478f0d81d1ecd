//! Dead letters: jobs that gave up. They are kept, can be seen with their reason, and can be tried again or
//! dropped by a person.

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Tx};
use marquee_types::JobId;
use serde_json::Value;
use uuid::Uuid;

use crate::{job::wake_workers, queue::organization};

/// A job that gave up.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The job.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// What it was to do.
    pub payload: Value,
    /// How often it was started.
    pub attempt: i32,
    /// The last failure: `{"code", "detail"}`.
    pub error: Option<Value>,
    /// When it was asked for.
    pub enqueued_at: DateTime<Utc>,
    /// When it gave up.
    pub died_at: Option<DateTime<Utc>>,
}

/// What asking a dead letter to be tried again led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revived {
    /// It is in the queue again, with all its attempts.
    Ready,
    /// A newer job with the same key is unfinished and does its work; the letter was left as it is.
    Superseded,
    /// There is no such dead letter in this organization.
    NotFound,
}

const LIST: &str = "
SELECT id, kind, payload, attempt, error, enqueued_at, died_at FROM jobs
WHERE organization_id = $1 AND state = 'dead' AND id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
ORDER BY id DESC LIMIT $3";

/// The organization's dead letters, newest first, at most `limit`, those before `before` if it is given.
pub async fn dead_letters(
    tx: &mut Tx<Org>,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<DeadLetter>, DbError> {
    let owner = organization(tx);
    let rows = tx.query(LIST, &[&owner, &before.map(JobId::uuid), &i64::from(limit)]).await?;
    let letter = |row: &marquee_db::Row| DeadLetter {
        id: JobId::from(row.get::<_, Uuid>(0)),
        kind: row.get(1),
        payload: row.get(2),
        attempt: row.get(3),
        error: row.get(4),
        enqueued_at: row.get(5),
        died_at: row.get(6),
    };
    Ok(rows.iter().map(letter).collect())
}

// The look at the newer job is for the answer; what holds against a race is the index jobs_dedup.
const REVIVE: &str = "
WITH letter AS (
    SELECT id, kind, dedup_key FROM jobs WHERE organization_id = $1 AND id = $2 AND state = 'dead' FOR UPDATE
), newer AS (
    SELECT FROM jobs JOIN letter USING (kind, dedup_key)
    WHERE jobs.organization_id = $1 AND jobs.state <> 'dead'
), revived AS (
    UPDATE jobs SET state = 'ready', run_at = $3, attempt = 0, died_at = NULL
    FROM letter
    WHERE jobs.organization_id = $1 AND jobs.id = letter.id AND NOT EXISTS (SELECT FROM newer)
    RETURNING jobs.id
)
SELECT (SELECT count(*) FROM letter), (SELECT count(*) FROM revived)";

/// Puts a dead letter back into the queue, with all its attempts.
pub async fn retry_dead_letter(tx: &mut Tx<Org>, id: JobId) -> Result<Revived, DbError> {
    let owner = organization(tx);
    let now = tx.clock().now();
    let row = tx.query_one(REVIVE, &[&owner, &id.uuid(), &now]).await?;
    match (row.get::<_, i64>(0), row.get::<_, i64>(1)) {
        (0, _) => Ok(Revived::NotFound),
        (_, 0) => Ok(Revived::Superseded),
        _ => {
            wake_workers(tx);
            Ok(Revived::Ready)
        }
    }
}

const DROP: &str = "DELETE FROM jobs WHERE organization_id = $1 AND id = $2 AND state = 'dead'";

/// Drops a dead letter for good; `false` if there is none.
pub async fn drop_dead_letter(tx: &mut Tx<Org>, id: JobId) -> Result<bool, DbError> {
    let owner = organization(tx);
    Ok(tx.execute(DROP, &[&owner, &id.uuid()]).await? == 1)
}
