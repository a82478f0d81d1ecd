//! Objects, against moto and against the simulator.

use std::sync::Arc;

use marquee_clouds::{
    Cloud, ErrorKind,
    conformance::{Collected, front::Front, objects::ObjectRig},
    objects::{Bucket, Get, Put},
};
use marquee_types::ResourceKind;
use serde_json::json;

use crate::{
    bed::{self, Account, REGIONS},
    simulated,
};

/// A bucket of the account, as its inventory gives it.
async fn bucket(cloud: &dyn Cloud, regions: &[&str]) -> Bucket {
    let inventory = cloud.inventory().unwrap();
    let regions: Vec<_> = regions.iter().map(|region| (*region).to_owned()).collect();
    let scopes = inventory.scopes(&regions).await.unwrap();
    let scope = scopes.iter().find(|scope| scope.kinds == [ResourceKind::Bucket]).unwrap();
    let mut listed = Collected::default();
    inventory.list(scope, &mut listed).await.unwrap();
    let found = listed.resources.into_iter().next().expect("a bucket");
    Bucket { native_id: found.native_id, region: found.region, container: None }
}

fn no_bucket(like: &Bucket) -> Bucket {
    Bucket { native_id: "arn:aws:s3:::no-such-bucket-of-marquees".to_owned(), ..like.clone() }
}

mod moto {
    use super::*;

    async fn rig() -> ObjectRig {
        bed::tls();
        // Makes the shared account when it is the first: blocking, but nothing else runs here yet.
        let account = bed::shared();
        let moto = bed::moto();
        let front = Front::before(&moto, None).await;
        let wrong = Account { secret: "not+the+secret/of+this+key/but+as+long+40".into(), ..account.clone() };
        let good = bed::connect(&account, &moto, &REGIONS);
        let bucket = bucket(&*good, &REGIONS).await;
        ObjectRig {
            no_bucket: no_bucket(&bucket),
            bucket,
            cloud: good,
            lossy: (bed::connect(&account, &front.url, &REGIONS), Arc::clone(&front.to_lose)),
            wrong_secret: Some(bed::connect(&wrong, &moto, &REGIONS)),
            largest: true,
            gaps: &[],
            keep: Box::new(front),
        }
    }

    marquee_clouds::object_conformance!(rig());
}

mod simulator {
    use super::*;

    async fn rig() -> ObjectRig {
        let simulator = simulated::simulator().await;
        let front = Front::before(&simulator.addresses().aws, None).await;
        let good = simulated::cloud(&simulator, None);
        let bucket = bucket(&*good, &simulated::REGIONS).await;
        ObjectRig {
            no_bucket: no_bucket(&bucket),
            bucket,
            cloud: good,
            lossy: (simulated::cloud_at(&front.url, &simulator, None), Arc::clone(&front.to_lose)),
            wrong_secret: Some(simulated::cloud(
                &simulator,
                Some("not+the+secret/of+this+key/but+as+long+40"),
            )),
            largest: true,
            gaps: &[],
            keep: Box::new((simulator, front)),
        }
    }

    marquee_clouds::object_conformance!(rig());

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_told() {
        let simulator = simulated::simulator().await;
        let cloud = simulated::cloud(&simulator, None);
        let (bucket, put) = (bucket(&*cloud, &simulated::REGIONS).await, Put::new("x"));
        let objects = cloud.objects().unwrap();
        for passing in ["throttled", "failing", "cut_off"] {
            simulated::fault(&simulator, json!({ "kind": passing, "service": "s3", "times": 1 }));
            objects.put(&bucket, "faults/x", &put).await.unwrap();
            simulated::fault(&simulator, json!({ "kind": passing, "service": "s3", "times": 1 }));
            let read = objects.get(&bucket, "faults/x", &Get::default()).await.unwrap().unwrap();
            assert_eq!(read.bytes, "x", "{passing}");
        }
        simulated::fault(&simulator, json!({ "kind": "throttled", "service": "s3" }));
        let error = objects.put(&bucket, "faults/x", &put).await.unwrap_err();
        assert_eq!((error.kind, error.retry_helps()), (ErrorKind::Throttled, true), "{error}");
    }
}
