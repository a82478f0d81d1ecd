//! The life of a thing: which state begins when, the future included.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A state, in the vendor's own word.
pub type State = Cow<'static, str>;

/// States in the order of their beginnings. A change that takes time writes both: `stopping` now, `stopped` in a
/// minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Life(Vec<(DateTime<Utc>, State)>);

impl Life {
    /// Begins in a state.
    pub fn new(at: DateTime<Utc>, state: impl Into<State>) -> Self {
        Self(vec![(at, state.into())])
    }

    /// After `wait` in the last state that is planned, the next begins.
    #[must_use]
    pub fn then(mut self, wait: TimeDelta, state: impl Into<State>) -> Self {
        self.plan(wait, state);
        self
    }

    /// The same, in place.
    pub fn plan(&mut self, wait: TimeDelta, state: impl Into<State>) {
        let last = self.0.last().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at);
        self.0.push((last + wait, state.into()));
    }

    /// From now on in this state; what was planned is forgotten.
    pub fn turn(&mut self, now: DateTime<Utc>, state: impl Into<State>) {
        self.0.retain(|(at, _)| *at < now);
        self.0.push((now, state.into()));
    }

    /// The state at a time; the first one for times before.
    pub fn at(&self, now: DateTime<Utc>) -> &str {
        let past = self.0.iter().rev().find(|(at, _)| *at <= now);
        past.or(self.0.first()).map_or("", |(_, state)| state)
    }

    /// When the state of a time began.
    pub fn since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let past = self.0.iter().rev().find(|(at, _)| *at <= now);
        past.or(self.0.first()).map_or(now, |(at, _)| *at)
    }

    /// Whether nothing is planned any more.
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        self.0.last().is_none_or(|(at, _)| *at <= now)
    }

    /// When the last state that is planned begins.
    pub fn settles_at(&self) -> DateTime<Utc> {
        self.0.last().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at)
    }

    /// How long it is in one of these states between two times.
    pub fn time_in(&self, states: &[&str], from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([until]);
        let spans = self.0.iter().zip(ends).filter(|((_, state), _)| states.contains(&state.as_ref()));
        let inside = spans.map(|((at, _), end)| (end.min(until) - (*at).max(from)).max(TimeDelta::zero()));
        inside.fold(TimeDelta::zero(), |sum, span| sum + span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_state_follows_from_the_time() {
        let life = Life::new(at(100), "pending").then(TimeDelta::seconds(30), "running");
        let seen: Vec<_> = [0, 100, 129, 130, 999].iter().map(|t| life.at(at(*t)).to_owned()).collect();
        assert_eq!(seen, ["pending", "pending", "pending", "running", "running"]);
        assert!(!life.is_settled(at(129)) && life.is_settled(at(130)));
        assert_eq!(life.since(at(500)), at(130));
    }

    #[test]
    fn a_turn_forgets_what_was_planned() {
        let mut life = Life::new(at(0), "pending").then(TimeDelta::seconds(30), "running");
        life.turn(at(10), "stopping");
        life.plan(TimeDelta::seconds(5), "stopped");
        assert_eq!(life.at(at(30)), "stopped");
        assert_eq!(life.at(at(9)), "pending");
    }

    #[test]
    fn time_in_a_state_is_summed_within_the_span() {
        let mut life = Life::new(at(0), "running");
        life.turn(at(100), "stopped");
        life.turn(at(200), "running");
        assert_eq!(life.time_in(&["running"], at(50), at(260)).num_seconds(), 110);
        assert_eq!(life.time_in(&["stopped", "running"], at(50), at(260)).num_seconds(), 210);
        assert_eq!(life.time_in(&["running"], at(120), at(180)).num_seconds(), 0);
    }
}
