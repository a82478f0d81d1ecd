//! Objects, against moto and against the simulator.

use std::sync::Arc;

use marquee_clouds::{
    Cloud,
    conformance::{Collected, front::Front, objects::ObjectRig},
    objects::Bucket,
};
use marquee_types::ResourceKind;

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
}
