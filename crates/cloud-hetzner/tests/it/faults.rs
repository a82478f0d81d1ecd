//! What goes wrong at the cloud, and what a listing makes of it.

use std::{collections::BTreeSet, time::Instant};

use marquee_clouds::{
    ErrorKind,
    conformance::{
        odd::{BODIES, Odd, nothing_is_taken_for_a_listing},
        survey,
    },
};
use serde_json::{Value, json};

use crate::bed::{cloud, connection, opened, simulator, token};

/// What becomes of every scope while a fault is on.
async fn outcomes(fault: Value) -> (BTreeSet<String>, Vec<(String, ErrorKind)>) {
    let simulator = simulator().await;
    simulator.fault(fault).unwrap();
    survey::outcomes(&*opened(&simulator)).await
}

#[tokio::test]
async fn a_collection_that_is_broken_fails_alone() {
    let (whole, failed) = outcomes(json!({ "kind": "failing", "service": "servers" })).await;
    assert_eq!(failed, [("servers".to_owned(), ErrorKind::Unavailable)]);
    assert_eq!(whole.len(), 7, "{whole:?}");
}

#[tokio::test]
async fn a_page_that_fails_makes_no_complete_listing() {
    let (_, failed) = outcomes(json!({ "kind": "failing_page" })).await;
    assert_eq!(failed, [("public-ips".to_owned(), ErrorKind::Unavailable)]);
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
async fn after_too_many_requests_the_next_waits_until_one_grew_back() {
    let simulator = simulator().await;
    simulator.fault(json!({ "kind": "throttled", "service": "volumes", "times": 1 })).unwrap();
    let started = Instant::now();
    let (_, failed) = survey::outcomes(&*opened(&simulator)).await;
    assert_eq!(failed, []);
    assert!(started.elapsed().as_secs_f64() >= 1.0, "3,600 requests an hour are one a second");
}

#[tokio::test]
async fn a_token_that_was_revoked_is_told_apart() {
    let (whole, failed) = outcomes(json!({ "kind": "revoked_credentials" })).await;
    assert!(
        whole.is_empty() && failed.iter().all(|(_, kind)| *kind == ErrorKind::Unauthenticated),
        "{failed:?}"
    );
}

#[tokio::test]
async fn what_no_cloud_says_is_not_taken_for_a_listing() {
    let simulator = simulator().await;
    for body in BODIES {
        let odd = Odd::answering(200, body).await;
        let connection = connection(&simulator, &token(&simulator, "token"), |settings| {
            settings["endpoint_url"] = json!(odd.url);
        });
        nothing_is_taken_for_a_listing(&*cloud(&connection), body).await;
    }
}
