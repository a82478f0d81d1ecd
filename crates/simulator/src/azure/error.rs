//! Refusals as Azure Resource Manager and its resource providers write them.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Value, json};

use crate::face::Reply;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// The code that clients decide by.
    pub code: String,
    /// What people read.
    pub message: String,
    /// Which member it is about.
    pub target: Option<String>,
    /// A code and message beneath, as some providers write them.
    pub detail: Option<Box<(String, String)>>,
    /// Headers that go with it.
    pub headers: Vec<(&'static str, String)>,
}

/// What a handler gives.
pub type Outcome<T> = Result<T, Refused>;

impl Refused {
    /// Any refusal.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { status, code, message, target: None, detail: None, headers: Vec::new() }
    }

    /// A wrong request.
    pub fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A request that does not fit the state of things.
    pub fn conflict(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// Something that is not there.
    pub fn missing(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// A resource that is not there, by its type and name.
    pub fn no_resource(kind: &str, name: &str, group: &str) -> Self {
        Self::missing(
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go \
                 to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// A resource group that is not there.
    pub fn no_group(group: &str) -> Self {
        Self::missing("ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
    }

    /// A parameter that must be there, as the compute provider says it.
    pub fn lacks(member: &str) -> Self {
        let last = member.rsplit('.').next().unwrap_or(member);
        Self::bad("InvalidParameter", format!("Required parameter '{last}' is missing (null).")).about(member)
    }

    /// A parameter whose value cannot be.
    pub fn value(member: &str, message: impl Into<String>) -> Self {
        Self::bad("InvalidParameter", message).about(member)
    }

    /// A reference to a resource that is not there.
    pub fn no_reference(from: &str, to: &str) -> Self {
        Self::bad(
            "InvalidResourceReference",
            format!(
                "Resource {to} referenced by resource {from} was not found. Please make sure that the referenced \
                 resource exists, and that both resources are in the same region."
            ),
        )
    }

    /// About a member.
    #[must_use]
    pub fn about(mut self, member: &str) -> Self {
        self.target = Some(member.to_owned());
        self
    }

    /// With a code and message beneath.
    #[must_use]
    pub fn detail(mut self, code: &str, message: impl Into<String>) -> Self {
        self.detail = Some(Box::new((code.to_owned(), message.into())));
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// As the value of `error`.
    pub fn value_of_error(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(target) = &self.target {
            error["target"] = json!(target);
        }
        if let Some(detail) = &self.detail {
            error["details"] = json!([{ "code": detail.0, "message": detail.1 }]);
        }
        error
    }

    /// As an answer.
    pub fn reply(&self) -> Reply {
        let body = json!({ "error": self.value_of_error() }).to_string();
        let mut reply = Reply::new(self.status).with("application/json; charset=utf-8", body);
        reply = reply.header("x-ms-failure-cause", "gateway");
        for (name, value) in &self.headers {
            reply = reply.header(name, value);
        }
        reply
    }
}

/// `'a','b'`, as messages enumerate.
pub fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().fold(String::new(), |mut text, word| {
        let comma = if text.is_empty() { "" } else { "," };
        let _infallible = write!(text, "{comma}{word}");
        text
    })
}
