//! The worlds that are built in, as Google's face makes them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use marquee_types::Clock;

use crate::{
    face::{Face, FaceName},
    google::{Google, compute::collection::Collection},
    world::{World, built_in},
};

fn world(name: &str) -> World {
    let now: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
    let faces: Vec<Box<dyn Face>> = vec![Box::new(Google::new())];
    World::grow(built_in(name).unwrap(), &faces, Clock::manual(now), now, 1.0).unwrap()
}

/// How many things there are of each kind, and in which states.
fn counts(world: &World) -> BTreeMap<String, usize> {
    let (estate, now) = (world.read(), world.clock.now());
    let mut counts = BTreeMap::new();
    for account in world.plan.accounts_of(FaceName::Google) {
        for (kind, thing) in estate.ever(&account.id).filter(|(_, thing)| thing.is_seen(now)) {
            *counts.entry(format!("{kind} {}", thing.state(now))).or_default() += 1;
        }
    }
    counts
}

#[test]
fn the_wedding_season_has_what_its_file_says() {
    let world = world("wedding-season");
    let counts = counts(&world);
    // 6 web, 4 api, 3 guest-upload, 1 ci and 3 rsvp run and 2 rehearsal are stopped, in each of two regions.
    for (kind, count) in [
        ("compute.instances RUNNING", 34),
        ("compute.instances TERMINATED", 4),
        ("compute.disks READY", 48),
        ("compute.snapshots READY", 12),
        ("compute.networks READY", 1),
        ("compute.subnetworks READY", 2),
        ("compute.targetPools READY", 2),
        ("compute.addresses RESERVED", 2),
        ("compute.instanceGroupManagers STABLE", 2),
        // Those of the snapshots of the last two weeks: older ones Google does not keep.
        ("compute.operations DONE", 4),
        ("sql.instances RUNNABLE", 6),
        ("sql.backupRuns SUCCESSFUL", 8),
        ("storage.buckets ACTIVE", 4),
        ("dns.managedZones ACTIVE", 1),
    ] {
        assert_eq!(counts.get(kind).copied(), Some(count), "{kind}: {counts:?}");
    }
}

#[test]
fn growing_again_gives_the_same_world() {
    let json = |world: &World| serde_json::to_value(world.export()).unwrap()["estate"]["accounts"].clone();
    assert_eq!(json(&world("wedding-season")), json(&world("wedding-season")));
}

#[test]
fn everything_that_grew_is_what_the_schema_says() {
    let (world, google) = (world("wedding-season"), Google::new());
    let api = google.schemas.as_ref().unwrap().api("compute").unwrap();
    let (estate, now) = (world.read(), world.clock.now());
    for account in world.plan.accounts_of(FaceName::Google) {
        for (kind, thing) in estate.ever(&account.id) {
            let Some(collection) = kind.strip_prefix("compute.").and_then(Collection::named) else {
                continue;
            };
            let mut shape = collection.word.to_owned();
            shape[..1].make_ascii_uppercase();
            let wrongs =
                api.check(&api.shapes[&shape], &collection.value(thing, now), crate::rest::Direction::Answer);
            assert!(wrongs.is_empty(), "{kind} {}: {wrongs:?}", thing.id);
        }
    }
}
