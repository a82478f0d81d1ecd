//! Ending sessions.

use marquee_types::{Permission, SessionId};

use super::credentials::Ended;
use crate::{
    domains::{
        audit::{self, Entry},
        identity::store,
    },
    fault::Fault,
    http::Call,
};

/// Ends a session: one's own, or with `members.manage` anybody's.
pub async fn revoke(call: &Call, id: SessionId) -> Result<(), Fault> {
    // It has one version all its life, and no tag was ever given: whatever is named is not it.
    if call.if_match.is_some() {
        return Err(Fault::Stale);
    }
    let of = if call.actor.permissions.contains(Permission::MembersManage) {
        None
    } else {
        Some(call.actor.user())
    };
    let mut tx = call.tx()?;
    let ended = store::sessions::delete(&mut tx, id, of).await?.ok_or(Fault::NotFound("session"))?;
    audit::record(&mut tx, Entry::allowed("sessions.revoke").target("session", id));
    let credentials = call.app.identity.credentials().clone();
    tx.after_commit(move || credentials.end(Ended::Token(ended)));
    Ok(tx.commit().await?)
}
