//! Faults as answers: `application/problem+json`, by RFC 9457.

use axum::body::Body;
use http::{HeaderValue, Response, header};

use crate::fault::Fault;

/// The problem's code, left on the answer for the audit log.
#[derive(Debug, Clone, Copy)]
pub struct Code(pub &'static str);

/// The answer that says `fault`. A defect of ours is logged here with everything, and shown without.
pub fn response(fault: &Fault, request_id: &str) -> Response<Body> {
    if let Fault::Internal(error) = fault {
        tracing::error!(request_id, error = format!("{error:#}"), backtrace = %error.backtrace(), "internal error");
    }
    let problem = fault.problem(request_id);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = fault.status();
    response.extensions_mut().insert(Code(fault.code().0));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = fault.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(fault, Fault::Unauthenticated(_)) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"marquee\""));
    }
    response
}
