//! The workers of one process: they take jobs in turns between organizations, keep the leases alive, hear what
//! other processes say, and run the reconcilers.
//!
//! Any number of processes share a database. None knows of the others: what keeps them apart are row locks for
//! the moment of a claim, leases for the time of a job, and the fencing token for whoever comes back late.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use marquee_db::Db;
use marquee_types::{Clock, JobId, OperationId, OrganizationId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    backoff::Jitter,
    health::{Health, Pulse},
    lease::Lease,
    registry::Registry,
    upkeep,
};

/// How much one process does at once, and how patient it is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Jobs (an operation is one) at once.
    pub concurrency: usize,
    /// Jobs of one organization at once; less than `concurrency`, so that there is always a slot for others.
    pub per_organization: usize,
    /// How often to look for work that nobody announced. Jittered by a quarter.
    pub poll: Duration,
    /// How long a worker may be silent before others take its jobs. Renewed after a third of it.
    pub lease: Duration,
    /// How long a shutdown waits for jobs to come to an end before it gives them back.
    pub grace: Duration,
    /// How long operations are kept after they are done.
    pub keep_operations: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 32,
            per_organization: 24,
            poll: Duration::from_secs(1),
            lease: Duration::from_secs(30),
            grace: Duration::from_secs(20),
            keep_operations: Duration::from_hours(30 * 24),
        }
    }
}

/// The workers of this process. Clones are the same workers.
#[derive(Clone)]
pub struct Workers(Arc<Inner>);

pub(crate) struct Inner {
    pub db: Db,
    pub clock: Clock,
    pub registry: Registry,
    pub limits: Limits,
    pub jitter: Jitter,
    /// What stands in `jobs.worker`, for people.
    pub name: String,
    held: Mutex<HashMap<JobId, Held>>,
    pub pulse: Pulse,
    /// There may be work.
    pub wake: Notify,
    /// By reconciler.
    pub nudges: HashMap<&'static str, Arc<Notify>>,
    /// Whether notices are listened to at all.
    hears: bool,
}

/// A job this process is on.
#[derive(Clone)]
pub(crate) struct Held {
    pub lease: Lease,
    pub kind: String,
    pub operation: Option<OperationId>,
    pub poke: Arc<Notify>,
    pub lost: CancellationToken,
}

/// When to stop: first ask, then insist.
#[derive(Clone)]
pub(crate) struct Stop {
    /// Take nothing new, come to an end.
    pub draining: CancellationToken,
    /// Give back what is not at an end.
    pub abandon: CancellationToken,
}

impl Workers {
    /// Workers that will do what `registry` lists, and the engine's own upkeep.
    pub fn new(db: Db, clock: Clock, registry: Registry, limits: Limits) -> Self {
        Self::with_jitter(db, clock, registry, limits, Jitter::random())
    }

    /// As [`Workers::new`], with chance that can be repeated.
    pub fn with_jitter(db: Db, clock: Clock, registry: Registry, limits: Limits, jitter: Jitter) -> Self {
        Self::build(db, clock, registry, limits, jitter, true)
    }

    /// Workers that never hear a notice if `hears` is false: what polling alone must be able to do.
    pub(crate) fn build(
        db: Db,
        clock: Clock,
        registry: Registry,
        limits: Limits,
        jitter: Jitter,
        hears: bool,
    ) -> Self {
        let registry = upkeep::add_to(registry, limits.keep_operations);
        let nudges = registry
            .reconcilers()
            .iter()
            .map(|reconciler| (reconciler.name(), Arc::new(Notify::new())))
            .collect();
        let name = format!("{}-{}", std::process::id(), &Uuid::new_v4().simple().to_string()[..8]);
        Self(Arc::new(Inner {
            db,
            clock,
            registry,
            limits,
            jitter,
            name,
            held: Mutex::default(),
            pulse: Pulse::default(),
            wake: Notify::new(),
            nudges,
            hears,
        }))
    }

    /// Works until `shutdown`, then lets jobs come to an end (operations: to a step boundary) for
    /// [`Limits::grace`], and gives back the rest. While the database is away it waits, and goes on by itself.
    ///
    /// Dropping the future instead is a crash: jobs stop where they are and are taken up again, here or
    /// elsewhere, when their lease ends.
    pub async fn run(&self, shutdown: CancellationToken) {
        let stop = Stop { draining: shutdown, abandon: CancellationToken::new() };
        let over = CancellationToken::new();
        let inner = &self.0;
        tokio::join!(
            async {
                crate::claims::take_and_do(inner, &stop).await;
                over.cancel();
            },
            crate::heartbeat::keep_leases(inner, &over),
            async {
                if inner.hears {
                    crate::heartbeat::listen(inner, &over).await;
                }
            },
            crate::reconciler::tend_all(inner, &stop),
            crate::schedules::fire_all(inner, &stop),
        );
    }

    /// How these workers are; from memory, at most a third of a lease old.
    pub fn health(&self) -> Health {
        self.0.pulse.health(&self.0)
    }

    /// Has a reconciler of this process run soon. See [`crate::nudge`] for one that reaches all processes.
    pub fn nudge(&self, reconciler: &str) {
        self.0.nudge(reconciler);
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("name", &self.0.name).field("registry", &self.0.registry).finish()
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this process is on.
    pub fn all_held(&self) -> Vec<Held> {
        self.held().values().cloned().collect()
    }

    /// How many jobs this process is on.
    pub fn load(&self) -> usize {
        self.held().len()
    }

    /// How many jobs of each organization this process is on.
    pub fn load_by_organization(&self) -> HashMap<OrganizationId, usize> {
        let mut load = HashMap::new();
        for held in self.held().values() {
            *load.entry(held.lease.organization).or_default() += 1;
        }
        load
    }

    /// How many jobs of a kind this process is on.
    pub fn load_of(&self, kind: &str) -> usize {
        self.held().values().filter(|held| held.kind == kind).count()
    }

    /// Occupies a slot until the guard is dropped.
    pub fn occupy(self: &Arc<Self>, held: Held) -> Slot {
        let job = held.lease.job;
        self.held().insert(job, held);
        Slot { inner: Arc::clone(self), job }
    }

    /// Wakes a reconciler, if this process has it.
    pub fn nudge(&self, reconciler: &str) {
        if let Some(nudged) = self.nudges.get(reconciler) {
            nudged.notify_one();
        }
    }
}

/// The right to a slot of this process; gives it back when dropped, however the job ends.
pub(crate) struct Slot {
    inner: Arc<Inner>,
    job: JobId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.inner.held().remove(&self.job);
    }
}
