//! What AWS's error codes mean: one table from the vendor's words to ours.

use std::time::Duration;

use marquee_clouds::{CloudError, ErrorKind, Retry};

/// The vendor, in every error of this adapter.
pub const CLOUD: &str = "aws";

/// What a failed answer said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The vendor's code, if the answer had one.
    pub code: Option<String>,
    /// The vendor's message, if the answer had one.
    pub message: Option<String>,
    /// The vendor's id of the request.
    pub request_id: Option<String>,
    /// What `Retry-After` said.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The refusal as an error. Region and operation are added by the layers.
    pub fn into_error(self, operation: &str) -> CloudError {
        let kind = kind_of(self.code.as_deref().unwrap_or_default(), self.status);
        let message = match (&self.message, kind) {
            (Some(message), _) if !message.is_empty() => message.clone(),
            (_, ErrorKind::Protocol) => format!("an answer with status {} that is not AWS's", self.status),
            _ => format!("status {} without an explanation", self.status),
        };
        let mut error = CloudError::new(CLOUD, operation, kind, message);
        // Whatever answered did answer: an error without a code is one without an answer.
        error.code = self.code.or_else(|| Some(self.status.to_string()));
        error.request_id = self.request_id;
        if let (true, Some(after)) = (error.retry_helps(), self.retry_after) {
            error.retry = Retry::After(after);
        }
        error
    }
}

/// Codes with a meaning of their own, sorted. Sources: "Common errors" of each service's API reference, "Error codes
/// for the Amazon EC2 API", and the retry tables of the AWS SDKs.
static CODES: &[(&str, ErrorKind)] = &[
    ("AccessDenied", ErrorKind::PermissionDenied),
    ("AccessDeniedException", ErrorKind::PermissionDenied),
    ("AllAccessDisabled", ErrorKind::PermissionDenied),
    ("AuthFailure", ErrorKind::Unauthenticated),
    ("AuthorizationError", ErrorKind::PermissionDenied),
    ("BandwidthLimitExceeded", ErrorKind::Throttled),
    ("BucketAlreadyOwnedByYou", ErrorKind::Conflict),
    ("BucketNotEmpty", ErrorKind::Conflict),
    ("ConditionalRequestConflict", ErrorKind::Unavailable),
    ("DependencyViolation", ErrorKind::Conflict),
    ("EC2ThrottledException", ErrorKind::Throttled),
    ("ExpiredToken", ErrorKind::Unauthenticated),
    ("ExpiredTokenException", ErrorKind::Unauthenticated),
    ("IdempotentInstanceTerminated", ErrorKind::Conflict),
    ("IdempotentParameterMismatch", ErrorKind::Conflict),
    ("IncompleteSignature", ErrorKind::Unauthenticated),
    ("InstanceInitiatedShutdown", ErrorKind::Conflict),
    ("InsufficientFreeAddressesInSubnet", ErrorKind::QuotaExceeded),
    ("InternalError", ErrorKind::Unavailable),
    ("InternalFailure", ErrorKind::Unavailable),
    ("InvalidAMIID.Unavailable", ErrorKind::Conflict),
    ("InvalidAMIName.Duplicate", ErrorKind::Conflict),
    ("InvalidAccessKeyId", ErrorKind::Unauthenticated),
    ("InvalidClientTokenId", ErrorKind::Unauthenticated),
    ("InvalidDBInstanceState", ErrorKind::Conflict),
    ("InvalidDBSnapshotState", ErrorKind::Conflict),
    ("InvalidTarget", ErrorKind::Conflict),
    ("InvalidToken", ErrorKind::Unauthenticated),
    ("KMSKeyNotAccessibleFault", ErrorKind::PermissionDenied),
    ("LimitsExceeded", ErrorKind::QuotaExceeded),
    ("MaxSpotInstanceCountExceeded", ErrorKind::QuotaExceeded),
    ("MissingAuthenticationToken", ErrorKind::Unauthenticated),
    ("MissingAuthenticationTokenException", ErrorKind::Unauthenticated),
    ("NotSignedUp", ErrorKind::Unsupported),
    ("OperationAborted", ErrorKind::Conflict),
    ("OperationNotPermitted", ErrorKind::Conflict),
    ("OptInRequired", ErrorKind::Unsupported),
    ("PointInTimeRestoreNotEnabled", ErrorKind::Conflict),
    ("PreconditionFailed", ErrorKind::PreconditionFailed),
    ("PriorRequestNotComplete", ErrorKind::Throttled),
    ("RegionDisabledException", ErrorKind::Unsupported),
    ("RequestExpired", ErrorKind::Unauthenticated),
    ("RequestLimitExceeded", ErrorKind::Throttled),
    ("RequestThrottled", ErrorKind::Throttled),
    ("RequestThrottledException", ErrorKind::Throttled),
    ("RequestTimeTooSkewed", ErrorKind::Unauthenticated),
    ("RequestTimeout", ErrorKind::Timeout),
    ("RequestTimeoutException", ErrorKind::Timeout),
    ("ResourceContention", ErrorKind::Conflict),
    ("ScalingActivityInProgress", ErrorKind::Conflict),
    ("ServiceUnavailable", ErrorKind::Unavailable),
    ("SignatureDoesNotMatch", ErrorKind::Unauthenticated),
    ("SlowDown", ErrorKind::Throttled),
    ("ThrottledException", ErrorKind::Throttled),
    ("Throttling", ErrorKind::Throttled),
    ("ThrottlingException", ErrorKind::Throttled),
    ("TokenRefreshRequired", ErrorKind::Unauthenticated),
    ("TooManyBuckets", ErrorKind::QuotaExceeded),
    ("TooManyRegistrationsForTargetId", ErrorKind::QuotaExceeded),
    ("TooManyRequestsException", ErrorKind::Throttled),
    ("TooManyTags", ErrorKind::QuotaExceeded),
    ("TooManyTargets", ErrorKind::QuotaExceeded),
    ("UnauthorizedOperation", ErrorKind::PermissionDenied),
    ("Unavailable", ErrorKind::Unavailable),
    ("UnrecognizedClientException", ErrorKind::Unauthenticated),
    ("Unsupported", ErrorKind::Unsupported),
    ("UnsupportedOperation", ErrorKind::Unsupported),
    ("UserInitiatedShutdown", ErrorKind::Conflict),
    ("VolumeModificationRateExceeded", ErrorKind::Conflict),
];

/// The kind of a refusal, by its code and else by its status.
pub fn kind_of(code: &str, status: u16) -> ErrorKind {
    if let Some((_, kind)) = CODES.iter().find(|(known, _)| *known == code) {
        return *kind;
    }
    let stem = code.strip_suffix("Fault").or_else(|| code.strip_suffix("Exception")).unwrap_or(code);
    if stem.ends_with("NotFound") || stem.starts_with("NoSuch") {
        return ErrorKind::NotFound;
    }
    if stem.starts_with("Throttling") || stem.starts_with("Throttled") {
        return ErrorKind::Throttled;
    }
    if stem.starts_with("Insufficient") && stem.ends_with("Capacity") {
        return ErrorKind::InsufficientCapacity;
    }
    if stem.ends_with("LimitExceeded") || stem.ends_with("QuotaExceeded") {
        return ErrorKind::QuotaExceeded;
    }
    if stem.starts_with("Incorrect") || stem.ends_with("AlreadyExists") || stem.ends_with("InUse") {
        return ErrorKind::Conflict;
    }
    by_status(status, code.is_empty())
}

fn by_status(status: u16, without_code: bool) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::PermissionDenied,
        404 if !without_code => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        429 => ErrorKind::Throttled,
        500.. => ErrorKind::Unavailable,
        _ if without_code => ErrorKind::Protocol,
        _ => ErrorKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_have_their_kind() {
        for (code, status, kind) in [
            ("AuthFailure", 401, ErrorKind::Unauthenticated),
            ("InvalidClientTokenId", 403, ErrorKind::Unauthenticated),
            ("SignatureDoesNotMatch", 403, ErrorKind::Unauthenticated),
            ("ExpiredToken", 403, ErrorKind::Unauthenticated),
            ("UnauthorizedOperation", 403, ErrorKind::PermissionDenied),
            ("AccessDenied", 403, ErrorKind::PermissionDenied),
            ("Throttling", 400, ErrorKind::Throttled),
            ("ThrottlingException", 400, ErrorKind::Throttled),
            ("Throttling.User", 400, ErrorKind::Throttled),
            ("RequestLimitExceeded", 503, ErrorKind::Throttled),
            ("InvalidInstanceID.NotFound", 400, ErrorKind::NotFound),
            ("InvalidAllocationID.NotFound", 400, ErrorKind::NotFound),
            ("DBInstanceNotFound", 404, ErrorKind::NotFound),
            ("DBClusterNotFoundFault", 404, ErrorKind::NotFound),
            ("NoSuchBucket", 404, ErrorKind::NotFound),
            ("NoSuchHostedZone", 404, ErrorKind::NotFound),
            ("InvalidInstanceID.Malformed", 400, ErrorKind::Invalid),
            ("InsufficientInstanceCapacity", 500, ErrorKind::InsufficientCapacity),
            ("InsufficientDBInstanceCapacity", 400, ErrorKind::InsufficientCapacity),
            ("InsufficientDBInstanceCapacityFault", 400, ErrorKind::InsufficientCapacity),
            ("InsufficientVolumeCapacity", 500, ErrorKind::InsufficientCapacity),
            ("VcpuLimitExceeded", 400, ErrorKind::QuotaExceeded),
            ("InstanceQuotaExceeded", 400, ErrorKind::QuotaExceeded),
            ("StorageQuotaExceeded", 400, ErrorKind::QuotaExceeded),
            ("SnapshotQuotaExceeded", 400, ErrorKind::QuotaExceeded),
            ("TooManyBuckets", 400, ErrorKind::QuotaExceeded),
            ("LimitExceeded", 400, ErrorKind::QuotaExceeded),
            ("LimitsExceeded", 400, ErrorKind::QuotaExceeded),
            ("VolumeInUse", 400, ErrorKind::Conflict),
            ("InvalidSnapshot.InUse", 400, ErrorKind::Conflict),
            ("IncorrectInstanceState", 400, ErrorKind::Conflict),
            ("IncorrectModificationState", 400, ErrorKind::Conflict),
            ("VolumeModificationRateExceeded", 400, ErrorKind::Conflict),
            ("InvalidAMIName.Duplicate", 400, ErrorKind::Conflict),
            ("InvalidLaunchTemplateName.AlreadyExistsException", 400, ErrorKind::Conflict),
            ("InvalidLaunchTemplateName.NotFoundException", 400, ErrorKind::NotFound),
            ("DBSnapshotAlreadyExists", 400, ErrorKind::Conflict),
            ("BucketAlreadyExists", 409, ErrorKind::Conflict),
            ("BucketNotEmpty", 409, ErrorKind::Conflict),
            ("IdempotentInstanceTerminated", 400, ErrorKind::Conflict),
            ("InvalidChangeBatch", 400, ErrorKind::Invalid),
            ("InsufficientDBInstanceCapacity", 400, ErrorKind::InsufficientCapacity),
            ("VcpuLimitExceeded", 400, ErrorKind::QuotaExceeded),
            ("IncorrectInstanceState", 400, ErrorKind::Conflict),
            ("OptInRequired", 401, ErrorKind::Unsupported),
            ("InternalError", 500, ErrorKind::Unavailable),
            ("SomethingNew", 500, ErrorKind::Unavailable),
            ("SomethingNew", 400, ErrorKind::Invalid),
            ("", 502, ErrorKind::Unavailable),
            ("", 429, ErrorKind::Throttled),
            ("", 301, ErrorKind::Protocol),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code} with {status}");
        }
    }

    #[test]
    fn retry_after_is_kept_only_where_a_retry_helps() {
        let refusal =
            |status| Refusal { status, retry_after: Some(Duration::from_secs(3)), ..Refusal::default() };
        assert_eq!(refusal(503).into_error("X").retry, Retry::After(Duration::from_secs(3)));
        assert_eq!(refusal(403).into_error("X").retry, Retry::Never);
    }

    proptest! {
        #[test]
        fn a_server_error_is_never_the_callers_fault(code in "[A-Za-z.]{0,20}", status in 500_u16..600) {
            let kind = kind_of(&code, status);
            prop_assume!(!CODES.iter().any(|(known, _)| *known == code));
            prop_assert_ne!(kind, ErrorKind::Invalid);
            prop_assert_ne!(kind, ErrorKind::Protocol);
        }
    }
}
