//! What goes on beside the jobs: renewing leases, noticing lost ones, measuring the queue, hearing notices.

use std::{sync::Arc, time::Duration};

use marquee_db::{Db, DbError, Notice};
use marquee_types::OperationId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    health,
    lease::Lease,
    operation::ASK_CHANNEL,
    queue::{self, QUEUE_CHANNEL},
    reconciler::NUDGE_CHANNEL,
    workers::{Held, Inner},
};

/// Renews the leases of this process after a third of their time, until `over`.
pub(crate) async fn keep_leases(inner: &Arc<Inner>, over: &CancellationToken) {
    let every = inner.limits.lease / 3;
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = match beat(inner).await {
            Ok(()) => inner.jitter.around(every, 0.1),
            // Tried again well before the leases end.
            Err(error) if error.is_unavailable() => {
                tracing::debug!(%error, "leases could not be renewed; trying again");
                every / 8
            }
            Err(error) => {
                tracing::error!(%error, "leases could not be renewed; trying again");
                every / 8
            }
        };
    }
}

async fn beat(inner: &Inner) -> Result<(), DbError> {
    let held = inner.all_held();
    if !held.is_empty() {
        let leases: Vec<Lease> = held.iter().map(|held| held.lease).collect();
        let kept = queue::extend(&inner.db, &leases, inner.limits.lease).await?;
        for gone in held.iter().filter(|held| !kept.contains(&held.lease.job)) {
            gone.lost.cancel();
        }
        poke_the_asked(&inner.db, &held).await?;
    }
    let depth = health::depth(&inner.db).await?;
    inner.pulse.measured(depth);
    Ok(())
}

const ASKED: &str = "
SELECT operations.id
FROM unnest($1::uuid[], $2::uuid[]) AS held (organization_id, id) JOIN operations USING (organization_id, id)
WHERE operations.state = 'cancelling' OR operations.pause_reason IS NOT NULL";

/// Has drivers look whose operation was asked to stop or pause, in case the notice of it was lost.
async fn poke_the_asked(db: &Db, held: &[Held]) -> Result<(), DbError> {
    let (organizations, operations): (Vec<Uuid>, Vec<Uuid>) =
        held.iter().filter_map(|held| Some((held.lease.organization.uuid(), held.operation?.uuid()))).unzip();
    if operations.is_empty() {
        return Ok(());
    }
    let tx = db.system("jobs: find operations asked to stop");
    let rows = tx.read(ASKED, &[&organizations, &operations]).await?;
    let asked: Vec<OperationId> = rows.iter().map(|row| OperationId::from(row.get::<_, Uuid>(0))).collect();
    for held in held.iter().filter(|held| held.operation.is_some_and(|id| asked.contains(&id))) {
        held.poke.notify_one();
    }
    Ok(())
}

/// Hears what other processes, and this one, say, until `over`. All of it is hints: whoever is not told finds
/// out by looking.
pub(crate) async fn listen(inner: &Arc<Inner>, over: &CancellationToken) {
    let mut queue = inner.db.notices().subscribe(QUEUE_CHANNEL);
    let mut asks = inner.db.notices().subscribe(ASK_CHANNEL);
    let mut nudges = inner.db.notices().subscribe(NUDGE_CHANNEL);
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            _ = queue.recv() => inner.wake.notify_one(),
            asked = asks.recv() => poke(inner, &asked),
            nudge = nudges.recv() => match nudge {
                Notice::Message(name) => inner.nudge(&name),
                // Nudges only hasten what the period brings anyway.
                Notice::Gap => {}
            },
        }
    }
}

fn poke(inner: &Inner, asked: &Notice) {
    let concerns = |held: &Held| match asked {
        Notice::Message(id) => held.operation.is_some_and(|operation| operation.to_string() == *id),
        Notice::Gap => true,
    };
    inner.all_held().iter().filter(|held| concerns(held)).for_each(|held| held.poke.notify_one());
}
