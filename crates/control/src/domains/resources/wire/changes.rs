//! What the routes that change resources take and answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use marquee_clouds::{
    ActionName, Disturbance,
    changes::spec::{BucketSpec, DatabaseSpec, DiskSpec, InstanceSpec, ScalingGroupSpec},
};
use marquee_types::{ProviderId, ResourceId, ResourceKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ApprovalNeeded, Money, OperationRef, SizeWish};

/// A resource to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateResource {
    /// The provider to make it at; absent with `targets`.
    #[serde(default)]
    pub provider_id: Option<ProviderId>,
    /// What it is: `compute_instance`, `disk`, `database`, `bucket` or `scaling_group`.
    pub kind: ResourceKind,
    /// The region to make it in; absent with `targets`.
    #[serde(default)]
    pub region: Option<String>,
    /// What it is like; which fields there are depends on `kind`. What only one vendor has stands in `extensions`.
    #[schema(value_type = ResourceSpec)]
    pub spec: Value,
    /// In place of `spec.size`, for instances and databases: what the size has to have. The best offer is taken, and if the cloud has
    /// none of it, the next.
    #[serde(default)]
    pub size: Option<SizeWish>,
    /// The same in several places, at most 20, in place of `provider_id` and `region`: all of them are made, or none.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub targets: Vec<CreateTarget>,
}

/// One of several places to make something in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTarget {
    /// The provider to make it at.
    pub provider_id: ProviderId,
    /// The region to make it in.
    pub region: String,
    /// What differs here: merged into the common `spec` (RFC 7396), so null removes a field.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub spec: Map<String, Value>,
}

/// What a new resource is like, by its kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it only describes `CreateResource::spec`, which is read by its kind")]
pub enum ResourceSpec {
    /// Of a `compute_instance`.
    #[schema(title = "compute_instance")]
    Instance(InstanceSpec),
    /// Of a `disk`.
    #[schema(title = "disk")]
    Disk(DiskSpec),
    /// Of a `database`.
    #[schema(title = "database")]
    Database(DatabaseSpec),
    /// Of a `bucket`.
    #[schema(title = "bucket")]
    Bucket(BucketSpec),
    /// Of a `scaling_group`.
    #[schema(title = "scaling_group")]
    ScalingGroup(ScalingGroupSpec),
}

/// The name of a copy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameCopy {
    /// Its name.
    pub name: String,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A database to be made from a copy, or as another was at a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreResource {
    /// The name of the new database.
    pub name: String,
    /// The vendor's size; that of the original if left out.
    #[serde(default)]
    pub size: Option<String>,
    /// As the database was at this time: to be left out where a copy is restored.
    #[serde(default)]
    pub time: Option<DateTime<Utc>>,
    /// Tags of the new database.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The instance that a disk is attached to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachDisk {
    /// The instance, of the same provider.
    pub instance_id: ResourceId,
    /// The device, in the vendor's words; the next free one if left out.
    #[serde(default)]
    pub device: Option<String>,
}

/// The instance that a disk is detached from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DetachDisk {
    /// The instance.
    pub instance_id: ResourceId,
}

/// A larger size of a disk.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrowDisk {
    /// Its size then, in GiB.
    pub size_gib: u32,
}

/// How many instances a scaling group has. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleGroup {
    /// At least.
    #[serde(default)]
    pub min: Option<u32>,
    /// Now.
    #[serde(default)]
    pub desired: Option<u32>,
    /// At most.
    #[serde(default)]
    pub max: Option<u32>,
}

/// What of a resource is to be changed: what is left out stays. All of it is one operation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateResource {
    /// Tags to be set, and with null those to be removed; others stay.
    #[serde(default)]
    pub tags: BTreeMap<String, Option<String>>,
    /// The vendor's size: `m7g.large`. Takes the permission `resources.resize` as well.
    #[serde(default)]
    pub size: Option<String>,
}

/// Which resources are changed alike.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMany {
    /// Which, in the language of the list of resources.
    #[schema(example = "kind = compute_instance AND tags.env = staging")]
    pub filter: String,
    /// As many as the filter has to find, 1 to 500: if it finds others, nothing is done.
    #[schema(minimum = 1, maximum = 500)]
    pub expect_count: u32,
}

/// Which resources get other tags.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagMany {
    /// Which, in the language of the list of resources.
    #[schema(example = "kind = compute_instance AND tags.env = staging")]
    pub filter: String,
    /// As many as the filter has to find, 1 to 500: if it finds others, nothing is done.
    #[schema(minimum = 1, maximum = 500)]
    pub expect_count: u32,
    /// Tags to be set, and with null those to be removed; others stay.
    pub tags: BTreeMap<String, Option<String>>,
}

/// Why a resource is protected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Protect {
    /// For whoever is refused: 1 to 500 characters.
    pub reason: String,
}

/// The protection of a resource.
#[derive(Debug, Serialize, ToSchema)]
pub struct Protection {
    /// The resource.
    pub resource_id: ResourceId,
    /// Why.
    pub reason: String,
    /// Who protected it.
    pub protected_by: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A change that was asked for: its plan and, unless it was only to be validated, the operation that carries it out.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeStarted {
    /// Follow it at `/api/operations/{id}`; absent with `validate_only`.
    pub operation: Option<OperationRef>,
    /// What it does, from what is known now; it is planned again with what the cloud says when it begins.
    pub plan: Plan,
}

/// What a change does.
#[derive(Debug, Serialize, ToSchema)]
pub struct Plan {
    /// The steps, one after the other. If one fails, those before it are taken back.
    pub steps: Vec<PlanStep>,
    /// The worst that it does to whoever uses the things.
    pub disturbs: Disturbance,
    /// Whether every step can be taken back.
    pub can_be_undone: bool,
    /// What all steps together add to a month's costs, by the vendors' lists; less than nothing where they save. Absent where a step's
    /// costs are not known, or the steps are in several currencies.
    pub monthly: Option<Money>,
    /// Who has to approve it before it is begun; absent where nobody has to.
    pub approval: Option<ApprovalNeeded>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanStep {
    /// What is done.
    pub action: ActionName,
    /// To what: its name.
    pub name: String,
    /// The vendor's id of what is changed; absent where something is made.
    pub native_id: Option<String>,
    /// What it does to whoever uses the thing.
    pub disturbs: Disturbance,
    /// What takes it back.
    pub undo: Taking,
    /// The size that is made or given, where there is one.
    pub size: Option<String>,
    /// The sizes that are tried, in this order, where the cloud has none of that.
    pub fallbacks: Vec<String>,
    /// What it adds to a month of 730 hours, by the vendor's list, without discounts; less than nothing where it saves. Of the size
    /// alone: neither disks nor traffic. Absent where that is not known; `validate_only` asks the vendor, otherwise it is known for an hour.
    pub monthly: Option<Money>,
}

/// What takes a step back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taking {
    /// Whether it can be taken back.
    pub possible: bool,
    /// The action that does; absent where there is nothing to take back.
    pub action: Option<ActionName>,
    /// Why it cannot be taken back, and what can be done beforehand.
    pub because: Option<String>,
}
