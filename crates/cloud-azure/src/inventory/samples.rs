//! Normalisers on samples of what Azure says, for what the simulator's world does not have.

use marquee_clouds::Observed;
use serde_json::{Value, json};

use super::{Known, LISTINGS, Listing, compute::Machines};

const GROUP: &str = "/subscriptions/S/resourceGroups/RG/providers";

/// What a listing makes of an item.
fn read(scope: &str, item: Value, known: &Known) -> Vec<Observed> {
    let listing: &Listing = LISTINGS.iter().find(|listing| listing.scope == scope).unwrap();
    (listing.read)(item, known)
}

#[expect(clippy::needless_pass_by_value, reason = "samples are written where they are used")]
fn item(kind: &str, properties: Value) -> Value {
    json!({ "id": format!("{GROUP}/{kind}/x"), "name": "x", "location": "West Europe", "properties": properties })
}

fn relations(observed: &Observed) -> Vec<String> {
    let told = observed.relations.iter();
    told.map(|relation| format!("{} {} {}", relation.relation.as_str(), relation.kind, relation.target))
        .collect()
}

fn small(path: &str) -> String {
    format!("/subscriptions/s/resourcegroups/rg/providers/{path}").to_lowercase()
}

#[test]
fn a_spot_machine_of_an_image_behind_a_security_group() {
    let interface = json!({ "id": format!("{GROUP}/Microsoft.Network/networkInterfaces/n"), "properties": {
        "networkSecurityGroup": { "id": format!("{GROUP}/Microsoft.Network/networkSecurityGroups/g") } } });
    let known = Known { machines: Machines::of_interfaces(&[interface]), ..Known::default() };
    let machine = item(
        "Microsoft.Compute/virtualMachines",
        json!({ "priority": "Spot",
        "storageProfile": { "imageReference": { "id": format!("{GROUP}/Microsoft.Compute/images/i") } },
        "networkProfile": { "networkInterfaces": [
            { "id": format!("{GROUP}/Microsoft.Network/networkInterfaces/N") }] } }),
    );
    let found = read("compute/virtual-machines", machine, &known).remove(0);
    assert_eq!(found.attributes["lifecycle"], "Spot");
    assert_eq!(
        relations(&found),
        [
            format!("protected_by security_group {}", small("Microsoft.Network/networkSecurityGroups/g")),
            format!("created_from image {}", small("Microsoft.Compute/images/i")),
        ]
    );
}

#[test]
fn copies_name_what_they_were_copied_from() {
    let snapshot = format!("{GROUP}/Microsoft.Compute/snapshots/s");
    let disk = item(
        "Microsoft.Compute/disks",
        json!({
        "creationData": { "createOption": "Copy", "sourceResourceId": snapshot } }),
    );
    let image = item(
        "Microsoft.Compute/images",
        json!({
        "storageProfile": { "osDisk": { "osType": "Linux", "snapshot": { "id": snapshot } } } }),
    );
    let expected = [format!("created_from snapshot {}", small("Microsoft.Compute/snapshots/s"))];
    assert_eq!(relations(&read("compute/disks", disk, &Known::default())[0]), expected);
    assert_eq!(relations(&read("compute/images", image, &Known::default())[0]), expected);
}

#[test]
fn an_inner_load_balancer_and_a_named_address() {
    let subnet = format!("{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/s");
    let balancer = item(
        "Microsoft.Network/loadBalancers",
        json!({ "frontendIPConfigurations": [
        { "properties": { "subnet": { "id": subnet } } }] }),
    );
    let found = read("network/load-balancers", balancer, &Known::default()).remove(0);
    assert_eq!(found.attributes["scheme"], "internal");
    let member = format!("member_of subnet {}", small("Microsoft.Network/virtualNetworks/v/subnets/s"));
    assert_eq!(relations(&found), [member]);
    let address = item(
        "Microsoft.Network/publicIPAddresses",
        json!({
        "dnsSettings": { "fqdn": "front.westeurope.cloudapp.azure.com" } }),
    );
    let found = read("network/public-ip-addresses", address, &Known::default()).remove(0);
    assert_eq!(found.attributes["public_dns"], "front.westeurope.cloudapp.azure.com");
}

#[test]
fn a_server_in_a_network_with_fast_storage() {
    let subnet = format!("{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/s");
    let server = item(
        "Microsoft.DBforPostgreSQL/flexibleServers",
        json!({ "state": "Ready",
        "storage": { "type": "PremiumV2_LRS" }, "network": { "delegatedSubnetResourceId": subnet } }),
    );
    let found = read("postgresql/servers", server, &Known::default()).remove(0);
    assert_eq!(found.attributes["storage_type"], "PremiumV2_LRS");
    assert_eq!(found.region, "westeurope");
    let member = format!("member_of subnet {}", small("Microsoft.Network/virtualNetworks/v/subnets/s"));
    assert_eq!(relations(&found), [member]);
}

#[test]
fn what_has_no_id_is_no_resource() {
    for listing in LISTINGS {
        assert!((listing.read)(json!({ "name": "x" }), &Known::default()).is_empty(), "{}", listing.scope);
        assert!((listing.read)(json!("x"), &Known::default()).is_empty(), "{}", listing.scope);
    }
}
