//! Changes that go wrong: lost answers, workers that died, quota, capacity, what is not seen yet, and what is someone else's.

use std::sync::{Arc, atomic::Ordering};

use marquee_clouds::{
    Action, Change, Cloud, CloudError, ErrorKind, Progress, Ticket, Token,
    changes::spec::{BucketSpec, DatabaseSpec, DiskSpec, InstanceSpec, RecordKey, RecordSet, Size},
    conformance::changes as suite,
};
use marquee_simulator::Simulator;
use marquee_types::ResourceKind;
use serde_json::{Value, json};

use crate::{
    bed::{SUBSCRIPTION, cloud, connection, simulator},
    changes::{DOMAIN, database, id, in_group, instance, on},
    objects,
};

const REGION: &str = "westeurope";

/// Whatever a machine brings along, and what else is made here.
const KINDS: &[&str] = &[
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/disks",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.Storage/storageAccounts",
];

fn counts(simulator: &Simulator) -> Vec<usize> {
    KINDS.iter().map(|kind| simulator.count(SUBSCRIPTION, kind)).collect()
}

fn token(name: &str) -> Token {
    Token::new(format!("op_{name}")).unwrap()
}

fn named(name: &str) -> InstanceSpec {
    InstanceSpec { name: name.to_owned(), ..instance() }
}

fn an_instance(name: &str) -> Change {
    Change::make(REGION, Action::CreateInstance(named(name)))
}

fn of_machine(name: &str, action: Action) -> Change {
    let id = id("Microsoft.Compute/virtualMachines", name);
    Change::of(REGION, ResourceKind::ComputeInstance, id, action)
}

async fn begin(cloud: &Arc<dyn Cloud>, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
    cloud.changes().unwrap().begin(change, token).await
}

async fn refused(cloud: &Arc<dyn Cloud>, change: &Change) -> CloudError {
    begin(cloud, change, &token("refused")).await.unwrap_err()
}

async fn look(cloud: &Arc<dyn Cloud>, change: &Change, ticket: &Ticket) -> Progress {
    cloud.changes().unwrap().look(change, ticket).await.unwrap()
}

/// Looks until a change is over, well or not.
async fn over(simulator: &Simulator, cloud: &Arc<dyn Cloud>, change: &Change, ticket: &Ticket) -> Progress {
    for _ in 0..60 {
        match look(cloud, change, ticket).await {
            Progress::Working(_) => simulator.advance(30.0).unwrap(),
            over => return over,
        }
    }
    panic!("it never ends")
}

async fn done(simulator: &Simulator, cloud: &Arc<dyn Cloud>, change: &Change, ticket: &Ticket) -> String {
    match over(simulator, cloud, change, ticket).await {
        Progress::Done { native_id } => native_id,
        other => panic!("{other:?}"),
    }
}

/// One of each that is made with a PUT of its own.
fn makings() -> Vec<Change> {
    let disk = DiskSpec {
        name: "lost-disk".to_owned(),
        size_gib: 10,
        extensions: in_group(),
        ..DiskSpec::default()
    };
    let bucket =
        BucketSpec { name: "lostandfound".to_owned(), extensions: in_group(), ..BucketSpec::default() };
    vec![
        an_instance("lost"),
        Change::make(REGION, Action::CreateDisk(disk)),
        Change::make(
            REGION,
            Action::CreateDatabase(DatabaseSpec { name: "lost-guests".to_owned(), ..database() }),
        ),
        Change::make(REGION, Action::CreateBucket(bucket)),
    ]
}

#[tokio::test]
async fn a_lost_answer_and_a_dead_worker_make_one_thing() {
    let simulator = simulator().await;
    let front = objects::front_of(&simulator).await;
    let mut connection = connection(&simulator, |_| {});
    connection.settings["endpoint_url"] = json!(front.url);
    connection.settings["ca_certificate"] = json!(objects::trusted(&simulator));
    let lossy = cloud(&connection);
    let before = counts(&simulator);
    for change in makings() {
        let token = token("lost");
        // One answer, which the layers ask for again.
        front.to_lose.store(1, Ordering::SeqCst);
        let first = begin(&lossy, &change, &token).await.unwrap();
        // And an hour later someone else begins it again, with nothing but the token.
        simulator.advance(3_600.0).unwrap();
        let other = cloud(&connection);
        let second = begin(&other, &change, &token).await.unwrap();
        assert_eq!(first.native_id, second.native_id);
        let made = done(&simulator, &other, &change, &second).await;
        assert_eq!(other.changes().unwrap().made(&change, &token).await.unwrap(), Some(made));
    }
    let made: Vec<usize> = counts(&simulator).iter().zip(before).map(|(now, before)| now - before).collect();
    // A machine with its disk, interface and address; a disk; a server; an account.
    assert_eq!(made, [1, 2, 1, 1, 1, 1]);
}

#[tokio::test]
async fn every_answer_lost_is_an_error_and_the_next_beginning_finds_it() {
    let simulator = simulator().await;
    let front = objects::front_of(&simulator).await;
    let mut connection = connection(&simulator, |_| {});
    connection.settings["endpoint_url"] = json!(front.url);
    connection.settings["ca_certificate"] = json!(objects::trusted(&simulator));
    let lossy = cloud(&connection);
    let (change, token, before) = (an_instance("lost"), token("all"), counts(&simulator)[0]);
    front.to_lose.store(3, Ordering::SeqCst);
    let lost = begin(&lossy, &change, &token).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unavailable, "{lost}");
    let ticket = begin(&lossy, &change, &token).await.unwrap();
    done(&simulator, &lossy, &change, &ticket).await;
    assert_eq!(counts(&simulator)[0], before + 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_change_is_no_conflict_with_oneself() {
    let simulator = simulator().await;
    let front = objects::front_of(&simulator).await;
    let mut connection = connection(&simulator, |_| {});
    connection.settings["endpoint_url"] = json!(front.url);
    connection.settings["ca_certificate"] = json!(objects::trusted(&simulator));
    let lossy = cloud(&connection);
    let size = |size: &str| Size { size: size.to_owned() };
    let of_server = |action| {
        let id = id("Microsoft.DBforPostgreSQL/flexibleServers", "guestbook");
        Change::of(REGION, ResourceKind::Database, id, action)
    };
    for change in [
        of_machine("web-01", Action::RebootInstance),
        of_machine("web-01", Action::ResizeInstance(size("Standard_D4s_v5"))),
        of_machine("web-01", Action::StopInstance),
        of_machine("web-01", Action::StartInstance),
        of_server(Action::ResizeDatabase(size("Standard_D2ds_v5"))),
        of_server(Action::StopDatabase),
        of_server(Action::StartDatabase),
    ] {
        front.to_lose.store(1, Ordering::SeqCst);
        let ticket = begin(&lossy, &change, &token("lost")).await;
        let ticket = ticket.unwrap_or_else(|error| panic!("{}: {error}", change.action.name()));
        assert_eq!(front.to_lose.load(Ordering::SeqCst), 0, "{}", change.action.name());
        done(&simulator, &lossy, &change, &ticket).await;
    }
}

#[tokio::test]
async fn what_came_along_goes_along() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let before = counts(&simulator);
    let change = an_instance("guest");
    let ticket = begin(&cloud, &change, &token("guest")).await.unwrap();
    done(&simulator, &cloud, &change, &ticket).await;
    assert_ne!(counts(&simulator), before);
    let end = of_machine("guest", Action::TerminateInstance);
    let ticket = begin(&cloud, &end, &token("end")).await.unwrap();
    done(&simulator, &cloud, &end, &ticket).await;
    simulator.advance(120.0).unwrap();
    assert_eq!(counts(&simulator), before);
}

#[tokio::test]
async fn quota_is_told_from_capacity_and_nothing_is_left_of_either() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let (change, before) = (an_instance("many"), counts(&simulator));
    simulator.fault(json!({ "kind": "quota", "limit": 0 })).unwrap();
    let error = refused(&cloud, &change).await;
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::QuotaExceeded, Some("OperationNotAllowed")));
    simulator.world().faults.clear();
    simulator.fault(json!({ "kind": "no_capacity", "size": "Standard_D2s_v5" })).unwrap();
    let error = refused(&cloud, &change).await;
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (ErrorKind::InsufficientCapacity, Some("SkuNotAvailable"))
    );
    assert_eq!(counts(&simulator), before);
}

#[tokio::test]
async fn what_fails_on_the_way_says_why_with_its_ticket_and_without() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let (change, token, before) = (an_instance("full"), token("full"), counts(&simulator));
    simulator.fault(json!({ "kind": "no_capacity" })).unwrap();
    let ticket = begin(&cloud, &change, &token).await.unwrap();
    let again = begin(&cloud, &change, &token).await.unwrap();
    assert!(!ticket.handle.is_null() && again.handle.is_null(), "{ticket:?} {again:?}");
    for ticket in [ticket, again] {
        match over(&simulator, &cloud, &change, &ticket).await {
            Progress::Failed(error) => {
                assert_eq!(error.kind, ErrorKind::InsufficientCapacity, "{error}");
                assert_eq!(error.code.as_deref(), Some("AllocationFailed"));
            }
            other => panic!("{other:?}"),
        }
    }
    // What there is of it is found by its token, and goes.
    let made = cloud.changes().unwrap().made(&change, &token).await.unwrap();
    assert_eq!(made, Some(id("Microsoft.Compute/virtualMachines", "full")));
    let end = of_machine("full", Action::TerminateInstance);
    let ticket = begin(&cloud, &end, &token).await.unwrap();
    done(&simulator, &cloud, &end, &ticket).await;
    simulator.advance(120.0).unwrap();
    assert_eq!(counts(&simulator), before);
}

#[tokio::test]
async fn what_is_not_seen_yet_is_waited_for_and_not_made_again() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let (change, token, before) = (an_instance("shy"), token("shy"), counts(&simulator)[0]);
    simulator.fault(json!({ "kind": "unseen", "seconds": 120 })).unwrap();
    let ticket = begin(&cloud, &change, &token).await.unwrap();
    let unseen = begin(&cloud, &change, &token).await.unwrap_err();
    assert!(unseen.kind == ErrorKind::Unavailable && unseen.retry_helps(), "{unseen}");
    simulator.advance(60.0).unwrap();
    // What went on is over, and the machine is still not to be seen.
    assert!(matches!(look(&cloud, &change, &ticket).await, Progress::Working(_)));
    simulator.advance(61.0).unwrap();
    assert!(matches!(look(&cloud, &change, &ticket).await, Progress::Done { .. }));
    assert_eq!(begin(&cloud, &change, &token).await.unwrap().native_id, ticket.native_id);
    assert_eq!(counts(&simulator)[0], before + 1);
}

#[tokio::test]
async fn a_wrong_wish_is_said_to_be_wrong_and_nothing_is_made() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let before = counts(&simulator);
    let with = |change: fn(&mut InstanceSpec)| {
        let mut spec = named("wrong");
        change(&mut spec);
        Change::make(REGION, Action::CreateInstance(spec))
    };
    let size = with(|spec| spec.size = "Standard_Huge".to_owned());
    assert_eq!(refused(&cloud, &size).await.kind, ErrorKind::Invalid);
    let image = with(|spec| spec.image = id("Microsoft.Compute/images", "none"));
    assert_eq!(refused(&cloud, &image).await.kind, ErrorKind::NotFound);
    let misspelt = with(|spec| drop(spec.extensions.insert("resource_grup".to_owned(), json!("x"))));
    let error = refused(&cloud, &misspelt).await;
    assert!(error.kind == ErrorKind::Invalid && error.message.contains("resource_grup"), "{error}");
    let region = Change::make("atlantis", Action::CreateInstance(named("wrong")));
    assert_eq!(refused(&cloud, &region).await.kind, ErrorKind::Invalid);
    let weight = RecordSet {
        key: RecordKey { name: format!("a.{DOMAIN}"), kind: "A".to_owned(), set: None },
        values: vec!["192.0.2.1".to_owned()],
        weight: Some(10),
        ..RecordSet::default()
    };
    let zone = id("Microsoft.Network/dnsZones", DOMAIN);
    let weight = Change::of("global", ResourceKind::DnsZone, zone, Action::SetRecords(weight));
    let error = refused(&cloud, &weight).await;
    assert!(error.kind == ErrorKind::Unsupported && error.message.contains("Traffic Manager"), "{error}");
    // An id of another type is not what it is said to be.
    let disk = id("Microsoft.Compute/virtualMachines", "web-01");
    let disk = Change::of(REGION, ResourceKind::Disk, disk, Action::DeleteDisk);
    assert_eq!(refused(&cloud, &disk).await.kind, ErrorKind::Invalid);
    assert_eq!(counts(&simulator), before);
}

#[tokio::test]
async fn someone_elses_machine_is_left_alone() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let before = counts(&simulator);
    let change = an_instance("web-01");
    assert_eq!(refused(&cloud, &change).await.kind, ErrorKind::Conflict);
    assert_eq!(cloud.changes().unwrap().made(&change, &token("refused")).await.unwrap(), None);
    assert_eq!(counts(&simulator), before);
}

#[tokio::test]
async fn a_bucket_that_holds_something_is_not_deleted() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let account = id("Microsoft.Storage/storageAccounts", "orangeryazuremediawesteu");
    let error =
        refused(&cloud, &Change::of(REGION, ResourceKind::Bucket, account, Action::DeleteBucket)).await;
    assert!(error.kind == ErrorKind::Conflict && error.message.contains("containers"), "{error}");
}

#[tokio::test]
async fn what_is_as_wanted_is_done_at_once() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    for (name, action) in [
        ("rehearsal-01", Action::StopInstance),
        ("web-01", Action::StartInstance),
        ("web-01", Action::ResizeInstance(Size { size: "standard_d2s_v5".to_owned() })),
    ] {
        let change = of_machine(name, action);
        let ticket = begin(&cloud, &change, &token("as-wanted")).await.unwrap();
        assert!(matches!(look(&cloud, &change, &ticket).await, Progress::Done { .. }), "{change:?}");
    }
}

#[tokio::test]
async fn credentials_that_are_revoked_meanwhile_are_no_failure_of_the_change() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let change = an_instance("orphan");
    let ticket = begin(&cloud, &change, &token("orphan")).await.unwrap();
    simulator.fault(json!({ "kind": "revoked_credentials" })).unwrap();
    let error = cloud.changes().unwrap().look(&change, &ticket).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error}");
    simulator.world().faults.clear();
    done(&simulator, &cloud, &change, &ticket).await;
}

#[tokio::test]
async fn a_ticket_leads_to_no_other_host() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let change = an_instance("led-astray");
    for header in ["azure-asyncoperation", "location"] {
        let handle = json!({ header: "https://collector.example/operations/1?api-version=1" });
        let ticket = Ticket::with(Some(id("Microsoft.Compute/virtualMachines", "led-astray")), handle);
        let error = cloud.changes().unwrap().look(&change, &ticket).await.unwrap_err();
        assert!(error.kind == ErrorKind::Invalid && error.message.contains("another host"), "{error}");
    }
}

#[tokio::test]
async fn a_password_is_in_no_ticket() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let spec = DatabaseSpec { name: "keyless".to_owned(), ..database() };
    let change = Change::make(REGION, Action::CreateDatabase(spec));
    let ticket = begin(&cloud, &change, &token("keyless")).await.unwrap();
    // All that a ticket has is where the server is, and a link that the vendor sealed before it heard of any password.
    let handle = ticket.handle.as_object().unwrap();
    assert_eq!(handle.keys().collect::<Vec<_>>(), ["azure-asyncoperation"]);
    assert!(!serde_json::to_string(&ticket).unwrap().to_lowercase().contains("password"));
}

/// The permissions of the role with the changes.
fn role(cloud: &dyn Cloud) -> Value {
    let changes = marquee_cloud_azure::permissions::CHANGE_PERMISSIONS;
    let all = cloud.capabilities().permissions.iter().chain(changes);
    json!(all.map(|need| need.permission).collect::<Vec<_>>())
}

#[tokio::test]
async fn the_role_with_the_changes_is_enough_for_all_of_them() {
    let simulator = simulator().await;
    let stage = on(Arc::clone(&simulator));
    simulator.fault(json!({ "kind": "denied", "except": role(&*stage.cloud) })).unwrap();
    suite::an_instance_lives(&stage).await;
    suite::tags_are_set_and_come_back(&stage).await;
    suite::an_image_is_made(&stage).await;
    suite::a_disk_lives(&stage).await;
    suite::a_database_lives(&stage).await;
    suite::a_database_is_restored(&stage).await;
    suite::a_bucket_lives(&stage).await;
    suite::a_scaling_group_lives(&stage).await;
    suite::records_are_set_and_come_back(&stage).await;
    suite::targets_are_registered(&stage).await;
}

#[tokio::test]
async fn without_the_changes_nothing_is_changed() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let reads: Vec<_> = cloud.capabilities().permissions.iter().map(|need| need.permission).collect();
    simulator.fault(json!({ "kind": "denied", "except": reads })).unwrap();
    let before = counts(&simulator);
    for change in [an_instance("denied"), of_machine("web-01", Action::StopInstance)] {
        let error = refused(&cloud, &change).await;
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error}");
    }
    assert_eq!(counts(&simulator), before);
}
