//! What the routes take that set how buckets, DNS zones and target groups work.

use marquee_clouds::changes::spec::{FailoverRole, LifecycleRule};
use marquee_types::ResourceId;
use serde::Deserialize;
use utoipa::ToSchema;

/// Whether a bucket keeps former versions of objects.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetVersioning {
    /// Whether it does.
    pub enabled: bool,
}

/// The rules by which a bucket's objects expire.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLifecycle {
    /// All rules, in place of those there are; none, if empty.
    #[schema(max_items = 100)]
    pub rules: Vec<LifecycleRule>,
}

/// By which key a bucket's objects are encrypted from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetEncryption {
    /// The vendor's id of a key of the account's own; the vendor's key if left out.
    #[serde(default)]
    pub key: Option<String>,
}

/// Whether a bucket refuses whatever would make its objects public.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPublicAccess {
    /// Whether it does.
    pub blocked: bool,
}

/// The records of one name and type of a DNS zone, in place of those there are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRecords {
    /// The full name, without a dot at its end: `www.orangery.example`.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, `MX`, `SRV` or `CAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which of several sets of that name and type; with `weight` or `failover`.
    #[serde(default)]
    pub set: Option<String>,
    /// Seconds that answers may be kept: at most 604800.
    #[schema(maximum = 604_800)]
    pub ttl: u32,
    /// The values, as a zone file has them: at least one.
    #[schema(min_items = 1, max_items = 100)]
    pub values: Vec<String>,
    /// Its share of the answers among the sets of that name and type.
    #[serde(default)]
    pub weight: Option<u8>,
    /// Whether it answers as long as it is well (`primary`), or only when that one is not (`secondary`).
    #[serde(default)]
    pub failover: Option<FailoverRole>,
    /// The vendor's id of the health check that tells whether it is well.
    #[serde(default)]
    pub health_check: Option<String>,
}

/// Which records of a DNS zone are removed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveRecords {
    /// The full name, without a dot at its end.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, `MX`, `SRV` or `CAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which of several sets of that name and type.
    #[serde(default)]
    pub set: Option<String>,
}

/// An instance that gets, or no longer gets, a target group's traffic.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTo {
    /// The instance, of the same provider.
    pub instance_id: ResourceId,
    /// The port; that of the group if left out.
    #[serde(default)]
    pub port: Option<u16>,
}
