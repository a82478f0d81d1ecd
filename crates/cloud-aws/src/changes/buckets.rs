//! Buckets and their settings, by the official crate.
//!
//! S3 takes no tokens, but a name is the whole world's: it is looked for before the call, since in its oldest region S3 answers
//! a second creation with success; tags are given in the call that makes it. Every call names the account that the bucket must
//! be of. New buckets are private and encrypted by S3 itself.

use aws_sdk_s3::{
    Client,
    types::{
        BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
        PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
        ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
    },
};
use marquee_clouds::{
    Action, CloudError, ErrorKind, Observed, Progress, Ticket, Token,
    changes::spec::{BucketSpec, Encryption, PublicAccess, Tags, Versioning},
};
use marquee_types::{ResourceKind, ResourceState};
use serde::Deserialize;

use super::calls::{Calls, carries, done, extensions, invalid, marked, taken, unseen, working};
use crate::transport::SdkCaller;

const KIND: ResourceKind = ResourceKind::Bucket;

/// S3's oldest region, which is meant where none is named, and may not be named.
const NAMELESS: &str = "us-east-1";

/// What only AWS has: nothing yet.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Extensions {}

/// The way to one bucket.
pub struct Bucket<'a> {
    pub client: Client,
    pub caller: SdkCaller,
    pub name: &'a str,
    pub owner: &'a str,
    pub region: &'a str,
}

impl<'a> Bucket<'a> {
    /// That of an id.
    pub fn of(calls: &'a Calls<'_>, native_id: &'a str) -> Result<Self, CloudError> {
        Ok(Self::named(calls, calls.id(KIND, native_id)?))
    }

    fn named(calls: &'a Calls<'_>, name: &'a str) -> Self {
        let (client, caller) = (calls.aws.s3(calls.region), calls.aws.sdk_caller());
        Self { client, caller, name, owner: calls.account(), region: calls.region }
    }
}

fn arn(calls: &Calls<'_>, name: &str) -> String {
    format!("arn:{}:s3:::{name}", calls.place().partition.id)
}

/// Makes a bucket.
pub async fn create(calls: &Calls<'_>, spec: &BucketSpec, token: &Token) -> Result<Ticket, CloudError> {
    let Extensions {} = extensions(&spec.extensions)?;
    if spec.name.is_empty() {
        return Err(invalid("/name: a bucket needs a name"));
    }
    let arn = arn(calls, &spec.name);
    let ours = match calls.see(KIND, &arn).await? {
        Some(found) if carries(&found, token) => true,
        Some(_) => return Err(taken(&arn)),
        None => false,
    };
    let bucket = Bucket::named(calls, &spec.name);
    if !ours {
        match make(&bucket, marked(&spec.tags, None, token)?).await {
            Err(error) if error.code.as_deref() == Some("BucketAlreadyOwnedByYou") => {
                match calls.see(KIND, &arn).await? {
                    Some(found) if carries(&found, token) => {}
                    Some(_) => return Err(taken(&arn)),
                    None => return Err(unseen(&arn)),
                }
            }
            made => made?,
        }
    }
    if spec.versioning {
        put_versioning(&bucket, true).await?;
    }
    Ok(Ticket::of(arn))
}

async fn make(bucket: &Bucket<'_>, tags: Vec<(String, String)>) -> Result<(), CloudError> {
    let mut configuration = CreateBucketConfiguration::builder().set_tags(Some(sdk_tags(tags)?));
    if bucket.region != NAMELESS {
        configuration = configuration.location_constraint(BucketLocationConstraint::from(bucket.region));
    }
    let configuration = configuration.build();
    bucket
        .caller
        .call("s3", "CreateBucket", Some(bucket.region), || {
            let call = bucket.client.create_bucket().bucket(bucket.name);
            call.create_bucket_configuration(configuration.clone()).send()
        })
        .await?;
    Ok(())
}

fn sdk_tags(tags: Vec<(String, String)>) -> Result<Vec<Tag>, CloudError> {
    let tag = |(key, value): (String, String)| {
        Tag::builder().key(key).value(value).build().map_err(|error| invalid(format!("/tags: {error}")))
    };
    tags.into_iter().map(tag).collect()
}

/// The bucket that a token made.
pub async fn made(calls: &Calls<'_>, name: &str, token: &Token) -> Result<Option<String>, CloudError> {
    if name.is_empty() {
        return Ok(None);
    }
    let arn = arn(calls, name);
    let found = calls.see(KIND, &arn).await?;
    Ok(found.filter(|found| carries(found, token)).map(|_| arn))
}

fn versions(found: &Observed) -> bool {
    found.attributes.get("versioning").is_some_and(|word| word == "enabled")
}

/// Whether a bucket is there, with versions if it is to keep them.
pub async fn look_made(
    calls: &Calls<'_>,
    native_id: &str,
    spec: &BucketSpec,
) -> Result<Progress, CloudError> {
    let found = calls.see(KIND, native_id).await?;
    Ok(match &found {
        Some(bucket) if bucket.state != ResourceState::Deleted && (versions(bucket) || !spec.versioning) => {
            done(native_id)
        }
        other => working(other.as_ref()),
    })
}

/// Keeps former versions, or no longer.
pub async fn set_versioning(
    calls: &Calls<'_>,
    native_id: &str,
    to: Versioning,
) -> Result<Ticket, CloudError> {
    put_versioning(&Bucket::of(calls, native_id)?, to.enabled).await?;
    Ok(Ticket::of(native_id))
}

async fn put_versioning(bucket: &Bucket<'_>, enabled: bool) -> Result<(), CloudError> {
    let status = if enabled { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let configuration = VersioningConfiguration::builder().status(status).build();
    bucket
        .caller
        .call("s3", "PutBucketVersioning", Some(bucket.region), || {
            let call = bucket.client.put_bucket_versioning().bucket(bucket.name);
            call.expected_bucket_owner(bucket.owner).versioning_configuration(configuration.clone()).send()
        })
        .await?;
    Ok(())
}

/// Whether versions are kept, or no longer.
pub async fn look_versioning(
    calls: &Calls<'_>,
    native_id: &str,
    to: Versioning,
) -> Result<Progress, CloudError> {
    calls.turned(KIND, native_id, |found| (versions(found) == to.enabled).then(|| done(native_id))).await
}

/// Says by which key objects are encrypted: one of the account's own, or S3's.
pub async fn set_encryption(
    calls: &Calls<'_>,
    native_id: &str,
    to: &Encryption,
) -> Result<Ticket, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let algorithm =
        if to.key.is_some() { ServerSideEncryption::AwsKms } else { ServerSideEncryption::Aes256 };
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(to.key.clone())
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        // One key a bucket instead of one an object: a hundredth of the calls that are paid for.
        .bucket_key_enabled(to.key.is_some())
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder()
        .rules(rule)
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    bucket
        .caller
        .call("s3", "PutBucketEncryption", Some(bucket.region), || {
            let call = bucket.client.put_bucket_encryption().bucket(bucket.name);
            let call = call.expected_bucket_owner(bucket.owner);
            call.server_side_encryption_configuration(configuration.clone()).send()
        })
        .await?;
    Ok(Ticket::of(native_id))
}

/// By which key objects are encrypted; `None` if it is in a way that a change cannot bring about.
pub async fn encryption(calls: &Calls<'_>, native_id: &str) -> Result<Option<Action>, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let answer = bucket
        .caller
        .call("s3", "GetBucketEncryption", Some(bucket.region), || {
            let call = bucket.client.get_bucket_encryption().bucket(bucket.name);
            call.expected_bucket_owner(bucket.owner).send()
        })
        .await?;
    let rules = answer.server_side_encryption_configuration();
    let Some([rule]) = rules.map(ServerSideEncryptionConfiguration::rules) else { return Ok(None) };
    let Some(default) = rule.apply_server_side_encryption_by_default() else { return Ok(None) };
    let whole = rule.bucket_key_enabled().unwrap_or(false);
    let key = match default.sse_algorithm() {
        ServerSideEncryption::Aes256 => None,
        // S3's own key in KMS has a name too.
        ServerSideEncryption::AwsKms if whole => {
            Some(default.kms_master_key_id().unwrap_or("alias/aws/s3").to_owned())
        }
        _ => return Ok(None),
    };
    Ok(Some(Action::SetEncryption(Encryption { key })))
}

/// Refuses, or no longer refuses, whatever would make objects public.
pub async fn set_public_access(
    calls: &Calls<'_>,
    native_id: &str,
    to: PublicAccess,
) -> Result<Ticket, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let configuration = PublicAccessBlockConfiguration::builder()
        .block_public_acls(to.blocked)
        .ignore_public_acls(to.blocked)
        .block_public_policy(to.blocked)
        .restrict_public_buckets(to.blocked)
        .build();
    bucket
        .caller
        .call("s3", "PutPublicAccessBlock", Some(bucket.region), || {
            let call = bucket.client.put_public_access_block().bucket(bucket.name);
            let call = call.expected_bucket_owner(bucket.owner);
            call.public_access_block_configuration(configuration.clone()).send()
        })
        .await?;
    Ok(Ticket::of(native_id))
}

/// Whether public access is refused; `None` if only some ways to it are.
pub async fn public_access(calls: &Calls<'_>, native_id: &str) -> Result<Option<Action>, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let answer = bucket
        .caller
        .call("s3", "GetPublicAccessBlock", Some(bucket.region), || {
            let call = bucket.client.get_public_access_block().bucket(bucket.name);
            call.expected_bucket_owner(bucket.owner).send()
        })
        .await;
    let found = match answer {
        Ok(answer) => answer.public_access_block_configuration,
        Err(error) if error.code.as_deref() == Some("NoSuchPublicAccessBlockConfiguration") => None,
        Err(error) => return Err(error),
    };
    let of = |told: fn(&PublicAccessBlockConfiguration) -> Option<bool>| {
        found.as_ref().and_then(told).unwrap_or(false)
    };
    let ways = [
        of(PublicAccessBlockConfiguration::block_public_acls),
        of(PublicAccessBlockConfiguration::ignore_public_acls),
        of(PublicAccessBlockConfiguration::block_public_policy),
        of(PublicAccessBlockConfiguration::restrict_public_buckets),
    ];
    let alike = ways.iter().all(|way| *way == ways[0]);
    Ok(alike.then_some(Action::SetPublicAccess(PublicAccess { blocked: ways[0] })))
}

/// Sets and removes tags: S3 replaces all of them at once.
pub async fn set_tags(calls: &Calls<'_>, native_id: &str, tags: &Tags) -> Result<Ticket, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let found = calls.sight(KIND, native_id).await?;
    let mut all: std::collections::BTreeMap<String, String> = found.tags.iter().cloned().collect();
    all.retain(|key, _| !tags.remove.contains(key));
    all.extend(tags.set.clone());
    if all.is_empty() {
        bucket
            .caller
            .call("s3", "DeleteBucketTagging", Some(bucket.region), || {
                let call = bucket.client.delete_bucket_tagging().bucket(bucket.name);
                call.expected_bucket_owner(bucket.owner).send()
            })
            .await?;
        return Ok(Ticket::of(native_id));
    }
    let tagging = Tagging::builder()
        .set_tag_set(Some(sdk_tags(all.into_iter().collect())?))
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    bucket
        .caller
        .call("s3", "PutBucketTagging", Some(bucket.region), || {
            let call = bucket.client.put_bucket_tagging().bucket(bucket.name);
            call.expected_bucket_owner(bucket.owner).tagging(tagging.clone()).send()
        })
        .await?;
    Ok(Ticket::of(native_id))
}

/// Deletes a bucket that is empty; one that is gone is deleted.
pub async fn delete(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let bucket = Bucket::of(calls, native_id)?;
    let answer = bucket
        .caller
        .call("s3", "DeleteBucket", Some(bucket.region), || {
            let call = bucket.client.delete_bucket().bucket(bucket.name);
            call.expected_bucket_owner(bucket.owner).send()
        })
        .await;
    match answer {
        Err(error) if error.kind != ErrorKind::NotFound => Err(error),
        _ => Ok(Ticket::of(native_id)),
    }
}
