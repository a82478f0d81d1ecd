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

use crate::bed::{cloud, connection, simulator};

/// What becomes of every scope while a fault is on.
async fn outcomes(fault: serde_json::Value) -> (BTreeSet<String>, Vec<(String, ErrorKind)>) {
    let simulator = simulator().await;
    simulator.fault(fault).unwrap();
    survey::outcomes(&*cloud(&connection(&simulator, |_| {}))).await
}

#[tokio::test]
async fn a_service_that_is_broken_fails_alone() {
    let (whole, failed) = outcomes(json!({ "kind": "failing", "service": "compute" })).await;
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
    let (_, failed) = outcomes(json!({ "kind": "throttled", "service": "compute", "times": 1 })).await;
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn what_lies_in_a_lost_region_is_not_taken_for_gone() {
    let (whole, failed) = outcomes(json!({ "kind": "region_lost", "region": "europe-west1" })).await;
    for scope in ["compute/instances", "compute/disks", "sql/instances", "sql/backups"] {
        let kind = failed.iter().find(|(name, _)| name == scope).map(|(_, kind)| *kind);
        assert_eq!(kind, Some(ErrorKind::Unavailable), "{scope}: {whole:?}");
    }
}

#[tokio::test]
async fn what_no_cloud_says_is_not_taken_for_a_listing() {
    let simulator = simulator().await;
    for body in BODIES {
        let odd = Odd::answering(200, body).await;
        let mut connection = connection(&simulator, |_| {});
        connection.settings["endpoint_url"] = json!(odd.url);
        nothing_is_taken_for_a_listing(&*cloud(&connection), body).await;
    }
}
