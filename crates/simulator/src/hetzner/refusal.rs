//! What Hetzner says when it refuses: `{"error": {"code", "message", "details"}}`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::faults;

/// A refusal, on its way to the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code: `invalid_input`.
    pub code: &'static str,
    /// What is wrong, in the vendor's words.
    pub message: String,
    /// What belongs to the code; null for most.
    pub details: Value,
    /// Seconds until calls are taken again.
    pub again_after: Option<u64>,
}

impl Refusal {
    /// A refusal of a status, code and message.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Value::Null, again_after: None }
    }

    /// No token, or none that is known.
    pub fn unauthorized() -> Self {
        Self::new(401, "unauthorized", "unable to authenticate")
    }

    /// A token that may only read.
    pub fn read_only() -> Self {
        Self::new(403, "token_readonly", "the token is only allowed to perform GET requests")
    }

    /// Nothing of this kind has the id.
    pub fn not_found(kind: &str, id: &str) -> Self {
        Self::new(404, "not_found", format!("{kind} with ID '{id}' not found"))
    }

    /// Members or parameters that cannot be, each with what is wrong with it.
    pub fn invalid_fields(wrongs: &[(String, String)]) -> Self {
        let names: Vec<String> = wrongs.iter().map(|(name, _)| format!("'{name}'")).collect();
        let several = if names.len() > 1 { "fields" } else { "field" };
        let fields: Vec<Value> =
            wrongs.iter().map(|(name, what)| json!({ "name": name, "messages": [what] })).collect();
        Self {
            details: json!({ "fields": fields }),
            ..Self::new(422, "invalid_input", format!("invalid input in {several} {}", names.join(", ")))
        }
    }

    /// One of them.
    pub fn invalid(field: &str, what: &str) -> Self {
        Self::invalid_fields(&[(field.to_owned(), what.to_owned())])
    }

    /// Another thing of the project has the value already.
    pub fn taken(field: &str, what: &str) -> Self {
        Self {
            details: json!({ "fields": [{ "name": field }] }),
            ..Self::new(409, "uniqueness_error", format!("{what} is already used"))
        }
    }

    /// An action on the thing is not at its end.
    pub fn locked(kind: &str) -> Self {
        Self::new(423, "locked", format!("{kind} is locked"))
    }

    /// The thing is protected.
    pub fn protected(kind: &str, from: &str) -> Self {
        Self::new(423, "protected", format!("{kind} is protected from {from}"))
    }

    /// A limit of the project is reached.
    pub fn limit(name: &str) -> Self {
        Self {
            details: json!({ "limits": [{ "name": name }] }),
            ..Self::new(403, "resource_limit_exceeded", format!("{name} exceeded"))
        }
    }

    /// Hetzner knows the call; the simulator does not have it.
    pub fn unsupported(what: &str) -> Self {
        Self::new(501, "unsupported_error", format!("{what} is not simulated"))
    }

    /// What a fault makes of a call.
    pub fn of_fault(fault: &faults::Refusal) -> Self {
        match fault {
            faults::Refusal::Throttled { retry_after } => {
                let refusal = Self::new(429, "rate_limit_exceeded", "limit of requests per hour reached");
                Self { again_after: *retry_after, ..refusal }
            }
            faults::Refusal::Denied(permission) if permission == "write" => {
                Self::new(403, "token_readonly", "the token is only valid for reading")
            }
            faults::Refusal::Denied(_) => {
                Self::new(403, "forbidden", "insufficient permissions for this request")
            }
            faults::Refusal::Failing(503) | faults::Refusal::RegionLost => {
                Self::new(503, "unavailable", "the service is currently not available")
            }
            faults::Refusal::Failing(status) => Self::new(*status, "server_error", "internal server error"),
            faults::Refusal::Revoked | faults::Refusal::Expired => Self::unauthorized(),
        }
    }

    /// The HTTP status.
    pub fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The error object.
    pub fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "details": self.details } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let body = Refusal::invalid("size", "must be at least 10").body();
        assert_eq!(body["error"]["code"], "invalid_input");
        assert_eq!(body["error"]["message"], "invalid input in field 'size'");
        assert_eq!(body["error"]["details"]["fields"][0]["messages"][0], "must be at least 10");
    }
}
