//! What can go wrong with the database, sorted by what the caller can do about it.
//!
//! An answer names the constraint, never the values: PostgreSQL's `DETAIL` repeats what was written, and that
//! may be someone's address.

use std::time::Duration;

use tokio_postgres::error::{DbError as ServerError, SqlState};

/// A failed database call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The database cannot be reached, is starting or stopping, or every connection is taken. Trying again
    /// later may help.
    #[error("the database is unavailable: {reason}")]
    Unavailable {
        /// What was seen, for the log.
        reason: String,
        /// True if the connection was lost while a COMMIT was on its way: the change may have been made.
        outcome_unknown: bool,
    },
    /// The database refused a row.
    #[error("{}", constraint_message(*.kind, .name, .table.as_deref()))]
    Constraint {
        /// The constraint's name; for a missing value the column's.
        name: String,
        /// Which rule was broken.
        kind: ConstraintKind,
        /// The table that holds the constraint.
        table: Option<String>,
    },
    /// Another transaction was in the way, or a table changed its shape under a prepared statement: the same
    /// transaction, run again from its start, may succeed.
    #[error("the transaction must be run again: {reason}")]
    Retryable {
        /// What was seen, for the log.
        reason: String,
    },
    /// The statement is wrong, is not permitted, took too long, or gave not what was asked for.
    #[error("{message}")]
    Statement {
        /// The five-character SQLSTATE, if the server gave one.
        code: Option<String>,
        /// What the server (or the driver) said.
        message: String,
    },
}

/// Which kind of rule a row broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// Such a row exists already.
    Unique,
    /// The row refers to one that does not exist, or is itself referred to.
    ForeignKey,
    /// A value is outside its range or set.
    Check,
    /// A value is missing.
    NotNull,
    /// The row overlaps another.
    Exclusion,
}

fn constraint_message(kind: ConstraintKind, name: &str, table: Option<&str>) -> String {
    let table = table.map(|table| format!(" of {table}")).unwrap_or_default();
    match kind {
        ConstraintKind::Unique => format!("such a row exists already ({name}{table})"),
        ConstraintKind::ForeignKey => format!("a reference would dangle ({name}{table})"),
        ConstraintKind::Check => format!("a value is not permitted ({name}{table})"),
        ConstraintKind::NotNull => format!("a value is missing ({name}{table})"),
        ConstraintKind::Exclusion => format!("the row overlaps another ({name}{table})"),
    }
}

impl DbError {
    /// The name of the constraint that was broken, if one was.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether the database itself is out of reach, so that a caller should be told to come back.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether running the whole transaction again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable { .. })
    }

    /// Whether the statement was stopped because it took too long.
    pub fn is_timeout(&self) -> bool {
        self.code() == Some(SqlState::QUERY_CANCELED.code())
    }

    /// Whether row level security or a missing grant refused the statement.
    pub fn is_denied(&self) -> bool {
        self.code() == Some(SqlState::INSUFFICIENT_PRIVILEGE.code())
    }

    /// The SQLSTATE, where the server gave one and it was not already sorted into a kind.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Statement { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), outcome_unknown: false }
    }

    pub(crate) fn no_connection_within(wait: Duration) -> Self {
        Self::unavailable(format!("no connection became free within {} ms", wait.as_millis()))
    }

    pub(crate) fn misuse(message: impl Into<String>) -> Self {
        Self::Statement { code: None, message: message.into() }
    }

    pub(crate) fn rows(wanted: &str, got: usize) -> Self {
        Self::misuse(format!("expected {wanted}, got {got} rows"))
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(_) if is_stale_statement(&error) => Self::Retryable { reason: causes(&error) },
            Some(server) => from_server(server),
            None if is_connection_loss(&error) => Self::unavailable(causes(&error)),
            None => Self::Statement { code: None, message: causes(&error) },
        }
    }
}

/// Whether the connection is gone, as opposed to a value that could not be encoded or decoded.
pub(crate) fn is_connection_loss(error: &tokio_postgres::Error) -> bool {
    if let Some(server) = error.as_db_error() {
        return says_unavailable(server.code());
    }
    let io = std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    // "unexpected message" is what the driver reports of a server that hangs up while it speaks.
    error.is_closed() || io || error.to_string().starts_with("error connecting to server")
}

/// Whether a prepared statement is no longer valid: a table it reads changed its shape, or the connection lost
/// it. The routine's name is compared because the message is translated by the server's locale.
pub(crate) fn is_stale_statement(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|server| {
        *server.code() == SqlState::INVALID_SQL_STATEMENT_NAME
            || (*server.code() == SqlState::FEATURE_NOT_SUPPORTED
                && server.routine() == Some("RevalidateCachedQuery"))
    })
}

fn says_unavailable(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::DATABASE_DROPPED,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

fn from_server(server: &ServerError) -> DbError {
    let code = server.code();
    let kind = match *code {
        SqlState::UNIQUE_VIOLATION => Some(ConstraintKind::Unique),
        SqlState::FOREIGN_KEY_VIOLATION => Some(ConstraintKind::ForeignKey),
        SqlState::CHECK_VIOLATION => Some(ConstraintKind::Check),
        SqlState::NOT_NULL_VIOLATION => Some(ConstraintKind::NotNull),
        SqlState::EXCLUSION_VIOLATION => Some(ConstraintKind::Exclusion),
        _ => None,
    };
    let message = server.message().to_owned();
    if let Some(kind) = kind {
        let name = server.constraint().or(server.column()).unwrap_or("?").to_owned();
        return DbError::Constraint { name, kind, table: server.table().map(str::to_owned) };
    }
    if says_unavailable(code) {
        return DbError::unavailable(message);
    }
    let in_the_way =
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    if in_the_way.contains(code) {
        return DbError::Retryable { reason: message };
    }
    DbError::Statement { code: Some(code.code().to_owned()), message }
}

/// An error with its causes: the driver's own text says only "db error" or "error connecting to server".
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
