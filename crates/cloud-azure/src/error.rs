//! What Azure's error codes mean: one table from the vendor's words to ours.

use marquee_clouds::{CloudError, ErrorKind, rest::Refusal};
use serde_json::Value;

/// The vendor, in every error of this adapter.
pub const CLOUD: &str = "azure";

/// Codes with a meaning of their own, sorted. Sources: "Resolve common Azure deployment errors", "Understand Resource
/// Manager throttling", and "Authentication and authorization error codes" of Entra (`AADSTS…`), "Blob Storage error codes",
/// "Troubleshoot Azure virtual machine allocation failures", "Storage Resource Provider error codes".
static CODES: &[(&str, ErrorKind)] = &[
    ("AADSTS500011", ErrorKind::Unauthenticated),
    ("AADSTS50033", ErrorKind::Unavailable),
    ("AADSTS50034", ErrorKind::Unauthenticated),
    ("AADSTS700016", ErrorKind::Unauthenticated),
    ("AADSTS7000215", ErrorKind::Unauthenticated),
    ("AADSTS7000222", ErrorKind::Unauthenticated),
    ("AADSTS700027", ErrorKind::Unauthenticated),
    ("AADSTS70011", ErrorKind::Invalid),
    ("AADSTS90002", ErrorKind::Unauthenticated),
    ("AADSTS90006", ErrorKind::Unavailable),
    ("AADSTS90012", ErrorKind::Timeout),
    ("AADSTS90024", ErrorKind::Unavailable),
    ("AADSTS90033", ErrorKind::Unavailable),
    ("AADSTS90055", ErrorKind::Throttled),
    ("AllocationFailed", ErrorKind::InsufficientCapacity),
    ("AuthenticationFailed", ErrorKind::Unauthenticated),
    ("AuthorizationFailed", ErrorKind::PermissionDenied),
    ("BlobAlreadyExists", ErrorKind::PreconditionFailed),
    ("CnameAndOtherRecordsConflict", ErrorKind::Conflict),
    ("ConditionNotMet", ErrorKind::PreconditionFailed),
    ("Conflict", ErrorKind::Conflict),
    ("ExpiredAuthenticationToken", ErrorKind::Unauthenticated),
    ("FeatureNotSupportedForAccount", ErrorKind::Unsupported),
    ("InUseSubnetCannotBeDeleted", ErrorKind::Conflict),
    ("InvalidAuthenticationInfo", ErrorKind::Unauthenticated),
    ("InvalidAuthenticationToken", ErrorKind::Unauthenticated),
    ("InvalidAuthenticationTokenTenant", ErrorKind::Unauthenticated),
    ("InvalidSubscriptionId", ErrorKind::Invalid),
    ("LinkedAuthorizationFailed", ErrorKind::PermissionDenied),
    ("MaxStorageAccountsCountPerSubscriptionExceeded", ErrorKind::QuotaExceeded),
    ("MissingSubscriptionRegistration", ErrorKind::Unsupported),
    ("NicInUse", ErrorKind::Conflict),
    ("NoAuthenticationInformation", ErrorKind::Unauthenticated),
    ("NoRegisteredProviderFound", ErrorKind::Unsupported),
    ("OperationNotAllowed", ErrorKind::Conflict),
    ("OperationTimedOut", ErrorKind::Timeout),
    ("OverconstrainedAllocationRequest", ErrorKind::InsufficientCapacity),
    ("OverconstrainedZonalAllocationRequest", ErrorKind::InsufficientCapacity),
    ("PreconditionFailed", ErrorKind::PreconditionFailed),
    ("PropertyChangeNotAllowed", ErrorKind::Invalid),
    ("QuotaExceeded", ErrorKind::QuotaExceeded),
    ("ReadReplicaNotSupported", ErrorKind::Unsupported),
    ("RequestDisallowedByPolicy", ErrorKind::PermissionDenied),
    ("ResourceGroupNotFound", ErrorKind::NotFound),
    ("ResourceNotFound", ErrorKind::NotFound),
    ("ResourceQuotaExceeded", ErrorKind::QuotaExceeded),
    ("RetryableError", ErrorKind::Unavailable),
    ("ServerBusy", ErrorKind::Throttled),
    ("ServerIsNotReplica", ErrorKind::Conflict),
    ("SkuNotAvailable", ErrorKind::InsufficientCapacity),
    ("StorageSizeReductionNotSupported", ErrorKind::Invalid),
    ("SubnetIsFull", ErrorKind::QuotaExceeded),
    ("SubscriptionNotFound", ErrorKind::PermissionDenied),
    ("SubscriptionRequestsThrottled", ErrorKind::Throttled),
    ("TooManyRequests", ErrorKind::Throttled),
    ("VMSizeDoesntSupportPremiumStorage", ErrorKind::Invalid),
    ("ZonalAllocationFailed", ErrorKind::InsufficientCapacity),
];

/// The kind of a refusal, by its code and else by its status. The compute provider says by the message alone that a
/// refusal is one of quota ("Resolve errors for resource quotas").
pub fn kind_of(code: &str, status: u16, message: &str) -> ErrorKind {
    if code == "OperationNotAllowed" && message.to_lowercase().contains("quota") {
        return ErrorKind::QuotaExceeded;
    }
    if let Some((_, kind)) = CODES.iter().find(|(known, _)| *known == code) {
        return *kind;
    }
    if code.starts_with("AADSTS") {
        return ErrorKind::Unauthenticated;
    }
    if code.ends_with("NotFound") {
        return ErrorKind::NotFound;
    }
    if code.ends_with("LimitReached") || code.ends_with("QuotaExceeded") {
        return ErrorKind::QuotaExceeded;
    }
    match (status, code.is_empty()) {
        (401, _) => ErrorKind::Unauthenticated,
        (403, _) => ErrorKind::PermissionDenied,
        (404, false) => ErrorKind::NotFound,
        (408, _) => ErrorKind::Timeout,
        (409 | 412, false) => ErrorKind::Conflict,
        (429, _) => ErrorKind::Throttled,
        (500.., _) => ErrorKind::Unavailable,
        (400.., false) => ErrorKind::Invalid,
        // No code: not the resource manager's, but what a proxy says.
        _ => ErrorKind::Protocol,
    }
}

/// A refusal of the resource manager as an error: `{"error":{"code","message"}}`.
pub fn explain(refusal: &Refusal<'_>) -> CloudError {
    let error = &refusal.body["error"];
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = text("code");
    let message = text("message");
    let kind =
        kind_of(code.as_deref().unwrap_or_default(), refusal.status, message.as_deref().unwrap_or_default());
    let message = message.filter(|message| !message.is_empty()).unwrap_or_else(|| match kind {
        ErrorKind::Protocol => format!("an answer with status {} that is not Azure's", refusal.status),
        _ => format!("status {} without an explanation", refusal.status),
    });
    let mut made = CloudError::new(CLOUD, "", kind, message);
    made.code = code;
    let id = refusal.headers.get("x-ms-request-id").and_then(|value| value.to_str().ok());
    made.request_id = id.map(str::to_owned);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_those_without_one_go_by_status() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(kind_of("ParentResourceNotFound", 404, ""), ErrorKind::NotFound);
        assert_eq!(kind_of("", 404, ""), ErrorKind::Protocol);
        assert_eq!(kind_of("", 503, ""), ErrorKind::Unavailable);
        assert_eq!(kind_of("AADSTS53003", 400, ""), ErrorKind::Unauthenticated);
        assert_eq!(kind_of("InvalidParameter", 400, ""), ErrorKind::Invalid);
        assert_eq!(kind_of("PublicIPCountLimitReached", 400, ""), ErrorKind::QuotaExceeded);
    }

    #[test]
    fn a_refusal_for_quota_is_told_from_others_of_the_same_code() {
        let quota = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota.";
        assert_eq!(kind_of("OperationNotAllowed", 409, quota), ErrorKind::QuotaExceeded);
        assert_eq!(kind_of("OperationNotAllowed", 409, "Disk d is attached to VM v."), ErrorKind::Conflict);
    }
}
