//! Servers, volumes, and the snapshots and backups of servers.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::Value;

use super::{Listing, SAID, collection, drafted, native_id, states::STATES};

/// Servers.
pub static SERVERS: Listing = Listing {
    scope: "servers",
    kind: ResourceKind::ComputeInstance,
    of: &[collection("servers", "server", ("servers.list", "servers.get"))],
    read: |item, word| Some(vec![server(item, word)?]),
};

/// Volumes.
pub static VOLUMES: Listing = Listing {
    scope: "volumes",
    kind: ResourceKind::Disk,
    of: &[collection("volumes", "volume", ("volumes.list", "volumes.get"))],
    read: |item, word| Some(vec![volume(item, word)?]),
};

/// Images that were made of servers' disks; Hetzner's own are none of the project's.
pub static IMAGES: Listing = Listing {
    scope: "images",
    kind: ResourceKind::Snapshot,
    of: &[crate::api::Collection {
        query: "&sort=id&type=snapshot&type=backup",
        ..collection("images", "image", ("images.list", "images.get"))
    }],
    read: image,
};

/// GB, which Hetzner writes as numbers that need not be whole.
fn whole(value: &Value, factor: f64) -> Option<u64> {
    let number = value.as_f64().filter(|number| (0.0..1e12).contains(number))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: it fits")]
    Some((number * factor).round() as u64)
}

fn server(item: Value, word: &str) -> Option<Observed> {
    let mut draft = drafted(ResourceKind::ComputeInstance, &item, word, "location")?;
    draft.state(STATES, item["status"].as_str());
    let (size, public) = (&item["server_type"], &item["public_net"]);
    draft.size(&size["name"]);
    draft.take("architecture", &size["architecture"]);
    draft.take("tenancy", &size["cpu_type"]);
    draft.number("vcpus", &size["cores"]);
    if let Some(memory) = whole(&size["memory"], 1024.0) {
        draft.set("memory_mib", memory);
    }
    draft.take("platform", &item["image"]["os_flavor"]);
    draft.take("public_ip", &public["ipv4"]["ip"]);
    draft.take("public_dns", &public["ipv4"]["dns_ptr"]);
    draft.take("private_ip", &item["private_net"][0]["ip"]);
    for net in item["private_net"].as_array().into_iter().flatten() {
        draft.relation(Relation::MemberOf, ResourceKind::Network, native_id("network", &net["network"]));
    }
    for firewall in public["firewalls"].as_array().into_iter().flatten() {
        let id = native_id("firewall", &firewall["id"]);
        draft.relation(Relation::ProtectedBy, ResourceKind::SecurityGroup, id);
    }
    let own = matches!(item["image"]["type"].as_str(), Some("snapshot" | "backup"));
    let kind = if own { ResourceKind::Snapshot } else { ResourceKind::Image };
    draft.relation(Relation::CreatedFrom, kind, native_id("image", &item["image"]["id"]));
    // The type and the image are things of their own; disks, addresses and load balancers tell what is theirs; traffic
    // and locks change by themselves.
    let omit = [
        "server_type",
        "image",
        "volumes",
        "load_balancers",
        "placement_group.servers",
        "public_net.floating_ips",
        "public_net.firewalls",
        "included_traffic",
        "ingoing_traffic",
        "outgoing_traffic",
        "locked",
        "datacenter",
    ];
    Some(draft.finish(item, &[SAID, &omit].concat()))
}

fn volume(item: Value, word: &str) -> Option<Observed> {
    let mut draft = drafted(ResourceKind::Disk, &item, word, "location")?;
    draft.state(STATES, item["status"].as_str());
    if let Some(size) = whole(&item["size"], 1.0) {
        draft.set("size_gib", size);
    }
    let server = native_id("server", &item["server"]);
    if draft.0.state == ResourceState::Available && server.is_some() {
        draft.0.state = ResourceState::InUse;
    }
    draft.relation(Relation::AttachedTo, ResourceKind::ComputeInstance, server);
    Some(draft.finish(item, &[SAID, &["size", "server"]].concat()))
}

/// Asked for by its id, an image may be one of Hetzner's own: that is nobody's snapshot.
fn image(item: Value, word: &str) -> Option<Vec<Observed>> {
    let mut draft = drafted(ResourceKind::Snapshot, &item, word, "location")?;
    if !matches!(item["type"].as_str(), Some("snapshot" | "backup")) {
        return Some(Vec::new());
    }
    draft.state(STATES, item["status"].as_str());
    draft.size(&item["type"]);
    draft.take("architecture", &item["architecture"]);
    if let Some(size) = whole(&item["disk_size"], 1.0) {
        draft.set("size_gib", size);
    }
    let server = native_id("server", &item["created_from"]["id"]);
    draft.relation(Relation::CreatedFrom, ResourceKind::ComputeInstance, server);
    Some(vec![draft.finish(item, &[SAID, &["type", "architecture", "disk_size"]].concat())])
}
