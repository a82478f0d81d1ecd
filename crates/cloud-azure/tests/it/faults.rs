//! What goes wrong at the cloud, and what a listing makes of it.

use std::{collections::BTreeSet, time::Duration};

use marquee_clouds::{
    ErrorKind, Retry,
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

/// Whoever has no token for the vendor's trouble waits for the vendor, not for a person.
#[tokio::test]
async fn trouble_of_the_token_endpoint_is_no_refusal_of_the_credentials() {
    let trouble = [
        (json!({ "kind": "throttled" }), ErrorKind::Throttled),
        (json!({ "kind": "throttled", "retry_after_seconds": 3_600 }), ErrorKind::Throttled),
        (json!({ "kind": "failing", "status": 500 }), ErrorKind::Unavailable),
        (json!({ "kind": "failing", "status": 503 }), ErrorKind::Unavailable),
        (json!({ "kind": "cut_off" }), ErrorKind::Unavailable),
        (json!({ "kind": "revoked_credentials" }), ErrorKind::Unauthenticated),
    ];
    for (mut fault, expected) in trouble {
        let simulator = simulator().await;
        fault["service"] = json!("Microsoft.Entra");
        simulator.fault(fault.clone()).unwrap();
        let error = cloud(&connection(&simulator, |_| {})).identity().await.unwrap_err();
        assert_eq!(error.kind, expected, "{fault}: {error}");
        assert_eq!(error.retry_helps(), expected != ErrorKind::Unauthenticated, "{fault}: {error:?}");
        let told = matches!(error.retry, Retry::After(wait) if wait >= Duration::from_mins(59));
        assert_eq!(told, fault["retry_after_seconds"] == 3_600, "{fault}: {error:?}");
    }
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
