//! The permissions this adapter calls for, what each is for, and how to see whether it is there: by the very read that
//! needs it, since Azure tells a caller's permissions for resource groups only, and not for a subscription.
//!
//! The least-privilege role in `docs/guides/connect-azure.md` is this table.

use marquee_clouds::{
    Capabilities, PermissionGroup, PermissionNeed,
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

/// What changes need besides. No part of the inventory, nor of the role that only reads.
pub const CHANGE_PERMISSIONS: &[PermissionNeed] = &[
    change("Microsoft.Compute/disks/delete", "deleting disks, and those of machines"),
    change("Microsoft.Compute/disks/write", "making, attaching and growing disks, and those of machines"),
    change("Microsoft.Compute/images/delete", "deleting images"),
    change("Microsoft.Compute/images/write", "making images"),
    change("Microsoft.Compute/locations/operations/read", "following changes of machines and disks"),
    change("Microsoft.Compute/snapshots/delete", "deleting disk snapshots"),
    change("Microsoft.Compute/snapshots/write", "making disk snapshots"),
    change("Microsoft.Compute/virtualMachineScaleSets/delete", "deleting scaling groups"),
    change("Microsoft.Compute/virtualMachineScaleSets/write", "making and scaling scaling groups"),
    change("Microsoft.Compute/virtualMachines/deallocate/action", "stopping instances"),
    change("Microsoft.Compute/virtualMachines/delete", "ending instances"),
    change("Microsoft.Compute/virtualMachines/restart/action", "restarting instances"),
    change("Microsoft.Compute/virtualMachines/start/action", "starting instances"),
    change("Microsoft.Compute/virtualMachines/write", "making and resizing instances, and attaching disks"),
    change("Microsoft.DBforPostgreSQL/flexibleServers/backups/delete", "deleting database backups"),
    change("Microsoft.DBforPostgreSQL/flexibleServers/backups/write", "making database backups"),
    change("Microsoft.DBforPostgreSQL/flexibleServers/delete", "deleting databases"),
    change("Microsoft.DBforPostgreSQL/flexibleServers/start/action", "starting databases"),
    change("Microsoft.DBforPostgreSQL/flexibleServers/stop/action", "stopping databases"),
    change(
        "Microsoft.DBforPostgreSQL/flexibleServers/write",
        "making, resizing, restoring and promoting databases",
    ),
    change("Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read", "following changes of databases"),
    change("Microsoft.DBforPostgreSQL/locations/operationResults/read", "following changes of databases"),
    change("Microsoft.Network/dnsZones/A/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/A/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/A/write", "setting DNS records"),
    change("Microsoft.Network/dnsZones/AAAA/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/AAAA/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/AAAA/write", "setting DNS records"),
    change("Microsoft.Network/dnsZones/CAA/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/CAA/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/CAA/write", "setting DNS records"),
    change("Microsoft.Network/dnsZones/CNAME/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/CNAME/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/CNAME/write", "setting DNS records"),
    change("Microsoft.Network/dnsZones/MX/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/MX/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/MX/write", "setting DNS records"),
    change("Microsoft.Network/dnsZones/SRV/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/SRV/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/SRV/write", "setting DNS records"),
    change("Microsoft.Network/dnsZones/TXT/delete", "removing DNS records"),
    change("Microsoft.Network/dnsZones/TXT/read", "DNS records as they stand"),
    change("Microsoft.Network/dnsZones/TXT/write", "setting DNS records"),
    change("Microsoft.Network/loadBalancers/backendAddressPools/join/action", "putting instances into pools"),
    change("Microsoft.Network/locations/operations/read", "following changes of interfaces"),
    change("Microsoft.Network/networkInterfaces/delete", "ending instances, with their interfaces"),
    change("Microsoft.Network/networkInterfaces/join/action", "making instances, with their interfaces"),
    change(
        "Microsoft.Network/networkInterfaces/write",
        "making instances, with their interfaces, and putting them into pools",
    ),
    change("Microsoft.Network/networkSecurityGroups/join/action", "making instances behind security groups"),
    change("Microsoft.Network/publicIPAddresses/delete", "ending instances, with their public addresses"),
    change("Microsoft.Network/publicIPAddresses/join/action", "making instances, with public addresses"),
    change("Microsoft.Network/publicIPAddresses/write", "making instances, with public addresses"),
    change(
        "Microsoft.Network/virtualNetworks/subnets/join/action",
        "making instances and databases in subnets",
    ),
    change("Microsoft.Resources/tags/read", "tags as they stand"),
    change("Microsoft.Resources/tags/write", "setting tags"),
    change("Microsoft.Storage/locations/asyncoperations/read", "following the making of storage accounts"),
    change(
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        "whether a storage account is empty",
    ),
    change("Microsoft.Storage/storageAccounts/blobServices/write", "versioning of storage accounts"),
    change("Microsoft.Storage/storageAccounts/delete", "deleting storage accounts"),
    change(
        "Microsoft.Storage/storageAccounts/fileServices/shares/read",
        "whether a storage account is empty",
    ),
    change(
        "Microsoft.Storage/storageAccounts/managementPolicies/delete",
        "lifecycle rules of storage accounts",
    ),
    change(
        "Microsoft.Storage/storageAccounts/managementPolicies/read",
        "lifecycle rules of storage accounts",
    ),
    change(
        "Microsoft.Storage/storageAccounts/managementPolicies/write",
        "lifecycle rules of storage accounts",
    ),
    change(
        "Microsoft.Storage/storageAccounts/queueServices/queues/read",
        "whether a storage account is empty",
    ),
    change(
        "Microsoft.Storage/storageAccounts/tableServices/tables/read",
        "whether a storage account is empty",
    ),
    change(
        "Microsoft.Storage/storageAccounts/write",
        "making storage accounts, and their encryption and public access",
    ),
];

/// Those of them that are no operation of this adapter's: Azure asks for them when it follows what goes on, when a thing is made
/// that lies in another, and when things come and go along with a machine.
pub const BESIDE: &[&str] = &[
    "Microsoft.Compute/locations/operations/read",
    "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read",
    "Microsoft.DBforPostgreSQL/locations/operationResults/read",
    "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
    "Microsoft.Network/locations/operations/read",
    "Microsoft.Network/networkInterfaces/delete",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/publicIPAddresses/delete",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/publicIPAddresses/write",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Storage/locations/asyncoperations/read",
];

/// Groups that only one feature needs.
pub const OPTIONAL: &[PermissionGroup] = &[PermissionGroup {
    name: "changes",
    about: "changing what exists: making, resizing, stopping, deleting, tagging",
    permissions: CHANGE_PERMISSIONS,
}];

const fn change(permission: &'static str, feature: &'static str) -> PermissionNeed {
    PermissionNeed { permission, feature }
}

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
        assert!(CHANGE_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        assert_eq!(CHANGE_PERMISSIONS.iter().find(|need| PERMISSIONS.contains(need)), None);
        assert!(OBJECT_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        // The role that only reads is made of the former.
        assert_eq!(OBJECT_PERMISSIONS.iter().find(|need| PERMISSIONS.contains(need)), None);
        assert!(PERMISSIONS.iter().all(|need| need.permission.ends_with("/read")));
    }
}
