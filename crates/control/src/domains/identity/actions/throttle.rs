//! Slows down guessing of passwords, without letting anybody lock somebody else out.
//!
//! Two budgets of failures: one for each pair of account and address, one for each address. There is none for an
//! account alone: whoever wants to keep the owner from logging in could spend it for them. What is left of
//! guessing from many addresses is bounded by the work of a verification and the rule of length.
//!
//! This is GCRA, with one change: an attempt is counted when it begins, so that many at once are not all let in,
//! and given back when it succeeds, so that only failures cost. A give-back is why no rate-limiting crate does
//! it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::fault::Fault;

/// For one account from one address: this many failures at once, then one in 30 seconds.
const PAIR: Budget = Budget { burst: 5, each: TimeDelta::seconds(30) };
/// For one address: this many failures at once, then one in 3 seconds.
const ADDRESS: Budget = Budget { burst: 30, each: TimeDelta::seconds(3) };
/// Above this many callers remembered, those whose budgets are full again are forgotten.
const CROWDED: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Budget {
    burst: i32,
    each: TimeDelta,
}

/// Remembers failed log-ins. One per process.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When each budget will be full again.
    full_at: Mutex<HashMap<Key, DateTime<Utc>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, Option<IpAddr>),
    Address(Option<IpAddr>),
}

/// An attempt that was let in and counts as failed until it is given back.
#[derive(Debug)]
#[must_use = "an attempt that succeeded must be given back"]
pub struct Attempt([(Key, Budget); 2]);

impl Throttle {
    /// Lets an attempt in, or says how long to wait. `account` is a digest.
    pub fn admit(
        &self,
        account: &str,
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<Attempt, Fault> {
        let address = address.map(network);
        let keys = [(Key::Pair(account.to_owned(), address), PAIR), (Key::Address(address), ADDRESS)];
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() > CROWDED {
            full_at.retain(|_, full_at| *full_at > now);
        }
        for (key, budget) in &keys {
            let full = full_at.get(key).copied().unwrap_or(now).max(now);
            let wait = full + budget.each - now - budget.each * budget.burst;
            if let Ok(retry_after) = wait.to_std()
                && !retry_after.is_zero()
            {
                return Err(Fault::Limited { retry_after: retry_after.max(Duration::from_secs(1)) });
            }
        }
        for (key, budget) in &keys {
            let full = full_at.entry(key.clone()).or_insert(now);
            *full = (*full).max(now) + budget.each;
        }
        Ok(Attempt(keys))
    }

    /// Gives back an attempt that succeeded.
    pub fn give_back(&self, attempt: Attempt) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, budget) in attempt.0 {
            if let Some(full) = full_at.get_mut(&key) {
                *full -= budget.each;
            }
        }
    }
}

/// Whoever has one IPv6 address has the /64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("a time")
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn five_failures_then_one_in_thirty_seconds() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            let _failed = throttle.admit("ana", Some(address(1)), at(0)).expect("within the budget");
        }
        match throttle.admit("ana", Some(address(1)), at(0)) {
            Err(Fault::Limited { retry_after }) => assert_eq!(retry_after.as_secs(), 30),
            other => panic!("{other:?}"),
        }
        assert!(throttle.admit("ana", Some(address(1)), at(29)).is_err());
        let _failed = throttle.admit("ana", Some(address(1)), at(30)).expect("one more");
        assert!(throttle.admit("ana", Some(address(1)), at(31)).is_err());
    }

    #[test]
    fn one_who_fails_keeps_nobody_else_out() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            let _failed = throttle.admit("ana", Some(address(1)), at(0)).expect("within the budget");
        }
        assert!(throttle.admit("ana", Some(address(2)), at(0)).is_ok(), "the same account from elsewhere");
        assert!(throttle.admit("ben", Some(address(1)), at(0)).is_ok(), "another account from there");
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed() {
        let throttle = Throttle::default();
        let let_in =
            (0..100).filter(|n| throttle.admit(&format!("user{n}"), Some(address(1)), at(0)).is_ok()).count();
        assert_eq!(let_in, 30);
        assert!(throttle.admit("ana", Some(address(2)), at(0)).is_ok());
    }

    #[test]
    fn success_costs_nothing() {
        let throttle = Throttle::default();
        for _ in 0..1000 {
            let attempt = throttle.admit("ana", Some(address(1)), at(0)).expect("never used up");
            throttle.give_back(attempt);
        }
    }

    #[test]
    fn a_v6_network_is_one_caller() {
        let throttle = Throttle::default();
        let within = |n: u16| Some(IpAddr::from([0x2001, 0xdb8, 0, 1, n, n, n, n]));
        let let_in = (0..20).filter(|n| throttle.admit("ana", within(*n), at(0)).is_ok()).count();
        assert_eq!(let_in, 5);
    }

    #[test]
    fn those_with_full_budgets_are_forgotten() {
        let throttle = Throttle::default();
        for n in 0..=20_000_u32 {
            let _failed = throttle.admit("ana", Some(IpAddr::from(n.to_be_bytes())), at(i64::from(n)));
        }
        assert!(throttle.full_at.lock().expect("not poisoned").len() <= CROWDED + 2);
    }
}
