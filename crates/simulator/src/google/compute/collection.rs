//! The collections of Compute: what each is called, where it lies, and how its things are shown.

use serde_json::{Map, Value};

use super::{disk, group, link::Link, operation};
use crate::{
    estate::Thing,
    google::call::{Call, fingerprint},
};
use chrono::{DateTime, Utc};

/// Where the things of a collection lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In a zone.
    Zone,
    /// In a region.
    Region,
    /// In no place.
    Global,
    /// In a region, or in none: those are another collection of the same things (`globalAddresses`).
    RegionOrGlobal,
}

/// Tells members that follow from the time.
pub type Shown = fn(&Thing, DateTime<Utc>) -> Map<String, Value>;

/// One collection.
#[derive(Debug)]
pub struct Collection {
    /// Its name in paths.
    pub name: &'static str,
    /// The word for one of its things, of which `kind`s and parameters are made.
    pub word: &'static str,
    /// Where they lie.
    pub scope: Scope,
    /// Whether a thing's state is told as `status`.
    pub has_status: bool,
    /// Whether things have labels.
    pub has_labels: bool,
    /// What of a thing follows from the time or from other members.
    pub shown: Option<Shown>,
    /// Collections whose things name a thing of this one by its link, and so keep it from being deleted.
    pub named_by: &'static [&'static str],
}

const PLAIN: Collection = Collection {
    name: "",
    word: "",
    scope: Scope::Global,
    has_status: false,
    has_labels: false,
    shown: None,
    named_by: &[],
};

/// All of them, but for places and what is in a catalog.
pub static COLLECTIONS: &[Collection] = &[
    Collection {
        name: "instances",
        word: "instance",
        scope: Scope::Zone,
        has_status: true,
        has_labels: true,
        named_by: &["targetPools"],
        ..PLAIN
    },
    Collection {
        name: "disks",
        word: "disk",
        scope: Scope::Zone,
        has_status: true,
        has_labels: true,
        shown: Some(disk::shown),
        ..PLAIN
    },
    Collection { name: "snapshots", word: "snapshot", has_status: true, has_labels: true, ..PLAIN },
    Collection { name: "images", word: "image", has_status: true, has_labels: true, ..PLAIN },
    Collection {
        name: "networks",
        word: "network",
        named_by: &[
            "subnetworks",
            "instances",
            "firewalls",
            "forwardingRules",
            "addresses",
            "instanceTemplates",
            "regionBackendServices",
        ],
        ..PLAIN
    },
    Collection {
        name: "subnetworks",
        word: "subnetwork",
        scope: Scope::Region,
        named_by: &["instances", "forwardingRules", "addresses", "instanceTemplates"],
        ..PLAIN
    },
    Collection { name: "firewalls", word: "firewall", ..PLAIN },
    Collection {
        name: "addresses",
        word: "address",
        scope: Scope::RegionOrGlobal,
        has_status: true,
        has_labels: true,
        ..PLAIN
    },
    Collection {
        name: "forwardingRules",
        word: "forwardingRule",
        scope: Scope::RegionOrGlobal,
        has_labels: true,
        ..PLAIN
    },
    Collection {
        name: "healthChecks",
        word: "healthCheck",
        named_by: &["backendServices", "targetPools"],
        ..PLAIN
    },
    Collection {
        name: "backendServices",
        word: "backendService",
        scope: Scope::RegionOrGlobal,
        named_by: &["forwardingRules"],
        ..PLAIN
    },
    Collection {
        name: "targetPools",
        word: "targetPool",
        scope: Scope::Region,
        named_by: &["forwardingRules", "instanceGroupManagers"],
        ..PLAIN
    },
    Collection {
        name: "instanceGroups",
        word: "instanceGroup",
        scope: Scope::Zone,
        named_by: &["backendServices"],
        ..PLAIN
    },
    Collection {
        name: "instanceGroupManagers",
        word: "instanceGroupManager",
        scope: Scope::Zone,
        shown: Some(group::shown),
        named_by: &["autoscalers"],
        ..PLAIN
    },
    Collection {
        name: "instanceTemplates",
        word: "instanceTemplate",
        named_by: &["instanceGroupManagers"],
        ..PLAIN
    },
    Collection { name: "autoscalers", word: "autoscaler", scope: Scope::Zone, has_status: true, ..PLAIN },
    Collection { name: "operations", word: "operation", shown: Some(operation::shown), ..PLAIN },
];

impl Collection {
    /// The collection that an operation is about: `globalAddresses` are addresses, `zoneOperations` operations.
    pub fn of_operation(operation: &str) -> Option<&'static Self> {
        let noun = operation.split('.').nth(1)?;
        Self::named(match noun {
            "globalAddresses" => "addresses",
            "globalForwardingRules" => "forwardingRules",
            "regionBackendServices" => "backendServices",
            "zoneOperations" | "regionOperations" | "globalOperations" => "operations",
            other => other,
        })
    }

    /// By its name in paths.
    pub fn named(name: &str) -> Option<&'static Self> {
        COLLECTIONS.iter().find(|collection| collection.name == name)
    }

    /// The shelf's name in the estate.
    pub fn shelf(&self) -> String {
        format!("compute.{}", self.name)
    }

    /// The link of a thing.
    pub fn link(&self, call: &Call<'_>, thing: &Thing) -> Link {
        Link::new(call.project(), &thing.place, self.name, &thing.id)
    }

    /// A thing as JSON text: what is kept of it, with what follows from the time. Most of a listing is copied.
    pub fn text(&self, thing: &Thing, now: DateTime<Utc>) -> String {
        let kept = thing.body.text();
        let mut text = String::with_capacity(kept.len() + 160);
        text.push_str(&kept[..kept.len() - 1]);
        let mut add = |name: &str, value: &str| {
            if !text.ends_with('{') {
                text.push(',');
            }
            text.extend(["\"", name, "\":", value]);
        };
        if self.has_status {
            add("status", &format!("\"{}\"", thing.state(now)));
        }
        if self.has_labels {
            if !thing.tags.is_empty() {
                add("labels", &thing.tags.iter().map(|(k, v)| (&**k, &**v)).collect::<Value>().to_string());
            }
            add("labelFingerprint", &format!("\"{}\"", label_fingerprint(thing)));
        }
        for (name, value) in self.shown.map(|shown| shown(thing, now)).unwrap_or_default() {
            add(&name, &value.to_string());
        }
        text.push('}');
        text
    }

    /// The same as a value.
    pub fn value(&self, thing: &Thing, now: DateTime<Utc>) -> Value {
        serde_json::from_str(&self.text(thing, now)).unwrap_or_default()
    }
}

/// What a client must send back to change the labels.
pub fn label_fingerprint(thing: &Thing) -> String {
    let parts: Vec<&str> = thing.tags.iter().flat_map(|(k, v)| [&**k, &**v]).collect();
    fingerprint(&[&["labels"], parts.as_slice()].concat())
}
