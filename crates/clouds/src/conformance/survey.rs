//! Whole inventories: what became of each scope, and whether attributes and relations are those that the documentation
//! says.

use std::collections::{BTreeMap, BTreeSet};

use marquee_types::ResourceKind;

use super::Collected;
use crate::{
    Cloud, ErrorKind, Observed,
    docs::{Attributes, Relations},
};

/// Lists every scope: those that succeeded, and those that failed with the kind of error.
pub async fn outcomes(cloud: &dyn Cloud) -> (BTreeSet<String>, Vec<(String, ErrorKind)>) {
    let inventory = cloud.inventory().unwrap_or_else(|| panic!("no inventory"));
    let (mut whole, mut failed) = (BTreeSet::new(), Vec::new());
    for scope in inventory.scopes(&[]).await.unwrap_or_else(|error| panic!("{error}")) {
        match inventory.list(&scope, &mut Collected::default()).await {
            Ok(()) => drop(whole.insert(scope.service)),
            Err(error) => failed.push((scope.service, error.kind)),
        }
    }
    (whole, failed)
}

/// Everything there is.
pub async fn everything(cloud: &dyn Cloud) -> Vec<Observed> {
    let inventory = cloud.inventory().unwrap_or_else(|| panic!("no inventory"));
    let mut collected = Collected::default();
    for scope in inventory.scopes(&[]).await.unwrap_or_else(|error| panic!("{error}")) {
        let listed = inventory.list(&scope, &mut collected).await;
        listed.unwrap_or_else(|error| panic!("{}: {error}", scope.service));
    }
    collected.resources
}

/// Every attribute and relation of the mapping is seen, but for those that are said to be `unseen`, and no other; and
/// relations lead to what is there, but for images, which may be the vendor's.
pub async fn mapping_is_seen(
    cloud: &dyn Cloud,
    attributes: Attributes,
    relations: Relations,
    unseen: &[&str],
) {
    let resources = everything(cloud).await;
    let mut seen = BTreeSet::new();
    let mut known: BTreeMap<ResourceKind, BTreeSet<&str>> = BTreeMap::new();
    for observed in &resources {
        seen.extend(observed.attributes.keys().map(|name| format!("{}.{name}", observed.kind)));
        let told = observed.relations.iter();
        seen.extend(told.map(|one| format!("{} {} {}", observed.kind, one.relation.as_str(), one.kind)));
        known.entry(observed.kind).or_default().insert(&observed.native_id);
    }
    let named = attributes
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |(name, _)| format!("{kind}.{name}")))
        .chain(relations.iter().map(|(from, word, to, _)| format!("{from} {word} {to}")));
    let declared: BTreeSet<String> = named.filter(|name| !unseen.contains(&name.as_str())).collect();
    let undeclared: Vec<_> = seen.difference(&declared).collect();
    let missing: Vec<_> = declared.difference(&seen).collect();
    assert!(undeclared.is_empty() && missing.is_empty(), "undeclared: {undeclared:#?}\nunseen: {missing:#?}");
    let is_there = |kind: ResourceKind, id: &str| known.get(&kind).is_some_and(|ids| ids.contains(id));
    let lost: Vec<_> = resources
        .iter()
        .flat_map(|observed| observed.relations.iter().map(move |one| (&observed.native_id, one)))
        .filter(|(_, one)| one.kind != ResourceKind::Image && !is_there(one.kind, &one.target))
        .collect();
    assert!(lost.is_empty(), "relations to what is not there: {lost:#?}");
}
