//! AWS's protocols: from an HTTP request to an operation's name and input, and from its output to an HTTP answer, by
//! the published models alone.
//!
//! Values are JSON with the members' names of botocore. Times are texts as RFC 3339 has them, blobs are base64; the one
//! exception is a streamed body, which travels beside the value. What the model does not know is refused when it
//! comes in, and is a defect of the simulator when it goes out.
//!
//! [`mod@query`] reads EC2's and the Query protocol's forms, [`rest`] paths, headers and XML bodies, [`json`] JSON;
//! [`xml`] writes XML; [`input`] holds the constraints that all share; [`refusal`] is what errors look like.

pub mod input;
pub mod json;
pub mod query;
pub mod refusal;
pub mod rest;
pub mod splice;
pub mod xml;
mod xml_in;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt::Write as _};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::aws::schema::{Operation, Schema};
pub use input::Defect;
pub use refusal::Refusal;

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Ec2,
    Query,
    RestXml,
    Json,
}

/// A request as it came in, with its body as it was before any transfer encoding of S3's own.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// As sent, still encoded.
    pub path: String,
    /// As sent, still encoded.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What a handler answers: the output, and a streamed body if the operation has one.
#[derive(Debug, Default)]
pub struct Output {
    pub value: Value,
    pub body: Option<Bytes>,
    /// The HTTP status, where it is not the operation's own: 206 for a part of an object.
    pub status: Option<u16>,
}

impl From<Value> for Output {
    fn from(value: Value) -> Self {
        Self { value, body: None, status: None }
    }
}

impl Request {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The parameters behind the question mark, decoded.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (decoded(name), decoded(value))
            })
            .collect()
    }
}

/// A part of a URL, decoded. A plus stays a plus, as AWS has it.
pub fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl Dialect {
    /// How this request to that service is written. A service may speak several protocols.
    pub fn of(schema: &Schema, request: &Request) -> Self {
        match schema.meta.protocol.as_str() {
            "ec2" => Self::Ec2,
            "rest-xml" => Self::RestXml,
            "json" => Self::Json,
            _ if request.header("x-amz-target").is_some() => Self::Json,
            _ => Self::Query,
        }
    }

    /// Reads a request: its operation and its input.
    pub fn read<'a>(self, schema: &'a Schema, request: &Request) -> Result<(&'a Operation, Value), Refusal> {
        match self {
            Self::Ec2 | Self::Query => query::read(schema, request, self),
            Self::RestXml => rest::read(schema, request),
            Self::Json => json::read(schema, request),
        }
    }

    /// Writes an output.
    pub fn write(
        self,
        schema: &Schema,
        operation: &Operation,
        output: Output,
        request_id: &str,
    ) -> Result<Answer, Refusal> {
        let written = match self {
            Self::Ec2 | Self::Query => query::write(schema, operation, &output.value, request_id, self),
            Self::RestXml => rest::write(schema, operation, output),
            Self::Json => json::write(schema, operation, &output.value),
        };
        written.map_err(|what| Refusal::internal(format!("{}: {what}", operation.name)))
    }
}

impl Answer {
    /// An empty answer.
    pub fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An answer in XML.
    pub fn xml(status: u16, body: String) -> Self {
        let mut answer = Self::new(status);
        answer.header("content-type", "text/xml;charset=UTF-8");
        answer.body = body.into();
        answer
    }

    /// Gives the answer a body in JSON.
    pub fn json(&mut self, schema: &Schema, body: &Value) {
        let version = schema.meta.json_version.as_deref().unwrap_or("1.1");
        self.header("content-type", &format!("application/x-amz-json-{version}"));
        self.body = body.to_string().into();
    }

    /// Sets a header. What cannot be one is left out, as HTTP has no way to say it.
    pub fn header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
    }
}

/// Text as XML wants it.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\r') || byte < 0x09) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // A return would be read as a line end.
            '\r' => escaped.push_str("&#13;"),
            // XML 1.0 has no way to write the others.
            other if u32::from(other) < 0x09 => {
                let _infallible = write!(escaped, "\u{fffd}");
            }
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}
