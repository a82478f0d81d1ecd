//! The official client's errors as ours: blob storage has codes of its own, and says them in XML or, where there is no body,
//! in a header. The client reads both.

use std::time::Duration;

use azure_core::error::ErrorKind as Theirs;
use marquee_clouds::{CloudError, ErrorKind, Retry};

use crate::error::{CLOUD, kind_of};

/// An error of the official client's. Operation and region are added by the layers.
pub fn blob_error(error: &azure_core::Error) -> CloudError {
    let Theirs::HttpResponse { status, error_code, raw_response } = error.kind() else {
        return other(error);
    };
    let header = |name: &'static str| {
        let headers = raw_response.as_ref().map(|response| response.headers());
        headers.and_then(|headers| headers.get_optional_str(&name.into())).map(str::to_owned)
    };
    // The crate puts the status's own words where there is no code.
    let code = header("x-ms-error-code")
        .or_else(|| error_code.clone().filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    let status = u16::from(*status);
    let kind = kind_of(code.as_deref().unwrap_or_default(), status, "");
    let body = raw_response.as_ref().map(|response| String::from_utf8_lossy(response.body()).into_owned());
    let message = body.as_deref().and_then(said).unwrap_or_else(|| match kind {
        ErrorKind::Protocol => format!("an answer with status {status} that is not Azure's"),
        _ => format!("status {status} without an explanation"),
    });
    let mut made = CloudError::new(CLOUD, "", kind, message);
    made.code = code;
    made.request_id = header("x-ms-request-id");
    let after = header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    if let (true, Some(after)) = (made.retry_helps(), after) {
        made.retry = Retry::After(after);
    }
    made
}

/// The first line of `<Message>`: the others are the request's id and the time.
fn said(body: &str) -> Option<String> {
    let message = body.split_once("<Message>")?.1.split_once("</Message>")?.0;
    let line = message.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// A request that never left, or an answer that never came or cannot be read.
fn other(error: &azure_core::Error) -> CloudError {
    let (kind, message) = match error.kind() {
        Theirs::Connection => (ErrorKind::Unavailable, "the endpoint could not be reached"),
        Theirs::Io => (ErrorKind::Unavailable, "the connection ended within the call"),
        Theirs::DataConversion => (ErrorKind::Protocol, "an answer that cannot be read"),
        _ => (ErrorKind::Protocol, "the call failed"),
    };
    CloudError::new(CLOUD, "", kind, message).with_source(error.to_string())
}
