//! All SQL of the resources: the language of lists ([`filter`]), reading the inventory ([`read`]), writing what a sync saw ([`write`]), and the
//! syncs themselves ([`syncs`]).

pub mod filter;
pub mod read;
pub mod syncs;
pub mod write;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod plans;
