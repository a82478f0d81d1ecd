//! The routes that change all resources that a filter finds.

use marquee_clouds::Action;
use marquee_types::Permission as P;
use serde_json::json;

use super::super::{
    actions::bulk::change_all,
    wire::{ChangeMany, Resource, TagMany},
};
use super::changes::{self, Started, deletion, rebooting, reply, starting, stopping};
use crate::{
    fault::Fault,
    http::{Call, Endpoint},
};

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    let example =
        || json!({ "filter": "kind = compute_instance AND tags.env = staging", "expect_count": 12 });
    vec![
        Endpoint::post("resources.bulk_start", "/api/cloud/resources/bulk/start", P::ResourcesStart, start)
            .summary("Start all instances and databases that a filter finds")
            .example(example),
        Endpoint::post("resources.bulk_stop", "/api/cloud/resources/bulk/stop", P::ResourcesStop, stop)
            .summary("Stop all instances and databases that a filter finds")
            .example(example),
        Endpoint::post(
            "resources.bulk_reboot",
            "/api/cloud/resources/bulk/reboot",
            P::ResourcesReboot,
            reboot,
        )
        .summary("Restart all instances that a filter finds")
        .example(example),
        Endpoint::post("resources.bulk_tag", "/api/cloud/resources/bulk/tag", P::ResourcesUpdate, tag)
            .summary("Set and remove tags of all resources that a filter finds"),
        Endpoint::post(
            "resources.bulk_delete",
            "/api/cloud/resources/bulk/delete",
            P::ResourcesDelete,
            delete,
        )
        .summary("End all resources that a filter finds, for good")
        .example(example),
    ]
}

async fn all(call: Call, body: ChangeMany, action: fn(&Resource) -> Result<Action, Fault>) -> Started {
    let started = change_all(&call, &body.filter, body.expect_count, action).await?;
    Ok(reply(&call, started))
}

async fn start(call: Call, body: ChangeMany) -> Started {
    all(call, body, starting).await
}

async fn stop(call: Call, body: ChangeMany) -> Started {
    all(call, body, stopping).await
}

async fn reboot(call: Call, body: ChangeMany) -> Started {
    all(call, body, rebooting).await
}

async fn delete(call: Call, body: ChangeMany) -> Started {
    all(call, body, deletion).await
}

async fn tag(call: Call, body: TagMany) -> Started {
    let tags = changes::tags(body.tags)?;
    let action = |_: &Resource| Ok(Action::SetTags(tags.clone()));
    let started = change_all(&call, &body.filter, body.expect_count, action).await?;
    Ok(reply(&call, started))
}
