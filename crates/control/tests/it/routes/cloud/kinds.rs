//! `/api/cloud/kinds`: what a credential must be allowed, before there is one.

use serde_json::{Value, json};

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_says_what_a_credential_must_be_allowed_and_what_for() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let kinds = owner.get("/api/cloud/kinds").await.expect(200);
    let items = kinds["items"].as_array().unwrap();
    let named: Vec<_> = items.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(named, ["aws", "azure", "gcp", "hetzner"]);
    for kind in items {
        let needed = &kind["groups"][0];
        assert_eq!((&needed["name"], &needed["optional"]), (&json!("inventory"), &json!(false)));
        for need in needed["permissions"].as_array().unwrap() {
            assert!(need["permission"].is_string() && need["feature"].is_string(), "{need}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_the_vendors_own_and_has_every_permission() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let kinds = owner.get("/api/cloud/kinds").await.expect(200);
    for kind in kinds["items"].as_array().unwrap() {
        let path = format!("/api/cloud/kinds/{}/policy", kind["kind"].as_str().unwrap());
        let policy = owner.get(&path).await.expect(200);
        let document = policy["document"].as_str().unwrap();
        if kind["kind"] == "hetzner" {
            // Its tokens have no policies, which is all there is to say.
            assert!(document.contains("read-only") && policy["commands"] == json!([]), "{policy}");
            continue;
        }
        for need in kind["groups"][0]["permissions"].as_array().unwrap() {
            assert!(document.contains(need["permission"].as_str().unwrap()), "{path}: {need}");
        }
        let takes_file =
            |command: &Value| command.as_str().unwrap().contains(policy["file"].as_str().unwrap());
        assert!(takes_file(&policy["commands"][0]), "{policy}");
    }
    let id = "3f6d1c52-8f0e-4d2b-9a57-6c1e0b7d4a21";
    let role = owner.get(&format!("/api/cloud/kinds/azure/policy?subscription={id}")).await.expect(200);
    let role: Value = serde_json::from_str(role["document"].as_str().unwrap()).unwrap();
    assert_eq!(role["AssignableScopes"], json!([format!("/subscriptions/{id}")]));
    let role = owner.get("/api/cloud/kinds/gcp/policy?format=json").await.expect(200);
    let role: Value = serde_json::from_str(role["document"].as_str().unwrap()).unwrap();
    assert_eq!(role["stage"], "GA");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kind_does_not_have_is_refused_by_name() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    assert_eq!(owner.get("/api/cloud/kinds/oracle/policy").await.problem(404), "not_found");
    for (path, place) in [
        ("/api/cloud/kinds/aws/policy?with=teleportation", "?with"),
        ("/api/cloud/kinds/aws/policy?format=yaml", "?format"),
        ("/api/cloud/kinds/hetzner/policy?format=json", "?format"),
        ("/api/cloud/kinds/gcp/policy?subscription=x", "?subscription"),
        ("/api/cloud/kinds/azure/policy?subscription=x", "?subscription"),
    ] {
        let answer = owner.get(path).await;
        assert_eq!(answer.body["errors"][0]["pointer"], place, "{path}: {}", answer.body);
        assert_eq!(answer.problem(422), "invalid", "{path}");
    }
}
