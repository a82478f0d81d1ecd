//! The permissions this adapter calls for, and what each is for. Google itself tells which of them a caller has.
//!
//! The least-privilege role in `docs/guides/connect-gcp.md` is this table.

use marquee_clouds::{
    Capabilities, PermissionNeed,
    layers::{Allowance, RateLimit},
};
use marquee_types::ResourceKind;

/// The kinds that Google Cloud's inventory lists.
pub const KINDS: &[ResourceKind] = &[
    ResourceKind::ComputeInstance,
    ResourceKind::Disk,
    ResourceKind::Snapshot,
    ResourceKind::Image,
    ResourceKind::Network,
    ResourceKind::Subnet,
    ResourceKind::SecurityGroup,
    ResourceKind::PublicIp,
    ResourceKind::LoadBalancer,
    ResourceKind::TargetGroup,
    ResourceKind::ScalingGroup,
    ResourceKind::Database,
    ResourceKind::DatabaseSnapshot,
    ResourceKind::Bucket,
    ResourceKind::DnsZone,
];

/// What Google Cloud offers Marquee.
pub static CAPABILITIES: Capabilities = Capabilities {
    cloud: "gcp",
    inventory: KINDS,
    permissions: PERMISSIONS,
    abilities: &[],
    rate_limits: RATE_LIMITS,
};

/// How often a project may ask: Compute Engine documents its reads.
const RATE_LIMITS: &[RateLimit] = &[RateLimit {
    service: "compute",
    by_region: false,
    by_operation: false,
    allowance: Allowance::Minute { calls: 1_500 },
}];

const fn need(permission: &'static str, feature: &'static str) -> PermissionNeed {
    PermissionNeed { permission, feature }
}

/// All of them, sorted.
pub const PERMISSIONS: &[PermissionNeed] = &[
    need("cloudsql.backupRuns.get", "a second look at database backups"),
    need("cloudsql.backupRuns.list", "inventory of database backups"),
    need("cloudsql.instances.get", "a second look at databases"),
    need("cloudsql.instances.list", "inventory of databases"),
    need("compute.addresses.get", "a second look at public addresses"),
    need("compute.addresses.list", "inventory of public addresses"),
    need("compute.backendServices.get", "a second look at backend services"),
    need("compute.backendServices.list", "inventory of backend services"),
    need("compute.disks.get", "a second look at disks"),
    need("compute.disks.list", "inventory of disks"),
    need("compute.firewalls.get", "a second look at firewall rules"),
    need("compute.firewalls.list", "inventory of firewall rules"),
    need("compute.forwardingRules.get", "a second look at load balancers"),
    need("compute.forwardingRules.list", "inventory of load balancers"),
    need("compute.globalAddresses.get", "a second look at public addresses of no region"),
    need("compute.globalForwardingRules.get", "a second look at load balancers of no region"),
    need("compute.images.get", "a second look at images"),
    need("compute.images.list", "inventory of images"),
    need("compute.instanceGroupManagers.get", "a second look at scaling groups"),
    need("compute.instanceGroupManagers.list", "inventory of scaling groups"),
    need("compute.instances.get", "a second look at instances"),
    need("compute.instances.list", "inventory of instances"),
    need("compute.machineTypes.get", "vCPUs and memory of instances"),
    need("compute.networks.get", "a second look at networks"),
    need("compute.networks.list", "inventory of networks"),
    need("compute.regionBackendServices.get", "a second look at backend services of a region"),
    need("compute.regions.list", "discovery of regions"),
    need("compute.snapshots.get", "a second look at disk snapshots"),
    need("compute.snapshots.list", "inventory of disk snapshots"),
    need("compute.subnetworks.get", "a second look at subnets"),
    need("compute.subnetworks.list", "inventory of subnets"),
    need("compute.targetPools.get", "a second look at target pools"),
    need("compute.targetPools.list", "inventory of target pools"),
    need("dns.managedZones.get", "a second look at DNS zones"),
    need("dns.managedZones.list", "inventory of DNS zones"),
    need("resourcemanager.projects.get", "the project's name"),
    need("storage.buckets.get", "a second look at buckets"),
    need("storage.buckets.list", "inventory of buckets"),
];

/// What objects in buckets need besides, on the buckets that are meant for it alone. No part of the inventory, nor of the
/// role that only reads.
pub const OBJECT_PERMISSIONS: &[PermissionNeed] = &[
    need("storage.objects.create", "objects in buckets: writing"),
    need("storage.objects.delete", "objects in buckets: deleting, and writing what is there already"),
    need("storage.objects.get", "objects in buckets: reading, and finding out about a lost answer"),
    need(
        "storage.objects.list",
        "objects in buckets: listing, and telling a missing object from a missing bucket",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_and_named_once() {
        assert!(PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        assert!(OBJECT_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        // The role that only reads is made of the former.
        assert!(
            PERMISSIONS.iter().all(|need| matches!(need.permission.rsplit('.').next(), Some("get" | "list")))
        );
        assert_eq!(OBJECT_PERMISSIONS.iter().find(|need| PERMISSIONS.contains(need)), None);
    }
}
