//! All SQL of the resources: the language of lists ([`filter`]), reading the inventory ([`read`]), writing what a sync saw ([`write`]), the
//! syncs themselves ([`syncs`]), who has what in hand ([`claims`]), and what has to be approved ([`approvals`]);
//! [`shortages`] is what clouds lately had none of, and [`bulk`] has which operations change one resource for one that changes many.

pub mod approvals;
pub mod bulk;
pub mod claims;
pub mod filter;
pub mod read;
pub mod shortages;
pub mod syncs;
pub mod write;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod plans;
