//! The suite that every adapter runs: against the simulator, or with `make conform-gcp` against a real account.

use marquee_clouds::{
    account::Variables,
    conformance::{Failing, Gap, Rig},
};
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use serde_json::json;

use crate::{
    bed::{PROJECT, a_minute, cloud, connection, simulator},
    real,
};

async fn rig() -> Rig {
    match Variables::of_process("gcp") {
        Some(variables) => real::rig(&variables).await,
        None => simulated().await,
    }
}

/// The simulator.
pub async fn simulated() -> Rig {
    let (good, failing, hanging) = (simulator().await, simulator().await, simulator().await);
    // Google lists all regions at once: a broken service is what fails alone.
    failing.fault(json!({ "kind": "failing", "service": "compute" })).unwrap();
    hanging.fault(json!({ "kind": "hanging" })).unwrap();
    // Pages are short, so that there are several.
    good.fault(json!({ "kind": "short_pages", "items": 20 })).unwrap();
    let disks = good.count(PROJECT, "compute.disks");
    let other = strangers_key().await;
    let wrong = |key: &mut serde_json::Value| key["private_key"] = other;
    Rig {
        cloud: cloud(&connection(&good, |_| {})),
        regions: vec!["europe-west1".to_owned(), "us-central1".to_owned()],
        wrong_secret: cloud(&connection(&good, wrong)),
        hanging: cloud(&connection(&hanging, |_| {})),
        failing: Failing {
            region: "europe-west1".to_owned(),
            regions: vec![],
            cloud: cloud(&connection(&failing, |_| {})),
        },
        paged: vec![("compute/disks", disks)],
        complete: true,
        writes: true,
        let_time_pass: a_minute(&good),
        gaps: GAPS,
        keep: Box::new((good, failing, hanging)),
    }
}

/// The private key of another world: as good as any, and known to nobody else.
pub async fn strangers_key() -> serde_json::Value {
    let mut plan = built_in("wedding-season").unwrap();
    plan.seed += 1;
    let stranger = Simulator::start(Options::new(plan)).await.unwrap();
    stranger.credentials(FaceName::Google, PROJECT).unwrap()["private_key"].take()
}

/// What the simulator gets wrong.
const GAPS: &[Gap] = &[];

marquee_clouds::conformance!(rig());
