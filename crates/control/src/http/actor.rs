//! Who is calling: a permitted principal of one organization, and what is known of the request.

use std::net::IpAddr;

use marquee_db::OrgContext;
use marquee_types::{ApiKeyId, OrganizationId, Permission, PermissionSet, Role, SessionId, UserId};

use crate::fault::Fault;

/// Somebody whose credential was accepted. Belongs to exactly one organization.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The organization everything happens in.
    pub organization: OrganizationId,
    /// Who acts.
    pub principal: Principal,
    /// With what they proved it.
    pub credential: Credential,
    /// The member's role; of an API key, its creator's.
    pub role: Role,
    /// What they may do: the role's permissions, of an API key cut down to its scopes.
    pub permissions: PermissionSet,
}

/// A person or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// A member, by a session.
    User { id: UserId },
    /// A service, by an API key that `creator` made.
    ApiKey { id: ApiKeyId, creator: UserId },
}

/// What the caller proved themselves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A session of a log-in.
    Session(SessionId),
    /// An API key.
    ApiKey(ApiKeyId),
}

/// What is known of a request besides who sent it.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// `X-Request-Id`, the caller's or ours.
    pub request_id: String,
    /// Where the connection comes from.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// Refuses unless the actor has `permission`.
    pub fn require(&self, permission: Permission) -> Result<(), Fault> {
        if self.permissions.contains(permission) { Ok(()) } else { Err(Fault::lacks(permission)) }
    }

    /// The actor as the audit log names them: `user:usr_…` or `api_key:key_…`.
    pub fn name(&self) -> String {
        match self.principal {
            Principal::User { id } => format!("user:{id}"),
            Principal::ApiKey { id, .. } => format!("api_key:{id}"),
        }
    }

    /// The person behind the call: the member, or the creator of the key.
    pub fn user(&self) -> UserId {
        match self.principal {
            Principal::User { id } | Principal::ApiKey { creator: id, .. } => id,
        }
    }

    /// What a transaction on this actor's behalf is opened with.
    pub fn context(&self, meta: &RequestMeta) -> OrgContext {
        OrgContext {
            organization: self.organization,
            actor: self.name(),
            credential: Some(match self.credential {
                Credential::Session(id) => format!("session:{id}"),
                Credential::ApiKey(id) => format!("api_key:{id}"),
            }),
            request_id: meta.request_id.clone(),
            address: meta.address,
        }
    }
}
