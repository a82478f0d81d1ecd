//! What goes wrong at the cloud, and what a listing makes of it.

use std::collections::BTreeSet;

use marquee_clouds::{
    ErrorKind,
    conformance::{
        odd::{BODIES, Odd, nothing_is_taken_for_a_listing},
        survey,
    },
};
use serde_json::json;

use crate::{
    bed::{cloud, connection, simulator},
    objects,
};

/// What becomes of every scope while a fault is on.
async fn outcomes(fault: serde_json::Value) -> (BTreeSet<String>, Vec<(String, ErrorKind)>) {
    let simulator = simulator().await;
    simulator.fault(fault).unwrap();
    survey::outcomes(&*cloud(&connection(&simulator, |_| {}))).await
}

#[tokio::test]
async fn a_service_that_is_broken_fails_alone() {
    let (whole, failed) = outcomes(json!({ "kind": "failing", "service": "Microsoft.Compute" })).await;
    assert!(failed.iter().all(|(_, kind)| *kind == ErrorKind::Unavailable), "{failed:?}");
    assert!(failed.iter().all(|(scope, _)| scope.starts_with("compute/")), "{failed:?}");
    assert!(!failed.is_empty() && whole.iter().all(|scope| !scope.starts_with("compute/")), "{whole:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_no_complete_listing() {
    let (whole, failed) = outcomes(json!({ "kind": "cut_off" })).await;
    assert!(whole.is_empty(), "{whole:?}");
    assert!(
        failed.iter().all(|(_, kind)| matches!(kind, ErrorKind::Unavailable | ErrorKind::Protocol)),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_call_that_is_throttled_is_made_again() {
    let (_, failed) =
        outcomes(json!({ "kind": "throttled", "service": "Microsoft.Compute", "times": 1 })).await;
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn what_no_cloud_says_is_not_taken_for_a_listing() {
    let simulator = simulator().await;
    for body in BODIES {
        let odd = Odd::answering(200, body).await;
        let mut connection = connection(&simulator, |_| {});
        // Tokens come from where they always do.
        let front = objects::front(&odd.url).await;
        connection.settings["endpoint_url"] = json!(front.url);
        connection.settings["ca_certificate"] = json!(objects::trusted(&simulator));
        nothing_is_taken_for_a_listing(&*cloud(&connection), body).await;
    }
}
