//! The engine against a real PostgreSQL, under the application's own roles.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod jobs;
mod operations;
mod support;
