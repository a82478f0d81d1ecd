//! What the simulated world does not have: read from samples.

use marquee_clouds::Observed;
use marquee_types::ResourceState;
use serde_json::{Value, json};

use super::LISTINGS;

/// What a listing makes of an item.
fn read(scope: &str, word: &str, item: Value) -> Vec<Observed> {
    let listing = LISTINGS.iter().find(|listing| listing.scope == scope).unwrap();
    (listing.read)(item, word).unwrap()
}

fn relations(observed: &Observed) -> Vec<String> {
    let told = observed.relations.iter();
    told.map(|one| format!("{} {} {}", one.relation.as_str(), one.kind, one.target)).collect()
}

#[test]
fn a_server_of_a_snapshot_with_a_name_of_its_own() {
    let found = read(
        "servers",
        "server",
        json!({ "id": 7, "name": "x", "status": "migrating", "created": "2026-01-01T00:00:00Z",
            "location": { "name": "fsn1" }, "image": { "id": 9, "type": "backup", "os_flavor": "debian" },
            "server_type": { "name": "cx23", "cores": 2, "memory": 3.5 }, "locked": true,
            "public_net": { "ipv4": { "ip": "203.0.113.5", "dns_ptr": "x.example.com" }, "firewalls": [] } }),
    );
    let [server] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((server.native_id.as_str(), server.region.as_str()), ("hetzner:server/7", "fsn1"));
    assert_eq!(server.attributes["public_dns"], "x.example.com");
    assert_eq!(server.attributes["memory_mib"], 3584);
    assert_eq!(relations(server), ["created_from snapshot hetzner:image/9"]);
    assert_eq!(server.state, ResourceState::Updating);
    assert!(!server.raw.as_str().contains("locked"), "{:?}", server.raw);
}

#[test]
fn addresses_and_load_balancers_with_names_on_the_internet() {
    let found = read(
        "public-ips",
        "primary_ip",
        json!({ "id": 1, "name": "ip", "ip": "203.0.113.5", "type": "ipv4", "assignee_id": null,
            "dns_ptr": [{ "ip": "203.0.113.5", "dns_ptr": "ip.example.com" }] }),
    );
    assert_eq!(found[0].attributes["public_dns"], "ip.example.com");
    assert_eq!((found[0].state, found[0].relations.len()), (ResourceState::Available, 0));
    let target = |id: u64| json!({ "type": "server", "server": { "id": id } });
    let found = read(
        "load-balancers",
        "load_balancer",
        json!({ "id": 2, "name": "lb", "public_net": { "enabled": true, "ipv4": { "dns_ptr": "lb.example.com" } },
            "targets": [{ "type": "label_selector", "targets": [target(3), target(4)] }, target(5)] }),
    );
    assert_eq!(
        (&found[0].attributes["public_dns"], &found[0].attributes["targets"]),
        (&json!("lb.example.com"), &json!(3))
    );
    let servers = [3, 4, 5].map(|id| format!("routes_to compute_instance hetzner:server/{id}"));
    assert_eq!(relations(&found[0]), servers);
    let hidden =
        json!({ "id": 2, "name": "lb", "public_net": { "enabled": false, "ipv4": { "ip": "203.0.113.9" } } });
    let found = read("load-balancers", "load_balancer", hidden);
    assert_eq!(found[0].attributes["scheme"], "internal");
    assert!(!found[0].attributes.contains_key("public_ip"));
}

#[test]
fn an_image_of_hetzners_is_nobodys_snapshot() {
    let system = json!({ "id": 1, "type": "system", "name": "debian-12", "status": "available" });
    assert!(read("images", "image", system).is_empty());
}

#[test]
fn what_has_no_id_is_no_resource() {
    for listing in LISTINGS {
        let word = listing.of[0].one;
        assert!((listing.read)(json!({ "name": "x" }), word).is_none(), "{}", listing.scope);
        assert!((listing.read)(json!("x"), word).is_none(), "{}", listing.scope);
    }
}
