//! All SQL of the resources: the language of lists ([`filter`]), reading the inventory ([`read`]), writing what a sync saw ([`write`]), the
//! syncs themselves ([`syncs`]), and who has what in hand ([`claims`]).

pub mod claims;
pub mod filter;
pub mod read;
pub mod syncs;
pub mod write;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod plans;
