//! The suite that every adapter runs, against the simulator.

use marquee_clouds::conformance::{Gap, Rig};
use serde_json::json;

use crate::bed::{a_minute, cloud, connection, simulator};

async fn rig() -> Rig {
    let (good, failing, hanging) = (simulator().await, simulator().await, simulator().await);
    // Azure lists all locations at once: a broken service is what fails alone.
    failing.fault(json!({ "kind": "failing", "service": "Microsoft.Compute" })).unwrap();
    hanging.fault(json!({ "kind": "hanging" })).unwrap();
    let wrong = |credentials: &mut serde_json::Value| credentials["client_secret"] = json!("not-the-secret");
    Rig {
        cloud: cloud(&connection(&good, |_| {})),
        regions: vec!["northeurope".to_owned(), "westeurope".to_owned()],
        wrong_secret: cloud(&connection(&good, wrong)),
        hanging: cloud(&connection(&hanging, |_| {})),
        failing: ("westeurope".to_owned(), cloud(&connection(&failing, |_| {}))),
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
