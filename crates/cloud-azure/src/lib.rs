//! The Azure adapter.
//!
//! Reading order: [`connector`] (the entry in the registry), [`config`] (what users write), [`credentials`] (tokens),
//! [`cloud`] (identity, regions and the test of a connection), [`inventory`] (what exists), [`changes`] (changing it),
//! [`objects`] (blobs in it), [`permissions`], [`policy`] (what a credential must be allowed). Below them: [`arm`] (our client for the resource
//! manager), [`error`] (what Azure's codes mean).
//!
//! Tokens come from Microsoft's own `azure_identity`, blobs go by its `azure_storage_blob`; the resource manager has no official crate, and is uniform enough
//! for the client that all adapters for JSON share.

pub mod arm;
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

pub use cloud::Azure;
pub use connector::AzureConnector;
