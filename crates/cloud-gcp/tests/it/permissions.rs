//! The role that Marquee asks for is enough, and none of it can be left out: the simulator denies what a caller lacks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use marquee_cloud_gcp::{GoogleConnector, permissions::PERMISSIONS};
use marquee_clouds::{
    Cloud, Connector as _, PermissionStatus, PolicyFormat, PolicyRequest,
    rights::{Baseline, table},
};
use marquee_simulator::Simulator;
use serde_json::{Value, json};

use crate::bed::{a_minute, api, cloud, connection, simulator};

/// What does not work without a permission.
const BREAKS: &[(&str, &[&str])] = &[
    ("cloudsql.backupRuns.get", &["look up sql/backups"]),
    ("cloudsql.backupRuns.list", &["list sql/backups"]),
    ("cloudsql.instances.get", &["look up sql/backups", "look up sql/instances"]),
    ("cloudsql.instances.list", &["list sql/backups", "list sql/instances"]),
    ("compute.addresses.get", &["look up compute/addresses"]),
    ("compute.addresses.list", &["list compute/addresses"]),
    ("compute.backendServices.get", &["look up compute/backend-services"]),
    ("compute.backendServices.list", &["list compute/backend-services"]),
    ("compute.disks.get", &["look up compute/disks"]),
    ("compute.disks.list", &["list compute/disks"]),
    ("compute.firewalls.get", &["look up compute/firewalls"]),
    ("compute.firewalls.list", &["list compute/firewalls"]),
    ("compute.forwardingRules.get", &["look up compute/forwarding-rules"]),
    ("compute.forwardingRules.list", &["list compute/forwarding-rules"]),
    ("compute.globalAddresses.get", &["look up compute/addresses"]),
    ("compute.globalForwardingRules.get", &["look up compute/forwarding-rules"]),
    ("compute.images.get", &["look up compute/images"]),
    ("compute.images.list", &["list compute/images"]),
    ("compute.instanceGroupManagers.get", &["look up compute/instance-group-managers"]),
    ("compute.instanceGroupManagers.list", &["list compute/instance-group-managers"]),
    ("compute.instances.get", &["look up compute/instances"]),
    ("compute.instances.list", &["list compute/instances"]),
    ("compute.machineTypes.get", &["list compute/instances", "look up compute/instances"]),
    ("compute.networks.get", &["look up compute/networks"]),
    ("compute.networks.list", &["list compute/networks"]),
    ("compute.regionBackendServices.get", &["look up compute/backend-services"]),
    ("compute.regions.list", &["regions"]),
    ("compute.snapshots.get", &["look up compute/snapshots"]),
    ("compute.snapshots.list", &["list compute/snapshots"]),
    ("compute.subnetworks.get", &["look up compute/subnetworks"]),
    ("compute.subnetworks.list", &["list compute/subnetworks"]),
    ("compute.targetPools.get", &["look up compute/backend-services"]),
    ("compute.targetPools.list", &["list compute/backend-services"]),
    ("dns.managedZones.get", &["look up dns/zones"]),
    ("dns.managedZones.list", &["list dns/zones"]),
    ("resourcemanager.projects.get", &["identity"]),
    ("storage.buckets.get", &["look up storage/buckets"]),
    ("storage.buckets.list", &["list storage/buckets"]),
];

/// The permissions of the role as it is handed out.
fn role() -> Value {
    let connector = GoogleConnector::new().unwrap();
    let groups = connector.permission_groups().into_iter().take(1).collect();
    let request = PolicyRequest { groups, format: Some(PolicyFormat::Json), ..PolicyRequest::default() };
    let document = connector.policy(&request).unwrap();
    let role: Value = serde_json::from_str(&document.document).unwrap();
    role["includedPermissions"].clone()
}

/// The permissions that a test of the connection finds to be as `status` says.
async fn tested(cloud: &dyn Cloud, status: PermissionStatus) -> BTreeSet<&'static str> {
    let test = cloud.test(std::time::Duration::from_secs(30)).await;
    test.permissions.iter().filter(|found| found.status == status).map(|found| found.permission).collect()
}

/// Makes what the world lacks: an address, a backend service and a rule that lie in no region.
async fn make_things_of_no_region(simulator: &Arc<Simulator>) {
    for (collection, body) in [
        ("addresses", json!({ "name": "everywhere" })),
        ("healthChecks", json!({ "name": "well", "type": "TCP", "tcpHealthCheck": { "port": 80 } })),
        ("backendServices", json!({ "name": "floor", "healthChecks": ["global/healthChecks/well"] })),
        (
            "forwardingRules",
            json!({ "name": "door", "backendService": "global/backendServices/floor", "portRange": "80-80" }),
        ),
    ] {
        api(simulator, &format!("global/{collection}"), &body).await;
        a_minute(simulator)();
    }
}

#[tokio::test]
async fn the_role_is_enough() {
    let simulator = simulator().await;
    make_things_of_no_region(&simulator).await;
    let baseline = Baseline::of(&*cloud(&connection(&simulator, |_| {})), &[]).await;
    simulator.fault(json!({ "kind": "denied", "except": role() })).unwrap();
    let limited = cloud(&connection(&simulator, |_| {}));
    assert_eq!(baseline.broken(&*limited, |_| true).await, BTreeSet::new());
    let all: BTreeSet<_> = PERMISSIONS.iter().map(|need| need.permission).collect();
    assert_eq!(tested(&*limited, PermissionStatus::Granted).await, all);
}

#[tokio::test]
async fn without_any_one_permission_its_feature_breaks_and_the_test_names_it() {
    let simulator = simulator().await;
    make_things_of_no_region(&simulator).await;
    let baseline = Baseline::of(&*cloud(&connection(&simulator, |_| {})), &[]).await;
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for need in PERMISSIONS {
        simulator.world().faults.clear();
        simulator.fault(json!({ "kind": "denied", "permissions": [need.permission] })).unwrap();
        // What another cloud of the connection has learned is not known to this one.
        let limited = cloud(&connection(&simulator, |_| {}));
        found.insert(need.permission, baseline.broken(&*limited, |_| true).await);
        assert_eq!(tested(&*limited, PermissionStatus::Missing).await, [need.permission].into());
    }
    assert_eq!(found, table(BREAKS));
}
