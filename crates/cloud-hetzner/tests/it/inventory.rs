//! What the inventory says of the world `staging`.

use std::collections::BTreeSet;

use marquee_cloud_hetzner::inventory::mapping::{ATTRIBUTES, RELATIONS};
use marquee_clouds::conformance::survey;
use marquee_types::ResourceKind;
use serde_json::json;

use crate::bed::{PROJECT, cloud, connection, opened, simulator, token};

/// Attributes and relations that no resource of the world has: they are read from samples beside the normalisers.
const UNSEEN: &[&str] = &[
    "compute_instance created_from snapshot",
    "compute_instance.public_dns",
    "load_balancer.public_dns",
    "public_ip.public_dns",
];

#[tokio::test]
async fn every_attribute_and_relation_of_the_mapping_is_seen_and_no_other() {
    let simulator = simulator().await;
    survey::mapping_is_seen(&*opened(&simulator), ATTRIBUTES, RELATIONS, UNSEEN).await;
}

#[tokio::test]
async fn a_connection_for_one_location_leaves_out_the_others() {
    let simulator = simulator().await;
    let limited = connection(&simulator, &token(&simulator, "token"), |settings| {
        settings["regions"] = json!(["hel1"]);
    });
    let found = survey::everything(&*cloud(&limited)).await;
    let regions: BTreeSet<_> = found.iter().map(|observed| observed.region.as_str()).collect();
    assert_eq!(regions, BTreeSet::from(["global", "hel1"]));
    let servers = found.iter().filter(|observed| observed.kind == ResourceKind::ComputeInstance).count();
    assert_eq!(servers, 13);
}

#[tokio::test]
async fn a_token_that_only_reads_is_enough_and_the_project_has_the_id_that_people_say() {
    let simulator = simulator().await;
    let reader = token(&simulator, "read_only_token");
    let cloud = cloud(&connection(&simulator, &reader, |settings| settings["project_id"] = json!(PROJECT)));
    assert_eq!(survey::outcomes(&*cloud).await.1, []);
    let identity = cloud.identity().await.unwrap();
    assert_eq!(identity.account, PROJECT);
    assert!(identity.principal.starts_with("API token sha256:"), "{identity:?}");
    assert!(!format!("{identity:?}").contains(&reader), "{identity:?}");
    let unnamed = opened(&simulator).identity().await.unwrap();
    assert!(unnamed.account.starts_with("project of API token sha256:"), "{unnamed:?}");
    assert_ne!(unnamed.principal, identity.principal);
}
