//! The suite that every adapter runs, against the simulator.

use marquee_clouds::conformance::{Failing, Gap, Rig};
use serde_json::json;

use crate::bed::{a_minute, cloud, connection, opened, simulator};

async fn rig() -> Rig {
    let (good, failing, hanging) = (simulator().await, simulator().await, simulator().await);
    // Hetzner lists all locations at once: a broken service is what fails alone.
    failing.fault(json!({ "kind": "failing", "service": "servers" })).unwrap();
    hanging.fault(json!({ "kind": "hanging" })).unwrap();
    Rig {
        cloud: opened(&good),
        regions: vec!["hel1".to_owned(), "nbg1".to_owned()],
        wrong_secret: cloud(&connection(&good, "NotTheTokenOfAnyProject", |_| {})),
        hanging: opened(&hanging),
        failing: Failing { region: "nbg1".to_owned(), regions: vec![], cloud: opened(&failing) },
        // Two primary addresses for each of 26 servers, and three floating ones.
        paged: vec![("public-ips", 55)],
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
