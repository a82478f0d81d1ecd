//! Changing things: the suite that every adapter runs, against the simulator.

use std::sync::Arc;

use marquee_clouds::{
    changes::spec::{DatabaseSpec, InstanceSpec},
    conformance::{Gap, changes::Stage},
};
use marquee_simulator::Simulator;
use serde_json::{Map, Value, json};

use crate::bed::{SUBSCRIPTION, cloud, connection, simulator};

/// The resource group of the world in its first location.
pub const GROUP: &str = "orangery-events-westeurope";

/// The domain of the world's zone there.
pub const DOMAIN: &str = "venues.orangery.example";

/// The id of something in it, as the inventory gives it.
pub fn id(kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{kind}/{name}").to_lowercase()
}

/// Extensions that name it.
pub fn in_group() -> Map<String, Value> {
    [("resource_group".to_owned(), json!(GROUP))].into_iter().collect()
}

/// An instance that can be made.
pub fn instance() -> InstanceSpec {
    InstanceSpec {
        size: "Standard_D2s_v5".to_owned(),
        image: "Canonical:ubuntu-24_04-lts:server:latest".to_owned(),
        subnet: Some(id("Microsoft.Network/virtualNetworks", "main/subnets/zone-1")),
        security_groups: vec![id("Microsoft.Network/networkSecurityGroups", "main-nsg")],
        public_ip: true,
        boot_disk_gib: Some(64),
        ssh_key: Some("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 someone".to_owned()),
        ..InstanceSpec::default()
    }
}

/// A database that can be made.
pub fn database() -> DatabaseSpec {
    DatabaseSpec {
        engine: "postgres".to_owned(),
        engine_version: Some("16".to_owned()),
        size: "Standard_D2ds_v5".to_owned(),
        storage_gib: 64,
        admin_name: "keeper".to_owned(),
        backup_retention_days: Some(14),
        extensions: in_group(),
        ..DatabaseSpec::default()
    }
}

async fn stage() -> Stage {
    on(simulator().await)
}

/// A stage on a simulator.
pub fn on(simulator: Arc<Simulator>) -> Stage {
    let clock = Arc::clone(&simulator);
    Stage {
        cloud: cloud(&connection(&simulator, |_| {})),
        region: "westeurope".to_owned(),
        zone: Some("1".to_owned()),
        instance: instance(),
        other_size: "Standard_D4s_v5".to_owned(),
        database: database(),
        other_database_size: "Standard_D4ds_v5".to_owned(),
        bucket: "changingguests".to_owned(),
        dns: (id("Microsoft.Network/dnsZones", DOMAIN), format!("changes.{DOMAIN}")),
        target_group: Some(id("Microsoft.Network/loadBalancers", "front/backendAddressPools/machines")),
        let_time_pass: Box::new(move || clock.advance(30.0).unwrap()),
        gaps: GAPS,
        keep: Box::new(simulator),
    }
}

/// What the suite cannot ask of Azure.
const GAPS: &[Gap] = &[Gap {
    check: "a_scaling_group_lives",
    scope: "min and max",
    what: "least and most are autoscale settings, beside the scale set",
}];

marquee_clouds::changes_conformance!(stage());
