//! The database crate against a real PostgreSQL, as the application's own roles.

#![expect(clippy::unwrap_used, reason = "a test that fails should stop where it failed")]

mod connecting;
mod embedded;
mod lanes;
mod ledgers;
mod leftovers;
mod notices;
mod partitions;
mod support;
mod transaction;
