//! What the inventory says of a real account, held against what AWS's own client says of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use marquee_clouds::{Cloud, ErrorKind, Observed, Page, PageSink, Scope, conformance::Collected};
use marquee_types::{ResourceKind, ResourceKind as Kind, ResourceState, resource::Relation};

use crate::{
    bed::{self, REGIONS},
    front::{Front, Verdict},
};

/// Everything in the shared account.
async fn everything(cloud: &dyn Cloud) -> Vec<Observed> {
    let inventory = cloud.inventory().unwrap();
    let mut collected = Collected::default();
    for scope in inventory.scopes(&REGIONS.map(str::to_owned)).await.unwrap() {
        inventory.list(&scope, &mut collected).await.unwrap();
    }
    collected.resources
}

fn scope(service: &str, region: &str, kind: ResourceKind) -> Scope {
    Scope { service: service.to_owned(), region: region.to_owned(), kinds: vec![kind] }
}

#[tokio::test]
async fn ids_by_kind_and_region_are_those_the_vendors_client_lists() {
    let account = bed::shared();
    let cloud = bed::connect(&account, &bed::moto(), &REGIONS);
    let mut ours: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for observed in everything(&*cloud).await {
        let global = matches!(observed.kind, ResourceKind::Bucket | ResourceKind::DnsZone);
        let region = if global { "global" } else { &observed.region };
        let of_kind =
            ours.entry(region.to_owned()).or_default().entry(observed.kind.to_string()).or_default();
        assert!(of_kind.insert(observed.native_id));
    }
    let theirs = bed::count(&account, &REGIONS);
    let mut compared = 0;
    for (region, kinds) in theirs.as_object().unwrap() {
        for (kind, ids) in kinds.as_object().unwrap() {
            let theirs: BTreeSet<&str> =
                ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
            let found = ours[region].get(kind).cloned().unwrap_or_default();
            assert_eq!(found.len(), theirs.len(), "{kind} in {region}");
            for id in &theirs {
                let listed = found.iter().any(|arn| {
                    arn == id
                        || arn.ends_with(&format!("/{}", id.trim_start_matches("/hostedzone/")))
                        || arn.ends_with(&format!(":{id}"))
                });
                assert!(listed, "{kind} {id} in {region}");
            }
            compared += theirs.len();
        }
    }
    assert!(compared > 300, "only {compared} resources");
}

#[tokio::test]
async fn resources_say_what_people_look_for() {
    let account = bed::shared();
    let cloud = bed::connect(&account, &bed::moto(), &REGIONS);
    let all = everything(&*cloud).await;
    let by_id: BTreeMap<&str, &Observed> =
        all.iter().map(|observed| (&*observed.native_id, observed)).collect();
    let named = |kind: ResourceKind, name: &str| {
        let found = all
            .iter()
            .find(|o| o.kind == kind && o.name == name && (o.region == "eu-west-1" || o.region == "global"));
        *found.as_ref().unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    let others = |observed: &Observed, relation: Relation| -> BTreeSet<ResourceKind> {
        let targets = observed.relations.iter().filter(|r| r.relation == relation);
        targets
            .map(|r| {
                // moto's images are not the account's own, and so not listed.
                assert!(
                    r.kind == ResourceKind::Image || by_id.get(&*r.target).is_some_and(|o| o.kind == r.kind),
                    "{r:?}"
                );
                r.kind
            })
            .collect()
    };
    let web = named(Kind::ComputeInstance, "orangery-web");
    assert_eq!((web.state, web.native_state.as_deref()), (ResourceState::Running, Some("running")));
    assert_eq!((web.size.as_deref(), web.zone.as_deref()), (Some("m5.large"), Some("eu-west-1a")));
    assert_eq!((&web.attributes["vcpus"], &web.attributes["memory_mib"]), (&2.into(), &8192.into()));
    assert!(web.tags.contains(&("note".into(), "Lydia & Kees <3 ❤".into())), "{:?}", web.tags);
    assert!(web.created_at.is_some() && web.attributes.contains_key("private_ip"));
    assert_eq!(others(web, Relation::MemberOf), BTreeSet::from([Kind::Network, Kind::Subnet]));
    assert_eq!(others(web, Relation::ProtectedBy), BTreeSet::from([Kind::SecurityGroup]));
    let raw = web.raw.to_value();
    assert!(raw["reservation"]["reservationId"].as_str().unwrap().starts_with("r-"), "{raw}");
    assert!(raw["placement"]["tenancy"].is_string() && raw.get("tagSet").is_none());

    let disk = named(Kind::Disk, "orangery-photos");
    assert_eq!((disk.state, disk.size.as_deref()), (ResourceState::InUse, Some("gp3")));
    assert_eq!((&disk.attributes["size_gib"], &disk.attributes["encrypted"]), (&40.into(), &true.into()));
    assert_eq!(others(disk, Relation::AttachedTo), BTreeSet::from([Kind::ComputeInstance]));
    let copy = named(Kind::Snapshot, "orangery-photos");
    assert_eq!(others(copy, Relation::CreatedFrom), BTreeSet::from([Kind::Disk]));

    let balancer = named(Kind::LoadBalancer, "orangery-lb");
    assert_eq!(others(balancer, Relation::RoutesTo), BTreeSet::from([Kind::TargetGroup]));
    assert_eq!(balancer.tags, [("venue".into(), "orangery".into())]);
    let targets = named(Kind::TargetGroup, "orangery-tg");
    assert_eq!(others(targets, Relation::RoutesTo), BTreeSet::from([Kind::ComputeInstance]));
    assert_eq!((targets.state, &targets.attributes["targets"]), (ResourceState::InUse, &3.into()));
    let group = named(Kind::ScalingGroup, "orangery-asg");
    assert_eq!(others(group, Relation::Manages), BTreeSet::from([Kind::ComputeInstance]));
    assert_eq!((&group.attributes["min_size"], &group.attributes["max_size"]), (&1.into(), &6.into()));

    let guests = named(Kind::Database, "orangery-guests");
    assert_eq!((guests.state, guests.size.as_deref()), (ResourceState::Running, Some("db.m6g.large")));
    assert_eq!(
        (&guests.attributes["engine"], &guests.attributes["size_gib"]),
        (&"postgres".into(), &100.into())
    );
    assert!(guests.raw.to_value().get("LatestRestorableTime").is_none(), "changes every five minutes");
    assert_eq!(
        others(named(Kind::Database, "orangery-guests-replica"), Relation::ReplicaOf),
        BTreeSet::from([Kind::Database])
    );
    assert!(
        others(named(Kind::Database, "orangery-orders-1"), Relation::MemberOf)
            .contains(&Kind::DatabaseCluster)
    );
    assert_eq!(
        others(named(Kind::DatabaseSnapshot, "orangery-orders-1"), Relation::CreatedFrom),
        BTreeSet::from([Kind::DatabaseCluster])
    );

    let bucket = all.iter().find(|o| o.name == "shared-barn-1-photos").unwrap();
    assert_eq!((bucket.kind, &*bucket.region), (Kind::Bucket, "us-east-1"));
    assert_eq!(
        (&bucket.attributes["versioning"], &bucket.attributes["encryption"]),
        (&"enabled".into(), &"sse-s3".into())
    );
    assert_eq!(bucket.tags, [("venue".into(), "barn".into())]);
    let plain = named(Kind::Bucket, "shared-orangery-0-plain");
    assert_eq!((&plain.attributes["versioning"], plain.tags.len()), (&"disabled".into(), 0));
    let inside = named(Kind::DnsZone, "inside.shared.example");
    assert_eq!(
        (&inside.attributes["private"], others(inside, Relation::MemberOf)),
        (&true.into(), BTreeSet::from([Kind::Network]))
    );
    assert_eq!(named(Kind::DnsZone, "orangery-0.shared.example").tags, [("venue".into(), "orangery".into())]);
}

#[tokio::test]
async fn a_terminated_instance_that_is_still_listed_is_deleted() {
    let account = bed::shared();
    let cloud = bed::connect(&account, &bed::moto(), &REGIONS);
    let (inventory, scope) =
        (cloud.inventory().unwrap(), scope("ec2/instances", "eu-west-1", ResourceKind::ComputeInstance));
    let mut listed = Collected::default();
    inventory.list(&scope, &mut listed).await.unwrap();
    let of_state = |state| listed.resources.iter().filter(|o| o.state == state).collect::<Vec<_>>();
    let gone = of_state(ResourceState::Deleted);
    assert_eq!((gone.len(), of_state(ResourceState::Stopped).len()), (1, 1));
    let found =
        inventory.get(&scope, ResourceKind::ComputeInstance, &gone[0].native_id).await.unwrap().unwrap();
    assert_eq!((found.state, found.native_state.as_deref()), (ResourceState::Deleted, Some("terminated")));
}

/// A page of instances, and what it says of the next.
fn page(numbers: std::ops::Range<u32>, next: Option<&str>) -> String {
    let item = |n| {
        format!(
            "<item><instanceId>i-{n:017x}</instanceId><instanceState><name>running</name></instanceState></item>"
        )
    };
    let items = numbers.map(item).collect::<Vec<_>>().concat();
    let next = next.map(|token| format!("<nextToken>{token}</nextToken>")).unwrap_or_default();
    format!(
        "<DescribeInstancesResponse><reservationSet><item><reservationId>r-1</reservationId><instancesSet>{items}\
        </instancesSet></item></reservationSet>{next}</DescribeInstancesResponse>"
    )
}

/// Remembers how many pages had been asked for when each page was taken.
struct Watching {
    asked: Arc<AtomicUsize>,
    seen: Vec<usize>,
    resources: usize,
    fail_at: Option<usize>,
}

#[async_trait]
impl PageSink for Watching {
    async fn page(&mut self, page: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.fail_at == Some(self.seen.len()) {
            return Err("the database is away".into());
        }
        self.resources += page.resources.len();
        // Whatever is going to be fetched while this page is taken gets every chance to be.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        self.seen.push(self.asked.load(Ordering::SeqCst));
        Ok(())
    }
}

/// An endpoint with five pages of instances.
async fn five_pages(asked: &Arc<AtomicUsize>) -> Front {
    let asked = Arc::clone(asked);
    Front::before(&bed::moto(), move |seen| {
        if seen.action != "DescribeInstances" {
            return Verdict::Pass;
        }
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let token = seen
            .form
            .split('&')
            .find_map(|pair| pair.strip_prefix("NextToken="))
            .map(|t| t.parse::<usize>().unwrap());
        assert_eq!(token.unwrap_or(0), number, "pages in order, each once");
        assert!(seen.form.contains("MaxResults=1000"));
        let from = u32::try_from(number).unwrap() * 10;
        Verdict::Answer(200, page(from..from + 10, (number < 4).then(|| (number + 1).to_string()).as_deref()))
    })
    .await
}

#[tokio::test]
async fn no_more_than_one_page_is_fetched_ahead() {
    let asked = Arc::new(AtomicUsize::new(0));
    let front = five_pages(&asked).await;
    let cloud = bed::connect(&bed::shared(), &front.url, &REGIONS);
    let mut sink = Watching { asked: Arc::clone(&asked), seen: Vec::new(), resources: 0, fail_at: None };
    let scope = scope("ec2/instances", "eu-west-1", ResourceKind::ComputeInstance);
    cloud.inventory().unwrap().list(&scope, &mut sink).await.unwrap();
    assert_eq!((sink.resources, sink.seen.len()), (50, 5));
    for (taken, asked) in sink.seen.iter().enumerate() {
        assert!(*asked <= taken + 2, "{asked} pages asked for while page {taken} was taken");
    }
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_listing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let front = five_pages(&asked).await;
    let cloud = bed::connect(&bed::shared(), &front.url, &REGIONS);
    let mut sink = Watching { asked: Arc::clone(&asked), seen: Vec::new(), resources: 0, fail_at: Some(1) };
    let scope = scope("ec2/instances", "eu-west-1", ResourceKind::ComputeInstance);
    let error = cloud.inventory().unwrap().list(&scope, &mut sink).await.unwrap_err();
    assert_eq!((error.kind, sink.resources), (ErrorKind::Unavailable, 10));
    assert!(error.source.unwrap().to_string().contains("the database is away"));
    assert!(asked.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn a_page_that_fails_leaves_the_ones_before_it_true() {
    let front = Front::before(&bed::moto(), |seen| match seen.action.as_str() {
        "DescribeInstances" if seen.form.contains("NextToken") => Verdict::Answer(500, String::new()),
        "DescribeInstances" => Verdict::Answer(200, page(0..10, Some("more"))),
        _ => Verdict::Pass,
    })
    .await;
    let cloud = bed::connect(&bed::shared(), &front.url, &REGIONS);
    let mut collected = Collected::default();
    let scope = scope("ec2/instances", "eu-west-1", ResourceKind::ComputeInstance);
    let error = cloud.inventory().unwrap().list(&scope, &mut collected).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(collected.resources.len() <= 10);
}

#[tokio::test]
async fn a_cloud_that_pages_in_circles_is_not_followed_for_ever() {
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let front = Front::before(&bed::moto(), move |seen| {
        if seen.action != "DescribeInstances" {
            return Verdict::Pass;
        }
        *count.lock().unwrap() += 1;
        Verdict::Answer(200, page(0..10, Some("again")))
    })
    .await;
    let cloud = bed::connect(&bed::shared(), &front.url, &REGIONS);
    let scope = scope("ec2/instances", "eu-west-1", ResourceKind::ComputeInstance);
    let error = cloud.inventory().unwrap().list(&scope, &mut Collected::default()).await.unwrap_err();
    assert_eq!((error.kind, *asked.lock().unwrap()), (ErrorKind::Protocol, 2));
}
