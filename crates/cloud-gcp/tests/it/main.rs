//! The adapter over the wire, against the simulator, which the vendor's own clients judge.
//! Objects and buckets besides against drongo (scripts/testbed/drongo).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bed;
mod changes;
mod conformance;
mod docs;
mod faults;
mod inventory;
mod objects;
mod permissions;
mod real;
