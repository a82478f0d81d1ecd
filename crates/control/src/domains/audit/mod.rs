//! The audit log: who did what, when, and with what result.
//!
//! An *entry* is one line of an organization's log. Whatever is asked of Marquee and would change something
//! leaves one: a change that happened, in the change's own transaction ([`record`]), so that neither exists
//! without the other; a change that was refused or failed, in a transaction of its own ([`refused`]).
//! Row triggers on configuration tables tell what each row was and what it became, also for a write that did
//! not come through Marquee at all. Where a call and a row are the same thing (`providers.create` and the provider's
//! row) they are one entry: the transaction knows its call's verb, the trigger writes the entry with the row in it, and
//! [`record`] finds it written. Entries of one request share its id.
//!
//! An entry says who acted, by which credential, on what, from where, with what outcome, and why it was refused.
//! It is only ever inserted: the application's role can add and read, neither change nor remove. Secrets never
//! enter it: values under names that mean secrets are masked here, masked columns by the triggers.
//!
//! Personal fields (the caller's address) stand apart in `audit_personal` and enter the line as a salted
//! commitment, so that a person can be erased and the line still proves itself.
//!
//! A caller whom nobody knows belongs to no organization. Their failures become *security events* of the
//! installation ([`SecurityEvents`]), limited in rate so that a flood of bad tokens is not a flood of writes.

mod actions;
mod model;
mod routes;
mod store;
mod wire;

pub(crate) use actions::write_alone;
pub use actions::{SecurityEvents, record, refused};
pub use model::Entry;
pub use routes::routes;
