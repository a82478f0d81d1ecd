//! The suite that every adapter runs, against moto.

use std::sync::Arc;

use marquee_clouds::conformance::Rig;
use serde_json::json;

use crate::{
    bed::{self, Account, REGIONS},
    front::{Front, Verdict},
    gaps::MOTO,
};

const BROKEN: &str = "us-east-1";

/// Regions of a real account, comma-separated: the suite then runs against AWS itself, with the credentials that the
/// surroundings provide. It only reads. What needs an endpoint that misbehaves still runs against moto.
const REAL: &str = "MARQUEE_CONFORM_AWS_REGIONS";

async fn rig() -> Rig {
    let mut rig = emulated().await;
    #[expect(clippy::disallowed_methods, reason = "the choice is that of who runs the tests")]
    if let Ok(regions) = std::env::var(REAL) {
        rig.regions = regions.split(',').map(|region| region.trim().to_owned()).collect();
        rig.cloud = bed::real(&rig.regions, &json!({ "type": "ambient" }));
        let wrong = json!({ "type": "static", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" });
        rig.wrong_secret = bed::real(&rig.regions, &wrong);
        (rig.paged, rig.complete, rig.gaps) = (Vec::new(), false, &[]);
        // The region that fails is one of moto's.
        rig.failing = (String::new(), Arc::clone(&rig.cloud));
    }
    rig
}

async fn emulated() -> Rig {
    // Makes the shared account when it is the first: blocking, but nothing else runs here yet.
    let account = bed::shared();
    let moto = bed::moto();
    let failing = Front::before(&moto, |seen| {
        // The account itself is asked for in the home region, which is another.
        if seen.region == BROKEN && seen.service != "route53" {
            return Verdict::Answer(
                500,
                "<Response><Errors><Error><Code>InternalError</Code></Error></Errors></Response>".into(),
            );
        }
        Verdict::Pass
    })
    .await;
    let silent = Front::saying(None).await;
    let wrong = Account { secret: "not+the+secret/of+this+key/but+as+long+40".into(), ..account.clone() };
    Rig {
        cloud: bed::connect(&account, &moto, &REGIONS),
        regions: REGIONS.map(str::to_owned).to_vec(),
        wrong_secret: bed::connect(&wrong, &moto, &REGIONS),
        hanging: bed::connect(&account, &silent.url, &REGIONS),
        failing: (BROKEN.to_owned(), bed::connect(&account, &failing.url, &REGIONS)),
        paged: bed::PAGED.to_vec(),
        complete: true,
        // moto lives in the machine's time, and nothing of it waits for a minute.
        let_time_pass: Box::new(|| {}),
        gaps: MOTO,
        keep: Box::new((failing, silent)),
    }
}

marquee_clouds::conformance!(rig());
