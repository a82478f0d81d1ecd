//! Settings of buckets, DNS zones and target groups through the API, at every simulated cloud: how they stand afterwards is
//! asked of the cloud itself.

use std::sync::Arc;

use marquee_clouds::{
    Action, Change, Cloud, Connection, ServerRules,
    changes::spec::{Encryption, Lifecycle, PublicAccess, RecordKey, RecordSet},
};
use marquee_simulator::{FaceName, clock::ClockChange};
use marquee_types::ResourceKind;
use serde_json::{Value, json};

use super::bed::Season;
use crate::{
    ledgers::fixtures::{expiry, id},
    support::Answer,
};

async fn season(face: FaceName) -> Season {
    let season = Season::of(face).await;
    season.synced().await;
    let change = ClockChange { speed: Some(600.0), ..ClockChange::default() };
    season.simulator.world().clock.change(change).unwrap();
    season
}

impl Season {
    /// The cloud that is connected, past the application.
    fn cloud(&self) -> Arc<dyn Cloud> {
        let body = self.simulator.provider(self.account()).unwrap();
        let connection = Connection {
            credentials: body["credentials"].to_string().into(),
            settings: body["settings"].clone(),
            external_id: String::new(),
        };
        let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
        let connector = self.world.app.clouds.connector(body["kind"].as_str().unwrap()).unwrap();
        connector.connect(&connection, &rules).unwrap()
    }

    async fn all_of(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/cloud/resources?filter=kind%3D{kind}");
        self.owner.all(&path).await
    }

    async fn set(&self, resource: &Value, verb: &str, body: Value) -> Answer {
        self.owner.post(&format!("/api/cloud/resources/{}/{verb}", id(resource)), body).await
    }

    /// Asks for a change, which must succeed.
    async fn is_set(&self, resource: &Value, verb: &str, body: Value) -> Value {
        let asked = self.set(resource, verb, body).await.expect(202);
        let operation = self.owner.ended(&id(&asked["operation"])).await;
        assert_eq!(operation["state"], "succeeded", "{verb}: {operation:#}");
        operation
    }

    /// How the settings that an action would replace stand, as the cloud says.
    async fn stands(&self, resource: &Value, kind: ResourceKind, action: Action) -> Option<Action> {
        let text = |name: &str| resource[name].as_str().unwrap();
        let change = Change::of(text("region"), kind, text("native_id"), action);
        self.cloud().changes().unwrap().standing(&change).await.unwrap()
    }
}

async fn a_bucket_is_set(face: FaceName) {
    let season = season(face).await;
    let bucket = season.all_of("bucket").await.swap_remove(0);
    for enabled in [true, false] {
        season.is_set(&bucket, "set-versioning", json!({ "enabled": enabled })).await;
        let now = season.owner.get(&format!("/api/cloud/resources/{}", id(&bucket))).await.expect(200);
        assert_eq!(now["attributes"]["versioning"] == "enabled", enabled, "{now:#}");
    }
    for blocked in [false, true] {
        season.is_set(&bucket, "set-public-access", json!({ "blocked": blocked })).await;
        let wanted = Action::SetPublicAccess(PublicAccess { blocked });
        let stands = season.stands(&bucket, ResourceKind::Bucket, wanted.clone()).await;
        assert_eq!(stands, Some(wanted));
    }
    let rules = json!([{ "prefix": "thumbnails/", "delete_after_days": 30 }]);
    season.is_set(&bucket, "set-lifecycle", json!({ "rules": rules })).await;
    let wanted = Action::SetLifecycle(Lifecycle { rules: serde_json::from_value(rules).unwrap() });
    assert_eq!(season.stands(&bucket, ResourceKind::Bucket, wanted.clone()).await, Some(wanted));
    season.is_set(&bucket, "set-encryption", json!({})).await;
    let wanted = Action::SetEncryption(Encryption { key: None });
    assert_eq!(season.stands(&bucket, ResourceKind::Bucket, wanted.clone()).await, Some(wanted));
    for action in ["set_versioning", "set_public_access", "set_lifecycle", "set_encryption"] {
        let filter = format!("action%3Dresources.{action}%20AND%20target%3D%22{}%22", id(&bucket));
        let entries = season.owner.all(&format!("/api/audit?filter={filter}")).await;
        assert!(!entries.is_empty(), "{action} is not audited");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_aws_is_set() {
    a_bucket_is_set(FaceName::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_azure_is_set() {
    a_bucket_is_set(FaceName::Azure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_google_is_set() {
    a_bucket_is_set(FaceName::Google).await;
}

async fn records_are_set_and_removed(face: FaceName) {
    let season = season(face).await;
    let zone = season.all_of("dns_zone").await.into_iter().find(|zone| zone["attributes"]["private"] != true);
    let zone = zone.expect("a public zone");
    let domain = zone["name"].as_str().unwrap().trim_end_matches('.').to_owned();
    let domain = if domain.contains('.') { domain } else { domain_of(&zone) };
    let name = format!("rsvp.{domain}");
    let records = |values: Value| json!({ "name": name, "type": "A", "ttl": 60, "values": values });
    let key = RecordKey { name: name.clone(), kind: "A".to_owned(), set: None };
    let looked = || season.stands(&zone, ResourceKind::DnsZone, Action::RemoveRecords(key.clone()));
    assert_eq!(looked().await, None);
    for values in [json!(["192.0.2.10"]), json!(["192.0.2.11", "192.0.2.12"])] {
        season.is_set(&zone, "set-records", records(values.clone())).await;
        let set = RecordSet {
            key: key.clone(),
            ttl: 60,
            values: serde_json::from_value(values).unwrap(),
            ..RecordSet::default()
        };
        assert_eq!(looked().await, Some(Action::SetRecords(set)));
    }
    season.is_set(&zone, "remove-records", json!({ "name": name, "type": "A" })).await;
    assert_eq!(looked().await, None);
}

/// The domain of a zone whose name is not that: Google's zones have names of their own.
fn domain_of(zone: &Value) -> String {
    let domain = zone["attributes"]["dns_name"].as_str().or_else(|| zone["attributes"]["domain"].as_str());
    domain.unwrap_or_else(|| panic!("which domain? {zone:#}")).trim_end_matches('.').to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_aws_are_set_and_removed() {
    records_are_set_and_removed(FaceName::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_azure_are_set_and_removed() {
    records_are_set_and_removed(FaceName::Azure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_google_are_set_and_removed() {
    records_are_set_and_removed(FaceName::Google).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_group_gets_an_instance_and_loses_it() {
    let season = season(FaceName::Aws).await;
    let group = season.all_of("target_group").await.swap_remove(0);
    let routes = async || {
        season.synced().await;
        let path = format!("/api/cloud/resources/{}/related", id(&group));
        let related = season.owner.get(&path).await.expect(200);
        related["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["resource"]["id"].clone())
            .collect::<Vec<_>>()
    };
    let before = routes().await;
    let all = season.all_of("compute_instance").await;
    let other = all.iter().find(|one| {
        one["region"] == group["region"] && one["state"] == "running" && !before.contains(&one["id"])
    });
    let other = other.expect("an instance that gets no traffic");
    let to = json!({ "instance_id": other["id"] });
    season.is_set(&group, "register-target", to.clone()).await;
    assert!(routes().await.contains(&other["id"]));
    season.is_set(&group, "deregister-target", to).await;
    assert!(!routes().await.contains(&other["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_size_are_one_change_or_none() {
    let season = season(FaceName::Aws).await;
    let all = season.all_of("compute_instance").await;
    let family = |one: &Value| one["size"].as_str().unwrap().split('.').next().unwrap().to_owned();
    let (one, other) = all
        .iter()
        .filter(|one| one["state"] == "running")
        .find_map(|one| {
            let other = all.iter().find(|other| family(other) == family(one) && other["size"] != one["size"]);
            Some((one, other?["size"].clone()))
        })
        .unwrap();
    let path = format!("/api/cloud/resources/{}", id(one));
    let body = json!({ "tags": { "venue": "barn" }, "size": other });
    let patch = async |body: &Value, client: &crate::support::Client| {
        client.send(client.request("PATCH", &path).json(body)).await
    };
    season.fault(json!({ "kind": "no_capacity", "size": other }));
    let asked = patch(&body, &season.owner).await.expect(202);
    let undone = season.owner.ended(&id(&asked["operation"])).await;
    assert_eq!(undone["state"], "undone", "{undone:#}");
    let now = season.owner.get(&path).await.expect(200);
    assert_eq!((&now["size"], &now["tags"]["venue"]), (&one["size"], &one["tags"]["venue"]));
    season.no_faults();
    let asked = patch(&body, &season.owner).await.expect(202);
    let done = season.owner.ended(&id(&asked["operation"])).await;
    assert_eq!(done["state"], "succeeded", "{done:#}");
    let now = season.owner.get(&path).await.expect(200);
    assert_eq!((&now["size"], &now["tags"]["venue"]), (&other, &json!("barn")));
    // One call, one entry for each of the two times.
    let filter = format!("action%3Dresources.update%20AND%20target%3D%22{}%22", id(one));
    assert_eq!(season.owner.all(&format!("/api/audit?filter={filter}")).await.len(), 2);

    assert_eq!(patch(&json!({}), &season.owner).await.status, 422);
    // A key that may set tags may not for that reason resize.
    let key =
        json!({ "name": "tagger", "scopes": ["resources.update", "resources.read"], "expires_at": expiry() });
    let key = season.owner.post("/api/api-keys", key).await.expect(201);
    let tagger = season.owner.with_token(key["secret"].as_str().unwrap());
    patch(&json!({ "size": one["size"] }), &tagger).await.is_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_are_refused() {
    let season = season(FaceName::Aws).await;
    let (bucket, zone) =
        (season.all_of("bucket").await.swap_remove(0), season.all_of("dns_zone").await.swap_remove(0));
    let wrong = |answer: Answer, pointer: &str| assert_eq!(answer.pointers(), [pointer], "{}", answer.body);
    let rule = |rule: Value| json!({ "rules": [rule] });
    wrong(season.set(&bucket, "set-lifecycle", rule(json!({ "prefix": "a" }))).await, "/rules/0");
    wrong(season.set(&bucket, "set-lifecycle", rule(json!({ "delete_after_days": 0 }))).await, "/rules/0");
    wrong(season.set(&bucket, "set-encryption", json!({ "key": " " })).await, "/key");
    let records = |change: Value| {
        let mut body = json!({ "name": "a.example", "type": "A", "ttl": 60, "values": ["192.0.2.1"] });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (change, pointer) in [
        (json!({ "name": "a.example." }), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "type": "NS" }), "/type"),
        (json!({ "ttl": 604_801 }), "/ttl"),
        (json!({ "values": [] }), "/values"),
        (json!({ "values": [""] }), "/values/0"),
        (json!({ "weight": 1 }), "/set"),
        (json!({ "weight": 1, "set": "a", "failover": "primary" }), "/failover"),
    ] {
        wrong(season.set(&zone, "set-records", records(change)).await, pointer);
    }
    season
        .set(&zone, "set-versioning", json!({ "enabled": true }))
        .await
        .is_problem(422, "unsupported_action");
    season.set(&bucket, "set-records", records(json!({}))).await.is_problem(422, "unsupported_action");
    let nobody = json!({ "instance_id": id(&bucket) });
    wrong(season.set(&zone, "register-target", nobody).await, "/instance_id");
}
