//! The adapter over the wire, against the simulator, which the vendor's own client judges.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod conformance;
mod docs;
mod faults;
mod inventory;
