//! What tests ask of the engine: workers that hurry, crashes on command, and the queue's leftovers.
//!
//! [`exercise`] holds the generic tests that every kind of operation has to pass.

pub mod exercise;
mod faults;

use std::time::Duration;

use marquee_db::{Db, DbError, OrgContext};
use marquee_types::{Clock, OperationId};
use tokio_util::sync::CancellationToken;

use crate::{Jitter, Limits, OperationRow, Registry, Workers, operation::wait_operation};

pub use faults::{Fault, Faulty};

/// Limits for tests: looks every few hundredths of a second and is never patient.
pub fn hurried() -> Limits {
    Limits {
        concurrency: 16,
        per_organization: 12,
        poll: Duration::from_millis(20),
        lease: Duration::from_secs(10),
        grace: Duration::from_secs(5),
        ..Limits::default()
    }
}

/// Hurried workers whose chance is the same at every run.
pub fn workers(db: &Db, clock: &Clock, registry: Registry) -> Workers {
    Workers::with_jitter(db.clone(), clock.clone(), registry, hurried(), Jitter::seeded(1))
}

/// Workers that no notice reaches, as if every one were lost: what they find, they find by looking.
pub fn deaf_workers(db: &Db, clock: &Clock, registry: Registry, limits: Limits) -> Workers {
    Workers::build(db.clone(), clock.clone(), registry, limits, Jitter::seeded(1), false)
}

/// Works until the operation is done, then shuts down in good order.
///
/// # Panics
/// If it is not done in `at_most`, or the database fails.
pub async fn work_until_done(
    workers: &Workers,
    db: &Db,
    context: &OrgContext,
    operation: OperationId,
    at_most: Duration,
) -> OperationRow {
    let stop = CancellationToken::new();
    let wait = async {
        let row = wait_operation(db, context, operation, at_most).await;
        stop.cancel();
        row
    };
    let ((), row) = tokio::join!(workers.run(stop.clone()), wait);
    match row {
        Ok(Some(row)) if row.state.is_done() => row,
        other => panic!("{operation} is not done after {at_most:?}: {other:?}"),
    }
}

const UNFINISHED: &str = "SELECT kind, state, error::text FROM jobs ORDER BY organization_id, id";

/// Every job there is, dead letters too, as a line of text each: at the end of a test there should be none.
pub async fn leftover_jobs(db: &Db) -> Result<Vec<String>, DbError> {
    let tx = db.system("testing: leftover jobs");
    let rows = tx.read(UNFINISHED, &[]).await?;
    let line = |row: &marquee_db::Row| {
        let (kind, state, error) =
            (row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, Option<&str>>(2));
        format!("{kind} is {state}: {}", error.unwrap_or("no error"))
    };
    Ok(rows.iter().map(line).collect())
}

/// Works until no job is ready or running; jobs that wait for a later time, and dead letters, stay. Gives what
/// is left, as [`leftover_jobs`] does.
pub async fn work_until_idle(workers: &Workers, db: &Db) -> Result<Vec<String>, DbError> {
    let stop = CancellationToken::new();
    let idle = async {
        let outcome = until_idle(db).await;
        stop.cancel();
        outcome
    };
    let ((), outcome) = tokio::join!(workers.run(stop.clone()), idle);
    outcome?;
    leftover_jobs(db).await
}

async fn until_idle(db: &Db) -> Result<(), DbError> {
    loop {
        let tx = db.system("testing: is the queue idle");
        let sql = "SELECT EXISTS (SELECT FROM jobs WHERE state IN ('ready', 'running'))";
        let busy = tx.read(sql, &[]).await?.first().is_some_and(|row| row.get(0));
        if !busy {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ends every lease, as if all workers had been silent for too long.
pub async fn end_leases(db: &Db) -> Result<(), DbError> {
    let mut tx = db.system("testing: end leases");
    tx.execute("UPDATE jobs SET lease_until = '-infinity' WHERE state = 'running'", &[]).await?;
    tx.commit().await
}
