//! The domains: one folder a noun, each with the same seven files.
//!
//! A domain may use of another only what its `mod.rs` exports, and only along [`EDGES`].

pub mod audit;
pub mod identity;
pub mod operations;
pub mod providers;
pub mod resources;

/// Who may use whom; a test holds the code to it.
pub const EDGES: &[(&str, &str)] = &[
    ("identity", "audit"),
    ("operations", "audit"),
    ("providers", "audit"),
    // Disconnecting a provider takes its resources out of the inventory.
    ("providers", "resources"),
    ("resources", "audit"),
    ("resources", "providers"),
];
