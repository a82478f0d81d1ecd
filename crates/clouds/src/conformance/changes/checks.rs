//! The checks: one a noun, and what holds for all.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

use std::collections::BTreeMap;

use marquee_types::{ResourceKind, ResourceState};

use super::{LOOKS, Stage, gist, sure, tag, token};
use crate::{
    Action, ActionName, Change, ErrorKind, Observed, Undo,
    changes::{
        TOKEN_TAG,
        spec::{
            Attachment, BucketSpec, DatabaseSpec, DiskSpec, Encryption, Growth, InstanceRef, InstanceSpec,
            Lifecycle, LifecycleRule, Named, PublicAccess, RecordKey, RecordSet, RestoreSpec,
            RestoreToTimeSpec, Scale, ScalingGroupSpec, Size, Tags, Versioning,
        },
        undo,
    },
};

pub async fn an_instance_lives(stage: &Stage) {
    use ResourceKind::ComputeInstance as KIND;
    let id = stage.an_instance("lives").await;
    let made = stage.sight(KIND, &id).await;
    assert_eq!(made.state, ResourceState::Running);
    assert_eq!(made.size.as_deref(), Some(stage.instance.size.as_str()));
    assert_eq!(tag(&made, "venue"), Some("orangery"));
    assert!(tag(&made, TOKEN_TAG).is_some(), "its token is written on it: {:?}", made.tags);
    let to = |action| Change::of(&stage.region, KIND, &id, action);
    let resize = to(Action::ResizeInstance(Size { size: stage.other_size.clone() }));
    let abilities = stage.cloud.capabilities().abilities;
    let resizing = abilities.iter().find(|ability| ability.action == ActionName::ResizeInstance);
    let needs_stopped = resizing.is_some_and(|ability| ability.needs_stopped);
    if needs_stopped && stage.can("an_instance_lives", ActionName::ResizeInstance) {
        let refused = stage.changes().begin(&resize, &token()).await;
        assert_eq!(
            refused.map_err(|error| error.kind).err(),
            Some(ErrorKind::Conflict),
            "resized while it runs"
        );
    }
    stage.carry_out(&to(Action::RebootInstance)).await;
    stage.carry_out(&to(Action::StopInstance)).await;
    assert_eq!(stage.sight(KIND, &id).await.state, ResourceState::Stopped);
    stage.carry_out(&resize).await;
    assert_eq!(stage.sight(KIND, &id).await.size.as_deref(), Some(stage.other_size.as_str()));
    stage.carry_out(&to(Action::StartInstance)).await;
    assert_eq!(stage.sight(KIND, &id).await.state, ResourceState::Running);
    stage.remove(KIND, &id, Action::TerminateInstance).await;
}

pub async fn tags_are_set_and_come_back(stage: &Stage) {
    use ResourceKind::ComputeInstance as KIND;
    let id = stage.an_instance("tagged").await;
    let set = [("venue".to_owned(), "barn".to_owned()), ("guests".to_owned(), "300".to_owned())];
    let tags = Tags { set: set.into(), remove: vec!["absent".to_owned()] };
    stage
        .there_and_back(KIND, &id, Action::SetTags(tags), |seen| {
            assert_eq!(tag(seen, "venue"), Some("barn"));
            assert_eq!(tag(seen, "guests"), Some("300"));
        })
        .await;
    stage.remove(KIND, &id, Action::TerminateInstance).await;
}

pub async fn an_image_is_made(stage: &Stage) {
    if !stage.can("an_image_is_made", ActionName::CreateImage) {
        return;
    }
    let instance = stage.an_instance("pictured").await;
    let stop = Change::of(&stage.region, ResourceKind::ComputeInstance, &instance, Action::StopInstance);
    stage.carry_out(&stop).await;
    let named = Named { name: "picture".to_owned(), ..Named::default() };
    let image =
        Change::of(&stage.region, ResourceKind::ComputeInstance, &instance, Action::CreateImage(named));
    let image = stage.make(&image).await;
    stage.remove(ResourceKind::Image, &image, Action::DeleteImage).await;
    stage.remove(ResourceKind::ComputeInstance, &instance, Action::TerminateInstance).await;
}

pub async fn a_disk_lives(stage: &Stage) {
    use ResourceKind::Disk as KIND;
    let spec = DiskSpec {
        name: "data".to_owned(),
        zone: stage.zone.clone(),
        size_gib: 20,
        extensions: stage.group(),
        ..DiskSpec::default()
    };
    let disk = stage.make(&Change::make(&stage.region, Action::CreateDisk(spec.clone()))).await;
    let to = |action| Change::of(&stage.region, KIND, &disk, action);
    stage.carry_out(&to(Action::GrowDisk(Growth { size_gib: 40 }))).await;
    assert_eq!(stage.sight(KIND, &disk).await.attributes["size_gib"], 40);
    let beside = InstanceSpec { zone: stage.zone.clone(), ..stage.instance("with-a-disk") };
    let instance = stage.make(&Change::make(&stage.region, Action::CreateInstance(beside))).await;
    let attachment = Attachment { instance: instance.clone(), device: None };
    stage.carry_out(&to(Action::AttachDisk(attachment.clone()))).await;
    let attached = stage.sight(KIND, &disk).await;
    assert_eq!(attached.state, ResourceState::InUse);
    assert!(
        attached.relations.iter().any(|relation| relation.target == instance),
        "{:?}",
        attached.relations
    );
    let refused = stage.changes().begin(&to(Action::DeleteDisk), &token()).await;
    if stage.can("a_disk_lives", ActionName::DeleteDisk) {
        assert_eq!(
            refused.map_err(|error| error.kind).err(),
            Some(ErrorKind::Conflict),
            "deleted while attached"
        );
    }
    let named = Named { name: "data-copy".to_owned(), ..Named::default() };
    let snapshot = stage.make(&to(Action::SnapshotDisk(named))).await;
    let from =
        DiskSpec { name: "data-again".to_owned(), snapshot: Some(snapshot.clone()), size_gib: 40, ..spec };
    let again = stage.make(&Change::make(&stage.region, Action::CreateDisk(from))).await;
    stage.carry_out(&to(Action::DetachDisk(attachment))).await;
    assert_eq!(stage.sight(KIND, &disk).await.state, ResourceState::Available);
    stage.remove(KIND, &again, Action::DeleteDisk).await;
    stage.remove(ResourceKind::Snapshot, &snapshot, Action::DeleteSnapshot).await;
    stage.remove(ResourceKind::ComputeInstance, &instance, Action::TerminateInstance).await;
    assert!(
        stage.see(KIND, &disk).await.is_some(),
        "a disk that was there before stays when its instance goes"
    );
    stage.remove(KIND, &disk, Action::DeleteDisk).await;
}

fn serves(state: ResourceState) -> bool {
    matches!(state, ResourceState::Running | ResourceState::Available)
}

async fn a_database(stage: &Stage, name: &str) -> String {
    let spec = DatabaseSpec { name: name.to_owned(), ..stage.database.clone() };
    stage.make(&Change::make(&stage.region, Action::CreateDatabase(spec))).await
}

pub async fn a_database_lives(stage: &Stage) {
    use ResourceKind::Database as KIND;
    let id = a_database(stage, "guests-live").await;
    let made = stage.sight(KIND, &id).await;
    assert!(serves(made.state), "{:?}", made.state);
    let to = |action| Change::of(&stage.region, KIND, &id, action);
    stage.carry_out(&to(Action::ResizeDatabase(Size { size: stage.other_database_size.clone() }))).await;
    assert_eq!(stage.sight(KIND, &id).await.size.as_deref(), Some(stage.other_database_size.as_str()));
    if stage.can("a_database_lives", ActionName::StopDatabase) {
        stage.carry_out(&to(Action::StopDatabase)).await;
        assert_eq!(stage.sight(KIND, &id).await.state, ResourceState::Stopped);
        stage.carry_out(&to(Action::StartDatabase)).await;
        assert!(serves(stage.sight(KIND, &id).await.state));
    }
    stage.remove(KIND, &id, Action::DeleteDatabase).await;
}

pub async fn a_database_is_restored(stage: &Stage) {
    use ResourceKind::Database as KIND;
    let id = a_database(stage, "guests-origin").await;
    let (region, to) = (&stage.region, |action| Change::of(&stage.region, KIND, &id, action));
    let named = |name: &str| RestoreSpec { name: name.to_owned(), ..RestoreSpec::default() };
    let snapshot = Named { name: "guests-copy".to_owned(), ..Named::default() };
    let snapshot = stage.make(&to(Action::SnapshotDatabase(snapshot))).await;
    let restored = Action::RestoreSnapshot(named("guests-restored"));
    let restored = Change::of(region, ResourceKind::DatabaseSnapshot, &snapshot, restored);
    let restored = stage.make(&restored).await;
    assert!(serves(stage.sight(KIND, &restored).await.state));
    stage.remove(KIND, &restored, Action::DeleteDatabase).await;
    stage.remove(ResourceKind::DatabaseSnapshot, &snapshot, Action::DeleteDatabaseSnapshot).await;
    if stage.can("a_database_is_restored", ActionName::RestoreToTime) {
        let time = stage
            .sight(KIND, &id)
            .await
            .created_at
            .unwrap_or_else(|| panic!("databases say when they were made"));
        for _ in 0..60 {
            (stage.let_time_pass)();
        }
        let time = time + chrono::TimeDelta::minutes(20);
        let spec =
            RestoreToTimeSpec { time, name: "guests-before".to_owned(), size: None, tags: BTreeMap::new() };
        let before = stage.make(&to(Action::RestoreToTime(spec))).await;
        stage.remove(KIND, &before, Action::DeleteDatabase).await;
    }
    if stage.can("a_database_is_restored", ActionName::CreateReplica) {
        let replica = stage.make(&to(Action::CreateReplica(named("guests-reader")))).await;
        let follows = |seen: &Observed| seen.relations.iter().any(|relation| relation.target == id);
        assert!(follows(&stage.sight(KIND, &replica).await), "a replica follows");
        if stage.can("a_database_is_restored", ActionName::PromoteReplica) {
            stage.carry_out(&Change::of(region, KIND, &replica, Action::PromoteReplica)).await;
            assert!(!follows(&stage.sight(KIND, &replica).await), "a database of its own does not follow");
        }
        stage.remove(KIND, &replica, Action::DeleteDatabase).await;
    }
    stage.remove(KIND, &id, Action::DeleteDatabase).await;
}

pub async fn a_bucket_lives(stage: &Stage) {
    use ResourceKind::Bucket as KIND;
    const CHECK: &str = "a_bucket_lives";
    let (name, extensions) = (stage.bucket.clone(), stage.group());
    let spec = BucketSpec { name, versioning: true, extensions, ..BucketSpec::default() };
    let id = stage.make(&Change::make(&stage.region, Action::CreateBucket(spec))).await;
    let made = stage.sight(KIND, &id).await;
    assert_ne!(made.attributes.get("public"), Some(&true.into()), "buckets are made private");
    if stage.can(CHECK, ActionName::SetVersioning) {
        assert_eq!(made.attributes["versioning"], "enabled");
        let off = Action::SetVersioning(Versioning { enabled: false });
        stage
            .there_and_back(KIND, &id, off, |seen| assert_ne!(seen.attributes["versioning"], "enabled"))
            .await;
    }
    if stage.can(CHECK, ActionName::SetLifecycle) {
        let rule = |prefix: &str, days| LifecycleRule {
            prefix: prefix.to_owned(),
            delete_after_days: Some(days),
            delete_former_after_days: None,
        };
        let rules = |rules: Vec<LifecycleRule>| Action::SetLifecycle(Lifecycle { rules });
        stage.there_and_back(KIND, &id, rules(vec![rule("drafts/", 30)]), |_| {}).await;
        let change = Change::of(&stage.region, KIND, &id, rules(vec![rule("drafts/", 30), rule("", 400)]));
        stage.carry_out(&change).await;
        assert_eq!(sure(stage.changes().standing(&change).await).as_ref(), Some(&change.action));
        stage.there_and_back(KIND, &id, rules(Vec::new()), |_| {}).await;
    }
    if stage.can(CHECK, ActionName::SetPublicAccess) {
        for blocked in [false, true] {
            stage.there_and_back(KIND, &id, Action::SetPublicAccess(PublicAccess { blocked }), |_| {}).await;
        }
    }
    if stage.can(CHECK, ActionName::SetEncryption) {
        stage.there_and_back(KIND, &id, Action::SetEncryption(Encryption { key: None }), |_| {}).await;
    }
    let tags = Tags { set: [("venue".to_owned(), "barn".to_owned())].into(), remove: Vec::new() };
    stage
        .there_and_back(KIND, &id, Action::SetTags(tags), |seen| assert_eq!(tag(seen, "venue"), Some("barn")))
        .await;
    stage.remove(KIND, &id, Action::DeleteBucket).await;
}

pub async fn a_scaling_group_lives(stage: &Stage) {
    use ResourceKind::ScalingGroup as KIND;
    if !stage.can("a_scaling_group_lives", ActionName::CreateScalingGroup) {
        return;
    }
    let bounded = !stage.lacks("a_scaling_group_lives", "min and max");
    let scale = |min, desired, max| Scale {
        min: Some(min).filter(|_| bounded),
        desired: Some(desired),
        max: Some(max).filter(|_| bounded),
    };
    let spec = ScalingGroupSpec {
        name: "dancers".to_owned(),
        scale: scale(1, 2, 4),
        instance: stage.instance("dancer"),
        zones: stage.zone.clone().into_iter().collect(),
        ..ScalingGroupSpec::default()
    };
    let id = stage.make(&Change::make(&stage.region, Action::CreateScalingGroup(spec))).await;
    assert_eq!(stage.sight(KIND, &id).await.attributes["desired_size"], 2);
    stage
        .there_and_back(KIND, &id, Action::SetScale(scale(2, 3, 5)), |seen| {
            assert_eq!(seen.attributes["desired_size"], 3);
        })
        .await;
    let only = Scale { desired: Some(1), ..Scale::default() };
    stage.carry_out(&Change::of(&stage.region, KIND, &id, Action::SetScale(only))).await;
    assert_eq!(stage.sight(KIND, &id).await.attributes["desired_size"], 1);
    stage.remove(KIND, &id, Action::DeleteScalingGroup).await;
}

pub async fn records_are_set_and_come_back(stage: &Stage) {
    use ResourceKind::DnsZone as KIND;
    if !stage.can("records_are_set_and_come_back", ActionName::SetRecords) {
        return;
    }
    let (zone, domain) = &stage.dns;
    let key = RecordKey { name: format!("www.{domain}"), kind: "A".to_owned(), set: None };
    let set = |value: &str| {
        let values = vec![value.to_owned()];
        Action::SetRecords(RecordSet { key: key.clone(), ttl: 60, values, ..RecordSet::default() })
    };
    let stands = async || {
        let change = Change::of("global", KIND, zone, set("0.0.0.0"));
        sure(stage.changes().standing(&change).await)
    };
    let global = |action| Change::of("global", KIND, zone, action);
    assert_eq!(stands().await, None);
    stage.carry_out(&global(set("192.0.2.1"))).await;
    assert_eq!(stands().await, Some(set("192.0.2.1")));
    let change = global(set("192.0.2.2"));
    let Undo::Change { change: back } = undo(&change, None, stands().await.as_ref()) else {
        panic!("records can be taken back")
    };
    stage.carry_out(&change).await;
    assert_eq!(stands().await, Some(set("192.0.2.2")));
    stage.carry_out(&back).await;
    assert_eq!(stands().await, Some(set("192.0.2.1")));
    stage.carry_out(&global(Action::RemoveRecords(key.clone()))).await;
    stage.carry_out(&global(Action::RemoveRecords(key.clone()))).await;
    assert_eq!(stands().await, None);
}

pub async fn targets_are_registered(stage: &Stage) {
    use ResourceKind::TargetGroup as KIND;
    let Some(group) = &stage.target_group else { return };
    let instance = stage.an_instance("target").await;
    let target = InstanceRef { instance: instance.clone(), port: None };
    let targets = async || stage.sight(KIND, group).await.attributes.get("targets").cloned();
    let before = targets().await;
    stage.carry_out(&Change::of(&stage.region, KIND, group, Action::RegisterTarget(target.clone()))).await;
    assert_ne!(targets().await, before);
    stage.carry_out(&Change::of(&stage.region, KIND, group, Action::DeregisterTarget(target))).await;
    assert_eq!(targets().await, before);
    stage.remove(ResourceKind::ComputeInstance, &instance, Action::TerminateInstance).await;
}

/// What is not there cannot be started; what is to be gone is.
pub async fn what_is_not_there_is_not_found(stage: &Stage) {
    use ResourceKind::ComputeInstance as KIND;
    let id = stage.an_instance("short-lived").await;
    stage.remove(KIND, &id, Action::TerminateInstance).await;
    for _ in 0..LOOKS {
        (stage.let_time_pass)();
    }
    let start =
        stage.changes().begin(&Change::of(&stage.region, KIND, &id, Action::StartInstance), &token()).await;
    let kind = start.map_err(|error| error.kind).err();
    assert!(matches!(kind, Some(ErrorKind::NotFound | ErrorKind::Conflict)), "{kind:?}");
}

pub async fn a_name_that_is_taken_is_left_alone(stage: &Stage) {
    let spec = DatabaseSpec { name: "guests-once".to_owned(), ..stage.database.clone() };
    let change = Change::make(&stage.region, Action::CreateDatabase(spec));
    let id = stage.make(&change).await;
    let before = stage.sight(ResourceKind::Database, &id).await;
    let other = token();
    let refused = stage.changes().begin(&change, &other).await;
    assert_eq!(
        refused.map_err(|error| error.kind).err(),
        Some(ErrorKind::Conflict),
        "someone else's database"
    );
    assert_eq!(sure(stage.changes().made(&change, &other).await), None);
    assert_eq!(gist(&stage.sight(ResourceKind::Database, &id).await), gist(&before));
    stage.remove(ResourceKind::Database, &id, Action::DeleteDatabase).await;
}

pub async fn what_a_cloud_cannot_do_it_says(stage: &Stage) {
    let about =
        |action: ActionName| Change::of(&stage.region, ResourceKind::Image, "no-such-thing", unknown(action));
    let told = |action: ActionName| {
        stage.cloud.capabilities().abilities.iter().any(|ability| ability.action == action)
    };
    for action in [ActionName::DeleteImage, ActionName::StopDatabase, ActionName::PromoteReplica] {
        if !told(action) {
            let refused = stage.changes().begin(&about(action), &token()).await;
            assert_eq!(refused.map_err(|error| error.kind).err(), Some(ErrorKind::Unsupported), "{action}");
        }
    }
    abilities_are_told_once(stage);
}

fn unknown(action: ActionName) -> Action {
    serde_json::from_value(serde_json::json!({ "do": action }))
        .unwrap_or_else(|error| panic!("{action}: {error}"))
}

fn abilities_are_told_once(stage: &Stage) {
    let mut told: Vec<_> =
        stage.cloud.capabilities().abilities.iter().map(|ability| ability.action).collect();
    let all = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), all, "an action is told twice");
    for ability in stage.cloud.capabilities().abilities {
        assert!(ability.source.starts_with("https://"), "{}: {}", ability.action, ability.source);
    }
}
