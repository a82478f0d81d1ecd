//! The one error of the application, by meaning. How each looks on the wire is decided here and nowhere else.

use std::time::Duration;

use http::StatusCode;
use marquee_clouds::{CloudError, ErrorKind};
use marquee_db::DbError;
use marquee_types::{FieldError, Permission, Problem, problem::CloudProblem};

/// Why a request was not done.
#[derive(Debug)]
pub enum Fault {
    /// The request cannot be read: broken JSON, a header that is not one.
    Malformed(String),
    /// The request can be read, but says something that cannot be.
    Invalid(Vec<FieldError>),
    /// Nobody we know.
    Unauthenticated(&'static str),
    /// Somebody we know, who may see the thing but not do this.
    Forbidden(String),
    /// Nothing of that name that this caller may see.
    NotFound(&'static str),
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The state of things does not allow it; `code` names which of the documented conflicts.
    Conflict { code: &'static str, detail: String },
    /// The same, and it is worth asking again soon.
    Busy { code: &'static str, detail: String, retry_after: Duration },
    /// `If-Match` named a version that is no longer the current one.
    Stale,
    /// The body is larger than the limit, in bytes.
    TooLarge(usize),
    /// The body is not JSON.
    UnsupportedMediaType,
    /// Well-formed and valid, but refused for a documented reason of the domain.
    Unprocessable { code: &'static str, detail: String },
    /// Too many requests.
    Limited { retry_after: Duration },
    /// Something we stand on is away.
    Unavailable { detail: String, retry_after: Duration },
    /// A cloud failed us.
    Cloud(CloudError),
    /// Creating a provider, the cloud did not accept what was given.
    Verification(CloudError),
    /// A defect of ours: logged with everything, shown as nothing.
    Internal(anyhow::Error),
}

impl Fault {
    /// One wrong place in the request.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, detail)])
    }

    /// A caller who lacks `permission`.
    pub fn lacks(permission: Permission) -> Self {
        Self::Forbidden(format!(
            "This needs the permission `{permission}`, which your role or API key does not have."
        ))
    }

    /// A conflict of the given code.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into() }
    }

    /// The status this is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::Unprocessable { .. } | Self::Verification(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict { .. } | Self::Busy { .. } => StatusCode::CONFLICT,
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Cloud(error) if error.kind == ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Cloud(_) => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable name and the title of this kind of problem.
    pub fn code(&self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed(_) => ("malformed", "The request cannot be read"),
            Self::Invalid(_) => ("invalid", "The request is not valid"),
            Self::Unauthenticated(_) => ("unauthenticated", "Authentication is needed"),
            Self::Forbidden(_) => ("forbidden", "Not permitted"),
            Self::NotFound(_) => ("not_found", "Not found"),
            Self::MethodNotAllowed => ("method_not_allowed", "This path does not take this method"),
            Self::RequestTimeout => ("request_timeout", "The request took too long to arrive"),
            Self::Conflict { code, .. } | Self::Busy { code, .. } => (code, "Conflict"),
            Self::Stale => ("stale", "The thing was changed in the meantime"),
            Self::TooLarge(_) => ("too_large", "The request is too large"),
            Self::UnsupportedMediaType => ("unsupported_media_type", "The body must be JSON"),
            Self::Unprocessable { code, .. } => (code, "The request cannot be fulfilled"),
            Self::Verification(_) => ("provider_verification_failed", "The cloud did not accept this"),
            Self::Limited { .. } => ("rate_limited", "Too many requests"),
            Self::Unavailable { .. } => ("unavailable", "Not available just now"),
            Self::Cloud(error) if error.kind == ErrorKind::Timeout => {
                ("cloud_timeout", "The cloud did not answer in time")
            }
            Self::Cloud(_) => ("cloud_failed", "The cloud failed"),
            Self::Internal(_) => ("internal", "A defect of Marquee"),
        }
    }

    /// Seconds for `Retry-After`, where asking again makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        let wait = match self {
            Self::Busy { retry_after, .. }
            | Self::Limited { retry_after }
            | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => return None,
        };
        Some(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
    }

    /// The body this is answered with.
    pub fn problem(&self, request_id: &str) -> Problem {
        let (code, title) = self.code();
        Problem {
            type_: format!("/problems/{code}"),
            title: title.to_owned(),
            status: self.status().as_u16(),
            detail: self.detail(),
            code: code.to_owned(),
            request_id: request_id.to_owned(),
            errors: if let Self::Invalid(errors) = self { errors.clone() } else { Vec::new() },
            cloud: match self {
                Self::Cloud(error) | Self::Verification(error) => Some(cloud_problem(error)),
                _ => None,
            },
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Malformed(detail)
            | Self::Forbidden(detail)
            | Self::Conflict { detail, .. }
            | Self::Busy { detail, .. }
            | Self::Unprocessable { detail, .. }
            | Self::Unavailable { detail, .. } => detail.clone(),
            Self::Invalid(errors) => match errors.as_slice() {
                [only] => format!("{}: {}", only.pointer, only.detail),
                many => format!("{} places are wrong; see `errors`.", many.len()),
            },
            Self::Unauthenticated(detail) => (*detail).to_owned(),
            Self::NotFound(what) => format!("There is no such {what} that you may see."),
            Self::MethodNotAllowed => "See the `Allow` header for the methods this path takes.".to_owned(),
            Self::RequestTimeout => "Send the whole request within the documented time.".to_owned(),
            Self::Stale => {
                "`If-Match` names a version that is not the current one. Read it again and repeat the change."
                    .to_owned()
            }
            Self::TooLarge(limit) => format!("The body may have at most {limit} bytes."),
            Self::UnsupportedMediaType => "Send `Content-Type: application/json`.".to_owned(),
            Self::Limited { .. } => {
                "The limit of this class of requests is reached; see `RateLimit-Policy` and `Retry-After`."
                    .to_owned()
            }
            Self::Cloud(error) | Self::Verification(error) => error.to_string(),
            Self::Internal(_) => {
                "Something went wrong inside Marquee. The logs have the details under this request id."
                    .to_owned()
            }
        }
    }
}

/// Every problem code the API can answer with, and when; the table of `docs/errors.md`.
pub const CODES: &[(&str, u16, &str)] = &[
    ("malformed", 400, "The request cannot be read: broken JSON, or a header that is not one."),
    ("unauthenticated", 401, "No credential, or one that is unknown, expired or revoked."),
    ("forbidden", 403, "The caller is known but lacks the permission; the detail names it."),
    ("not_found", 404, "Nothing of that name that the caller may see, in another organization too."),
    ("method_not_allowed", 405, "The path exists, the method does not; see `Allow`."),
    ("request_timeout", 408, "The request did not arrive within the time allowed."),
    ("already_exists", 409, "Another one has that name."),
    ("idempotency_key_in_use", 409, "A request with this key is still under way; see `Retry-After`."),
    ("idempotency_key_reused", 409, "This key was used with another body."),
    (
        "idempotency_answer_lost",
        409,
        "The first request with this key took effect, but its answer could not be kept: a crash, or a database that went away.",
    ),
    ("operation_done", 409, "The operation has already ended."),
    (
        "operation_state",
        409,
        "The operation is not in a state in which it could be paused, resumed or approved.",
    ),
    ("approval_expired", 409, "The request for approval is over; ask for the change anew."),
    ("too_many", 409, "There are as many of these as there may be; the detail says how many."),
    (
        "resource_busy",
        409,
        "Another operation has the resource in hand; ask again later, or with `on_conflict=wait`.",
    ),
    (
        "count_differs",
        409,
        "The filter finds more or fewer resources than `expect_count` says; nothing was done.",
    ),
    ("resource_protected", 409, "The resource is protected; the detail says by whom and why."),
    ("not_protected", 409, "The resource is not protected."),
    ("resource_gone", 409, "The resource no longer exists."),
    ("last_owner", 409, "An organization keeps at least one owner."),
    ("choose_organization", 409, "The user is a member of several organizations; name one."),
    ("stale", 412, "`If-Match` names a version that is no longer the current one."),
    ("too_large", 413, "The body is over the limit."),
    ("unsupported_media_type", 415, "The body is not JSON."),
    ("invalid", 422, "A field or parameter is wrong; `errors` points to each."),
    ("provider_verification_failed", 422, "The cloud did not accept the credentials; nothing was stored."),
    (
        "credentials_required",
        422,
        "What the credentials are bound to changes, or the key they were sealed with is lost: enter them again.",
    ),
    ("provider_not_allowed", 422, "This server's configuration no longer allows what the provider asks for."),
    ("horizon_exceeded", 422, "`as_of` lies before the history that is kept."),
    ("no_such_offer", 422, "No size that the cloud offers fulfils the wish."),
    ("unsupported_action", 422, "Marquee cannot do this to such a resource, or not at its cloud."),
    ("cannot_shrink", 422, "Disks cannot be made smaller."),
    ("rate_limited", 429, "Too many requests of this class; see `Retry-After`."),
    ("internal", 500, "A defect of Marquee; the logs have it under the request id."),
    ("cloud_failed", 502, "A cloud failed; `cloud` says how, and whether a retry helps."),
    ("unavailable", 503, "Something Marquee stands on is away; see `Retry-After`."),
    ("cloud_timeout", 504, "A cloud did not answer in time."),
];

/// What a cloud answered when it failed us, for the wire.
pub fn cloud_problem(error: &CloudError) -> CloudProblem {
    CloudProblem {
        cloud: error.cloud.to_owned(),
        operation: error.operation.clone(),
        kind: error.kind.as_str().to_owned(),
        code: error.code.clone(),
        region: error.region.clone(),
        request_id: error.request_id.clone(),
        retry_helps: error.retry_helps(),
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        if let DbError::Unavailable { outcome_unknown, .. } = &error {
            tracing::warn!(%error, "the database is away");
            let detail = if *outcome_unknown {
                "The database went away while the change was being committed: whether it was made is not known. \
                 Read before you repeat it, or repeat it under the same Idempotency-Key."
            } else {
                "The database cannot be reached just now. Ask again."
            };
            return Self::Unavailable { detail: detail.to_owned(), retry_after: Duration::from_secs(2) };
        }
        if error.constraint() == Some("idempotency_key_held") {
            return Self::Unavailable {
                detail: "This took so long that its Idempotency-Key was given back. Nothing was changed; ask again."
                    .to_owned(),
                retry_after: Duration::from_secs(1),
            };
        }
        if error.is_retryable() || error.is_timeout() {
            tracing::warn!(%error, "the database gave way to others");
            return Self::Unavailable {
                detail: "Others are changing the same thing just now. Nothing was changed; ask again."
                    .to_owned(),
                retry_after: Duration::from_secs(1),
            };
        }
        Self::Internal(error.into())
    }
}

impl From<CloudError> for Fault {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// Turns a broken constraint into the refusal it means, at the query where it can break.
pub trait OnConstraint<T> {
    /// If the error is a violation of the constraint `name`, answers `fault()` instead.
    fn on_constraint(self, name: &str, fault: impl FnOnce() -> Fault) -> Result<T, Fault>;
}

impl<T> OnConstraint<T> for Result<T, DbError> {
    fn on_constraint(self, name: &str, fault: impl FnOnce() -> Fault) -> Result<T, Fault> {
        self.map_err(|error| if error.constraint() == Some(name) { fault() } else { error.into() })
    }
}

impl<T> OnConstraint<T> for Result<T, Fault> {
    fn on_constraint(self, name: &str, fault: impl FnOnce() -> Fault) -> Result<T, Fault> {
        self.map_err(|error| match error {
            Fault::Internal(inner)
                if inner.downcast_ref::<DbError>().and_then(DbError::constraint) == Some(name) =>
            {
                fault()
            }
            other => other,
        })
    }
}
