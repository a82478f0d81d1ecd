//! The generic tests: whatever an operation does, it must survive these.
//!
//! - [`Exercise::fails_at_every_step`]: each step in turn fails, once before and once after doing its work, and
//!   all is undone (every undo is made twice);
//! - [`Exercise::every_step_twice`]: each step is done twice, and the outcome is that of once;
//! - [`Exercise::killed_everywhere`]: the worker dies before and after each step's work and each undo's work,
//!   and another one brings it to the same end.
//!
//! What the operation did is judged by the caller's [`World`], not by what the operation says of itself.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use marquee_db::{Db, OrgContext};
use marquee_types::{Clock, OperationId, OperationState};
use tokio_util::sync::CancellationToken;

use super::{Fault, Faulty, end_leases, leftover_jobs, work_until_done, workers};
use crate::{NewOperation, OperationKind, OperationRow, Policy, Registry, operation::start_operation};

const AT_MOST: Duration = Duration::from_secs(30);

/// What the operation works on.
#[async_trait]
pub trait World: Send + Sync {
    /// Puts it back into the state before the operation.
    async fn reset(&self);
    /// `Ok` if it is as before the operation; else what differs.
    async fn is_untouched(&self) -> Result<(), String>;
    /// `Ok` if it is as after one successful operation; else what differs.
    async fn is_complete(&self) -> Result<(), String>;
}

/// One kind of operation, and the world to try it on.
pub struct Exercise<'a> {
    /// The database.
    pub db: &'a Db,
    /// The time.
    pub clock: Clock,
    /// Whose operation it is.
    pub context: OrgContext,
    /// The kind.
    pub kind: Arc<dyn OperationKind>,
    /// A new operation, the same each time.
    pub operation: Box<dyn Fn() -> NewOperation + Send + Sync + 'a>,
    /// What it works on.
    pub world: &'a dyn World,
}

impl fmt::Debug for Exercise<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exercise").field("kind", &self.kind.kind()).finish_non_exhaustive()
    }
}

/// How many faults of each sort were tried: a test should say how many it expects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// Runs that ended as they should.
    pub runs: usize,
}

#[expect(clippy::expect_used, reason = "these are tests: a broken rule is a panic")]
impl Exercise<'_> {
    /// All of them.
    pub async fn all(&self) -> Tried {
        let runs = self.fails_at_every_step().await.runs
            + self.every_step_twice().await.runs
            + self.killed_everywhere().await.runs;
        Tried { runs }
    }

    /// See the module. Under [`Policy::Partial`] the other steps must succeed all the same.
    pub async fn fails_at_every_step(&self) -> Tried {
        let mut tried = Tried::default();
        for fault_at in [Fault::FailBefore as fn(usize) -> Fault, Fault::FailAfter] {
            for step in 0.. {
                self.world.reset().await;
                let faulty = Faulty::new(Arc::clone(&self.kind), fault_at(step));
                let struck = Arc::clone(&faulty.struck);
                let ended = self.run(faulty).await;
                if struck.load(Ordering::SeqCst) == 0 {
                    self.ended_well(&ended).await;
                    break;
                }
                self.ended_after_failure(&ended, fault_at(step)).await;
                tried.runs += 1;
            }
        }
        tried
    }

    /// See the module.
    pub async fn every_step_twice(&self) -> Tried {
        self.world.reset().await;
        let ended = self.run(Faulty::new(Arc::clone(&self.kind), Fault::Twice)).await;
        self.ended_well(&ended).await;
        Tried { runs: 1 }
    }

    /// See the module. Deaths while undoing are tried for the failure of the last step.
    pub async fn killed_everywhere(&self) -> Tried {
        let mut tried = Tried::default();
        let mut steps = 0;
        for fault_at in [Fault::HangBefore as fn(usize) -> Fault, Fault::HangAfter] {
            steps = 0;
            while self.killed(fault_at(steps), false).await {
                steps += 1;
                tried.runs += 1;
            }
        }
        let undoes = matches!((self.operation)().policy, Policy::Unwind) && steps > 0;
        for fault_at in [Fault::HangBeforeUndo as fn(usize, usize) -> Fault, Fault::HangAfterUndo] {
            let mut undo = 0;
            while undoes && self.killed(fault_at(steps - 1, undo), true).await {
                undo += 1;
                tried.runs += 1;
            }
        }
        tried
    }

    /// Kills a worker at the fault and lets another one finish; `false` if the fault was never reached.
    async fn killed(&self, fault: Fault, undone: bool) -> bool {
        self.world.reset().await;
        let faulty = Faulty::new(Arc::clone(&self.kind), fault);
        let hanging = Arc::clone(&faulty.hanging);
        let id = self.start().await;
        let doomed = workers(self.db, &self.clock, Registry::new().operation(faulty));
        let done = crate::operation::wait_operation(self.db, &self.context, id, AT_MOST);
        let reached = tokio::select! {
            () = doomed.run(CancellationToken::new()) => false,
            () = hanging.notified() => true,
            _done = done => false,
        };
        // The workers' future was dropped here: their tasks stopped where they were, and no lease was given back.
        if reached {
            end_leases(self.db).await.expect("leases can be ended");
        }
        let healthy = Faulty::new(Arc::clone(&self.kind), Fault::None);
        let ended = self.finish(id, healthy).await;
        if undone {
            self.ended_after_failure(&ended, fault).await;
        } else {
            self.ended_well(&ended).await;
        }
        reached
    }

    async fn run(&self, kind: Faulty) -> OperationRow {
        let id = self.start().await;
        self.finish(id, kind).await
    }

    async fn start(&self) -> OperationId {
        let mut tx = self.db.org(&self.context).expect("a transaction");
        let started =
            start_operation(&mut tx, (self.operation)()).await.expect("the operation can be started");
        tx.commit().await.expect("a commit");
        started.id()
    }

    async fn finish(&self, id: OperationId, kind: Faulty) -> OperationRow {
        let workers = workers(self.db, &self.clock, Registry::new().operation(kind));
        work_until_done(&workers, self.db, &self.context, id, AT_MOST).await
    }

    async fn ended_well(&self, ended: &OperationRow) {
        assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
        if let Err(difference) = self.world.is_complete().await {
            panic!("the operation says it succeeded, but: {difference}");
        }
        self.nothing_left().await;
    }

    async fn ended_after_failure(&self, ended: &OperationRow, fault: Fault) {
        if matches!((self.operation)().policy, Policy::Unwind) {
            assert_eq!(ended.state, OperationState::Undone, "{fault:?}: {ended:?}");
            if let Err(difference) = self.world.is_untouched().await {
                panic!("{fault:?}: the operation says it was undone, but: {difference}");
            }
        } else {
            let failed = [OperationState::PartiallySucceeded, OperationState::Failed];
            assert!(failed.contains(&ended.state), "{fault:?}: {ended:?}");
        }
        self.nothing_left().await;
    }

    async fn nothing_left(&self) {
        let left = leftover_jobs(self.db).await.expect("the queue can be read");
        assert!(left.is_empty(), "jobs were left over: {left:?}");
    }
}
