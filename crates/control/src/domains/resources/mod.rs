//! Resources: one inventory of what exists in every connected cloud, and what it was before.
//!
//! A **resource** is one thing a provider has. Its id is made of provider, kind and native id, so that it is
//! known before the row is written and stays the same if the thing goes and comes back. A **sync** is one
//! discovery run over a provider: a durable operation whose steps are **scopes** (a service in a region), each
//! of which succeeds or fails alone.
//!
//! What the inventory promises:
//!
//! * **Unchanged means unwritten.** A resource is compared by its digest; freshness is the scope's
//!   (`sync_scopes.complete_at`) and is shown with each resource as `fresh_at`.
//! * **Nothing is deleted without a second look.** After a listing that was proven complete, what it lacked is
//!   looked up by id; only "does not exist" from the cloud itself, or a second complete listing without it,
//!   deletes. A listing that failed half-way deletes nothing.
//! * **History is whole versions**, each true in `[valid_from, valid_to)`; `as_of` reads them. It reaches back
//!   [`model::HORIZON`]; asking for an earlier time is refused.
//! * **One sync at a time** for a provider: asking for one while one runs joins it.
//! * A sync that is killed goes on where it was: scopes that are done stay done, the rest are listed again,
//!   and writing a page twice is the same as writing it once.
//!
//! What changes promise:
//!
//! * A **change** is asked for, planned, and carried out by an operation: stop, resize, start again. The plan says before
//!   anything is done what it disturbs and what cannot be taken back; it is made again with what the cloud says when the
//!   operation begins, and if that would be worse, nothing is done.
//! * **Nothing is made twice.** Each step has a token that stays the same at every attempt.
//! * **All or nothing.** If a step fails, those before it are taken back, in reverse; what cannot be is reported.
//! * **One at a time.** A resource is in the hand of one operation; a second is refused, or waits if its caller says so.
//! * A **protected** resource is not changed; lifting the protection is a call of its own.
//! * What an **approval policy** applies to is begun when a second person has approved it; until then it has nothing in hand.
//!
//! [`workers`] lists and compares; [`store`] has all the SQL, and the language of lists.

mod actions;
mod model;
mod routes;
mod store;
mod wire;
mod workers;

pub use routes::routes;
pub use workers::{
    ApprovalExpiry, BulkOperation, ChangeOperation, RetireProvider, SCHEDULER, Scheduler, SyncOperation,
    retire, retire_in_any_case,
};
