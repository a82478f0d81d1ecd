//! Numbers of a range that things hold, such as the addresses of a subnet: so that none is given twice, and a free one
//! is found without looking at every thing.
//!
//! Whoever a number was given to may be gone since. Nothing takes it back then: it is free as soon as its holder holds
//! nothing any more, which the caller knows.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use serde::{Deserialize, Serialize};

/// The numbers of one range.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pool {
    /// Whom a number was given to last.
    holders: BTreeMap<u32, Arc<str>>,
    /// Where the search for free ones begins: behind the last one given.
    next: u32,
}

impl Pool {
    /// Up to `count` numbers that no one holds, in the order in which they are to be given.
    pub(super) fn free(
        &self,
        range: RangeInclusive<u32>,
        count: usize,
        holds: impl Fn(&str) -> bool,
    ) -> Vec<u32> {
        let (first, last) = range.into_inner();
        let from = if (first..=last).contains(&self.next) { self.next } else { first };
        let free = |number: &u32| !self.holders.get(number).is_some_and(|holder| holds(holder));
        (from..=last).chain(first..from).filter(free).take(count).collect()
    }

    /// Gives a number to a holder.
    pub(super) fn hold(&mut self, number: u32, holder: &str) {
        self.holders.insert(number, holder.into());
        self.next = number.saturating_add(1);
    }

    /// How many are held.
    pub(super) fn held(&self, holds: impl Fn(&str) -> bool) -> usize {
        self.holders.values().filter(|holder| holds(holder)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round_and_pass_over_those_that_are_held() {
        let mut pool = Pool::default();
        for n in 4..=6 {
            assert_eq!(pool.free(4..=7, 1, |_| true), [n]);
            pool.hold(n, &n.to_string());
        }
        assert_eq!(pool.free(4..=7, 9, |_| true), [7]);
        assert_eq!(pool.free(4..=7, 9, |holder| holder != "5"), [7, 5]);
        pool.hold(7, "7");
        assert!(pool.free(4..=7, 9, |_| true).is_empty());
        assert_eq!(pool.held(|holder| holder != "5"), 3);
    }
}
