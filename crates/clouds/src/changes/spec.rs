//! What actions carry. Every field is the same for every vendor; what only one vendor has goes into `extensions`, in that
//! vendor's own names, and is read strictly by its adapter.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Tags by key.
pub type TagMap = BTreeMap<String, String>;

/// An instance to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceSpec {
    /// Its name.
    pub name: String,
    /// The vendor's size.
    pub size: String,
    /// What it starts from, in the vendor's words: an AMI, a URN or id of an image, a path of an image or family.
    pub image: String,
    /// The zone; the vendor's or the subnet's choice if left out, where it has one.
    pub zone: Option<String>,
    /// The native id of its subnet; the account's default network if left out, where it has one.
    pub subnet: Option<String>,
    /// The native ids of its security groups.
    pub security_groups: Vec<String>,
    /// Whether it gets an address on the internet.
    pub public_ip: bool,
    /// GiB of its boot disk; the image's if left out.
    pub boot_disk_gib: Option<u32>,
    /// A public key (OpenSSH's form) that may log in; AWS: the name of a key pair goes into the extension `key_name`.
    pub ssh_key: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What only this vendor has.
    #[schema(value_type = Object)]
    pub extensions: Map<String, Value>,
}

/// A size, in the vendor's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// The vendor's size: `m7g.large`.
    pub size: String,
}

/// Something that gets a name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A disk to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSpec {
    /// Its name.
    pub name: String,
    /// The zone; required where disks lie in one.
    pub zone: Option<String>,
    /// Its size in GiB.
    pub size_gib: u32,
    /// The vendor's kind of storage: `gp3`, `Premium_LRS`, `pd-balanced`; the vendor's usual one if left out.
    pub storage_type: Option<String>,
    /// The native id of the snapshot it is made from.
    pub snapshot: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What only this vendor has.
    #[schema(value_type = Object)]
    pub extensions: Map<String, Value>,
}

/// To which instance a disk is attached, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The native id of the instance.
    pub instance: String,
    /// The device, in the vendor's words: `/dev/sdf`, a LUN, a device name; the next free one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// How large a disk becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// Its size then, in GiB.
    pub size_gib: u32,
}

/// A database server to be made. Its administrator gets a password that nobody is told, Marquee included: AWS keeps it in Secrets
/// Manager, elsewhere it is random and forgotten, and set anew with the vendor's own tools.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSpec {
    /// Its name.
    pub name: String,
    /// `postgres` or `mysql`.
    pub engine: String,
    /// The version, in the vendor's words; the vendor's usual one if left out.
    pub engine_version: Option<String>,
    /// The vendor's size.
    pub size: String,
    /// GiB of its storage.
    pub storage_gib: u32,
    /// The name of its administrator.
    pub admin_name: String,
    /// Whether it has a standby in another zone.
    pub multi_zone: bool,
    /// Days that automatic backups are kept.
    pub backup_retention_days: Option<u32>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What only this vendor has.
    #[schema(value_type = Object)]
    pub extensions: Map<String, Value>,
}

/// A database to be made from another or from its copy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestoreSpec {
    /// The name of the new one.
    pub name: String,
    /// The vendor's size; that of the original if left out.
    pub size: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A database to be made as another was at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreToTimeSpec {
    /// The time.
    pub time: DateTime<Utc>,
    /// The name of the new one.
    pub name: String,
    /// The vendor's size; that of the original if left out.
    #[serde(default)]
    pub size: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A bucket to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BucketSpec {
    /// Its name.
    pub name: String,
    /// Whether former versions of objects are kept.
    pub versioning: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What only this vendor has.
    #[schema(value_type = Object)]
    pub extensions: Map<String, Value>,
}

/// Whether former versions of objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Versioning {
    /// Whether they are.
    pub enabled: bool,
}

/// The rules by which objects expire; none, if empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// The rules.
    pub rules: Vec<LifecycleRule>,
}

/// A rule by which objects expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LifecycleRule {
    /// Objects whose names begin so; all, if empty.
    #[serde(default)]
    pub prefix: String,
    /// Days after which they are deleted.
    #[serde(default)]
    pub delete_after_days: Option<u32>,
    /// Days after which former versions are deleted.
    #[serde(default)]
    pub delete_former_after_days: Option<u32>,
}

/// By which key objects are encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Encryption {
    /// The vendor's id of a key of the account's own; the vendor's key if left out.
    pub key: Option<String>,
}

/// Whether whatever would make objects public is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicAccess {
    /// Whether it is.
    pub blocked: bool,
}

/// A scaling group to be made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScalingGroupSpec {
    /// Its name.
    pub name: String,
    /// How many instances.
    pub scale: Scale,
    /// What its instances are like; name, public address and zone are each instance's own.
    pub instance: InstanceSpec,
    /// The zones its instances lie in; the vendor's choice if empty.
    pub zones: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// How many instances. What is left out stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scale {
    /// At least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// Now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<u32>,
    /// At most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceRef {
    /// Its native id.
    pub instance: String,
    /// The port; that of the group if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Which set of records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordKey {
    /// The full name, without a dot at its end.
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, `MX`, `SRV` or `CAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which of several sets of that name and type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
}

/// The records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordSet {
    /// Which.
    pub key: RecordKey,
    /// Seconds that answers may be kept.
    pub ttl: u32,
    /// The values, as a zone file has them.
    pub values: Vec<String>,
    /// Its share of the answers among the sets of that name and type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// Whether it answers as long as it is well, or only when that one is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverRole>,
    /// The vendor's id of the health check that tells whether it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<String>,
}

marquee_types::words! {
    /// When a set of records answers.
    pub enum FailoverRole {
        /// As long as it is well.
        Primary = "primary",
        /// When the primary is not.
        Secondary = "secondary",
    }
}

/// Tags to be set and removed; others stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tags {
    /// To be set.
    pub set: BTreeMap<String, String>,
    /// Keys to be removed.
    pub remove: Vec<String>,
}
