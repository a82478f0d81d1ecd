//! A simulator, and connections to it.

use std::{sync::Arc, time::Duration};

use marquee_cloud_hetzner::HetznerConnector;
use marquee_clouds::{
    Cloud, Connection, Connector as _, ServerRules,
    layers::{Backoff, Policy},
};
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use serde_json::{Value, json};

/// The project of the world `staging`.
pub const PROJECT: &str = "1483920";

/// A simulator of the world `staging`, at a noon that stands still.
pub async fn simulator() -> Arc<Simulator> {
    // Another test of this process may have installed it before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let now = Some("2026-06-20T12:00:00Z".parse().unwrap());
    let options = Options { now, speed: 0.0, ..Options::new(built_in("staging").unwrap()) };
    Arc::new(Simulator::start(options).await.unwrap())
}

/// Lets a minute pass in a simulator.
pub fn a_minute(simulator: &Arc<Simulator>) -> Box<dyn Fn() + Send + Sync> {
    let simulator = Arc::clone(simulator);
    Box::new(move || simulator.advance(61.0).unwrap())
}

/// A token of the simulator's project: `token`, or `read_only_token`.
pub fn token(simulator: &Simulator, which: &str) -> String {
    let credentials = simulator.credentials(FaceName::Hetzner, PROJECT).unwrap();
    credentials[which].as_str().unwrap().to_owned()
}

/// How to connect to a simulator with a token; `change` may change the settings.
pub fn connection(simulator: &Simulator, token: &str, change: impl FnOnce(&mut Value)) -> Connection {
    let mut settings = json!({ "endpoint_url": simulator.addresses().hetzner });
    change(&mut settings);
    Connection {
        credentials: json!({ "type": "api_token", "token": token }).to_string().into(),
        settings,
        external_id: String::new(),
    }
}

/// A cloud for a connection.
pub fn cloud(connection: &Connection) -> Arc<dyn Cloud> {
    let backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    let policy = Policy { max_attempts: 3, backoff, ..Policy::default() };
    let connector = HetznerConnector::with_policy(policy).unwrap();
    let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
    connector.connect(connection, &rules).unwrap()
}

/// The cloud of a simulator.
pub fn opened(simulator: &Simulator) -> Arc<dyn Cloud> {
    cloud(&connection(simulator, &token(simulator, "token"), |_| {}))
}
