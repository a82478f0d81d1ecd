//! The provider contract: what every cloud adapter offers Marquee, and nothing a single vendor does.
//!
//! Reading order: [`contract`] (the traits and what they exchange), [`capability`] (which parts a cloud has,
//! as data), [`policy`] (what a credential must be allowed), [`error`] (a failure with its retry verdict), [`objects`] (what
//! lies in buckets), [`changes`] (changing what exists), [`offers`] (what could be made, and what it costs), then [`layers`], which every call goes through. What adapters share stands beside them: [`fields`]
//! (reading credentials and settings strictly), [`paging`], [`attributes`] (what they mean), and for clouds that speak JSON
//! [`rest`] and [`draft`].
//!
//! An adapter is a crate with an [`Adapter`], which is a [`Connector`]: it turns credentials and settings into a [`Cloud`]. It knows
//! nothing of organizations, databases or HTTP routes, and nothing here knows a vendor.

#[cfg(feature = "conformance")]
pub mod account;
pub mod adapter;
pub mod attributes;
pub mod capability;
pub mod changes;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contract;
#[cfg(feature = "conformance")]
pub mod docs;
pub mod draft;
pub mod error;
pub mod fields;
pub mod layers;
pub mod objects;
pub mod offers;
pub mod paging;
pub mod policy;
pub mod raw;
pub mod rest;
#[cfg(feature = "conformance")]
pub mod rights;

pub use adapter::{Adapter, ConnectionConfig};
pub use capability::{Capabilities, PermissionNeed};
pub use changes::{Ability, Action, ActionName, Change, Changes, Disturbance, Progress, Ticket, Token, Undo};
pub use contract::{
    Cloud, CloudRegion, CloudService, Connection, ConnectionTest, Connector, CredentialError, Identity,
    Inventory, Observed, ObservedRelation, Page, PageSink, PermissionCheck, PermissionStatus, Scope,
    ServerRules,
};
pub use error::{CloudError, ErrorKind, Retry};
pub use layers::{CallSite, Layers};
pub use objects::Objects;
pub use offers::Offers;
pub use policy::{PermissionGroup, PolicyDocument, PolicyFormat, PolicyRequest};
pub use raw::RawJson;
