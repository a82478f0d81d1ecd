//! Which of Azure's members each normalised attribute comes from: printed in `docs/clouds.md`, and held against what the
//! normalisers in fact do by a test.

use marquee_types::ResourceKind::{
    self, Bucket, ComputeInstance, Database, DatabaseSnapshot, Disk, DnsZone, Image, LoadBalancer, Network,
    PublicIp, ScalingGroup, SecurityGroup, Snapshot, Subnet, TargetGroup,
};

/// By kind, each attribute and the member it comes from.
pub static ATTRIBUTES: &[(ResourceKind, &[(&str, &str)])] = &[
    (
        ComputeInstance,
        &[
            ("architecture", "ResourceSkus: CpuArchitectureType"),
            ("lifecycle", "priority"),
            ("memory_mib", "ResourceSkus: MemoryGB"),
            ("platform", "storageProfile.osDisk.osType"),
            ("private_ip", "NetworkInterfaces: privateIPAddress"),
            ("vcpus", "ResourceSkus: vCPUs"),
        ],
    ),
    (
        Disk,
        &[
            ("encrypted", "always, at rest"),
            ("iops", "diskIOPSReadWrite"),
            ("size_gib", "diskSizeGB"),
            ("throughput_mib_per_second", "diskMBpsReadWrite"),
        ],
    ),
    (Snapshot, &[("encrypted", "always, at rest"), ("size_gib", "diskSizeGB")]),
    (Image, &[("platform", "storageProfile.osDisk.osType")]),
    (Network, &[("cidr", "addressSpace.addressPrefixes: the first")]),
    (Subnet, &[("cidr", "addressPrefix")]),
    (
        SecurityGroup,
        &[
            ("egress_rules", "count of outbound securityRules"),
            ("ingress_rules", "count of inbound securityRules"),
        ],
    ),
    (PublicIp, &[("public_dns", "dnsSettings.fqdn"), ("public_ip", "ipAddress")]),
    (LoadBalancer, &[("scheme", "whether a frontend has a public address")]),
    (TargetGroup, &[("targets", "count of backendIPConfigurations or loadBalancerBackendAddresses")]),
    (
        ScalingGroup,
        &[
            ("desired_size", "sku.capacity"),
            ("memory_mib", "ResourceSkus: MemoryGB"),
            ("vcpus", "ResourceSkus: vCPUs"),
        ],
    ),
    (
        Database,
        &[
            ("backup_retention_days", "backup.backupRetentionDays"),
            ("encrypted", "always, at rest"),
            ("endpoint", "fullyQualifiedDomainName"),
            ("engine", "always postgres"),
            ("engine_version", "version"),
            ("iops", "storage.iops"),
            ("multi_zone", "highAvailability.mode"),
            ("public", "network.publicNetworkAccess"),
            ("size_gib", "storage.storageSizeGB"),
            ("storage_type", "storage.type"),
        ],
    ),
    (DatabaseSnapshot, &[("encrypted", "always, at rest"), ("engine", "always postgres")]),
    (
        Bucket,
        &[
            ("encryption", "encryption.keySource"),
            ("public", "allowBlobPublicAccess"),
            ("unread", "names of refused questions; absent if there are none"),
            ("versioning", "BlobServices: isVersioningEnabled"),
        ],
    ),
    (DnsZone, &[("private", "zoneType"), ("records", "numberOfRecordSets")]),
];

/// Relations by the kind that has them, and where each comes from.
pub static RELATIONS: &[(ResourceKind, &str, ResourceKind, &str)] = &[
    (ComputeInstance, "member_of", Subnet, "NetworkInterfaces: subnet"),
    (ComputeInstance, "member_of", Network, "NetworkInterfaces: subnet"),
    (ComputeInstance, "protected_by", SecurityGroup, "NetworkInterfaces: networkSecurityGroup"),
    (ComputeInstance, "created_from", Image, "storageProfile.imageReference.id"),
    (Disk, "attached_to", ComputeInstance, "managedBy"),
    (Disk, "created_from", Snapshot, "creationData.sourceResourceId"),
    (Snapshot, "created_from", Disk, "creationData.sourceResourceId"),
    (Image, "created_from", Snapshot, "storageProfile.osDisk.snapshot"),
    (Subnet, "member_of", Network, "the id"),
    (Subnet, "protected_by", SecurityGroup, "networkSecurityGroup"),
    (PublicIp, "attached_to", LoadBalancer, "ipConfiguration"),
    (LoadBalancer, "member_of", Subnet, "frontendIPConfigurations"),
    (LoadBalancer, "routes_to", TargetGroup, "backendAddressPools"),
    (ScalingGroup, "member_of", Subnet, "virtualMachineProfile.networkProfile"),
    (Database, "replica_of", Database, "sourceServerResourceId"),
    (Database, "member_of", Subnet, "network.delegatedSubnetResourceId"),
    (DatabaseSnapshot, "created_from", Database, "the id"),
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
