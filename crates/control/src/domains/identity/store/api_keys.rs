//! API keys of the organization.

use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::{ApiKeyId, Permission, PermissionSet};
use uuid::Uuid;

use crate::domains::identity::{model::TokenHash, wire::ApiKey};

const CREATE: &str = "
    INSERT INTO api_keys (organization_id, id, name, created_by, secret_hash, scopes, created_at, expires_at)
    VALUES (current_organization(), $1, $2, $3, $4, $5, $6, $7)";

const PAGE: &str = "
    SELECT id, name, created_by, scopes, created_at, expires_at, last_used_at FROM api_keys
     WHERE organization_id = current_organization() AND ($1::uuid IS NULL OR id > $1)
     ORDER BY id LIMIT $2";

const ONE: &str = "
    SELECT id, name, created_by, scopes, created_at, expires_at, last_used_at FROM api_keys
     WHERE organization_id = current_organization() AND id = $1";

const DELETE: &str = "
    DELETE FROM api_keys WHERE organization_id = current_organization() AND id = $1 RETURNING secret_hash";

/// Stores a key; breaks `api_keys_name_unique` if there is one of that name.
pub async fn create(tx: &mut Tx<Org>, key: &ApiKey, secret: &TokenHash) -> Result<(), DbError> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    tx.execute(
        CREATE,
        &[
            &key.id.uuid(),
            &key.name,
            &key.created_by.uuid(),
            &secret.as_bytes(),
            &scopes,
            &key.created_at,
            &key.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// Keys in the order of their making.
pub async fn page(tx: Tx<Org>, after: Option<ApiKeyId>, limit: i64) -> Result<Vec<ApiKey>, DbError> {
    let rows = tx.read(PAGE, &[&after.map(ApiKeyId::uuid), &limit]).await?;
    Ok(rows.iter().map(read).collect())
}

/// One key.
pub async fn one(tx: Tx<Org>, id: ApiKeyId) -> Result<Option<ApiKey>, DbError> {
    Ok(tx.read(ONE, &[&id.uuid()]).await?.first().map(read))
}

/// Removes a key; the hash of its secret.
pub async fn delete(tx: &mut Tx<Org>, id: ApiKeyId) -> Result<Option<TokenHash>, DbError> {
    let row = tx.query_opt(DELETE, &[&id.uuid()]).await?;
    Ok(row.and_then(|row| TokenHash::from_bytes(row.get(0))))
}

/// Scopes as they are stored. A word that is no permission any more grants nothing.
pub fn scopes(words: &[String]) -> PermissionSet {
    words.iter().filter_map(|word| word.parse::<Permission>().ok()).collect()
}

fn read(row: &Row) -> ApiKey {
    ApiKey {
        id: row.get::<_, Uuid>(0).into(),
        name: row.get(1),
        created_by: row.get::<_, Uuid>(2).into(),
        scopes: scopes(&row.get::<_, Vec<String>>(3)).iter().collect(),
        created_at: row.get(4),
        expires_at: row.get(5),
        last_used_at: row.get(6),
    }
}
