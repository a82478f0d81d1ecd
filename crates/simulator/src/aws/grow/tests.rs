//! The worlds that are built in, as AWS shows them when they are entered.

use chrono::{DateTime, Utc};
use marquee_types::Clock;

use crate::{
    aws::{Aws, autoscaling, ec2, elbv2, rds, route53, s3},
    estate::Thing,
    face::FaceName,
    world::{World, built_in},
};

fn entered() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn world(name: &str) -> World {
    let clock = Clock::manual(entered());
    World::grow(built_in(name).unwrap(), &[Box::new(Aws::new())], clock, entered(), 1.0).unwrap()
}

/// All things of a kind in all accounts, with their states.
fn states(world: &World, kind: &str) -> Vec<(String, String)> {
    let estate = world.read();
    let accounts = world.plan.accounts_of(FaceName::Aws);
    let shown = |thing: &Thing| (thing.name.to_string(), thing.state(entered()).to_owned());
    accounts
        .flat_map(|account| estate.all(&account.id, kind, None, entered()).map(shown).collect::<Vec<_>>())
        .collect()
}

#[test]
fn a_world_that_is_entered_is_settled() {
    let world = world("wedding-season");
    for (kind, settled) in [
        (ec2::INSTANCES, &["running", "stopped"][..]),
        (ec2::VOLUMES, &["in-use", "available"]),
        (ec2::SNAPSHOTS, &["completed"]),
        (ec2::IMAGES, &["available"]),
        (ec2::SUBNETS, &["available"]),
        (ec2::ADDRESSES, &["idle"]),
        (rds::INSTANCES, &["available"]),
        (rds::SNAPSHOTS, &["available"]),
        (elbv2::BALANCERS, &["active"]),
        (autoscaling::GROUPS, &["active"]),
        (s3::BUCKETS, &["available"]),
        (route53::ZONES, &["active"]),
    ] {
        let found = states(&world, kind);
        assert!(!found.is_empty(), "{kind}");
        let wrong: Vec<_> = found.iter().filter(|(_, state)| !settled.contains(&state.as_str())).collect();
        assert!(wrong.is_empty(), "{kind}: {wrong:?}");
    }
}

#[test]
fn the_same_world_grows_the_same_way() {
    let export = || serde_json::to_value(world("wedding-season").export()).unwrap();
    assert!(export() == export(), "two worlds of one file differ");
}

#[test]
fn growing_is_no_ones_doing() {
    assert_eq!(world("wedding-season").read().ledger.after(0).count(), 0);
}
