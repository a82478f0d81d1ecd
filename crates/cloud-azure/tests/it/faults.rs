//! What goes wrong at the cloud, and what a listing makes of it.

use std::collections::BTreeSet;

use marquee_clouds::{ErrorKind, conformance::Collected};
use serde_json::json;

use crate::bed::{cloud, connection, fault, simulator};

/// Lists every scope: those that succeeded, and those that failed with the kind of error.
async fn outcomes(faults: serde_json::Value) -> (BTreeSet<String>, Vec<(String, ErrorKind)>) {
    let simulator = simulator().await;
    fault(&simulator, faults);
    let cloud = cloud(&connection(&simulator, |_| {}));
    let inventory = cloud.inventory().unwrap();
    let (mut whole, mut failed) = (BTreeSet::new(), Vec::new());
    for scope in inventory.scopes(&[]).await.unwrap() {
        match inventory.list(&scope, &mut Collected::default()).await {
            Ok(()) => drop(whole.insert(scope.service)),
            Err(error) => failed.push((scope.service, error.kind)),
        }
    }
    (whole, failed)
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
