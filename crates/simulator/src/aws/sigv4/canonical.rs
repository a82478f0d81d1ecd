//! The one form of a request that both sides sign.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::aws::protocol::Request;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_A_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// The canonical request.
pub fn request(request: &Request, signed_headers: &[String], payload_hash: &str, s3: bool) -> String {
    let path = if s3 { once_encoded(&request.path) } else { twice_encoded(&request.path) };
    let mut text = format!("{}\n{path}\n{}\n", request.method, query(&request.query));
    for name in signed_headers {
        let values = request.headers.get_all(name.as_str());
        let values: Vec<String> =
            values.iter().map(|value| trimmed(&String::from_utf8_lossy(value.as_bytes()))).collect();
        text.push_str(name);
        text.push(':');
        text.push_str(&values.join(","));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload_hash);
    text
}

/// S3 signs the path as it is, encoded once.
fn once_encoded(path: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    percent_encoding::percent_encode(&bytes, IN_A_PATH).to_string()
}

/// All others sign the path without its detours, and encode what was sent encoded again.
fn twice_encoded(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => parts.truncate(parts.len().saturating_sub(1)),
            part => parts.push(part),
        }
    }
    let mut plain = format!("/{}", parts.join("/"));
    if path.ends_with('/') && plain.len() > 1 {
        plain.push('/');
    }
    utf8_percent_encode(&plain, IN_A_PATH).to_string()
}

fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn encoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, UNRESERVED).to_string()
}

/// Without spaces at its ends, and with one where there were several.
fn trimmed(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}
