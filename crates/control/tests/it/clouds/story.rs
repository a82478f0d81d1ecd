//! The story of every cloud in three lines: it is connected and synced, its vendor's own client changes something, and the
//! next sync and the history show it.

use marquee_simulator::FaceName;
use serde_json::{Value, json};

use super::bed::Season;

/// Long enough for every change to come to its end, and for what is terminated to be forgotten by its vendor.
const HOURS: f64 = 3.0 * 3_600.0;

async fn told(face: FaceName) {
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.inventory().await;
    let mut instances =
        before.values().filter(|found| found["kind"] == "compute_instance" && found["state"] == "running");
    let (tagged, ended) = (instances.next().unwrap(), instances.next().unwrap());
    let text = |found: &Value, name: &str| found[name].as_str().unwrap().to_owned();

    season.change(
        &text(tagged, "region"),
        &text(tagged, "native_id"),
        &text(ended, "native_id"),
        "a-disk-of-the-story",
    );
    season.advance(HOURS);
    let operation = season.synced().await;

    let after = season.inventory().await;
    assert_eq!(after[&text(tagged, "native_id")]["tags"]["story"], "told");
    assert!(!after.contains_key(&text(ended, "native_id")), "it is still there");
    let made: Vec<_> = after.values().filter(|found| found["name"] == "a-disk-of-the-story").collect();
    assert_eq!(
        (made.len(), made[0]["kind"].as_str(), made[0]["attributes"]["size_gib"].as_i64()),
        (1, Some("disk"), Some(12))
    );
    assert!(operation["progress"]["resources_changed"].as_i64() >= Some(1), "{operation:#}");

    let versions = season.history(&text(tagged, "id")).await;
    assert!(versions.len() >= 2, "{versions:#?}");
    assert_eq!(versions[0]["resource"]["tags"]["story"], "told", "{versions:#?}");
    let change = &versions[0]["changes"];
    assert_eq!(change, &json!([{ "field": "tags.story", "after": "told" }]), "{versions:#?}");
    assert_eq!(versions.last().unwrap()["resource"]["tags"]["story"], Value::Null);
    let versions = season.history(&text(ended, "id")).await;
    assert_eq!(
        (versions[0]["ended"].as_str(), versions[0]["valid_to"].is_string()),
        (Some("deleted"), true),
        "{versions:#?}"
    );
    // Its own end, and nobody else's.
    let gone: Vec<_> = before.keys().filter(|id| !after.contains_key(*id)).collect();
    assert!(gone.contains(&&text(ended, "native_id")) && gone.len() <= 4, "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_is_connected_changed_by_boto3_and_seen_to_have_changed() {
    told(FaceName::Aws).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_is_connected_changed_by_its_own_client_and_seen_to_have_changed() {
    told(FaceName::Azure).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_is_connected_changed_by_its_own_client_and_seen_to_have_changed() {
    told(FaceName::Google).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hetzner_is_connected_changed_by_its_own_client_and_seen_to_have_changed() {
    told(FaceName::Hetzner).await;
}
