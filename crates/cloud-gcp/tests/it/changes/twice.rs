//! Nothing is made twice: answers are lost, workers die, an hour passes, and names are taken.

use std::sync::{Arc, atomic::Ordering};

use marquee_clouds::{
    Action, Change, Cloud, ErrorKind, Progress, Token,
    changes::spec::{
        BucketSpec, DatabaseSpec, DiskSpec, InstanceSpec, Named, RestoreToTimeSpec, Scale, ScalingGroupSpec,
    },
    conformance::front::Front,
};
use marquee_simulator::Simulator;
use marquee_types::ResourceKind;
use serde_json::json;

use super::{REGION, ZONE, database, done, instance, over, token};
use crate::bed::{PROJECT, api, cloud, connection, simulator};

fn make(action: Action) -> Change {
    Change::make(REGION, action)
}

fn an_instance(name: &str) -> Change {
    let spec = InstanceSpec { name: name.to_owned(), zone: Some(ZONE.to_owned()), ..instance() };
    make(Action::CreateInstance(spec))
}

fn a_group(name: &str) -> Change {
    make(Action::CreateScalingGroup(ScalingGroupSpec {
        name: name.to_owned(),
        scale: Scale { min: Some(1), desired: Some(2), max: Some(3) },
        instance: instance(),
        zones: vec![ZONE.to_owned()],
        ..ScalingGroupSpec::default()
    }))
}

/// Something of each kind that is made out of nothing, and the shelf it comes to stand on.
fn makings() -> Vec<(Change, &'static str)> {
    let disk = DiskSpec {
        // An instance's boot disk has the instance's name.
        name: "once-data".to_owned(),
        zone: Some(ZONE.to_owned()),
        size_gib: 20,
        ..DiskSpec::default()
    };
    let bucket = BucketSpec { name: "orangery-made-once".to_owned(), ..BucketSpec::default() };
    vec![
        (an_instance("once"), "compute.instances"),
        (make(Action::CreateDisk(disk)), "compute.disks"),
        (
            make(Action::CreateDatabase(DatabaseSpec { name: "once".to_owned(), ..database() })),
            "sql.instances",
        ),
        (make(Action::CreateBucket(bucket)), "storage.buckets"),
        (a_group("once"), "compute.instanceGroupManagers"),
    ]
}

/// A cloud that loses answers on their way.
async fn behind_a_front(simulator: &Arc<Simulator>) -> (Front, Arc<dyn Cloud>) {
    let front = Front::before(&simulator.addresses().google, None).await;
    let mut connection = connection(simulator, |_| {});
    connection.settings["endpoint_url"] = json!(front.url);
    (front, cloud(&connection))
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_one_thing() {
    for (change, shelf) in makings() {
        let simulator = simulator().await;
        let (front, cloud) = behind_a_front(&simulator).await;
        let before = simulator.count(PROJECT, shelf);
        front.to_lose.store(1, Ordering::SeqCst);
        let ticket = cloud.changes().unwrap().begin(&change, &token()).await.unwrap();
        assert_eq!(front.to_lose.load(Ordering::SeqCst), 0, "{shelf}: an answer was lost");
        let made = over(&*cloud, &simulator, &change, &ticket).await;
        assert!(matches!(made, Progress::Done { .. }), "{shelf}: {made:?}");
        assert_eq!(simulator.count(PROJECT, shelf), before + 1, "{shelf}");
    }
}

#[tokio::test]
async fn every_answer_is_lost_and_it_is_begun_again_an_hour_later() {
    for (change, shelf) in makings() {
        let simulator = simulator().await;
        let (front, lossy) = behind_a_front(&simulator).await;
        let (before, token) = (simulator.count(PROJECT, shelf), token());
        // Every attempt of the layers.
        front.to_lose.store(1_000, Ordering::SeqCst);
        let lost = lossy.changes().unwrap().begin(&change, &token).await;
        simulator.advance(7_200.0).unwrap();
        // A bucket and what has a name that is looked for may have been found to be there.
        if let Err(error) = lost {
            assert!(error.retry_helps(), "{shelf}: {error}");
        }
        let cloud = cloud(&connection(&simulator, |_| {}));
        let ticket = cloud.changes().unwrap().begin(&change, &token).await.unwrap();
        let made = over(&*cloud, &simulator, &change, &ticket).await;
        assert!(matches!(made, Progress::Done { .. }), "{shelf}: {made:?}");
        assert_eq!(simulator.count(PROJECT, shelf), before + 1, "{shelf}");
    }
}

async fn taken_up_later(change: &Change, token: &Token, simulator: &Arc<Simulator>) -> Progress {
    let cloud = cloud(&connection(simulator, |_| {}));
    let ticket = cloud.changes().unwrap().begin(change, token).await.unwrap();
    over(&*cloud, simulator, change, &ticket).await
}

#[tokio::test]
async fn what_was_made_and_is_deleted_is_not_made_again() {
    let simulator = simulator().await;
    let (change, token) = (an_instance("short"), token());
    let Progress::Done { native_id } = taken_up_later(&change, &token, &simulator).await else {
        panic!("it is made")
    };
    let end = Change::of(REGION, ResourceKind::ComputeInstance, &native_id, Action::TerminateInstance);
    done(&*cloud(&connection(&simulator, |_| {})), &simulator, &end).await;
    simulator.advance(2.0 * 86_400.0).unwrap();
    let before = simulator.count(PROJECT, "compute.instances");
    let again = taken_up_later(&change, &token, &simulator).await;
    let Progress::Failed(error) = again else { panic!("{again:?}") };
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    assert_eq!(simulator.count(PROJECT, "compute.instances"), before);
}

#[tokio::test]
async fn a_name_that_is_someone_elses_is_a_conflict() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    for (change, shelf) in makings() {
        done(&*cloud, &simulator, &change).await;
        let before = simulator.count(PROJECT, shelf);
        let other = token();
        let refused = cloud.changes().unwrap().begin(&change, &other).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Conflict, "{shelf}: {refused}");
        assert_eq!(cloud.changes().unwrap().made(&change, &other).await.unwrap(), None, "{shelf}");
        assert_eq!(simulator.count(PROJECT, shelf), before, "{shelf}");
    }
    // A disk of an instance's name, which its boot disk would have.
    api(&simulator, &format!("zones/{ZONE}/disks"), &json!({ "name": "shared", "sizeGb": "20" })).await;
    let refused = cloud.changes().unwrap().begin(&an_instance("shared"), &token()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
}

#[tokio::test]
async fn a_clone_whose_ticket_was_lost_is_taken_up_and_no_other() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let origin = make(Action::CreateDatabase(DatabaseSpec { name: "origin".to_owned(), ..database() }));
    let origin = done(&*cloud, &simulator, &origin).await;
    let began = simulator.world().clock.now();
    simulator.advance(1_800.0).unwrap();
    let spec = RestoreToTimeSpec {
        time: began + chrono::TimeDelta::minutes(20),
        name: "before".to_owned(),
        size: Some("db-custom-4-15360".to_owned()),
        tags: [("venue".to_owned(), "barn".to_owned())].into(),
    };
    let change = Change::of(REGION, ResourceKind::Database, &origin, Action::RestoreToTime(spec));
    let (changes, own) = (cloud.changes().unwrap(), token());
    let before = simulator.count(PROJECT, "sql.instances");
    changes.begin(&change, &own).await.unwrap();
    let Progress::Done { native_id } = taken_up_later(&change, &own, &simulator).await else {
        panic!("it is made")
    };
    assert_eq!(simulator.count(PROJECT, "sql.instances"), before + 1);
    assert_eq!(changes.made(&change, &own).await.unwrap(), Some(native_id.clone()));
    // Its labels are its own, and those of its origin are not its.
    assert_eq!(changes.made(&change, &token()).await.unwrap(), None);
    let refused = changes.begin(&change, &token()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
    let seen = super::sight(&*cloud, "sql/instances", ResourceKind::Database, &native_id).await.unwrap();
    assert_eq!(seen.size.as_deref(), Some("db-custom-4-15360"));
    assert!(seen.tags.iter().any(|(key, value)| key == "venue" && value == "barn"), "{:?}", seen.tags);
}

#[tokio::test]
async fn a_copy_is_made_once_though_it_can_have_no_labels() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let origin = make(Action::CreateDatabase(DatabaseSpec { name: "origin".to_owned(), ..database() }));
    let origin = done(&*cloud, &simulator, &origin).await;
    let named = Named { name: "weekly".to_owned(), ..Named::default() };
    let change = Change::of(REGION, ResourceKind::Database, &origin, Action::SnapshotDatabase(named));
    let (before, own) = (simulator.count(PROJECT, "sql.backupRuns"), token());
    for _ in 0..2 {
        let Progress::Done { native_id } = taken_up_later(&change, &own, &simulator).await else {
            panic!("it is made")
        };
        let seen = super::sight(&*cloud, "sql/backups", ResourceKind::DatabaseSnapshot, &native_id).await;
        assert_eq!(seen.unwrap().name, "weekly", "people see its name and no token");
        simulator.advance(7_200.0).unwrap();
    }
    assert_eq!(simulator.count(PROJECT, "sql.backupRuns"), before + 1);
    let tagged = Named { name: "x".to_owned(), tags: [("venue".to_owned(), "barn".to_owned())].into() };
    let change = Change::of(REGION, ResourceKind::Database, &origin, Action::SnapshotDatabase(tagged));
    let refused = cloud.changes().unwrap().begin(&change, &token()).await.unwrap_err();
    assert!(refused.kind == ErrorKind::Invalid && refused.message.contains("venue"), "{refused}");
}

#[tokio::test]
async fn a_restart_is_one_restart_however_often_it_is_begun() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let id = done(&*cloud, &simulator, &an_instance("restarted")).await;
    let change = Change::of(REGION, ResourceKind::ComputeInstance, &id, Action::RebootInstance);
    let own = token();
    let first = cloud.changes().unwrap().begin(&change, &own).await.unwrap();
    simulator.advance(7_200.0).unwrap();
    let cloud = crate::bed::cloud(&connection(&simulator, |_| {}));
    let later = cloud.changes().unwrap().begin(&change, &own).await.unwrap();
    assert_eq!(super::work(&first)["path"], super::work(&later)["path"], "two hours later it is the same");
    let other = cloud.changes().unwrap().begin(&change, &token()).await.unwrap();
    assert_ne!(super::work(&first)["path"], super::work(&other)["path"]);
}
