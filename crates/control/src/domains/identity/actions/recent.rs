//! Answers remembered for a few seconds, each asked for once however many wait for it.
//!
//! A general cache would keep what is used most; here an answer is worthless once it is stale, so room is made by
//! dropping the stale ones. Forgetting is not an async call, since it happens in the moment after a commit.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OnceCell;

/// So many callers may look at once without waiting for each other.
const SHARDS: usize = 16;

/// Answers by what was asked.
#[derive(Debug)]
pub struct Recent<K, V> {
    shards: [Mutex<HashMap<K, Arc<Slot<V>>>>; SHARDS],
    hasher: RandomState,
    fresh: TimeDelta,
    most_in_shard: usize,
}

#[derive(Debug)]
struct Slot<V> {
    asked_at: DateTime<Utc>,
    answer: OnceCell<V>,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    /// Remembers at most about `most` answers, each believed for `fresh` after it was asked for.
    pub fn new(fresh: TimeDelta, most: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, hasher: RandomState::new(), fresh, most_in_shard: most.div_ceil(SHARDS) }
    }

    /// The answer, if it is remembered and fresh.
    pub fn get(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let shard = self.shard(key);
        let slot = shard.get(key).filter(|slot| self.is_fresh(slot, now))?;
        slot.answer.get().cloned()
    }

    /// The answer, remembered or asked for at once. If several ask at once, one does and all get its answer. An
    /// answer that is not worth keeping is given to those who waited and then forgotten.
    pub async fn get_or_ask(
        &self,
        key: &K,
        now: DateTime<Utc>,
        ask: impl Future<Output = V>,
        worth_keeping: impl Fn(&V) -> bool,
    ) -> V {
        let slot = self.slot(key, now);
        let answer = slot.answer.get_or_init(|| ask).await.clone();
        if !worth_keeping(&answer) {
            let mut shard = self.shard(key);
            if shard.get(key).is_some_and(|current| Arc::ptr_eq(current, &slot)) {
                shard.remove(key);
            }
        }
        answer
    }

    /// Forgets one answer.
    pub fn forget(&self, key: &K) {
        self.shard(key).remove(key);
    }

    /// Forgets the answers for which `is_over` holds, and those still being asked for.
    pub fn forget_if(&self, is_over: impl Fn(&V) -> bool) {
        for shard in &self.shards {
            lock(shard).retain(|_, slot| slot.answer.get().is_some_and(|answer| !is_over(answer)));
        }
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        for shard in &self.shards {
            lock(shard).clear();
        }
    }

    fn slot(&self, key: &K, now: DateTime<Utc>) -> Arc<Slot<V>> {
        let mut shard = self.shard(key);
        if let Some(slot) = shard.get(key).filter(|slot| self.is_fresh(slot, now)) {
            return Arc::clone(slot);
        }
        if shard.len() >= self.most_in_shard {
            shard.retain(|_, slot| self.is_fresh(slot, now));
            if shard.len() >= self.most_in_shard {
                shard.clear();
            }
        }
        let slot = Arc::new(Slot { asked_at: now, answer: OnceCell::new() });
        shard.insert(key.clone(), Arc::clone(&slot));
        slot
    }

    /// A clock that was set back makes an answer stale, too.
    fn is_fresh(&self, slot: &Slot<V>, now: DateTime<Utc>) -> bool {
        (now - slot.asked_at).abs() < self.fresh
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Arc<Slot<V>>>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[hash])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::FutureExt as _;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn recent() -> Recent<u32, u32> {
        Recent::new(TimeDelta::seconds(5), 64)
    }

    async fn ask(recent: &Recent<u32, u32>, key: u32, seconds: i64, answer: u32) -> u32 {
        recent.get_or_ask(&key, at(seconds), ready(answer), |_| true).await
    }

    #[tokio::test]
    async fn an_answer_is_believed_until_it_is_stale() {
        let recent = recent();
        assert_eq!(ask(&recent, 1, 0, 10).await, 10);
        assert_eq!(ask(&recent, 1, 4, 11).await, 10);
        assert_eq!(
            (recent.get(&1, at(4)), recent.get(&1, at(5)), recent.get(&2, at(4))),
            (Some(10), None, None)
        );
        assert_eq!(ask(&recent, 1, 5, 12).await, 12);
        assert_eq!(ask(&recent, 1, -100, 13).await, 13, "the clock was set back");
    }

    #[tokio::test]
    async fn forgetting_takes_effect_at_once() {
        let recent = recent();
        for key in 0..10 {
            ask(&recent, key, 0, key).await;
        }
        recent.forget(&1);
        assert_eq!(ask(&recent, 1, 0, 100).await, 100);
        recent.forget_if(|answer| answer % 2 == 0);
        assert_eq!(ask(&recent, 2, 0, 200).await, 200);
        assert_eq!(ask(&recent, 3, 0, 300).await, 3);
        recent.forget_all();
        assert_eq!(ask(&recent, 3, 0, 300).await, 300);
    }

    #[tokio::test]
    async fn many_who_wait_ask_once() {
        let (recent, asked) = (recent(), AtomicUsize::new(0));
        let one = || {
            let slow = async {
                asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                7
            };
            recent.get_or_ask(&1, at(0), slow, |_| true)
        };
        let answers = futures::future::join_all((0..50).map(|_| one())).await;
        assert!(answers.iter().all(|answer| *answer == 7));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn one_who_goes_away_while_asking_keeps_nobody_waiting() {
        let recent = recent();
        assert_eq!(recent.get_or_ask(&1, at(0), pending(), |_| true).now_or_never(), None);
        assert_eq!(ask(&recent, 1, 0, 5).await, 5);
    }

    #[tokio::test]
    async fn what_is_not_worth_keeping_is_asked_for_again() {
        let recent = recent();
        assert_eq!(recent.get_or_ask(&1, at(0), ready(0), |_| false).await, 0);
        assert_eq!(ask(&recent, 1, 0, 5).await, 5);
    }

    #[tokio::test]
    async fn room_is_bounded() {
        let recent = recent();
        for key in 0..10_000 {
            ask(&recent, key, 0, key).await;
        }
        let kept: usize = recent.shards.iter().map(|shard| lock(shard).len()).sum();
        assert!(kept <= 64, "{kept}");
    }
}
