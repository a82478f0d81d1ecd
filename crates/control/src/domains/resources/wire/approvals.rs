//! What the routes of approval take and answer.

use chrono::{DateTime, Utc};
use marquee_clouds::ActionName;
use marquee_types::{ApprovalPolicyId, OperationId, Role, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rule that says which changes of which resources need the approval of a second person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApprovalPolicy {
    /// Its id.
    pub id: ApprovalPolicyId,
    /// Its name, unique in the organization.
    pub name: String,
    /// The actions that need approval; empty for every action.
    pub actions: Vec<ActionName>,
    /// AIP-160 over the fields of the list of resources; absent for all resources.
    pub filter: Option<String>,
    /// Members of this role or a higher one may approve.
    pub approver_role: Role,
    /// A request that nobody decides is over after this many seconds.
    pub expires_after_seconds: i32,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A rule to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApprovalPolicy {
    /// 1 to 100 characters, unique in the organization.
    pub name: String,
    /// The actions that need approval, as plans name them (`terminate_instance`); every action if left out.
    #[serde(default)]
    pub actions: Vec<ActionName>,
    /// Which resources, in the language of the list of resources; all if left out. Something that is yet to be made is
    /// looked at as it is wished: with its provider, kind, region, zone, name, size and tags.
    #[serde(default)]
    #[schema(example = "tags.env = production")]
    pub filter: Option<String>,
    /// Members of this role or a higher one may approve: `manager`, `admin` or `owner`.
    pub approver_role: Role,
    /// A request that nobody decides is over after this many seconds: 300 (5 minutes) to 2,592,000 (30 days); a day if left out.
    #[serde(default = "a_day")]
    #[schema(minimum = 300, maximum = 2_592_000, default = 86_400)]
    pub expires_after_seconds: i32,
}

fn a_day() -> i32 {
    86_400
}

/// Who has to approve a change before it is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApprovalNeeded {
    /// The names of the policies that say so.
    pub policies: Vec<String>,
    /// A second person of this role or a higher one.
    pub approver_role: Role,
    /// The request is over after this many seconds.
    pub expires_after_seconds: i32,
}

marquee_types::words! {
    /// What became of a request for approval.
    pub enum Decision {
        /// Somebody approved: the operation began.
        Approved = "approved",
        /// Somebody refused: the operation was cancelled.
        Rejected = "rejected",
        /// Nobody decided in time: the operation was cancelled.
        Expired = "expired",
        /// The operation was cancelled before anybody decided.
        Withdrawn = "withdrawn",
    }
}

/// The approval that an operation needs, and what was decided.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Approval {
    /// The operation.
    pub operation_id: OperationId,
    /// The names of the policies that applied when it was asked for.
    pub policies: Vec<String>,
    /// A second person of this role or a higher one decides.
    pub approver_role: Role,
    /// The person who asked, or who made the API key that did, and who cannot approve.
    pub requester: UserId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When the request is over if nobody decides.
    pub expires_at: DateTime<Utc>,
    /// What was decided; absent while it is open.
    pub decision: Option<Decision>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why, in the words of whoever decided.
    pub reason: Option<String>,
}

/// Approving.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveOperation {
    /// For the audit log: at most 500 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Refusing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectOperation {
    /// Shown to whoever asked: 1 to 500 characters.
    pub reason: String,
}
