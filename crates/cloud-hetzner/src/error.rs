//! What Hetzner's codes mean: one table from the vendor's words to ours.

use std::time::Duration;

use marquee_clouds::{CloudError, ErrorKind, Retry, rest::Refusal};

/// The vendor, in every error of this adapter.
pub const CLOUD: &str = "hetzner";

/// Codes with a meaning of their own, sorted. Source: "Error Codes" of the API's reference.
static CODES: &[(&str, ErrorKind)] = &[
    ("conflict", ErrorKind::Conflict),
    ("deprecated_api_endpoint", ErrorKind::Unsupported),
    ("forbidden", ErrorKind::PermissionDenied),
    ("invalid_input", ErrorKind::Invalid),
    ("json_error", ErrorKind::Invalid),
    ("locked", ErrorKind::Conflict),
    ("maintenance", ErrorKind::Unavailable),
    ("not_found", ErrorKind::NotFound),
    ("protected", ErrorKind::Conflict),
    ("rate_limit_exceeded", ErrorKind::Throttled),
    ("resource_limit_exceeded", ErrorKind::QuotaExceeded),
    ("resource_unavailable", ErrorKind::InsufficientCapacity),
    ("server_error", ErrorKind::Unavailable),
    ("timeout", ErrorKind::Timeout),
    ("token_readonly", ErrorKind::PermissionDenied),
    ("unauthorized", ErrorKind::Unauthenticated),
    ("unavailable", ErrorKind::Unavailable),
    ("uniqueness_error", ErrorKind::Conflict),
    ("unsupported_error", ErrorKind::Unsupported),
];

/// The kind of a refusal, by its code and else by its status.
fn kind_of(code: Option<&str>, status: u16) -> ErrorKind {
    let known = code.and_then(|code| CODES.iter().find(|(known, _)| *known == code));
    match (known, status) {
        (Some((_, kind)), _) => *kind,
        (None, 401) => ErrorKind::Unauthenticated,
        (None, 403) => ErrorKind::PermissionDenied,
        (None, 429) => ErrorKind::Throttled,
        (None, 500..) => ErrorKind::Unavailable,
        // Codes of single resources, e.g. `server_not_stopped`: the thing's state does not allow it.
        (None, _) if code.is_some() => ErrorKind::Conflict,
        // No code: not Hetzner's API, but what a proxy says.
        (None, _) => ErrorKind::Protocol,
    }
}

/// A refusal as an error: `{"error":{"code","message","details"}}`.
pub fn explain(refusal: &Refusal<'_>) -> CloudError {
    let error = &refusal.body["error"];
    let code = error["code"].as_str();
    let kind = kind_of(code, refusal.status);
    let message = error["message"].as_str().filter(|message| !message.is_empty());
    let message =
        message.map_or_else(|| format!("status {} without an explanation", refusal.status), str::to_owned);
    let header = |name: &str| refusal.headers.get(name).and_then(|value| value.to_str().ok());
    let mut made = CloudError::new(CLOUD, "", kind, message);
    made.code = code.map(str::to_owned);
    made.request_id = header("x-correlation-id").map(str::to_owned);
    if kind == ErrorKind::Throttled {
        made.retry =
            header("ratelimit-limit").and_then(|text| next_request(text.parse().ok()?)).unwrap_or(Retry::Now);
    }
    made
}

/// What is used up grows back evenly: of 3,600 requests an hour there is one more in a second. `RateLimit-Reset` says
/// when all are there again, which would be to wait too long.
fn next_request(hourly: u64) -> Option<Retry> {
    let seconds = 3_600_u64.checked_div(hourly)?;
    Some(Retry::After(Duration::from_secs(seconds.max(1))))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};

    use super::*;

    fn explained(status: u16, body: Value) -> CloudError {
        let headers = [("ratelimit-limit", "1800"), ("x-correlation-id", "abc")];
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        explain(&Refusal { status, headers: &headers, body })
    }

    fn coded(status: u16, code: &str) -> CloudError {
        explained(status, json!({ "error": { "code": code, "message": "m", "details": null } }))
    }

    #[test]
    fn the_code_tells_more_than_the_status() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(coded(403, "resource_limit_exceeded").kind, ErrorKind::QuotaExceeded);
        assert_eq!(coded(422, "server_not_stopped").kind, ErrorKind::Conflict);
        assert_eq!(coded(502, "bad_gateway").kind, ErrorKind::Unavailable);
        assert_eq!(explained(404, json!("<html>")).kind, ErrorKind::Protocol);
        assert_eq!(explained(503, json!(null)).kind, ErrorKind::Unavailable);
        assert_eq!(coded(404, "not_found").request_id.as_deref(), Some("abc"));
    }

    #[test]
    fn after_too_many_requests_the_next_is_due_when_one_grew_back() {
        assert_eq!(coded(429, "rate_limit_exceeded").retry, Retry::After(Duration::from_secs(2)));
        assert_eq!(coded(404, "not_found").retry, Retry::Never);
    }
}
