//! Shelves, pages and tokens.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::faults::Lens;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn cause() -> Cause<'static> {
    Cause { account: "1", operation: "test", token: None, now: NOW }
}

fn listing(limit: usize, token: Option<&str>, lens: Lens) -> Listing<'_> {
    Listing { place: Some("r"), limit, token, query: "q", now: NOW, lens }
}

fn estate(count: usize) -> Estate {
    let mut estate = Estate::new();
    for n in 0..count {
        estate.add(cause(), "kind", Thing::new(&format!("i-{n:04}"), "r", NOW, "running"));
        estate.add(cause(), "kind", Thing::new(&format!("i-{n:04}"), "s", NOW, "running"));
    }
    estate
}

fn walk(estate: &Estate, limit: usize, lens: Lens) -> Vec<String> {
    let mut ids = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = estate.list("1", "kind", listing(limit, token.as_deref(), lens), |_| true).unwrap();
        assert!(page.things.len() <= limit);
        ids.extend(page.things.iter().map(|thing| thing.id.to_string()));
        match page.next {
            Some(next) => token = Some(next),
            None => return ids,
        }
    }
}

proptest! {
    #[test]
    fn pages_of_any_size_have_everything_once_and_in_order(count in 0_usize..40, limit in 1_usize..12) {
        let all: Vec<_> = (0..count).map(|n| format!("i-{n:04}")).collect();
        prop_assert_eq!(walk(&estate(count), limit, Lens::default()), all);
    }

    #[test]
    fn a_page_is_as_short_as_the_fault_says(count in 0_usize..40, most in 1_usize..5, doubles: bool) {
        let lens = Lens { most: Some(most), doubles, ..Lens::default() };
        let unique: std::collections::BTreeSet<_> = walk(&estate(count), 1_000, lens).into_iter().collect();
        prop_assert_eq!(unique.len(), count);
        let first = estate(count);
        let first = first.list("1", "kind", listing(1_000, None, lens), |_| true).unwrap();
        prop_assert_eq!(first.things.len(), count.min(most));
    }

    #[test]
    fn doubled_and_missing_items_are_between_pages(count in 10_usize..40, limit in 2_usize..6) {
        let doubled = walk(&estate(count), limit, Lens { doubles: true, ..Lens::default() });
        let unique: std::collections::BTreeSet<_> = doubled.iter().collect();
        prop_assert!(doubled.len() > count && unique.len() == count);
        let missing = walk(&estate(count), limit, Lens { misses: true, ..Lens::default() });
        let unique: std::collections::BTreeSet<_> = missing.iter().collect();
        prop_assert!(missing.len() < count && unique.len() == missing.len());
    }
}

#[test]
fn a_token_belongs_to_its_query() {
    let estate = estate(5);
    let page = estate.list("1", "kind", listing(2, None, Lens::default()), |_| true).unwrap();
    let next = page.next.unwrap();
    for wrong in ["", "x", "AAAA", &next[1..]] {
        assert_eq!(
            estate.list("1", "kind", listing(2, Some(wrong), Lens::default()), |_| true).unwrap_err(),
            BadToken
        );
    }
    let other = Listing { query: "other", ..listing(2, Some(&next), Lens::default()) };
    assert_eq!(estate.list("1", "kind", other, |_| true).unwrap_err(), BadToken);
    let elsewhere = Listing { place: Some("s"), ..listing(2, Some(&next), Lens::default()) };
    assert_eq!(estate.list("1", "kind", elsewhere, |_| true).unwrap_err(), BadToken);
}

#[test]
fn what_ended_is_seen_as_long_as_the_vendor_shows_it_and_then_only_ever() {
    let mut estate = estate(2);
    let hour = NOW + TimeDelta::hours(1);
    assert!(estate.end(cause(), "kind", "r", "i-0000", hour));
    assert!(!estate.end(cause(), "kind", "r", "i-0000", hour), "it has ended already");
    assert!(estate.get("1", "kind", "r", "i-0000", NOW).is_some());
    assert!(estate.get("1", "kind", "r", "i-0000", hour).is_none());
    assert!(estate.end(cause(), "kind", "r", "i-0001", NOW));
    assert!(estate.get("1", "kind", "r", "i-0001", NOW).is_none());
    assert_eq!(estate.ever("1").count(), 4);
    let verbs: Vec<_> = estate.ledger.after(4).map(|(_, entry)| (entry.verb, entry.id.as_str())).collect();
    assert_eq!(verbs, [(Verb::Deleted, "i-0000"), (Verb::Deleted, "i-0001")]);
}

#[test]
fn a_token_of_idempotency_gives_the_same_answer_to_the_same_request_only() {
    let mut estate = Estate::new();
    assert_eq!(estate.replay("1/Run", "t", "a", NOW), Replay::New);
    estate.remember("1/Run", "t", "a", json!({ "id": 1 }), (NOW, None));
    assert_eq!(estate.replay("1/Run", "t", "a", NOW), Replay::Same(json!({ "id": 1 })));
    assert_eq!(estate.replay("1/Run", "t", "b", NOW), Replay::Other);
    assert_eq!(estate.replay("2/Run", "t", "b", NOW), Replay::New);
}

#[test]
fn an_export_brings_everything_back() {
    let mut estate = estate(3);
    estate.end(cause(), "kind", "r", "i-0001", NOW);
    estate.remember("1/Run", "t", "a", json!(1), (NOW, None));
    let text = serde_json::to_string(&estate).unwrap();
    let back: Estate = serde_json::from_str(&text).unwrap();
    assert_eq!(walk(&back, 10, Lens::default()), walk(&estate, 10, Lens::default()));
    assert_eq!(back.ever("1").count(), estate.ever("1").count());
    assert_eq!(back.replay("1/Run", "t", "a", NOW), Replay::Same(json!(1)));
}

#[test]
fn a_token_of_idempotency_has_its_time_and_the_oldest_go_first() {
    let (mut estate, hour) = (Estate::new(), NOW + TimeDelta::hours(1));
    estate.remember("1/Run", "t", "a", json!(1), (NOW, Some(hour)));
    estate.remember("1/Run", "u", "a", json!(2), (NOW, None));
    assert_eq!(estate.replay("1/Run", "t", "b", hour - TimeDelta::seconds(1)), Replay::Other);
    assert_eq!(estate.replay("1/Run", "t", "b", hour), Replay::New);
    assert_eq!(estate.replay("1/Run", "u", "a", hour), Replay::Same(json!(2)));
    estate.expire("1/Run", "u", hour);
    assert_eq!(estate.replay("1/Run", "u", "a", hour), Replay::New);
    for n in 0..ANSWERS + 10 {
        estate.remember("2/Run", &n.to_string(), "a", json!(n), (NOW, None));
    }
    assert!(estate.answers.len() <= ANSWERS);
    assert_eq!(estate.replay("2/Run", "0", "a", NOW), Replay::New);
    let last = ANSWERS + 9;
    assert_eq!(estate.replay("2/Run", &last.to_string(), "a", NOW), Replay::Same(json!(last)));
}

#[test]
fn a_thing_is_found_by_its_id_wherever_it_is() {
    let mut estate = estate(100);
    estate.add(cause(), "kind", Thing::new("only", "q", NOW, "running"));
    assert_eq!(&*estate.find("1", "kind", "i-0042", NOW).unwrap().place, "r");
    estate.end(cause(), "kind", "r", "i-0042", NOW);
    assert_eq!(&*estate.find("1", "kind", "i-0042", NOW).unwrap().place, "s");
    estate.find_mut("1", "kind", "only", NOW).unwrap().name = "changed".into();
    assert_eq!(&*estate.get("1", "kind", "q", "only", NOW).unwrap().name, "changed");
    assert!(estate.find("1", "kind", "i-0100", NOW).is_none());
    assert!(estate.find("2", "kind", "only", NOW).is_none());
    assert_eq!((estate.added("1", "kind"), estate.added("1", "other")), (201, 0));
}

#[test]
fn what_is_forgotten_is_counted_and_nowhere_else() {
    let mut estate = Estate::new();
    for n in 1..=3 {
        let mut thing = Thing::new(&n.to_string(), "global", NOW, "success");
        thing.gone_at = Some(NOW + TimeDelta::days(n));
        estate.add(cause(), "actions", thing);
    }
    estate.forget_first("1", "actions", NOW + TimeDelta::days(2));
    assert_eq!(estate.ever("1").map(|(_, thing)| thing.id.to_string()).collect::<Vec<_>>(), ["3"]);
    assert_eq!(estate.added("1", "actions"), 3);
}
