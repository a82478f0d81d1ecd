//! The role that Marquee asks for is enough, and none of it can be left out: the simulator denies what a caller lacks.

use std::collections::{BTreeMap, BTreeSet};

use marquee_cloud_azure::{AzureConnector, permissions::PERMISSIONS};
use marquee_clouds::{
    Cloud, Connector as _, PermissionStatus, PolicyFormat, PolicyRequest,
    rights::{Baseline, table},
};
use marquee_types::Clock;
use serde_json::{Value, json};

use crate::bed::{cloud, connection, simulator};

/// What does not work without a permission.
const BREAKS: &[(&str, &[&str])] = &[
    ("Microsoft.Compute/disks/read", &["list compute/disks", "look up compute/disks"]),
    ("Microsoft.Compute/images/read", &["list compute/images", "look up compute/images"]),
    (
        "Microsoft.Compute/skus/read",
        &[
            "list compute/scale-sets",
            "list compute/virtual-machines",
            "look up compute/scale-sets",
            "look up compute/virtual-machines",
        ],
    ),
    ("Microsoft.Compute/snapshots/read", &["list compute/snapshots", "look up compute/snapshots"]),
    (
        "Microsoft.Compute/virtualMachineScaleSets/read",
        &["list compute/scale-sets", "look up compute/scale-sets"],
    ),
    ("Microsoft.Compute/virtualMachines/instanceView/read", &["look up compute/virtual-machines"]),
    (
        "Microsoft.Compute/virtualMachines/read",
        &["list compute/virtual-machines", "look up compute/virtual-machines"],
    ),
    (
        "Microsoft.DBforPostgreSQL/flexibleServers/backups/read",
        &["list postgresql/backups", "look up postgresql/backups"],
    ),
    (
        "Microsoft.DBforPostgreSQL/flexibleServers/read",
        &[
            "list postgresql/backups",
            "list postgresql/servers",
            "look up postgresql/backups",
            "look up postgresql/servers",
        ],
    ),
    ("Microsoft.Network/dnsZones/read", &["list dns/zones", "look up dns/zones"]),
    (
        "Microsoft.Network/loadBalancers/read",
        &["list network/load-balancers", "look up network/load-balancers"],
    ),
    (
        "Microsoft.Network/networkInterfaces/read",
        &["list compute/virtual-machines", "look up compute/virtual-machines"],
    ),
    (
        "Microsoft.Network/networkSecurityGroups/read",
        &["list network/security-groups", "look up network/security-groups"],
    ),
    (
        "Microsoft.Network/publicIPAddresses/read",
        &["list network/public-ip-addresses", "look up network/public-ip-addresses"],
    ),
    (
        "Microsoft.Network/virtualNetworks/read",
        &["list network/virtual-networks", "look up network/virtual-networks"],
    ),
    ("Microsoft.Resources/subscriptions/locations/read", &["regions"]),
    ("Microsoft.Resources/subscriptions/read", &["identity"]),
    (
        "Microsoft.Storage/storageAccounts/blobServices/read",
        &["list storage/accounts", "look up storage/accounts"],
    ),
    ("Microsoft.Storage/storageAccounts/read", &["list storage/accounts", "look up storage/accounts"]),
];

/// The permissions of the role as it is handed out.
fn role() -> Value {
    let connector = AzureConnector::new(Clock::system()).unwrap();
    let groups = connector.permission_groups().into_iter().take(1).collect();
    let request = PolicyRequest { groups, format: Some(PolicyFormat::Json), ..PolicyRequest::default() };
    let document = connector.policy(&request).unwrap();
    let role: Value = serde_json::from_str(&document.document).unwrap();
    role["Actions"].clone()
}

/// The permissions that a test of the connection finds to be as `status` says.
async fn tested(cloud: &dyn Cloud, status: PermissionStatus) -> BTreeSet<&'static str> {
    let test = cloud.test(std::time::Duration::from_secs(30)).await;
    test.permissions.iter().filter(|found| found.status == status).map(|found| found.permission).collect()
}

#[tokio::test]
async fn the_role_is_enough() {
    let simulator = simulator().await;
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
