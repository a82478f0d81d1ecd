//! A real project, as Google's own variables describe it: what `make conform-gcp` runs the suite against.
//!
//! What needs an endpoint that misbehaves still runs against a simulator on this machine.

use std::{fs, sync::Arc};

use marquee_cloud_gcp::GoogleConnector;
use marquee_clouds::{
    Cloud, Connection, Connector as _, ServerRules,
    account::Variables,
    conformance::{self, Rig},
};
use marquee_simulator::FaceName;
use serde_json::{Value, json};

use crate::{
    bed::{PROJECT, simulator},
    conformance::{simulated, strangers_key},
};

/// A rig for the project of these variables.
pub async fn rig(variables: &Variables) -> Rig {
    let [file] =
        variables.required(["GOOGLE_APPLICATION_CREDENTIALS"], ": the file of a service account's key");
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    // serde_json's own message could quote the key.
    let key: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{file} is not JSON"));
    assert_eq!(key["type"], "service_account", "{file} is not the key of a service account");
    let mut wrong = key.clone();
    wrong["private_key"] = strangers_key().await;
    let base = simulated().await;
    Rig {
        cloud: connect(variables, &key),
        wrong_secret: connect(variables, &wrong),
        regions: variables.regions(),
        complete: false,
        writes: variables.may_write(),
        let_time_pass: Box::new(|| {}),
        gaps: &[],
        ..base
    }
}

fn connect(variables: &Variables, key: &Value) -> Arc<dyn Cloud> {
    let mut settings = json!({ "regions": variables.regions() });
    for (name, value) in
        [("project_id", variables.get("GOOGLE_CLOUD_PROJECT")), ("endpoint_url", variables.endpoint())]
    {
        if let Some(value) = value {
            settings[name] = value.into();
        }
    }
    let connection = Connection { credentials: key.to_string().into(), settings, external_id: String::new() };
    let rules = ServerRules {
        allowed_endpoints: variables.endpoint().map(str::to_owned).into_iter().collect(),
        allow_loopback_endpoints: true,
        allow_ambient_credentials: false,
    };
    GoogleConnector::new().unwrap().connect(&connection, &rules).unwrap()
}

#[tokio::test]
async fn the_suite_runs_against_the_project_of_the_environment() {
    let simulator = simulator().await;
    let mut key = simulator.credentials(FaceName::Google, PROJECT).unwrap();
    key.as_object_mut().unwrap().remove("workload_identity");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    fs::write(&file, key.to_string()).unwrap();
    let variables = Variables::of([
        ("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap()),
        ("MARQUEE_CONFORM_ENDPOINT", &simulator.addresses().google),
    ]);
    let rig = rig(&variables).await;
    assert_eq!(rig.cloud.identity().await.unwrap().account, PROJECT);
    assert!(!rig.writes, "a real project is only read unless somebody says otherwise");
    conformance::a_wrong_secret_is_unauthenticated(&rig).await;
    conformance::regions_are_named_once(&rig).await;
    conformance::every_scope_lists_its_kinds(&rig).await;
    conformance::a_failing_region_fails_alone(&rig).await;
    conformance::a_test_finds_the_permissions(&rig).await;
    conformance::a_test_ends_by_its_deadline(&rig).await;
}

#[tokio::test]
#[should_panic(expected = "no credentials of an account: GOOGLE_APPLICATION_CREDENTIALS not set")]
async fn without_credentials_nothing_passes() {
    rig(&Variables::default()).await;
}
