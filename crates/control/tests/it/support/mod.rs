//! The application under test: a database of its own, a server on a port of its own, and the people who use it.

pub mod canary;
mod client;
mod front;
mod moto;
mod world;

pub use client::{Answer, Client};
pub use front::{Asked, Front};
pub use moto::Account;
pub use world::{PASSWORD, Tenant, World};
