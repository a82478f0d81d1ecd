//! The engine's own reconcilers: partitions ahead, expired idempotency keys and old operations away.

use std::time::Duration;

use async_trait::async_trait;
use marquee_db::DbError;
use serde_json::json;

use crate::{
    failure::StepError,
    reconciler::{ReconcileContext, Reconciler, Summary},
    registry::Registry,
};

/// Rows deleted in one transaction: short enough to be in nobody's way.
const BATCH: i64 = 1000;

/// Adds them.
pub(crate) fn add_to(registry: Registry, keep_operations: Duration) -> Registry {
    registry
        .reconciler(Partitions)
        .reconciler(ExpiredKeys)
        .reconciler(OldOperations { keep: keep_operations })
}

/// Makes the partitions of every partitioned table ahead of time, and drops those past their retention.
struct Partitions;

#[async_trait]
impl Reconciler for Partitions {
    fn name(&self) -> &'static str {
        "partition_upkeep"
    }

    fn period(&self) -> Duration {
        Duration::from_hours(1)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let mut tx = ctx.db.system("jobs: keep partitions");
        let sql = "SELECT coalesce(sum(created), 0), coalesce(sum(dropped), 0) FROM upkeep_partitions($1)";
        let row = tx.query_one(sql, &[&ctx.clock.now()]).await?;
        tx.commit().await?;
        Ok(json!({ "created": row.get::<_, i64>(0), "dropped": row.get::<_, i64>(1) }))
    }
}

/// Deletes idempotency keys whose day is over.
struct ExpiredKeys;

const EXPIRED_KEYS: &str = "
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM idempotency_keys WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))";

#[async_trait]
impl Reconciler for ExpiredKeys {
    fn name(&self) -> &'static str {
        "expired_idempotency_keys"
    }

    fn period(&self) -> Duration {
        Duration::from_mins(10)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let now = ctx.clock.now();
        let mut deleted = 0;
        loop {
            let mut tx = ctx.db.system("jobs: delete expired idempotency keys");
            let some = tx.execute(EXPIRED_KEYS, &[&now, &BATCH]).await?;
            tx.commit().await?;
            deleted += some;
            if some < BATCH.unsigned_abs() {
                return Ok(json!({ "deleted": deleted }));
            }
        }
    }
}

/// Deletes operations, with their steps, some time after they were done.
struct OldOperations {
    keep: Duration,
}

const OLD_OPERATIONS: &str = "
DELETE FROM operations WHERE (organization_id, id) IN (
    SELECT organization_id, id FROM operations WHERE done AND finished_at < $1 ORDER BY finished_at LIMIT $2)";

#[async_trait]
impl Reconciler for OldOperations {
    fn name(&self) -> &'static str {
        "old_operations"
    }

    fn period(&self) -> Duration {
        Duration::from_hours(1)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let keep = chrono::TimeDelta::from_std(self.keep).unwrap_or(chrono::TimeDelta::MAX);
        let Some(before) = ctx.clock.now().checked_sub_signed(keep) else {
            return Ok(json!({ "deleted": 0 }));
        };
        let mut deleted = 0;
        loop {
            let some = delete_old(ctx, before).await?;
            deleted += some;
            if some < BATCH.unsigned_abs() / 10 {
                return Ok(json!({ "deleted": deleted }));
            }
        }
    }
}

async fn delete_old(ctx: &ReconcileContext, before: chrono::DateTime<chrono::Utc>) -> Result<u64, DbError> {
    let mut tx = ctx.db.system("jobs: delete old operations");
    let deleted = tx.execute(OLD_OPERATIONS, &[&before, &(BATCH / 10)]).await?;
    tx.commit().await?;
    Ok(deleted)
}
