//! What the operation routes take and answer.

use chrono::{DateTime, Utc};
use marquee_jobs::{OperationRow, StepRow};
use marquee_types::{OperationId, OperationState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Long-running work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What kind of work: `sync_provider` …
    pub kind: String,
    /// The id of what is worked on.
    pub target: Option<String>,
    /// Where it stands.
    pub state: OperationState,
    /// Whether it has ended.
    pub done: bool,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// Counters of the kind of work.
    #[schema(value_type = Object)]
    pub progress: Value,
    /// Why it did not wholly succeed: `{"code", "detail", …}`.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
    /// Who asked.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first step began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// An operation with its steps.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperationDetail {
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// Its steps, in order; a step may have added later ones.
    pub steps: Vec<Step>,
}

/// One step of an operation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Step {
    /// What it is called.
    pub name: String,
    /// `pending`, `running`, `succeeded`, `failed`, `skipped`, `undoing`, `undone` or `undo_failed`.
    pub state: String,
    /// How often it was started.
    pub attempt: i32,
    /// What it says it did.
    #[schema(value_type = Option<Object>)]
    pub output: Option<Value>,
    /// Its last failure: `{"code", "detail"}`.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
    /// Not to be tried again before.
    pub retry_at: Option<DateTime<Utc>>,
    /// When it was first started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Which operations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListOperations {
    /// AIP-160 over `id`, `kind`, `target`, `state`, `done` and `created_at`.
    #[param(example = "done = false")]
    pub filter: Option<String>,
    /// At most this many, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Why an operation is to pause.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseOperation {
    /// Shown with it: 1 to 500 characters.
    pub reason: String,
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Answer after this many seconds even if it has not ended; 0 to 60, default 30.
    #[param(minimum = 0, maximum = 60, default = 30)]
    pub timeout_seconds: Option<u64>,
}

impl From<OperationRow> for Operation {
    fn from(row: OperationRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            target: row.target,
            state: row.state,
            done: row.state.is_done(),
            pause_reason: row.pause_reason,
            progress: row.progress,
            error: row.error,
            requested_by: row.requested_by,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

impl From<StepRow> for Step {
    fn from(row: StepRow) -> Self {
        Self {
            name: row.name,
            state: row.state.as_str().to_owned(),
            attempt: row.attempt,
            output: row.output,
            error: row.error,
            retry_at: row.retry_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}
