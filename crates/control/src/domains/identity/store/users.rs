//! People: the one global table, reached through its functions.

use chrono::{DateTime, Utc};
use marquee_db::{Anonymous, DbError, Org, Tx};
use marquee_types::{OrganizationId, Role, SessionId, UserId};
use uuid::Uuid;

use crate::domains::identity::{
    model::{DisplayName, Email, TokenHash},
    wire::Person,
};

const LOGIN_CANDIDATE: &str = "
    SELECT user_id, password_hash, organization_id, organization_name, role FROM login_candidate($1)";

const CREATE: &str = "SELECT create_user($1, $2, $3, $4, $5)";

const PERSON: &str = "SELECT id, email, name FROM users WHERE id = $1";

const OWN_PASSWORD: &str = "SELECT own_password()";

const SET_OWN_PASSWORD: &str = "SELECT set_own_password($1, $2)";

const END_OWN_SESSIONS: &str = "SELECT end_own_sessions($1)";

const DELETE_WITHOUT_MEMBERSHIPS: &str = "SELECT delete_user_without_memberships($1)";

/// A person who may be the one logging in.
#[derive(Debug)]
pub struct Candidate {
    /// Who.
    pub id: UserId,
    /// The Argon2id hash in PHC form.
    pub password_hash: String,
    /// Where they belong, the oldest membership first.
    pub memberships: Vec<Membership>,
}

/// Where somebody belongs.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// The role there.
    pub role: Role,
}

/// The person with this e-mail.
pub async fn login_candidate(tx: Tx<Anonymous>, email: &Email) -> Result<Option<Candidate>, DbError> {
    let rows = tx.read(LOGIN_CANDIDATE, &[&email.as_str()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let memberships = rows.iter().filter_map(|row| {
        Some(Membership {
            organization: row.get::<_, Option<Uuid>>(2)?.into(),
            name: row.get::<_, Option<String>>(3)?,
            role: row.get::<_, Option<&str>>(4)?.parse().ok()?,
        })
    });
    Ok(Some(Candidate {
        id: first.get::<_, Uuid>(0).into(),
        password_hash: first.get(1),
        memberships: memberships.collect(),
    }))
}

/// Adds a person; breaks `users_email_unique` if there is one with this e-mail.
pub async fn create(
    tx: &mut Tx<Org>,
    id: UserId,
    email: &Email,
    name: Option<&DisplayName>,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let name = name.map(DisplayName::as_str);
    tx.execute(CREATE, &[&id.uuid(), &email.as_str(), &name, &password_hash, &now]).await?;
    Ok(())
}

/// A member of the organization, as a person.
pub async fn person(tx: &mut Tx<Org>, id: UserId) -> Result<Option<Person>, DbError> {
    let row = tx.query_opt(PERSON, &[&id.uuid()]).await?;
    Ok(row.map(|row| Person { id: row.get::<_, Uuid>(0).into(), email: row.get(1), name: row.get(2) }))
}

/// The password hash of the user the transaction acts for.
pub async fn own_password(tx: &mut Tx<Org>) -> Result<Option<String>, DbError> {
    Ok(tx.query_one(OWN_PASSWORD, &[]).await?.get(0))
}

/// Changes the password of the user the transaction acts for; false if it acts for no user.
pub async fn set_own_password(tx: &mut Tx<Org>, hash: &str, now: DateTime<Utc>) -> Result<bool, DbError> {
    Ok(tx.query_one(SET_OWN_PASSWORD, &[&hash, &now]).await?.get(0))
}

/// Ends the user's sessions in every organization but this one session; the ended ones.
pub async fn end_own_sessions(tx: &mut Tx<Org>, kept: SessionId) -> Result<Vec<TokenHash>, DbError> {
    let rows = tx.query(END_OWN_SESSIONS, &[&kept.uuid()]).await?;
    Ok(rows.iter().filter_map(|row| TokenHash::from_bytes(row.get(0))).collect())
}

/// Forgets a person who belongs to no organization any more.
pub async fn delete_without_memberships(tx: &mut Tx<Org>, id: UserId) -> Result<(), DbError> {
    tx.execute(DELETE_WITHOUT_MEMBERSHIPS, &[&id.uuid()]).await?;
    Ok(())
}
