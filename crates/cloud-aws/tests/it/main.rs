//! The adapter over the wire, against a `moto_server` with authentication on (scripts/testbed/moto) and against
//! endpoints that misbehave.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bed;
mod changes;
mod changes_moto;
mod conformance;
mod docs;
mod faults;
mod front;
mod gaps;
mod inventory;
mod objects;
mod offers;
mod permissions;
mod policy;
mod real;
mod simulated;
