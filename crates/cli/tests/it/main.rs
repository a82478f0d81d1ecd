//! The client commands against a server that gives scripted answers: what is sent, what is written, and how it
//! ends.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

mod bodies;
mod docs;
mod errors;
mod help;
mod login;
mod names;
mod output;
mod paging;
mod policy;
mod secrets;
mod strange;
mod tls;
mod waiting;
