//! Asking for one change of many resources: all that a filter finds, if they are as many as the caller expects.

use std::collections::{BTreeMap, btree_map::Entry};

use marquee_clouds::{Action, Change, Observed};
use marquee_db::{Org, Tx};
use marquee_jobs::{NewOperation, NewStep, Policy, propose_operation, start_operation};
use marquee_types::{OperationState, ProviderId};

use super::super::{
    model::{
        cost::Cost,
        plan::{PlannedStep, Wish, plan, worst},
    },
    store::{filter, read},
    wire::{ChangeStarted, OperationRef, Plan, Resource},
    workers::{BULK, BulkInput, ChangeInput},
};
use super::{
    approvals,
    change::{assumed, check_text, known_costs, observed, refused, shown},
};
use crate::{
    app::App,
    domains::{audit, providers},
    fault::Fault,
    http::Call,
};

/// The most resources that one request changes.
const MOST: u32 = 500;
/// How many are begun at once.
const PARALLEL: usize = 50;

/// One change of one resource, planned.
struct Planned {
    wish: Wish,
    steps: Vec<PlannedStep>,
    costs: Vec<Cost>,
}

/// Asks for a change of every resource that a filter finds; `action` says which, given what it is.
pub async fn change_all(
    call: &Call,
    text: &str,
    expected: u32,
    action: impl Fn(&Resource) -> Result<Action, Fault>,
) -> Result<ChangeStarted, Fault> {
    let found = find(call, text, expected).await?;
    let mut tx = call.tx()?;
    let mut connected = BTreeMap::<ProviderId, providers::Connected>::new();
    let mut planned = Vec::with_capacity(found.len());
    let mut approval = None;
    for present in &found {
        let id = present.resource.provider_id;
        let connected = match connected.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(providers::open(&call.app, &mut tx, id).await?),
        };
        let action = action(&present.resource)?;
        check_text(&action)?;
        let (one, before) = plan_one(&call.app, present, action, connected)?;
        let needed = approvals::needed(&mut tx, &one.wish, Some(&before), &one.steps).await?;
        approval = approvals::joined(approval, needed);
        planned.push(one);
    }
    for provider in connected.keys() {
        if !providers::lock_connected(&mut tx, *provider).await? {
            return Err(Fault::NotFound("provider"));
        }
    }
    let all: Vec<PlannedStep> = planned.iter().flat_map(|one| one.steps.clone()).collect();
    // Each is an operation of its own: what the whole disturbs is the worst of them.
    let disturbs = planned.iter().map(|one| worst(&one.steps)).max();
    let costs: Vec<Cost> = planned.iter().flat_map(|one| one.costs.clone()).collect();
    let plan = shown(&all, &costs, approval);
    let plan = Plan { disturbs: disturbs.unwrap_or(plan.disturbs), ..plan };
    let operation = start(call, &mut tx, planned, &plan).await?;
    if call.validate_only {
        tx.rollback().await?;
        return Ok(ChangeStarted { operation: None, plan });
    }
    tx.commit().await?;
    Ok(ChangeStarted { operation: Some(operation), plan })
}

/// What the filter finds; refused if it is not as many as expected.
async fn find(call: &Call, text: &str, expected: u32) -> Result<Vec<read::Present>, Fault> {
    if expected == 0 || expected > MOST {
        return Err(Fault::invalid("/expect_count", format!("must be from 1 to {MOST}")));
    }
    if text.trim().is_empty() {
        return Err(Fault::invalid("/filter", "must say which resources"));
    }
    let filter = filter::SCHEMA.parse(text).map_err(|error| Fault::invalid("/filter", error.to_string()))?;
    let found = read::matching(call.look()?, &filter, i64::from(MOST) + 1).await?;
    if found.len() != expected as usize {
        let number =
            if found.len() > MOST as usize { format!("more than {MOST}") } else { found.len().to_string() };
        let detail = format!(
            "The filter finds {number} resources, and {expected} are expected. Look at them, and ask again."
        );
        return Err(Fault::conflict("count_differs", detail));
    }
    Ok(found)
}

fn plan_one(
    app: &App,
    present: &read::Present,
    action: Action,
    connected: &providers::Connected,
) -> Result<(Planned, Observed), Fault> {
    let resource = &present.resource;
    let wish = Wish {
        provider_id: resource.provider_id,
        resource_id: Some(resource.id),
        name: resource.name.clone(),
        scope: Some(present.scope.clone()),
        change: Change::of(&resource.region, resource.kind, &resource.native_id, action),
        fallbacks: Vec::new(),
    };
    let before = observed(resource)?;
    let standing = assumed(&wish.change.action);
    let steps =
        plan(&wish, connected.cloud.capabilities(), Some(&before), standing.as_ref()).map_err(refused)?;
    let costs = known_costs(app, connected, &steps, Some(&before));
    Ok((Planned { wish, steps, costs }, before))
}

/// Starts the operation, or writes it down for approval.
async fn start(
    call: &Call,
    tx: &mut Tx<Org>,
    planned: Vec<Planned>,
    plan: &Plan,
) -> Result<OperationRef, Fault> {
    let broken = |error: serde_json::Error| Fault::Internal(error.into());
    let mut steps = Vec::with_capacity(planned.len());
    for one in planned {
        if let Some(resource) = one.wish.resource_id {
            audit::record(tx, audit::Entry::allowed(call.verb()).target("resource", resource));
        }
        let name = format!("{} {}", one.wish.change.action.name(), one.wish.name);
        let input = ChangeInput { worst: worst(&one.steps), wishes: vec![one.wish] };
        steps.push(NewStep::new(name, serde_json::to_value(&input).map_err(broken)?));
    }
    let requested_by = call.actor.name();
    let input = serde_json::to_value(BulkInput { requested_by: requested_by.clone() }).map_err(broken)?;
    let operation = NewOperation {
        kind: BULK,
        target: None,
        input,
        policy: Policy::Partial { parallel: PARALLEL },
        steps,
        dedup_key: None,
        requested_by,
    };
    if let Some(approval) = &plan.approval {
        let id = propose_operation(tx, operation).await?.id();
        approvals::request(call, tx, id, approval).await?;
        return Ok(OperationRef { id, state: OperationState::AwaitingApproval });
    }
    let id = start_operation(tx, operation).await?.id();
    Ok(OperationRef { id, state: OperationState::Pending })
}
