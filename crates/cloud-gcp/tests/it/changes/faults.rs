//! What goes wrong at the cloud, and what a change makes of it.

use marquee_clouds::{
    Action, Change, ErrorKind, Progress,
    changes::spec::{DatabaseSpec, DiskSpec, InstanceSpec, Tags},
    conformance::odd::Odd,
};
use marquee_types::ResourceKind;
use serde_json::{Value, json};

use super::{REGION, ZONE, database, done, instance, over, token};
use crate::bed::{cloud, connection, simulator};

fn an_instance(change: impl FnOnce(&mut InstanceSpec)) -> Change {
    let mut spec = InstanceSpec { name: "faulty".to_owned(), zone: Some(ZONE.to_owned()), ..instance() };
    change(&mut spec);
    Change::make(REGION, Action::CreateInstance(spec))
}

/// What becomes of a change while a fault is on: the kind of its failure, at whichever end.
async fn failure(change: &Change, fault: Value) -> (ErrorKind, Option<String>) {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    simulator.fault(fault).unwrap();
    let error = match cloud.changes().unwrap().begin(change, &token()).await {
        Err(error) => error,
        Ok(ticket) => match over(&*cloud, &simulator, change, &ticket).await {
            Progress::Failed(error) => error,
            other => panic!("{other:?}"),
        },
    };
    (error.kind, error.code)
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told_from_everything_else() {
    let (kind, code) = failure(&an_instance(|_| {}), json!({ "kind": "quota", "limit": 0 })).await;
    assert_eq!((kind, code.as_deref()), (ErrorKind::QuotaExceeded, Some("QUOTA_EXCEEDED")));
    let spec = DatabaseSpec { name: "faulty".to_owned(), ..database() };
    let change = Change::make(REGION, Action::CreateDatabase(spec));
    assert_eq!(failure(&change, json!({ "kind": "quota", "limit": 0 })).await.0, ErrorKind::QuotaExceeded);
}

#[tokio::test]
async fn a_zone_without_machines_is_told_from_everything_else() {
    let (kind, code) = failure(&an_instance(|_| {}), json!({ "kind": "no_capacity" })).await;
    assert_eq!(
        (kind, code.as_deref()),
        (ErrorKind::InsufficientCapacity, Some("ZONE_RESOURCE_POOL_EXHAUSTED"))
    );
}

#[tokio::test]
async fn an_instance_that_finds_no_machine_again_stays_stopped_and_says_why() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let id = done(&*cloud, &simulator, &an_instance(|_| {})).await;
    let of = |action| Change::of(REGION, ResourceKind::ComputeInstance, &id, action);
    done(&*cloud, &simulator, &of(Action::StopInstance)).await;
    simulator.fault(json!({ "kind": "no_capacity" })).unwrap();
    let start = of(Action::StartInstance);
    let ticket = cloud.changes().unwrap().begin(&start, &token()).await.unwrap();
    let Progress::Failed(error) = over(&*cloud, &simulator, &start, &ticket).await else {
        panic!("it cannot start")
    };
    assert_eq!(error.kind, ErrorKind::InsufficientCapacity);
    simulator.world().faults.clear();
    done(&*cloud, &simulator, &start).await;
}

#[tokio::test]
async fn what_is_made_and_not_seen_yet_is_under_way() {
    let disk = DiskSpec {
        name: "unseen".to_owned(),
        zone: Some(ZONE.to_owned()),
        size_gib: 20,
        ..DiskSpec::default()
    };
    let database = DatabaseSpec { name: "unseen".to_owned(), ..database() };
    for change in [
        an_instance(|_| {}),
        Change::make(REGION, Action::CreateDisk(disk)),
        Change::make(REGION, Action::CreateDatabase(database)),
    ] {
        let name = change.action.name();
        let simulator = simulator().await;
        let cloud = cloud(&connection(&simulator, |_| {}));
        simulator.fault(json!({ "kind": "unseen", "seconds": 600 })).unwrap();
        let (changes, own) = (cloud.changes().unwrap(), token());
        changes.begin(&change, &own).await.unwrap();
        simulator.advance(300.0).unwrap();
        // As if the ticket was lost.
        let ticket = changes.begin(&change, &own).await.unwrap();
        let progress = changes.look(&change, &ticket).await.unwrap();
        assert!(matches!(progress, Progress::Working(_)), "{name}: {progress:?}");
        let progress = over(&*cloud, &simulator, &change, &ticket).await;
        assert!(matches!(progress, Progress::Done { .. }), "{name}: {progress:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_leaves_nothing() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let before = simulator.count(crate::bed::PROJECT, "compute.disks");
    let extension = |name: &str| json!({ name: "x" }).as_object().cloned().unwrap();
    for (change, words) in [
        (an_instance(|spec| spec.size = "n2-standard-3".to_owned()), "n2-standard-3"),
        (an_instance(|spec| spec.size = "../../x".to_owned()), "size"),
        (an_instance(|spec| spec.image = "projects/debian-cloud/global/images/none".to_owned()), "none"),
        (an_instance(|spec| spec.zone = Some("us-central1-a".to_owned())), "zone"),
        (an_instance(|spec| spec.extensions = extension("diskTyp")), "diskTyp"),
        (an_instance(|spec| drop(spec.tags.insert("Venue".to_owned(), "x".to_owned()))), "Venue"),
    ] {
        let refused = cloud.changes().unwrap().begin(&change, &token()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
        assert!(refused.message.contains(words), "{refused}");
    }
    let wrong = |change: fn(&mut DatabaseSpec)| {
        let mut spec = DatabaseSpec { name: "faulty".to_owned(), ..database() };
        change(&mut spec);
        Change::make(REGION, Action::CreateDatabase(spec))
    };
    for (change, words) in [
        (wrong(|spec| spec.engine = "oracle".to_owned()), "engine"),
        (wrong(|spec| spec.admin_name = "ada".to_owned()), "admin_name"),
        (wrong(|spec| drop(spec.extensions.insert("editon".to_owned(), json!("x")))), "editon"),
    ] {
        let refused = cloud.changes().unwrap().begin(&change, &token()).await.unwrap_err();
        assert!(refused.kind == ErrorKind::Invalid && refused.message.contains(words), "{refused}");
    }
    assert_eq!(simulator.count(crate::bed::PROJECT, "compute.disks"), before);
}

#[tokio::test]
async fn credentials_that_are_revoked_between_are_a_failure_to_look() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let change = an_instance(|_| {});
    let ticket = cloud.changes().unwrap().begin(&change, &token()).await.unwrap();
    simulator.fault(json!({ "kind": "revoked_credentials" })).unwrap();
    let error = cloud.changes().unwrap().look(&change, &ticket).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_operation_of_another_place_is_not_asked_for() {
    let simulator = simulator().await;
    let id = done(&*cloud(&connection(&simulator, |_| {})), &simulator, &an_instance(|_| {})).await;
    for link in [
        "https://evil.example/compute/v1/projects/orangery-media/zones/z/operations/o",
        "https://www.googleapis.com/compute/v1/projects/another-one/zones/z/operations/o",
        "https://www.googleapis.com/compute/v1/projects/orangery-media/zones/z/instances/o",
    ] {
        let body = json!({ "kind": "compute#operation", "selfLink": link, "name": "o", "status": "RUNNING",
            "items": [{ "clientOperationId": "x" }] });
        let odd = Odd::answering(200, &body.to_string()).await;
        let mut connection = connection(&simulator, |_| {});
        connection.settings["endpoint_url"] = json!(odd.url);
        let change = Change::of(
            REGION,
            ResourceKind::ComputeInstance,
            &id,
            Action::SetTags(Tags { set: [("venue".to_owned(), "barn".to_owned())].into(), remove: vec![] }),
        );
        let refused = crate::bed::cloud(&connection).changes().unwrap().begin(&change, &token()).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Protocol, "{link}");
    }
}

#[tokio::test]
async fn a_connection_for_some_regions_changes_nothing_in_others() {
    let simulator = simulator().await;
    let everywhere = cloud(&connection(&simulator, |_| {}));
    let id = done(&*everywhere, &simulator, &an_instance(|_| {})).await;
    let mut connection = connection(&simulator, |_| {});
    connection.settings["regions"] = json!(["us-central1"]);
    let elsewhere = cloud(&connection);
    for region in [REGION, "us-central1"] {
        let end = Change::of(region, ResourceKind::ComputeInstance, &id, Action::TerminateInstance);
        let refused = elsewhere.changes().unwrap().begin(&end, &token()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    }
}
