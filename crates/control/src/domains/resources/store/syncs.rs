//! Syncs: runs, the freshness of scopes, and the schedule.

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Row, System, Tx};
use marquee_types::{OperationId, OrganizationId, ProviderId, SyncId};
use serde_json::Value;
use uuid::Uuid;

use super::super::{
    model::Counts,
    wire::{ScopeFreshness, Sync},
};

const START: &str = "
    INSERT INTO sync_runs (organization_id, id, provider_id, operation_id, requested_by, started_at)
    VALUES (current_organization(), $1, $2, $3, $4, $5)";

const FINISH: &str = "
    UPDATE sync_runs SET state = $2, counts = $3, finished_at = $4
     WHERE operation_id = $1 AND finished_at IS NULL
    RETURNING id, provider_id";

const FINISHED: &str = "
    UPDATE cloud_providers SET last_sync_id = $2, last_sync_state = $3, last_sync_finished_at = $4 WHERE id = $1";

const LIST: &str = "
    SELECT id, provider_id, operation_id, requested_by, state, counts, started_at, finished_at
      FROM sync_runs
     WHERE ($1::uuid IS NULL OR provider_id = $1) AND id < $2
     ORDER BY id DESC
     LIMIT $3";

const GET: &str = "
    SELECT id, provider_id, operation_id, requested_by, state, counts, started_at, finished_at
      FROM sync_runs WHERE id = $1";

const SCOPES: &str = "
    SELECT service, region, complete_at, attempted_at, resources, error
      FROM sync_scopes WHERE provider_id = $1 ORDER BY service, region";

// Also what a sync wrote that was ended before it noted the scope.
const KNOWN_SCOPES: &str = "
    SELECT scope, region, missing_since FROM sync_scopes WHERE provider_id = $1
    UNION ALL
    SELECT DISTINCT scope, split_part(scope, '@', 2), NULL::timestamptz FROM cloud_resources r
     WHERE provider_id = $1 AND deleted_at IS NULL
       AND NOT EXISTS (SELECT FROM sync_scopes s WHERE s.provider_id = $1 AND s.scope = r.scope)";
const MARK_SCOPES: &str = "
    UPDATE sync_scopes SET missing_since = CASE WHEN scope = ANY($2) THEN coalesce(missing_since, $3) END
     WHERE provider_id = $1 AND (missing_since IS NOT NULL OR scope = ANY($2))";
const FORGET_SCOPES: &str =
    "DELETE FROM sync_scopes WHERE provider_id = $1 AND ($2::text[] IS NULL OR scope = ANY($2))";

const SCOPE_DONE: &str = "
    INSERT INTO sync_scopes (organization_id, provider_id, scope, service, region, complete_at, attempted_at, resources)
    VALUES (current_organization(), $1, $2, $3, $4, $5, $5, $6)
    ON CONFLICT (organization_id, provider_id, scope) DO UPDATE
       SET complete_at = excluded.complete_at, attempted_at = excluded.attempted_at,
           resources = excluded.resources, error = NULL";

const SCOPE_FAILED: &str = "
    INSERT INTO sync_scopes (organization_id, provider_id, scope, service, region, attempted_at, error)
    VALUES (current_organization(), $1, $2, $3, $4, $5, $6)
    ON CONFLICT (organization_id, provider_id, scope) DO UPDATE
       SET attempted_at = excluded.attempted_at, error = excluded.error";

const DUE: &str = "
    SELECT organization_id, id, sync_interval_seconds
      FROM cloud_providers
     WHERE next_sync_at <= $1
     ORDER BY next_sync_at
     LIMIT 100";

const NEXT: &str = "
    UPDATE cloud_providers SET next_sync_at = $2 WHERE id = $1 AND deleted_at IS NULL";

/// A provider whose sync is due.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    pub organization: OrganizationId,
    pub provider: ProviderId,
    pub interval_seconds: i32,
}

/// Notes the run that an operation is.
pub async fn start(
    tx: &mut Tx<Org>,
    id: SyncId,
    provider: ProviderId,
    operation: OperationId,
    requested_by: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.execute(START, &[&id.uuid(), &provider.uuid(), &operation.uuid(), &requested_by, &now])
        .await
        .map(|_| ())
}

/// Notes how the run ended, on the run and on the provider.
pub async fn finish(
    tx: &mut Tx<Org>,
    operation: OperationId,
    state: &str,
    counts: &Value,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    if let Some(row) = tx.query_opt(FINISH, &[&operation.uuid(), &state, counts, &now]).await? {
        let (id, provider): (Uuid, Uuid) = (row.get("id"), row.get("provider_id"));
        tx.execute(FINISHED, &[&provider, &id, &state, &now]).await?;
    }
    Ok(())
}

/// A page of runs, newest first. Consumes the transaction.
pub async fn list(
    tx: Tx<Org>,
    provider: Option<ProviderId>,
    before: Option<SyncId>,
    fetch: i64,
) -> Result<Vec<Sync>, DbError> {
    let before = before.map_or(Uuid::max(), SyncId::uuid);
    let rows = tx.read(LIST, &[&provider.map(ProviderId::uuid), &before, &fetch]).await?;
    Ok(rows.iter().map(sync).collect())
}

/// One run. Consumes the transaction.
pub async fn get(tx: Tx<Org>, id: SyncId) -> Result<Option<Sync>, DbError> {
    Ok(tx.look_up(GET, &[&id.uuid()]).await?.first().map(sync))
}

/// How fresh the parts of a provider's inventory are.
pub async fn scopes(tx: &mut Tx<Org>, provider: ProviderId) -> Result<Vec<ScopeFreshness>, DbError> {
    let rows = tx.query(SCOPES, &[&provider.uuid()]).await?;
    Ok(rows
        .iter()
        .map(|row| ScopeFreshness {
            service: row.get("service"),
            region: row.get("region"),
            complete_at: row.get("complete_at"),
            attempted_at: row.get("attempted_at"),
            resources: row.get("resources"),
            error: row.get("error"),
        })
        .collect())
}

/// A scope that the inventory knows of.
#[derive(Debug)]
pub struct KnownScope {
    pub scope: String,
    pub region: String,
    /// Since when discovery has lacked it.
    pub missing_since: Option<DateTime<Utc>>,
}

/// A provider's scopes so far.
pub async fn known_scopes(tx: &mut Tx<Org>, provider: ProviderId) -> Result<Vec<KnownScope>, DbError> {
    let rows = tx.query(KNOWN_SCOPES, &[&provider.uuid()]).await?;
    Ok(rows
        .iter()
        .map(|row| KnownScope {
            scope: row.get("scope"),
            region: row.get("region"),
            missing_since: row.get("missing_since"),
        })
        .collect())
}

/// Notes which scopes discovery lacked, and that it found all others.
pub async fn mark_scopes(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    missing: &[String],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.execute(MARK_SCOPES, &[&provider.uuid(), &missing, &now]).await.map(|_| ())
}

/// Forgets these scopes, or all.
pub async fn forget_scopes(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scopes: Option<&[String]>,
) -> Result<(), DbError> {
    tx.execute(FORGET_SCOPES, &[&provider.uuid(), &scopes]).await.map(|_| ())
}

/// A scope was listed completely; the listing began at `began`.
pub async fn scope_done(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scope: &str,
    (service, region): (&str, &str),
    began: DateTime<Utc>,
    counts: Counts,
) -> Result<(), DbError> {
    let params: marquee_db::Params<'_> = &[&provider.uuid(), &scope, &service, &region, &began, &counts.seen];
    tx.execute(SCOPE_DONE, params).await.map(|_| ())
}

/// A scope could not be listed completely.
pub async fn scope_failed(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    scope: &str,
    (service, region): (&str, &str),
    at: DateTime<Utc>,
    error: &Value,
) -> Result<(), DbError> {
    tx.execute(SCOPE_FAILED, &[&provider.uuid(), &scope, &service, &region, &at, error]).await.map(|_| ())
}

/// Providers whose sync is due, of all organizations, the longest due first; at most 100.
pub async fn due(tx: Tx<System>, now: DateTime<Utc>) -> Result<Vec<Due>, DbError> {
    let rows = tx.read(DUE, &[&now]).await?;
    Ok(rows
        .iter()
        .map(|row| Due {
            organization: OrganizationId::from(row.get::<_, Uuid>("organization_id")),
            provider: ProviderId::from(row.get::<_, Uuid>("id")),
            interval_seconds: row.get("sync_interval_seconds"),
        })
        .collect())
}

/// Sets when a provider is synced next.
pub async fn schedule(tx: &mut Tx<Org>, provider: ProviderId, at: DateTime<Utc>) -> Result<(), DbError> {
    tx.execute(NEXT, &[&provider.uuid(), &at]).await.map(|_| ())
}

fn sync(row: &Row) -> Sync {
    Sync {
        id: SyncId::from(row.get::<_, Uuid>("id")),
        provider_id: ProviderId::from(row.get::<_, Uuid>("provider_id")),
        operation_id: OperationId::from(row.get::<_, Uuid>("operation_id")),
        requested_by: row.get("requested_by"),
        state: row.get("state"),
        counts: row.get("counts"),
        started_at: row.get("started_at"),
        finished_at: row.get("finished_at"),
    }
}
