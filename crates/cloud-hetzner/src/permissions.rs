//! What a token must be allowed. Hetzner knows two kinds, for reading and for reading and writing, and cannot be asked
//! which one a token is of: that it reads is seen by reading.

use marquee_clouds::{
    Capabilities, PermissionNeed,
    layers::{Allowance, RateLimit},
};
use marquee_types::ResourceKind;

/// The kinds that Hetzner Cloud's inventory lists.
pub const KINDS: &[ResourceKind] = &[
    ResourceKind::ComputeInstance,
    ResourceKind::Disk,
    ResourceKind::Snapshot,
    ResourceKind::Network,
    ResourceKind::Subnet,
    ResourceKind::SecurityGroup,
    ResourceKind::PublicIp,
    ResourceKind::LoadBalancer,
];

/// What Hetzner Cloud offers Marquee.
pub static CAPABILITIES: Capabilities = Capabilities {
    cloud: "hetzner",
    inventory: KINDS,
    permissions: &[READ],
    abilities: &[],
    rate_limits: RATE_LIMITS,
};

/// How often a project may ask.
const RATE_LIMITS: &[RateLimit] = &[RateLimit {
    service: "",
    by_region: false,
    by_operation: false,
    allowance: Allowance::Bucket { tokens: 3_600, per_second: 1.0 },
}];

/// All that Marquee calls for.
pub const READ: PermissionNeed =
    PermissionNeed { permission: "read", feature: "inventory, and discovery of locations" };
