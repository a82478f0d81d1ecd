//! Holds the table of permissions against the methods that this adapter can call, in both directions.
//!
//! The methods are read off the source: every literal of the form `compute.disks.list` is one, which the vendor's schemas,
//! as the simulator has them, must know; and from it the permission follows by Google's rule. So a call that is added without its permission
//! fails here, whether a test makes it or not.

use std::{collections::BTreeSet, fs, path::Path};

use marquee_clouds::Connector as _;
use marquee_simulator::{
    Face as _,
    google::{Google, permission},
};

use crate::{GoogleConnector, permissions::OBJECT_PERMISSIONS};

/// Every method that the source names, without its tests and without the table itself.
fn called() -> BTreeSet<String> {
    let known: BTreeSet<String> = Google::new().routes().into_iter().collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !["operations.rs", "permissions.rs", "samples.rs"]
                .iter()
                .any(|name| path.ends_with(name))
            {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                found.extend(product.split('"').filter(|word| is_method(word)).map(str::to_owned));
            }
        }
    }
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "no methods of Google's: {unknown:?}");
    found
}

/// `compute.instances.aggregatedList`, and no host.
fn is_method(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let services = ["cloudbilling", "cloudresourcemanager", "compute", "dns", "monitoring", "sql", "storage"];
    services.contains(&parts[0])
        && parts.len() > 2
        && parts.iter().all(letters)
        && parts.last() != Some(&"com")
}

#[test]
fn the_permissions_are_those_of_the_methods_that_can_be_called() {
    let called = called();
    assert!(called.contains("compute.instances.aggregatedList"), "{called:?}");
    let mut needed: BTreeSet<String> = called.iter().filter_map(|method| permission::of(method)).collect();
    let besides = called.iter().flat_map(|method| permission::also(method));
    needed.extend(besides.map(|permission| (*permission).to_owned()));
    drop(rustls::crypto::ring::default_provider().install_default());
    let groups = GoogleConnector::new().unwrap().permission_groups();
    let table: BTreeSet<String> = groups
        .iter()
        .flat_map(|group| group.permissions)
        .chain(OBJECT_PERMISSIONS)
        .map(|need| need.permission.to_owned())
        .collect();
    let lacking: Vec<_> = needed.difference(&table).collect();
    assert!(lacking.is_empty(), "called without a permission in permissions.rs: {lacking:?}");
    let unused: Vec<_> = table.difference(&needed).collect();
    assert!(unused.is_empty(), "asked for and never called: {unused:?}");
}
