//! Every job, operation and reconciler on one page.

use marquee_jobs::{Limits, Registry, Workers};

use crate::{
    app::App,
    domains::{identity, resources},
};

/// The workers of this process, ready to run.
pub fn workers(app: &App) -> Workers {
    let registry = Registry::new()
        .operation(resources::SyncOperation::new(app.clone()))
        .reconciler(resources::Scheduler::new(app.clone()))
        .reconciler(identity::CleanUp);
    Workers::new(app.db.clone(), app.clock.clone(), registry, Limits::default())
}
