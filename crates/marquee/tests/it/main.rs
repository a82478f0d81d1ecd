//! The binary as its users have it: started, killed, started again, and driven by its own command line.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should end at that line"
)]

mod commands;
mod crash;
mod demo;
mod keys;
mod lifecycle;
mod person;
mod process;
mod secrets;
mod simulate;

/// The caller of the API and the AWS of the tests are the application's own.
#[path = "../../../control/tests/it/support/client.rs"]
#[expect(dead_code, reason = "the application's own tests use the rest")]
mod client;
#[path = "../../../control/tests/it/support/moto.rs"]
mod moto;
