//! The simulator as clients see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod clients;
mod control;
