//! What the audit log says over HTTP.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use marquee_types::AuditEntryId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::model::{Origin, Outcome};

/// One line of the audit log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEntry {
    /// The id.
    pub id: AuditEntryId,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// Whether it was asked of Marquee (`call`) or is the change of a row that no call is named after (`row`): what
    /// a call changed besides, and writes that did not come through Marquee.
    pub origin: Origin,
    /// Who: `user:usr_…`, `api_key:key_…`, `worker:…`, `system:…`, `database:LOGIN`, or `anonymous`.
    pub actor: String,
    /// By which credential the actor was recognized: `session:ses_…` or `api_key:key_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// What: the verb of the call, or `rows.insert`, `rows.update`, `rows.delete`.
    pub action: String,
    /// To what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused or failed: the code of the problem that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it was; for an update the changed fields only. Secrets are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What it became; for an update the changed fields only. Secrets are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// The request it belongs to; entries of one request share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Where the request came from, unless it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
}

/// What an entry is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Target {
    /// The noun, e.g. `provider`.
    pub kind: String,
    /// Its id, e.g. `prv_…`.
    pub id: String,
}

/// Which entries are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Over `actor`, `action`, `target` (an id), `outcome`, `origin`, `request_id` and `at`, e.g.
    /// `outcome = refused AND at >= 2026-11-01T00:00:00Z`.
    pub filter: Option<String>,
    /// How many at most: 1 to 200, 50 unless told.
    pub limit: Option<u32>,
    /// Goes on where the page before ended.
    pub cursor: Option<String>,
}
