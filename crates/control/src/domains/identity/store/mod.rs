//! All SQL of identity.

pub mod api_keys;
pub mod credentials;
pub mod members;
pub mod organizations;
pub mod sessions;
pub mod users;
