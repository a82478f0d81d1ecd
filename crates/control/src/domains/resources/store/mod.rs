//! All SQL of the resources: reading the inventory ([`read`]), writing what a sync saw ([`write`]), and the
//! syncs themselves ([`syncs`]).

pub mod read;
pub mod syncs;
pub mod write;

pub use write::retire_provider;
