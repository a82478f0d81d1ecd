//! What identity does: recognizing callers, log-ins, and the changes of members, keys and sessions.

use marquee_db::{Org, Tx};

use crate::{fault::Fault, http::Call};

pub mod api_keys;
pub mod bootstrap;
pub mod credentials;
pub mod login;
pub mod members;
pub mod organizations;
pub mod passwords;
mod recent;
pub mod sessions;
pub mod throttle;

/// Commits, or if the caller only asked what would happen, takes it back.
async fn finish(call: &Call, tx: Tx<Org>) -> Result<(), Fault> {
    let done = if call.validate_only { tx.rollback().await } else { tx.commit().await };
    Ok(done?)
}
