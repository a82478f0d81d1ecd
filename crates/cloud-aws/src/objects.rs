//! Objects in S3, by the official crate: it signs what it sends and checks the sums of what it reads.
//!
//! S3 tells a missing object from a missing bucket only where the answer has a body, which that of a HEAD has not: then
//! the bucket is asked for.

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectOutput, put_object::PutObjectError},
    primitives::ByteStream,
    types::EncodingType,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use marquee_clouds::{
    CloudError, ErrorKind, Objects,
    objects::{
        Bucket, Condition, Doubt, ETag, Get, Head, LARGEST, Listed, Object, ObjectPage, ObjectSink, Put,
        Query, check_key, settle_delete, walk,
    },
};
use percent_encoding::percent_decode_str;

use crate::{cloud::Aws, error::CLOUD, partition::Arn, transport::sdk_error};

/// The service, which names the throttle.
const S3: &str = "s3";

impl Aws {
    /// A client for a bucket's region, the bucket's name, and the account that owns it. Names of buckets are the whole
    /// world's: one that was deleted may be somebody else's by now, and is then refused.
    async fn in_bucket<'a>(&self, bucket: &'a Bucket) -> Result<(Client, &'a str, String), CloudError> {
        let wrong = |why: &str| {
            let message = format!("{}: {why}", bucket.native_id);
            Err(CloudError::new(CLOUD, "s3:Bucket", ErrorKind::Invalid, message))
        };
        if bucket.container.is_some() {
            return wrong("buckets of S3 have no containers");
        }
        let arn = Arn::parse(&bucket.native_id).filter(|arn| arn.service == S3);
        let name = arn.map(|arn| arn.resource).filter(|name| is_bucket_name(name));
        match name {
            Some(name) => Ok((self.s3(&bucket.region), name, Box::pin(self.account()).await?)),
            None => wrong("not the ARN of a bucket"),
        }
    }

    /// An error if there is no such bucket: asked where a HEAD found nothing.
    async fn bucket_is_there(&self, bucket: &Bucket) -> Result<(), CloudError> {
        let (client, name, owner) = self.in_bucket(bucket).await?;
        let ask = || {
            let call = client.head_bucket().bucket(name).expected_bucket_owner(&owner);
            async move { or_none("HeadBucket", call.send().await) }
        };
        let asked = self.sdk_caller().call_whole(S3, "HeadBucket", Some(&bucket.region), ask).await?;
        asked.map(drop).ok_or_else(|| {
            CloudError::new(CLOUD, "s3:HeadBucket", ErrorKind::NotFound, "there is no such bucket")
                .in_region(&bucket.region)
        })
    }
}

#[async_trait]
impl Objects for Aws {
    async fn containers(&self, _: &Bucket) -> Result<Option<Vec<String>>, CloudError> {
        Ok(None)
    }

    async fn put(&self, bucket: &Bucket, key: &str, put: &Put) -> Result<ETag, CloudError> {
        put.check(CLOUD, key)?;
        let (client, name, owner) = self.in_bucket(bucket).await?;
        let (if_match, if_none_match) = match &put.only_if {
            Condition::Any => (None, None),
            Condition::Absent => (None, Some("*".to_owned())),
            Condition::Matches(tag) => (Some(tag.0.clone()), None),
        };
        let (doubt, conditional) = (&Doubt::default(), if_match.is_some());
        let send = || {
            let call = client
                .put_object()
                .bucket(name)
                .expected_bucket_owner(&owner)
                .key(key)
                .content_type(&put.content_type);
            let call = call.set_if_match(if_match.clone()).set_if_none_match(if_none_match.clone());
            let metadata = put.metadata.clone().into_iter().collect();
            let call = call.set_metadata(Some(metadata)).body(ByteStream::from(put.bytes.clone()));
            let sent = Box::pin(call.send());
            doubt.attempt(async move {
                let written = sent.await.map_err(|error| not_written(conditional, error))?;
                written
                    .e_tag
                    .map(ETag)
                    .ok_or_else(|| wrong("PutObject", "an object was written, and has no tag"))
            })
        };
        let region = Some(bucket.region.as_str());
        let written = self.sdk_caller().call_whole(S3, "PutObject", region, send).await;
        doubt.settle(self, bucket, key, put, written).await
    }

    async fn get(&self, bucket: &Bucket, key: &str, get: &Get) -> Result<Option<Object>, CloudError> {
        get.check(CLOUD, key)?;
        let (client, name, owner) = self.in_bucket(bucket).await?;
        let send = || {
            let call = client
                .get_object()
                .bucket(name)
                .expected_bucket_owner(&owner)
                .key(key)
                .set_range(get.range_header());
            let call = call.set_if_match(get.only_if.as_ref().map(|tag| tag.0.clone()));
            async move { whole(call.send().await.map_err(|error| sdk_error("GetObject", error))?, get).await }
        };
        let region = Some(bucket.region.as_str());
        let read = self.sdk_caller().call_whole(S3, "GetObject", region, send).await;
        missing(read)
    }

    async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<Head>, CloudError> {
        check_key(CLOUD, "head", key)?;
        let (client, name, owner) = self.in_bucket(bucket).await?;
        let region = Some(bucket.region.as_str());
        let ask = || {
            let call = client.head_object().bucket(name).expected_bucket_owner(&owner).key(key);
            async move { or_none("HeadObject", call.send().await) }
        };
        let Some(told) = self.sdk_caller().call_whole(S3, "HeadObject", region, ask).await? else {
            return self.bucket_is_there(bucket).await.map(|()| None);
        };
        let head = Head {
            size: size_of("HeadObject", told.content_length)?,
            etag: told.e_tag.map(ETag).ok_or_else(|| wrong("HeadObject", "an object without a tag"))?,
            content_type: told.content_type,
            modified: told.last_modified.and_then(time),
            metadata: told.metadata.unwrap_or_default().into_iter().collect(),
        };
        Ok(Some(head))
    }

    async fn delete(&self, bucket: &Bucket, key: &str, only_if: Option<&ETag>) -> Result<(), CloudError> {
        check_key(CLOUD, "delete", key)?;
        let (client, name, owner) = self.in_bucket(bucket).await?;
        let region = Some(bucket.region.as_str());
        let deleted = self
            .sdk_caller()
            .call(S3, "DeleteObject", region, || {
                let call = client.delete_object().bucket(name).expected_bucket_owner(&owner).key(key);
                call.set_if_match(only_if.map(|tag| tag.0.clone())).send()
            })
            .await;
        // Without a condition what is not there is no error for S3; with one it is.
        let deleted = missing(deleted).map(drop);
        settle_delete(self, bucket, key, deleted).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        query: &Query,
        sink: &mut dyn ObjectSink,
    ) -> Result<(), CloudError> {
        let size = query.check(CLOUD)?;
        let (client, name, owner) = self.in_bucket(bucket).await?;
        let (client, caller, owner) = (&client, &self.sdk_caller(), &owner);
        let region = Some(bucket.region.as_str());
        let fetch = |token: Option<String>| async move {
            let send = || {
                // Names that XML cannot say come in the letters of URLs.
                let call = client
                    .list_objects_v2()
                    .bucket(name)
                    .expected_bucket_owner(owner)
                    .encoding_type(EncodingType::Url);
                let call = call.prefix(&query.prefix).set_delimiter(query.delimiter.clone());
                call.max_keys(i32::from(size)).set_continuation_token(token.clone()).send()
            };
            let answer = caller.call(S3, "ListObjectsV2", region, send).await?;
            let encoded = answer.encoding_type == Some(EncodingType::Url);
            let mut page = ObjectPage::default();
            for object in answer.contents.unwrap_or_default() {
                page.objects.push(Listed {
                    key: decoded(object.key, encoded)?,
                    size: size_of("ListObjectsV2", object.size)?,
                    etag: object
                        .e_tag
                        .map(ETag)
                        .ok_or_else(|| wrong("ListObjectsV2", "an object without a tag"))?,
                    modified: object.last_modified.and_then(time),
                });
            }
            for prefix in answer.common_prefixes.unwrap_or_default() {
                page.prefixes.push(decoded(prefix.prefix, encoded)?);
            }
            let next = answer.next_continuation_token.filter(|token| !token.is_empty());
            if answer.is_truncated == Some(true) && next.is_none() {
                return Err(wrong("ListObjectsV2", "there is more, and no way to it"));
            }
            Ok((page, next))
        };
        walk(CLOUD, "s3:ListObjectsV2", sink, fetch).await
    }
}

/// Why nothing was written. What is not there matches no tag: S3 says that it is not there.
fn not_written(conditional: bool, error: SdkError<PutObjectError, HttpResponse>) -> CloudError {
    let mut error = sdk_error("PutObject", error);
    if conditional && error.code.as_deref() == Some("NoSuchKey") {
        error.kind = ErrorKind::PreconditionFailed;
    }
    error
}

/// The answer to a HEAD; `None` where that is a bare 404.
fn or_none<T, E>(
    operation: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Option<T>, CloudError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(told) => Ok(Some(told)),
        Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => Ok(None),
        Err(error) => Err(sdk_error(operation, error)),
    }
}

/// An object that is not there is nothing; a bucket that is not there is an error.
fn missing<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code.as_deref() == Some("NoSuchKey") => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer with all of its body.
async fn whole(mut answer: GetObjectOutput, get: &Get) -> Result<Object, CloudError> {
    let wrong = |message: &str| wrong("GetObject", message);
    let length = size_of("GetObject", answer.content_length)?;
    // "bytes 2-4/10"
    let total = answer.content_range.as_deref().map(|range| range.rsplit('/').next()?.parse().ok());
    let size = total.unwrap_or(Some(length)).ok_or_else(|| wrong("a range without a total"))?;
    get.check_size(CLOUD, size)?;
    if length > LARGEST {
        return Err(wrong("the answer is longer than what was asked for"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    while let Some(chunk) = answer.body.try_next().await.map_err(|error| cut_off(&error))? {
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() as u64 != length {
        return Err(wrong("the answer is shorter or longer than it says"));
    }
    let head = Head {
        size,
        etag: answer.e_tag.map(ETag).ok_or_else(|| wrong("an object without a tag"))?,
        content_type: answer.content_type,
        modified: answer.last_modified.and_then(time),
        metadata: answer.metadata.unwrap_or_default().into_iter().collect(),
    };
    Ok(Object { head, bytes: Bytes::from(bytes) })
}

fn time(at: aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.secs(), 0)
}

fn size_of(operation: &str, length: Option<i64>) -> Result<u64, CloudError> {
    let size = length.and_then(|length| u64::try_from(length).ok());
    size.ok_or_else(|| wrong(operation, "an object without a size"))
}

/// A name out of the letters of URLs, where a blank is a plus.
fn decoded(text: Option<String>, encoded: bool) -> Result<String, CloudError> {
    let text = text.ok_or_else(|| wrong("ListObjectsV2", "an object without a name"))?;
    if !encoded {
        return Ok(text);
    }
    let decoded = percent_decode_str(&text.replace('+', " ")).decode_utf8().map(std::borrow::Cow::into_owned);
    decoded.map_err(|_| wrong("ListObjectsV2", "a name that is not UTF-8"))
}

/// "Bucket naming rules": anything else could be read as another place.
fn is_bucket_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (3..=63).contains(&name.len()) && name.bytes().all(fits) && !name.contains("..") && !name.starts_with('.')
}

/// An answer that is not what AWS's model says.
fn wrong(operation: &str, message: &str) -> CloudError {
    CloudError::new(CLOUD, operation, ErrorKind::Protocol, message)
}

fn cut_off(error: &aws_sdk_s3::primitives::ByteStreamError) -> CloudError {
    CloudError::new(CLOUD, "GetObject", ErrorKind::Unavailable, "the connection ended within the answer")
        .with_source(error.to_string())
}
