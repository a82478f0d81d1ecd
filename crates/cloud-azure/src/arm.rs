//! Our client for Azure's resource manager: every service of it answers lists as `value` and `nextLink`, and everything
//! at a path that begins with the subscription.

use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Observed, Page, PageSink,
    layers::Tally,
    paging::{self, Seen},
    rest::Rest,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use url::Url;

use crate::error::CLOUD;

/// The resource manager of the public cloud.
const PUBLIC: &str = "https://management.azure.com";

/// One operation that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The namespace, which names the throttle: `Microsoft.Compute`.
    pub service: &'static str,
    /// The operation as the vendor's specification names it.
    pub operation: &'static str,
    /// The path after the subscription, or with `{id}` for the path of a resource.
    pub path: &'static str,
    /// What stands in the query besides.
    pub query: &'static str,
    /// The version of the API.
    pub version: &'static str,
}

/// The resource manager, for one subscription.
#[derive(Debug, Clone)]
pub struct Arm {
    /// The client.
    pub rest: Rest,
    /// Its address, without a slash at the end.
    base: String,
    /// The subscription's id.
    subscription: String,
}

/// A page as every service answers it.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "nextLink", default)]
    next: Option<String>,
}

impl Arm {
    /// A client for a subscription, at the public cloud or at another endpoint.
    pub fn new(rest: Rest, endpoint: Option<&Url>, subscription: String) -> Self {
        let base = endpoint.map_or(PUBLIC, Url::as_str).trim_end_matches('/').to_owned();
        Self { rest, base, subscription }
    }

    /// One thing.
    pub async fn get(&self, read: &Read, id: &str, tally: &Tally) -> Result<Value, CloudError> {
        let text = self.rest.get(site(read), &self.url(read, id)?, tally).await?;
        self.parsed(read, &text)
    }

    /// All of a list, for lists that are short.
    pub async fn all(&self, read: &Read, id: &str, tally: &Tally) -> Result<Vec<Value>, CloudError> {
        let (mut found, mut seen) = (Vec::new(), Seen::default());
        let mut url = self.url(read, id)?;
        loop {
            seen.note(CLOUD, read.operation, &url)?;
            let text = self.rest.get(site(read), &url, tally).await?;
            let (items, next) = self.items(read, &text)?;
            for item in items {
                found.push(self.parsed(read, item.get())?);
            }
            match next {
                Some(next) => url = next,
                None => return Ok(found),
            }
        }
    }

    /// A list, page by page, each item read by `normalise`: none, one or several resources.
    pub async fn list(
        &self,
        read: &Read,
        tally: &Tally,
        sink: &mut dyn PageSink,
        normalise: impl Fn(Value) -> Result<Vec<Observed>, &'static str> + Send + Sync,
    ) -> Result<(), CloudError> {
        let first = &self.url(read, "")?;
        let normalise = &normalise;
        let fetch = |next: Option<Url>| async move {
            let url = next.unwrap_or_else(|| first.clone());
            let text = self.rest.get(site(read), &url, tally).await?;
            let (items, next) = self.items(read, &text)?;
            let mut resources = Vec::with_capacity(items.len());
            for (index, item) in items.into_iter().enumerate() {
                let read_item = normalise(self.parsed(read, item.get())?);
                resources.extend(read_item.map_err(|why| self.wrong(read, why))?);
                if index % 64 == 63 {
                    // Other tasks get a turn: about a millisecond's worth.
                    tokio::task::yield_now().await;
                }
            }
            Ok((Page { resources, throttled: tally.take_throttled() }, next))
        };
        paging::walk(CLOUD, read.operation, sink, fetch).await
    }

    /// Where an operation is read. `id` stands for `{id}`: a resource's path, or part of one.
    fn url(&self, read: &Read, id: &str) -> Result<Url, CloudError> {
        let Self { base, subscription, .. } = self;
        let path = read.path.replace("{id}", id);
        let path = if path.starts_with("/subscriptions/") {
            path
        } else {
            format!("/subscriptions/{subscription}{path}")
        };
        let more = if read.query.is_empty() { String::new() } else { format!("&{}", read.query) };
        Url::parse(&format!("{base}{path}?api-version={}{more}", read.version)).map_err(|_| {
            CloudError::new(CLOUD, read.operation, ErrorKind::Invalid, format!("{id} is no resource's id"))
        })
    }

    fn items<'a>(&self, read: &Read, text: &'a str) -> Result<(Vec<&'a RawValue>, Option<Url>), CloudError> {
        let answer: Answer<'a> =
            serde_json::from_str(text).map_err(|error| self.wrong(read, &error.to_string()))?;
        let next = answer.next.filter(|next| !next.is_empty());
        let next = next.map(|next| self.own(read, &next)).transpose()?;
        Ok((answer.value, next))
    }

    /// The link to the next page; one that leads elsewhere would carry our token there.
    fn own(&self, read: &Read, next: &str) -> Result<Url, CloudError> {
        let url = Url::parse(next).ok().filter(|url| url.origin().ascii_serialization() == self.base);
        url.ok_or_else(|| self.wrong(read, "the link to the next page leads to another host"))
    }

    fn parsed(&self, read: &Read, text: &str) -> Result<Value, CloudError> {
        serde_json::from_str(text).map_err(|error| self.wrong(read, &error.to_string()))
    }

    /// An answer that is not what Azure's model says.
    pub fn wrong(&self, read: &Read, message: &str) -> CloudError {
        let mut error = self.rest.unreadable(message);
        error.operation = format!("{}:{}", read.service, read.operation);
        error
    }
}

fn site(read: &Read) -> CallSite<'static> {
    CallSite { cloud: CLOUD, service: read.service, operation: read.operation, region: None }
}
