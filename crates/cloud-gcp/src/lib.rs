//! The Google Cloud adapter.
//!
//! Reading order: [`connector`] (the entry in the registry), [`config`] (what users write), [`credentials`] (tokens),
//! [`cloud`] (identity, regions and the test of a connection), [`inventory`] (what exists), [`objects`] (what lies in
//! buckets), [`changes`] (changing what exists), [`permissions`], [`policy`] (what a credential must be allowed). Below them: [`api`] (our client for Google's
//! REST APIs), [`error`] (what Google's reasons mean).
//!
//! Tokens come from Google's own `google-cloud-auth`. The calls are REST by the client that all adapters for JSON share:
//! the official crates for Compute, SQL and Storage cost minutes to build and do not hand on members that they do not
//! know (docs/decisions/0007-typed-rest.md).

pub mod api;
pub mod changes;
pub mod cloud;
pub mod config;
pub mod connector;
pub mod credentials;
pub mod error;
pub mod inventory;
pub mod objects;
#[cfg(test)]
mod operations;
pub mod permissions;
pub mod policy;

pub use cloud::Google;
pub use connector::GoogleConnector;
