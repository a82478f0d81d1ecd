//! What the inventory says of the world `wedding-season`.

use marquee_cloud_azure::inventory::mapping::{ATTRIBUTES, RELATIONS};
use marquee_clouds::conformance::survey;

use crate::bed::{cloud, connection, simulator};

/// Attributes and relations that no resource of the world has. All but the first, which takes a refusal, are read from
/// samples beside the normalisers.
const UNSEEN: &[&str] = &[
    "bucket.unread",
    "compute_instance created_from image",
    "compute_instance protected_by security_group",
    "compute_instance.lifecycle",
    "database member_of subnet",
    "database.storage_type",
    "disk created_from snapshot",
    "image created_from snapshot",
    "load_balancer member_of subnet",
    "public_ip.public_dns",
];

#[tokio::test]
async fn every_attribute_and_relation_of_the_mapping_is_seen_and_no_other() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    survey::mapping_is_seen(&*cloud, ATTRIBUTES, RELATIONS, UNSEEN).await;
}
