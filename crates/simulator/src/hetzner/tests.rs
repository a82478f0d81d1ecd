//! The world `staging`, as this face makes it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_types::Clock;
use serde_json::Value;

use super::{Hetzner, action, call::Call, handler, kind};
use crate::{
    face::{Face, FaceName},
    rest::Direction,
    world::{World, built_in},
};

fn world() -> World {
    let now: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
    let faces: Vec<Box<dyn Face>> = vec![Box::new(Hetzner::new())];
    World::grow(built_in("staging").unwrap(), &faces, Clock::manual(now), now, 1.0).unwrap()
}

#[test]
fn every_operation_of_the_schema_has_a_handler() {
    let routes = Hetzner::new().routes();
    assert!(routes.len() > 100);
    let without: Vec<_> = routes.iter().filter(|name| handler(name).is_none()).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn staging_has_what_its_file_says() {
    let world = world();
    let (estate, now) = (world.read(), world.clock.now());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for account in world.plan.accounts_of(FaceName::Hetzner) {
        let things =
            estate.ever(&account.id).filter(|(kind, thing)| *kind != "actions" && thing.is_seen(now));
        for (kind, thing) in things {
            *counts.entry(format!("{kind} {}", thing.state(now))).or_default() += 1;
        }
    }
    let expected = [
        ("firewalls available", 2),
        ("floating_ips available", 3),
        ("images available", 8),
        ("load_balancers available", 2),
        ("networks available", 1),
        ("primary_ips available", 52),
        ("servers off", 4),
        ("servers running", 22),
        ("volumes available", 6),
    ];
    assert_eq!(counts, expected.map(|(kind, count)| (kind.to_owned(), count)).into());
}

#[test]
fn growing_again_gives_the_same_world() {
    let json = |world: &World| serde_json::to_value(world.export()).unwrap()["estate"]["accounts"].clone();
    assert_eq!(json(&world()), json(&world()));
}

#[test]
fn everything_that_grew_is_what_the_schema_says() {
    let (world, hetzner) = (world(), Hetzner::new());
    let api = hetzner.api.as_ref().unwrap();
    let (estate, now) = (world.read(), world.clock.now());
    let account = world.plan.accounts_of(FaceName::Hetzner).next().unwrap();
    for (shelf, thing) in estate.ever(&account.id).filter(|(kind, _)| !["actions", "images"].contains(kind)) {
        let call = Call::inside(&world, account, "servers.get", now);
        let shown = kind::show(&call, &estate, shelf, thing);
        let answer = api.operations[&format!("{shelf}.get")].response.as_ref().unwrap();
        let wrapped = Value::from_iter([(super::call::singular(shelf), shown)]);
        let wrongs = api.check(answer, &wrapped, Direction::Answer);
        assert!(wrongs.is_empty(), "{shelf} {}: {wrongs:?}", thing.id);
    }
}

#[test]
fn an_action_is_told_of_for_a_month_and_its_number_is_never_given_again() {
    let world = world();
    let account = world.plan.accounts_of(FaceName::Hetzner).next().unwrap();
    let mut estate = world.write();
    let mut begin = |days: i64| {
        let now = world.clock.now() + TimeDelta::days(days);
        let call = Call { grows: false, ..Call::inside(&world, account, "servers.reboot", now) };
        let begun = action::begin(&call, &mut estate, "reboot_server", &[], TimeDelta::seconds(5));
        let known = estate.ever(&account.id).filter(|(kind, _)| *kind == action::SHELF).count();
        let id = begun["id"].as_u64().unwrap();
        let told = |id: u64| call.find(&estate, action::SHELF, &id.to_string()).is_some();
        (id, known, told(id), told(id - 1))
    };
    let (first, _, told, _) = begin(0);
    assert!(told);
    let (second, _, told, before) = begin(29);
    assert_eq!((second, told, before), (first + 1, true, true));
    // What the world grew by is gone, and the first one with it.
    assert_eq!(begin(45), (first + 2, 2, true, true));
    assert_eq!(begin(90), (first + 3, 1, true, false));
}
