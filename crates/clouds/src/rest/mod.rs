//! JSON over HTTPS, for clouds that speak it: one client that adapters share. It sends a request through the layers
//! with the token it is given, reads the whole answer, and leaves it to the adapter's table what a refusal means.

mod http;

use std::{fmt, sync::Arc, time::Duration};

use ::http::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

pub use http::{Clients, clients, not_sent};

use crate::{CallSite, CloudError, ErrorKind, Layers, Retry, layers::Tally};

/// Longer than any page of a cloud's.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Where tokens come from.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// A token that is good for some minutes at least.
    async fn token(&self) -> Result<SecretString, CloudError>;

    /// A call with this token was refused: the next one should be new.
    async fn refused(&self, token: &SecretString);
}

/// An answer that is no success.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body, if it is JSON.
    pub body: Value,
}

/// One request: JSON is one kind of body among others.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is to be done.
    pub method: reqwest::Method,
    /// With what.
    pub url: Url,
    /// Headers besides the token's.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Bytes>,
    /// The longest answer that is read.
    pub longest_answer: usize,
}

impl Request {
    /// A request without a body.
    pub fn new(method: reqwest::Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None, longest_answer: LONGEST_ANSWER }
    }
}

/// An answer that is a success.
#[derive(Debug)]
pub struct Answer {
    /// Its status: some clouds say by it whether work goes on.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
}

/// What an adapter makes of a refusal: kind, code and message. Retry-After and the layers' part are added here.
pub type Explain = fn(&Refusal<'_>) -> CloudError;

/// A client for one connection. Clones share everything.
#[derive(Clone)]
pub struct Rest {
    /// The HTTP client.
    pub http: reqwest::Client,
    /// What every call goes through.
    pub layers: Layers,
    /// Where tokens come from.
    pub tokens: Arc<dyn Tokens>,
    /// The vendor's name.
    pub cloud: &'static str,
    /// What refusals mean.
    pub explain: Explain,
}

impl Rest {
    /// GETs JSON.
    pub async fn get(&self, site: CallSite<'_>, url: &Url, tally: &Tally) -> Result<String, CloudError> {
        self.send(site, reqwest::Method::GET, url, None, tally).await
    }

    /// Sends JSON and reads JSON.
    pub async fn send(
        &self,
        site: CallSite<'_>,
        method: reqwest::Method,
        url: &Url,
        body: Option<&Value>,
        tally: &Tally,
    ) -> Result<String, CloudError> {
        let mut request = Request::new(method, url.clone());
        if let Some(body) = body {
            let json = ::http::HeaderValue::from_static("application/json");
            request.headers.insert(::http::header::CONTENT_TYPE, json);
            request.body = Some(body.to_string().into());
        }
        let request = &request;
        self.call(site, tally, |token| async move {
            let answer = self.attempt(request, &token).await?;
            String::from_utf8(answer.body.into()).map_err(|_| self.unreadable("the answer is not UTF-8"))
        })
        .await
    }

    /// Makes a call whose attempts are the caller's own: each sends what it will with [`Rest::attempt`] and the token it
    /// is given.
    pub async fn call<T, F, Fut>(
        &self,
        site: CallSite<'_>,
        tally: &Tally,
        mut attempt: F,
    ) -> Result<T, CloudError>
    where
        F: FnMut(SecretString) -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
    {
        // Outside the attempts: tokens have retries of their own, and outlive the call.
        let token = self.tokens.token().await?;
        let result = self.layers.call_counted(site, tally, || attempt(token.clone())).await;
        if result.as_ref().is_err_and(|error| error.kind == ErrorKind::Unauthenticated) {
            self.tokens.refused(&token).await;
        }
        result
    }

    /// Sends a request once, and reads the whole answer.
    pub async fn attempt(&self, request: &Request, token: &SecretString) -> Result<Answer, CloudError> {
        let sent = self.http.request(request.method.clone(), request.url.clone());
        let mut sent = sent.headers(request.headers.clone()).bearer_auth(token.expose_secret());
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        let response = sent.send().await.map_err(|error| not_sent(self.cloud, error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let success = (200..300).contains(&status);
        let longest = if success { request.longest_answer } else { LONGEST_ANSWER };
        let body = self.read(response, longest).await?;
        if success {
            return Ok(Answer { status, headers, body });
        }
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let mut error = (self.explain)(&Refusal { status, headers: &headers, body });
        // Whatever answered did answer: an error without a code is one without an answer.
        error.code.get_or_insert_with(|| status.to_string());
        if let (true, Some(after)) = (error.retry_helps(), retry_after(&headers)) {
            error.retry = Retry::After(after);
        }
        Err(error)
    }

    async fn read(&self, mut response: reqwest::Response, longest: usize) -> Result<Bytes, CloudError> {
        let announced =
            response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(announced.min(longest));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.cut_off(error))? {
            if body.len() + chunk.len() > longest {
                return Err(self.unreadable("the answer is longer than any page, or than what was asked for"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }

    /// The answer is not what the vendor's own model says.
    pub fn unreadable(&self, message: impl Into<String>) -> CloudError {
        CloudError::new(self.cloud, "", ErrorKind::Protocol, message)
    }

    fn cut_off(&self, error: reqwest::Error) -> CloudError {
        let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
        CloudError::new(self.cloud, "", kind, "the connection ended within the answer")
            .with_source(error.without_url())
    }
}

/// Seconds; the other form, a date, no cloud of ours sends.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(::http::header::RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rest({})", self.cloud)
    }
}
