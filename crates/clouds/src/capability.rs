//! What a cloud can do, as data: read by the API, the docs and the conformance suite alike.

use marquee_types::ResourceKind;

use crate::{Ability, layers::RateLimit};

/// What one adapter offers.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// The vendor: `aws`, `azure`, …
    pub cloud: &'static str,
    /// The kinds its inventory lists.
    pub inventory: &'static [ResourceKind],
    /// What can be done to what exists, and what comes with it.
    pub abilities: &'static [Ability],
    /// The permissions it calls for, and what each is for.
    pub permissions: &'static [PermissionNeed],
    /// How often the vendor says that it may be called: the layers keep to it.
    pub rate_limits: &'static [RateLimit],
}

/// One of the vendor's permissions, and the feature that does not work without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionNeed {
    /// In the vendor's own spelling, e.g. `ec2:DescribeInstances`.
    pub permission: &'static str,
    /// The feature of Marquee that needs it, e.g. `inventory of instances`.
    pub feature: &'static str,
}
