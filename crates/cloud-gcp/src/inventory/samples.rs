//! Normalisers on samples of what Google says, for what the simulator's world does not have.

use marquee_clouds::Observed;
use serde_json::{Value, json};

use super::LISTINGS;

const BASE: &str = "https://www.googleapis.com/compute/v1/projects/p";

/// What a listing makes of an item.
fn read(scope: &str, item: Value) -> Observed {
    let listing = LISTINGS.iter().find(|listing| listing.scope == scope).unwrap();
    (listing.read)(item, "p").unwrap()
}

/// An item of Compute Engine in a zone, with these members besides.
fn item(kind: &str, more: Value) -> Value {
    let mut item = json!({ "name": "x", "selfLink": format!("{BASE}/zones/europe-west1-b/{kind}/x"),
        "zone": format!("{BASE}/zones/europe-west1-b"), "description": "by hand" });
    let Value::Object(more) = more else { unreachable!("an object") };
    item.as_object_mut().unwrap().extend(more);
    item
}

fn relations(observed: &Observed) -> Vec<String> {
    let told = observed.relations.iter();
    told.map(|relation| format!("{} {} {}", relation.relation.as_str(), relation.kind, relation.target))
        .collect()
}

fn named(path: &str) -> String {
    format!("//compute.googleapis.com/projects/p/{path}")
}

#[test]
fn a_spot_instance_that_is_seen_from_outside() {
    let found = read(
        "compute/instances",
        item(
            "instances",
            json!({ "status": "RUNNING",
        "scheduling": { "provisioningModel": "SPOT" },
        "networkInterfaces": [{ "networkIP": "10.0.0.2", "accessConfigs": [{ "natIP": "203.0.113.5" }] }] }),
        ),
    );
    assert_eq!(found.attributes["lifecycle"], "spot");
    assert_eq!(found.attributes["public_ip"], "203.0.113.5");
    assert_eq!(found.attributes["description"], "by hand");
    assert_eq!((found.region.as_str(), found.zone.as_deref()), ("europe-west1", Some("europe-west1-b")));
}

#[test]
fn copies_name_what_they_were_copied_from() {
    let disk = read(
        "compute/disks",
        item(
            "disks",
            json!({ "sizeGb": "10", "provisionedIops": "3000",
        "provisionedThroughput": "140", "sourceSnapshot": format!("{BASE}/global/snapshots/s") }),
        ),
    );
    assert_eq!(
        (&disk.attributes["iops"], &disk.attributes["throughput_mib_per_second"]),
        (&json!(3000), &json!(140))
    );
    assert_eq!(relations(&disk), [format!("created_from snapshot {}", named("global/snapshots/s"))]);
    let image = read(
        "compute/images",
        item(
            "images",
            json!({ "sourceDisk": format!("{BASE}/zones/z/disks/d"),
        "sourceSnapshot": format!("{BASE}/global/snapshots/s") }),
        ),
    );
    let mut expected = [
        format!("created_from disk {}", named("zones/z/disks/d")),
        format!("created_from snapshot {}", named("global/snapshots/s")),
    ];
    let mut found = relations(&image);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn an_inner_load_balancer_before_a_backend() {
    let rule = read(
        "compute/forwarding-rules",
        item(
            "forwardingRules",
            json!({ "loadBalancingScheme": "INTERNAL",
        "IPAddress": "10.0.0.9", "IPProtocol": "TCP", "network": format!("{BASE}/global/networks/n"),
        "subnetwork": format!("{BASE}/regions/r/subnetworks/s") }),
        ),
    );
    assert_eq!(
        (&rule.attributes["scheme"], &rule.attributes["private_ip"]),
        (&json!("internal"), &json!("10.0.0.9"))
    );
    assert_eq!(
        relations(&rule),
        [
            format!("member_of network {}", named("global/networks/n")),
            format!("member_of subnet {}", named("regions/r/subnetworks/s")),
        ]
    );
    let service = read(
        "compute/backend-services",
        item(
            "backendServices",
            json!({ "protocol": "HTTP", "port": 80,
        "backends": [{ "group": format!("{BASE}/zones/z/instanceGroups/g") }] }),
        ),
    );
    assert_eq!((&service.attributes["port"], &service.attributes["targets"]), (&json!(80), &json!(1)));
    assert_eq!(
        relations(&service),
        [format!("routes_to scaling_group {}", named("zones/z/instanceGroupManagers/g"))]
    );
}

#[test]
fn addresses_say_what_uses_them_and_inner_ones_are_none_of_ours() {
    let used = |link: &str| {
        let users =
            json!({ "addressType": "EXTERNAL", "status": "IN_USE", "users": [format!("{BASE}/{link}")] });
        relations(&read("compute/addresses", item("addresses", users)))
    };
    assert_eq!(
        used("zones/z/instances/i"),
        [format!("attached_to compute_instance {}", named("zones/z/instances/i"))]
    );
    assert_eq!(
        used("regions/r/forwardingRules/f"),
        [format!("attached_to load_balancer {}", named("regions/r/forwardingRules/f"))]
    );
    let listing = LISTINGS.iter().find(|listing| listing.scope == "compute/addresses").unwrap();
    assert!((listing.read)(item("addresses", json!({ "addressType": "INTERNAL" })), "p").is_none());
}

#[test]
fn private_servers_and_zones_name_their_network() {
    let network = "projects/p/global/networks/n";
    let server = read(
        "sql/instances",
        json!({ "name": "d", "region": "europe-west1", "state": "RUNNABLE",
        "databaseVersion": "POSTGRES_16",
        "settings": { "activationPolicy": "NEVER", "ipConfiguration": { "privateNetwork": network } } }),
    );
    assert_eq!(relations(&server), [format!("member_of network {}", named("global/networks/n"))]);
    assert_eq!(server.state, marquee_types::ResourceState::Stopped);
    let zone = read(
        "dns/zones",
        json!({ "name": "z", "dnsName": "inner.example.", "visibility": "private",
        "privateVisibilityConfig": { "networks": [{ "networkUrl": format!("{BASE}/global/networks/n") }] } }),
    );
    assert_eq!(relations(&zone), [format!("member_of network {}", named("global/networks/n"))]);
    assert_eq!(zone.name, "inner.example");
}

#[test]
fn a_legacy_network_has_a_range_of_its_own() {
    let found = read("compute/networks", item("networks", json!({ "IPv4Range": "10.240.0.0/16" })));
    assert_eq!(found.attributes["cidr"], "10.240.0.0/16");
}

#[test]
fn what_has_no_name_is_no_resource() {
    for listing in LISTINGS {
        assert!((listing.read)(json!({ "kind": "x" }), "p").is_none(), "{}", listing.scope);
        assert!((listing.read)(json!("x"), "p").is_none(), "{}", listing.scope);
    }
}
