//! What the provider routes take and answer.

use chrono::{DateTime, Utc};
use marquee_clouds::{PermissionStatus, PolicyFormat};
use marquee_types::{ProviderId, SyncId, problem::CloudProblem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::{IntoParams, ToSchema};

/// A cloud account to connect.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProvider {
    /// A name for people, unique in the organization; 1 to 100 characters, not beginning with `prv_`.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Which cloud, e.g. `aws`.
    pub kind: String,
    /// The credentials, in the shape of the kind and their `type`. Never shown again.
    #[schema(value_type = Object)]
    pub credentials: Value,
    /// The settings, in the shape of the kind.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// How often to sync, in seconds: 60 to 604800. The server's default if absent.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 604_800)]
    pub sync_interval_seconds: Option<u32>,
    /// Whether the cloud must accept the credentials before anything is stored.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub verify: bool,
}

/// A provider as it shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceProvider {
    /// A name for people, unique in the organization; 1 to 100 characters, not beginning with `prv_`.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Which cloud, e.g. `aws`.
    pub kind: String,
    /// The credentials; may be left out unless what they are bound to changes.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub credentials: Option<Value>,
    /// The settings, in the shape of the kind.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Value>,
    /// How often to sync, in seconds: 60 to 604800. The server's default if absent.
    #[serde(default)]
    #[schema(minimum = 60, maximum = 604_800)]
    pub sync_interval_seconds: Option<u32>,
    /// Whether the cloud must accept the credentials before anything is stored.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub verify: bool,
}

/// A connected cloud account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// Which cloud.
    pub kind: String,
    /// Its settings.
    #[schema(value_type = Object)]
    pub settings: Box<RawValue>,
    /// What may be shown of the credentials: their type and public parts.
    #[schema(value_type = Object)]
    pub credentials: Box<RawValue>,
    /// Made by Marquee for this provider: put it into the role's trust policy when a role is assumed.
    pub external_id: String,
    /// The account the credentials were found to belong to.
    pub account: Option<String>,
    /// The principal they were found to be.
    pub principal: Option<String>,
    /// When the cloud last accepted them.
    #[serde(serialize_with = "marquee_types::rfc3339::option")]
    pub verified_at: Option<DateTime<Utc>>,
    /// How often it is synced.
    pub sync_interval_seconds: i32,
    /// When it is synced next.
    #[serde(serialize_with = "marquee_types::rfc3339::option")]
    pub next_sync_at: Option<DateTime<Utc>>,
    /// How the last finished sync ended.
    pub last_sync: Option<LastSync>,
    /// When it was connected.
    #[serde(serialize_with = "marquee_types::rfc3339::serialize")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "marquee_types::rfc3339::serialize")]
    pub updated_at: DateTime<Utc>,
}

/// How the last finished sync ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastSync {
    /// The sync.
    pub id: SyncId,
    /// `succeeded`, `partially_succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Which page of the providers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListProviders {
    /// At most this many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Whether to ask the cloud again.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Refresh {
    /// Ask the cloud now instead of answering what it last said.
    #[serde(default)]
    pub refresh: bool,
}

/// The regions of a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct Regions {
    /// Sorted by id.
    pub items: Vec<Region>,
    /// When the cloud said so.
    pub discovered_at: Option<DateTime<Utc>>,
}

/// One region.
#[derive(Debug, Serialize, ToSchema)]
pub struct Region {
    /// The vendor's id, e.g. `eu-west-1`.
    pub id: String,
    /// A name for people, if the vendor gives one.
    pub name: Option<String>,
    /// Whether the account may use it.
    pub enabled: bool,
}

/// The services of a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    /// Sorted by id.
    pub items: Vec<Service>,
    /// When the cloud said so.
    pub discovered_at: Option<DateTime<Utc>>,
}

/// One service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Service {
    /// The vendor's short name, e.g. `ec2`.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// Where the account has it; empty for a service without regions.
    pub regions: Vec<String>,
}

/// The kinds of clouds that can be connected.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kinds {
    /// In the order in which the server knows them.
    pub items: Vec<Kind>,
}

/// One kind of cloud, and what a credential must be allowed there.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kind {
    /// The word for it, e.g. `aws`.
    pub kind: String,
    /// The vendor's name for people.
    pub title: String,
    /// What a credential must be allowed, by what it is for.
    pub groups: Vec<NeedGroup>,
}

/// Permissions that are needed together.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeedGroup {
    /// A word for it, as the policy's `with` takes it.
    pub name: String,
    /// What they are for.
    pub about: String,
    /// Whether only those need it who ask for it.
    pub optional: bool,
    /// The permissions.
    pub permissions: Vec<Need>,
}

/// One of the vendor's permissions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Need {
    /// In the vendor's spelling, e.g. `ec2:DescribeInstances`.
    pub permission: String,
    /// What does not work without it.
    pub feature: String,
}

/// Which policy.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PolicyQuery {
    /// Optional features that it is for as well, comma-separated.
    pub with: Option<String>,
    /// Azure: the id of the subscription that the role is for.
    pub subscription: Option<String>,
    /// What it is written in: the vendor's usual form if left out; Google Cloud also takes `json`.
    #[param(inline)]
    pub format: Option<DocumentFormat>,
}

marquee_types::words! {
    /// What a policy can be asked for in.
    pub enum DocumentFormat {
        /// JSON.
        Json = "json",
        /// YAML.
        Yaml = "yaml",
    }
}

impl From<DocumentFormat> for PolicyFormat {
    fn from(format: DocumentFormat) -> Self {
        match format {
            DocumentFormat::Json => Self::Json,
            DocumentFormat::Yaml => Self::Yaml,
        }
    }
}

/// What a credential must be allowed, as a document that the vendor's own tools take.
#[derive(Debug, Serialize, ToSchema)]
pub struct Policy {
    /// Which cloud.
    pub kind: String,
    /// What the vendor calls it: `IAM policy`, `custom role`.
    pub form: String,
    /// What the document is written in; `text` where a vendor's credentials have no policies.
    #[schema(inline)]
    pub format: PolicyFormat,
    /// The document.
    pub document: String,
    /// The name of the file that the commands expect the document in; empty where there are none.
    pub file: String,
    /// The vendor's own commands that make a credential with it.
    pub commands: Vec<String>,
}

/// What a test of the connection found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionReport {
    /// Whether the cloud accepted the credentials.
    pub ok: bool,
    /// Who they belong to.
    pub identity: Option<AccountIdentity>,
    /// Why they were not accepted.
    pub error: Option<CloudProblem>,
    /// The round trip of the identity call, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Every permission that Marquee needs.
    pub permissions: Vec<PermissionReport>,
}

/// Who credentials belong to.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountIdentity {
    /// The account, subscription or project.
    pub account: String,
    /// The principal, e.g. an ARN.
    pub principal: String,
    /// A name people know the account by.
    pub alias: Option<String>,
}

/// One permission as found.
#[derive(Debug, Serialize, ToSchema)]
pub struct PermissionReport {
    /// In the vendor's spelling, e.g. `ec2:DescribeInstances`.
    pub permission: String,
    /// What does not work without it.
    pub feature: String,
    /// `granted`, `missing` or `unknown`.
    pub status: PermissionStatus,
    /// Why it is unknown, or what the cloud said.
    pub detail: Option<String>,
}

fn yes() -> bool {
    true
}
