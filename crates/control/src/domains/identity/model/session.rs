//! How long a session lives.

use chrono::{DateTime, TimeDelta, Utc};

/// A session ends when it was not used for this long.
pub const IDLE: TimeDelta = TimeDelta::hours(12);
/// A session ends this long after the log-in, however much it is used.
pub const ABSOLUTE: TimeDelta = TimeDelta::days(7);

/// When a session ends unless it is used again.
pub fn ends_at(last_used_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    expires_at.min(last_used_at + IDLE)
}
