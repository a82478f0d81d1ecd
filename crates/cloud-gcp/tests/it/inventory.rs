//! What the inventory says of the world `wedding-season`.

use marquee_cloud_gcp::inventory::mapping::{ATTRIBUTES, RELATIONS};
use marquee_clouds::conformance::survey;

use crate::bed::{cloud, connection, simulator};

/// Attributes and relations that no resource of the world has: they are read from samples beside the normalisers.
const UNSEEN: &[&str] = &[
    "compute_instance.description",
    "compute_instance.lifecycle",
    "compute_instance.public_ip",
    "database member_of network",
    "disk created_from snapshot",
    "disk.description",
    "disk.iops",
    "disk.throughput_mib_per_second",
    "dns_zone member_of network",
    "image created_from disk",
    "image created_from snapshot",
    "image.description",
    "load_balancer member_of network",
    "load_balancer member_of subnet",
    "load_balancer.description",
    "load_balancer.private_ip",
    "network.cidr",
    "network.description",
    "public_ip attached_to compute_instance",
    "public_ip attached_to load_balancer",
    "public_ip.description",
    "scaling_group.description",
    "security_group.description",
    "snapshot.description",
    "subnet.description",
    "target_group.description",
];

#[tokio::test]
async fn every_attribute_and_relation_of_the_mapping_is_seen_and_no_other() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    survey::mapping_is_seen(&*cloud, ATTRIBUTES, RELATIONS, UNSEEN).await;
}
