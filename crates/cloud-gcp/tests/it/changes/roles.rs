//! What a credential must be allowed: with the group of changes all of them work, without it none, and it asks for nothing that
//! they do without.

use std::collections::BTreeSet;

use marquee_cloud_gcp::permissions::{CHANGE_PERMISSIONS, PERMISSIONS};
use marquee_clouds::{
    Action, Change, ErrorKind,
    changes::spec::{BucketSpec, InstanceSpec},
    conformance::changes as suite,
};
use serde_json::json;

use super::{REGION, ZONE, instance, stage_in, token};
use crate::bed::{cloud, connection, simulator};

#[tokio::test]
async fn the_role_with_changes_is_enough() {
    let simulator = simulator().await;
    let stage = stage_in(std::sync::Arc::clone(&simulator)).await;
    let all: BTreeSet<_> = PERMISSIONS.iter().chain(CHANGE_PERMISSIONS).map(|need| need.permission).collect();
    simulator.fault(json!({ "kind": "denied", "except": all })).unwrap();
    suite::an_instance_lives(&stage).await;
    suite::tags_are_set_and_come_back(&stage).await;
    suite::an_image_is_made(&stage).await;
    suite::a_disk_lives(&stage).await;
    suite::a_database_lives(&stage).await;
    suite::a_bucket_lives(&stage).await;
    suite::a_scaling_group_lives(&stage).await;
    suite::records_are_set_and_come_back(&stage).await;
    suite::targets_are_registered(&stage).await;
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let simulator = simulator().await;
    let cloud = cloud(&connection(&simulator, |_| {}));
    let reading: Vec<_> = PERMISSIONS.iter().map(|need| need.permission).collect();
    simulator.fault(json!({ "kind": "denied", "except": reading })).unwrap();
    let spec = InstanceSpec { name: "denied".to_owned(), zone: Some(ZONE.to_owned()), ..instance() };
    let bucket = BucketSpec { name: "orangery-denied".to_owned(), ..BucketSpec::default() };
    for action in [Action::CreateInstance(spec), Action::CreateBucket(bucket)] {
        let change = Change::make(REGION, action);
        let refused = cloud.changes().unwrap().begin(&change, &token()).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::PermissionDenied, "{refused}");
    }
}
