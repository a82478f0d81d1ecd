//! Writing to the audit log.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use marquee_db::{Db, DbError, Org, OrgContext, Tx};

use super::{model::Entry, store};
use crate::{
    app::App,
    http::{Actor, RequestMeta},
};

/// Writes an entry in the transaction of the change: both are committed, or neither is.
pub fn record(tx: &mut Tx<Org>, entry: Entry) {
    store::insert(tx, entry);
}

/// Writes an entry about something that was not done, in a transaction of its own. The caller has been refused
/// whatever happens here; that the entry could not be written is an error in the log.
pub async fn refused(
    app: &App,
    actor: &Actor,
    meta: &RequestMeta,
    action: &'static str,
    target: Option<&str>,
    status: StatusCode,
    code: &str,
) {
    let entry =
        if status.is_server_error() { Entry::failed(action, code) } else { Entry::refused(action, code) };
    let entry = match target {
        Some(id) => entry.target_id(id),
        None => entry,
    };
    write_alone(&app.db, &actor.context(meta), entry).await;
}

/// Writes an entry in a transaction of its own.
pub(crate) async fn write_alone(db: &Db, context: &OrgContext, entry: Entry) {
    let action = entry.action;
    if let Err(error) = try_write_alone(db, context, entry).await {
        tracing::error!(%error, action, request_id = context.request_id, "an audit entry could not be written");
    }
}

async fn try_write_alone(db: &Db, context: &OrgContext, entry: Entry) -> Result<(), DbError> {
    let mut tx = db.org(context)?;
    record(&mut tx, entry);
    tx.commit().await
}

/// The refusals of unknown callers, at most a few a second in each process; the next one written says how many
/// were not.
#[derive(Debug)]
pub struct SecurityEvents {
    limiter: DefaultDirectRateLimiter,
    suppressed: AtomicU32,
}

impl Default for SecurityEvents {
    fn default() -> Self {
        let quota = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self { limiter: RateLimiter::direct(quota), suppressed: AtomicU32::new(0) }
    }
}

const PER_SECOND: NonZeroU32 = NonZeroU32::new(2).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();

impl SecurityEvents {
    /// Notes that an unknown caller was refused; `kind` is `noun.what`, `subject` a digest of what was tried.
    pub async fn note(&self, db: &Db, kind: &'static str, meta: &RequestMeta, subject: Option<&str>) {
        if self.limiter.check().is_err() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let suppressed = self.suppressed.swap(0, Ordering::Relaxed);
        let count = i32::try_from(suppressed).unwrap_or(i32::MAX);
        let written = async {
            let tx = db.anonymous();
            store::insert_security_event(tx, kind, meta.address, &meta.request_id, subject, count).await
        };
        if let Err(error) = written.await {
            self.suppressed.fetch_add(suppressed.saturating_add(1), Ordering::Relaxed);
            tracing::error!(%error, kind, request_id = meta.request_id, "a security event could not be written");
        }
    }
}
