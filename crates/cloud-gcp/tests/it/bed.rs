//! A simulator, and connections to it.

use std::{sync::Arc, time::Duration};

use marquee_cloud_gcp::{GoogleConnector, config::Config, credentials::TokenRing};
use marquee_clouds::{
    Cloud, Connection, ConnectionConfig as _, Connector as _, Layers, ServerRules,
    layers::{Backoff, Policy},
    rest::Tokens as _,
};
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

/// The project of the world `wedding-season`.
pub const PROJECT: &str = "orangery-media";

/// A simulator of the world `wedding-season`.
pub async fn simulator() -> Arc<Simulator> {
    // Another test of this process may have installed it before.
    drop(rustls::crypto::ring::default_provider().install_default());
    // A Saturday noon that stands still, so that no nightly backup comes between two looks.
    let now = Some("2026-06-20T12:00:00Z".parse().unwrap());
    let options = Options { now, speed: 0.0, ..Options::new(built_in("wedding-season").unwrap()) };
    Arc::new(Simulator::start(options).await.unwrap())
}

/// Makes something of Compute Engine past the adapter: `place` is below the project.
pub async fn api(simulator: &Simulator, place: &str, body: &Value) {
    let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
    let config = Config::read(&connection(simulator, |_| {}), &rules).unwrap();
    let token = TokenRing::new(config, Layers::new(Policy::default())).token().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/compute/v1/projects/{PROJECT}/{place}", simulator.addresses().google);
    let sent = client.post(url).bearer_auth(token.expose_secret()).json(body).send().await.unwrap();
    assert_eq!(sent.status(), 200, "{place}: {}", sent.text().await.unwrap());
}

/// Lets a minute pass in a simulator.
pub fn a_minute(simulator: &Arc<Simulator>) -> Box<dyn Fn() + Send + Sync> {
    let simulator = Arc::clone(simulator);
    Box::new(move || simulator.advance(61.0).unwrap())
}

/// How to connect to a simulator; `change` may spoil it.
pub fn connection(simulator: &Simulator, change: impl FnOnce(&mut Value)) -> Connection {
    let mut key = simulator.credentials(FaceName::Google, PROJECT).unwrap();
    // Beside the key there is what federation needs.
    key.as_object_mut().unwrap().remove("workload_identity");
    change(&mut key);
    Connection {
        credentials: key.to_string().into(),
        settings: json!({ "project_id": PROJECT, "endpoint_url": simulator.addresses().google }),
        external_id: String::new(),
    }
}

/// A cloud for a connection.
pub fn cloud(connection: &Connection) -> Arc<dyn Cloud> {
    let backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    let policy = Policy { max_attempts: 3, backoff, ..Policy::default() };
    let connector = GoogleConnector::with_policy(policy).unwrap();
    let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
    connector.connect(connection, &rules).unwrap()
}
