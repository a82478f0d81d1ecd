//! Buckets and DNS zones.

use marquee_clouds::{Observed, draft::Draft};
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::Value;

use super::Listing;
use crate::api::{Call, DNS, Items, STORAGE};

/// Buckets.
pub static BUCKETS: Listing = Listing {
    scope: "storage/buckets",
    kind: ResourceKind::Bucket,
    list: Call {
        api: &STORAGE,
        method: "storage.buckets.list",
        path: "/storage/v1/b",
        query: "project={project}&maxResults=1000",
        items: Items::List("items"),
    },
    get: Call {
        api: &STORAGE,
        method: "storage.buckets.get",
        path: "/storage/v1/b/{id}",
        query: "",
        items: Items::One,
    },
    service: "storage.googleapis.com",
    read: bucket,
    also: None,
};

/// Managed zones.
pub static ZONES: Listing = Listing {
    scope: "dns/zones",
    kind: ResourceKind::DnsZone,
    list: Call {
        api: &DNS,
        method: "dns.managedZones.list",
        path: "/dns/v1/projects/{project}/managedZones",
        query: "",
        items: Items::List("managedZones"),
    },
    get: Call {
        api: &DNS,
        method: "dns.managedZones.get",
        path: "/dns/v1/projects/{project}/{id}",
        query: "",
        items: Items::One,
    },
    service: "dns.googleapis.com",
    read: zone,
    also: None,
};

fn bucket(item: Value, _: &str) -> Option<Observed> {
    let name = item["name"].as_str()?;
    let location = item["location"].as_str().unwrap_or(super::GLOBAL).to_lowercase();
    let mut draft =
        Draft::new(ResourceKind::Bucket, &format!("//storage.googleapis.com/{name}"), name, &location);
    draft.tags(&item["labels"]);
    draft.created(&item["timeCreated"]);
    draft.size(&item["storageClass"]);
    draft.set("versioning", if item["versioning"]["enabled"] == true { "enabled" } else { "disabled" });
    let own_key = item["encryption"]["defaultKmsKeyName"].is_string();
    draft.set("encryption", if own_key { "sse-kms" } else { "sse-platform" });
    let guarded = &item["iamConfiguration"]["publicAccessPrevention"];
    if guarded.is_string() {
        draft.set("public", guarded != "enforced");
    }
    let omit = [
        "kind",
        "selfLink",
        "id",
        "name",
        "location",
        "labels",
        "timeCreated",
        "updated",
        "etag",
        "metageneration",
    ];
    Some(draft.finish(item, &omit))
}

fn zone(item: Value, project: &str) -> Option<Observed> {
    let name = item["name"].as_str()?;
    let id = format!("//dns.googleapis.com/projects/{project}/managedZones/{name}");
    // People know a zone by its domain.
    let domain = item["dnsName"].as_str().unwrap_or(name).trim_end_matches('.');
    let mut draft = Draft::new(ResourceKind::DnsZone, &id, domain, super::GLOBAL);
    draft.tags(&item["labels"]);
    draft.created(&item["creationTime"]);
    draft.take("description", &item["description"]);
    draft.set("private", item["visibility"] == "private");
    let networks = item["privateVisibilityConfig"]["networks"].as_array();
    for network in networks.into_iter().flatten() {
        draft.relation(
            Relation::MemberOf,
            ResourceKind::Network,
            super::compute_name(&network["networkUrl"]),
        );
    }
    Some(draft.finish(item, &["kind", "labels", "creationTime", "description"]))
}
