//! The suite that every adapter's changes run, against the simulator, and what is AWS's own: tokens that are forgotten, lost
//! answers, quota, capacity, and things that are seen late.

use std::sync::{Arc, atomic::Ordering};

use marquee_clouds::{
    Action, Change, Changes, Cloud, CloudError, ErrorKind, Observed, Page, PageSink, Progress, Ticket, Token,
    changes::spec::{
        BucketSpec, DatabaseSpec, DiskSpec, InstanceRef, InstanceSpec, Lifecycle, Named, RecordKey,
        RecordSet, Scale, ScalingGroupSpec, Size, Tags,
    },
    conformance::{changes::Stage, front::Front},
};
use marquee_simulator::{Simulator, clock::ClockChange};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::json;

use crate::simulated::{cloud, cloud_at, fault, simulator};

pub const REGION: &str = "eu-west-1";

/// Lets time pass in a simulator.
fn pass(simulator: &Simulator, seconds: f64) {
    let change = ClockChange { advance_seconds: Some(seconds), ..ClockChange::default() };
    simulator.world().clock.change(change).unwrap();
}

#[derive(Default)]
struct Kept(Vec<Observed>);

#[async_trait::async_trait]
impl PageSink for Kept {
    async fn page(&mut self, page: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.extend(page.resources);
        Ok(())
    }
}

/// All things of a kind in the region.
pub async fn all(cloud: &dyn Cloud, kind: ResourceKind) -> Vec<Observed> {
    let inventory = cloud.inventory().unwrap();
    let scopes = inventory.scopes(&[REGION.to_owned()]).await.unwrap();
    let scope = scopes.into_iter().find(|scope| scope.kinds.contains(&kind)).unwrap();
    let mut kept = Kept::default();
    inventory.list(&scope, &mut kept).await.unwrap();
    kept.0.retain(|one| one.kind == kind && one.state != ResourceState::Deleted);
    kept.0
}

fn related(one: &Observed, relation: Relation, kind: ResourceKind) -> String {
    let found = one.relations.iter().find(|found| found.relation == relation && found.kind == kind);
    found.unwrap().target.clone()
}

/// An instance like those that there are.
async fn an_instance_spec(cloud: &dyn Cloud) -> (InstanceSpec, String) {
    let known = all(cloud, ResourceKind::ComputeInstance).await;
    let like = known.iter().find(|one| one.size.as_deref() == Some("m7g.large")).unwrap();
    let spec = InstanceSpec {
        size: "m7g.large".to_owned(),
        image: related(like, Relation::CreatedFrom, ResourceKind::Image),
        subnet: Some(related(like, Relation::MemberOf, ResourceKind::Subnet)),
        boot_disk_gib: Some(12),
        ..InstanceSpec::default()
    };
    (spec, like.zone.clone().unwrap())
}

async fn stage() -> Stage {
    let simulator = simulator().await;
    let cloud = cloud(&simulator, None);
    let (instance, zone) = an_instance_spec(&*cloud).await;
    let domain = all(&*cloud, ResourceKind::DnsZone).await.remove(0);
    let group = all(&*cloud, ResourceKind::TargetGroup).await.remove(0);
    Stage {
        region: REGION.to_owned(),
        zone: Some(zone),
        instance,
        other_size: "m7g.xlarge".to_owned(),
        database: DatabaseSpec {
            engine: "postgres".to_owned(),
            size: "db.m7g.large".to_owned(),
            storage_gib: 50,
            admin_name: "planner".to_owned(),
            backup_retention_days: Some(7),
            ..DatabaseSpec::default()
        },
        other_database_size: "db.m7g.xlarge".to_owned(),
        bucket: "marquee-conformance-changes".to_owned(),
        // Below the zone's own name, where the world has no records.
        dns: (domain.native_id, format!("suite.{}", domain.name)),
        target_group: Some(group.native_id),
        let_time_pass: {
            let simulator = Arc::clone(&simulator);
            Box::new(move || pass(&simulator, 31.0))
        },
        gaps: &[],
        keep: Box::new(simulator),
        cloud,
    }
}

marquee_clouds::changes_conformance!(stage());
