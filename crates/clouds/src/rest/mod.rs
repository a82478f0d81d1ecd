//! JSON over HTTPS, for clouds that speak it: one client that adapters share. It sends a request through the layers
//! with the token it is given, reads the whole answer, and leaves it to the adapter's table what a refusal means.

mod http;

use std::{fmt, sync::Arc, time::Duration};

use ::http::HeaderMap;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

pub use http::{client, not_sent};

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
        // Outside the attempts: tokens have retries of their own, and outlive the call.
        let token = self.tokens.token().await?;
        let body: Option<Arc<str>> = body.map(|body| body.to_string().into());
        let result = self
            .layers
            .call_counted(site, tally, || {
                let (method, url, token, body) = (method.clone(), url.clone(), token.clone(), body.clone());
                async move { self.attempt(method, url, &token, body).await }
            })
            .await;
        if result.as_ref().is_err_and(|error| error.kind == ErrorKind::Unauthenticated) {
            self.tokens.refused(&token).await;
        }
        result
    }

    async fn attempt(
        &self,
        method: reqwest::Method,
        url: Url,
        token: &SecretString,
        body: Option<Arc<str>>,
    ) -> Result<String, CloudError> {
        let mut request = self.http.request(method, url).bearer_auth(token.expose_secret());
        if let Some(body) = body {
            request = request.header(::http::header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| not_sent(self.cloud, error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = self.read(response).await?;
        if (200..300).contains(&status) {
            return Ok(text);
        }
        let body = serde_json::from_str(&text).unwrap_or_default();
        let mut error = (self.explain)(&Refusal { status, headers: &headers, body });
        if let (true, Some(after)) = (error.retry_helps(), retry_after(&headers)) {
            error.retry = Retry::After(after);
        }
        Err(error)
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<String, CloudError> {
        let announced =
            response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(announced.min(LONGEST_ANSWER));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.cut_off(error))? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(self.unreadable("the answer is longer than any page"));
            }
            body.extend_from_slice(&chunk);
        }
        String::from_utf8(body).map_err(|_| self.unreadable("the answer is not UTF-8"))
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
