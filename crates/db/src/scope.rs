//! The three scopes of a transaction, as types, so that a function says in its signature whose rows it sees.

mod sealed {
    pub trait Sealed {}
}

/// Whose rows a transaction sees.
pub trait Scope: sealed::Sealed + Send + Sync + Unpin + 'static {}

/// One organization's.
#[derive(Debug)]
pub struct Org;

/// Every organization's; for workers.
#[derive(Debug)]
pub struct System;

/// Nobody's: the caller is not known yet.
#[derive(Debug)]
pub struct Anonymous;

impl sealed::Sealed for Org {}
impl sealed::Sealed for System {}
impl sealed::Sealed for Anonymous {}
impl Scope for Org {}
impl Scope for System {}
impl Scope for Anonymous {}
