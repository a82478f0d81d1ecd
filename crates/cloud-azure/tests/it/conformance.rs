//! The suite that every adapter runs: against the simulator, or with `make conform-azure` against a real account.

use marquee_clouds::{
    account::Variables,
    conformance::{Failing, Gap, Rig},
};
use serde_json::json;

use crate::{
    bed::{SUBSCRIPTION, a_minute, cloud, connection, simulator},
    real,
};

async fn rig() -> Rig {
    match Variables::of_process("azure") {
        Some(variables) => real::rig(&variables).await,
        None => simulated().await,
    }
}

/// The simulator.
pub async fn simulated() -> Rig {
    let (good, failing, hanging) = (simulator().await, simulator().await, simulator().await);
    // Azure lists all locations at once: a broken service is what fails alone.
    failing.fault(json!({ "kind": "failing", "service": "Microsoft.Compute" })).unwrap();
    hanging.fault(json!({ "kind": "hanging" })).unwrap();
    // Pages are short, so that there are several.
    good.fault(json!({ "kind": "short_pages", "items": 20 })).unwrap();
    let disks = good.count(SUBSCRIPTION, "Microsoft.Compute/disks");
    let wrong = |credentials: &mut serde_json::Value| credentials["client_secret"] = json!("not-the-secret");
    Rig {
        cloud: cloud(&connection(&good, |_| {})),
        regions: vec!["northeurope".to_owned(), "westeurope".to_owned()],
        wrong_secret: cloud(&connection(&good, wrong)),
        hanging: cloud(&connection(&hanging, |_| {})),
        failing: Failing {
            region: "westeurope".to_owned(),
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

/// What the simulator gets wrong.
const GAPS: &[Gap] = &[];

marquee_clouds::conformance!(rig());
