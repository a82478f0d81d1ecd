//! What S3 lists: buckets, each with its region, versioning, encryption and tags, through the official crate.
//!
//! A bucket's own policy may refuse one of the questions to an account that may ask them of all others. Such a
//! bucket is listed without the answer and says so (`unread`); what fails for any other reason fails the listing,
//! after the other buckets have been handed on.

use std::sync::Arc;

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, IdentityCache, Region},
    error::SdkError,
    operation::get_bucket_versioning::{GetBucketVersioningError, GetBucketVersioningOutput},
    types::{Bucket, BucketLocationConstraint, BucketVersioningStatus, MfaDeleteStatus},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use chrono::{DateTime, Utc};
use futures::{FutureExt as _, StreamExt as _, stream};
use marquee_clouds::{CloudError, ErrorKind, Observed, Page, PageSink, RawJson, layers::Tally};
use marquee_types::ResourceKind;
use serde_json::{Map, Value, json};

use crate::{
    cloud::Aws,
    error::CLOUD,
    inventory::{draft::Draft, listing::take},
    partition::{Arn, Partition, Place},
    transport::{SdkCaller, endpoint_text, no_retries, sleep_impl, timeouts},
    xml::read_whole,
};

/// AWS pages buckets by up to 10,000; this many keeps a page small.
const BUCKETS_PER_PAGE: i32 = 1000;
/// So many buckets are asked for their details at the same time.
const DETAILS_AT_ONCE: usize = 8;

/// A part of a bucket that its policy may refuse, or `Gone` with the bucket.
enum Part<T> {
    Read(T),
    Refused,
    Gone,
}

impl Aws {
    /// Lists all buckets of the account.
    pub(super) async fn list_buckets(&self, sink: &mut dyn PageSink) -> Result<(), CloudError> {
        let caller = self.sdk_caller();
        let mut token = None;
        let mut failed = None;
        loop {
            let (buckets, next) = self.bucket_page(&caller, None, token).await?;
            let details: Vec<_> =
                buckets.into_iter().map(|bucket| self.observe_bucket(&caller, bucket).boxed()).collect();
            let observed: Vec<_> = stream::iter(details).buffered(DETAILS_AT_ONCE).collect().await;
            let mut resources = Vec::with_capacity(observed.len());
            for result in observed {
                match result {
                    Ok(bucket) => resources.extend(bucket),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            take(sink, Page { resources, throttled: caller.tally.take_throttled() }).await?;
            token = next;
            if token.is_none() {
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// Looks a bucket up by its ARN.
    pub(super) async fn get_bucket(&self, native_id: &str) -> Result<Option<Observed>, CloudError> {
        let name = Arn::parse(native_id).filter(|arn| arn.service == "s3").map(|arn| arn.resource);
        let Some(name) = name else {
            let message = format!("{native_id} is not the ARN of a bucket");
            return Err(CloudError::new(CLOUD, "s3:ListBuckets", ErrorKind::Invalid, message));
        };
        let caller = self.sdk_caller();
        let mut token = None;
        loop {
            let (buckets, next) = self.bucket_page(&caller, Some(name), token).await?;
            if let Some(bucket) = buckets.into_iter().find(|bucket| bucket.name() == Some(name)) {
                return Box::pin(self.observe_bucket(&caller, bucket)).await;
            }
            token = next;
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    async fn bucket_page(
        &self,
        caller: &SdkCaller,
        prefix: Option<&str>,
        token: Option<String>,
    ) -> Result<(Vec<Bucket>, Option<String>), CloudError> {
        let client = self.s3(self.config.home_region());
        let answer = caller
            .call("s3", "ListBuckets", None, || {
                let call = client.list_buckets().max_buckets(BUCKETS_PER_PAGE);
                call.set_prefix(prefix.map(str::to_owned)).set_continuation_token(token.clone()).send()
            })
            .await?;
        Ok((answer.buckets.unwrap_or_default(), answer.continuation_token.filter(|token| !token.is_empty())))
    }

    /// A bucket with its details; `None` if it went away meanwhile.
    async fn observe_bucket(
        &self,
        caller: &SdkCaller,
        bucket: Bucket,
    ) -> Result<Option<Observed>, CloudError> {
        let Some(name) = bucket.name().map(str::to_owned) else { return Ok(None) };
        let region = match bucket.bucket_region() {
            Some(region) => Part::Read(region.to_owned()),
            None => self.bucket_region(caller, &name).await?,
        };
        let mut unread = Vec::new();
        let region = match region {
            Part::Read(region) => region,
            Part::Refused => {
                unread.push("region");
                self.config.home_region().to_owned()
            }
            Part::Gone => return Ok(None),
        };
        let client = self.s3(&region);
        let (versioning, encryption, tags) = futures::try_join!(
            versioning(caller, &client, &name, &region),
            encryption(caller, &client, &name, &region),
            bucket_tags(caller, &client, &name, &region),
        )?;
        let place = Place { partition: Partition::of_region(&region), region: &region, account: "" };
        let arn = format!("arn:{}:s3:::{name}", place.partition.id);
        let mut draft = Draft::new(ResourceKind::Bucket, arn, &name, &place);
        let created =
            bucket.creation_date().and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos()));
        draft.0.created_at = created;
        let mut raw =
            Map::from_iter([("Name".to_owned(), json!(name)), ("BucketRegion".to_owned(), json!(region))]);
        raw.extend(created.map(|at: DateTime<Utc>| ("CreationDate".to_owned(), json!(at))));
        for (what, part) in [("versioning", versioning), ("encryption", encryption)] {
            match part {
                Part::Read((word, told)) => {
                    draft.set(what, word);
                    raw.extend(told);
                }
                Part::Refused => unread.push(what),
                Part::Gone => return Ok(None),
            }
        }
        match tags {
            Part::Read(tags) => draft.0.tags = tags,
            Part::Refused => unread.push("tags"),
            Part::Gone => return Ok(None),
        }
        if !unread.is_empty() {
            draft.set("unread", unread);
        }
        Ok(Some(draft.finish(RawJson::from(&Value::Object(raw)))))
    }

    /// Where a bucket is, for answers that do not say.
    async fn bucket_region(&self, caller: &SdkCaller, name: &str) -> Result<Part<String>, CloudError> {
        let client = self.s3(self.config.home_region());
        let answer = caller
            .call("s3", "GetBucketLocation", None, || client.get_bucket_location().bucket(name).send())
            .await;
        part(answer.map(|answer| match answer.location_constraint() {
            // The partition's first region has no name here.
            None => first(self.config.home_region()),
            Some(region) if region.as_str().is_empty() => first(self.config.home_region()),
            Some(BucketLocationConstraint::Eu) => "eu-west-1".to_owned(),
            Some(region) => region.as_str().to_owned(),
        }))
    }

    /// A client of the official crate for one region.
    pub(crate) fn s3(&self, region: &str) -> Client {
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(self.keys.clone())
            .identity_cache(IdentityCache::no_cache())
            .http_client(self.transport.sdk_http.clone())
            .time_source(self.transport.time_source())
            .sleep_impl(sleep_impl())
            .timeout_config(timeouts())
            .retry_config(no_retries());
        if let Some(endpoint) = &self.config.settings.endpoint {
            // Names of buckets are no hosts there.
            config = config.endpoint_url(endpoint_text(endpoint)).force_path_style(true);
        }
        Client::from_conf(config.build())
    }

    /// Sends calls of the official crates through this connection's layers.
    pub(crate) fn sdk_caller(&self) -> SdkCaller {
        let keys = Some(self.keys.clone());
        SdkCaller { layers: self.layers.clone(), keys, tally: Arc::new(Tally::default()) }
    }
}

/// The first region of the partition that `region` lies in.
fn first(region: &str) -> String {
    Partition::of_region(region).home_region.to_owned()
}

/// A word, and what S3 told.
type Told = (&'static str, Option<(String, Value)>);

async fn versioning(
    caller: &SdkCaller,
    client: &Client,
    name: &str,
    region: &str,
) -> Result<Part<Told>, CloudError> {
    let answer = caller
        .call("s3", "GetBucketVersioning", Some(region), || {
            let sent = Box::pin(client.get_bucket_versioning().bucket(name).send());
            async { sent.await.or_else(reread_versioning) }
        })
        .await;
    part(answer.map(|answer| {
        let word = match answer.status() {
            Some(BucketVersioningStatus::Enabled) => "enabled",
            Some(BucketVersioningStatus::Suspended) => "suspended",
            _ => "disabled",
        };
        let told = json!({ "Status": answer.status().map(BucketVersioningStatus::as_str),
            "MFADelete": answer.mfa_delete().map(|status| status.as_str().to_owned()) });
        (word, Some(("Versioning".to_owned(), told)))
    }))
}

/// The official crate insists on the name of this answer's root; AWS's other clients do not, and neither do we.
#[expect(clippy::result_large_err, reason = "the error is the official crate's own")]
pub fn reread_versioning(
    error: SdkError<GetBucketVersioningError, HttpResponse>,
) -> Result<GetBucketVersioningOutput, SdkError<GetBucketVersioningError, HttpResponse>> {
    let response = error.raw_response().filter(|response| response.status().as_u16() == 200);
    let body = response.and_then(|response| response.body().bytes()).map(<[u8]>::to_vec).unwrap_or_default();
    let Ok(tape) = read_whole(std::str::from_utf8(&body).unwrap_or_default()) else { return Err(error) };
    let Some(root) = tape.root().filter(|root| root.name().contains("Versioning")) else { return Err(error) };
    let versioning = GetBucketVersioningOutput::builder()
        .set_status(root.get("Status").map(BucketVersioningStatus::from))
        .set_mfa_delete(root.get("MfaDelete").map(MfaDeleteStatus::from));
    Ok(versioning.build())
}

async fn encryption(
    caller: &SdkCaller,
    client: &Client,
    name: &str,
    region: &str,
) -> Result<Part<Told>, CloudError> {
    let answer = caller
        .call("s3", "GetBucketEncryption", Some(region), || {
            client.get_bucket_encryption().bucket(name).send()
        })
        .await;
    if answer
        .as_ref()
        .is_err_and(|e| e.code.as_deref() == Some("ServerSideEncryptionConfigurationNotFoundError"))
    {
        return Ok(Part::Read(("none", None)));
    }
    part(answer.map(|answer| {
        let rules: Vec<Value> = answer
            .server_side_encryption_configuration()
            .map(aws_sdk_s3::types::ServerSideEncryptionConfiguration::rules)
            .unwrap_or_default()
            .iter()
            .map(|rule| {
                let default = rule.apply_server_side_encryption_by_default();
                json!({ "SSEAlgorithm": default.map(|d| d.sse_algorithm().as_str().to_owned()),
                    "KMSMasterKeyID": default.and_then(|d| d.kms_master_key_id()),
                    "BucketKeyEnabled": rule.bucket_key_enabled() })
            })
            .collect();
        let word = match rules.first().and_then(|rule| rule["SSEAlgorithm"].as_str()) {
            Some("AES256") => "sse-s3",
            Some("aws:kms") => "sse-kms",
            Some("aws:kms:dsse") => "dsse-kms",
            Some(_) => "other",
            None => "none",
        };
        (word, Some(("Encryption".to_owned(), json!(rules))))
    }))
}

async fn bucket_tags(
    caller: &SdkCaller,
    client: &Client,
    name: &str,
    region: &str,
) -> Result<Part<Vec<(String, String)>>, CloudError> {
    let answer = caller
        .call("s3", "GetBucketTagging", Some(region), || client.get_bucket_tagging().bucket(name).send())
        .await;
    if answer.as_ref().is_err_and(|error| error.code.as_deref() == Some("NoSuchTagSet")) {
        return Ok(Part::Read(Vec::new()));
    }
    part(answer.map(|answer| {
        let pair = |tag: &aws_sdk_s3::types::Tag| (tag.key().to_owned(), tag.value().to_owned());
        let mut tags: Vec<_> = answer.tag_set().iter().map(pair).collect();
        tags.sort_unstable();
        tags
    }))
}

fn part<T>(answer: Result<T, CloudError>) -> Result<Part<T>, CloudError> {
    match answer {
        Ok(value) => Ok(Part::Read(value)),
        Err(error) if error.kind == ErrorKind::PermissionDenied => Ok(Part::Refused),
        Err(error) if error.code.as_deref() == Some("NoSuchBucket") => Ok(Part::Gone),
        Err(error) => Err(error),
    }
}
