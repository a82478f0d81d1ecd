//! A real account, as AWS's own variables describe it: what `make conform-aws` runs the suite against.
//!
//! What needs an endpoint that misbehaves still runs against a simulator on this machine.

use std::sync::Arc;

use marquee_clouds::{
    Cloud, Connection, Connector as _, ServerRules,
    account::Variables,
    conformance::{self, Rig},
    layers::Policy,
};
use serde_json::{Value, json};

use crate::{bed, simulated};

/// A rig for the account of these variables.
pub async fn rig(variables: &Variables) -> Rig {
    let credentials = credentials(variables);
    let mut regions = variables.regions();
    if regions.is_empty() {
        let usual = variables.get("AWS_REGION").or_else(|| variables.get("AWS_DEFAULT_REGION"));
        regions.extend(usual.map(str::to_owned));
    }
    let mut wrong = json!({ "type": "static", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "not+the+secret/of+this+key/but+as+long+40" });
    if let Some(id) = credentials.get("access_key_id") {
        wrong["access_key_id"] = id.clone();
    }
    Rig {
        cloud: connect(variables, &regions, &credentials),
        wrong_secret: connect(variables, &regions, &wrong),
        regions,
        paged: Vec::new(),
        complete: false,
        writes: variables.may_write(),
        let_time_pass: Box::new(|| {}),
        gaps: &[],
        ..simulated::rig().await
    }
}

fn credentials(variables: &Variables) -> Value {
    if let (None, Some(profile)) = (variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_PROFILE")) {
        return json!({ "type": "profile", "name": profile });
    }
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let [id, secret] = variables.required(names, " (AWS_PROFILE would do as well)");
    let mut key = json!({ "type": "static", "access_key_id": id, "secret_access_key": secret });
    if let Some(token) = variables.get("AWS_SESSION_TOKEN") {
        key["session_token"] = token.into();
    }
    key
}

fn connect(variables: &Variables, regions: &[String], credentials: &Value) -> Arc<dyn Cloud> {
    let mut settings = json!({ "regions": regions });
    if let Some(endpoint) = variables.endpoint() {
        settings["endpoint_url"] = endpoint.into();
    }
    let connection =
        Connection { credentials: credentials.to_string().into(), settings, external_id: String::new() };
    let rules = ServerRules {
        allowed_endpoints: variables.endpoint().map(str::to_owned).into_iter().collect(),
        allow_loopback_endpoints: true,
        allow_ambient_credentials: true,
    };
    bed::connector(Policy::default()).connect(&connection, &rules).unwrap()
}

#[tokio::test]
async fn the_suite_runs_against_the_account_of_the_environment() {
    let (account, moto) = (bed::claim(), bed::moto());
    let variables = Variables::of([
        ("AWS_ACCESS_KEY_ID", account.key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &account.secret),
        ("AWS_REGION", "eu-west-1"),
        ("MARQUEE_CONFORM_ENDPOINT", &moto),
    ]);
    let rig = rig(&variables).await;
    assert_eq!(rig.cloud.identity().await.unwrap().account, account.id);
    assert!(!rig.writes, "a real account is only read unless somebody says otherwise");
    conformance::a_wrong_secret_is_unauthenticated(&rig).await;
    conformance::regions_are_named_once(&rig).await;
    conformance::every_scope_lists_its_kinds(&rig).await;
    conformance::a_failing_region_fails_alone(&rig).await;
    conformance::a_test_finds_the_permissions(&rig).await;
    conformance::a_test_ends_by_its_deadline(&rig).await;
}

#[tokio::test]
#[should_panic(expected = "no credentials of an account: AWS_SECRET_ACCESS_KEY not set")]
async fn without_credentials_nothing_passes() {
    rig(&Variables::of([("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")])).await;
}
