//! The permission that an operation needs: the service's prefix and the operation's name, but for S3, whose permissions
//! are older than its operations.
//!
//! Source: "Actions, resources, and condition keys" of each service in AWS's service authorization reference.

/// The services whose prefix is not their name.
const PREFIXES: &[(&str, &str)] = &[("elbv2", "elasticloadbalancing"), ("service-quotas", "servicequotas")];

/// Operations whose permission has another name; empty for those that need none.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("s3", "DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("s3", "DeleteBucketTagging", "PutBucketTagging"),
    ("s3", "GetBucketEncryption", "GetEncryptionConfiguration"),
    ("s3", "GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("s3", "GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("s3", "HeadBucket", "ListBucket"),
    ("s3", "HeadObject", "GetObject"),
    ("s3", "ListBuckets", "ListAllMyBuckets"),
    ("s3", "ListObjectsV2", "ListBucket"),
    ("s3", "PutBucketEncryption", "PutEncryptionConfiguration"),
    ("s3", "PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("s3", "PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("sts", "GetCallerIdentity", ""),
];

/// The permission that an operation needs: `s3:ListAllMyBuckets`; empty for none.
pub fn of(service: &str, operation: &str) -> String {
    let other = OTHERWISE.iter().find(|(of, name, _)| (*of, *name) == (service, operation));
    let name = other.map_or(operation, |(_, _, permission)| permission);
    let prefix = PREFIXES.iter().find(|(of, _)| *of == service).map_or(service, |(_, prefix)| prefix);
    if name.is_empty() { String::new() } else { format!("{prefix}:{name}") }
}

#[cfg(test)]
mod tests {
    use super::{OTHERWISE, of};
    use crate::{Face as _, aws::Aws};

    #[test]
    fn the_table_names_operations_that_there_are() {
        let routes = Aws::new().routes();
        for (service, operation, _) in OTHERWISE {
            assert!(routes.contains(&format!("{service}:{operation}")), "{service}:{operation}");
        }
    }

    #[test]
    fn an_operation_names_its_permission() {
        assert_eq!(of("ec2", "DescribeVpcs"), "ec2:DescribeVpcs");
        assert_eq!(of("elbv2", "DescribeTags"), "elasticloadbalancing:DescribeTags");
        assert_eq!(of("s3", "ListBuckets"), "s3:ListAllMyBuckets");
        assert_eq!(of("sts", "GetCallerIdentity"), "");
    }
}
