//! The AWS adapter.
//!
//! Reading order: [`connector`] (the entry in the registry), [`config`] (what users write), [`credentials`] (keys
//! that sign), [`cloud`] (identity and regions), [`inventory`] (what exists), [`changes`] (changing it), [`objects`] (what lies in buckets), `offers` (what could be made),
//! [`permissions`] and `probe` (the test of a connection), [`policy`] (what a credential must be allowed). Below them: [`query`] (our client for EC2, RDS, ELBv2, Auto Scaling and IAM), [`transport`]
//! (HTTP, and the way of the official crates through the layers), [`xml`] and [`raw`] (reading answers),
//! [`partition`] (hosts and ARNs), [`error`] (what AWS's codes mean).
//!
//! What it promises is checked over the wire by the conformance suite of `marquee-clouds`, and every operation,
//! parameter and member it uses is held against AWS's own models by a test.

pub mod changes;
pub mod cloud;
pub mod config;
pub mod connector;
pub mod credentials;
pub mod error;
pub mod inventory;
#[cfg(test)]
mod models;
pub mod objects;
mod offers;
#[cfg(test)]
mod operations;
pub mod partition;
pub mod permissions;
pub mod policy;
mod probe;
pub mod query;
pub mod raw;
pub mod transport;
pub mod xml;

pub use cloud::Aws;
pub use connector::AwsConnector;
