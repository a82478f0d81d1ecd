//! The suite that every adapter runs, against the simulator, which boto3 judges: what moto lacks (true pages, states in
//! time) is here.

use std::{sync::Arc, time::Duration};

use marquee_cloud_aws::AwsConnector;
use marquee_clouds::{
    Cloud, Connection, Connector as _, ServerRules,
    conformance::{Failing, Gap, Rig},
    layers::{Backoff, Policy},
};
use marquee_simulator::{FaceName, Options, Simulator, clock::ClockChange, faults::Fault, world::built_in};
use marquee_types::Clock;
use serde_json::{Value, json};

pub const ACCOUNT: &str = "210987654321";
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// A simulator of the world `wedding-season` whose clock stands still.
pub async fn simulator() -> Arc<Simulator> {
    // Another test of this process may have installed it before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let now = Some("2026-06-20T12:00:00Z".parse().unwrap());
    let options = Options { now, speed: 0.0, ..Options::new(built_in("wedding-season").unwrap()) };
    Arc::new(Simulator::start(options).await.unwrap())
}

/// A cloud of it, with another secret if one is given.
pub fn cloud(simulator: &Simulator, secret: Option<&str>) -> Arc<dyn Cloud> {
    cloud_at(&simulator.addresses().aws, simulator, secret)
}

/// The same by another way to it.
pub fn cloud_at(endpoint: &str, simulator: &Simulator, secret: Option<&str>) -> Arc<dyn Cloud> {
    let keys = simulator.credentials(FaceName::Aws, ACCOUNT).unwrap();
    let secret = secret.map_or_else(|| keys["secret_access_key"].clone(), |secret| json!(secret));
    let connection = Connection {
        credentials:
            json!({ "type": "static", "access_key_id": keys["access_key_id"], "secret_access_key": secret })
                .to_string()
                .into(),
        settings: json!({ "regions": REGIONS, "endpoint_url": endpoint }),
        external_id: "marquee-test".to_owned(),
    };
    let backoff = Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) };
    let policy = Policy { max_attempts: 3, backoff, ..Policy::default() };
    let connector = AwsConnector::with_policy(Clock::system(), policy).unwrap();
    let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
    connector.connect(&connection, &rules).unwrap()
}

/// Lets a minute pass in a simulator.
fn a_minute(simulator: &Arc<Simulator>) -> Box<dyn Fn() + Send + Sync> {
    let simulator = Arc::clone(simulator);
    Box::new(move || {
        let change = ClockChange { advance_seconds: Some(61.0), ..ClockChange::default() };
        simulator.world().clock.change(change).unwrap();
    })
}

/// Switches a fault on.
pub fn fault(simulator: &Simulator, fault: Value) {
    let fault: Fault = serde_json::from_value(fault).unwrap();
    simulator.world().faults.add(fault).unwrap();
}

pub async fn rig() -> Rig {
    let (good, failing, hanging) = (simulator().await, simulator().await, simulator().await);
    // The account itself is asked for in the home region, which is another.
    fault(&failing, json!({ "kind": "region_lost", "region": "us-east-1" }));
    fault(&hanging, json!({ "kind": "hanging" }));
    Rig {
        cloud: cloud(&good, None),
        regions: REGIONS.map(str::to_owned).to_vec(),
        wrong_secret: cloud(&good, Some("not+the+secret/of+this+key/but+as+long+40")),
        hanging: cloud(&hanging, None),
        failing: Failing {
            region: "us-east-1".to_owned(),
            regions: REGIONS.map(str::to_owned).to_vec(),
            cloud: cloud(&failing, None),
        },
        paged: vec![],
        complete: true,
        writes: true,
        let_time_pass: a_minute(&good),
        gaps: GAPS,
        keep: Box::new((good, failing, hanging)),
    }
}

/// What the simulator gets wrong, or its world does not have.
const GAPS: &[Gap] = &[Gap {
    check: "every_scope_lists_its_kinds",
    scope: "rds/clusters",
    what: "the world has no database clusters",
}];

marquee_clouds::conformance!(rig());
