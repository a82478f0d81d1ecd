//! What a cloud lately had none of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Tx};
use marquee_types::ProviderId;

const NOTE: &str = "
    INSERT INTO capacity_shortages (organization_id, provider_id, region, size, seen_at)
    VALUES (current_organization(), $1, $2, $3, $4)
    ON CONFLICT (organization_id, provider_id, region, size) DO UPDATE
       SET seen_at = greatest(capacity_shortages.seen_at, excluded.seen_at)";

const SINCE: &str = "
    SELECT size, seen_at FROM capacity_shortages WHERE provider_id = $1 AND region = $2 AND seen_at >= $3";

/// Writes down that a cloud had none of a size.
pub async fn note(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    region: &str,
    size: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.execute(NOTE, &[&provider.uuid(), &region, &size, &now]).await.map(drop)
}

/// The sizes that a cloud had none of since a time, with when that was last.
pub async fn since(
    tx: &mut Tx<Org>,
    provider: ProviderId,
    region: &str,
    since: DateTime<Utc>,
) -> Result<BTreeMap<String, DateTime<Utc>>, DbError> {
    let rows = tx.query(SINCE, &[&provider.uuid(), &region, &since]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
