//! The sync as durable work: [`sync`] is the operation, [`listing`] what one scope's step does, [`schedule`] the
//! reconciler that starts what is due.

mod listing;
mod schedule;
mod sync;

pub use schedule::{SCHEDULER, Scheduler};
pub use sync::{DISCOVER, SYNC, SyncOperation};
