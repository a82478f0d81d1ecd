//! Our client for Azure's resource manager: every service of it answers lists as `value` and `nextLink`, and everything
//! at a path that begins with the subscription. What goes on after the answer to a change is followed by a link.

use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Observed, Page, PageSink,
    layers::Tally,
    paging::{self, Seen},
    rest::{Answer as Answered, Request, Rest},
};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use url::Url;

use crate::error::{CLOUD, kind_of};

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

/// One operation that changes something.
#[derive(Debug)]
pub struct Write {
    /// What is done.
    pub method: Method,
    /// At which address.
    pub at: Read,
}

/// Under which condition something is changed.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    /// None: all that most services know.
    Any,
    /// If there is nothing yet.
    Absent,
    /// If it is still what had this tag.
    Unchanged(&'a str),
}

/// The answer to a change.
#[derive(Debug)]
pub struct Sent {
    /// What it says; null if it says nothing.
    pub body: Value,
    /// What goes on after it.
    pub follow: Option<Follow>,
}

/// A link to what goes on, in the words of the header that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Follow {
    /// Answers a status, and why something failed.
    #[serde(rename = "azure-asyncoperation")]
    Status(String),
    /// Answers 202 as long as it goes on.
    #[serde(rename = "location")]
    Result(String),
}

/// How far what goes on is.
#[derive(Debug)]
pub enum Followed {
    /// Under way, in the vendor's word.
    Working(String),
    /// Over, and well; or so long ago that nothing is known of it any more.
    Over,
    /// Over, and not well.
    Failed(CloudError),
}

/// Where a change says how it goes on.
static ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// Following a link.
const FOLLOW: CallSite<'static> =
    CallSite { cloud: CLOUD, service: "Microsoft.Resources", operation: "AsyncOperation", region: None };

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

    /// Changes something. Safe to be sent again only if the operation or its condition makes it so: the layers do.
    pub async fn send(
        &self,
        write: &Write,
        id: &str,
        body: Option<&Value>,
        condition: Condition<'_>,
    ) -> Result<Sent, CloudError> {
        let mut request = Request::new(write.method.clone(), self.url(&write.at, id)?);
        if let Some(body) = body {
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.body = Some(body.to_string().into());
        }
        match condition {
            Condition::Any => {}
            Condition::Absent => {
                request.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            Condition::Unchanged(tag) => {
                let tag = HeaderValue::from_str(tag).map_err(|_| self.wrong(&write.at, "an odd etag"))?;
                request.headers.insert(IF_MATCH, tag);
            }
        }
        let answer = self.answer(site(&write.at), &request).await?;
        let header = |name: &HeaderName| {
            let link = answer.headers.get(name).and_then(|link| link.to_str().ok())?;
            // One that leads elsewhere is none: it would carry our token there.
            self.leads_here(link).then(|| link.to_owned())
        };
        let status = header(&ASYNC_OPERATION).map(Follow::Status);
        let follow = status.or_else(|| header(&LOCATION).map(Follow::Result));
        // Some answers are no JSON: empty, or a text.
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok(Sent { body, follow })
    }

    /// Looks how far what goes on is. A link that leads elsewhere is refused: it would carry our token there.
    pub async fn follow(&self, follow: &Follow) -> Result<Followed, CloudError> {
        let (Follow::Status(link) | Follow::Result(link)) = follow;
        let url = Url::parse(link).ok().filter(|_| self.leads_here(link)).ok_or_else(|| {
            let message = "the link to the operation leads to another host than this connection's";
            CloudError::new(CLOUD, "Microsoft.Resources:AsyncOperation", ErrorKind::Invalid, message)
        })?;
        let answer = match self.answer(FOLLOW, &Request::new(Method::GET, url)).await {
            Ok(answer) => answer,
            // Azure forgets operations after some days: the thing itself says what became of it.
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(Followed::Over),
            // The result of what failed is the failure; a failure to look is not.
            Err(error) if matches!(follow, Follow::Result(_)) && is_the_change_s(error.kind) => {
                return Ok(Followed::Failed(error));
            }
            Err(error) => return Err(error),
        };
        if matches!(follow, Follow::Result(_)) {
            let working = answer.status == 202;
            return Ok(if working { Followed::Working("InProgress".to_owned()) } else { Followed::Over });
        }
        let body: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| self.rest.unreadable(format!("the status of an operation: {error}")))?;
        Ok(match body["status"].as_str().unwrap_or_default() {
            "Succeeded" => Followed::Over,
            "Failed" | "Canceled" => Followed::Failed(failure(&body)),
            "" => return Err(self.rest.unreadable("the status of an operation says no status")),
            word => Followed::Working(word.to_owned()),
        })
    }

    async fn answer(&self, site: CallSite<'static>, request: &Request) -> Result<Answered, CloudError> {
        let attempt = |token| async move { self.rest.attempt(request, &token).await };
        self.rest.call(site, &Tally::default(), attempt).await
    }

    fn leads_here(&self, link: &str) -> bool {
        Url::parse(link).is_ok_and(|url| url.origin().ascii_serialization() == self.base)
    }

    /// The id of a resource of a type (`Microsoft.Compute/disks`) in a resource group.
    pub fn id(&self, group: &str, kind: &str, name: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}/providers/{kind}/{name}", self.subscription)
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
        let url = Url::parse(next).ok().filter(|_| self.leads_here(next));
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

/// Whether an error is what became of a change, and not of looking at it.
fn is_the_change_s(kind: ErrorKind) -> bool {
    use ErrorKind::{
        Conflict, InsufficientCapacity, Invalid, PreconditionFailed, QuotaExceeded, Unsupported,
    };
    matches!(
        kind,
        Conflict | InsufficientCapacity | Invalid | PreconditionFailed | QuotaExceeded | Unsupported
    )
}

/// Why an operation failed, by its own status.
fn failure(status: &Value) -> CloudError {
    let text = |name: &str| status["error"][name].as_str().unwrap_or_default();
    let (code, message) = (text("code"), text("message"));
    let message = if message.is_empty() { "the operation failed, without an explanation" } else { message };
    let error =
        CloudError::new(CLOUD, "Microsoft.Resources:AsyncOperation", kind_of(code, 409, message), message);
    if code.is_empty() { error } else { error.with_code(code) }
}

fn site(read: &Read) -> CallSite<'static> {
    CallSite { cloud: CLOUD, service: read.service, operation: read.operation, region: None }
}
