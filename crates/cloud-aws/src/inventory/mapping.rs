//! Which of AWS's members each normalised attribute comes from: printed in `docs/clouds.md`, and held against what
//! the normalisers in fact do by a test.

use marquee_types::ResourceKind;

/// By kind, each attribute and the member it comes from. Two kinds of snapshots share a row.
pub static ATTRIBUTES: &[(ResourceKind, &[(&str, &str)])] = &[
    (
        ResourceKind::ComputeInstance,
        &[
            ("architecture", "architecture"),
            ("launched_at", "launchTime"),
            ("lifecycle", "instanceLifecycle"),
            ("memory_mib", "DescribeInstanceTypes: memoryInfo.sizeInMiB"),
            ("platform", "platformDetails"),
            ("private_dns", "privateDnsName"),
            ("private_ip", "privateIpAddress"),
            ("public_dns", "dnsName"),
            ("public_ip", "ipAddress"),
            ("tenancy", "placement.tenancy"),
            ("vcpus", "DescribeInstanceTypes: vCpuInfo.defaultVCpus"),
        ],
    ),
    (
        ResourceKind::Disk,
        &[
            ("encrypted", "encrypted"),
            ("iops", "iops"),
            ("size_gib", "size"),
            ("throughput_mib_per_second", "throughput"),
        ],
    ),
    (
        ResourceKind::Snapshot,
        &[("description", "description"), ("encrypted", "encrypted"), ("size_gib", "volumeSize")],
    ),
    (
        ResourceKind::Image,
        &[
            ("architecture", "architecture"),
            ("description", "description"),
            ("platform", "platformDetails"),
            ("public", "isPublic"),
        ],
    ),
    (ResourceKind::Network, &[("cidr", "cidrBlock"), ("default", "isDefault")]),
    (
        ResourceKind::Subnet,
        &[("cidr", "cidrBlock"), ("default", "defaultForAz"), ("public_ip_on_launch", "mapPublicIpOnLaunch")],
    ),
    (
        ResourceKind::SecurityGroup,
        &[
            ("description", "groupDescription"),
            ("egress_rules", "count of ipPermissionsEgress"),
            ("ingress_rules", "count of ipPermissions"),
        ],
    ),
    (ResourceKind::PublicIp, &[("private_ip", "privateIpAddress"), ("public_ip", "publicIp")]),
    (
        ResourceKind::LoadBalancer,
        &[("ip_address_type", "IpAddressType"), ("public_dns", "DNSName"), ("scheme", "Scheme")],
    ),
    (
        ResourceKind::TargetGroup,
        &[
            ("health_check_path", "HealthCheckPath"),
            ("health_check_protocol", "HealthCheckProtocol"),
            ("port", "Port"),
            ("protocol", "Protocol"),
            ("target_type", "TargetType"),
            ("targets", "DescribeTargetHealth: count"),
        ],
    ),
    (
        ResourceKind::ScalingGroup,
        &[
            ("desired_size", "DesiredCapacity"),
            ("health_check", "HealthCheckType"),
            ("instances", "count of Instances"),
            ("max_size", "MaxSize"),
            ("min_size", "MinSize"),
        ],
    ),
    (
        ResourceKind::Database,
        &[
            ("backup_retention_days", "BackupRetentionPeriod"),
            ("deletion_protection", "DeletionProtection"),
            ("encrypted", "StorageEncrypted"),
            ("endpoint", "Endpoint.Address"),
            ("engine", "Engine"),
            ("engine_version", "EngineVersion"),
            ("iops", "Iops"),
            ("multi_zone", "MultiAZ"),
            ("port", "Endpoint.Port"),
            ("public", "PubliclyAccessible"),
            ("size_gib", "AllocatedStorage"),
            ("storage_type", "StorageType"),
            ("throughput_mib_per_second", "StorageThroughput"),
        ],
    ),
    (
        ResourceKind::DatabaseCluster,
        &[
            ("backup_retention_days", "BackupRetentionPeriod"),
            ("deletion_protection", "DeletionProtection"),
            ("encrypted", "StorageEncrypted"),
            ("endpoint", "Endpoint"),
            ("engine", "Engine"),
            ("engine_mode", "EngineMode"),
            ("engine_version", "EngineVersion"),
            ("iops", "Iops"),
            ("multi_zone", "MultiAZ"),
            ("port", "Port"),
            ("reader_endpoint", "ReaderEndpoint"),
            ("size_gib", "AllocatedStorage"),
            ("storage_type", "StorageType"),
        ],
    ),
    (
        ResourceKind::DatabaseSnapshot,
        &[
            ("encrypted", "Encrypted, of a cluster StorageEncrypted"),
            ("engine", "Engine"),
            ("engine_version", "EngineVersion"),
            ("size_gib", "AllocatedStorage"),
        ],
    ),
    (
        ResourceKind::Bucket,
        &[
            ("encryption", "GetBucketEncryption: the first rule"),
            ("unread", "names of refused questions; absent if there are none"),
            ("versioning", "GetBucketVersioning: Status"),
        ],
    ),
    (ResourceKind::DnsZone, &[("private", "Config.PrivateZone"), ("records", "ResourceRecordSetCount")]),
];

/// Relations by the kind that has them, and where each comes from.
pub static RELATIONS: &[(ResourceKind, &str, ResourceKind, &str)] = &[
    (ResourceKind::ComputeInstance, "member_of", ResourceKind::Subnet, "subnetId"),
    (ResourceKind::ComputeInstance, "member_of", ResourceKind::Network, "vpcId"),
    (ResourceKind::ComputeInstance, "protected_by", ResourceKind::SecurityGroup, "groupSet"),
    (ResourceKind::ComputeInstance, "created_from", ResourceKind::Image, "imageId"),
    (ResourceKind::Disk, "attached_to", ResourceKind::ComputeInstance, "attachmentSet"),
    (ResourceKind::Disk, "created_from", ResourceKind::Snapshot, "snapshotId"),
    (ResourceKind::Snapshot, "created_from", ResourceKind::Disk, "volumeId"),
    (ResourceKind::Image, "created_from", ResourceKind::Snapshot, "blockDeviceMapping"),
    (ResourceKind::Subnet, "member_of", ResourceKind::Network, "vpcId"),
    (ResourceKind::SecurityGroup, "member_of", ResourceKind::Network, "vpcId"),
    (ResourceKind::PublicIp, "attached_to", ResourceKind::ComputeInstance, "instanceId"),
    (ResourceKind::LoadBalancer, "member_of", ResourceKind::Network, "VpcId"),
    (ResourceKind::LoadBalancer, "member_of", ResourceKind::Subnet, "AvailabilityZones"),
    (ResourceKind::LoadBalancer, "protected_by", ResourceKind::SecurityGroup, "SecurityGroups"),
    (
        ResourceKind::LoadBalancer,
        "routes_to",
        ResourceKind::TargetGroup,
        "DescribeTargetGroups: LoadBalancerArns",
    ),
    (ResourceKind::TargetGroup, "member_of", ResourceKind::Network, "VpcId"),
    (
        ResourceKind::TargetGroup,
        "routes_to",
        ResourceKind::ComputeInstance,
        "DescribeTargetHealth: Target.Id",
    ),
    (ResourceKind::TargetGroup, "routes_to", ResourceKind::LoadBalancer, "DescribeTargetHealth: Target.Id"),
    (ResourceKind::ScalingGroup, "member_of", ResourceKind::Subnet, "VPCZoneIdentifier"),
    (ResourceKind::ScalingGroup, "manages", ResourceKind::ComputeInstance, "Instances"),
    (ResourceKind::Database, "member_of", ResourceKind::Network, "DBSubnetGroup.VpcId"),
    (ResourceKind::Database, "member_of", ResourceKind::DatabaseCluster, "DBClusterIdentifier"),
    (ResourceKind::Database, "protected_by", ResourceKind::SecurityGroup, "VpcSecurityGroups"),
    (ResourceKind::Database, "replica_of", ResourceKind::Database, "ReadReplicaSourceDBInstanceIdentifier"),
    (ResourceKind::DatabaseCluster, "protected_by", ResourceKind::SecurityGroup, "VpcSecurityGroups"),
    (
        ResourceKind::DatabaseCluster,
        "replica_of",
        ResourceKind::DatabaseCluster,
        "ReplicationSourceIdentifier",
    ),
    (ResourceKind::DatabaseSnapshot, "created_from", ResourceKind::Database, "DBInstanceIdentifier"),
    (ResourceKind::DatabaseSnapshot, "created_from", ResourceKind::DatabaseCluster, "DBClusterIdentifier"),
    (ResourceKind::DatabaseSnapshot, "member_of", ResourceKind::Network, "VpcId"),
    (ResourceKind::DnsZone, "member_of", ResourceKind::Network, "GetHostedZone: VPCs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row() {
        assert!(ATTRIBUTES.iter().map(|(kind, _)| *kind).eq(ResourceKind::ALL.iter().copied()));
        assert!(ATTRIBUTES.iter().all(|(_, attributes)| attributes.is_sorted()));
    }
}
