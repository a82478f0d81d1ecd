//! What Google's reasons and statuses mean: one table from the vendor's words to ours.

use marquee_clouds::{CloudError, ErrorKind, rest::Refusal};

/// The vendor, in every error of this adapter.
pub const CLOUD: &str = "gcp";

/// Reasons with a meaning of their own, sorted. Sources: "Error messages" of Compute Engine and of Cloud Storage's JSON
/// API, of Cloud SQL's Admin API, the codes of Compute Engine's operations, `google.rpc.Code`, and `google.api.ErrorReason`.
static REASONS: &[(&str, ErrorKind)] = &[
    ("ACCESS_TOKEN_EXPIRED", ErrorKind::Unauthenticated),
    ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", ErrorKind::PermissionDenied),
    ("ALREADY_EXISTS", ErrorKind::Conflict),
    ("BILLING_DISABLED", ErrorKind::Unsupported),
    ("CONDITION_NOT_MET", ErrorKind::PreconditionFailed),
    ("GCE_STOCKOUT", ErrorKind::InsufficientCapacity),
    ("IAM_PERMISSION_DENIED", ErrorKind::PermissionDenied),
    ("INTERNAL_ERROR", ErrorKind::Unavailable),
    ("INVALID_ARGUMENT", ErrorKind::Invalid),
    ("INVALID_FIELD_VALUE", ErrorKind::Invalid),
    ("INVALID_USAGE", ErrorKind::Conflict),
    ("LIMIT_EXCEEDED", ErrorKind::QuotaExceeded),
    ("NOT_FOUND", ErrorKind::NotFound),
    ("PERMISSIONS_ERROR", ErrorKind::PermissionDenied),
    ("PERMISSION_DENIED", ErrorKind::PermissionDenied),
    ("QUOTA_EXCEEDED", ErrorKind::QuotaExceeded),
    ("RATE_LIMIT_EXCEEDED", ErrorKind::Throttled),
    ("RESOURCE_ALREADY_EXISTS", ErrorKind::Conflict),
    ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", ErrorKind::Conflict),
    ("RESOURCE_NOT_FOUND", ErrorKind::NotFound),
    ("RESOURCE_NOT_READY", ErrorKind::Conflict),
    ("RESOURCE_OPERATION_RATE_EXCEEDED", ErrorKind::Throttled),
    ("SERVICE_DISABLED", ErrorKind::Unsupported),
    ("STOCKOUT", ErrorKind::InsufficientCapacity),
    ("UNAUTHENTICATED", ErrorKind::Unauthenticated),
    ("UNAVAILABLE", ErrorKind::Unavailable),
    ("UNSUPPORTED_OPERATION", ErrorKind::Unsupported),
    ("ZONE_RESOURCE_POOL_EXHAUSTED", ErrorKind::InsufficientCapacity),
    ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", ErrorKind::InsufficientCapacity),
    ("accessNotConfigured", ErrorKind::Unsupported),
    ("alreadyExists", ErrorKind::Conflict),
    ("authError", ErrorKind::Unauthenticated),
    ("backendError", ErrorKind::Unavailable),
    ("backupRunDoesNotExist", ErrorKind::NotFound),
    ("conditionNotMet", ErrorKind::PreconditionFailed),
    ("conflict", ErrorKind::Conflict),
    ("forbidden", ErrorKind::PermissionDenied),
    ("instanceAlreadyExists", ErrorKind::Conflict),
    ("instanceDoesNotExist", ErrorKind::NotFound),
    ("invalidOperation", ErrorKind::Conflict),
    ("invalidResourceUsage", ErrorKind::Conflict),
    ("invalidState", ErrorKind::Conflict),
    ("limitExceeded", ErrorKind::QuotaExceeded),
    ("notFound", ErrorKind::NotFound),
    ("operationDoesNotExist", ErrorKind::NotFound),
    ("operationInProgress", ErrorKind::Conflict),
    ("quotaExceeded", ErrorKind::QuotaExceeded),
    ("rateLimitExceeded", ErrorKind::Throttled),
    ("required", ErrorKind::Invalid),
    ("resourceInUseByAnotherResource", ErrorKind::Conflict),
    ("resourceNotReady", ErrorKind::Conflict),
    ("userRateLimitExceeded", ErrorKind::Throttled),
];

/// The kind of a refusal, by the most telling of its reasons and else by its status.
pub fn kind_of(reasons: &[&str], status: u16) -> ErrorKind {
    let known = |reason: &&str| REASONS.iter().find(|(known, _)| known == reason).map(|(_, kind)| *kind);
    if let Some(kind) = reasons.iter().find_map(known) {
        return kind;
    }
    match (status, reasons.is_empty()) {
        (401, _) => ErrorKind::Unauthenticated,
        (403, _) => ErrorKind::PermissionDenied,
        (404, false) => ErrorKind::NotFound,
        (408, _) => ErrorKind::Timeout,
        (409 | 412, false) => ErrorKind::Conflict,
        (429, _) => ErrorKind::Throttled,
        (500.., _) => ErrorKind::Unavailable,
        (400.., false) => ErrorKind::Invalid,
        // No reason: not Google's API, but what a proxy says.
        _ => ErrorKind::Protocol,
    }
}

/// A refusal as an error: `{"error":{"code","message","status","errors":[{"reason"}],"details":[{"reason"}]}}`.
pub fn explain(refusal: &Refusal<'_>) -> CloudError {
    let error = &refusal.body["error"];
    let listed = |member: &str| {
        error[member].as_array().into_iter().flatten().filter_map(|one| one["reason"].as_str())
    };
    // The details first: they tell a service that is not enabled from a permission that is missing.
    let reasons: Vec<&str> =
        listed("details").chain(listed("errors")).chain(error["status"].as_str()).collect();
    let kind = kind_of(&reasons, refusal.status);
    let message = error["message"].as_str().filter(|message| !message.is_empty()).map(str::to_owned);
    let message = message.unwrap_or_else(|| match kind {
        ErrorKind::Protocol => format!("an answer with status {} that is not Google's", refusal.status),
        _ => format!("status {} without an explanation", refusal.status),
    });
    let mut made = CloudError::new(CLOUD, "", kind, message);
    made.code = reasons.first().map(|reason| (*reason).to_owned());
    made
}

/// Why a token could not be had, as far as the endpoint's answer says: `{"error":"invalid_grant"}`.
pub fn kind_of_token(text: &str, transient: bool) -> ErrorKind {
    if transient {
        return ErrorKind::Unavailable;
    }
    let timed_out = text.to_lowercase().contains("timed out");
    if timed_out { ErrorKind::Timeout } else { ErrorKind::Unauthenticated }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use serde_json::{Value, json};

    use super::*;

    fn explained(status: u16, body: Value) -> (ErrorKind, Option<String>) {
        let error = explain(&Refusal { status, headers: &HeaderMap::new(), body });
        (error.kind, error.code)
    }

    #[test]
    fn the_details_tell_more_than_the_status() {
        assert!(REASONS.is_sorted_by(|a, b| a.0 < b.0));
        let disabled = json!({ "error": { "code": 403, "message": "m", "status": "PERMISSION_DENIED",
            "errors": [{ "reason": "accessNotConfigured" }], "details": [{ "reason": "SERVICE_DISABLED" }] } });
        assert_eq!(explained(403, disabled), (ErrorKind::Unsupported, Some("SERVICE_DISABLED".to_owned())));
        let slow = json!({ "error": { "code": 403, "errors": [{ "reason": "rateLimitExceeded" }] } });
        assert_eq!(explained(403, slow).0, ErrorKind::Throttled);
        assert_eq!(explained(404, json!("<html>")).0, ErrorKind::Protocol);
        assert_eq!(explained(503, json!(null)).0, ErrorKind::Unavailable);
    }
}
