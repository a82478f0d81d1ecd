//! Changing what exists: the suite that every adapter runs, and what is Google's own.

mod faults;
mod nouns;
mod roles;
mod twice;

use std::sync::{Arc, atomic::AtomicU32};

use marquee_clouds::{
    Change, Cloud, Observed, Progress, Scope, Ticket, Token,
    changes::spec::{DatabaseSpec, InstanceSpec},
    conformance::changes::Stage,
};
use marquee_simulator::Simulator;
use marquee_types::ResourceKind;
use serde_json::{Value, json};

use crate::bed::{PROJECT, api, cloud, connection, simulator};

/// Where things are made.
pub const REGION: &str = "europe-west1";
/// The zone.
pub const ZONE: &str = "europe-west1-b";

/// Lets half a minute pass in a simulator.
pub fn half_a_minute(simulator: &Arc<Simulator>) -> Box<dyn Fn() + Send + Sync> {
    let simulator = Arc::clone(simulator);
    Box::new(move || simulator.advance(30.0).unwrap())
}

/// An instance that can be made.
pub fn instance() -> InstanceSpec {
    InstanceSpec {
        size: "n2-standard-2".to_owned(),
        image: "projects/debian-cloud/global/images/family/debian-12".to_owned(),
        subnet: Some(format!(
            "//compute.googleapis.com/projects/{PROJECT}/regions/{REGION}/subnetworks/main"
        )),
        ..InstanceSpec::default()
    }
}

/// A database that can be made.
pub fn database() -> DatabaseSpec {
    DatabaseSpec {
        engine: "postgres".to_owned(),
        engine_version: Some("16".to_owned()),
        size: "db-custom-2-7680".to_owned(),
        storage_gib: 20,
        admin_name: "postgres".to_owned(),
        backup_retention_days: Some(7),
        ..DatabaseSpec::default()
    }
}

async fn stage() -> Stage {
    stage_in(simulator().await).await
}

async fn stage_in(simulator: Arc<Simulator>) -> Stage {
    let pool = json!({ "name": "floor" });
    api(&simulator, &format!("regions/{REGION}/targetPools"), &pool).await;
    simulator.advance(30.0).unwrap();
    let id = |rest: &str| format!("//compute.googleapis.com/projects/{PROJECT}/{rest}");
    Stage {
        cloud: cloud(&connection(&simulator, |_| {})),
        region: REGION.to_owned(),
        zone: Some(ZONE.to_owned()),
        instance: instance(),
        other_size: "n2-standard-4".to_owned(),
        database: database(),
        other_database_size: "db-custom-4-15360".to_owned(),
        bucket: "orangery-conformance-changes".to_owned(),
        dns: (zone(), DOMAIN.to_owned()),
        target_group: Some(id(&format!("regions/{REGION}/targetPools/floor"))),
        let_time_pass: half_a_minute(&simulator),
        gaps: &[],
        keep: Box::new(simulator),
    }
}

marquee_clouds::changes_conformance!(stage());

/// The zone of the world, and its domain.
pub const DOMAIN: &str = "media.orangery.example";

/// Its native id.
pub fn zone() -> String {
    format!("//dns.googleapis.com/projects/{PROJECT}/managedZones/media-orangery-example")
}

static TOKENS: AtomicU32 = AtomicU32::new(0);

/// A token that no other test has.
pub fn token() -> Token {
    let number = TOKENS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Token::new(format!("op_own-{}-{number}", std::process::id())).unwrap()
}

/// Looks until a change is over.
pub async fn over(cloud: &dyn Cloud, simulator: &Simulator, change: &Change, ticket: &Ticket) -> Progress {
    for _ in 0..60 {
        match cloud.changes().unwrap().look(change, ticket).await.unwrap() {
            Progress::Working(_) => simulator.advance(30.0).unwrap(),
            progress => return progress,
        }
    }
    panic!("{} never ends", change.action.name())
}

/// Makes a change to its end, and gives the id of the thing.
pub async fn done(cloud: &dyn Cloud, simulator: &Simulator, change: &Change) -> String {
    let ticket = cloud.changes().unwrap().begin(change, &token()).await.unwrap();
    match over(cloud, simulator, change, &ticket).await {
        Progress::Done { native_id } => native_id,
        other => panic!("{}: {other:?}", change.action.name()),
    }
}

/// A member of the ticket's work.
pub fn work(ticket: &Ticket) -> &Value {
    &ticket.handle["work"]
}

/// A thing as the inventory sees it.
pub async fn sight(cloud: &dyn Cloud, scope: &str, kind: ResourceKind, native_id: &str) -> Option<Observed> {
    let scope = Scope { service: scope.to_owned(), region: "global".to_owned(), kinds: vec![kind] };
    cloud.inventory().unwrap().get(&scope, kind, native_id).await.unwrap()
}
