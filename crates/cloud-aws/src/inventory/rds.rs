//! What RDS lists: database servers, clusters, and the snapshots of both.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, resource::Relation};

use crate::{
    inventory::{
        draft::{Draft, tags, time},
        listing::{ById, Enrich, Listing},
    },
    partition::{Arn, Place},
    query::RDS,
    raw,
    xml::{Node, Shape},
};

const fn shape(action: &'static str, items: &'static [&'static str]) -> Shape {
    Shape { action, items, group: None, token: Some((1, "Marker")) }
}

pub static INSTANCES: Listing = Listing {
    api: &RDS,
    kind: ResourceKind::Database,
    params: &[],
    page_size: Some(("MaxRecords", 100)),
    token: "Marker",
    shape: shape("DescribeDBInstances", &["DescribeDBInstancesResult", "DBInstances", "DBInstance"]),
    by_id: ById { param: "DBInstanceIdentifier", resource: "db" },
    enrich: Enrich::Nothing,
    normalise: instance,
};

pub static CLUSTERS: Listing = Listing {
    api: &RDS,
    kind: ResourceKind::DatabaseCluster,
    params: &[],
    page_size: Some(("MaxRecords", 100)),
    token: "Marker",
    shape: shape("DescribeDBClusters", &["DescribeDBClustersResult", "DBClusters", "DBCluster"]),
    by_id: ById { param: "DBClusterIdentifier", resource: "cluster" },
    enrich: Enrich::Nothing,
    normalise: cluster,
};

pub static SNAPSHOTS: Listing = Listing {
    api: &RDS,
    kind: ResourceKind::DatabaseSnapshot,
    params: &[],
    page_size: Some(("MaxRecords", 100)),
    token: "Marker",
    shape: shape("DescribeDBSnapshots", &["DescribeDBSnapshotsResult", "DBSnapshots", "DBSnapshot"]),
    by_id: ById { param: "DBSnapshotIdentifier", resource: "snapshot" },
    enrich: Enrich::Nothing,
    normalise: snapshot,
};

pub static CLUSTER_SNAPSHOTS: Listing = Listing {
    api: &RDS,
    kind: ResourceKind::DatabaseSnapshot,
    params: &[],
    page_size: Some(("MaxRecords", 100)),
    token: "Marker",
    shape: shape(
        "DescribeDBClusterSnapshots",
        &["DescribeDBClusterSnapshotsResult", "DBClusterSnapshots", "DBClusterSnapshot"],
    ),
    by_id: ById { param: "DBClusterSnapshotIdentifier", resource: "cluster-snapshot" },
    enrich: Enrich::Nothing,
    normalise: cluster_snapshot,
};

/// Members that change by themselves all the time, and are therefore not kept: a version would be opened for each.
pub static VOLATILE: &[&str] =
    &["BacktrackConsumedChangeRecords", "Capacity", "EarliestRestorableTime", "LatestRestorableTime"];

const OMIT: &[&str] = &[
    "TagList",
    "BacktrackConsumedChangeRecords",
    "Capacity",
    "EarliestRestorableTime",
    "LatestRestorableTime",
];

fn rds_tags(node: Node<'_, '_>) -> Vec<(String, String)> {
    tags(node, "TagList", "Key", "Value")
}

/// The ARN of something named by id in this region, or by ARN elsewhere.
fn named(place: &Place<'_>, kind: &str, id: &str) -> String {
    if Arn::parse(id).is_some() { id.to_owned() } else { place.arn_with_colon("rds", kind, id) }
}

/// What servers and clusters have in common.
fn server(draft: &mut Draft, node: Node<'_, '_>, place: &Place<'_>) {
    draft.tags(rds_tags(node));
    draft.number("size_gib", node.get("AllocatedStorage"));
    draft.number("iops", node.get("Iops"));
    draft.text("storage_type", node.get("StorageType"));
    draft.text("engine", node.get("Engine"));
    draft.text("engine_version", node.get("EngineVersion"));
    draft.flag("multi_zone", node.get("MultiAZ"));
    draft.flag("encrypted", node.get("StorageEncrypted"));
    draft.flag("deletion_protection", node.get("DeletionProtection"));
    draft.number("backup_retention_days", node.get("BackupRetentionPeriod"));
    for group in node.list("VpcSecurityGroups").filter_map(|group| group.get("VpcSecurityGroupId")) {
        draft.relation(Relation::ProtectedBy, place.arn("ec2", "security-group", group));
    }
}

fn instance(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, id) = (node.get("DBInstanceArn")?, node.get("DBInstanceIdentifier")?);
    let mut draft = Draft::new(ResourceKind::Database, arn.to_owned(), id, place);
    server(&mut draft, node, place);
    id.clone_into(&mut draft.0.name);
    draft.state(node.get("DBInstanceStatus"));
    draft.0.size = node.get("DBInstanceClass").map(str::to_owned);
    draft.0.zone = node.get("AvailabilityZone").map(str::to_owned);
    draft.0.created_at = time(node.get("InstanceCreateTime"));
    draft.number("throughput_mib_per_second", node.get("StorageThroughput"));
    draft.flag("public", node.get("PubliclyAccessible"));
    draft.text("endpoint", node.get_in("Endpoint", "Address"));
    draft.number("port", node.get_in("Endpoint", "Port"));
    if let Some(network) = node.get_in("DBSubnetGroup", "VpcId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "vpc", network));
    }
    if let Some(cluster) = node.get("DBClusterIdentifier") {
        draft.relation(Relation::MemberOf, named(place, "cluster", cluster));
    }
    if let Some(source) = node.get("ReadReplicaSourceDBInstanceIdentifier") {
        draft.relation(Relation::ReplicaOf, named(place, "db", source));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn cluster(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, id) = (node.get("DBClusterArn")?, node.get("DBClusterIdentifier")?);
    let mut draft = Draft::new(ResourceKind::DatabaseCluster, arn.to_owned(), id, place);
    server(&mut draft, node, place);
    id.clone_into(&mut draft.0.name);
    draft.state(node.get("Status"));
    draft.0.size = node.get("DBClusterInstanceClass").map(str::to_owned);
    draft.0.created_at = time(node.get("ClusterCreateTime"));
    draft.text("engine_mode", node.get("EngineMode"));
    draft.text("endpoint", node.get("Endpoint"));
    draft.text("reader_endpoint", node.get("ReaderEndpoint"));
    draft.number("port", node.get("Port"));
    if let Some(source) = node.get("ReplicationSourceIdentifier") {
        draft.relation(Relation::ReplicaOf, named(place, "cluster", source));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

/// What both kinds of snapshots have in common.
fn copy(draft: &mut Draft, node: Node<'_, '_>) {
    draft.tags(rds_tags(node));
    draft.state(node.get("Status"));
    draft.0.size = node.get("SnapshotType").map(str::to_owned);
    draft.0.created_at = time(node.get("SnapshotCreateTime"));
    draft.number("size_gib", node.get("AllocatedStorage"));
    draft.text("engine", node.get("Engine"));
    draft.text("engine_version", node.get("EngineVersion"));
}

fn snapshot(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, id) = (node.get("DBSnapshotArn")?, node.get("DBSnapshotIdentifier")?);
    let mut draft = Draft::new(ResourceKind::DatabaseSnapshot, arn.to_owned(), id, place);
    copy(&mut draft, node);
    id.clone_into(&mut draft.0.name);
    draft.0.zone = node.get("AvailabilityZone").map(str::to_owned);
    draft.flag("encrypted", node.get("Encrypted"));
    if let Some(source) = node.get("DBInstanceIdentifier") {
        draft.relation(Relation::CreatedFrom, named(place, "db", source));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn cluster_snapshot(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, id) = (node.get("DBClusterSnapshotArn")?, node.get("DBClusterSnapshotIdentifier")?);
    let mut draft = Draft::new(ResourceKind::DatabaseSnapshot, arn.to_owned(), id, place);
    copy(&mut draft, node);
    id.clone_into(&mut draft.0.name);
    draft.flag("encrypted", node.get("StorageEncrypted"));
    if let Some(source) = node.get("DBClusterIdentifier") {
        draft.relation(Relation::CreatedFrom, named(place, "cluster", source));
    }
    if let Some(network) = node.get("VpcId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "vpc", network));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}
