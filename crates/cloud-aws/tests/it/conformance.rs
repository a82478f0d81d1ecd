//! The suite that every adapter runs: against moto, or with `make conform-aws` against a real account.

use marquee_clouds::{
    account::Variables,
    conformance::{Failing, Rig},
};

use crate::{
    bed::{self, Account, REGIONS},
    front::{Front, Verdict},
    gaps::MOTO,
    real,
};

const BROKEN: &str = "us-east-1";

async fn rig() -> Rig {
    match Variables::of_process("aws") {
        Some(variables) => real::rig(&variables).await,
        None => emulated().await,
    }
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
        failing: Failing {
            region: BROKEN.to_owned(),
            regions: REGIONS.map(str::to_owned).to_vec(),
            cloud: bed::connect(&account, &failing.url, &REGIONS),
        },
        paged: bed::PAGED.to_vec(),
        complete: true,
        writes: true,
        // moto lives in the machine's time, and nothing of it waits for a minute.
        let_time_pass: Box::new(|| {}),
        gaps: MOTO,
        keep: Box::new((failing, silent)),
    }
}

marquee_clouds::conformance!(rig());
