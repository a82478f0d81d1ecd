//! What the resource routes take and answer.

mod approvals;
mod changes;
mod offers;
mod settings;

use chrono::{DateTime, Utc};
use marquee_types::{
    OperationId, OperationState, ProviderId, ResourceId, ResourceKind, ResourceState, SyncId,
    resource::Relation,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::{IntoParams, ToSchema};

pub use approvals::{
    Approval, ApprovalNeeded, ApprovalPolicy, ApproveOperation, CreateApprovalPolicy, Decision,
    RejectOperation,
};
pub use changes::{
    AttachDisk, ChangeMany, ChangeStarted, CreateResource, CreateTarget, DetachDisk, GrowDisk, NameCopy,
    Plan, PlanStep, Protect, Protection, RestoreResource, ScaleGroup, TagMany, Taking, UpdateResource,
};
pub use offers::{
    ListOffers, ListQuotas, Money, Offer, OfferList, OfferPlace, Quota, QuotaList, RefusedOffers,
    ResizeResource, SizeWish,
};
pub use settings::{
    RemoveRecords, RouteTo, SetEncryption, SetLifecycle, SetPublicAccess, SetRecords, SetVersioning,
};

/// One thing that exists in a provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Resource {
    /// Its id; the same as long as provider, kind and native id are.
    pub id: ResourceId,
    /// The provider that has it.
    pub provider_id: ProviderId,
    /// What it is.
    pub kind: ResourceKind,
    /// The vendor's globally unique id: an ARN, a resource path.
    pub native_id: String,
    /// The name people gave it, or the vendor's short id.
    pub name: String,
    /// The region, or `global`.
    pub region: String,
    /// The zone, where it has one.
    pub zone: Option<String>,
    /// The normalised state.
    pub state: ResourceState,
    /// The vendor's own word for the state.
    pub native_state: Option<String>,
    /// The vendor's size or type.
    pub size: Option<String>,
    /// Its tags (labels).
    #[schema(value_type = Object)]
    pub tags: Box<RawValue>,
    /// Normalised attributes, the same names for every vendor.
    #[schema(value_type = Object)]
    pub attributes: Box<RawValue>,
    /// When the vendor says it was made.
    #[serde(serialize_with = "marquee_types::rfc3339::option")]
    pub created_at: Option<DateTime<Utc>>,
    /// Since when it has been as shown.
    #[serde(serialize_with = "marquee_types::rfc3339::serialize")]
    pub valid_from: DateTime<Utc>,
    /// When the part of the inventory it belongs to was last completely listed. Absent with `as_of`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "marquee_types::rfc3339::option")]
    pub fresh_at: Option<DateTime<Utc>>,
}

/// A resource with everything the vendor said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResourceDetail {
    /// The resource.
    #[serde(flatten)]
    pub resource: Resource,
    /// All else the vendor said, in its own words.
    #[schema(value_type = Object)]
    pub raw: Box<RawValue>,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// Since when complete listings have lacked it, while that is not yet certain.
    pub missing_since: Option<DateTime<Utc>>,
    /// When it was found to be gone.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// Which resources, as of when, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListResources {
    /// AIP-160: `kind = "compute_instance" AND vcpus >= 8 AND tags.venue = "orangery"`.
    pub filter: Option<String>,
    /// The inventory as it was then; at most 13 months ago.
    pub as_of: Option<DateTime<Utc>>,
    /// `id` (default), `id desc`, `created_at` or `created_at desc`.
    pub order_by: Option<String>,
    /// At most this many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which page of a list that has no filter.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageOf {
    /// At most this many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// One version of a resource: what it was, and how long.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Version {
    /// Since when it was so.
    pub valid_from: DateTime<Utc>,
    /// Until when; absent while it still is.
    pub valid_to: Option<DateTime<Utc>>,
    /// What ended it: `changed` or `deleted`; absent while it still is.
    pub ended: Option<String>,
    /// What it was.
    pub resource: Resource,
    /// What differs from the version before: `state`, `tags.venue`, `attributes.vcpus` …; empty for the first.
    pub changes: Vec<Change>,
}

/// One difference between two versions.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// The field: `state`, `tags.venue`, `attributes.vcpus` …
    pub field: String,
    /// Its value before; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// Its value after; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

/// How one resource stands to another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Related {
    /// `out`: this resource *relation* the other; `in`: the other *relation* this one.
    pub direction: Direction,
    /// How.
    pub relation: Relation,
    /// The vendor's id of the other.
    pub native_id: String,
    /// The other, if the inventory has it.
    pub resource: Option<RelatedResource>,
}

/// Which way a relation points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the resource asked about.
    Out,
    /// To it.
    In,
}

/// The other end of a relation, in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RelatedResource {
    /// Its id.
    pub id: ResourceId,
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its state.
    pub state: ResourceState,
}

/// The relations of one resource.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelatedList {
    /// Sorted by direction, relation and native id; at most 1,000.
    pub items: Vec<Related>,
}

/// What to count.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Summarize {
    /// Any of `provider`, `kind`, `region`, `state` and `tags.KEY`, comma-separated, at most three.
    #[param(example = "kind,region")]
    pub group_by: Option<String>,
    /// Only these; as in the list.
    pub filter: Option<String>,
}

/// How many resources there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Summary {
    /// All together.
    pub total: i64,
    /// By the fields of `group_by`; the largest first, at most 1,000 of them.
    pub groups: Vec<Group>,
}

/// One group of a summary.
#[derive(Debug, Serialize, ToSchema)]
pub struct Group {
    /// The value of each field of `group_by`; null for resources without that tag.
    #[schema(value_type = Object)]
    pub by: indexmap::IndexMap<String, Option<String>>,
    /// How many.
    pub count: i64,
}

/// The operation that an asked-for sync is, new or joined.
#[derive(Debug, Serialize, ToSchema)]
pub struct SyncStarted {
    /// Follow it at `/api/operations/{id}`.
    pub operation: OperationRef,
    /// Whether a sync was under way and has been joined.
    pub joined: bool,
}

/// An operation, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperationRef {
    /// Its id.
    pub id: OperationId,
    /// Where it stands.
    pub state: OperationState,
}

/// One discovery run over a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sync {
    /// Its id.
    pub id: SyncId,
    /// The provider.
    pub provider_id: ProviderId,
    /// The operation with its steps.
    pub operation_id: OperationId,
    /// Who asked: a member, an API key, or the scheduler.
    pub requested_by: String,
    /// `running`, `succeeded`, `partially_succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// What it did; complete once it has ended.
    #[schema(value_type = Object)]
    pub counts: Value,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Which syncs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListSyncs {
    /// Only this provider's.
    #[param(value_type = Option<String>)]
    pub provider_id: Option<ProviderId>,
    /// At most this many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// How fresh the parts of a provider's inventory are.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScopeList {
    /// Sorted by service and region.
    pub items: Vec<ScopeFreshness>,
}

/// How fresh one part of a provider's inventory is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScopeFreshness {
    /// What is listed: `ec2/instances`.
    pub service: String,
    /// Where.
    pub region: String,
    /// The start of the last listing that was proven complete.
    pub complete_at: Option<DateTime<Utc>>,
    /// The last attempt.
    pub attempted_at: DateTime<Utc>,
    /// How many resources the last complete listing had.
    pub resources: i64,
    /// Why the last attempt was not complete: `{"code", "detail"}`; null if it was.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
}
