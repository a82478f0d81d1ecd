//! The Hetzner Cloud adapter.
//!
//! Reading order: [`connector`] (the entry in the registry), [`config`] (what users write), [`credentials`] (the token),
//! [`cloud`] (identity, locations and the test of a connection), [`inventory`] (what exists), [`permissions`]. Below them:
//! [`api`] (our client for Hetzner's REST API), [`error`] (what Hetzner's codes mean).

pub mod api;
pub mod cloud;
pub mod config;
pub mod connector;
pub mod credentials;
pub mod error;
pub mod inventory;
pub mod permissions;

pub use cloud::Hetzner;
pub use connector::HetznerConnector;
