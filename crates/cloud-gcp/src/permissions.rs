//! The permissions this adapter calls for, and what each is for. Google itself tells which of them a caller has.
//!
//! The least-privilege role in `docs/guides/connect-gcp.md` is this table.

use marquee_clouds::{
    Capabilities, PermissionGroup, PermissionNeed,
    layers::{Allowance, RateLimit},
};
use marquee_types::ResourceKind;

use crate::changes::abilities::ABILITIES;

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
    abilities: ABILITIES,
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

/// What changing what exists needs besides. No part of the inventory either: a connection that only reads is asked for nothing of it.
pub const CHANGE_PERMISSIONS: &[PermissionNeed] = &[
    need("cloudsql.backupRuns.create", "backups of databases"),
    need("cloudsql.backupRuns.delete", "deleting backups of databases"),
    need("cloudsql.instances.clone", "restoring databases to a time"),
    need("cloudsql.instances.create", "making databases and replicas"),
    need("cloudsql.instances.delete", "deleting databases"),
    need("cloudsql.instances.promoteReplica", "promoting replicas"),
    need("cloudsql.instances.restoreBackup", "restoring backups of databases"),
    need("cloudsql.instances.update", "resizing, starting, stopping and labeling databases"),
    need("compute.addresses.setLabels", "labeling addresses"),
    need("compute.autoscalers.create", "bounds of scaling groups"),
    need("compute.autoscalers.delete", "deleting scaling groups"),
    need("compute.autoscalers.list", "bounds of scaling groups"),
    need("compute.autoscalers.update", "bounds of scaling groups"),
    need("compute.disks.create", "making disks and instances"),
    need("compute.disks.createSnapshot", "snapshots of disks"),
    need("compute.disks.delete", "deleting disks"),
    need("compute.disks.resize", "growing disks"),
    need("compute.disks.setLabels", "labeling disks"),
    need("compute.disks.use", "attaching and detaching disks"),
    need("compute.disks.useReadOnly", "images of instances"),
    need("compute.forwardingRules.setLabels", "labeling load balancers"),
    need("compute.globalOperations.get", "how far a change is"),
    need("compute.globalOperations.list", "whether a change was begun before"),
    need("compute.images.create", "images of instances"),
    need("compute.images.delete", "deleting images"),
    need("compute.images.setLabels", "labeling images"),
    need("compute.instanceGroupManagers.create", "making scaling groups"),
    need("compute.instanceGroupManagers.delete", "deleting scaling groups"),
    need("compute.instanceGroupManagers.update", "resizing scaling groups"),
    need("compute.instanceGroupManagers.use", "bounds of scaling groups"),
    need("compute.instanceTemplates.create", "making scaling groups"),
    need("compute.instanceTemplates.delete", "deleting scaling groups"),
    need("compute.instanceTemplates.get", "making and deleting scaling groups"),
    need("compute.instanceTemplates.useReadOnly", "making scaling groups"),
    need("compute.instances.attachDisk", "attaching disks"),
    need("compute.instances.create", "making instances"),
    need("compute.instances.delete", "deleting instances"),
    need("compute.instances.detachDisk", "detaching disks"),
    need("compute.instances.reset", "restarting instances"),
    need("compute.instances.setLabels", "labeling instances"),
    need("compute.instances.setMachineType", "resizing instances"),
    need("compute.instances.setMetadata", "instances with a key that may log in"),
    need("compute.instances.setTags", "instances that firewall rules are aimed at"),
    need("compute.instances.start", "starting instances"),
    need("compute.instances.stop", "stopping instances"),
    need("compute.instances.use", "instances in target pools"),
    need("compute.regionOperations.get", "how far a change is"),
    need("compute.regionOperations.list", "whether a change was begun before"),
    need("compute.snapshots.create", "snapshots of disks"),
    need("compute.snapshots.delete", "deleting snapshots of disks"),
    need("compute.snapshots.setLabels", "labeling snapshots of disks"),
    need("compute.snapshots.useReadOnly", "disks made from snapshots"),
    need("compute.subnetworks.use", "instances in subnets"),
    need("compute.subnetworks.useExternalIp", "instances with addresses on the internet"),
    need("compute.targetPools.addInstance", "instances in target pools"),
    need("compute.targetPools.removeInstance", "instances in target pools"),
    need("compute.zoneOperations.get", "how far a change is"),
    need("compute.zoneOperations.list", "whether a change was begun before"),
    need("dns.changes.create", "records"),
    need("dns.changes.get", "how far a change of records is"),
    need("dns.changes.list", "whether a change of records was begun before"),
    need("dns.managedZones.update", "labeling DNS zones"),
    need("dns.resourceRecordSets.create", "records"),
    need("dns.resourceRecordSets.delete", "records"),
    need("dns.resourceRecordSets.list", "how records stand"),
    need("dns.resourceRecordSets.update", "records"),
    need("storage.buckets.create", "making buckets"),
    need("storage.buckets.delete", "deleting buckets"),
    need("storage.buckets.update", "settings and labels of buckets"),
];

/// The groups that one feature each needs.
pub const OPTIONAL: &[PermissionGroup] = &[PermissionGroup {
    name: "changes",
    about: "changing what exists: making, resizing, starting, stopping, labeling and deleting",
    permissions: CHANGE_PERMISSIONS,
}];

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
        assert!(CHANGE_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        let read =
            |need: &&PermissionNeed| PERMISSIONS.iter().any(|known| known.permission == need.permission);
        assert_eq!(CHANGE_PERMISSIONS.iter().find(read), None);
    }
}
