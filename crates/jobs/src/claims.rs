//! Taking jobs and doing them, until the shutdown.

use std::{sync::Arc, time::Duration};

use marquee_db::DbError;
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    backoff::Backoff,
    queue::{self, Ask, Claimed},
    work,
    workers::{Held, Inner, Stop},
};

/// No claim takes more at once, so that processes that wake together share what there is.
const BATCH: usize = 16;
/// How long to leave a database alone that did not answer.
const OUTAGE: Backoff = Backoff { first: Duration::from_millis(200), most: Duration::from_secs(5) };

struct Claims<'a> {
    inner: &'a Arc<Inner>,
    stop: &'a Stop,
    tasks: JoinSet<()>,
    /// The organization whose turn was last.
    after: Uuid,
    /// There may be work for which there was no slot.
    backlog: bool,
    next_refill: Instant,
    outages: u32,
}

/// Takes and does jobs until the shutdown, and sees the last of them to its end.
pub(crate) async fn take_and_do(inner: &Arc<Inner>, stop: &Stop) {
    let mut claims = Claims {
        inner,
        stop,
        tasks: JoinSet::new(),
        after: Uuid::new_v4(),
        backlog: false,
        next_refill: Instant::now(),
        outages: 0,
    };
    while !stop.draining.is_cancelled() {
        match claims.round().await {
            Ok(true) => continue,
            Ok(false) => claims.recovered(),
            Err(error) => claims.failed(&error),
        }
        claims.idle().await;
    }
    claims.drain().await;
}

/// Kinds that are claimed together.
struct Group<'a> {
    kinds: Vec<&'a str>,
    room: usize,
}

fn narrow(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The kinds that have room: those without a limit of their own together, each of the others by itself.
/// Also whether a kind has none.
fn groups(inner: &Inner) -> (Vec<Group<'_>>, bool) {
    let (free, limited): (Vec<_>, Vec<_>) =
        inner.registry.kinds().partition(|(_, parallel)| *parallel == usize::MAX);
    let mut groups = vec![Group { kinds: free.into_iter().map(|(kind, _)| kind).collect(), room: BATCH }];
    for (kind, parallel) in limited {
        let room = parallel.saturating_sub(inner.load_of(kind));
        groups.push(Group { kinds: vec![kind], room });
    }
    let full = groups.iter().any(|group| group.room == 0);
    groups.retain(|group| group.room > 0 && !group.kinds.is_empty());
    if groups.is_empty() {
        // What became due is made ready all the same: other processes may have room.
        groups.push(Group { kinds: Vec::new(), room: 0 });
    }
    (groups, full)
}

/// The organizations that hold slots, with what was just taken, and how many they may still get.
fn left(inner: &Inner, taken: &[Claimed]) -> Vec<(Uuid, i32)> {
    let mut load = inner.load_by_organization();
    for job in taken {
        *load.entry(job.lease.organization).or_default() += 1;
    }
    let share = inner.limits.per_organization;
    load.into_iter().map(|(id, load)| (id.uuid(), narrow(share.saturating_sub(load)))).collect()
}

impl Claims<'_> {
    /// Takes what there is a slot for, at most a batch; whether to look again at once.
    async fn round(&mut self) -> Result<bool, DbError> {
        let refill = Instant::now() >= self.next_refill;
        let (inner, limits) = (self.inner, &self.inner.limits);
        let mut free = limits.concurrency.saturating_sub(self.inner.load()).min(BATCH);
        let (groups, full) = groups(inner);
        self.backlog = free == 0 || full;
        if free == 0 && !refill {
            return Ok(false);
        }
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.system("jobs: claim");
        let (mut taken, mut more) = (Vec::new(), false);
        for (n, Group { kinds, room }) in groups.into_iter().enumerate() {
            if free == 0 && n > 0 {
                break;
            }
            let left = left(inner, &taken);
            self.backlog |= left.iter().any(|(_, left)| *left <= 0);
            let ask = Ask {
                worker: &self.inner.name,
                batch: narrow(free.min(room)),
                kinds,
                after: self.after,
                share: narrow(limits.per_organization),
                left,
                lease: limits.lease,
                token: rand::random(),
                now,
            };
            let claims = queue::claim(&mut tx, &ask, refill && n == 0).await?;
            free -= claims.jobs.len().min(free);
            self.after = claims.after;
            more |= claims.more;
            taken.extend(claims.jobs);
        }
        tx.commit().await?;
        if refill {
            self.next_refill = Instant::now() + self.inner.jitter.around(limits.poll, 0.25);
        }
        self.inner.pulse.polled(now);
        for job in taken {
            self.start(job);
        }
        Ok(more)
    }

    fn start(&mut self, job: Claimed) {
        let Some(handler) = self.inner.registry.find(&job.kind).cloned() else { return };
        let held = Held {
            lease: job.lease,
            kind: job.kind.clone(),
            operation: work::operation_of(&job),
            poke: Arc::new(Notify::new()),
            lost: CancellationToken::new(),
        };
        let slot = self.inner.occupy(held.clone());
        let (inner, stop) = (Arc::clone(self.inner), self.stop.clone());
        self.tasks.spawn(async move {
            work::work(&inner, job, handler, held, &stop).await;
            drop(slot);
        });
    }

    fn recovered(&mut self) {
        if self.outages > 0 {
            tracing::info!(failures = self.outages, "the queue can be read again");
        }
        self.outages = 0;
    }

    fn failed(&mut self, error: &DbError) {
        self.outages = self.outages.saturating_add(1);
        if self.outages == 1 {
            tracing::warn!(%error, "the queue cannot be read; trying again");
        } else {
            tracing::debug!(%error, failures = self.outages, "the queue still cannot be read");
        }
    }

    /// Waits for a reason to look for work.
    async fn idle(&mut self) {
        if self.outages > 0 {
            let wait = OUTAGE.delay(self.outages, &self.inner.jitter);
            tokio::select! {
                () = self.stop.draining.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
            return;
        }
        loop {
            while self.tasks.try_join_next().is_some() {}
            tokio::select! {
                () = self.stop.draining.cancelled() => return,
                () = self.inner.wake.notified() => return,
                () = tokio::time::sleep_until(self.next_refill) => return,
                Some(_) = self.tasks.join_next() => if self.backlog { return },
            }
        }
    }

    async fn drain(&mut self) {
        let grace = tokio::time::sleep(self.inner.limits.grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => if ended.is_none() { return },
                () = &mut grace, if !self.stop.abandon.is_cancelled() => self.stop.abandon.cancel(),
            }
        }
    }
}
