//! The endpoint of the audit log.

use marquee_types::Permission;

use super::{
    store,
    wire::{AuditEntry, AuditQuery},
};
use crate::{
    fault::Fault,
    http::{Call, Endpoint, Page, Paging, Reply, filter::parse},
};

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    vec![
        Endpoint::get("audit.list", "/api/audit", Permission::AuditRead, list)
            .summary("List audit entries, newest first"),
    ]
}

async fn list(call: Call, query: AuditQuery) -> Result<Reply<Page<AuditEntry>>, Fault> {
    let filter = parse(&store::SCHEMA, query.filter.as_deref())?;
    let text = filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), format!("audit\n{text}"))?;
    let entries = store::page(call.tx()?, filter.as_ref(), paging.after, paging.fetch()).await?;
    paging.page(&call.app, entries, |last: &AuditEntry| (last.at, last.id)).map(Reply::new)
}
