//! Compute Engine: machines, disks, networks, and the operations that change them.
//!
//! A thing is known by its name and place. Every change answers with an operation and is refused at once if the
//! request is wrong; what cannot be had although the request is right (no machine left in the zone, a quota) is told by
//! the operation when it is done.

pub mod balance;
pub mod capacity;
pub mod change;
pub mod collection;
pub mod disk;
pub mod group;
pub mod image;
pub mod instance;
pub mod interface;
pub mod link;
pub mod network;
pub mod operation;
pub mod place;
pub mod power;
pub mod read;

use super::call::{
    Call,
    Handler::{self, Read, Write},
    Outcome,
};
use crate::estate::Estate;

/// Who answers an operation of Compute: `noun` is a collection, `verb` what is done.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("projects", "get") => Read(place::project),
        ("zones" | "regions" | "machineTypes" | "diskTypes", "get") => Read(place::get),
        ("zones" | "regions" | "machineTypes" | "diskTypes", "list") => Read(place::list),
        ("machineTypes" | "diskTypes", "aggregatedList") => Read(place::aggregated),
        ("zoneOperations" | "regionOperations" | "globalOperations", "get") => Read(operation::get),
        ("zoneOperations" | "regionOperations" | "globalOperations", "wait") => Read(operation::wait),
        ("images", "get") => Read(image::get),
        ("images", "list") => Read(image::list),
        ("images", "getFromFamily") => Read(image::from_family),
        ("backendServices" | "regionBackendServices", "getHealth") => Read(balance::health),
        ("targetPools", "getHealth") => Read(balance::pool_health),
        ("instanceGroups", "listInstances") => Read(group::instances),
        ("instanceGroupManagers", "listManagedInstances") => Read(group::managed),
        (_, "get") => Read(read::get),
        (_, "list") => Read(read::list),
        (_, "aggregatedList") => Read(read::aggregated),
        (_, "setLabels") => Write(change::set_labels),
        (_, "insert") => return insert(noun),
        (_, "delete") => Write(delete(noun)),
        ("disks", "resize") => Write(disk::resize),
        ("disks", "createSnapshot") => Write(disk::create_snapshot),
        ("instanceGroupManagers", "resize") => Write(group::resize),
        ("autoscalers", "patch") => Write(group::patch_autoscaler),
        ("targetPools", "addInstance") => Write(balance::add_instance),
        ("targetPools", "removeInstance") => Write(balance::remove_instance),
        ("instances", verb) => Write(match verb {
            "stop" => power::stop,
            "start" => power::start,
            "reset" => power::reset,
            "setMachineType" => power::set_machine_type,
            "setTags" => power::set_tags,
            "setMetadata" => power::set_metadata,
            "setDeletionProtection" => power::set_deletion_protection,
            "attachDisk" => power::attach_disk,
            "detachDisk" => power::detach_disk,
            _ => return None,
        }),
        _ => return None,
    })
}

fn insert(noun: &str) -> Option<Handler> {
    Some(Write(match noun {
        "instances" => instance::insert,
        "disks" => disk::insert,
        "snapshots" => disk::insert_snapshot,
        "images" => image::insert,
        "networks" => network::insert,
        "subnetworks" => network::insert_subnetwork,
        "firewalls" => network::insert_firewall,
        "addresses" | "globalAddresses" => network::insert_address,
        "forwardingRules" | "globalForwardingRules" => balance::insert_rule,
        "healthChecks" => balance::insert_check,
        "backendServices" | "regionBackendServices" => balance::insert_service,
        "targetPools" => balance::insert_pool,
        "instanceGroupManagers" => group::insert,
        "instanceTemplates" => group::insert_template,
        "autoscalers" => group::insert_autoscaler,
        _ => return None,
    }))
}

fn delete(noun: &str) -> fn(&Call<'_>, &mut Estate) -> Outcome {
    match noun {
        "instances" => power::delete,
        "disks" => disk::delete,
        "networks" => network::delete,
        "subnetworks" => network::delete_subnetwork,
        "addresses" | "globalAddresses" => network::delete_address,
        "forwardingRules" | "globalForwardingRules" => balance::delete_rule,
        "instanceGroupManagers" => group::delete,
        _ => change::delete,
    }
}
