//! The data plane of object storage: small objects in the buckets that an inventory lists.
//!
//! It carries what Marquee itself keeps in a cloud (anchors of the audit log, exports, the tests of backups), so it
//! is small and strict: one request an object, at most [`LARGEST`] bytes each way, writes that can be conditional, and
//! names and metadata that every cloud can hold. What lies behind a name that another program gave is read and listed
//! nevertheless, if it can be said at all.
//!
//! **A put may be repeated.** Without a condition the last one wins. With one, an answer that was lost on the way is not
//! taken for a refusal: when a repeated attempt finds its condition broken, the object is read back, and if it is
//! what was put, the put has succeeded ([`Doubt`]). Two writers that put the same bytes, type and metadata under the
//! same condition cannot be told apart then: whoever needs to win alone puts something of its own in it.
//!
//! After an error of kind `Timeout` or `Unavailable` it is not known whether a put or a delete took effect.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{CloudError, ErrorKind, paging::Seen};

/// The most bytes that one put writes and one get reads, 16 MiB: a request that a slow line carries in the time that an
/// attempt has. Larger objects are read in ranges; larger ones than this are not written.
pub const LARGEST: u64 = 16 * 1024 * 1024;

/// The most bytes of metadata, names and values together (Amazon S3's limit, the smallest).
pub const LARGEST_METADATA: usize = 2048;

/// Objects on a page, unless asked for fewer: the most that Amazon S3 and Google Cloud Storage give.
pub const PAGE: u16 = 1000;

/// Objects in buckets.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The containers of a bucket, by name, where the cloud keeps objects in containers within what the inventory
    /// calls a bucket; `None` where they lie in the bucket itself.
    async fn containers(&self, bucket: &Bucket) -> Result<Option<Vec<String>>, CloudError>;

    /// Writes an object. A condition that does not hold is [`ErrorKind::PreconditionFailed`].
    async fn put(&self, bucket: &Bucket, key: &str, put: &Put) -> Result<ETag, CloudError>;

    /// Reads an object, or a range of it; `None` if there is none. What is larger than [`LARGEST`] is refused as
    /// [`ErrorKind::Invalid`], and so is a range that begins behind the end.
    async fn get(&self, bucket: &Bucket, key: &str, get: &Get) -> Result<Option<Object>, CloudError>;

    /// What is said of an object; `None` if there is none.
    async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<Head>, CloudError>;

    /// Deletes an object; one that is not there is deleted already. With `only_if`, an object with another tag stays, and
    /// that is [`ErrorKind::PreconditionFailed`].
    async fn delete(&self, bucket: &Bucket, key: &str, only_if: Option<&ETag>) -> Result<(), CloudError>;

    /// Lists objects by name, page by page, into `sink`. `Ok` means that the listing is complete. Memory stays flat: the
    /// next page is fetched while the sink has one, and no more than that.
    async fn list(&self, bucket: &Bucket, query: &Query, sink: &mut dyn ObjectSink)
    -> Result<(), CloudError>;
}

/// A bucket, as the inventory gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its native id.
    pub native_id: String,
    /// Its region.
    pub region: String,
    /// Its container, where the cloud has containers in its buckets: see [`Objects::containers`].
    pub container: Option<String>,
}

/// Which content an object has, in the vendor's word. The same content may have the same tag again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// What an object must be for it to be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Condition {
    /// Anything.
    #[default]
    Any,
    /// There must be none.
    Absent,
    /// It must have this tag.
    Matches(ETag),
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The object.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: String,
    /// What is said of it. Names are small letters, digits and underscores, and begin with a letter; values are printable
    /// ASCII without blanks at their ends.
    pub metadata: BTreeMap<String, String>,
    /// Only if.
    pub only_if: Condition,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Get {
    /// The bytes from the first to before the last; what lies behind the end is left out. All of them, if there is none.
    pub range: Option<Range<u64>>,
    /// Only an object with this tag: parts that are read one by one are then of one content.
    pub only_if: Option<ETag>,
}

/// What is said of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The size of all of it, in bytes.
    pub size: u64,
    /// Its tag.
    pub etag: ETag,
    /// Its media type.
    pub content_type: Option<String>,
    /// When it was last written.
    pub modified: Option<DateTime<Utc>>,
    /// What its writer said of it.
    pub metadata: BTreeMap<String, String>,
}

/// An object that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What is said of it.
    pub head: Head,
    /// What was asked for of it.
    pub bytes: Bytes,
}

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Objects whose names begin so.
    pub prefix: String,
    /// Names that go on with this behind the prefix are told as one, up to it.
    pub delimiter: Option<String>,
    /// Objects on a page at most, from 1 to [`PAGE`]; a cloud may give fewer.
    pub page: Option<u16>,
}

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its tag.
    pub etag: ETag,
    /// When it was last written.
    pub modified: Option<DateTime<Utc>>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectPage {
    /// The objects on it.
    pub objects: Vec<Listed>,
    /// The names up to the delimiter, each on one page only.
    pub prefixes: Vec<String>,
}

/// Takes pages as they come.
#[async_trait]
pub trait ObjectSink: Send {
    /// Takes one page; the listing waits. An error ends it.
    async fn page(&mut self, page: ObjectPage) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

impl Put {
    /// Bytes of unknown type, written whatever is there.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            content_type: "application/octet-stream".to_owned(),
            metadata: BTreeMap::new(),
            only_if: Condition::Any,
        }
    }

    /// Refuses what some cloud could not hold, before anything is sent.
    pub fn check(&self, cloud: &'static str, key: &str) -> Result<(), CloudError> {
        let wrong = |message: String| Err(invalid(cloud, "put", message));
        check_key(cloud, "put", key)?;
        // XML does not say control characters, and Azure takes a backslash for a slash.
        if key.chars().any(|letter| letter.is_control() || letter == '\\') {
            return wrong("names of new objects have no control characters and no backslash".to_owned());
        }
        let size = self.bytes.len();
        if size as u64 > LARGEST {
            return wrong(format!("the object has {size} bytes: at most {LARGEST} are written"));
        }
        let printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if self.content_type.is_empty() || !printable(&self.content_type) {
            return wrong("the media type is empty, or not printable ASCII".to_owned());
        }
        for (name, value) in &self.metadata {
            if !is_metadata_name(name) {
                return wrong(format!(
                    "metadata `{name}`: names are small letters, digits and underscores, and begin with a letter"
                ));
            }
            if !printable(value) || value.trim() != value {
                return wrong(format!(
                    "metadata `{name}`: values are printable ASCII without blanks at the ends"
                ));
            }
        }
        let told: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if told > LARGEST_METADATA {
            return wrong(format!("the metadata have {told} bytes: at most {LARGEST_METADATA} are written"));
        }
        Ok(())
    }

    /// Whether an object is what this writes.
    pub fn is(&self, found: &Object) -> bool {
        found.bytes == self.bytes
            && found.head.content_type.as_deref() == Some(&self.content_type)
            && found.head.metadata == self.metadata
    }
}

impl Get {
    /// Refuses names that cannot be, and ranges that are empty or too long.
    pub fn check(&self, cloud: &'static str, key: &str) -> Result<(), CloudError> {
        check_key(cloud, "get", key)?;
        let Some(range) = &self.range else { return Ok(()) };
        if range.is_empty() {
            return Err(invalid(cloud, "get", "the range is empty".to_owned()));
        }
        let length = range.end - range.start;
        if length > LARGEST {
            let message = format!("the range has {length} bytes: at most {LARGEST} are read at once");
            return Err(invalid(cloud, "get", message));
        }
        Ok(())
    }

    /// The range as HTTP says it, both ends included.
    pub fn range_header(&self) -> Option<String> {
        self.range.as_ref().map(|range| format!("bytes={}-{}", range.start, range.end - 1))
    }

    /// Refuses to read an object whole that is larger than may be.
    pub fn check_size(&self, cloud: &'static str, size: u64) -> Result<(), CloudError> {
        if self.range.is_some() || size <= LARGEST {
            return Ok(());
        }
        let message = format!("the object has {size} bytes: read it in ranges of at most {LARGEST}");
        Err(invalid(cloud, "get", message))
    }
}

impl Query {
    /// The size of a page; refuses what cannot be asked for.
    pub fn check(&self, cloud: &'static str) -> Result<u16, CloudError> {
        let page = self.page.unwrap_or(PAGE);
        if page == 0 || page > PAGE {
            return Err(invalid(cloud, "list", format!("a page has 1 to {PAGE} objects, not {page}")));
        }
        if self.delimiter.as_ref().is_some_and(String::is_empty) {
            return Err(invalid(cloud, "list", "the delimiter is empty".to_owned()));
        }
        Ok(page)
    }
}

/// Refuses names that cannot be asked for: empty, over 1,024 bytes, or with a part `.` or `..`, which URLs would take for
/// a way.
pub fn check_key(cloud: &'static str, operation: &str, key: &str) -> Result<(), CloudError> {
    let way = |part: &str| part == "." || part == "..";
    let why = if key.is_empty() || key.len() > 1024 {
        "names of objects have 1 to 1,024 bytes"
    } else if key.split('/').any(way) {
        "names of objects have no part . or .."
    } else {
        return Ok(());
    };
    Err(invalid(cloud, operation, why.to_owned()))
}

fn is_metadata_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(fits)
}

fn invalid(cloud: &'static str, operation: &str, message: String) -> CloudError {
    CloudError::new(cloud, format!("objects:{operation}"), ErrorKind::Invalid, message)
}

/// Whether an attempt of a put may have taken effect without our hearing of it.
#[derive(Debug, Default)]
pub struct Doubt {
    unheard: AtomicU32,
}

impl Doubt {
    /// Makes one attempt. One that is dropped, for it took too long, leaves doubt, and so does one that ends without a
    /// word of the cloud's.
    pub async fn attempt<T>(
        &self,
        attempt: impl Future<Output = Result<T, CloudError>> + Send,
    ) -> Result<T, CloudError> {
        self.unheard.fetch_add(1, Ordering::Relaxed);
        let result = attempt.await;
        let kind = result.as_ref().err().map(|error| error.kind);
        let silent = [ErrorKind::Timeout, ErrorKind::Unavailable, ErrorKind::Protocol];
        if !kind.is_some_and(|kind| silent.contains(&kind)) {
            self.unheard.fetch_sub(1, Ordering::Relaxed);
        }
        result
    }

    /// What became of a put, after all its attempts: one whose condition was broken by its own earlier attempt succeeded.
    pub async fn settle(
        &self,
        objects: &dyn Objects,
        bucket: &Bucket,
        key: &str,
        put: &Put,
        result: Result<ETag, CloudError>,
    ) -> Result<ETag, CloudError> {
        let Err(error) = result else { return result };
        if self.unheard.load(Ordering::Relaxed) == 0 {
            return Err(error);
        }
        // An earlier attempt may have written it, whatever the last one says.
        if error.kind != ErrorKind::PreconditionFailed {
            return Err(unknown(error));
        }
        let Some(head) = objects.head(bucket, key).await.map_err(unknown)? else { return Err(error) };
        if head.size != put.bytes.len() as u64 {
            return Err(error);
        }
        let get = Get { only_if: Some(head.etag), ..Get::default() };
        match objects.get(bucket, key, &get).await {
            Ok(Some(found)) if put.is(&found) => Ok(found.head.etag),
            Ok(_) => Err(error),
            // Written anew between the two looks: what was ours, if it was, is not what is there.
            Err(again) if again.kind == ErrorKind::PreconditionFailed => Err(error),
            Err(again) => Err(unknown(again)),
        }
    }
}

/// Nobody knows whether the object was written: one of the kinds that say so, with what was heard last as the reason.
fn unknown(error: CloudError) -> CloudError {
    if matches!(error.kind, ErrorKind::Timeout | ErrorKind::Unavailable) {
        return error;
    }
    let message = format!("an earlier attempt may have written the object; then: {}", error.message);
    let mut made = CloudError::new(error.cloud, error.operation.clone(), ErrorKind::Unavailable, message);
    made.region.clone_from(&error.region);
    made.with_source(error)
}

/// What became of a conditional delete: the vendors differ in whether an object that is not there breaks the condition. It
/// may be gone by an earlier attempt whose answer was lost.
pub async fn settle_delete(
    objects: &dyn Objects,
    bucket: &Bucket,
    key: &str,
    result: Result<(), CloudError>,
) -> Result<(), CloudError> {
    match result {
        Err(error) if error.kind == ErrorKind::PreconditionFailed => {
            if objects.head(bucket, key).await?.is_none() { Ok(()) } else { Err(error) }
        }
        other => other,
    }
}

/// Hands every page to the sink until there are no more; see [`paging::walk`](crate::paging::walk), which does the same
/// for pages of an inventory.
pub async fn walk<T, F, Fut>(
    cloud: &'static str,
    operation: &str,
    sink: &mut dyn ObjectSink,
    fetch: F,
) -> Result<(), CloudError>
where
    T: std::hash::Hash + Send,
    F: Fn(Option<T>) -> Fut + Send,
    Fut: Future<Output = Result<(ObjectPage, Option<T>), CloudError>> + Send,
{
    let (mut page, mut next) = fetch(None).await?;
    let mut seen = Seen::default();
    while let Some(token) = next {
        seen.note(cloud, operation, &token)?;
        let taken = take(cloud, operation, sink, page);
        let ((), following) = futures::future::try_join(taken, fetch(Some(token))).await?;
        (page, next) = following;
    }
    take(cloud, operation, sink, page).await
}

async fn take(
    cloud: &'static str,
    operation: &str,
    sink: &mut dyn ObjectSink,
    page: ObjectPage,
) -> Result<(), CloudError> {
    sink.page(page).await.map_err(|cause| {
        CloudError::new(cloud, operation, ErrorKind::Unavailable, "the page could not be taken")
            .with_source(cause)
    })
}

#[cfg(test)]
mod tests;
