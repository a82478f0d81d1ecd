//! The organization's own row.

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::OrganizationId;
use uuid::Uuid;

use crate::domains::identity::{model::DisplayName, wire::Organization};

const CREATE: &str = "
    INSERT INTO organizations (organization_id, name, created_at) VALUES (current_organization(), $1, $2)";

const CURRENT: &str = "
    SELECT organization_id, name, created_at, revision FROM organizations
     WHERE organization_id = current_organization()";

const LOCK: &str = "
    SELECT organization_id, name, created_at, revision FROM organizations
     WHERE organization_id = current_organization() FOR NO KEY UPDATE";

const RENAME: &str = "
    UPDATE organizations SET name = $1, revision = revision + 1
     WHERE organization_id = current_organization()
    RETURNING organization_id, name, created_at, revision";

/// Makes the organization that the transaction acts for.
pub async fn create(tx: &mut Tx<Org>, name: &DisplayName, now: DateTime<Utc>) -> Result<(), DbError> {
    tx.execute(CREATE, &[&name.as_str(), &now]).await?;
    Ok(())
}

/// The organization and its revision.
pub async fn current(tx: Tx<Org>) -> Result<Option<(Organization, i64)>, DbError> {
    Ok(tx.read(CURRENT, &[]).await?.first().map(read))
}

/// The same, with its row locked until the transaction ends: what must not happen twice at once is done under it.
pub async fn lock(tx: &mut Tx<Org>) -> Result<Option<(Organization, i64)>, DbError> {
    Ok(tx.query_opt(LOCK, &[]).await?.as_ref().map(read))
}

/// Gives it another name.
pub async fn rename(tx: &mut Tx<Org>, name: &DisplayName) -> Result<(Organization, i64), DbError> {
    tx.query_one(RENAME, &[&name.as_str()]).await.map(|row| read(&row))
}

fn read(row: &Row) -> (Organization, i64) {
    let id: OrganizationId = row.get::<_, Uuid>(0).into();
    (Organization { id, name: row.get(1), created_at: row.get(2) }, row.get(3))
}
