//! Blobs, by Microsoft's own `azure_storage_blob`.
//!
//! A bucket of the inventory is a storage account, and blobs lie in its containers: so a [`Bucket`] names one. The
//! account's blob endpoint is what the resource manager says, and never guessed from the name; it is asked once. Our
//! storage token goes there, so it must be one of Microsoft's own hosts, or the one that the connection names.
//!
//! The official client sends each request once: retries, throttling and time limits are the layers'. It splits what is
//! larger than a part into several requests, so a part is made as large as an object may be. It knows no delimiter, and
//! reads no names that Azure encodes: so the query asks for both, and the page is read by [`page`].

mod blob_error;
mod page;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{
        ClientOptions, Etag, NoFormat, RequestContent, RetryOptions, Transport, response::AsyncResponseBody,
    },
    time::OffsetDateTime,
};
use azure_storage_blob::{
    BlobContainerClient, BlobContainerClientOptions,
    models::{
        BlobClientDeleteOptions, BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders as _,
        BlobClientUploadOptions, BlobContainerClientListBlobsOptions, BlobDownloadProperties,
    },
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Objects,
    layers::Tally,
    objects::{
        Bucket, Condition, Doubt, ETag, Get, Head, LARGEST, Object, ObjectPage, ObjectSink, Put, Query,
        check_key, settle_delete, walk,
    },
    rest::Tokens as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use self::blob_error::blob_error;
use crate::{
    arm::Read,
    cloud::Azure,
    credentials::TokenRing,
    error::CLOUD,
    inventory::{canonical, storage::ACCOUNTS},
};

/// The service, which names the throttle.
const SERVICE: &str = "blobs";

/// Where Microsoft's own storage is: in the public cloud (by accounts, and by DNS zones), in that of the US government and
/// in China's.
const HOSTS: &[&str] = &[
    ".blob.core.windows.net",
    ".blob.storage.azure.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
];

/// A whole object, and one byte more, so that a larger one is noticed, in one request.
const WHOLE: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(16 * 1024 * 1024);

/// The containers of an account.
pub static CONTAINERS: Read = Read {
    service: "Microsoft.Storage",
    operation: "BlobContainers_List",
    path: "{id}/blobServices/default/containers",
    query: "",
    version: "2023-05-01",
};

/// What blobs stand on.
pub struct Blobs {
    http: reqwest::Client,
    tokens: Arc<TokenRing>,
    /// The blob endpoints of accounts, by id.
    endpoints: Mutex<HashMap<String, Url>>,
}

impl Blobs {
    /// Nothing is known yet. The client must not unpack what it reads.
    pub fn new(http: reqwest::Client, tokens: Arc<TokenRing>) -> Self {
        Self { http, tokens, endpoints: Mutex::default() }
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({:?})", self.tokens)
    }
}

/// A token that was had already.
#[derive(Debug)]
struct Had(SecretString);

#[async_trait]
impl TokenCredential for Had {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        // The ring knows when it ends; a client lives for one attempt.
        let far =
            OffsetDateTime::from_unix_timestamp(i64::from(u32::MAX)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Ok(AccessToken::new(self.0.expose_secret().to_owned(), far))
    }
}

impl Azure {
    /// Where a container is.
    async fn container_url(&self, bucket: &Bucket) -> Result<Url, CloudError> {
        let wrong = |why: String| CloudError::new(CLOUD, "blobs:Container", ErrorKind::Invalid, why);
        let id = canonical(&bucket.native_id);
        let account = account_of(&id, &self.config.settings.subscription)
            .ok_or_else(|| wrong(format!("{} is not the id of a storage account", bucket.native_id)))?;
        let Some(container) = bucket.container.as_deref().filter(|name| is_container(name)) else {
            return Err(wrong(
                "a container must be named: 3 to 63 small letters, digits and single hyphens".to_owned(),
            ));
        };
        let mut url = match &self.config.settings.blobs {
            Some(other) => other.join(account).map_err(|error| wrong(error.to_string()))?,
            None => self.endpoint_of(&id).await?,
        };
        let extended = url.path_segments_mut().map(|mut path| {
            path.pop_if_empty().push(container);
        });
        extended.map(|()| url).map_err(|()| wrong("the blob endpoint has no path".to_owned()))
    }

    /// The blob endpoint that the resource manager names for an account.
    async fn endpoint_of(&self, id: &str) -> Result<Url, CloudError> {
        let known = self.blobs.endpoints.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let account = self.arm.get(&ACCOUNTS.get, id, &Tally::default()).await?;
        let Some(named) = account["properties"]["primaryEndpoints"]["blob"].as_str() else {
            let message = "the storage account has no blobs";
            return Err(CloudError::new(CLOUD, "blobs:Container", ErrorKind::Unsupported, message));
        };
        let url = Url::parse(named).ok().filter(is_microsofts);
        let url = url.ok_or_else(|| {
            self.arm.wrong(&ACCOUNTS.get, "the account's blob endpoint is none of Microsoft's hosts")
        })?;
        let mut endpoints = self.blobs.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.insert(id.to_owned(), url.clone());
        Ok(url)
    }

    /// Makes a call whose attempts each get a client for the container.
    async fn blobs_call<T, F, Fut>(
        &self,
        operation: &'static str,
        url: &Url,
        mut attempt: F,
    ) -> Result<T, CloudError>
    where
        F: FnMut(Arc<BlobContainerClient>) -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
        T: Send,
    {
        // Outside the attempts: tokens have retries of their own, and outlive the call.
        let token = self.blobs.tokens.token().await?;
        let credential: Arc<dyn TokenCredential> = Arc::new(Had(token.clone()));
        let options = BlobContainerClientOptions {
            client_options: ClientOptions {
                transport: Some(Transport::new(Arc::new(self.blobs.http.clone()))),
                retry: RetryOptions::none(),
                ..ClientOptions::default()
            },
            ..BlobContainerClientOptions::default()
        };
        let client = BlobContainerClient::new(url.clone(), Some(credential), Some(options));
        let client = Arc::new(client.map_err(|error| blob_error(&error))?);
        let site = CallSite { cloud: CLOUD, service: SERVICE, operation, region: None };
        let result = self.layers.call(site, || attempt(Arc::clone(&client))).await;
        if result.as_ref().is_err_and(|error| error.kind == ErrorKind::Unauthenticated) {
            self.blobs.tokens.refused(&token).await;
        }
        result
    }
}

#[async_trait]
impl Objects for Azure {
    async fn containers(&self, bucket: &Bucket) -> Result<Option<Vec<String>>, CloudError> {
        let id = canonical(&bucket.native_id);
        let listed = self.arm.all(&CONTAINERS, &id, &Tally::default()).await?;
        let name = |item: &serde_json::Value| {
            let name = item["name"].as_str().map(str::to_owned);
            name.ok_or_else(|| self.arm.wrong(&CONTAINERS, "a container without a name"))
        };
        listed.iter().map(name).collect::<Result<_, _>>().map(Some)
    }

    async fn put(&self, bucket: &Bucket, key: &str, put: &Put) -> Result<ETag, CloudError> {
        put.check(CLOUD, key)?;
        let url = self.container_url(bucket).await?;
        let doubt = &Doubt::default();
        let written = self
            .blobs_call("PutBlob", &url, |client| {
                doubt.attempt(async move { upload(&client, key, put).await })
            })
            .await;
        doubt.settle(self, bucket, key, put, written).await
    }

    async fn get(&self, bucket: &Bucket, key: &str, get: &Get) -> Result<Option<Object>, CloudError> {
        get.check(CLOUD, key)?;
        let url = self.container_url(bucket).await?;
        let read =
            self.blobs_call("GetBlob", &url, |client| async move { download(&client, key, get).await }).await;
        found(read)
    }

    async fn head(&self, bucket: &Bucket, key: &str) -> Result<Option<Head>, CloudError> {
        check_key(CLOUD, "head", key)?;
        let url = self.container_url(bucket).await?;
        let told = self.blobs_call("GetBlobProperties", &url, |client| async move {
            let told =
                client.blob_client(key).get_properties(None).await.map_err(|error| blob_error(&error))?;
            let head = Told {
                size: told.content_length(),
                etag: told.etag(),
                content_type: told.content_type(),
                modified: told.last_modified(),
                metadata: told.metadata(),
            };
            head.read()
        });
        found(told.await)
    }

    async fn delete(&self, bucket: &Bucket, key: &str, only_if: Option<&ETag>) -> Result<(), CloudError> {
        check_key(CLOUD, "delete", key)?;
        let url = self.container_url(bucket).await?;
        let deleted = self.blobs_call("DeleteBlob", &url, |client| async move {
            let if_match = only_if.map(|tag| Etag::from(tag.0.clone()));
            let options = BlobClientDeleteOptions { if_match, ..BlobClientDeleteOptions::default() };
            let deleted = client.blob_client(key).delete(Some(options)).await;
            deleted.map(drop).map_err(|error| blob_error(&error))
        });
        let deleted = found(deleted.await).map(drop);
        settle_delete(self, bucket, key, deleted).await
    }

    async fn list(
        &self,
        bucket: &Bucket,
        query: &Query,
        sink: &mut dyn ObjectSink,
    ) -> Result<(), CloudError> {
        let size = query.check(CLOUD)?;
        let mut url = self.container_url(bucket).await?;
        if let Some(delimiter) = &query.delimiter {
            url.query_pairs_mut().append_pair("delimiter", delimiter);
        }
        let (url, prefix) = (&url, &query.prefix);
        let fetch = |marker: Option<String>| async move {
            let marker = &marker;
            self.blobs_call("ListBlobs", url, |client| async move {
                let options = BlobContainerClientListBlobsOptions {
                    prefix: Some(prefix.clone()).filter(|prefix| !prefix.is_empty()),
                    marker: marker.clone(),
                    maxresults: Some(i32::from(size)),
                    ..BlobContainerClientListBlobsOptions::default()
                };
                one_page(&client, options).await
            })
            .await
        };
        walk(CLOUD, "Microsoft.Storage/blobs:ListBlobs", sink, fetch).await
    }
}

async fn upload(client: &BlobContainerClient, key: &str, put: &Put) -> Result<ETag, CloudError> {
    let (if_match, if_none_match) = match &put.only_if {
        Condition::Any => (None, None),
        Condition::Absent => (None, Some(Etag::from("*"))),
        Condition::Matches(tag) => (Some(Etag::from(tag.0.clone())), None),
    };
    let options = BlobClientUploadOptions {
        blob_content_type: Some(put.content_type.clone()),
        metadata: Some(put.metadata.clone().into_iter().collect()),
        if_match,
        if_none_match,
        partition_size: NonZero::new(LARGEST),
        ..BlobClientUploadOptions::default()
    };
    let content: RequestContent<Bytes, NoFormat> = put.bytes.clone().into();
    let written = client.blob_client(key).upload(content, Some(options)).await;
    let etag = written.map_err(|error| blob_error(&error))?.etag;
    etag.map(|tag| ETag(tag.to_string())).ok_or_else(|| wrong("a blob was written, and has no tag"))
}

async fn download(client: &BlobContainerClient, key: &str, get: &Get) -> Result<Object, CloudError> {
    let options = BlobClientDownloadOptions {
        range: get.range.clone().map(Into::into),
        if_match: get.only_if.as_ref().map(|tag| Etag::from(tag.0.clone())),
        partition_size: Some(WHOLE),
        ..BlobClientDownloadOptions::default()
    };
    let read = client.blob_client(key).download(Some(options)).await.map_err(|error| blob_error(&error))?;
    let length = read.properties.content_length;
    let total = read.headers.get_optional_str(&"content-range".into());
    // An empty blob has no ranges.
    let size = total.map_or(length, |range| range.rsplit('/').next()?.parse().ok());
    let BlobDownloadProperties { etag, content_type, last_modified, metadata, .. } = read.properties;
    let head = Told {
        size: Ok(size),
        etag: Ok(etag),
        content_type: Ok(content_type),
        modified: Ok(last_modified),
        metadata: Ok(metadata),
    };
    let head = head.read()?;
    get.check_size(CLOUD, head.size)?;
    let bytes = collect(read.body).await?;
    if length.is_some_and(|length| length != bytes.len() as u64) {
        return Err(wrong("the answer is shorter or longer than it says"));
    }
    Ok(Object { head, bytes })
}

async fn collect(mut body: AsyncResponseBody) -> Result<Bytes, CloudError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.try_next().await.map_err(|error| blob_error(&error))? {
        if bytes.len() + chunk.len() > WHOLE.get() {
            return Err(wrong("the answer is longer than what was asked for"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn one_page(
    client: &BlobContainerClient,
    options: BlobContainerClientListBlobsOptions<'_>,
) -> Result<(ObjectPage, Option<String>), CloudError> {
    let pages = client.list_blobs(Some(options)).map_err(|error| blob_error(&error))?;
    let answer = pages.into_pages().try_next().await.map_err(|error| blob_error(&error))?;
    let answer = answer.ok_or_else(|| wrong("a listing without a page"))?;
    let body: Bytes = answer.into_body().into();
    page::read(&body).map_err(|why| wrong(&why))
}

/// What Azure's headers say of a blob.
struct Told {
    size: azure_core::Result<Option<u64>>,
    etag: azure_core::Result<Option<Etag>>,
    content_type: azure_core::Result<Option<String>>,
    modified: azure_core::Result<Option<OffsetDateTime>>,
    metadata: azure_core::Result<HashMap<String, String>>,
}

impl Told {
    fn read(self) -> Result<Head, CloudError> {
        let unreadable = |error: azure_core::Error| wrong(&error.to_string());
        let size = self.size.map_err(unreadable)?.ok_or_else(|| wrong("a blob without a size"))?;
        let etag = self.etag.map_err(unreadable)?.ok_or_else(|| wrong("a blob without a tag"))?;
        let modified = self.modified.map_err(unreadable)?;
        let metadata: BTreeMap<_, _> = self.metadata.map_err(unreadable)?.into_iter().collect();
        Ok(Head {
            size,
            etag: ETag(etag.to_string()),
            content_type: self.content_type.map_err(unreadable)?,
            modified: modified.and_then(|at| DateTime::<Utc>::from_timestamp(at.unix_timestamp(), 0)),
            metadata,
        })
    }
}

/// A blob that is not there is nothing; a container that is not there is an error.
fn found<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code.as_deref() == Some("BlobNotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer that is not what Azure's model says.
fn wrong(message: &str) -> CloudError {
    CloudError::new(CLOUD, "", ErrorKind::Protocol, message)
}

/// The account's name in its id, if it is one of this subscription's.
fn account_of<'a>(id: &'a str, subscription: &str) -> Option<&'a str> {
    let group = id.strip_prefix("/subscriptions/")?.strip_prefix(subscription)?;
    let (group, name) = group
        .strip_prefix("/resourcegroups/")?
        .split_once("/providers/microsoft.storage/storageaccounts/")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (!group.is_empty() && !name.is_empty() && name.bytes().all(plain)).then_some(name)
}

/// "Naming and Referencing Containers, Blobs, and Metadata": what is not of this form could lead elsewhere. The containers
/// that Azure makes itself (`$root`, `$web`, `$logs`) are none of ours.
fn is_container(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

fn is_microsofts(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "https" && url.port().is_none() && HOSTS.iter().any(|known| host.ends_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_microsofts_own_hosts_only() {
        let is = |text: &str| is_microsofts(&Url::parse(text).unwrap());
        assert!(
            is("https://orangery.blob.core.windows.net/")
                && is("https://orangery.z12.blob.storage.azure.net/")
        );
        for url in [
            "http://orangery.blob.core.windows.net/",
            "https://orangery.blob.core.windows.net.evil.example/",
            "https://evil.example/.blob.core.windows.net",
            "https://orangery.blob.core.windows.net:444/",
        ] {
            assert!(!is(url), "{url}");
        }
    }

    #[test]
    fn a_bucket_is_an_account_of_the_subscription_and_a_container() {
        let id = "/subscriptions/s/resourcegroups/rg/providers/microsoft.storage/storageaccounts/orangery";
        assert_eq!(account_of(id, "s"), Some("orangery"));
        assert_eq!(account_of(id, "t"), None);
        assert_eq!(account_of(&format!("{id}/x"), "s"), None);
        for (name, fits) in [
            ("abc", true),
            ("a-1", true),
            ("ab", false),
            ("a/b", false),
            ("..", false),
            ("a--b", false),
            ("$root", false),
        ] {
            assert_eq!(is_container(name), fits, "{name}");
        }
    }
}
