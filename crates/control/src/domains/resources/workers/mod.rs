//! The sync as durable work: [`sync`] is the operation, [`listing`] what one scope's step does, [`schedule`] the
//! reconciler that starts what is due. [`retire`] is what follows a disconnection. [`change`] changes things ([`carry`] is how one change comes to its end, [`quota`] what is looked at before), [`bulk`] many of them, and
//! [`approvals`] ends what nobody approved.

mod approvals;
mod bulk;
mod carry;
mod change;
mod listing;
mod quota;
mod retire;
mod schedule;
mod sync;

pub use approvals::ApprovalExpiry;
pub use bulk::{BULK, BulkInput, BulkOperation};
pub use change::{CHANGE, ChangeInput, ChangeOperation, PLAN};
pub use retire::{RetireProvider, retire, retire_in_any_case};
pub use schedule::{SCHEDULER, Scheduler};
pub use sync::{DISCOVER, SYNC, SyncOperation};
