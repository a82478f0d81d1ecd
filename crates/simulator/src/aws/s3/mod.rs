//! S3, in path style: buckets, their settings, and objects that are kept in memory.

mod buckets;
mod objects;
mod settings;

use serde_json::Value;

use super::{
    ask::Ask,
    protocol::Refusal,
    service::{Handler, Row},
};
use crate::estate::{Estate, Thing};

pub(super) use buckets::create as create_bucket;
pub use objects::Upload;

/// Buckets, in no region's listing: names are the whole world's.
pub const BUCKETS: &str = "s3/bucket";
/// Objects; their place is the bucket.
pub const OBJECTS: &str = "s3/object";
/// Where buckets are kept.
pub const GLOBAL: &str = "global";

/// All of S3's operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("CreateBucket", Handler::Write(buckets::create)),
    ("DeleteBucket", Handler::Write(buckets::delete)),
    ("DeleteBucketLifecycle", Handler::Write(settings::delete_lifecycle)),
    ("DeleteBucketTagging", Handler::Write(settings::delete_tagging)),
    ("DeleteObject", Handler::Write(objects::delete)),
    ("GetBucketEncryption", Handler::Read(settings::encryption)),
    ("GetBucketLifecycleConfiguration", Handler::Read(settings::lifecycle)),
    ("GetBucketLocation", Handler::Read(buckets::location)),
    ("GetBucketTagging", Handler::Read(settings::tagging)),
    ("GetBucketVersioning", Handler::Read(settings::versioning)),
    ("GetObject", Handler::Read(objects::get)),
    ("GetPublicAccessBlock", Handler::Read(settings::public_access)),
    ("HeadBucket", Handler::Read(buckets::head)),
    ("HeadObject", Handler::Read(objects::head)),
    ("ListBuckets", Handler::Read(buckets::list)),
    ("ListObjectsV2", Handler::Read(objects::list)),
    ("PutBucketEncryption", Handler::Write(settings::put_encryption)),
    ("PutBucketLifecycleConfiguration", Handler::Write(settings::put_lifecycle)),
    ("PutBucketTagging", Handler::Write(settings::put_tagging)),
    ("PutBucketVersioning", Handler::Write(settings::put_versioning)),
    ("PutObject", Handler::Write(objects::put)),
    ("PutPublicAccessBlock", Handler::Write(settings::put_public_access)),
];

/// The bucket of a request, which must be asked for in its own region.
fn bucket<'e>(ask: &Ask<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let bucket = bucket_anywhere(ask, estate)?;
    let region = bucket.body.get("Region");
    let region = region.as_str().unwrap_or_default();
    if region == ask.place() {
        return Ok(bucket);
    }
    let message = format!(
        "The authorization header is malformed; the region '{}' is wrong; expecting '{region}'",
        ask.place()
    );
    Err(Refusal::new("AuthorizationHeaderMalformed", message)
        .status(400)
        .with("Region", region)
        .header("x-amz-bucket-region", region))
}

/// The bucket of a request, in whatever region.
fn bucket_anywhere<'e>(ask: &Ask<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let name = ask.need("Bucket");
    if ask.text("ExpectedBucketOwner").is_some_and(|owner| owner != ask.owner()) {
        return Err(Refusal::new("AccessDenied", "Access Denied").status(403));
    }
    estate.get(ask.owner(), BUCKETS, GLOBAL, name, ask.now).ok_or_else(|| {
        Refusal::new("NoSuchBucket", "The specified bucket does not exist")
            .status(404)
            .with("BucketName", name)
    })
}

/// Changes the bucket of a request.
fn edit(ask: &Ask<'_>, estate: &mut Estate, change: impl FnOnce(&mut Thing)) -> Result<(), Refusal> {
    let name = bucket(ask, estate)?.id.clone();
    if let Some(bucket) = estate.get_mut(ask.owner(), BUCKETS, GLOBAL, &name, ask.now) {
        change(bucket);
    }
    Ok(())
}

fn nothing() -> Value {
    Value::Null
}
