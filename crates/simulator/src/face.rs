//! What makes one vendor of the simulator: the trait that `aws`, `azure`, `google` and `hetzner` implement.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::{
    estate::Estate,
    faults::Effects,
    plan::{Account, Group},
    world::{GrowError, World},
};

/// The vendors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaceName {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Google,
    /// Hetzner Cloud.
    Hetzner,
}

impl FaceName {
    /// The spelling in world files, faults and the control API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Google => "google",
            Self::Hetzner => "hetzner",
        }
    }
}

/// One vendor. Answers are computed, without any IO; the server waits, hangs or cuts as the reply says.
pub trait Face: Send + Sync {
    /// Which.
    fn name(&self) -> FaceName;

    /// Whether its clients speak TLS only.
    fn needs_tls(&self) -> bool {
        false
    }

    /// Answers a request, also a wrong one.
    fn answer(&self, world: &World, request: &Request) -> Reply;

    /// Every operation it simulates, by the name that [`Reply::operation`] gives.
    fn routes(&self) -> Vec<String>;

    /// Credentials of an account, as a client of this vendor takes them. `origin` is where the face listens.
    fn credentials(&self, world: &World, account: &Account, origin: &str) -> serde_json::Value;

    /// Makes the things of a group, as the world was made: at times in the past.
    fn grow(
        &self,
        world: &World,
        estate: &mut Estate,
        account: &Account,
        group: &Group,
    ) -> Result<(), GrowError>;
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as it was sent: still percent-encoded.
    pub path: String,
    /// The query as it was sent, without the question mark; empty if there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// Scheme, host and port the client used: what links in answers begin with.
    pub origin: String,
}

impl Request {
    /// A header's text; empty if it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The query's pairs, decoded, in their order.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }
}

/// An answer, and how it is to be given.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Which operation it was, for the record of calls; empty if none was found.
    pub operation: String,
    /// Wait before answering.
    pub delay: Duration,
    /// Do not answer at all.
    pub hangs: bool,
    /// End the connection in the middle of the body.
    pub cut: bool,
}

impl Reply {
    /// An answer without anything.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            operation: String::new(),
            delay: Duration::ZERO,
            hangs: false,
            cut: false,
        }
    }

    /// With a body of a type.
    #[must_use]
    pub fn with(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// With a header; one whose text cannot stand in a header is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Of an operation, given as the faults on its call demand.
    #[must_use]
    pub fn of(mut self, operation: &str, effects: &Effects) -> Self {
        operation.clone_into(&mut self.operation);
        self.delay = effects.delay;
        self.hangs = effects.hangs;
        self.cut = effects.cut;
        self
    }
}
