//! The permissions this adapter calls for, what each is for, and how to see whether it is there: by the very read that
//! needs it, since Azure tells a caller's permissions for resource groups only, and not for a subscription.
//!
//! The least-privilege role in `docs/guides/connect-azure.md` is this table.

use marquee_clouds::{
    Capabilities, PermissionNeed,
    layers::{Allowance, RateLimit},
};
use marquee_types::ResourceKind;

use crate::{
    arm::Read,
    changes::abilities::ABILITIES,
    cloud::{LOCATIONS, SUBSCRIPTION},
    inventory::{compute, databases, network, sizes, storage},
};

/// The kinds that Azure's inventory lists.
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

/// What Azure offers Marquee.
pub static CAPABILITIES: Capabilities = Capabilities {
    cloud: "azure",
    inventory: KINDS,
    permissions: PERMISSIONS,
    abilities: ABILITIES,
    rate_limits: RATE_LIMITS,
};

/// How often a principal may ask: the resource manager documents its reads, of all services together.
const RATE_LIMITS: &[RateLimit] = &[RateLimit {
    service: "Microsoft.",
    by_region: false,
    by_operation: false,
    allowance: Allowance::Bucket { tokens: 250, per_second: 25.0 },
}];

/// One permission, and the read that shows whether it is there.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// The permission, and what needs it.
    pub need: PermissionNeed,
    /// How to find out.
    pub probe: Probe,
}

/// How to find out whether a permission is there.
#[derive(Debug, Clone, Copy)]
pub enum Probe {
    /// Reads the first page of a list, or the subscription.
    Read(&'static Read),
    /// Reads something of the first thing of a list.
    OfFirst(&'static Read, &'static Read),
}

const fn read(permission: &'static str, feature: &'static str, read: &'static Read) -> Need {
    Need { need: PermissionNeed { permission, feature }, probe: Probe::Read(read) }
}

/// All of them, sorted.
pub const NEEDS: &[Need] = &[
    read("Microsoft.Compute/disks/read", "inventory of disks", &compute::DISKS.list),
    read("Microsoft.Compute/images/read", "inventory of images", &compute::IMAGES.list),
    read("Microsoft.Compute/skus/read", "vCPUs and memory of instances", &sizes::SKUS),
    read("Microsoft.Compute/snapshots/read", "inventory of disk snapshots", &compute::SNAPSHOTS.list),
    read(
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "inventory of scaling groups",
        &compute::SCALE_SETS.list,
    ),
    Need {
        need: PermissionNeed {
            permission: "Microsoft.Compute/virtualMachines/instanceView/read",
            feature: "a second look at the state of instances",
        },
        probe: Probe::OfFirst(&compute::MACHINES.list, &compute::STATUS),
    },
    read("Microsoft.Compute/virtualMachines/read", "inventory of instances", &compute::MACHINES.list),
    Need {
        need: PermissionNeed {
            permission: "Microsoft.DBforPostgreSQL/flexibleServers/backups/read",
            feature: "inventory of database backups",
        },
        probe: Probe::OfFirst(&databases::SERVERS.list, &databases::BACKUPS_OF),
    },
    read(
        "Microsoft.DBforPostgreSQL/flexibleServers/read",
        "inventory of databases",
        &databases::SERVERS.list,
    ),
    read("Microsoft.Network/dnsZones/read", "inventory of DNS zones", &network::ZONES.list),
    read(
        "Microsoft.Network/loadBalancers/read",
        "inventory of load balancers and their pools",
        &network::BALANCERS.list,
    ),
    read(
        "Microsoft.Network/networkInterfaces/read",
        "addresses and networks of instances",
        &compute::INTERFACES,
    ),
    read(
        "Microsoft.Network/networkSecurityGroups/read",
        "inventory of security groups",
        &network::SECURITY_GROUPS.list,
    ),
    read(
        "Microsoft.Network/publicIPAddresses/read",
        "inventory of public addresses",
        &network::ADDRESSES.list,
    ),
    read(
        "Microsoft.Network/virtualNetworks/read",
        "inventory of networks and subnets",
        &network::NETWORKS.list,
    ),
    read("Microsoft.Resources/subscriptions/locations/read", "discovery of regions", &LOCATIONS),
    read("Microsoft.Resources/subscriptions/read", "the subscription's name", &SUBSCRIPTION),
    Need {
        need: PermissionNeed {
            permission: "Microsoft.Storage/storageAccounts/blobServices/read",
            feature: "versioning of storage accounts",
        },
        probe: Probe::OfFirst(&storage::ACCOUNTS.list, &storage::BLOB_SERVICE),
    },
    read("Microsoft.Storage/storageAccounts/read", "inventory of storage accounts", &storage::ACCOUNTS.list),
];

/// What is needed, without how it is found out.
pub const PERMISSIONS: &[PermissionNeed] = &permissions();

/// What blobs need besides, in the accounts that are meant for it alone: all but the last are data actions. No part of the
/// inventory, nor of the role that only reads.
pub const OBJECT_PERMISSIONS: &[PermissionNeed] = &[
    PermissionNeed {
        permission: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
        feature: "objects in buckets: deleting",
    },
    PermissionNeed {
        permission: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        feature: "objects in buckets: reading, listing, and finding out about a lost answer",
    },
    PermissionNeed {
        permission: "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        feature: "objects in buckets: writing",
    },
    PermissionNeed {
        permission: "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        feature: "objects in buckets: the names of containers",
    },
];

const fn permissions() -> [PermissionNeed; NEEDS.len()] {
    let mut needs = [NEEDS[0].need; NEEDS.len()];
    let mut at = 0;
    while at < needs.len() {
        needs[at] = NEEDS[at].need;
        at += 1;
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_and_named_once() {
        assert!(PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        assert!(OBJECT_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        // The role that only reads is made of the former.
        assert_eq!(OBJECT_PERMISSIONS.iter().find(|need| PERMISSIONS.contains(need)), None);
        assert!(PERMISSIONS.iter().all(|need| need.permission.ends_with("/read")));
    }
}
