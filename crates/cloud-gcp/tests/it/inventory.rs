//! What the inventory says of the world `wedding-season`.

use std::collections::{BTreeMap, BTreeSet};

use marquee_cloud_gcp::inventory::mapping::{ATTRIBUTES, RELATIONS};
use marquee_clouds::conformance::Collected;

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
    let inventory = cloud.inventory().unwrap();
    let (mut attributes, mut relations) = (BTreeMap::<_, BTreeSet<String>>::new(), BTreeSet::new());
    let mut known = BTreeSet::new();
    let mut targets = BTreeSet::new();
    for scope in inventory.scopes(&[]).await.unwrap() {
        let mut collected = Collected::default();
        inventory.list(&scope, &mut collected).await.unwrap();
        for observed in collected.resources {
            let names = observed.attributes.keys().cloned();
            attributes.entry(observed.kind).or_default().extend(names);
            for relation in observed.relations {
                relations.insert(format!(
                    "{} {} {}",
                    observed.kind,
                    relation.relation.as_str(),
                    relation.kind
                ));
                targets.insert((relation.kind, relation.target, observed.native_id.clone()));
            }
            known.insert((observed.kind, observed.native_id));
        }
    }
    let declared: BTreeSet<String> = ATTRIBUTES
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |(name, _)| format!("{kind}.{name}")))
        .chain(RELATIONS.iter().map(|(from, word, to, _)| format!("{from} {word} {to}")))
        .filter(|name| !UNSEEN.contains(&name.as_str()))
        .collect();
    let seen: BTreeSet<String> = attributes
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}.{name}")))
        .chain(relations)
        .collect();
    let undeclared: Vec<_> = seen.difference(&declared).collect();
    let unseen: Vec<_> = declared.difference(&seen).collect();
    assert!(undeclared.is_empty() && unseen.is_empty(), "undeclared: {undeclared:#?}\nunseen: {unseen:#?}");
    // Images of the vendor's are not the account's own.
    let lost: Vec<_> = targets
        .iter()
        .filter(|(kind, id, _)| {
            *kind != marquee_types::ResourceKind::Image && !known.contains(&(*kind, id.clone()))
        })
        .collect();
    assert!(lost.is_empty(), "relations to what is not there: {lost:#?}");
}
