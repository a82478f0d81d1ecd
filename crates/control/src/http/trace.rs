//! Request ids and W3C trace context: accepted when well-formed, made here otherwise.

use http::{HeaderMap, HeaderValue};
use marquee_types::RequestId;

/// The caller's `X-Request-Id` if it is 1 to 128 characters of `A-Z a-z 0-9 . _ -`, else a new one.
pub fn request_id(headers: &HeaderMap) -> String {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|text| is_request_id(text))
        .map_or_else(|| RequestId::new().to_string(), str::to_owned)
}

fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A caller's trace: 32 hexadecimal digits of trace id and 16 of parent span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace this request belongs to.
    pub trace_id: String,
    /// The caller's span.
    pub parent_id: String,
}

/// `traceparent` by W3C Trace Context level 1; one that is malformed is ignored, as the standard asks.
pub fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let text = headers.get("traceparent").map(HeaderValue::to_str)?.ok()?;
    let mut parts = text.split('-');
    let (version, trace_id, parent_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let all_zero = |text: &str| text.bytes().all(|b| b == b'0');
    let valid = hex(version, 2)
        && version != "ff"
        && hex(trace_id, 32)
        && hex(parent_id, 16)
        && hex(flags, 2)
        && !all_zero(trace_id)
        && !all_zero(parent_id)
        && (version != "00" || parts.next().is_none());
    valid.then(|| TraceParent { trace_id: trace_id.to_owned(), parent_id: parent_id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        headers
    }

    #[test]
    fn only_tame_request_ids_are_echoed() {
        assert_eq!(request_id(&headers("x-request-id", "build-7.a")), "build-7.a");
        for wild in ["", "a b", "<script>", &"x".repeat(129), "é"] {
            assert!(request_id(&headers("x-request-id", wild)).starts_with("req_"), "{wild}");
        }
    }

    #[test]
    fn a_malformed_trace_is_ignored() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(trace_parent(&headers("traceparent", good)).is_some());
        for bad in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_parent(&headers("traceparent", bad)), None, "{bad}");
        }
    }
}
