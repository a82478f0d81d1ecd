//! Holds the table of permissions against the operations that this adapter can call, in both directions.
//!
//! The operations are read off the source: every literal of the form `Disks_List` is one. The vendor's own schemas, as the
//! simulator has them, say path and method of each, from which the action follows by Azure's rule, in whatever capitals. So
//! a call that is added without its permission fails here, whether a test makes it or not.

use std::{collections::BTreeSet, fs, path::Path};

use marquee_clouds::Connector as _;
use marquee_simulator::azure::Azure;
use marquee_types::Clock;

use crate::{
    AzureConnector,
    changes::records::KINDS,
    permissions::{BESIDE, OBJECT_PERMISSIONS},
};

/// Every operation that the source names, without its tests.
fn called() -> BTreeSet<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("operations.rs") && !path.ends_with("samples.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                found.extend(product.split('"').filter(|word| is_operation(word)).map(str::to_owned));
            }
        }
    }
    found
}

/// `VirtualMachines_ListAll`.
fn is_operation(word: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.ends_with(|c: char| c.is_ascii_lowercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    word.split_once('_').is_some_and(|(noun, verb)| part(noun) && part(verb))
}

/// Each type of records is a type of its own in the rights to it.
fn of_records(operation: &str, action: &str) -> Vec<String> {
    if !operation.starts_with("RecordSets_") {
        return vec![action.to_owned()];
    }
    let of = |kind: &&str| action.replace("/dnszones/", &format!("/dnszones/{}/", kind.to_lowercase()));
    KINDS.iter().map(of).collect()
}

#[test]
fn the_permissions_are_those_of_the_operations_that_can_be_called() {
    let actions = Azure::new().actions();
    let action = |operation: &str| {
        let mut named = actions.iter().filter(|(name, _)| {
            name.rsplit('/').next().is_some_and(|short| short.eq_ignore_ascii_case(operation))
        });
        let (_, action) = named.next().unwrap_or_else(|| panic!("the schemas have no {operation}"));
        assert!(named.next().is_none(), "{operation} is of several services: look it up by service");
        action.to_lowercase()
    };
    let called = called();
    assert!(called.contains("VirtualMachines_ListAll"), "{called:?}");
    let needed: BTreeSet<String> =
        called.iter().flat_map(|operation| of_records(operation, &action(operation))).collect();
    drop(rustls::crypto::ring::default_provider().install_default());
    let groups = AzureConnector::new(Clock::system()).unwrap().permission_groups();
    let table: BTreeSet<String> = groups
        .iter()
        .flat_map(|group| group.permissions)
        .chain(OBJECT_PERMISSIONS)
        // What is done to a blob is no operation of the resource manager's, and in none of its schemas.
        .filter(|need| !need.permission.contains("/blobs/") && !BESIDE.contains(&need.permission))
        .map(|need| need.permission.to_lowercase())
        .collect();
    let lacking: Vec<_> = needed.difference(&table).collect();
    assert!(lacking.is_empty(), "called without a permission in permissions.rs: {lacking:?}");
    let unused: Vec<_> = table.difference(&needed).collect();
    assert!(unused.is_empty(), "asked for and never called: {unused:?}");
}
