//! A real subscription, as Azure's own variables describe it: what `make conform-azure` runs the suite against.
//!
//! What needs an endpoint that misbehaves still runs against a simulator on this machine.

use std::{fs, sync::Arc};

use marquee_cloud_azure::AzureConnector;
use marquee_clouds::{
    Cloud, Connection, Connector as _, ServerRules,
    account::Variables,
    conformance::{self, Rig},
};
use marquee_simulator::FaceName;
use marquee_types::Clock;
use serde_json::{Value, json};

use crate::{
    bed::{SUBSCRIPTION, simulator},
    conformance::simulated,
};

/// A rig for the subscription of these variables.
pub async fn rig(variables: &Variables) -> Rig {
    let names = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID"];
    let [tenant, client, secret, subscription] = variables.required(names, "");
    let credentials = |secret: &str| json!({ "type": "client_secret", "tenant_id": tenant, "client_id": client, "client_secret": secret });
    let base = simulated().await;
    Rig {
        cloud: connect(variables, subscription, &credentials(secret)),
        wrong_secret: connect(variables, subscription, &credentials("not-the-secret")),
        regions: variables.regions(),
        complete: false,
        writes: variables.may_write(),
        let_time_pass: Box::new(|| {}),
        gaps: &[],
        ..base
    }
}

fn connect(variables: &Variables, subscription: &str, credentials: &Value) -> Arc<dyn Cloud> {
    let mut settings = json!({ "subscription_id": subscription, "regions": variables.regions() });
    let others =
        [("endpoint_url", variables.endpoint()), ("authority_url", variables.get("AZURE_AUTHORITY_HOST"))];
    for (name, url) in others {
        if let Some(url) = url {
            settings[name] = url.into();
        }
    }
    if let Some(file) = variables.get("MARQUEE_CONFORM_CERTIFICATE") {
        settings["ca_certificate"] = fs::read_to_string(file).unwrap().into();
    }
    let connection =
        Connection { credentials: credentials.to_string().into(), settings, external_id: String::new() };
    let rules = ServerRules {
        allowed_endpoints: others.into_iter().filter_map(|(_, url)| url).map(str::to_owned).collect(),
        allow_loopback_endpoints: true,
        allow_ambient_credentials: false,
    };
    AzureConnector::new(Clock::system()).unwrap().connect(&connection, &rules).unwrap()
}

#[tokio::test]
async fn the_suite_runs_against_the_subscription_of_the_environment() {
    let simulator = simulator().await;
    let issued = simulator.credentials(FaceName::Azure, SUBSCRIPTION).unwrap();
    let issued = |name: &str| issued[name].as_str().unwrap().to_owned();
    let at = simulator.addresses();
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("authority.pem");
    fs::write(&certificate, &at.certificate).unwrap();
    let variables = Variables::of([
        ("AZURE_TENANT_ID", issued("tenant_id").as_str()),
        ("AZURE_CLIENT_ID", &issued("client_id")),
        ("AZURE_CLIENT_SECRET", &issued("client_secret")),
        ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION),
        ("AZURE_AUTHORITY_HOST", &at.azure),
        ("MARQUEE_CONFORM_ENDPOINT", &at.azure),
        ("MARQUEE_CONFORM_CERTIFICATE", certificate.to_str().unwrap()),
    ]);
    let rig = rig(&variables).await;
    assert_eq!(rig.cloud.identity().await.unwrap().account, SUBSCRIPTION);
    assert!(!rig.writes, "a real subscription is only read unless somebody says otherwise");
    conformance::a_wrong_secret_is_unauthenticated(&rig).await;
    conformance::regions_are_named_once(&rig).await;
    conformance::every_scope_lists_its_kinds(&rig).await;
    conformance::a_failing_region_fails_alone(&rig).await;
    conformance::a_test_finds_the_permissions(&rig).await;
    conformance::a_test_ends_by_its_deadline(&rig).await;
}

#[tokio::test]
#[should_panic(expected = "no credentials of an account: AZURE_CLIENT_SECRET, AZURE_SUBSCRIPTION_ID not set")]
async fn without_credentials_nothing_passes() {
    rig(&Variables::of([("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")])).await;
}
