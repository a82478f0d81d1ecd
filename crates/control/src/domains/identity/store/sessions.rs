//! Sessions of the organization.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::{SessionId, UserId};
use uuid::Uuid;

use crate::domains::identity::{
    model::{TokenHash, session},
    wire::Session,
};

const CREATE: &str = "
    INSERT INTO sessions (organization_id, id, user_id, token_hash, created_at, last_used_at, expires_at, address, user_agent)
    VALUES (current_organization(), $1, $2, $3, $4, $4, $5, $6, $7)";

const PAGE: &str = "
    SELECT id, user_id, created_at, last_used_at, expires_at, address, user_agent FROM sessions
     WHERE organization_id = current_organization()
       AND ($1::uuid IS NULL OR user_id = $1) AND ($2::uuid IS NULL OR id > $2)
       AND expires_at > $3 AND last_used_at > $4
     ORDER BY id LIMIT $5";

const DELETE: &str = "
    DELETE FROM sessions
     WHERE organization_id = current_organization() AND id = $1 AND ($2::uuid IS NULL OR user_id = $2)
    RETURNING token_hash";

/// A session to be stored.
#[derive(Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The token's hash.
    pub token: TokenHash,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// When it ends whatever the use.
    pub expires_at: DateTime<Utc>,
    /// Where the log-in came from.
    pub address: Option<IpAddr>,
    /// What the program calls itself.
    pub user_agent: Option<String>,
}

/// Stores a session.
pub async fn create(tx: &mut Tx<Org>, new: &NewSession) -> Result<(), DbError> {
    let token = new.token.as_bytes();
    tx.execute(
        CREATE,
        &[
            &new.id.uuid(),
            &new.user.uuid(),
            &token,
            &new.created_at,
            &new.expires_at,
            &new.address,
            &new.user_agent,
        ],
    )
    .await?;
    Ok(())
}

/// Sessions that have not ended, in the order of log-in: of one user, or of all.
pub async fn page(
    tx: Tx<Org>,
    of: Option<UserId>,
    after: Option<SessionId>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Session>, DbError> {
    let (of, after) = (of.map(UserId::uuid), after.map(SessionId::uuid));
    let rows = tx.read(PAGE, &[&of, &after, &now, &(now - session::IDLE), &limit]).await?;
    Ok(rows.iter().map(read).collect())
}

/// Ends a session, if it is this user's or, without one, whosesoever; its token's hash.
pub async fn delete(
    tx: &mut Tx<Org>,
    id: SessionId,
    of: Option<UserId>,
) -> Result<Option<TokenHash>, DbError> {
    let row = tx.query_opt(DELETE, &[&id.uuid(), &of.map(UserId::uuid)]).await?;
    Ok(row.and_then(|row| TokenHash::from_bytes(row.get(0))))
}

fn read(row: &Row) -> Session {
    let (last_used_at, expires_at) = (row.get(3), row.get(4));
    Session {
        id: row.get::<_, Uuid>(0).into(),
        user_id: row.get::<_, Uuid>(1).into(),
        created_at: row.get(2),
        last_used_at,
        ends_at: session::ends_at(last_used_at, expires_at),
        address: row.get(5),
        user_agent: row.get(6),
        current: false,
    }
}
