//! A cloud's failure, normalised: what kind, whether a retry helps, and where it happened.

use std::{error::Error, fmt, time::Duration};

/// Whether the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call will fail the same way.
    Never,
    /// May be tried again after the caller's own back-off.
    Now,
    /// The cloud said how long to wait.
    After(Duration),
}

/// What kind of failure it was, the same for every vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The cloud does not accept the credentials: wrong, expired or revoked.
    Unauthenticated,
    /// The credentials are good but lack a permission.
    PermissionDenied,
    /// The thing does not exist.
    NotFound,
    /// Too many calls; slow down.
    Throttled,
    /// A quota of the account is used up.
    QuotaExceeded,
    /// The vendor has no machines left of that type in that place.
    InsufficientCapacity,
    /// The thing is not in a state that allows this.
    Conflict,
    /// What was asked for only under a condition was not done, for the condition does not hold.
    PreconditionFailed,
    /// The vendor refused the request as malformed; a defect of the adapter or of the input.
    Invalid,
    /// No complete answer in time.
    Timeout,
    /// The vendor could not be reached, or answered that it is broken.
    Unavailable,
    /// The answer was not what the vendor's own model says.
    Protocol,
    /// This cloud, region or account does not have that.
    Unsupported,
}

impl ErrorKind {
    /// The stable word for logs, metrics and problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::QuotaExceeded => "quota_exceeded",
            Self::InsufficientCapacity => "insufficient_capacity",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition_failed",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Protocol => "protocol",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One failed call. Never contains a credential: adapters put in only what the vendor said.
#[derive(Debug)]
pub struct CloudError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Whether a retry can help.
    pub retry: Retry,
    /// The vendor's call, `service:Operation`.
    pub operation: String,
    /// The vendor: `aws`, `azure`, …
    pub cloud: &'static str,
    /// The region asked, if the call has one.
    pub region: Option<String>,
    /// The vendor's own error code.
    pub code: Option<String>,
    /// The vendor's id of the request.
    pub request_id: Option<String>,
    /// The vendor's own message, or ours where there was none; at most a few hundred characters.
    pub message: String,
    /// What lay below, for logs.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl CloudError {
    /// An error of `kind` with the verdict that kind usually has.
    pub fn new(
        cloud: &'static str,
        operation: impl Into<String>,
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> Self {
        let retry = match kind {
            ErrorKind::Throttled | ErrorKind::Timeout | ErrorKind::Unavailable => Retry::Now,
            _ => Retry::Never,
        };
        Self {
            kind,
            retry,
            operation: operation.into(),
            cloud,
            region: None,
            code: None,
            request_id: None,
            message: message.into(),
            source: None,
        }
    }

    #[must_use]
    pub fn in_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the same call may succeed later.
    pub fn retry_helps(&self) -> bool {
        self.retry != Retry::Never
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cloud, self.operation)?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        match &self.code {
            Some(code) => write!(f, ": {code}: {}", self.message),
            None => write!(f, ": {}", self.message),
        }
    }
}

impl Error for CloudError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}
