//! What Google says when it refuses: one error object, with a status for newer clients and a reason for older ones.

use http::StatusCode;
use serde_json::{Value, json};

use crate::faults;

/// A refusal, on its way to the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The reason, as clients of before 2018 read it: `notFound`.
    pub reason: &'static str,
    /// What is wrong, in the vendor's words.
    pub message: String,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// Members of the request that are wrong, each with its place and what is wrong with it.
    pub violations: Vec<(String, String)>,
    /// A permission that is missing: the service that asks for it, the permission, and on what.
    pub missing: Option<(String, String, String)>,
}

impl Refusal {
    /// A refusal of a status, reason and message.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            retry_after: None,
            violations: Vec::new(),
            missing: None,
        }
    }

    /// Compute's words for what is not there; `path` is `projects/p/zones/z/disks/d`.
    pub fn not_found(path: &str) -> Self {
        Self::new(404, "notFound", format!("The resource '{path}' was not found"))
    }

    /// Compute's words for what is there already.
    pub fn exists(path: &str) -> Self {
        Self::new(409, "alreadyExists", format!("The resource '{path}' already exists"))
    }

    /// Compute's words for a value that cannot be.
    pub fn invalid(field: &str, value: &str, why: &str) -> Self {
        Self::new(400, "invalid", format!("Invalid value for field '{field}': '{value}'. {why}"))
    }

    /// Compute's words for a member that is missing.
    pub fn required(field: &str) -> Self {
        Self::new(400, "required", format!("Required field '{field}' not specified"))
    }

    /// Compute's words for a link that leads nowhere.
    pub fn dangling(field: &str, value: &str) -> Self {
        Self::invalid(field, value, "The referenced resource cannot be found.")
    }

    /// Compute's words for what something else still needs.
    pub fn in_use(path: &str, by: &str) -> Self {
        let message = format!("The resource '{path}' is already being used by '{by}'");
        Self::new(400, "resourceInUseByAnotherResource", message)
    }

    /// Compute's words for what is not yet, or not any more, in a state to be changed.
    pub fn not_ready(path: &str) -> Self {
        Self::new(400, "resourceNotReady", format!("The resource '{path}' is not ready"))
    }

    /// A request that is wrong, in the words of the newer services.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "badRequest", message)
    }

    /// No one, or no one known, asks.
    pub fn unauthenticated() -> Self {
        Self::new(
            401,
            "authError",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
             authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )
    }

    /// Someone asks who may not.
    pub fn forbidden(permission: &str, resource: &str) -> Self {
        let message =
            format!("Permission '{permission}' denied on resource '{resource}' (or it may not exist).");
        Self::new(403, "forbidden", message)
    }

    /// Google knows the method; the simulator does not have it.
    pub fn unimplemented(what: &str) -> Self {
        Self::new(
            501,
            "notImplemented",
            format!("Operation is not implemented, or supported, or enabled: {what}"),
        )
    }

    /// A caller lacks a permission, in the words of the service.
    pub fn denied(permission: &str, service: &str, (email, project): (&str, &str)) -> Self {
        match service {
            "compute" => Self::new(
                403,
                "forbidden",
                format!("Required '{permission}' permission for 'projects/{project}'"),
            ),
            "storage" => Self::new(
                403,
                "forbidden",
                format!(
                    "{email} does not have {permission} access to the Google Cloud project. Permission '{permission}' \
                     denied on resource (or it may not exist)."
                ),
            ),
            "sqladmin" => {
                Self::new(403, "notAuthorized", "The client is not authorized to make this request.")
            }
            "dns" => Self::new(403, "forbidden", "Forbidden"),
            _ => {
                let on = format!("projects/{project}");
                Self {
                    missing: Some((format!("{service}.googleapis.com"), permission.to_owned(), on.clone())),
                    ..Self::forbidden(permission, &format!("//{service}.googleapis.com/{on}"))
                }
            }
        }
    }

    /// What a fault makes of a call to a service, by a caller in a project.
    pub fn of_fault(fault: &faults::Refusal, service: &str, caller: (&str, &str)) -> Self {
        match fault {
            faults::Refusal::Denied(permission) => Self::denied(permission, service, caller),
            faults::Refusal::Throttled { retry_after } => {
                let metric = format!(
                    "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service '{service}.googleapis.com'."
                );
                // Compute says 403 where the newer services say 429.
                let code = if service == "compute" { 403 } else { 429 };
                Self { retry_after: *retry_after, ..Self::new(code, "rateLimitExceeded", metric) }
            }
            faults::Refusal::Failing(503) | faults::Refusal::RegionLost => {
                Self::new(503, "backendError", "The service is currently unavailable.")
            }
            faults::Refusal::Failing(status) => {
                Self::new(*status, "backendError", "Internal error encountered. Please try again.")
            }
            faults::Refusal::Revoked | faults::Refusal::Expired => Self::unauthenticated(),
        }
    }

    /// The status's name in Google's list of errors.
    pub fn status(&self) -> &'static str {
        match (self.code, self.reason) {
            (400, "conditionNotMet" | "resourceNotReady" | "failedPrecondition") | (412, _) => {
                "FAILED_PRECONDITION"
            }
            (400, _) => "INVALID_ARGUMENT",
            (401, _) => "UNAUTHENTICATED",
            (403 | 429, "rateLimitExceeded" | "quotaExceeded") => "RESOURCE_EXHAUSTED",
            (403, _) => "PERMISSION_DENIED",
            (404, _) => "NOT_FOUND",
            (409, "operationInProgress" | "conflict") => "ABORTED",
            (409, _) => "ALREADY_EXISTS",
            (501, _) => "UNIMPLEMENTED",
            (503, _) => "UNAVAILABLE",
            (504, _) => "DEADLINE_EXCEEDED",
            _ => "INTERNAL",
        }
    }

    /// The HTTP status.
    pub fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The error object.
    pub fn body(&self) -> Value {
        let mut one = json!({ "message": self.message, "domain": self.domain(), "reason": self.reason });
        if self.code == 401 {
            one["location"] = "Authorization".into();
            one["locationType"] = "header".into();
        }
        let mut error =
            json!({ "code": self.code, "message": self.message, "errors": [one], "status": self.status() });
        if !self.violations.is_empty() {
            let violations: Vec<Value> = self
                .violations
                .iter()
                .map(|(field, what)| json!({ "field": field, "description": what }))
                .collect();
            error["details"] = json!([{ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations }]);
        }
        if let Some((service, permission, resource)) = &self.missing {
            error["details"] = json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED", "domain": service,
                "metadata": { "permission": permission, "resource": resource } }]);
        }
        json!({ "error": error })
    }

    fn domain(&self) -> &'static str {
        if self.reason == "rateLimitExceeded" { "usageLimits" } else { "global" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_status_for_newer_and_a_reason_for_older_clients() {
        let body = Refusal::not_found("projects/p/zones/z/disks/d").body();
        assert_eq!(body["error"]["code"], 404);
        assert_eq!(body["error"]["status"], "NOT_FOUND");
        assert_eq!(body["error"]["errors"][0]["reason"], "notFound");
        assert_eq!(body["error"]["message"], "The resource 'projects/p/zones/z/disks/d' was not found");
    }
}
