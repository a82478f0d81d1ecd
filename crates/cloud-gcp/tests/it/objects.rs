//! Objects, against drongo (scripts/testbed/drongo) and against the simulator.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use marquee_clouds::{
    Cloud, Connection, ErrorKind, Inventory, Scope,
    conformance::{Collected, Gap, front::Front, objects::ObjectRig},
    objects::{Bucket, Get, Put},
};
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use marquee_types::ResourceKind;
use serde_json::{Value, json};

use crate::bed::{PROJECT, cloud, connection, simulator};

fn at(mut connection: Connection, endpoint: &str) -> Arc<dyn Cloud> {
    connection.settings["endpoint_url"] = json!(endpoint);
    cloud(&connection)
}

async fn buckets(cloud: &dyn Cloud) -> (&dyn Inventory, Scope, Collected) {
    let inventory = cloud.inventory().unwrap();
    let scopes = inventory.scopes(&[]).await.unwrap();
    let scope = scopes.into_iter().find(|scope| scope.kinds == [ResourceKind::Bucket]).unwrap();
    let mut listed = Collected::default();
    inventory.list(&scope, &mut listed).await.unwrap();
    (inventory, scope, listed)
}

fn no_bucket(like: &Bucket) -> Bucket {
    Bucket { native_id: "//storage.googleapis.com/no-such-bucket-of-marquees".to_owned(), ..like.clone() }
}

mod simulated {
    use super::*;

    async fn rig() -> ObjectRig {
        let simulator = simulator().await;
        let front = Front::before(&simulator.addresses().google, None).await;
        let good = cloud(&connection(&simulator, |_| {}));
        let found = buckets(&*good).await.2.resources.remove(0);
        let bucket = Bucket { native_id: found.native_id, region: found.region, container: None };
        // The key of another world: as good as any, and not known here.
        let mut plan = built_in("wedding-season").unwrap();
        plan.seed += 1;
        let stranger = Simulator::start(Options::new(plan)).await.unwrap();
        let other = stranger.credentials(FaceName::Google, PROJECT).unwrap()["private_key"].take();
        let wrong = |key: &mut Value| key["private_key"] = other;
        ObjectRig {
            no_bucket: no_bucket(&bucket),
            bucket,
            cloud: good,
            lossy: (at(connection(&simulator, |_| {}), &front.url), Arc::clone(&front.to_lose)),
            wrong_secret: Some(cloud(&connection(&simulator, wrong))),
            largest: true,
            gaps: &[],
            keep: Box::new((simulator, front)),
        }
    }

    marquee_clouds::object_conformance!(rig());

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_told() {
        let simulator = simulator().await;
        let (cloud, put) = (cloud(&connection(&simulator, |_| {})), Put::new("x"));
        let found = buckets(&*cloud).await.2.resources.remove(0);
        let bucket = Bucket { native_id: found.native_id, region: found.region, container: None };
        let objects = cloud.objects().unwrap();
        for passing in ["throttled", "failing", "cut_off"] {
            simulator.fault(json!({ "kind": passing, "service": "storage", "times": 1 })).unwrap();
            objects.put(&bucket, "faults/x", &put).await.unwrap();
            simulator.fault(json!({ "kind": passing, "service": "storage", "times": 1 })).unwrap();
            let read = objects.get(&bucket, "faults/x", &Get::default()).await.unwrap().unwrap();
            assert_eq!(read.bytes, "x", "{passing}");
        }
        simulator.fault(json!({ "kind": "throttled", "service": "storage" })).unwrap();
        let error = objects.put(&bucket, "faults/x", &put).await.unwrap_err();
        assert_eq!((error.kind, error.retry_helps()), (ErrorKind::Throttled, true), "{error}");
    }
}

/// An emulator that no one here wrote: it knows buckets and objects, and projects.
pub mod drongo {
    use super::*;

    fn drongo() -> String {
        #[expect(clippy::disallowed_methods, reason = "the test bed is found through the environment")]
        env::var("MARQUEE_TEST_DRONGO").expect("MARQUEE_TEST_DRONGO: run the tests with cargo nextest")
    }

    async fn post(path: &str, body: Value) {
        let made =
            reqwest::Client::new().post(format!("{}{path}", drongo())).json(&body).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
    }

    /// A project of the test's own, with buckets, and a connection to it with a key of the simulator's: drongo takes any.
    async fn project(name: &str) -> (Arc<Simulator>, Connection) {
        let simulator = simulator().await;
        post("/v3/projects", json!({ "projectId": name, "displayName": "The orangery" })).await;
        for (bucket, location) in [("media", "EUROPE-WEST1"), ("logs", "EU")] {
            let body = json!({ "name": format!("{name}-{bucket}"), "location": location, "storageClass": "NEARLINE",
                "labels": { "app": "guests", "tier": bucket } });
            post(&format!("/storage/v1/b?project={name}"), body).await;
        }
        let mut made = connection(&simulator, |_| {});
        made.settings = json!({ "project_id": name, "endpoint_url": drongo() });
        (simulator, made)
    }

    /// A name that no other test has: tests are processes of their own, or threads of one, and all of them share drongo.
    fn own_name(what: &str) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        format!("{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    async fn rig() -> ObjectRig {
        let name = own_name("objects");
        let (simulator, connection) = project(&name).await;
        let front = Front::before(&drongo(), None).await;
        let good = cloud(&connection);
        let found =
            buckets(&*good).await.2.resources.into_iter().find(|one| one.name.ends_with("media")).unwrap();
        let bucket = Bucket { native_id: found.native_id, region: found.region, container: None };
        ObjectRig {
            no_bucket: no_bucket(&bucket),
            bucket,
            cloud: good,
            lossy: (at(connection, &front.url), Arc::clone(&front.to_lose)),
            wrong_secret: None,
            // It takes a quarter of a minute for the sum of so many bytes, and no other call meanwhile.
            largest: false,
            gaps: DRONGO,
            keep: Box::new((simulator, front)),
        }
    }

    /// What drongo gets wrong.
    pub const DRONGO: &[Gap] = &[
        gap("only_if_absent_keeps_the_first", "refused", UNCONDITIONAL),
        gap("only_if_absent_keeps_the_first", "kept", UNCONDITIONAL),
        gap("only_if_it_matches_replaces_what_was_seen", "refused", UNCONDITIONAL),
        gap("only_if_it_matches_replaces_what_was_seen", "kept", UNCONDITIONAL),
        gap("only_if_it_matches_replaces_what_was_seen", "of what is gone", UNCONDITIONAL),
        gap("one_writer_wins", "one", UNCONDITIONAL),
        gap("a_lost_answer_is_found_out", "someone else's", UNCONDITIONAL),
        gap("deleting_twice_is_deleting", "stale tag", UNCONDITIONAL),
        gap("listings_go_to_the_end", "pages", "never pages"),
        gap(
            "odd_names_are_names",
            "ü/ñ/日本",
            "breaks off when a name is beyond Latin-1: it puts the name into a header",
        ),
        gap("odd_names_are_names", "💍", "the same"),
        gap("a_wrong_secret_reaches_no_object", "asked", "asks no one who they are"),
    ];

    const UNCONDITIONAL: &str =
        "knows no conditions: it writes and deletes whatever is there; Google answers 412";

    const fn gap(check: &'static str, scope: &'static str, what: &'static str) -> Gap {
        Gap { check, scope, what }
    }

    marquee_clouds::object_conformance!(rig());

    #[tokio::test]
    async fn the_project_and_its_buckets_are_seen() {
        let name = own_name("inventory");
        let (_simulator, connection) = project(&name).await;
        let cloud = cloud(&connection);
        let identity = cloud.identity().await.unwrap();
        assert_eq!(
            (identity.account.as_str(), identity.alias.as_deref()),
            (name.as_str(), Some("The orangery"))
        );
        let (inventory, scope, listed) = buckets(&*cloud).await;
        let mut seen: Vec<_> = listed
            .resources
            .iter()
            .map(|one| (one.name.clone(), one.region.as_str(), one.size.as_deref()))
            .collect();
        seen.sort();
        let want = |bucket: &str| format!("{name}-{bucket}");
        assert_eq!(
            seen,
            [(want("logs"), "eu", Some("NEARLINE")), (want("media"), "europe-west1", Some("NEARLINE"))]
        );
        for one in &listed.resources {
            let tier = one.name.rsplit('-').next().unwrap().to_owned();
            assert_eq!(one.tags, [("app".to_owned(), "guests".to_owned()), ("tier".to_owned(), tier)]);
            assert!(one.created_at.is_some() && one.attributes["versioning"] == "disabled", "{one:?}");
            let found = inventory.get(&scope, ResourceKind::Bucket, &one.native_id).await.unwrap();
            assert_eq!(found.as_ref(), Some(one));
            let unknown = format!("{}x", one.native_id);
            assert_eq!(inventory.get(&scope, ResourceKind::Bucket, &unknown).await.unwrap(), None);
        }
    }
}
