//! What the emulator gets wrong, as far as it touches the inventory: data for the conformance suite, printed in
//! `docs/clouds.md`. The adapter knows nothing of it.

use marquee_clouds::conformance::Gap;

/// moto 5.2 with authentication on. The conformance suite needs none of these declared against a check; they are
/// here so that no one takes what moto does for what AWS does.
pub static MOTO: &[Gap] = &[
    gap(
        "route53/zones",
        "verifies a GET as if its query were its body and so refuses it with \
        `SignatureDoesNotMatch`, AWS's own clients' too; `scripts/testbed/moto` corrects that function in memory",
    ),
    gap("s3/buckets", "answers GetBucketVersioning with a root of another name"),
    gap("s3/buckets", "with `MaxBuckets` leaves out the rest and gives no token"),
    gap("s3/buckets", "asks for `s3:ListBucket` where AWS asks for `s3:GetEncryptionConfiguration`"),
    gap("ec2/instances", "counts `MaxResults` in reservations, not in instances"),
    gap("ec2/volumes", "never pages"),
    gap("ec2/snapshots", "never pages, and takes the snapshots of AWS's public images for the account's own"),
    gap("ec2/instances", "has no states between: an instance is running or stopped at once"),
    gap("sts", "wraps errors as `ErrorResponse/Errors/Error`, a mixture of EC2's shape and the others'"),
    gap("all", "throttles no one, and answers slowly: nothing about speed can be measured against it"),
];

/// What moto gets wrong of changes: the suite leaves those actions out.
pub static MOTO_CHANGES: &[Gap] = &[
    action("an_instance_lives", "resize_instance", "gives a running instance another size"),
    action(
        "",
        "create_instance",
        "wants a size for each disk that a launch names, where AWS takes the image's, and forgets `ClientToken`",
    ),
    action("", "start_instance", "starts what was terminated: `what_is_not_there_is_not_found` is left out"),
    action("an_image_is_made", "create_image", "breaks (500) over tags for the snapshots of an image"),
    action("", "create_bucket", "forgets the tags that a bucket is made with: `a_bucket_lives` is left out"),
    action("a_database_is_restored", "promote_replica", "a replica is still one after its promotion"),
    action(
        "",
        "deregister_target",
        "refuses a target that is not registered, where AWS returns successfully: `targets_are_registered` is left out",
    ),
];

const fn action(check: &'static str, scope: &'static str, what: &'static str) -> Gap {
    Gap { check, scope, what }
}

const fn gap(scope: &'static str, what: &'static str) -> Gap {
    Gap { check: "", scope, what }
}
