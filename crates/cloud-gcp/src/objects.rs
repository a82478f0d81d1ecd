//! Objects in Cloud Storage, by its JSON API.
//!
//! The tag of an object is its generation: conditions name it, and each content has one of its own. What is said of an
//! object and its bytes are two answers, held together by the generation. The API says of a missing object and of a
//! missing bucket the same: where it matters, the bucket is asked for, by a list of one object.

use std::{collections::BTreeMap, fmt::Write as _};

use async_trait::async_trait;
use bytes::Bytes;
use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Objects,
    layers::Tally,
    objects::{
        Bucket, Condition, Doubt, ETag, Get, Head, LARGEST, Listed, Object, ObjectPage, ObjectSink, Put,
        Query, check_key, settle_delete, walk,
    },
    rest::{Answer, Request, Rest},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue, RANGE},
};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{api::STORAGE, cloud::Google, error::CLOUD};

/// What stands as it is in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The members of an object that are read.
const MEMBERS: &str = "name,size,generation,contentType,updated,metadata";

/// How often an object is looked at anew that was written between its two answers.
const LOOKS: usize = 3;

/// An object as the API describes it.
#[derive(Deserialize)]
struct Described {
    name: String,
    size: String,
    generation: String,
    #[serde(rename = "contentType")]
    content_type: Option<String>,
    updated: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    kind: String,
    #[serde(default)]
    items: Vec<Described>,
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(rename = "nextPageToken")]
    next: Option<String>,
}

impl Described {
    fn size(&self) -> Result<u64, CloudError> {
        self.size.parse().map_err(|_| wrong("an object without a size"))
    }

    fn head(self) -> Result<Head, CloudError> {
        Ok(Head {
            size: self.size()?,
            etag: ETag(self.generation),
            content_type: self.content_type,
            modified: self.updated,
            metadata: self.metadata,
        })
    }
}

impl Google {
    /// A client for objects: what comes packed stays packed.
    fn media(&self) -> Rest {
        Rest { http: self.bytes.clone(), ..self.client.rest.clone() }
    }

    /// An address of the API for what is in a bucket: `kind` is `storage` or `upload/storage`.
    fn url(&self, kind: &str, bucket: &Bucket, key: Option<&str>) -> Result<Url, CloudError> {
        let name = bucket_name(bucket)?;
        let host = self.client.endpoint.as_ref().map_or(STORAGE.host, Url::as_str).trim_end_matches('/');
        let mut text = format!("{host}/{kind}/v1/b/{name}/o");
        if let Some(key) = key {
            // Writing to a text does not fail.
            let _ = write!(text, "/{}", utf8_percent_encode(key, PART));
        }
        Url::parse(&text).map_err(|_| invalid(&format!("{} is not the name of a bucket", bucket.native_id)))
    }

    /// One request, through the layers, with its whole answer.
    async fn media_call(&self, method: &'static str, request: &Request) -> Result<Answer, CloudError> {
        let rest = &self.media();
        rest.call(site(method), &Tally::default(), |token| async move { rest.attempt(request, &token).await })
            .await
    }

    async fn describe(&self, bucket: &Bucket, key: &str) -> Result<Described, CloudError> {
        let mut url = self.url("storage", bucket, Some(key))?;
        url.query_pairs_mut().append_pair("fields", MEMBERS);
        let answer = self.media_call("storage.objects.get", &Request::new(Method::GET, url)).await?;
        parsed(&answer.body)
    }

    /// `None` for an object that is not there, in a bucket that is.
    async fn found<T>(&self, bucket: &Bucket, result: Result<T, CloudError>) -> Result<Option<T>, CloudError>
    where
        T: Send,
    {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == ErrorKind::NotFound => {
                let mut url = self.url("storage", bucket, None)?;
                url.query_pairs_mut().append_pair("maxResults", "1").append_pair("fields", "kind");
                self.media_call("storage.objects.list", &Request::new(Method::GET, url)).await.map(|_| None)
            }
            Err(error) => Err(error),
        }
    }

    /// The bytes of one generation.
    async fn media_of(
        &self,
        bucket: &Bucket,
        key: &str,
        get: &Get,
        head: &Head,
    ) -> Result<Bytes, CloudError> {
        let mut url = self.url("storage", bucket, Some(key))?;
        url.query_pairs_mut().append_pair("alt", "media").append_pair("generation", &head.etag.0);
        let mut request = Request::new(Method::GET, url);
        // Otherwise Google unpacks objects that were packed by their writers.
        request.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut expected = head.size;
        if let Some(range) = &get.range {
            let header = get.range_header().unwrap_or_default();
            let header = HeaderValue::try_from(header).map_err(|_| invalid("the range cannot be sent"))?;
            request.headers.insert(RANGE, header);
            expected = range.end.min(head.size).saturating_sub(range.start);
        }
        request.longest_answer = usize::try_from(LARGEST).unwrap_or(usize::MAX);
        let rest = &self.media();
        let request = &request;
        let attempt = |token| async move {
            let answer = rest.attempt(request, &token).await.map_err(bare)?;
            if answer.body.len() as u64 != expected {
                return Err(wrong("the answer is shorter or longer than the object"));
            }
            Ok(answer.body)
        };
        rest.call(site("storage.objects.get"), &Tally::default(), attempt).await
    }
}

#[async_trait]
impl Objects for Google {
    async fn containers(&self, _: &Bucket) -> Result<Option<Vec<String>>, CloudError> {
        Ok(None)
    }

    async fn put(&self, bucket: &Bucket, key: &str, put: &Put) -> Result<ETag, CloudError> {
        put.check(CLOUD, key)?;
        let mut url = self.url("upload/storage", bucket, None)?;
        url.query_pairs_mut().append_pair("uploadType", "multipart");
        url.query_pairs_mut().append_pair("fields", MEMBERS);
        match &put.only_if {
            Condition::Any => {}
            Condition::Absent => drop(url.query_pairs_mut().append_pair("ifGenerationMatch", "0")),
            Condition::Matches(tag) => {
                url.query_pairs_mut().append_pair("ifGenerationMatch", generation(tag)?);
            }
        }
        let (content_type, body) = multipart(key, put);
        let mut request = Request::new(Method::POST, url);
        let content_type = HeaderValue::try_from(content_type).map_err(|_| invalid("no content type"))?;
        request.headers.insert(CONTENT_TYPE, content_type);
        request.body = Some(body);
        let (rest, request, doubt) = (&self.media(), &request, &Doubt::default());
        let attempt = |token| {
            doubt.attempt(async move {
                let answer = rest.attempt(request, &token).await?;
                Ok(ETag(parsed::<Described>(&answer.body)?.generation))
            })
        };
        let written = rest.call(site("storage.objects.insert"), &Tally::default(), attempt).await;
        doubt.settle(self, bucket, key, put, written).await
    }

    async fn get(&self, bucket: &Bucket, key: &str, get: &Get) -> Result<Option<Object>, CloudError> {
        get.check(CLOUD, key)?;
        for _ in 0..LOOKS {
            let described = self.describe(bucket, key).await;
            let Some(described) = self.found(bucket, described).await? else { return Ok(None) };
            let head = described.head()?;
            if get.only_if.as_ref().is_some_and(|tag| *tag != head.etag) {
                let message = "the object has another generation";
                return Err(CloudError::new(
                    CLOUD,
                    "storage.objects.get",
                    ErrorKind::PreconditionFailed,
                    message,
                ));
            }
            get.check_size(CLOUD, head.size)?;
            if let Some(range) = get.range.as_ref().filter(|range| range.start >= head.size) {
                return Err(invalid(&format!("{} is behind the end of {} bytes", range.start, head.size)));
            }
            match self.media_of(bucket, key, get, &head).await {
                Ok(bytes) => return Ok(Some(Object { head, bytes })),
                // Written anew, or deleted, between the two answers.
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let message = "the object was written anew each time that it was looked at";
        Err(CloudError::new(CLOUD, "storage.objects.get", ErrorKind::Unavailable, message))
    }

    async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<Head>, CloudError> {
        check_key(CLOUD, "head", key)?;
        let described = self.describe(bucket, key).await;
        self.found(bucket, described).await?.map(Described::head).transpose()
    }

    async fn delete(&self, bucket: &Bucket, key: &str, only_if: Option<&ETag>) -> Result<(), CloudError> {
        check_key(CLOUD, "delete", key)?;
        let mut url = self.url("storage", bucket, Some(key))?;
        if let Some(tag) = only_if {
            url.query_pairs_mut().append_pair("ifGenerationMatch", generation(tag)?);
        }
        let deleted = self.media_call("storage.objects.delete", &Request::new(Method::DELETE, url)).await;
        let deleted = self.found(bucket, deleted.map(drop)).await.map(drop);
        settle_delete(self, bucket, key, deleted).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        query: &Query,
        sink: &mut dyn ObjectSink,
    ) -> Result<(), CloudError> {
        let size = query.check(CLOUD)?;
        let mut url = self.url("storage", bucket, None)?;
        url.query_pairs_mut()
            .append_pair("maxResults", &size.to_string())
            .append_pair("fields", &format!("kind,nextPageToken,prefixes,items({MEMBERS})"));
        if !query.prefix.is_empty() {
            url.query_pairs_mut().append_pair("prefix", &query.prefix);
        }
        if let Some(delimiter) = &query.delimiter {
            url.query_pairs_mut().append_pair("delimiter", delimiter);
        }
        let url = &url;
        let fetch = |token: Option<String>| async move {
            let mut url = url.clone();
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let answer = self.media_call("storage.objects.list", &Request::new(Method::GET, url)).await?;
            let read: Page = parsed(&answer.body)?;
            if read.kind != "storage#objects" {
                return Err(wrong("the answer is no list of objects"));
            }
            let mut page =
                ObjectPage { objects: Vec::with_capacity(read.items.len()), prefixes: read.prefixes };
            for item in read.items {
                let (size, modified) = (item.size()?, item.updated);
                page.objects.push(Listed { key: item.name, size, etag: ETag(item.generation), modified });
            }
            Ok((page, read.next.filter(|next| !next.is_empty())))
        };
        walk(CLOUD, "storage.objects.list", sink, fetch).await
    }
}

/// What is said of an object and its bytes as one body, with a boundary that is not in it.
fn multipart(key: &str, put: &Put) -> (String, Bytes) {
    let said = json!({ "name": key, "contentType": put.content_type, "metadata": put.metadata }).to_string();
    // No bytes hold the digest of themselves, as far as anyone knows.
    let digest = Sha256::digest(&put.bytes);
    let boundary = digest.iter().fold("marquee-".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let mut body = Vec::with_capacity(put.bytes.len() + said.len() + 512);
    let head = format!(
        "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{said}\r\n--{boundary}\r\n\
         Content-Type: {}\r\n\r\n",
        put.content_type
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&put.bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/related; boundary={boundary}"), body.into())
}

/// The bucket's name in its full resource name.
fn bucket_name(bucket: &Bucket) -> Result<&str, CloudError> {
    if bucket.container.is_some() {
        return Err(invalid("buckets of Cloud Storage have no containers"));
    }
    let name = bucket.native_id.strip_prefix("//storage.googleapis.com/").unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if (3..=222).contains(&name.len()) && name.bytes().all(fits) && !name.contains("..") {
        return Ok(name);
    }
    Err(invalid(&format!("{} is not the name of a bucket", bucket.native_id)))
}

/// Where bytes are asked for, Google refuses in a line of plain text: all that is told is the status.
fn bare(mut error: CloudError) -> CloudError {
    if error.kind == ErrorKind::Protocol {
        error.kind = match error.code.as_deref() {
            Some("404") => ErrorKind::NotFound,
            Some("412") => ErrorKind::PreconditionFailed,
            Some("400" | "416") => ErrorKind::Invalid,
            _ => ErrorKind::Protocol,
        };
    }
    error
}

/// A tag that is no generation matches nothing.
fn generation(tag: &ETag) -> Result<&str, CloudError> {
    let is_number = !tag.0.is_empty() && tag.0.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(&tag.0) } else { Err(invalid("the tag is not a generation of Google's")) }
}

fn site(method: &'static str) -> CallSite<'static> {
    CallSite { cloud: CLOUD, service: STORAGE.name, operation: method, region: None }
}

fn parsed<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, CloudError> {
    serde_json::from_slice(body).map_err(|error| wrong(&error.to_string()))
}

/// An answer that is not what Google's model says.
fn wrong(message: &str) -> CloudError {
    CloudError::new(CLOUD, "", ErrorKind::Protocol, message)
}

fn invalid(message: &str) -> CloudError {
    CloudError::new(CLOUD, "storage.objects", ErrorKind::Invalid, message)
}
