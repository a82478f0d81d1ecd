//! The tests of the routes; the tree mirrors the URLs.

mod api_keys;
mod audit;
mod auth;
mod cloud;
mod members;
mod organizations;
mod sessions;
