//! The generic tests of operations, tried on one that keeps the rules and on some that break them: a test that
//! cannot fail proves nothing.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::FutureExt;
use marquee_jobs::{
    OperationKind, Policy, StepContext, StepDone, StepError,
    testing::exercise::{Exercise, Tried, World},
};
use serde_json::json;

use crate::support::{Bed, Builder, building};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[async_trait]
impl World for Builder {
    async fn reset(&self) {
        self.things.lock().unwrap().clear();
    }

    async fn is_untouched(&self) -> Result<(), String> {
        self.stands(&BTreeMap::new())
    }

    async fn is_complete(&self) -> Result<(), String> {
        self.stands(&NAMES.iter().map(|name| ((*name).to_owned(), 1)).collect())
    }
}

impl Builder {
    fn stands(&self, wanted: &BTreeMap<String, i64>) -> Result<(), String> {
        let things = self.things.lock().unwrap();
        if *things == *wanted { Ok(()) } else { Err(format!("{things:?} instead of {wanted:?}")) }
    }
}

/// `a` adds `d`, so that added steps are tried too.
fn exercise<'a>(
    bed: &'a Bed,
    world: &'a Builder,
    kind: Arc<dyn OperationKind>,
    policy: Policy,
) -> Exercise<'a> {
    let steps = [("a", json!({ "then": ["d"] })), ("b", json!({})), ("c", json!({}))];
    Exercise {
        db: &bed.db,
        clock: bed.clock.clone(),
        context: bed.context.clone(),
        kind,
        operation: Box::new(move || building(policy, &steps)),
        world,
    }
}

#[tokio::test]
async fn an_unwinding_operation_fails_at_every_step() {
    let (bed, builder) = (Bed::new().await, Builder::default());
    let exercise = exercise(&bed, &builder, Arc::new(builder.clone()), Policy::Unwind);
    assert_eq!(exercise.fails_at_every_step().await, Tried { runs: 8 });
}

#[tokio::test]
async fn every_step_runs_twice() {
    let (bed, builder) = (Bed::new().await, Builder::default());
    for policy in [Policy::Unwind, Policy::Partial { parallel: 2 }] {
        exercise(&bed, &builder, Arc::new(builder.clone()), policy).every_step_twice().await;
    }
}

#[tokio::test]
async fn the_worker_is_killed_between_and_within_any_two_steps() {
    let (bed, builder) = (Bed::new().await, Builder::default());
    let exercise = exercise(&bed, &builder, Arc::new(builder.clone()), Policy::Unwind);
    assert_eq!(exercise.killed_everywhere().await, Tried { runs: 16 });
}

#[tokio::test]
async fn a_partial_operation_survives_all_of_it() {
    let (bed, builder) = (Bed::new().await, Builder::default());
    let exercise = exercise(&bed, &builder, Arc::new(builder.clone()), Policy::Partial { parallel: 3 });
    // If `a` fails before it did anything, `d` is never added: three faults of that sort strike, four of the rest.
    assert!(exercise.all().await.runs >= 15);
}

/// Breaks one rule.
#[derive(Clone)]
struct Sloppy {
    inner: Builder,
    forgets_to_undo: bool,
}

#[async_trait]
impl OperationKind for Sloppy {
    fn kind(&self) -> &'static str {
        "build"
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        let standing = self.inner.things.lock().unwrap().get(&*ctx.name).copied();
        let done = self.inner.run_step(ctx).await?;
        if let Some(count) = standing.filter(|_| !self.forgets_to_undo) {
            self.inner.things.lock().unwrap().insert(ctx.name.to_string(), count + 1);
        }
        Ok(done)
    }

    async fn undo_step(&self, ctx: &StepContext) -> Result<(), StepError> {
        if self.forgets_to_undo && &*ctx.name == "b" {
            return Ok(());
        }
        self.inner.undo_step(ctx).await
    }
}

#[tokio::test]
async fn an_operation_that_builds_twice_is_caught() {
    let (bed, builder) = (Bed::new().await, Builder::default());
    let sloppy = Sloppy { inner: builder.clone(), forgets_to_undo: false };
    let exercise = exercise(&bed, &builder, Arc::new(sloppy), Policy::Unwind);
    let caught = std::panic::AssertUnwindSafe(exercise.every_step_twice()).catch_unwind().await;
    assert!(caught.is_err(), "doing every step twice should have been noticed");
    let caught = std::panic::AssertUnwindSafe(exercise.killed_everywhere()).catch_unwind().await;
    assert!(caught.is_err(), "building again after a crash should have been noticed");
}

#[tokio::test]
async fn an_operation_that_forgets_to_undo_is_caught() {
    let (bed, builder) = (Bed::new().await, Builder::default());
    let sloppy = Sloppy { inner: builder.clone(), forgets_to_undo: true };
    let exercise = exercise(&bed, &builder, Arc::new(sloppy), Policy::Unwind);
    let caught = std::panic::AssertUnwindSafe(exercise.fails_at_every_step()).catch_unwind().await;
    assert!(caught.is_err(), "what was left standing should have been noticed");
}
