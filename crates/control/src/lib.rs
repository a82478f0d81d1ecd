//! The application: every domain, HTTP, workers and configuration.
//!
//! Reading order: [`routes`] (the whole API on one page), [`workers`] (all work behind it), [`app`] (what both
//! have at hand), then a domain of [`domains`], beginning with its `mod.rs`; [`http`] for the way of a request;
//! [`fault`] for every refusal; [`config`], [`clouds`] and [`vault`] for what the application stands on;
//! [`run`] for how a process starts and ends.

pub mod app;
pub mod clouds;
pub mod config;
pub mod domains;
pub mod fault;
pub mod http;
pub mod routes;
pub mod run;
pub mod vault;
pub mod workers;
