//! Every job, operation and reconciler on one page.

use std::time::Duration;

use marquee_jobs::{Limits, Registry, Workers};

use crate::{
    app::App,
    domains::{identity, resources},
};

/// The workers of this process, ready to run.
pub fn workers(app: &App) -> Workers {
    let registry = Registry::new()
        .operation(resources::SyncOperation::new(app.clone()))
        .operation(resources::ChangeOperation::new(app.clone()))
        .operation(resources::BulkOperation)
        .job(resources::RetireProvider::new(app.clone()))
        .reconciler(resources::Scheduler::new(app.clone()))
        .reconciler(resources::ApprovalExpiry::new(app.clone()))
        .reconciler(identity::CleanUp);
    let lease = Duration::from_secs(app.config.worker_lease_seconds.into());
    let limits = Limits { lease, ..Limits::default() };
    Workers::new(app.db.clone(), app.clock.clone(), registry, limits)
}
