//! Memberships, with the people in them.

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::{Role, UserId};
use uuid::Uuid;

use crate::domains::identity::wire::Member;

const CREATE: &str = "
    INSERT INTO memberships (organization_id, user_id, role, created_at)
    VALUES (current_organization(), $1, $2, $3)";

const PAGE: &str = "
    SELECT m.user_id, u.email, u.name, m.role, m.created_at, m.revision
      FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.organization_id = current_organization() AND ($1::uuid IS NULL OR m.user_id > $1)
     ORDER BY m.user_id LIMIT $2";

const ONE: &str = "
    SELECT m.user_id, u.email, u.name, m.role, m.created_at, m.revision
      FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.organization_id = current_organization() AND m.user_id = $1";

const OWNERS: &str = "
    SELECT count(*) FROM memberships WHERE organization_id = current_organization() AND role = 'owner'";

const SET_ROLE: &str = "
    UPDATE memberships SET role = $2, revision = revision + 1
     WHERE organization_id = current_organization() AND user_id = $1";

const DELETE: &str = "
    DELETE FROM memberships WHERE organization_id = current_organization() AND user_id = $1";

/// Makes somebody a member.
pub async fn create(tx: &mut Tx<Org>, user: UserId, role: Role, now: DateTime<Utc>) -> Result<(), DbError> {
    tx.execute(CREATE, &[&user.uuid(), &role.as_str(), &now]).await?;
    Ok(())
}

/// Members in the order of their accounts' making.
pub async fn page(tx: Tx<Org>, after: Option<UserId>, limit: i64) -> Result<Vec<Member>, DbError> {
    let rows = tx.read(PAGE, &[&after.map(UserId::uuid), &limit]).await?;
    Ok(rows.iter().filter_map(read).collect())
}

/// One member.
pub async fn one(tx: Tx<Org>, user: UserId) -> Result<Option<Member>, DbError> {
    Ok(tx.read(ONE, &[&user.uuid()]).await?.first().and_then(read))
}

/// One member, within a transaction that goes on.
pub async fn find(tx: &mut Tx<Org>, user: UserId) -> Result<Option<Member>, DbError> {
    Ok(tx.query_opt(ONE, &[&user.uuid()]).await?.as_ref().and_then(read))
}

/// How many owners there are. Right until commit only under the organization's lock.
pub async fn owners(tx: &mut Tx<Org>) -> Result<i64, DbError> {
    Ok(tx.query_one(OWNERS, &[]).await?.get(0))
}

/// Changes a member's role.
pub async fn set_role(tx: &mut Tx<Org>, user: UserId, role: Role) -> Result<(), DbError> {
    tx.execute(SET_ROLE, &[&user.uuid(), &role.as_str()]).await?;
    Ok(())
}

/// Ends a membership; the member's sessions and API keys go with it.
pub async fn delete(tx: &mut Tx<Org>, user: UserId) -> Result<(), DbError> {
    tx.execute(DELETE, &[&user.uuid()]).await?;
    Ok(())
}

fn read(row: &Row) -> Option<Member> {
    Some(Member {
        id: row.get::<_, Uuid>(0).into(),
        email: row.get(1),
        name: row.get(2),
        role: row.get::<_, &str>(3).parse().ok()?,
        created_at: row.get(4),
        revision: row.get(5),
    })
}
