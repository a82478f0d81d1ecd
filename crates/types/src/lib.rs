//! The words every crate of Marquee shares: ids, kinds and states of resources, roles and permissions,
//! problems, the clock and the filter language.
//!
//! Reading order: [`id`] (what things are called), [`resource`] (what exists in a cloud), [`role`] and
//! [`permission`] (who may do what), [`operation`] (the states of long work), [`problem`] (how a refusal
//! looks on the wire), [`filter`] (AIP-160), [`clock`] (the only place that asks for the time),
//! [`rfc3339`] (how times are written).
//!
//! Nothing here does IO, and nothing but [`clock`] knows what time it is.

pub mod clock;
pub mod filter;
pub mod id;
pub mod operation;
pub mod permission;
pub mod problem;
pub mod resource;
pub mod rfc3339;
pub mod role;
pub mod words;

pub use clock::Clock;
pub use id::{
    ApiKeyId, ApprovalPolicyId, AuditEntryId, JobId, OperationId, OrganizationId, ProviderId, RequestId,
    ResourceId, ScheduleId, SessionId, SyncId, UserId,
};
pub use operation::OperationState;
pub use permission::{Permission, PermissionSet};
pub use problem::{FieldError, Problem};
pub use resource::{ResourceKind, ResourceState};
pub use role::Role;
