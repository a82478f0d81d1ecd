//! The look-ups that recognize a caller, and when they were last seen.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use marquee_db::{Anonymous, Db, DbError, System, Tx};
use marquee_types::{ApiKeyId, OrganizationId, PermissionSet, Role, SessionId, UserId};
use uuid::Uuid;

use crate::{
    domains::identity::model::{TokenHash, session},
    http::Credential,
};

const FIND_SESSION: &str = "
    SELECT organization_id, session_id, user_id, role, last_used_at, expires_at
      FROM find_session($1)";

const FIND_API_KEY: &str = "
    SELECT organization_id, created_by, role, secret_hash, scopes, expires_at
      FROM find_api_key($1)";

const SESSIONS_LAST_USED: &str = "
    UPDATE sessions s SET last_used_at = seen.at
      FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS seen (organization_id, id, at)
     WHERE s.organization_id = seen.organization_id AND s.id = seen.id AND s.last_used_at < seen.at";

const API_KEYS_LAST_USED: &str = "
    UPDATE api_keys k SET last_used_at = seen.at
      FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS seen (organization_id, id, at)
     WHERE k.organization_id = seen.organization_id AND k.id = seen.id
       AND (k.last_used_at IS NULL OR k.last_used_at < seen.at)";

const REMOVE_SESSIONS: &str = "DELETE FROM sessions WHERE expires_at <= $1 OR last_used_at <= $2";

const REMOVE_API_KEYS: &str = "DELETE FROM api_keys WHERE expires_at <= $1";

const REMOVE_SECURITY_EVENTS: &str = "DELETE FROM security_events WHERE at <= $1";

/// A session that some token belongs to; perhaps over.
#[derive(Debug)]
pub struct FoundSession {
    /// Where it was made for.
    pub organization: OrganizationId,
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// Their present role.
    pub role: Role,
    /// When it ends unless it is used.
    pub ends_at: DateTime<Utc>,
}

/// An API key of some id; perhaps expired.
#[derive(Debug)]
pub struct FoundApiKey {
    /// Where it belongs.
    pub organization: OrganizationId,
    /// Who made it.
    pub creator: UserId,
    /// Their present role.
    pub role: Role,
    /// SHA-256 of the whole key.
    pub secret_hash: Vec<u8>,
    /// What it was made for.
    pub scopes: PermissionSet,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// The session whose token has this hash.
pub async fn find_session(tx: Tx<Anonymous>, hash: &TokenHash) -> Result<Option<FoundSession>, DbError> {
    let rows = tx.look_up(FIND_SESSION, &[&hash.as_bytes()]).await?;
    Ok(rows.first().and_then(|row| {
        Some(FoundSession {
            organization: row.get::<_, Uuid>(0).into(),
            id: row.get::<_, Uuid>(1).into(),
            user: row.get::<_, Uuid>(2).into(),
            role: row.get::<_, &str>(3).parse().ok()?,
            ends_at: session::ends_at(row.get(4), row.get(5)),
        })
    }))
}

/// The API key with this id.
pub async fn find_api_key(tx: Tx<Anonymous>, id: ApiKeyId) -> Result<Option<FoundApiKey>, DbError> {
    let rows = tx.look_up(FIND_API_KEY, &[&id.uuid()]).await?;
    Ok(rows.first().and_then(|row| {
        Some(FoundApiKey {
            organization: row.get::<_, Uuid>(0).into(),
            creator: row.get::<_, Uuid>(1).into(),
            role: row.get::<_, &str>(2).parse().ok()?,
            secret_hash: row.get(3),
            scopes: super::api_keys::scopes(&row.get::<_, Vec<String>>(4)),
            expires_at: row.get(5),
        })
    }))
}

/// Writes down when credentials were last seen, unless something later stands there.
pub async fn write_last_used(
    db: &Db,
    seen: &HashMap<Credential, (OrganizationId, DateTime<Utc>)>,
) -> Result<u64, DbError> {
    let (mut sessions, mut keys) = (Columns::default(), Columns::default());
    for (credential, (organization, at)) in seen {
        match credential {
            Credential::Session(id) => sessions.push(*organization, id.uuid(), *at),
            Credential::ApiKey(id) => keys.push(*organization, id.uuid(), *at),
        }
    }
    let mut tx = db.system("note when credentials were last used");
    let mut written = 0;
    for (sql, columns) in [(SESSIONS_LAST_USED, sessions), (API_KEYS_LAST_USED, keys)] {
        if !columns.ids.is_empty() {
            written += tx.execute(sql, &[&columns.organizations, &columns.ids, &columns.times]).await?;
        }
    }
    tx.commit().await?;
    Ok(written)
}

/// How much was removed.
#[derive(Debug, Clone, Copy)]
pub struct Removed {
    /// Sessions that were over.
    pub sessions: u64,
    /// API keys that had expired.
    pub keys: u64,
    /// Security events past their retention.
    pub events: u64,
}

/// Removes, in all organizations, sessions that are over, API keys that ended before `keys`, and security events
/// from before `events`.
pub async fn remove_ended(
    mut tx: Tx<System>,
    now: DateTime<Utc>,
    keys: DateTime<Utc>,
    events: DateTime<Utc>,
) -> Result<Removed, DbError> {
    let sessions = tx.execute(REMOVE_SESSIONS, &[&now, &(now - session::IDLE)]).await?;
    let keys = tx.execute(REMOVE_API_KEYS, &[&keys]).await?;
    let events = tx.execute(REMOVE_SECURITY_EVENTS, &[&events]).await?;
    tx.commit().await?;
    Ok(Removed { sessions, keys, events })
}

#[derive(Default)]
struct Columns {
    organizations: Vec<Uuid>,
    ids: Vec<Uuid>,
    times: Vec<DateTime<Utc>>,
}

impl Columns {
    fn push(&mut self, organization: OrganizationId, id: Uuid, at: DateTime<Utc>) {
        self.organizations.push(organization.uuid());
        self.ids.push(id);
        self.times.push(at);
    }
}
