//! What is Google's own way with single nouns.

use marquee_clouds::{
    Action, Change, Cloud, ErrorKind, Progress, Undo,
    changes::{
        spec::{
            Attachment, BucketSpec, DiskSpec, Encryption, FailoverRole, InstanceRef, InstanceSpec, Lifecycle,
            LifecycleRule, RecordKey, RecordSet, Scale, ScalingGroupSpec, Tags,
        },
        undo,
    },
};
use marquee_simulator::Simulator;
use marquee_types::ResourceKind;
use serde_json::json;

use super::{DOMAIN, REGION, ZONE, done, instance, sight, token, zone};
use crate::bed::{PROJECT, api, cloud, connection, simulator};

async fn an_instance(cloud: &dyn Cloud, simulator: &Simulator, spec: InstanceSpec) -> String {
    let spec = InstanceSpec { zone: Some(ZONE.to_owned()), ..spec };
    done(cloud, simulator, &Change::make(REGION, Action::CreateInstance(spec))).await
}

#[tokio::test]
async fn nothing_is_left_of_an_instance_but_what_was_there_before() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let shelves = ["compute.instances", "compute.disks", "compute.addresses"];
    let before = shelves.map(|shelf| simulator.count(PROJECT, shelf));
    let disk = DiskSpec {
        name: "kept".to_owned(),
        zone: Some(ZONE.to_owned()),
        size_gib: 20,
        ..DiskSpec::default()
    };
    let disk = done(&*cloud, &simulator, &Change::make(REGION, Action::CreateDisk(disk))).await;
    let spec = InstanceSpec { name: "passing".to_owned(), public_ip: true, ..instance() };
    let id = an_instance(&*cloud, &simulator, spec).await;
    let to = Attachment { instance: id.clone(), device: Some("data".to_owned()) };
    done(&*cloud, &simulator, &Change::of(REGION, ResourceKind::Disk, &disk, Action::AttachDisk(to))).await;
    let end = Change::of(REGION, ResourceKind::ComputeInstance, &id, Action::TerminateInstance);
    done(&*cloud, &simulator, &end).await;
    let after = shelves.map(|shelf| simulator.count(PROJECT, shelf));
    assert_eq!(after, [before[0], before[1] + 1, before[2]]);
}

#[tokio::test]
async fn an_instance_is_made_as_it_was_described() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let rule = json!({ "name": "floor", "network": "global/networks/main", "targetTags": ["dance"],
        "allowed": [{ "IPProtocol": "tcp", "ports": ["80"] }] });
    api(&simulator, "global/firewalls", &rule).await;
    simulator.advance(30.0).unwrap();
    let more = json!({ "diskType": "pd-ssd", "networkTags": ["barn"], "provisioningModel": "SPOT",
        "serviceAccount": "band@orangery-media.iam.gserviceaccount.com" });
    let spec = InstanceSpec {
        name: "described".to_owned(),
        boot_disk_gib: Some(40),
        public_ip: true,
        ssh_key: Some("ssh-ed25519 AAAA ada@laptop".to_owned()),
        security_groups: vec![format!("//compute.googleapis.com/projects/{PROJECT}/global/firewalls/floor")],
        extensions: more.as_object().cloned().unwrap(),
        ..instance()
    };
    let id = an_instance(&*cloud, &simulator, spec).await;
    let seen = sight(&*cloud, "compute/instances", ResourceKind::ComputeInstance, &id).await.unwrap();
    let raw: serde_json::Value = serde_json::from_str(seen.raw.as_str()).unwrap();
    assert_eq!(raw["tags"]["items"], json!(["barn", "dance"]));
    assert_eq!(seen.attributes["lifecycle"], "spot");
    assert!(seen.attributes["public_ip"].is_string());
    let disk = id.replace("/instances/", "/disks/");
    let disk = sight(&*cloud, "compute/disks", ResourceKind::Disk, &disk).await.unwrap();
    assert_eq!((disk.attributes["size_gib"].as_u64(), disk.size.as_deref()), (Some(40), Some("pd-ssd")));
    assert!(disk.tags.iter().any(|(key, _)| key == "marquee-operation"), "{:?}", disk.tags);
}

#[tokio::test]
async fn without_a_zone_it_is_the_same_one_each_time() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let spec = InstanceSpec { name: "anywhere".to_owned(), zone: None, ..instance() };
    let (change, own) = (Change::make(REGION, Action::CreateInstance(spec)), token());
    let changes = cloud.changes().unwrap();
    let first = changes.begin(&change, &own).await.unwrap().native_id.unwrap();
    assert!(first.contains(&format!("zones/{REGION}-")), "{first}");
    assert_eq!(changes.begin(&change, &own).await.unwrap().native_id.unwrap(), first);
    assert_eq!(changes.made(&change, &own).await.unwrap().as_deref(), Some(first.as_str()));
}

#[tokio::test]
async fn labels_that_someone_changes_at_the_same_time_stay() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let spec = InstanceSpec { name: "labeled".to_owned(), ..instance() };
    let id = an_instance(&*cloud, &simulator, spec).await;
    let set = |key: &str| {
        let tags = Tags { set: [(key.to_owned(), "x".to_owned())].into(), remove: vec![] };
        Change::of(REGION, ResourceKind::ComputeInstance, &id, Action::SetTags(tags))
    };
    // Both begin before either is over.
    let changes = cloud.changes().unwrap();
    changes.begin(&set("one"), &token()).await.unwrap();
    done(&*cloud, &simulator, &set("two")).await;
    let seen = sight(&*cloud, "compute/instances", ResourceKind::ComputeInstance, &id).await.unwrap();
    for key in ["one", "two", "marquee-operation"] {
        assert!(seen.tags.iter().any(|(known, _)| known == key), "{key}: {:?}", seen.tags);
    }
    let token_away = Tags { set: [].into(), remove: vec!["marquee-operation".to_owned()] };
    let change = Change::of(REGION, ResourceKind::ComputeInstance, &id, Action::SetTags(token_away));
    assert_eq!(changes.begin(&change, &token()).await.unwrap_err().kind, ErrorKind::Invalid);
    // A network has none.
    let network = format!("//compute.googleapis.com/projects/{PROJECT}/global/networks/main");
    let change = Change::of("global", ResourceKind::Network, network, Action::SetTags(Tags::default()));
    assert_eq!(changes.begin(&change, &token()).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn databases_and_zones_are_labeled_too() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let database = super::DatabaseSpec { name: "labeled".to_owned(), ..super::database() };
    let database = done(&*cloud, &simulator, &Change::make(REGION, Action::CreateDatabase(database))).await;
    for (kind, scope, id, kept) in [
        (ResourceKind::Database, "sql/instances", database, "marquee-operation"),
        (ResourceKind::DnsZone, "dns/zones", zone(), "app"),
    ] {
        let before = sight(&*cloud, scope, kind, &id).await.unwrap();
        let tags = Tags { set: [("venue".to_owned(), "barn".to_owned())].into(), remove: vec![] };
        let change = Change::of(REGION, kind, &id, Action::SetTags(tags));
        done(&*cloud, &simulator, &change).await;
        let seen = sight(&*cloud, scope, kind, &id).await.unwrap();
        for key in ["venue", kept] {
            assert!(seen.tags.iter().any(|(known, _)| known == key), "{scope} {key}: {:?}", seen.tags);
        }
        let Undo::Change { change: back } = undo(&change, Some(&before), None) else { panic!("{scope}") };
        done(&*cloud, &simulator, &back).await;
        assert_eq!(sight(&*cloud, scope, kind, &id).await.unwrap().tags, before.tags, "{scope}");
    }
}

fn a_scale(min: Option<u32>, desired: Option<u32>, max: Option<u32>) -> Scale {
    Scale { min, desired, max }
}

async fn a_group(cloud: &dyn Cloud, simulator: &Simulator, name: &str, scale: Scale) -> String {
    let spec = ScalingGroupSpec {
        name: name.to_owned(),
        scale,
        instance: instance(),
        zones: vec![ZONE.to_owned()],
        ..ScalingGroupSpec::default()
    };
    done(cloud, simulator, &Change::make(REGION, Action::CreateScalingGroup(spec))).await
}

#[tokio::test]
async fn a_group_keeps_its_bounds_in_an_autoscaler_and_goes_with_it() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let shelves = ["compute.instanceTemplates", "compute.autoscalers", "compute.instances"];
    let before = shelves.map(|shelf| simulator.count(PROJECT, shelf));
    let id = a_group(&*cloud, &simulator, "bounded", a_scale(Some(1), Some(2), Some(4))).await;
    let of = |action| Change::of(REGION, ResourceKind::ScalingGroup, &id, action);
    let changes = cloud.changes().unwrap();
    let stands = async || changes.standing(&of(Action::SetScale(Scale::default()))).await.unwrap();
    assert_eq!(stands().await, Some(Action::SetScale(a_scale(Some(1), Some(2), Some(4)))));
    done(&*cloud, &simulator, &of(Action::SetScale(a_scale(Some(2), Some(3), Some(5))))).await;
    assert_eq!(stands().await, Some(Action::SetScale(a_scale(Some(2), Some(3), Some(5)))));
    for outside in [a_scale(None, Some(6), None), a_scale(Some(6), None, None)] {
        let refused = changes.begin(&of(Action::SetScale(outside)), &token()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    }
    done(&*cloud, &simulator, &of(Action::DeleteScalingGroup)).await;
    simulator.advance(60.0).unwrap();
    assert_eq!(shelves.map(|shelf| simulator.count(PROJECT, shelf)), before);
}

#[tokio::test]
async fn a_group_that_could_not_be_made_leaves_no_template() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let spec = ScalingGroupSpec {
        name: "late".to_owned(),
        scale: a_scale(None, Some(1), None),
        instance: instance(),
        zones: vec![ZONE.to_owned()],
        ..ScalingGroupSpec::default()
    };
    let change = Change::make(REGION, Action::CreateScalingGroup(spec));
    let disk = json!({ "boot": true, "initializeParams": { "sourceImage": instance().image } });
    let network = json!({ "subnetwork": format!("projects/{PROJECT}/regions/{REGION}/subnetworks/main") });
    let properties = json!({ "machineType": "e2-medium", "disks": [disk], "networkInterfaces": [network] });
    let template = json!({ "name": "theirs", "properties": properties });
    api(&simulator, "global/instanceTemplates", &template).await;
    let templates = simulator.count(PROJECT, "compute.instanceTemplates");
    let ticket = cloud.changes().unwrap().begin(&change, &token()).await.unwrap();
    assert_eq!(simulator.count(PROJECT, "compute.instanceTemplates"), templates + 1);
    // Someone else is first, between template and group.
    let theirs =
        json!({ "name": "late", "instanceTemplate": "global/instanceTemplates/theirs", "targetSize": 0 });
    api(&simulator, &format!("zones/{ZONE}/instanceGroupManagers"), &theirs).await;
    let progress = super::over(&*cloud, &simulator, &change, &ticket).await;
    let Progress::Failed(error) = progress else { panic!("{progress:?}") };
    assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
    simulator.advance(60.0).unwrap();
    assert_eq!(simulator.count(PROJECT, "compute.instanceTemplates"), templates);
}

#[tokio::test]
async fn a_group_without_an_autoscaler_has_no_bounds_and_one_with_its_own_no_size() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let id = a_group(&*cloud, &simulator, "plain", a_scale(None, Some(1), None)).await;
    let of = |scale| Change::of(REGION, ResourceKind::ScalingGroup, &id, Action::SetScale(scale));
    let refused = async |scale| {
        let change = of(scale);
        cloud.changes().unwrap().begin(&change, &token()).await.unwrap_err().kind
    };
    assert_eq!(refused(a_scale(Some(1), None, Some(3))).await, ErrorKind::Unsupported);
    done(&*cloud, &simulator, &of(a_scale(None, Some(2), None))).await;
    let scaler = json!({ "name": "own", "target": format!("zones/{ZONE}/instanceGroupManagers/plain"),
        "autoscalingPolicy": { "minNumReplicas": 1, "maxNumReplicas": 3 } });
    api(&simulator, &format!("zones/{ZONE}/autoscalers"), &scaler).await;
    simulator.advance(30.0).unwrap();
    assert_eq!(refused(a_scale(None, Some(3), None)).await, ErrorKind::Conflict);
    done(&*cloud, &simulator, &of(a_scale(Some(2), None, Some(4)))).await;
    let stands = cloud.changes().unwrap().standing(&of(Scale::default())).await.unwrap();
    assert_eq!(stands, Some(Action::SetScale(a_scale(Some(2), None, Some(4)))));
}

fn records(key: RecordKey, value: &str, weight: Option<u8>) -> Change {
    let set = RecordSet { key, ttl: 60, values: vec![value.to_owned()], weight, ..RecordSet::default() };
    Change::of("global", ResourceKind::DnsZone, zone(), Action::SetRecords(set))
}

fn key(name: &str, kind: &str, set: Option<&str>) -> RecordKey {
    RecordKey { name: format!("{name}.{DOMAIN}"), kind: kind.to_owned(), set: set.map(str::to_owned) }
}

#[tokio::test]
async fn sets_share_their_answers_by_weight() {
    const ONE: &str = "192.0.2.1";
    const TWO: &str = "192.0.2.2";
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let changes = cloud.changes().unwrap();
    let set = |value: &str, weight| records(key("live", "A", Some(value)), value, Some(weight));
    let stands = async |value: &str| changes.standing(&set(value, 0)).await.unwrap();
    for (value, weight) in [(ONE, 90), (TWO, 10)] {
        assert_eq!(stands(value).await, None);
        done(&*cloud, &simulator, &set(value, weight)).await;
    }
    let before = stands(TWO).await;
    assert_eq!(before, Some(set(TWO, 10).action));
    let change = set(TWO, 50);
    done(&*cloud, &simulator, &change).await;
    assert_eq!(
        (stands(ONE).await, stands(TWO).await),
        (Some(set(ONE, 90).action), Some(set(TWO, 50).action))
    );
    let Undo::Change { change: back } = undo(&change, None, before.as_ref()) else { panic!("it goes back") };
    done(&*cloud, &simulator, &back).await;
    assert_eq!(stands(TWO).await, before);
    // A plain set does not replace them.
    let plain = records(key("live", "A", None), ONE, None);
    assert_eq!(changes.begin(&plain, &token()).await.unwrap_err().kind, ErrorKind::Conflict);
    for value in [ONE, TWO] {
        let remove = Action::RemoveRecords(key("live", "A", Some(value)));
        done(&*cloud, &simulator, &Change::of("global", ResourceKind::DnsZone, zone(), remove)).await;
        assert_eq!(stands(value).await, None);
    }
    done(&*cloud, &simulator, &plain).await;
    assert_eq!(changes.begin(&set(ONE, 1), &token()).await.unwrap_err().kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn records_that_google_has_no_place_for_are_refused() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let changes = cloud.changes().unwrap();
    let mut failing_over = records(key("live", "A", Some("192.0.2.1")), "192.0.2.1", None);
    let Action::SetRecords(set) = &mut failing_over.action else { panic!("records") };
    set.failover = Some(FailoverRole::Primary);
    for (change, kind, words) in [
        (failing_over, ErrorKind::Unsupported, "failover"),
        (records(key("live", "A", Some("blue")), "192.0.2.1", Some(1)), ErrorKind::Invalid, "set"),
        (records(key("live", "A", None), "192.0.2.1", Some(1)), ErrorKind::Invalid, "weight"),
        (records(key("live", "NS", None), "ns.example.", None), ErrorKind::Invalid, "type"),
        // The vendor's to refuse.
        (records(key("live", "A", None), "not an address", None), ErrorKind::Invalid, "not an address"),
    ] {
        let refused = changes.begin(&change, &token()).await.unwrap_err();
        assert!(refused.kind == kind && refused.message.contains(words), "{refused}");
    }
}

#[tokio::test]
async fn a_change_of_records_is_waited_for_though_its_ticket_was_lost() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let key = RecordKey { name: format!("soon.{DOMAIN}"), kind: "A".to_owned(), set: None };
    let values = vec!["192.0.2.1".to_owned()];
    let set = RecordSet { key, ttl: 60, values, ..RecordSet::default() };
    let change = Change::of("global", ResourceKind::DnsZone, zone(), Action::SetRecords(set));
    let changes = cloud.changes().unwrap();
    let first = changes.begin(&change, &token()).await.unwrap();
    let second = changes.begin(&change, &token()).await.unwrap();
    assert_eq!(super::work(&first)["id"], super::work(&second)["id"]);
    let progress = changes.look(&change, &second).await.unwrap();
    assert!(matches!(progress, Progress::Working(_)), "{progress:?}");
}

#[tokio::test]
async fn a_bucket_keeps_rules_that_ours_have_no_words_for() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let changes = cloud.changes().unwrap();
    let spec = BucketSpec { name: "orangery-rules".to_owned(), ..BucketSpec::default() };
    let id = done(&*cloud, &simulator, &Change::make(REGION, Action::CreateBucket(spec))).await;
    let of = |action| Change::of(REGION, ResourceKind::Bucket, &id, action);
    let rule = |days| LifecycleRule {
        prefix: "drafts/".to_owned(),
        delete_after_days: Some(days),
        delete_former_after_days: Some(days),
    };
    let rules = |days| Action::SetLifecycle(Lifecycle { rules: vec![rule(days)] });
    done(&*cloud, &simulator, &of(rules(30))).await;
    assert_eq!(changes.standing(&of(rules(7))).await.unwrap(), Some(rules(30)));
    let key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k".to_owned();
    let encryption = Action::SetEncryption(Encryption { key: Some(key) });
    done(&*cloud, &simulator, &of(encryption.clone())).await;
    assert_eq!(changes.standing(&of(encryption.clone())).await.unwrap(), Some(encryption));
    // What holds objects is not deleted.
    let objects = cloud.objects().unwrap();
    let bucket =
        marquee_clouds::objects::Bucket { native_id: id.clone(), region: REGION.to_owned(), container: None };
    let put = marquee_clouds::objects::Put::new(bytes::Bytes::from_static(b"x"));
    objects.put(&bucket, "a", &put).await.unwrap();
    let refused = changes.begin(&of(Action::DeleteBucket), &token()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
}

#[tokio::test]
async fn only_pools_take_instances() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let target = |port| InstanceRef {
        instance: format!("//compute.googleapis.com/projects/{PROJECT}/zones/{ZONE}/instances/x"),
        port,
    };
    let group = |rest: &str, port| {
        let id = format!("//compute.googleapis.com/projects/{PROJECT}/{rest}");
        Change::of(REGION, ResourceKind::TargetGroup, id, Action::RegisterTarget(target(port)))
    };
    for (change, kind) in [
        (group("global/backendServices/x", None), ErrorKind::Unsupported),
        (group(&format!("regions/{REGION}/targetPools/x"), Some(80)), ErrorKind::Invalid),
        (group(&format!("regions/{REGION}/targetPools/x"), None), ErrorKind::NotFound),
    ] {
        let refused = cloud.changes().unwrap().begin(&change, &token()).await.unwrap_err();
        assert_eq!(refused.kind, kind, "{refused}");
    }
}
