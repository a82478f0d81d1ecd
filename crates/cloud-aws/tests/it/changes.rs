//! The suite that every adapter's changes run, against the simulator, and what is AWS's own: tokens that are forgotten, lost
//! answers, quota, capacity, and things that are seen late.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use marquee_clouds::{
    Action, Change, Changes, Cloud, CloudError, ErrorKind, Observed, Page, PageSink, Progress, Ticket, Token,
    changes::spec::{
        BucketSpec, DatabaseSpec, DiskSpec, InstanceSpec, Named, RecordKey, RecordSet, RestoreSpec, Scale,
        ScalingGroupSpec, Tags,
    },
    conformance::changes::Stage,
};
use marquee_simulator::{Simulator, clock::ClockChange};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::json;

use crate::{
    front::{Front, Verdict},
    simulated::{ACCOUNT, cloud, cloud_at, fault, simulator},
};

pub const REGION: &str = "eu-west-1";

/// Lets time pass in a simulator.
fn pass(simulator: &Simulator, seconds: f64) {
    let change = ClockChange { advance_seconds: Some(seconds), ..ClockChange::default() };
    simulator.world().clock.change(change).unwrap();
}

#[derive(Default)]
struct Kept(Vec<Observed>);

#[async_trait::async_trait]
impl PageSink for Kept {
    async fn page(&mut self, page: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.extend(page.resources);
        Ok(())
    }
}

/// All things of a kind in the region.
pub async fn all(cloud: &dyn Cloud, kind: ResourceKind) -> Vec<Observed> {
    let inventory = cloud.inventory().unwrap();
    let scopes = inventory.scopes(&[REGION.to_owned()]).await.unwrap();
    let scope = scopes.into_iter().find(|scope| scope.kinds.contains(&kind)).unwrap();
    let mut kept = Kept::default();
    inventory.list(&scope, &mut kept).await.unwrap();
    kept.0.retain(|one| one.kind == kind && one.state != ResourceState::Deleted);
    kept.0
}

fn related(one: &Observed, relation: Relation, kind: ResourceKind) -> String {
    let found = one.relations.iter().find(|found| found.relation == relation && found.kind == kind);
    found.unwrap().target.clone()
}

/// An instance like those that there are.
async fn an_instance_spec(cloud: &dyn Cloud) -> (InstanceSpec, String) {
    let known = all(cloud, ResourceKind::ComputeInstance).await;
    let like = known.iter().find(|one| one.size.as_deref() == Some("m7g.large")).unwrap();
    let spec = InstanceSpec {
        size: "m7g.large".to_owned(),
        image: related(like, Relation::CreatedFrom, ResourceKind::Image),
        subnet: Some(related(like, Relation::MemberOf, ResourceKind::Subnet)),
        boot_disk_gib: Some(12),
        ..InstanceSpec::default()
    };
    (spec, like.zone.clone().unwrap())
}

async fn stage() -> Stage {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let (instance, zone) = an_instance_spec(&*cloud).await;
    let domain = all(&*cloud, ResourceKind::DnsZone).await.remove(0);
    let group = all(&*cloud, ResourceKind::TargetGroup).await.remove(0);
    Stage {
        region: REGION.to_owned(),
        zone: Some(zone),
        instance,
        other_size: "m7g.xlarge".to_owned(),
        database: DatabaseSpec {
            engine: "postgres".to_owned(),
            size: "db.m7g.large".to_owned(),
            storage_gib: 50,
            admin_name: "planner".to_owned(),
            backup_retention_days: Some(7),
            ..DatabaseSpec::default()
        },
        other_database_size: "db.m7g.xlarge".to_owned(),
        bucket: "marquee-conformance-changes".to_owned(),
        // Below the zone's own name, where the world has no records.
        dns: (domain.native_id, format!("suite.{}", domain.name)),
        target_group: Some(group.native_id),
        let_time_pass: {
            let simulator = Arc::clone(&simulator);
            Box::new(move || pass(&simulator, 31.0))
        },
        gaps: &[],
        keep: Box::new(simulator),
        cloud,
    }
}

marquee_clouds::changes_conformance!(stage());

fn token(name: &str) -> Token {
    Token::new(format!("op_{name}")).unwrap()
}

fn changes(cloud: &dyn Cloud) -> &dyn Changes {
    cloud.changes().unwrap()
}

fn kind<T: std::fmt::Debug>(answer: Result<T, CloudError>) -> ErrorKind {
    answer.unwrap_err().kind
}

fn make(action: Action) -> Change {
    Change::make(REGION, action)
}

/// Looks until a change is over, and gives how it ended.
async fn end(simulator: &Simulator, cloud: &dyn Cloud, change: &Change, ticket: &Ticket) -> Progress {
    for _ in 0..60 {
        match changes(cloud).look(change, ticket).await.unwrap() {
            Progress::Working(_) => pass(simulator, 31.0),
            over => return over,
        }
    }
    panic!("{} never ends", change.action.name());
}

/// Carries a change out, and gives the id.
async fn carry(simulator: &Simulator, cloud: &dyn Cloud, change: &Change, token: &Token) -> String {
    let ticket = changes(cloud).begin(change, token).await.unwrap();
    match end(simulator, cloud, change, &ticket).await {
        Progress::Done { native_id } => native_id,
        other => panic!("{other:?}"),
    }
}

fn database(name: &str) -> Change {
    make(Action::CreateDatabase(DatabaseSpec {
        name: name.to_owned(),
        engine: "postgres".to_owned(),
        size: "db.m7g.large".to_owned(),
        storage_gib: 20,
        admin_name: "planner".to_owned(),
        ..DatabaseSpec::default()
    }))
}

fn a_disk(zone: &str) -> Change {
    let spec = DiskSpec {
        name: "data".to_owned(),
        zone: Some(zone.to_owned()),
        size_gib: 20,
        ..DiskSpec::default()
    };
    make(Action::CreateDisk(spec))
}

fn group(instance: InstanceSpec, name: &str, desired: u32) -> Change {
    let scale = Scale { min: Some(0), desired: Some(desired), max: Some(9) };
    make(Action::CreateScalingGroup(ScalingGroupSpec {
        name: name.to_owned(),
        scale,
        instance,
        ..ScalingGroupSpec::default()
    }))
}

/// Each way to make something, of what there is in the account; with what it makes.
async fn everything_made(simulator: &Simulator, cloud: &dyn Cloud) -> Vec<(Change, ResourceKind)> {
    let (instance, zone) = an_instance_spec(cloud).await;
    let named = |name: &str| Named { name: name.to_owned(), ..Named::default() };
    let disk = carry(simulator, cloud, &a_disk(&zone), &token("origin-disk")).await;
    let origin = database("origin");
    let origin = carry(simulator, cloud, &origin, &token("origin-database")).await;
    let machine =
        make(Action::CreateInstance(InstanceSpec { name: "origin".to_owned(), ..instance.clone() }));
    let machine = carry(simulator, cloud, &machine, &token("origin-instance")).await;
    let of = |kind, id: &str, action| Change::of(REGION, kind, id, action);
    let bucket = BucketSpec { name: "marquee-lost-answers".to_owned(), ..BucketSpec::default() };
    vec![
        (make(Action::CreateInstance(instance.clone())), ResourceKind::ComputeInstance),
        (
            of(ResourceKind::ComputeInstance, &machine, Action::CreateImage(named("lost"))),
            ResourceKind::Image,
        ),
        (a_disk(&zone), ResourceKind::Disk),
        (of(ResourceKind::Disk, &disk, Action::SnapshotDisk(named("lost"))), ResourceKind::Snapshot),
        (database("lost"), ResourceKind::Database),
        (
            of(ResourceKind::Database, &origin, Action::SnapshotDatabase(named("lost"))),
            ResourceKind::DatabaseSnapshot,
        ),
        (make(Action::CreateBucket(bucket)), ResourceKind::Bucket),
        (group(instance, "lost", 1), ResourceKind::ScalingGroup),
    ]
}

/// What makes each of them: an operation, or for S3 a method.
fn maker(change: &Change) -> &'static str {
    match change.action {
        Action::CreateInstance(_) => "RunInstances",
        Action::CreateImage(_) => "CreateImage",
        Action::CreateDisk(_) => "CreateVolume",
        Action::SnapshotDisk(_) => "CreateSnapshot",
        Action::CreateDatabase(_) => "CreateDBInstance",
        Action::SnapshotDatabase(_) => "CreateDBSnapshot",
        Action::CreateScalingGroup(_) => "CreateAutoScalingGroup",
        _ => "PUT",
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_one_thing() {
    let simulator = simulator().await;
    let good = cloud(&simulator, None);
    for (change, made) in everything_made(&simulator, &*good).await {
        let (name, maker) = (change.action.name(), maker(&change));
        let before = all(&*good, made).await.len();
        let wish = token(&format!("lost-{name}"));
        // The first attempts of the call are heard and never answered: more of them than a call has.
        let left = Arc::new(AtomicU32::new(4));
        let lose = Arc::clone(&left);
        let front = Front::before(&simulator.addresses().aws, move |seen| {
            let makes = seen.action == maker || seen.method == maker;
            let fewer = |left: u32| left.checked_sub(1);
            if makes && lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
                Verdict::Break
            } else {
                Verdict::Pass
            }
        })
        .await;
        let unlucky = cloud_at(&front.url, &simulator, None);
        let mut begun = changes(&*unlucky).begin(&change, &wish).await;
        for _ in 0..4 {
            if let Err(error) = &begun {
                assert!(
                    matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Protocol),
                    "{name}: {error}"
                );
                begun = changes(&*unlucky).begin(&change, &wish).await;
            }
        }
        assert!(left.load(Ordering::SeqCst) < 4, "{name} is not made by {maker}");
        let Progress::Done { native_id } = end(&simulator, &*good, &change, &begun.unwrap()).await else {
            panic!("{name}")
        };
        assert_eq!(all(&*good, made).await.len(), before + 1, "{name}");
        // AWS forgets its own tokens; the tag stays.
        pass(&simulator, 3.0 * 86_400.0);
        let again = changes(&*good).begin(&change, &wish).await.unwrap();
        assert_eq!(again.native_id.as_deref(), Some(native_id.as_str()), "{name}");
        assert_eq!(all(&*good, made).await.len(), before + 1, "{name}, days after");
        assert_eq!(changes(&*good).made(&change, &wish).await.unwrap(), Some(native_id));
    }
}

#[tokio::test]
async fn what_is_seen_late_is_waited_for_and_made_once() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    for (change, made) in everything_made(&simulator, &*cloud).await {
        let name = change.action.name();
        let before = all(&*cloud, made).await.len();
        let wish = token(&format!("late-{name}"));
        fault(&simulator, json!({ "kind": "unseen", "seconds": 90 }));
        // Auto Scaling is asked for what EC2 has made, and may not see that either.
        let ticket = loop {
            match changes(&*cloud).begin(&change, &wish).await {
                Ok(ticket) => break ticket,
                Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{name}: {error}"),
            }
            pass(&simulator, 31.0);
        };
        let looked = changes(&*cloud).look(&change, &ticket).await.unwrap();
        assert!(matches!(looked, Progress::Working(_)), "{name}: {looked:?}");
        // A snapshot of a disk has nothing but its tag, which cannot be found yet.
        if !matches!(change.action, Action::SnapshotDisk(_)) {
            match changes(&*cloud).begin(&change, &wish).await {
                Ok(again) => assert_eq!(again.native_id, ticket.native_id, "{name}"),
                Err(error) => assert_eq!(error.kind, ErrorKind::Unavailable, "{name}: {error}"),
            }
        }
        simulator.world().faults.clear();
        let over = end(&simulator, &*cloud, &change, &ticket).await;
        assert!(matches!(over, Progress::Done { .. }), "{name}: {over:?}");
        assert_eq!(all(&*cloud, made).await.len(), before + 1, "{name}");
    }
}

#[tokio::test]
async fn what_was_terminated_is_not_made_again() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let (spec, _) = an_instance_spec(&*cloud).await;
    let (change, wish) = (make(Action::CreateInstance(spec)), token("once"));
    let id = carry(&simulator, &*cloud, &change, &wish).await;
    let end_it = Change::of(REGION, ResourceKind::ComputeInstance, &id, Action::TerminateInstance);
    carry(&simulator, &*cloud, &end_it, &token("end")).await;
    // While it is still shown, and after that while EC2 knows the token.
    for seconds in [0.0, 2.0 * 3600.0] {
        pass(&simulator, seconds);
        let again = changes(&*cloud).begin(&change, &wish).await;
        assert_eq!(kind(again), ErrorKind::Conflict, "{seconds} seconds after");
    }
    assert_eq!(changes(&*cloud).made(&change, &wish).await.unwrap(), None);
}

#[tokio::test]
async fn quota_and_capacity_are_told_apart() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let (spec, _) = an_instance_spec(&*cloud).await;
    let instance = make(Action::CreateInstance(spec.clone()));
    let quota = json!({ "kind": "quota", "limit": 1 });
    for (fault_now, wanted) in [
        (quota.clone(), ErrorKind::QuotaExceeded),
        (json!({ "kind": "no_capacity" }), ErrorKind::InsufficientCapacity),
    ] {
        fault(&simulator, fault_now);
        for change in [&instance, &database("none")] {
            let begun = changes(&*cloud).begin(change, &token("none")).await;
            assert_eq!(kind(begun), wanted, "{}", change.action.name());
        }
        // A group is made; that it cannot launch shows when it is looked at.
        let group = group(spec.clone(), wanted.as_str(), 2);
        let ticket = changes(&*cloud).begin(&group, &token(wanted.as_str())).await.unwrap();
        let Progress::Failed(error) = end(&simulator, &*cloud, &group, &ticket).await else {
            panic!("{wanted:?}")
        };
        assert_eq!(error.kind, wanted, "{error}");
        simulator.world().faults.clear();
    }
    // Nothing is left of what was not made.
    carry(&simulator, &*cloud, &instance, &token("none")).await;
}

#[tokio::test]
async fn a_group_goes_with_its_template_and_says_what_fails_now() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let (spec, _) = an_instance_spec(&*cloud).await;
    let templates = || {
        let world = simulator.world();
        let estate = world.read();
        estate.all(ACCOUNT, "ec2/launch-template", Some(REGION), world.clock.now()).count()
    };
    let before = templates();
    let wrong = InstanceSpec { size: "m0.none".to_owned(), ..spec.clone() };
    let refused = changes(&*cloud).begin(&group(wrong, "wrong", 1), &token("wrong")).await;
    assert_eq!((kind(refused), templates()), (ErrorKind::Invalid, before));
    // The template is right, and the group is not: it goes again.
    let mut other = group(spec.clone(), "wrong", 1);
    let Action::CreateScalingGroup(wanted) = &mut other.action else { panic!("a group") };
    wanted.scale.max = Some(0);
    assert_eq!(kind(changes(&*cloud).begin(&other, &token("other")).await), ErrorKind::Invalid);
    assert_eq!(templates(), before);

    let made = carry(&simulator, &*cloud, &group(spec, "dancers", 2), &token("dancers")).await;
    assert_eq!(templates(), before + 1);
    let scale = |desired| {
        let scale = Scale { desired: Some(desired), ..Scale::default() };
        Change::of(REGION, ResourceKind::ScalingGroup, &made, Action::SetScale(scale))
    };
    fault(&simulator, json!({ "kind": "no_capacity" }));
    let ticket = changes(&*cloud).begin(&scale(4), &token("four")).await.unwrap();
    let over = end(&simulator, &*cloud, &scale(4), &ticket).await;
    assert!(matches!(over, Progress::Failed(error) if error.kind == ErrorKind::InsufficientCapacity));
    simulator.world().faults.clear();
    // What failed before is no failure of the next change.
    carry(&simulator, &*cloud, &scale(3), &token("three")).await;
    let delete = Change::of(REGION, ResourceKind::ScalingGroup, &made, Action::DeleteScalingGroup);
    carry(&simulator, &*cloud, &delete, &token("no-dancers")).await;
    assert_eq!(templates(), before);
}

#[tokio::test]
async fn nothing_is_left_beside_what_is_ended() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let kinds = [ResourceKind::Disk, ResourceKind::Snapshot, ResourceKind::PublicIp, ResourceKind::Image];
    let count = async || {
        let mut counts = Vec::new();
        for kind in kinds {
            counts.push(all(&*cloud, kind).await.len());
        }
        counts
    };
    let before = count().await;
    let (spec, _) = an_instance_spec(&*cloud).await;
    let public = InstanceSpec { public_ip: true, ..spec };
    let made = carry(&simulator, &*cloud, &make(Action::CreateInstance(public)), &token("public")).await;
    let of = |kind, id: &str, action| Change::of(REGION, kind, id, action);
    let named = Named { name: "twice-used".to_owned(), ..Named::default() };
    let image = of(ResourceKind::ComputeInstance, &made, Action::CreateImage(named));
    let image = carry(&simulator, &*cloud, &image, &token("image")).await;
    let seen = all(&*cloud, ResourceKind::ComputeInstance).await;
    let seen = seen.into_iter().find(|one| one.native_id == made).unwrap();
    assert!(seen.attributes.contains_key("public_ip"), "{:?}", seen.attributes);
    let disks = all(&*cloud, ResourceKind::Disk).await;
    let boot =
        disks.iter().find(|disk| disk.relations.iter().any(|relation| relation.target == made)).unwrap();
    assert_eq!(boot.attributes["size_gib"], 12);
    let end_it = of(ResourceKind::ComputeInstance, &made, Action::TerminateInstance);
    carry(&simulator, &*cloud, &end_it, &token("end")).await;
    carry(&simulator, &*cloud, &of(ResourceKind::Image, &image, Action::DeleteImage), &token("unmake")).await;
    pass(&simulator, 120.0);
    assert_eq!(count().await, before, "{kinds:?}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let (spec, _) = an_instance_spec(&*cloud).await;
    let refusal = async |spec: InstanceSpec| {
        changes(&*cloud).begin(&make(Action::CreateInstance(spec)), &token("wrong")).await.unwrap_err()
    };
    let with = |change: fn(&mut InstanceSpec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        spec
    };
    for (wrong, wanted, said) in [
        (with(|spec| spec.size = "m0.none".to_owned()), ErrorKind::Invalid, "m0.none"),
        (with(|spec| spec.image = "ami-00000000".to_owned()), ErrorKind::NotFound, "ami-00000000"),
        (
            with(|spec| spec.image = "arn:aws:ec2:us-east-1::image/ami-1".to_owned()),
            ErrorKind::Invalid,
            "region",
        ),
        (
            with(|spec| drop(spec.extensions.insert("keyname".to_owned(), json!("k")))),
            ErrorKind::Invalid,
            "keyname",
        ),
        (with(|spec| spec.ssh_key = Some("ssh-ed25519 AAAA".to_owned())), ErrorKind::Invalid, "key_name"),
        (
            with(|spec| drop(spec.tags.insert("marquee-operation".to_owned(), "mine".to_owned()))),
            ErrorKind::Invalid,
            "marquee-operation",
        ),
    ] {
        let error = refusal(wrong).await;
        assert_eq!(error.kind, wanted, "{error}");
        assert!(error.message.contains(said), "{said}: {error}");
    }
    let elsewhere = Change::make("evil.example/", database("x").action);
    assert_eq!(kind(changes(&*cloud).begin(&elsewhere, &token("x")).await), ErrorKind::Invalid);
    let disk = Change::of(REGION, ResourceKind::Disk, "vol-00000000", Action::StartInstance);
    assert_eq!(kind(changes(&*cloud).begin(&disk, &token("x")).await), ErrorKind::Invalid);
}

#[tokio::test]
async fn names_of_others_are_left_alone() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    for (change, made) in everything_made(&simulator, &*cloud).await {
        let name = change.action.name();
        if ["create_instance", "create_disk", "snapshot_disk"].contains(&name.as_str()) {
            // Any number of these can have one name.
            continue;
        }
        carry(&simulator, &*cloud, &change, &token(&format!("first-{name}"))).await;
        let before = all(&*cloud, made).await;
        let refused = changes(&*cloud).begin(&change, &token(&format!("second-{name}"))).await;
        assert_eq!(kind(refused), ErrorKind::Conflict, "{name}");
        assert_eq!(all(&*cloud, made).await, before, "{name}");
    }
}

#[tokio::test]
async fn credentials_that_are_revoked_meanwhile_are_told_of() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let ticket = changes(&*cloud).begin(&database("guests"), &token("guests")).await.unwrap();
    fault(&simulator, json!({ "kind": "revoked_credentials" }));
    let looked = changes(&*cloud).look(&database("guests"), &ticket).await;
    assert_eq!(kind(looked), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn sets_of_one_name_have_weights_and_roles() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let zone = all(&*cloud, ResourceKind::DnsZone).await.remove(0);
    let change = |action| Change::of("global", ResourceKind::DnsZone, &zone.native_id, action);
    let key = |set: &str| RecordKey {
        name: format!("*.app.{}", zone.name),
        kind: "A".to_owned(),
        set: Some(set.to_owned()),
    };
    let set = |name: &str, weight, value: &str| {
        let values = vec![value.to_owned()];
        let weight = Some(weight);
        Action::SetRecords(RecordSet { key: key(name), ttl: 30, values, weight, ..RecordSet::default() })
    };
    for (name, weight, value) in [("blue", 200, "192.0.2.1"), ("green", 0, "192.0.2.2")] {
        carry(&simulator, &*cloud, &change(set(name, weight, value)), &token(name)).await;
    }
    let stands = async |name: &str| {
        changes(&*cloud).standing(&change(Action::RemoveRecords(key(name)))).await.unwrap()
    };
    assert_eq!(stands("blue").await, Some(set("blue", 200, "192.0.2.1")));
    assert_eq!(stands("green").await, Some(set("green", 0, "192.0.2.2")));
    assert_eq!(stands("red").await, None);
    carry(&simulator, &*cloud, &change(Action::RemoveRecords(key("blue"))), &token("no-blue")).await;
    assert_eq!((stands("blue").await, stands("green").await.is_some()), (None, true));
    let mut both =
        RecordSet { key: key("third"), ttl: 30, values: vec!["192.0.2.3".into()], ..RecordSet::default() };
    let refused = changes(&*cloud).begin(&change(Action::SetRecords(both.clone())), &token("third")).await;
    assert_eq!(kind(refused), ErrorKind::Invalid, "a set without a weight or a role");
    both.key.kind = "PTR".to_owned();
    let refused = changes(&*cloud).begin(&change(Action::SetRecords(both)), &token("third")).await;
    assert_eq!(kind(refused), ErrorKind::Invalid);
}

#[tokio::test]
async fn tags_are_set_on_whatever_has_them() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let set = [("season".to_owned(), "summer".to_owned())];
    for kind in [
        ResourceKind::Disk,
        ResourceKind::Database,
        ResourceKind::Bucket,
        ResourceKind::LoadBalancer,
        ResourceKind::TargetGroup,
        ResourceKind::ScalingGroup,
        ResourceKind::SecurityGroup,
        ResourceKind::DnsZone,
    ] {
        let one = all(&*cloud, kind).await.into_iter().find(|one| [REGION, "global"].contains(&&*one.region));
        let one = one.unwrap_or_else(|| panic!("no {kind}"));
        let tags = |set: &[(String, String)], remove: &[&str]| {
            let remove = remove.iter().map(|key| (*key).to_owned()).collect();
            let tags = Tags { set: set.iter().cloned().collect(), remove };
            Change::of(&one.region, kind, &one.native_id, Action::SetTags(tags))
        };
        carry(&simulator, &*cloud, &tags(&set, &[]), &token("tag")).await;
        let seen = async || {
            all(&*cloud, kind).await.into_iter().find(|seen| seen.native_id == one.native_id).unwrap().tags
        };
        assert!(seen().await.contains(&set[0]), "{kind}");
        carry(&simulator, &*cloud, &tags(&[], &["season"]), &token("untag")).await;
        assert_eq!(seen().await, one.tags, "{kind}");
    }
}

#[tokio::test]
async fn a_restore_is_taken_up_when_its_original_is_gone() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let origin = carry(&simulator, &*cloud, &database("origin"), &token("origin")).await;
    let named = |name: &str| Named { name: name.to_owned(), ..Named::default() };
    let copy = Change::of(REGION, ResourceKind::Database, &origin, Action::SnapshotDatabase(named("copy")));
    let copy = carry(&simulator, &*cloud, &copy, &token("copy")).await;
    let spec = RestoreSpec { name: "restored".to_owned(), ..RestoreSpec::default() };
    let kind = ResourceKind::DatabaseSnapshot;
    let restore = Change::of(REGION, kind, &copy, Action::RestoreSnapshot(spec));
    let restored = carry(&simulator, &*cloud, &restore, &token("restore")).await;
    let delete = Change::of(REGION, kind, &copy, Action::DeleteDatabaseSnapshot);
    carry(&simulator, &*cloud, &delete, &token("delete")).await;
    assert_eq!(carry(&simulator, &*cloud, &restore, &token("restore")).await, restored);
}
