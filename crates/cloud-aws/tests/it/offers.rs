//! What AWS offers, against the simulator, and what moto has of it.

use marquee_clouds::{
    ErrorKind,
    conformance::offers::{Expected, check},
    offers::SizeQuery,
};
use marquee_types::ResourceKind;
use serde_json::json;

use crate::{
    bed,
    simulated::{ACCOUNT, cloud, fault, simulator},
};

const EXPECTED: Expected = Expected {
    region: "eu-west-1",
    size: "m7g.2xlarge",
    database: Some("db.m7g.large"),
    prices: true,
    quotas: true,
};

fn instances() -> SizeQuery {
    SizeQuery { kind: ResourceKind::ComputeInstance, region: "eu-west-1".to_owned(), engine: None }
}

#[tokio::test]
async fn the_simulator_offers_what_it_should() {
    let simulator = simulator().await;
    check(&*cloud(&simulator, None), EXPECTED).await;
}

#[tokio::test]
async fn prices_zones_and_use_are_the_vendors() {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let offers = cloud.offers().unwrap();
    let sizes = offers.sizes(&instances()).await.unwrap();
    let one = sizes.iter().find(|one| one.size == "m7g.2xlarge").unwrap();
    // The catalog's price, and the region's factor.
    let (region, list) = (simulator.world().plan.accounts.iter(), 364_000.0);
    let account = region.clone().find(|account| &*account.id == ACCOUNT).unwrap();
    let factor = account.regions.iter().find(|region| &*region.id == "eu-west-1").unwrap().price_factor;
    let price = one.price.as_ref().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "millionths of a price")]
    let differs = (price.hourly_micros as f64 - list * factor).abs();
    assert!(differs <= 1.0, "{price:?}");
    assert_eq!(one.zones, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]);
    assert_eq!((one.generation, one.family.as_str(), one.burstable), (Some(7), "m7g", false));
    assert!(sizes.iter().any(|one| one.burstable));
    let quotas = offers.quotas("eu-west-1").await.unwrap();
    let used = quotas.iter().find(|quota| quota.code == "L-1216C47A").unwrap().used.unwrap();
    assert!(used > 10, "{quotas:?}");
    let databases = quotas.iter().find(|quota| quota.code == "L-7B6409FD").unwrap();
    assert!(databases.used.is_some_and(|used| used > 0), "{databases:?}");
}

#[tokio::test]
async fn without_the_price_list_instances_are_offered_and_databases_are_not() {
    let simulator = simulator().await;
    fault(&simulator, json!({ "kind": "denied", "permissions": ["pricing:GetProducts"] }));
    let cloud = cloud(&simulator, None);
    let offers = cloud.offers().unwrap();
    let sizes = offers.sizes(&instances()).await.unwrap();
    assert!(!sizes.is_empty() && sizes.iter().all(|one| one.price.is_none()));
    let databases = SizeQuery { kind: ResourceKind::Database, ..instances() };
    assert_eq!(offers.sizes(&databases).await.unwrap_err().kind, ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_price_list_that_is_away_costs_the_prices_only() {
    let simulator = simulator().await;
    fault(&simulator, json!({ "kind": "failing", "service": "pricing" }));
    let sizes = cloud(&simulator, None).offers().unwrap().sizes(&instances()).await.unwrap();
    assert!(!sizes.is_empty() && sizes.iter().all(|one| one.price.is_none()));
}

#[tokio::test]
async fn sizes_that_cannot_be_read_fail_the_whole() {
    let simulator = simulator().await;
    fault(
        &simulator,
        json!({ "kind": "failing", "service": "ec2", "operation": "DescribeInstanceTypeOfferings" }),
    );
    let error = cloud(&simulator, None).offers().unwrap().sizes(&instances()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test]
async fn moto_has_types_and_zones() {
    let cloud = bed::connect(&bed::claim(), &bed::moto(), &["eu-west-1"]);
    let sizes = cloud.offers().unwrap().sizes(&instances()).await.unwrap();
    let one = sizes.iter().find(|one| one.size == "m5.2xlarge").unwrap();
    assert_eq!((one.vcpus, one.memory_mib, one.zones.len()), (8, 32_768, 3), "{one:?}");
    assert!(sizes.iter().any(|one| !one.current) && sizes.iter().any(|one| one.accelerators > 0));
}
