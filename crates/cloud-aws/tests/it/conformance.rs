//! The suite that every adapter runs, against moto.

use marquee_clouds::conformance::Rig;

use crate::{
    bed::{self, Account, REGIONS},
    front::{Front, Verdict},
    gaps::MOTO,
};

const BROKEN: &str = "us-east-1";

async fn rig() -> Rig {
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
        gaps: MOTO,
        keep: Box::new((failing, silent)),
    }
}

marquee_clouds::conformance!(rig());
