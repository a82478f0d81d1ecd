//! The engine against a real PostgreSQL, under the application's own roles.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod crash;
mod exercise;
mod fairness;
mod jobs;
mod notices;
mod operations;
mod outage;
mod reconcilers;
mod schedules;
mod shutdown;
mod support;
