//! The permissions this adapter calls for, what each is for, and how to find out whether it is there.
//!
//! The least-privilege policy in `docs/guides/connect-aws.md` is this table.

use marquee_clouds::{
    Capabilities, PermissionGroup, PermissionNeed,
    layers::{Allowance, RateLimit},
};
use marquee_types::ResourceKind;

use crate::{
    changes::abilities::ABILITIES,
    query::{AUTOSCALING, Api, ELB, IAM, RDS},
};

/// What AWS offers Marquee.
pub static CAPABILITIES: Capabilities = Capabilities {
    cloud: "aws",
    inventory: ResourceKind::ALL,
    permissions: &PERMISSIONS,
    abilities: ABILITIES,
    rate_limits: RATE_LIMITS,
};

/// How often an account may ask, where AWS documents it: EC2 by region and action, load balancers by region, Route 53 by
/// account. These are for reads; what changes is rare.
const RATE_LIMITS: &[RateLimit] = &[
    RateLimit {
        service: "ec2",
        by_region: true,
        by_operation: true,
        allowance: Allowance::Bucket { tokens: 100, per_second: 20.0 },
    },
    RateLimit {
        service: "elasticloadbalancing",
        by_region: true,
        by_operation: false,
        allowance: Allowance::Bucket { tokens: 40, per_second: 10.0 },
    },
    RateLimit {
        service: "route53",
        by_region: false,
        by_operation: false,
        allowance: Allowance::Bucket { tokens: 50, per_second: 10.0 },
    },
];

/// One permission, and the harmless call that shows whether it is there.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    pub need: PermissionNeed,
    pub probe: Probe,
}

/// A harmless call.
#[derive(Debug, Clone, Copy)]
pub enum Probe {
    /// EC2's own way: it says whether it would have done it.
    DryRun { action: &'static str },
    /// A read of the smallest page. `{partition}`, `{region}` and `{account}` are filled in; asking for what does
    /// not exist shows the permission too.
    Read { api: &'static Api, action: &'static str, params: &'static [(&'static str, &'static str)] },
    /// Lists the first bucket.
    Buckets,
    /// Reads something of the first bucket.
    Bucket(BucketPart),
    /// Lists the first zone.
    Zones,
    /// Reads the first zone.
    Zone,
    /// Reads the tags of the first zone.
    ZoneTags,
}

/// What is read of a bucket.
#[derive(Debug, Clone, Copy)]
pub enum BucketPart {
    Location,
    Versioning,
    Encryption,
    Tagging,
}

/// A target group that no one has: its name has an id of its own.
const NO_TARGET_GROUP: &str =
    "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/marquee-probe/0123456789abcdef";

/// All of them.
pub const NEEDS: &[Need] = &[
    dry("ec2:DescribeRegions", "DescribeRegions", "discovery of regions"),
    dry("ec2:DescribeInstances", "DescribeInstances", "inventory of instances"),
    dry("ec2:DescribeInstanceTypes", "DescribeInstanceTypes", "vCPUs and memory of instances"),
    dry("ec2:DescribeVolumes", "DescribeVolumes", "inventory of disks"),
    dry("ec2:DescribeSnapshots", "DescribeSnapshots", "inventory of disk snapshots"),
    dry("ec2:DescribeImages", "DescribeImages", "inventory of images"),
    dry("ec2:DescribeVpcs", "DescribeVpcs", "inventory of networks"),
    dry("ec2:DescribeSubnets", "DescribeSubnets", "inventory of subnets"),
    dry("ec2:DescribeSecurityGroups", "DescribeSecurityGroups", "inventory of security groups"),
    dry("ec2:DescribeAddresses", "DescribeAddresses", "inventory of public addresses"),
    read(
        "elasticloadbalancing:DescribeLoadBalancers",
        "inventory of load balancers",
        &ELB,
        "DescribeLoadBalancers",
        &[("PageSize", "1")],
    ),
    read(
        "elasticloadbalancing:DescribeTargetGroups",
        "inventory of target groups",
        &ELB,
        "DescribeTargetGroups",
        &[("PageSize", "1")],
    ),
    read(
        "elasticloadbalancing:DescribeTargetHealth",
        "targets of target groups",
        &ELB,
        "DescribeTargetHealth",
        &[("TargetGroupArn", NO_TARGET_GROUP)],
    ),
    read(
        "elasticloadbalancing:DescribeTags",
        "tags of load balancers and target groups",
        &ELB,
        "DescribeTags",
        &[("ResourceArns.member.1", NO_TARGET_GROUP)],
    ),
    read(
        "autoscaling:DescribeAutoScalingGroups",
        "inventory of scaling groups",
        &AUTOSCALING,
        "DescribeAutoScalingGroups",
        &[("MaxRecords", "1")],
    ),
    read(
        "rds:DescribeDBInstances",
        "inventory of databases",
        &RDS,
        "DescribeDBInstances",
        &[("MaxRecords", "20")],
    ),
    read(
        "rds:DescribeDBClusters",
        "inventory of database clusters",
        &RDS,
        "DescribeDBClusters",
        &[("MaxRecords", "20")],
    ),
    read(
        "rds:DescribeDBSnapshots",
        "inventory of database snapshots",
        &RDS,
        "DescribeDBSnapshots",
        &[("MaxRecords", "20")],
    ),
    read(
        "rds:DescribeDBClusterSnapshots",
        "inventory of snapshots of database clusters",
        &RDS,
        "DescribeDBClusterSnapshots",
        &[("MaxRecords", "20")],
    ),
    need("s3:ListAllMyBuckets", "inventory of buckets", Probe::Buckets),
    need("s3:GetBucketLocation", "regions of buckets", Probe::Bucket(BucketPart::Location)),
    need("s3:GetBucketVersioning", "versioning of buckets", Probe::Bucket(BucketPart::Versioning)),
    need("s3:GetEncryptionConfiguration", "encryption of buckets", Probe::Bucket(BucketPart::Encryption)),
    need("s3:GetBucketTagging", "tags of buckets", Probe::Bucket(BucketPart::Tagging)),
    need("route53:ListHostedZones", "inventory of DNS zones", Probe::Zones),
    need("route53:GetHostedZone", "networks of private DNS zones", Probe::Zone),
    need("route53:ListTagsForResources", "tags of DNS zones", Probe::ZoneTags),
    read("iam:ListAccountAliases", "the account's name for people", &IAM, "ListAccountAliases", &[]),
];

/// What objects in buckets need besides, each for the buckets that are meant for it alone. No part of the inventory, nor
/// of the policy that only reads.
pub const OBJECT_PERMISSIONS: &[PermissionNeed] = &[
    PermissionNeed { permission: "s3:DeleteObject", feature: "objects in buckets: deleting" },
    PermissionNeed {
        permission: "s3:GetObject",
        feature: "objects in buckets: reading, deleting under a condition, and finding out about a lost answer",
    },
    PermissionNeed {
        permission: "s3:ListBucket",
        feature: "objects in buckets: listing, and telling a missing object from a forbidden one",
    },
    PermissionNeed { permission: "s3:PutObject", feature: "objects in buckets: writing" },
];

/// The group of [`CHANGE_PERMISSIONS`].
pub const CHANGES: PermissionGroup = PermissionGroup {
    name: "changes",
    about: "changing what exists: making, resizing, stopping and deleting it",
    permissions: CHANGE_PERMISSIONS,
};

/// What choosing sizes needs besides the inventory: prices, zones and quotas.
pub const OFFERS: PermissionGroup = PermissionGroup {
    name: "offers",
    about: "choosing sizes: what can be had where, what it costs, and what quotas leave",
    permissions: &[
        PermissionNeed {
            permission: "ec2:DescribeInstanceTypeOfferings",
            feature: "offers: the zones that have an instance type",
        },
        PermissionNeed {
            permission: "pricing:GetProducts",
            feature: "offers: prices, and classes of databases",
        },
        PermissionNeed { permission: "servicequotas:ListServiceQuotas", feature: "offers: quotas" },
    ],
};

/// What changing things needs besides the inventory. Two are left out that a policy for everything must not have: whoever gives
/// an instance a profile needs `iam:PassRole` for its role, and an account's first scaling group and first database need
/// `iam:CreateServiceLinkedRole`.
pub const CHANGE_PERMISSIONS: &[PermissionNeed] = &[
    change("autoscaling:CreateAutoScalingGroup", "changes: scaling groups: making"),
    change("autoscaling:CreateOrUpdateTags", "changes: scaling groups: tags"),
    change("autoscaling:DeleteAutoScalingGroup", "changes: scaling groups: deleting"),
    change("autoscaling:DeleteTags", "changes: scaling groups: tags"),
    change(
        "autoscaling:DescribeScalingActivities",
        "changes: scaling groups: why an instance could not be launched",
    ),
    change("autoscaling:UpdateAutoScalingGroup", "changes: scaling groups: sizes"),
    change("ec2:AttachVolume", "changes: disks: attaching and detaching"),
    change("ec2:CreateImage", "changes: images: making"),
    change("ec2:CreateLaunchTemplate", "changes: scaling groups: what they launch"),
    change("ec2:CreateSnapshot", "changes: disks: snapshots"),
    change("ec2:CreateTags", "changes: tags of what is made, and setting tags"),
    change("ec2:CreateVolume", "changes: disks: making"),
    change("ec2:DeleteLaunchTemplate", "changes: scaling groups: what they launch"),
    change("ec2:DeleteSnapshot", "changes: snapshots and images: deleting"),
    change("ec2:DeleteTags", "changes: tags: removing"),
    change("ec2:DeleteVolume", "changes: disks: deleting"),
    change("ec2:DeregisterImage", "changes: images: deleting"),
    change("ec2:DescribeLaunchTemplates", "changes: scaling groups: what they launch"),
    change("ec2:DescribeVolumesModifications", "changes: disks: how far a change of size is"),
    change("ec2:DetachVolume", "changes: disks: attaching and detaching"),
    change("ec2:ModifyInstanceAttribute", "changes: instances: size"),
    change("ec2:ModifyVolume", "changes: disks: size"),
    change("ec2:RebootInstances", "changes: instances: restarting"),
    change("ec2:RunInstances", "changes: instances and scaling groups: making"),
    change("ec2:StartInstances", "changes: instances: starting"),
    change("ec2:StopInstances", "changes: instances: stopping"),
    change("ec2:TerminateInstances", "changes: instances: terminating"),
    change("elasticloadbalancing:AddTags", "changes: load balancers and target groups: tags"),
    change("elasticloadbalancing:DeregisterTargets", "changes: target groups: instances"),
    change("elasticloadbalancing:RegisterTargets", "changes: target groups: instances"),
    change("elasticloadbalancing:RemoveTags", "changes: load balancers and target groups: tags"),
    change("kms:DescribeKey", "changes: databases: the key that keeps the administrator's password"),
    change("rds:AddTagsToResource", "changes: tags of what is made, and setting tags"),
    change("rds:CreateDBInstance", "changes: databases: making"),
    change("rds:CreateDBInstanceReadReplica", "changes: databases: replicas"),
    change("rds:CreateDBSnapshot", "changes: databases: snapshots"),
    change("rds:DeleteDBInstance", "changes: databases: deleting"),
    change("rds:DeleteDBSnapshot", "changes: snapshots of databases: deleting"),
    change("rds:ModifyDBInstance", "changes: databases: size"),
    change("rds:PromoteReadReplica", "changes: databases: promoting replicas"),
    change("rds:RemoveTagsFromResource", "changes: tags: removing"),
    change("rds:RestoreDBInstanceFromDBSnapshot", "changes: databases: restoring a snapshot"),
    change("rds:RestoreDBInstanceToPointInTime", "changes: databases: restoring to a time"),
    change("rds:StartDBInstance", "changes: databases: starting"),
    change("rds:StopDBInstance", "changes: databases: stopping"),
    change("route53:ChangeResourceRecordSets", "changes: DNS zones: records"),
    change("route53:ChangeTagsForResource", "changes: DNS zones: tags"),
    change("route53:GetChange", "changes: DNS zones: how far a change of records is"),
    change("route53:ListResourceRecordSets", "changes: DNS zones: what a change of records replaces"),
    change("s3:CreateBucket", "changes: buckets: making"),
    change("s3:DeleteBucket", "changes: buckets: deleting"),
    change("s3:GetBucketPublicAccessBlock", "changes: buckets: refusing public access"),
    change("s3:GetLifecycleConfiguration", "changes: buckets: rules by which objects expire"),
    change("s3:PutBucketPublicAccessBlock", "changes: buckets: refusing public access"),
    change("s3:PutBucketTagging", "changes: buckets: tags"),
    change("s3:PutBucketVersioning", "changes: buckets: versions"),
    change("s3:PutEncryptionConfiguration", "changes: buckets: keys"),
    change("s3:PutLifecycleConfiguration", "changes: buckets: rules by which objects expire"),
    change("s3:TagResource", "changes: buckets: tags of what is made"),
    change(
        "secretsmanager:CreateSecret",
        "changes: databases: the administrator's password, which RDS makes and keeps",
    ),
    change(
        "secretsmanager:TagResource",
        "changes: databases: the administrator's password, which RDS makes and keeps",
    ),
];

const fn change(permission: &'static str, feature: &'static str) -> PermissionNeed {
    PermissionNeed { permission, feature }
}

static PERMISSIONS: [PermissionNeed; NEEDS.len()] = {
    let mut permissions = [PermissionNeed { permission: "", feature: "" }; NEEDS.len()];
    let mut index = 0;
    while index < NEEDS.len() {
        permissions[index] = NEEDS[index].need;
        index += 1;
    }
    permissions
};

const fn need(permission: &'static str, feature: &'static str, probe: Probe) -> Need {
    Need { need: PermissionNeed { permission, feature }, probe }
}

const fn dry(permission: &'static str, action: &'static str, feature: &'static str) -> Need {
    need(permission, feature, Probe::DryRun { action })
}

const fn read(
    permission: &'static str,
    feature: &'static str,
    api: &'static Api,
    action: &'static str,
    params: &'static [(&'static str, &'static str)],
) -> Need {
    need(permission, feature, Probe::Read { api, action, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_need_what_nothing_else_does() {
        assert!(CHANGE_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        let shared = |need: &&PermissionNeed| {
            let reads = NEEDS.iter().map(|known| known.need.permission);
            reads
                .chain(OBJECT_PERMISSIONS.iter().map(|known| known.permission))
                .any(|it| it == need.permission)
        };
        assert_eq!(CHANGE_PERMISSIONS.iter().find(shared), None);
    }

    #[test]
    fn the_inventory_needs_no_permission_of_objects() {
        assert!(OBJECT_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        let shared =
            |need: &&PermissionNeed| NEEDS.iter().any(|known| known.need.permission == need.permission);
        assert_eq!(OBJECT_PERMISSIONS.iter().find(shared), None);
    }
}
