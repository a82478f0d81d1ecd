//! The suite that every adapter runs, against the simulator.

use marquee_clouds::conformance::{Gap, Rig};
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use serde_json::json;

use crate::bed::{PROJECT, a_minute, cloud, connection, simulator};

async fn rig() -> Rig {
    let (good, failing, hanging) = (simulator().await, simulator().await, simulator().await);
    // Google lists all regions at once: a broken service is what fails alone.
    failing.fault(json!({ "kind": "failing", "service": "compute" })).unwrap();
    hanging.fault(json!({ "kind": "hanging" })).unwrap();
    // The key of another world: as good as any, and not known here.
    let mut plan = built_in("wedding-season").unwrap();
    plan.seed += 1;
    let stranger = Simulator::start(Options::new(plan)).await.unwrap();
    let other = stranger.credentials(FaceName::Google, PROJECT).unwrap()["private_key"].take();
    let wrong = |key: &mut serde_json::Value| key["private_key"] = other;
    Rig {
        cloud: cloud(&connection(&good, |_| {})),
        regions: vec!["europe-west1".to_owned(), "us-central1".to_owned()],
        wrong_secret: cloud(&connection(&good, wrong)),
        hanging: cloud(&connection(&hanging, |_| {})),
        failing: ("europe-west1".to_owned(), cloud(&connection(&failing, |_| {}))),
        paged: vec![],
        complete: true,
        let_time_pass: a_minute(&good),
        gaps: GAPS,
        keep: Box::new((good, failing, hanging)),
    }
}

/// What the simulator gets wrong.
const GAPS: &[Gap] = &[];

marquee_clouds::conformance!(rig());
