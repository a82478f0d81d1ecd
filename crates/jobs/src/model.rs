//! The pure heart tried in every order: random answers, crashes, cancels and pauses, against a world that
//! remembers what really stands. A step may have done its work and still answer with an error.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_types::OperationState as O;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use crate::{
    NewStep, Policy, StepDone, StepError, StepState as S,
    backoff::{Backoff, Jitter},
    change::Patience,
    image::{Image, Next, Step},
};

struct World {
    image: Image,
    stands: Vec<bool>,
    chance: SmallRng,
    now: DateTime<Utc>,
    cancelling: bool,
    jitter: Jitter,
    starts: usize,
}

fn begin(policy: Policy, steps: i32, seed: u64) -> World {
    let image = Image {
        target: None,
        input: json!({}).into(),
        policy,
        state: O::Pending,
        error: None,
        request_id: String::new(),
        started_at: None,
        pause: None,
        pause_asked: false,
        steps: (0..steps).map(|position| Step::added(position, &format!("s{position}"), json!({}))).collect(),
        dirty: false,
    };
    World {
        image,
        stands: Vec::new(),
        chance: SmallRng::seed_from_u64(seed),
        now: DateTime::UNIX_EPOCH,
        cancelling: false,
        jitter: Jitter::seeded(seed),
        starts: 0,
    }
}

impl World {
    /// Drives to the end, with everything going wrong now and then.
    fn drive(&mut self) -> O {
        for _ in 0..100_000 {
            self.interfere();
            match self.image.next(self.cancelling, false, self.now) {
                Next::Start(indices) => self.start(&indices),
                Next::Undo(index) => self.undo(index),
                Next::Wait(None) => self.answer_one(),
                Next::Wait(Some(at)) if self.image.is_busy() && self.chance.random_bool(0.5) => {
                    assert!(at > self.now);
                    self.answer_one();
                }
                Next::Wait(Some(at)) => self.now = at,
                Next::Pause(_) => self.resume(),
                Next::Release => panic!("nobody shuts down"),
                Next::Close(state, error) => {
                    assert!(!self.image.is_busy(), "closed while a step was under way");
                    self.image.close(state, error);
                    return state;
                }
            }
        }
        panic!("it never ends: {:?}", self.image);
    }

    fn interfere(&mut self) {
        self.now += TimeDelta::milliseconds(1);
        let undoing = self.image.state == O::Undoing;
        if !self.cancelling && !undoing && self.chance.random_bool(0.01) {
            self.cancelling = true;
            self.image.state = O::Cancelling;
            self.image.pause = None;
        }
        if undoing {
            self.cancelling = false;
        }
        if self.chance.random_bool(0.05) {
            self.crash();
        }
    }

    /// What another worker finds: the database knows what was begun, but nobody is on it.
    fn crash(&mut self) {
        for step in &mut self.image.steps {
            step.in_flight = false;
        }
        self.image.pause = None;
    }

    fn resume(&mut self) {
        assert!(!self.image.is_busy(), "paused while a step was under way");
        self.image.pause = None;
        self.image.state = if self.image.error.is_some() { O::Undoing } else { O::Running };
    }

    fn start(&mut self, indices: &[usize]) {
        assert!(!indices.is_empty());
        for &index in indices {
            if self.image.policy == Policy::Unwind {
                assert!(
                    self.image.steps[..index].iter().all(|step| step.state == S::Succeeded),
                    "out of order"
                );
            }
            self.image.begin(index, self.now);
            self.starts += 1;
        }
        let under_way = self.image.steps.iter().filter(|step| step.in_flight).count();
        let most = if let Policy::Partial { parallel } = self.image.policy { parallel } else { 1 };
        assert!(under_way <= most, "{under_way} at once");
    }

    fn undo(&mut self, index: usize) {
        let settled = |step: &Step| step.attempt == 0 || matches!(step.state, S::Undone | S::UndoFailed);
        assert!(self.image.steps[index + 1..].iter().all(settled), "undone out of order");
        self.image.begin_undo(index, self.now);
    }

    fn answer_one(&mut self) {
        let under_way: Vec<usize> =
            (0..self.image.steps.len()).filter(|i| self.image.steps[*i].in_flight).collect();
        assert!(!under_way.is_empty(), "it waits for nothing: {:?}", self.image);
        let index = under_way[self.chance.random_range(0..under_way.len())];
        let error = match self.chance.random_range(0..10) {
            0 => Some(StepError::permanent("no", "No.")),
            1 | 2 => Some(StepError::transient("busy", "Busy.")),
            3 => Some(StepError::pause("locked", "Locked.")),
            4 => Some(StepError::after(Duration::from_mins(1), "throttled", "Slowly.")),
            5 => Some(StepError::later(Duration::from_secs(10), "It waits.")),
            _ => None,
        };
        // Work may be done however it is answered; a success is always true.
        let worked = error.is_none() || self.chance.random_bool(0.5);
        self.stands.resize(self.image.steps.len(), false);
        let jitter = self.jitter.clone();
        let patience = Patience { attempts: 3, backoff: Backoff::default(), jitter: &jitter };
        if self.image.steps[index].state == S::Undoing {
            self.stands[index] &= !worked;
            self.image.fold_undo(index, error.map_or(Ok(()), Err), patience, self.now);
        } else {
            self.stands[index] |= worked;
            let then = self.chance.random_bool(0.1).then(|| NewStep::new("added", json!({})));
            let done = StepDone { then: then.into_iter().collect(), ..StepDone::default() };
            self.image.fold(index, error.map_or(Ok(done), Err), patience, self.now);
        }
        self.stands.resize(self.image.steps.len(), false);
    }

    fn count(&self, state: S) -> usize {
        self.image.steps.iter().filter(|step| step.state == state).count()
    }

    fn check_unwind(&self, ended: O) {
        let all = self.image.steps.len();
        match ended {
            O::Succeeded => {
                assert_eq!(self.count(S::Succeeded), all);
                assert!(self.stands.iter().all(|stands| *stands) && self.image.error.is_none());
            }
            O::Undone => {
                assert!(self.stands.iter().all(|stands| !stands), "undone, but something stands");
                assert_eq!(self.count(S::Undone) + self.count(S::Skipped), all);
                assert!(self.image.error.is_some() && self.starts > 0);
            }
            O::Cancelled => assert_eq!((self.count(S::Skipped), self.starts), (all, 0)),
            O::Failed => {
                let left = self.image.error.as_ref().and_then(|error| error["left"].as_array().map(Vec::len));
                assert_eq!(left, Some(self.count(S::UndoFailed)));
                let lost = |(stands, step): (&bool, &Step)| *stands && step.state != S::UndoFailed;
                assert!(
                    !self.stands.iter().zip(&self.image.steps).any(lost),
                    "something stands that is not named"
                );
            }
            other => panic!("an unwinding operation ended as {other}"),
        }
    }

    fn check_partial(&self, ended: O) {
        let (succeeded, failed, skipped) =
            (self.count(S::Succeeded), self.count(S::Failed), self.count(S::Skipped));
        assert_eq!(succeeded + failed + skipped, self.image.steps.len(), "{:?}", self.image);
        let told = self.image.error.as_ref().map_or(0, |error| error["steps"].as_array().map_or(0, Vec::len));
        assert_eq!(told, failed, "every failure is told");
        let never_started = self.image.steps.iter().filter(|step| step.attempt == 0).count();
        assert_eq!(never_started, skipped, "what was started is not called skipped");
        match ended {
            O::Succeeded => assert_eq!((failed, skipped), (0, 0)),
            O::PartiallySucceeded => assert!(succeeded > 0 && failed > 0 && skipped == 0),
            O::Failed => assert!(succeeded == 0 && failed > 0 && skipped == 0),
            O::Cancelled => assert!(self.cancelling),
            other => panic!("a partial operation ended as {other}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_an_unwinding_operation_ends_whole_or_names_what_is_left(seed: u64, steps in 0..7_i32) {
        let mut world = begin(Policy::Unwind, steps, seed);
        let ended = world.drive();
        prop_assert!(ended.is_done());
        world.check_unwind(ended);
    }

    #[test]
    fn whatever_happens_a_partial_operation_settles_every_step(seed: u64, steps in 0..9_i32, parallel in 1..4_usize) {
        let mut world = begin(Policy::Partial { parallel }, steps, seed);
        let ended = world.drive();
        prop_assert!(ended.is_done());
        world.check_partial(ended);
    }
}

#[test]
fn a_step_that_kills_its_workers_fails_in_the_end() {
    let mut world = begin(Policy::Unwind, 1, 7);
    for _ in 0..50 {
        world.image.begin(0, world.now);
        world.crash();
    }
    world.image.give_up_on_killers(world.now);
    assert_eq!(world.image.steps[0].state, S::Failed);
    assert_eq!(
        world.image.error.as_ref().map(|error| error["code"].clone()),
        Some(Value::from("worker_lost"))
    );
    assert!(matches!(world.image.next(false, false, world.now), Next::Undo(0)));
}

#[test]
fn an_undo_that_kills_its_workers_ends_and_is_told_as_left() {
    let mut world = begin(Policy::Unwind, 1, 7);
    world.image.begin(0, world.now);
    world.crash();
    for start in 0..50_i64 {
        world.image.give_up_on_killers(world.now);
        assert_eq!(world.image.next(true, false, world.now), Next::Undo(0));
        world.image.begin_undo(0, world.now + TimeDelta::seconds(start));
        world.crash();
    }
    assert_eq!(world.image.steps[0].undo_began_at, Some(world.now), "when it began first");
    world.image.give_up_on_killers(world.now);
    let Next::Close(state, Some(error)) = world.image.next(true, false, world.now) else {
        panic!("it goes on")
    };
    assert_eq!((state, &error["left"][0]["code"]), (O::Failed, &json!("worker_lost")));
    assert_eq!(error["left"][0]["step"], "s0");
    assert!(error["detail"].as_str().is_some_and(|said| said.contains("not all")), "{error}");
}
