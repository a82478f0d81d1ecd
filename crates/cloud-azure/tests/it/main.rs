//! The adapter over the wire, against the simulator, which the vendor's own clients judge, and its blobs against Azurite
//! (scripts/testbed/azurite).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod changes;
mod changes_faults;
mod conformance;
mod docs;
mod faults;
mod inventory;
mod objects;
mod permissions;
mod real;
