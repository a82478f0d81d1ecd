//! What a handler answers: a body, and the few headers that depend on it.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::endpoint::ResponseBody;
use crate::fault::Fault;

/// A successful answer.
#[derive(Debug)]
pub struct Reply<T> {
    body: T,
    status: Option<StatusCode>,
    version: Option<i64>,
    headers: Vec<(HeaderName, HeaderValue)>,
    secret_field: Option<SecretField>,
}

/// The field of the answer that is shown once: a replay under the same `Idempotency-Key` comes without it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecretField(pub &'static str);

impl<T> Reply<T> {
    /// `body` with the route's own status of success.
    pub fn new(body: T) -> Self {
        Self { body, status: None, version: None, headers: Vec::new(), secret_field: None }
    }

    /// With the thing's version as `ETag`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// With another status than the route's own, e.g. 200 where a thing existed already.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Names the top-level field that is shown only this once.
    #[must_use]
    pub fn shown_once(mut self, field: &'static str) -> Self {
        self.secret_field = Some(SecretField(field));
        self
    }

    /// Where the new thing is.
    #[must_use]
    pub fn location(mut self, path: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(path) {
            self.headers.push((header::LOCATION, value));
        }
        self
    }
}

/// Marks an answer whose status the route decides; the dispatcher replaces it by the row's `success`.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteStatus;

impl<T: ResponseBody> Reply<T> {
    pub(super) fn into_response(self) -> Result<Response<Body>, Fault> {
        let bytes = self.body.encode()?;
        let mut response = Response::new(Body::empty());
        match self.status {
            Some(status) => *response.status_mut() = status,
            None => {
                response.extensions_mut().insert(RouteStatus);
            }
        }
        if let Some(field) = self.secret_field {
            response.extensions_mut().insert(field);
        }
        let headers = response.headers_mut();
        if !bytes.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(version) = self.version {
            let tag =
                HeaderValue::from_str(&format!("\"{version}\"")).map_err(|e| Fault::Internal(e.into()))?;
            headers.insert(header::ETAG, tag);
        }
        headers.extend(self.headers);
        *response.body_mut() = Body::from(bytes);
        Ok(response)
    }
}
