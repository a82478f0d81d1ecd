//! Offers and quotas through the API, and what is made by a wish: the best size, the next where the cloud has none, and nothing where
//! the quota is short.

use marquee_simulator::{FaceName, clock::ClockChange};
use serde_json::{Value, json};

use super::bed::Season;
use crate::{ledgers::fixtures::id, support::Answer};

const REGION: &str = "eu-west-1";

async fn season() -> Season {
    let season = Season::of(FaceName::Aws).await;
    season.synced().await;
    let change = ClockChange { speed: Some(600.0), ..ClockChange::default() };
    season.simulator.world().clock.change(change).unwrap();
    season
}

impl Season {
    async fn offers(&self, wish: &str) -> Answer {
        let path = format!("/api/cloud/offers?places={}@{REGION}&{wish}", self.provider);
        self.owner.get(&path).await
    }

    /// An instance of arm64 to be made, with everything but its size.
    async fn wished(&self, name: &str, size: Value) -> Value {
        let found = self.owner.all("/api/cloud/resources?filter=kind%3Dcompute_instance").await;
        let like =
            found.iter().find(|one| one["region"] == REGION && one["attributes"]["architecture"] == "arm64");
        let related = format!("/api/cloud/resources/{}/related", id(like.expect("an instance of arm64")));
        let related = self.owner.get(&related).await.expect(200);
        let of = |kind: &str| {
            let is = |one: &&Value| one["native_id"].as_str().unwrap().contains(&format!(":{kind}/"));
            let found = related["items"].as_array().unwrap().iter().find(is);
            found.unwrap_or_else(|| panic!("no {kind}: {related:#}"))["native_id"].clone()
        };
        json!({ "provider_id": self.provider, "kind": "compute_instance", "region": REGION, "size": size,
            "spec": { "name": name, "image": of("image"), "subnet": of("subnet") } })
    }

    async fn made(&self, body: Value) -> Value {
        let asked = self.owner.post("/api/cloud/resources", body).await.expect(202);
        let operation = id(&asked["operation"]);
        self.owner.ended(&operation).await;
        self.owner.get(&format!("/api/operations/{operation}")).await.expect(200)
    }
}

fn arm(vcpus: u32) -> Value {
    json!({ "vcpus": vcpus, "memory_gib": 4 * vcpus, "architectures": ["arm64"] })
}

fn monthly(offer: &Value) -> f64 {
    offer["monthly"]["amount"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_come_in_order_with_price_quota_and_what_did_not_fulfil() {
    let season = season().await;
    let found = season.offers("vcpus=8&memory_gib=32").await.expect(200);
    let items = found["items"].as_array().unwrap();
    let sizes: Vec<&str> = items.iter().map(|one| one["size"].as_str().unwrap()).collect();
    assert_eq!(sizes, ["m7g.2xlarge", "m6i.2xlarge", "r7g.2xlarge", "m7g.4xlarge"]);
    assert!(items.windows(2).all(|pair| monthly(&pair[0]) <= monthly(&pair[1])), "{items:#?}");
    let first = &items[0];
    let by_hour: f64 = first["hourly"]["amount"].as_str().unwrap().parse().unwrap();
    assert!((monthly(first) - by_hour * 730.0).abs() < 1e-6, "{first:#}");
    assert_eq!((&first["monthly"]["currency"], &first["family"]), (&json!("USD"), &json!("m7g")));
    assert!(first["quota_room"].as_u64().is_some_and(|room| room > 100), "{first:#}");
    assert!(!first["zones"].as_array().unwrap().is_empty(), "{first:#}");
    let place = &found["places"][0];
    assert_eq!(place["fulfil"], 4);
    let few = place["refused"].as_array().unwrap().iter().find(|one| one["reason"] == "too_few_vcpus");
    assert!(few.is_some_and(|few| few["count"].as_u64() > Some(3)), "{place:#}");

    let found = season.offers("vcpus=8&memory_gib=32&architectures=x86_64&limit=1").await.expect(200);
    assert_eq!(found["items"][0]["size"], "m6i.2xlarge");
    let most = monthly(first) + 0.01;
    let found = season.offers(&format!("vcpus=8&memory_gib=32&most_monthly={most:.2}")).await.expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found:#}");
    let databases = season.offers("kind=database&vcpus=2").await.expect(200);
    assert_eq!(databases["items"][0]["size"], "db.m7g.large");

    let path = format!("/api/cloud/quotas?provider_id={}&region={REGION}", season.provider);
    let quotas = season.owner.get(&path).await.expect(200);
    let standard =
        quotas["items"].as_array().unwrap().iter().find(|one| one["code"] == first["quota"]).unwrap();
    assert_eq!(standard["unit"], "vcpus");
    let (limit, used) = (standard["limit"].as_u64().unwrap(), standard["used"].as_u64().unwrap());
    assert!(used > 0 && standard["left"].as_u64() == Some(limit - used), "{standard:#}");
    assert_eq!(first["quota_room"].as_u64(), Some((limit - used) / 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said() {
    let season = season().await;
    for (wish, pointer) in [
        ("limit=0", "?limit"),
        ("kind=bucket", "?kind"),
        ("engine=oracle", "?engine"),
        ("architectures=sparc", "?architectures"),
        ("most_monthly=lots", "?most_monthly"),
        ("vcpus=8&most_vcpus=4", "?most_vcpus"),
    ] {
        assert_eq!(season.offers(wish).await.pointers(), [pointer], "{wish}");
    }
    for places in ["", "eu-west-1", "prv_1@eu-west-1"] {
        let answer = season.owner.get(&format!("/api/cloud/offers?places={places}")).await;
        assert_eq!(answer.pointers(), ["?places"], "{places}");
    }
    let none = season.offers("vcpus=4096").await.expect(200);
    assert_eq!((&none["items"], &none["places"][0]["fulfil"]), (&json!([]), &json!(0)));
    let body = season.wished("unheard-of", arm(4096)).await;
    season.owner.post("/api/cloud/resources", body).await.is_problem(422, "no_such_offer");
    let mut body = season.wished("both", arm(2)).await;
    body["spec"]["size"] = json!("m7g.large");
    assert_eq!(season.owner.post("/api/cloud/resources", body).await.pointers(), ["/size"]);
    let mut body = season.wished("many", arm(2)).await;
    body["size"]["fallbacks"] = json!(6);
    assert_eq!(season.owner.post("/api/cloud/resources", body).await.pointers(), ["/size/fallbacks"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organizations_provider_offers_nothing() {
    let season = season().await;
    let other = season.world.tenant("barn").await.owner;
    let path = format!("/api/cloud/offers?places={}@{REGION}", season.provider);
    other.get(&path).await.is_problem(404, "not_found");
    let path = format!("/api/cloud/quotas?provider_id={}&region={REGION}", season.provider);
    other.get(&path).await.is_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_answer_is_said() {
    let season = season().await;
    season.fault(json!({ "kind": "revoked_credentials" }));
    let answer = season.offers("vcpus=8").await;
    assert!(answer.status >= 500 || answer.status == 422, "{}", answer.body);
    assert_eq!(answer.body["cloud"]["kind"], "unauthenticated", "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_it_costs_in_a_month() {
    let season = season().await;
    let first =
        season.offers("vcpus=2&memory_gib=8&architectures=arm64").await.expect(200)["items"][0].clone();
    let body = season.wished("priced", arm(2)).await;
    let plan = season.owner.post("/api/cloud/resources?validate_only=true", body).await.expect(200);
    let step = &plan["plan"]["steps"][0];
    assert_eq!((&step["size"], &step["monthly"]), (&first["size"], &first["monthly"]), "{plan:#}");
    assert_eq!(step["fallbacks"].as_array().map(Vec::len), Some(3));
    assert_eq!(plan["plan"]["monthly"], first["monthly"]);
    // What runs and is ended saves as much.
    let found =
        season.owner.all("/api/cloud/resources?filter=kind%3Dcompute_instance%20AND%20state%3Drunning").await;
    let like = found.iter().find(|one| one["size"] == first["size"] && one["region"] == REGION).unwrap();
    let path = format!("/api/cloud/resources/{}?validate_only=true", id(like));
    let plan = season.owner.send(season.owner.request("DELETE", &path)).await.expect(200);
    let saved = plan["plan"]["monthly"]["amount"].as_str().unwrap();
    assert_eq!(Some(saved), first["monthly"]["amount"].as_str().map(|text| format!("-{text}")).as_deref());
    // A bucket's costs depend on what is put into it.
    let bucket = json!({ "provider_id": season.provider, "kind": "bucket", "region": REGION, "spec": { "name": "b" } });
    let plan = season.owner.post("/api/cloud/resources?validate_only=true", bucket).await.expect(200);
    assert_eq!(plan["plan"]["monthly"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_cloud_has_none_the_next_offer_is_taken_and_said() {
    let season = season().await;
    let found = season.offers("vcpus=2&memory_gib=8&architectures=arm64").await.expect(200);
    let size = |at: usize| found["items"][at]["size"].as_str().unwrap().to_owned();
    season.fault(json!({ "kind": "no_capacity", "size": size(0) }));
    let made = season.made(season.wished("fallen-back", arm(2)).await).await;
    assert_eq!(made["state"], "succeeded", "{made:#}");
    let output = &made["steps"][1]["output"];
    assert_eq!((&output["size"], &output["no_capacity"]), (&json!(size(1)), &json!([size(0)])), "{made:#}");
    let found = season.owner.all("/api/cloud/resources?filter=name%3Dfallen-back").await;
    assert_eq!((found.len(), found[0]["size"].as_str()), (1, Some(size(1).as_str())));
    // It is known for a while, and comes last.
    let again = season.offers("vcpus=2&memory_gib=8&architectures=arm64").await.expect(200);
    let last = again["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["size"], size(0).as_str());
    assert!(last["no_capacity_at"].is_string(), "{last:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_cloud_has_none_of_all_nothing_is_left() {
    let season = season().await;
    season.fault(json!({ "kind": "no_capacity" }));
    let mut body = season.wished("nowhere", arm(2)).await;
    body["size"]["fallbacks"] = json!(2);
    let made = season.made(body).await;
    assert_eq!(
        (&made["state"], &made["error"]["code"]),
        (&json!("undone"), &json!("insufficient_capacity")),
        "{made:#}"
    );
    season.no_faults();
    season.synced().await;
    assert_eq!(season.owner.all("/api/cloud/resources?filter=name%3Dnowhere").await, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_short_is_told_before_anything_is_made() {
    let season = season().await;
    season.fault(json!({ "kind": "quota", "limit": 1, "operation": "RunInstances" }));
    let made = season.made(season.wished("too-much", arm(2)).await).await;
    assert_eq!(made["error"]["code"], "quota_exceeded", "{made:#}");
    let detail = made["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("L-1216C47A") && detail.contains("https://"), "{detail}");
    assert_eq!(made["steps"].as_array().map(Vec::len), Some(1), "only the plan: {made:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_takes_two_takes_two_also_as_the_next_one() {
    let season = season().await;
    let found = season.offers("vcpus=2&memory_gib=8&architectures=arm64").await.expect(200);
    let second = found["items"][1]["size"].as_str().unwrap();
    let policy = json!({ "name": "large ones", "actions": ["create_instance"], "filter": format!("size = {second:?}"),
        "approver_role": "manager" });
    season.owner.post("/api/approval-policies", policy).await.is(201);
    let asked =
        season.owner.post("/api/cloud/resources", season.wished("slipped", arm(2)).await).await.expect(202);
    assert_eq!(asked["operation"]["state"], "awaiting_approval", "{asked:#}");
    let mut alone = season.wished("alone", arm(2)).await;
    alone["size"]["fallbacks"] = json!(0);
    let asked = season.owner.post("/api/cloud/resources", alone).await.expect(202);
    assert_eq!(asked["operation"]["state"], "pending", "{asked:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_size_up_is_the_next_of_the_family() {
    let season = season().await;
    let found =
        season.owner.all("/api/cloud/resources?filter=kind%3Dcompute_instance%20AND%20state%3Drunning").await;
    let one = found.iter().find(|one| one["size"] == "m7g.large" && one["region"] == REGION).unwrap();
    let path = format!("/api/cloud/resources/{}/resize", id(one));
    let asked = season.owner.post(&path, json!({ "step": "up" })).await.expect(202);
    let resize =
        asked["plan"]["steps"].as_array().unwrap().iter().find(|step| step["action"] == "resize_instance");
    assert_eq!(resize.unwrap()["size"], "m7g.xlarge", "{asked:#}");
    let ended = season.owner.ended(&id(&asked["operation"])).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    for body in [json!({}), json!({ "step": "up", "size": "m7g.large" })] {
        assert_eq!(season.owner.post(&path, body).await.pointers(), ["/size"]);
    }
    season.owner.post(&path, json!({ "size": "m7g.4xlarge" })).await.is(202);
    let all = season.owner.all("/api/operations?filter=kind%3Dchange_resources").await;
    season.owner.ended(&id(&all[0])).await;
    season.owner.post(&path, json!({ "step": "up" })).await.is_problem(422, "no_such_offer");
}
