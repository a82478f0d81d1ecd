//! How work fails: what went wrong, in words for people and a code for programs, and whether trying again
//! can help. One type for jobs, steps, undos and reconcilers, so that a helper can serve all of them.

use std::{borrow::Cow, fmt, time::Duration};

use marquee_db::DbError;
use serde_json::{Value, json};

/// The constraint that [`crate::Lease::hold`] reports when the lease is gone.
pub(crate) const LEASE_CONSTRAINT: &str = "lease_held";

/// Whether the same work may be tried again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail the same way. A step fails for good, a job becomes a dead letter.
    Never,
    /// Later, after the engine's own back-off, as long as attempts are left.
    Backoff,
    /// Not before that time has passed, as long as attempts are left.
    After(Duration),
    /// It is not over, and it has not failed: look again when that time has passed. No attempt is used up, and
    /// meanwhile the worker is free for others. The detail says what it waits for.
    Later(Duration),
    /// A person has to repair something first: the operation pauses at the step boundary with the detail as
    /// its reason. A job cannot pause and becomes a dead letter, which can be retried.
    Pause,
}

/// Why a job, a step, an undo or a reconciler did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepError {
    /// A stable word for programs, e.g. `throttled`.
    pub code: Cow<'static, str>,
    /// One or two sentences for people; never a secret.
    pub detail: String,
    /// Whether trying again can help.
    pub retry: Retry,
    /// What the next attempt, or the undo, goes on with ([`crate::StepContext::kept`]). Never a secret.
    pub kept: Option<Value>,
}

/// Why a job did not do its work.
pub type JobError = StepError;

impl StepError {
    /// A failure that trying again cannot mend.
    pub fn permanent(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), retry: Retry::Never, kept: None }
    }

    /// A failure that may be gone after the engine's back-off.
    pub fn transient(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), retry: Retry::Backoff, kept: None }
    }

    /// A failure that says how long to wait.
    pub fn after(wait: Duration, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), retry: Retry::After(wait), kept: None }
    }

    /// No failure: it waits for something, and is to be looked at again.
    pub fn later(wait: Duration, detail: impl Into<String>) -> Self {
        Self { code: "waiting".into(), detail: detail.into(), retry: Retry::Later(wait), kept: None }
    }

    /// The same, with something for the attempt that goes on.
    #[must_use]
    pub fn keeping(self, kept: Value) -> Self {
        Self { kept: Some(kept), ..self }
    }

    /// A failure that a person has to repair; `detail` is the reason that the paused operation shows.
    pub fn pause(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), retry: Retry::Pause, kept: None }
    }

    /// As the database and the API keep it.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code, "detail": self.detail })
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl std::error::Error for StepError {}

/// A database failure is worth another attempt: an outage ends, a deadlock has a winner, and what is a defect
/// of ours runs out of attempts and is then seen with its detail.
impl From<DbError> for StepError {
    fn from(error: DbError) -> Self {
        let code = match &error {
            _ if is_lost(&error) => "lease_lost",
            _ if error.is_unavailable() => "database_unavailable",
            _ => "database",
        };
        Self::transient(code, error.to_string())
    }
}

/// Whether the transaction was refused because another worker has the lease by now.
pub(crate) fn is_lost(error: &DbError) -> bool {
    error.constraint() == Some(LEASE_CONSTRAINT)
}
