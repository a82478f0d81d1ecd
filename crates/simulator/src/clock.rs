//! The simulator's clock: it runs at any speed, can be moved forward, and never back.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use marquee_types::Clock;
use serde::{Deserialize, Serialize};

/// The fastest a clock runs: a year in about half a minute.
pub const MAX_SPEED: f64 = 1_000_000.0;

/// The last year a clock can be set to.
const LAST_YEAR: i32 = 2200;

/// The longest a clock runs without being set: a hundred years.
const MOST: TimeDelta = TimeDelta::days(36_525);

/// Simulated time, driven by a real clock.
#[derive(Debug)]
pub struct SimClock {
    real: Clock,
    anchor: Mutex<Anchor>,
}

/// From here on time runs at this speed.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    real: DateTime<Utc>,
    simulated: DateTime<Utc>,
    speed: f64,
}

/// What the clock shows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq)]
pub struct ClockFace {
    /// Simulated time.
    pub now: DateTime<Utc>,
    /// Simulated seconds a real second; 0 stands still.
    pub speed: f64,
}

/// How a clock can be set. Only forward: what has happened stays.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockChange {
    /// The new speed, 0 to [`MAX_SPEED`].
    pub speed: Option<f64>,
    /// Seconds to move forward.
    pub advance_seconds: Option<f64>,
    /// The time to move forward to.
    pub now: Option<DateTime<Utc>>,
}

/// A change of the clock that cannot be made.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ClockError {
    /// A speed below 0, above [`MAX_SPEED`] or not a number.
    #[error("speed must be from 0 to {MAX_SPEED}")]
    Speed,
    /// The clock would go back, or too far.
    #[error("the clock only moves forward, and not past the year {LAST_YEAR}")]
    Direction,
}

impl SimClock {
    /// A clock that shows `now` and runs as `real` does.
    pub fn new(real: Clock, now: DateTime<Utc>, speed: f64) -> Result<Self, ClockError> {
        check_speed(speed)?;
        let anchor = Anchor { real: real.now(), simulated: now, speed };
        Ok(Self { real, anchor: Mutex::new(anchor) })
    }

    /// The simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.anchor().at(self.real.now())
    }

    /// Time and speed.
    pub fn show(&self) -> ClockFace {
        let anchor = self.anchor();
        ClockFace { now: anchor.at(self.real.now()), speed: anchor.speed }
    }

    /// The machine's own time.
    pub fn real_now(&self) -> DateTime<Utc> {
        self.real.now()
    }

    /// Sets speed and time. Nothing is changed if any part of it cannot be.
    pub fn change(&self, change: ClockChange) -> Result<ClockFace, ClockError> {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let real = self.real.now();
        let before = anchor.at(real);
        let speed = change.speed.unwrap_or(anchor.speed);
        check_speed(speed)?;
        let mut simulated = change.now.unwrap_or(before);
        if let Some(seconds) = change.advance_seconds {
            let by = seconds_to_delta(seconds).ok_or(ClockError::Direction)?;
            simulated = simulated.checked_add_signed(by).ok_or(ClockError::Direction)?;
        }
        if simulated < before || simulated.year() > LAST_YEAR {
            return Err(ClockError::Direction);
        }
        *anchor = Anchor { real, simulated, speed };
        Ok(ClockFace { now: simulated, speed })
    }

    fn anchor(&self) -> Anchor {
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Anchor {
    fn at(&self, real: DateTime<Utc>) -> DateTime<Utc> {
        #[expect(clippy::cast_precision_loss, reason = "microseconds since the anchor, not since 1970")]
        let seconds = (real - self.real).num_microseconds().unwrap_or(0) as f64 / 1e6 * self.speed;
        // At the end of time it stands still.
        let by = seconds_to_delta(seconds.max(0.0)).unwrap_or(MOST);
        self.simulated.checked_add_signed(by).unwrap_or(self.simulated)
    }
}

/// Seconds as a span, to the microsecond; none if they are negative or more than a hundred years.
fn seconds_to_delta(seconds: f64) -> Option<TimeDelta> {
    if !(0.0..=3_155_760_000.0).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked: a hundred years of microseconds fit")]
    Some(TimeDelta::microseconds((seconds * 1e6) as i64))
}

fn check_speed(speed: f64) -> Result<(), ClockError> {
    if (0.0..=MAX_SPEED).contains(&speed) { Ok(()) } else { Err(ClockError::Speed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(speed: f64) -> (Clock, SimClock) {
        let real = Clock::manual(DateTime::UNIX_EPOCH);
        let start = "2026-05-01T00:00:00Z".parse().unwrap();
        (real.clone(), SimClock::new(real, start, speed).unwrap())
    }

    #[test]
    fn it_runs_at_its_speed_and_can_be_moved_forward() {
        let (real, clock) = clock(3600.0);
        real.advance(TimeDelta::seconds(2));
        assert_eq!(clock.now().to_rfc3339(), "2026-05-01T02:00:00+00:00");
        clock
            .change(ClockChange { advance_seconds: Some(60.0), speed: Some(0.0), ..Default::default() })
            .unwrap();
        real.advance(TimeDelta::seconds(2));
        assert_eq!(clock.now().to_rfc3339(), "2026-05-01T02:01:00+00:00");
    }

    #[test]
    fn it_never_goes_back_and_a_refused_change_changes_nothing() {
        let (_, clock) = clock(1.0);
        let before = clock.show();
        let back = ClockChange { now: Some(DateTime::UNIX_EPOCH), speed: Some(5.0), ..Default::default() };
        assert_eq!(clock.change(back), Err(ClockError::Direction));
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e30] {
            let change = ClockChange { advance_seconds: Some(seconds), ..Default::default() };
            assert_eq!(clock.change(change), Err(ClockError::Direction));
        }
        for speed in [-1.0, f64::NAN, 2e6] {
            let change = ClockChange { speed: Some(speed), ..Default::default() };
            assert_eq!(clock.change(change), Err(ClockError::Speed));
        }
        assert_eq!(clock.show(), before);
    }

    #[test]
    fn it_neither_ends_nor_turns_back_however_long_it_runs() {
        let (real, clock) = clock(MAX_SPEED);
        let mut before = clock.now();
        for _ in 0..10 {
            real.advance(TimeDelta::hours(1));
            assert!(clock.now() >= before);
            before = clock.now();
        }
        let far = ClockChange {
            now: Some(DateTime::<Utc>::MAX_UTC),
            advance_seconds: Some(3e9),
            ..Default::default()
        };
        assert_eq!(clock.change(far), Err(ClockError::Direction));
    }
}
