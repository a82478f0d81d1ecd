//! An AWS that answers at once, for measuring how fast an inventory is read.
//!
//! One account with one region and many instances. What `DescribeInstances` answers is rendered before the first
//! request and only sent afterwards, so that what is measured is the reader. Everything else is valid and empty.
//! Signatures are not checked.

mod account;
mod answers;
mod serve;

pub use account::Account;
pub use serve::serve;
