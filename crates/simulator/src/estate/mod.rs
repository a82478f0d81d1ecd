//! What exists in the accounts, what existed, and who made it.
//!
//! An account is made of shelves, one for each kind of thing (`ec2/instance`, `Microsoft.Compute/disks`,
//! `compute.instances`); a shelf is ordered by place (region or zone) and id, which is the order of every listing. A
//! thing that ended leaves its shelf for the past, where charges and measurements still find it.

mod life;
mod numbers;
mod page;
mod thing;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    ops::{Bound, RangeInclusive},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use life::{Life, State};
use numbers::Pool;
pub use page::{BadToken, Listing, Page};
pub use thing::{Body, Driven, Meter, Tags, Thing};

use crate::{
    ledger::{Entry, Ledger, Verb},
    seed::Seed,
};

/// Things of one kind, by place and id.
type Shelf = BTreeMap<(Arc<str>, Arc<str>), Thing>;

/// Everything that exists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Estate {
    accounts: HashMap<Arc<str>, Holdings>,
    answers: HashMap<String, Answered>,
    #[serde(default)]
    answered: u64,
    made: u64,
    #[serde(default)]
    numbers: HashMap<String, Pool>,
    /// Who made and deleted what.
    pub ledger: Ledger,
}

/// What one account has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Holdings {
    #[serde(with = "shelves")]
    shelves: HashMap<Arc<str>, Shelf>,
    past: Vec<(Arc<str>, Thing)>,
    /// How many things of each kind there ever were.
    added: HashMap<Arc<str>, u64>,
}

/// The answer to a request that carried a token of idempotency.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Answered {
    fingerprint: u64,
    answer: Value,
    /// Until when the token means this request; open while there is no end to it yet.
    #[serde(default)]
    until: Option<DateTime<Utc>>,
    /// Which answer it was: the oldest are forgotten first.
    #[serde(default)]
    number: u64,
}

/// Answers that are kept, at most.
const ANSWERS: usize = 50_000;

/// What a token of idempotency was used for before.
#[derive(Debug, PartialEq)]
pub enum Replay {
    /// Nothing: go on.
    New,
    /// The same request: give the same answer.
    Same(Value),
    /// Another request: refuse.
    Other,
}

/// Names a change for the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// The account.
    pub account: &'a str,
    /// The vendor's operation: `ec2:RunInstances`.
    pub operation: &'a str,
    /// The client's token, if it sent one.
    pub token: Option<&'a str>,
    /// When.
    pub now: DateTime<Utc>,
}

impl Default for Estate {
    fn default() -> Self {
        Self::new()
    }
}

impl Estate {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            accounts: HashMap::new(),
            answers: HashMap::new(),
            answered: 0,
            made: 0,
            numbers: HashMap::new(),
            ledger: Ledger::default(),
        }
    }

    /// A number that no other thing of this estate has, for ids: with the seed it makes them look random.
    pub fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Hexadecimal digits for a new id, at most 64.
    pub fn new_hex(&mut self, seed: Seed, kind: &str, digits: usize) -> String {
        let number = self.next_number();
        seed.hex(&["id", kind, &number.to_string()], digits)
    }

    /// A thing, if whoever asks now sees it.
    pub fn get(
        &self,
        account: &str,
        kind: &str,
        place: &str,
        id: &str,
        now: DateTime<Utc>,
    ) -> Option<&Thing> {
        let shelf = self.accounts.get(account)?.shelves.get(kind)?;
        shelf.get(&(place.into(), id.into())).filter(|thing| thing.is_seen(now))
    }

    /// A thing that is there, whether whoever asks sees it yet, still, or not.
    pub fn present(&self, account: &str, kind: &str, place: &str, id: &str) -> Option<&Thing> {
        self.shelf(account, kind)?.get(&(place.into(), id.into()))
    }

    /// Up to `count` numbers of a range that no one holds.
    pub fn free_numbers(
        &self,
        pool: &str,
        range: RangeInclusive<u32>,
        count: usize,
        holds: impl Fn(&str) -> bool,
    ) -> Vec<u32> {
        match self.numbers.get(pool) {
            Some(pool) => pool.free(range, count, holds),
            None => range.take(count).collect(),
        }
    }

    /// Gives a number to a holder.
    pub fn hold(&mut self, pool: &str, number: u32, holder: &str) {
        self.numbers.entry(pool.to_owned()).or_default().hold(number, holder);
    }

    /// How many numbers are held.
    pub fn held_numbers(&self, pool: &str, holds: impl Fn(&str) -> bool) -> usize {
        self.numbers.get(pool).map_or(0, |pool| pool.held(holds))
    }

    /// A thing that whoever asks now sees, to be changed.
    pub fn get_mut(
        &mut self,
        account: &str,
        kind: &str,
        place: &str,
        id: &str,
        now: DateTime<Utc>,
    ) -> Option<&mut Thing> {
        let shelf = self.accounts.get_mut(account)?.shelves.get_mut(kind)?;
        shelf.get_mut(&(place.into(), id.into())).filter(|thing| thing.is_seen(now))
    }

    /// Whether an id is taken: by what is there, is not seen yet, or is still seen after its end.
    pub fn is_taken(&self, account: &str, kind: &str, place: &str, id: &str, now: DateTime<Utc>) -> bool {
        let found = self.shelf(account, kind).and_then(|shelf| shelf.get(&(place.into(), id.into())));
        found.is_some_and(|thing| thing.gone_at.is_none_or(|gone| now < gone))
    }

    /// A thing that whoever asks now sees, wherever it is: for kinds whose ids say all.
    pub fn find(&self, account: &str, kind: &str, id: &str, now: DateTime<Utc>) -> Option<&Thing> {
        let shelf = self.shelf(account, kind)?;
        let mut found = places(shelf).filter_map(|place| shelf.get(&(place.clone(), id.into())));
        found.find(|thing| thing.is_seen(now))
    }

    /// The same, to be changed.
    pub fn find_mut(
        &mut self,
        account: &str,
        kind: &str,
        id: &str,
        now: DateTime<Utc>,
    ) -> Option<&mut Thing> {
        let place = self.find(account, kind, id, now)?.place.clone();
        self.get_mut(account, kind, &place, id, now)
    }

    /// How many things of a kind an account ever had.
    pub fn added(&self, account: &str, kind: &str) -> u64 {
        self.accounts.get(account).and_then(|holdings| holdings.added.get(kind)).copied().unwrap_or_default()
    }

    /// A page of a shelf, of what `wanted` takes.
    pub fn list(
        &self,
        account: &str,
        kind: &str,
        listing: Listing<'_>,
        wanted: impl Fn(&Thing) -> bool,
    ) -> Result<Page<'_>, BadToken> {
        page::page(self.shelf(account, kind), listing, wanted)
    }

    /// All things of a kind that are seen now, in one place or in all.
    pub fn all<'a>(
        &'a self,
        account: &str,
        kind: &str,
        place: Option<&'a str>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &'a Thing> {
        let first = place.map_or(Bound::Unbounded, |place| Bound::Included((place.into(), "".into())));
        let range = self.shelf(account, kind).map(|shelf| shelf.range((first, Bound::Unbounded)));
        range
            .into_iter()
            .flatten()
            .take_while(move |((at, _), _)| place.is_none_or(|place| place == at.as_ref()))
            .map(|(_, thing)| thing)
            .filter(move |thing| thing.is_seen(now))
    }

    /// The same, to be changed.
    pub fn all_mut(
        &mut self,
        account: &str,
        kind: &str,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &mut Thing> {
        let shelf = self.accounts.get_mut(account).and_then(|holdings| holdings.shelves.get_mut(kind));
        shelf.into_iter().flat_map(BTreeMap::values_mut).filter(move |thing| thing.is_seen(now))
    }

    /// Every thing an account ever had, with its kind.
    pub fn ever<'a>(&'a self, account: &str) -> impl Iterator<Item = (&'a str, &'a Thing)> {
        self.accounts.get(account).into_iter().flat_map(|holdings| {
            let present = holdings
                .shelves
                .iter()
                .flat_map(|(kind, shelf)| shelf.values().map(move |thing| (kind.as_ref(), thing)));
            present.chain(holdings.past.iter().map(|(kind, thing)| (kind.as_ref(), thing)))
        })
    }

    /// Adds a thing. One of the same id that ended goes to the past.
    pub fn add(&mut self, cause: Cause<'_>, kind: &str, thing: Thing) {
        self.ledger.write(Entry::new(cause, Verb::Created, kind, &thing));
        let key = (thing.place.clone(), thing.id.clone());
        let holdings = self.accounts.entry(cause.account.into()).or_default();
        *holdings.added.entry(kind.into()).or_default() += 1;
        let shelf = holdings.shelves.entry(kind.into()).or_default();
        if let Some(before) = shelf.insert(key, thing) {
            holdings.past.push((kind.into(), before));
        }
    }

    /// Ends a thing: charged no more, and seen until `seen_until` only. False if it is not there.
    pub fn end(
        &mut self,
        cause: Cause<'_>,
        kind: &str,
        place: &str,
        id: &str,
        seen_until: DateTime<Utc>,
    ) -> bool {
        let Some(holdings) = self.accounts.get_mut(cause.account) else { return false };
        let Some(shelf) = holdings.shelves.get_mut(kind) else { return false };
        let key = (place.into(), id.into());
        let Some(thing) = shelf.get_mut(&key).filter(|thing| thing.gone_at.is_none()) else { return false };
        thing.gone_at = Some(seen_until.max(cause.now));
        for meter in &mut thing.meters {
            meter.until.get_or_insert(cause.now);
        }
        self.ledger.write(Entry::new(cause, Verb::Deleted, kind, thing));
        if thing.is_seen(cause.now) {
            return true;
        }
        if let Some(thing) = shelf.remove(&key) {
            holdings.past.push((kind.into(), thing));
        }
        true
    }

    /// Drops the first things of a shelf as far as they are seen no more. They do not go to the past: it is for kinds
    /// that are not charged or measured, whose ids are in the order of time.
    pub fn forget_first(&mut self, account: &str, kind: &str, now: DateTime<Utc>) {
        let shelf = self.accounts.get_mut(account).and_then(|holdings| holdings.shelves.get_mut(kind));
        let Some(shelf) = shelf else { return };
        while let Some(first) = shelf.first_entry() {
            if first.get().gone_at.is_none_or(|gone| now < gone) {
                break;
            }
            first.remove();
        }
    }

    /// What a token of idempotency was used for; `request` is everything that must be the same.
    pub fn replay(&self, scope: &str, token: &str, request: &str, now: DateTime<Utc>) -> Replay {
        let known = self.answers.get(&answer_key(scope, token));
        match known.filter(|answered| answered.until.is_none_or(|until| now < until)) {
            None => Replay::New,
            Some(answered) if answered.fingerprint == fingerprint(request) => {
                Replay::Same(answered.answer.clone())
            }
            Some(_) => Replay::Other,
        }
    }

    /// Keeps the answer to a request with a token, until a time or until that is set by [`Estate::expire`].
    pub fn remember(
        &mut self,
        scope: &str,
        token: &str,
        request: &str,
        answer: Value,
        (now, until): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) {
        if self.answers.len() >= ANSWERS {
            self.forget(now);
        }
        let number = self.answered;
        self.answered += 1;
        let answered = Answered { fingerprint: fingerprint(request), answer, until, number };
        self.answers.insert(answer_key(scope, token), answered);
    }

    /// The answer that is kept for a token.
    pub fn answer(&self, scope: &str, token: &str) -> Option<&Value> {
        self.answers.get(&answer_key(scope, token)).map(|answered| &answered.answer)
    }

    /// From a time on a token means nothing any more.
    pub fn expire(&mut self, scope: &str, token: &str, until: DateTime<Utc>) {
        if let Some(answered) = self.answers.get_mut(&answer_key(scope, token)) {
            answered.until = Some(until);
        }
    }

    /// Forgets the answers whose time is over, and of the others the older half if they are still too many.
    fn forget(&mut self, now: DateTime<Utc>) {
        self.answers.retain(|_, answered| answered.until.is_none_or(|until| now < until));
        if self.answers.len() < ANSWERS {
            return;
        }
        let mut numbers: Vec<u64> = self.answers.values().map(|answered| answered.number).collect();
        let (_, middle, _) = numbers.select_nth_unstable(ANSWERS / 2);
        let middle = *middle;
        self.answers.retain(|_, answered| answered.number >= middle);
    }

    fn shelf(&self, account: &str, kind: &str) -> Option<&Shelf> {
        self.accounts.get(account)?.shelves.get(kind)
    }
}

/// The places that a shelf has things in: from each to the next, past all that stands between.
fn places(shelf: &Shelf) -> impl Iterator<Item = &Arc<str>> {
    let first = shelf.keys().next().map(|(place, _)| place);
    std::iter::successors(first, |place| {
        let beyond: Arc<str> = format!("{place}\0").into();
        let next = shelf.range((Bound::Included((beyond, "".into())), Bound::Unbounded)).next();
        next.map(|((place, _), _)| place)
    })
}

fn answer_key(scope: &str, token: &str) -> String {
    format!("{scope}\u{1f}{token}")
}

fn fingerprint(request: &str) -> u64 {
    Seed(0).number(&[request])
}

/// Shelves in an exported estate: lists of things, since a key of two texts is no key in JSON.
mod shelves {
    use std::{collections::HashMap, sync::Arc};

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Shelf, Thing};

    pub fn serialize<S: Serializer>(
        shelves: &HashMap<Arc<str>, Shelf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let lists: std::collections::BTreeMap<_, Vec<&Thing>> =
            shelves.iter().map(|(kind, shelf)| (kind, shelf.values().collect())).collect();
        lists.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<Arc<str>, Shelf>, D::Error> {
        let lists = HashMap::<Arc<str>, Vec<Thing>>::deserialize(deserializer)?;
        let shelf = |things: Vec<Thing>| {
            things.into_iter().map(|thing| ((thing.place.clone(), thing.id.clone()), thing)).collect()
        };
        Ok(lists.into_iter().map(|(kind, things)| (kind, shelf(things))).collect())
    }
}
