//! Which of Google's members each normalised attribute comes from: printed in `docs/clouds.md`, and held against what
//! the normalisers in fact do by a test.

use marquee_types::ResourceKind::{
    self, Bucket, ComputeInstance, Database, DatabaseSnapshot, Disk, DnsZone, Image, LoadBalancer, Network,
    PublicIp, ScalingGroup, SecurityGroup, Snapshot, Subnet, TargetGroup,
};

/// By kind, each attribute and the member it comes from.
pub static ATTRIBUTES: &[(ResourceKind, &[(&str, &str)])] = &[
    (
        ComputeInstance,
        &[
            ("architecture", "disks: architecture of the boot disk"),
            ("deletion_protection", "deletionProtection"),
            ("description", "description"),
            ("launched_at", "lastStartTimestamp"),
            ("lifecycle", "scheduling.provisioningModel"),
            ("memory_mib", "machineTypes: memoryMb"),
            ("private_ip", "networkInterfaces: networkIP of the first"),
            ("public_ip", "networkInterfaces: natIP of the first"),
            ("vcpus", "machineTypes: guestCpus"),
        ],
    ),
    (
        Disk,
        &[
            ("architecture", "architecture"),
            ("description", "description"),
            ("encrypted", "always, at rest"),
            ("iops", "provisionedIops"),
            ("size_gib", "sizeGb"),
            ("throughput_mib_per_second", "provisionedThroughput"),
        ],
    ),
    (
        Snapshot,
        &[("description", "description"), ("encrypted", "always, at rest"), ("size_gib", "diskSizeGb")],
    ),
    (Image, &[("architecture", "architecture"), ("description", "description"), ("size_gib", "diskSizeGb")]),
    (
        Network,
        &[("cidr", "IPv4Range"), ("default", "whether it is called default"), ("description", "description")],
    ),
    (Subnet, &[("cidr", "ipCidrRange"), ("description", "description")]),
    (
        SecurityGroup,
        &[
            ("description", "description"),
            ("egress_rules", "count of allowed and denied, if direction is EGRESS"),
            ("ingress_rules", "count of allowed and denied, if direction is INGRESS"),
        ],
    ),
    (PublicIp, &[("description", "description"), ("public_ip", "address")]),
    (
        LoadBalancer,
        &[
            ("description", "description"),
            ("private_ip", "IPAddress, if it is internal"),
            ("protocol", "IPProtocol"),
            ("public_ip", "IPAddress, if it is external"),
            ("scheme", "loadBalancingScheme"),
        ],
    ),
    (
        TargetGroup,
        &[
            ("description", "description"),
            ("port", "port"),
            ("protocol", "protocol"),
            ("targets", "count of backends, or of a pool's instances"),
        ],
    ),
    (ScalingGroup, &[("description", "description"), ("desired_size", "targetSize")]),
    (
        Database,
        &[
            ("backup_retention_days", "settings.backupConfiguration: retainedBackups"),
            ("deletion_protection", "settings.deletionProtectionEnabled"),
            ("encrypted", "always, at rest"),
            ("endpoint", "ipAddresses: the first"),
            ("engine", "databaseVersion"),
            ("engine_version", "databaseVersion"),
            ("multi_zone", "settings.availabilityType"),
            ("public", "settings.ipConfiguration.ipv4Enabled"),
            ("size_gib", "settings.dataDiskSizeGb"),
            ("storage_type", "settings.dataDiskType"),
        ],
    ),
    (DatabaseSnapshot, &[("encrypted", "always, at rest")]),
    (
        Bucket,
        &[
            ("encryption", "encryption.defaultKmsKeyName"),
            ("public", "iamConfiguration.publicAccessPrevention"),
            ("versioning", "versioning.enabled"),
        ],
    ),
    (DnsZone, &[("description", "description"), ("private", "visibility")]),
];

/// Relations by the kind that has them, and where each comes from.
pub static RELATIONS: &[(ResourceKind, &str, ResourceKind, &str)] = &[
    (ComputeInstance, "member_of", Subnet, "networkInterfaces: subnetwork"),
    (ComputeInstance, "member_of", Network, "networkInterfaces: network"),
    (Disk, "attached_to", ComputeInstance, "users"),
    (Disk, "created_from", Snapshot, "sourceSnapshot"),
    (Disk, "created_from", Image, "sourceImage"),
    (Snapshot, "created_from", Disk, "sourceDisk"),
    (Image, "created_from", Disk, "sourceDisk"),
    (Image, "created_from", Snapshot, "sourceSnapshot"),
    (Subnet, "member_of", Network, "network"),
    (SecurityGroup, "member_of", Network, "network"),
    (PublicIp, "attached_to", ComputeInstance, "users"),
    (PublicIp, "attached_to", LoadBalancer, "users"),
    (LoadBalancer, "routes_to", TargetGroup, "backendService, target"),
    (LoadBalancer, "member_of", Network, "network"),
    (LoadBalancer, "member_of", Subnet, "subnetwork"),
    (TargetGroup, "routes_to", ScalingGroup, "backends: group"),
    (TargetGroup, "routes_to", ComputeInstance, "instances of a target pool"),
    (Database, "replica_of", Database, "masterInstanceName"),
    (Database, "member_of", Network, "settings.ipConfiguration.privateNetwork"),
    (DatabaseSnapshot, "created_from", Database, "instance"),
    (DnsZone, "member_of", Network, "privateVisibilityConfig"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row() {
        assert!(ATTRIBUTES.iter().map(|(kind, _)| *kind).eq(crate::permissions::KINDS.iter().copied()));
        assert!(ATTRIBUTES.iter().all(|(_, attributes)| attributes.is_sorted()));
    }
}
