//! What identity says and hears over HTTP.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use marquee_types::{ApiKeyId, OrganizationId, Permission, Role, SessionId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

/// A secret that is shown this once, to whom it was made for.
#[derive(Debug)]
pub struct ShownOnce(pub SecretString);

impl Serialize for ShownOnce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// Who wants to log in, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The e-mail address of the account.
    #[schema(example = "ana@example.com")]
    pub email: String,
    /// The password.
    #[schema(value_type = String, format = Password, write_only)]
    pub password: SecretString,
    /// Id or name of the organization to log in to. May be left out by members of one organization; members of
    /// several get 409 `choose_organization`, which lists them.
    pub organization: Option<String>,
}

/// A new session.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedIn {
    /// Send it as `Authorization: Bearer`. Shown this once.
    #[schema(value_type = String)]
    pub token: ShownOnce,
    /// The session's id.
    pub session_id: SessionId,
    /// When it ends, however much it is used. It ends earlier after 12 hours without use.
    pub expires_at: DateTime<Utc>,
    /// Who logged in.
    pub user_id: UserId,
    /// Where to. A session belongs to one organization.
    pub organization: OrganizationRef,
    /// In which role.
    pub role: Role,
}

/// An organization by id and name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrganizationRef {
    /// The id.
    pub id: OrganizationId,
    /// The name.
    pub name: String,
}

/// Who the caller is and what they may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The member; of an API key, its creator.
    pub user: Person,
    /// The organization of the session or key.
    pub organization: OrganizationRef,
    /// The member's present role.
    pub role: Role,
    /// The session, if the caller logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The key, if the caller is an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
    /// What the caller may do: the role's permissions, of a key cut down to its scopes.
    pub permissions: Vec<Permission>,
}

/// A person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Person {
    /// The id.
    pub id: UserId,
    /// The login name.
    pub email: String,
    /// What they are called, if they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A change of one's own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present one.
    #[schema(value_type = String, format = Password, write_only)]
    pub current_password: SecretString,
    /// The new one: 12 to 256 characters, any.
    #[schema(value_type = String, format = Password, write_only)]
    pub new_password: SecretString,
}

/// The caller's organization.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Organization {
    /// The id.
    pub id: OrganizationId,
    /// The name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What can be changed about an organization.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganization {
    /// The new name: 1 to 100 characters.
    pub name: String,
}

/// A member of the organization.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    /// The person's id.
    pub id: UserId,
    /// The login name.
    pub email: String,
    /// What they are called, if they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their role in this organization.
    pub role: Role,
    /// When they became a member.
    pub created_at: DateTime<Utc>,
    /// Counts the changes.
    #[serde(skip)]
    pub revision: i64,
}

/// Somebody to be made a member, with an account of their own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateMember {
    /// The login name; nobody else in this installation may have it.
    pub email: String,
    /// What they are called.
    pub name: Option<String>,
    /// Their role. Only owners make owners.
    pub role: Role,
    /// Their first password, to be handed to them and changed: 12 to 256 characters, any.
    #[schema(value_type = String, format = Password, write_only)]
    pub password: SecretString,
}

/// What can be changed about a member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMember {
    /// The new role. Only owners make owners, or stop others being one.
    pub role: Role,
}

/// A session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When they logged in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to about a minute.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is used.
    pub ends_at: DateTime<Utc>,
    /// Where the log-in came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// The program that logged in, as it names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether it is the session of this very request.
    pub current: bool,
}

/// An API key, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiKey {
    /// The id; it is also part of the key.
    pub id: ApiKeyId,
    /// What it is for; unique in the organization.
    pub name: String,
    /// The member who made it, whose rights bound its own.
    pub created_by: UserId,
    /// What it may do, as far as its creator may.
    pub scopes: Vec<Permission>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to about a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
}

/// An API key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What it is for: 1 to 100 characters, unique in the organization.
    #[schema(example = "nightly inventory export")]
    pub name: String,
    /// What it may do. Only what its maker may do; never managing keys or members.
    #[schema(example = json!(["providers.read", "resources.read"]))]
    pub scopes: Vec<Permission>,
    /// When it ends: at most a year from now.
    pub expires_at: DateTime<Utc>,
}

/// A new API key, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedApiKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Send it as `Authorization: Bearer`. Shown this once.
    #[schema(value_type = String)]
    pub secret: ShownOnce,
}

/// A page of sessions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SessionsQuery {
    /// How many at most: 1 to 200, 50 unless told.
    pub limit: Option<u32>,
    /// Goes on where the page before ended.
    pub cursor: Option<String>,
    /// The sessions of all members, not only one's own; needs `members.manage`.
    #[serde(default)]
    pub everyone: bool,
}
