//! The permissions this adapter calls for, what each is for, and how to find out whether it is there.
//!
//! The least-privilege policy in `docs/guides/connect-aws.md` is this table.

use marquee_clouds::{
    Capabilities, PermissionNeed,
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
    fn the_inventory_needs_no_permission_of_objects() {
        assert!(OBJECT_PERMISSIONS.is_sorted_by(|a, b| a.permission < b.permission));
        let shared =
            |need: &&PermissionNeed| NEEDS.iter().any(|known| known.need.permission == need.permission);
        assert_eq!(OBJECT_PERMISSIONS.iter().find(shared), None);
    }
}
