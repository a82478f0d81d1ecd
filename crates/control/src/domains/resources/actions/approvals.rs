//! Approval: which changes need a second person, and what that person decides.

use chrono::TimeDelta;
use marquee_clouds::{Change, Observed};
use marquee_db::{Org, Tx};
use marquee_jobs::{ApprovalOutcome, approve_operation, find_operation, refuse_operation};
use marquee_types::{ApprovalPolicyId, OperationId, ResourceState, Role};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::super::{
    model::plan::{PlannedStep, Wish},
    store::{
        approvals::{self, Subject},
        filter,
    },
    wire::{
        Approval, ApprovalNeeded, ApprovalPolicy, ApproveOperation, CreateApprovalPolicy, Decision,
        RejectOperation,
    },
    workers::{CHANGE, ChangeInput},
};
use crate::{
    domains::audit,
    fault::{Fault, OnConstraint as _},
    http::{Call, Principal},
};

/// The most policies an organization has: each is looked at with every change.
const MOST: i64 = 100;
/// Who may be asked to approve: the roles that have the permission.
const APPROVERS: [Role; 3] = [Role::Manager, Role::Admin, Role::Owner];

/// Makes a policy.
pub async fn create(call: &Call, wanted: CreateApprovalPolicy) -> Result<ApprovalPolicy, Fault> {
    let policy = check(call, wanted)?;
    let mut tx = call.tx()?;
    if approvals::count(&mut tx).await? >= MOST {
        let detail = format!("There are {MOST} approval policies already: join some of them.");
        return Err(Fault::conflict("too_many", detail));
    }
    approvals::create(&mut tx, &policy).await.on_constraint("approval_policies_name_unique", || {
        Fault::conflict("already_exists", "There is an approval policy of this name. Choose another.")
    })?;
    audit::record(&mut tx, audit::Entry::allowed(call.verb()).target("approval_policy", policy.id));
    settle(call, tx).await?;
    Ok(policy)
}

fn check(call: &Call, wanted: CreateApprovalPolicy) -> Result<ApprovalPolicy, Fault> {
    let name = wanted.name.trim().to_owned();
    let length = name.chars().count();
    if !(1..=100).contains(&length) || name.chars().any(char::is_control) {
        return Err(Fault::invalid("/name", "must have 1 to 100 characters on one line"));
    }
    if !APPROVERS.contains(&wanted.approver_role) {
        return Err(Fault::invalid("/approver_role", "must be manager, admin or owner"));
    }
    if !(300..=2_592_000).contains(&wanted.expires_after_seconds) {
        return Err(Fault::invalid("/expires_after_seconds", "must be from 300 to 2592000"));
    }
    let filter = wanted.filter.filter(|text| !text.trim().is_empty());
    if let Some(text) = &filter {
        if text.chars().count() > 2000 {
            return Err(Fault::invalid("/filter", "must have at most 2000 characters"));
        }
        filter::SCHEMA.parse(text).map_err(|error| Fault::invalid("/filter", error.to_string()))?;
    }
    let mut actions = wanted.actions;
    actions.sort_unstable();
    actions.dedup();
    Ok(ApprovalPolicy {
        id: ApprovalPolicyId::new(),
        name,
        actions,
        filter,
        approver_role: wanted.approver_role,
        expires_after_seconds: wanted.expires_after_seconds,
        created_by: call.actor.name(),
        created_at: call.app.clock.now(),
    })
}

/// Removes a policy. What it was asked for already still needs its approval.
pub async fn delete(call: &Call, id: ApprovalPolicyId) -> Result<(), Fault> {
    // It has one version all its life, and no tag was ever given: whatever is named is not it.
    if call.if_match.is_some() {
        return Err(Fault::Stale);
    }
    let mut tx = call.tx()?;
    if !approvals::delete(&mut tx, id).await? {
        return Err(Fault::NotFound("approval policy"));
    }
    audit::record(&mut tx, audit::Entry::allowed(call.verb()).target("approval_policy", id));
    settle(call, tx).await
}

async fn settle(call: &Call, tx: Tx<Org>) -> Result<(), Fault> {
    if call.validate_only {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}

/// The approval that a planned change needs: all policies that apply, by the highest of their roles.
pub async fn needed(
    tx: &mut Tx<Org>,
    wish: &Wish,
    before: Option<&Observed>,
    steps: &[PlannedStep],
) -> Result<Option<ApprovalNeeded>, Fault> {
    let subject = subject(wish, before)?;
    let mut needed: Option<ApprovalNeeded> = None;
    for policy in approvals::page(tx, None, MOST).await? {
        let meant = |step: &PlannedStep| policy.actions.contains(&step.change.action.name());
        if !(policy.actions.is_empty() || steps.iter().any(meant)) {
            continue;
        }
        // A filter that a newer build wrote and this one cannot read holds: rather one approval too many.
        let filter = policy.filter.as_deref().map(|text| filter::SCHEMA.parse(text));
        if let Some(Ok(filter)) = filter
            && !approvals::holds(tx, &filter, &subject).await?
        {
            continue;
        }
        let so_far = needed.get_or_insert_with(|| ApprovalNeeded {
            policies: Vec::new(),
            approver_role: policy.approver_role,
            expires_after_seconds: policy.expires_after_seconds,
        });
        so_far.policies.push(policy.name);
        so_far.approver_role = so_far.approver_role.max(policy.approver_role);
        so_far.expires_after_seconds = so_far.expires_after_seconds.min(policy.expires_after_seconds);
    }
    Ok(needed)
}

/// What needs either approval needs both.
pub fn joined(one: Option<ApprovalNeeded>, other: Option<ApprovalNeeded>) -> Option<ApprovalNeeded> {
    let (Some(mut one), Some(other)) = (one.clone(), other.clone()) else { return one.or(other) };
    for policy in other.policies {
        if !one.policies.contains(&policy) {
            one.policies.push(policy);
        }
    }
    one.approver_role = one.approver_role.max(other.approver_role);
    one.expires_after_seconds = one.expires_after_seconds.min(other.expires_after_seconds);
    Some(one)
}

/// A thing as policies look at it: as it is, or as it is wished.
fn subject(wish: &Wish, before: Option<&Observed>) -> Result<Subject, Fault> {
    let broken = |error: serde_json::Error| Fault::Internal(error.into());
    if let Some(before) = before {
        let number = |name: &str| before.attributes.get(name).and_then(Value::as_i64);
        let tags =
            before.tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        return Ok(Subject {
            id: wish.resource_id.map(marquee_types::ResourceId::uuid),
            provider_id: wish.provider_id.uuid(),
            kind: before.kind.as_str(),
            state: before.state.as_str(),
            native_id: Some(before.native_id.clone()),
            name: before.name.clone(),
            region: before.region.clone(),
            zone: before.zone.clone(),
            size: before.size.clone(),
            vcpus: number("vcpus"),
            memory_mib: number("memory_mib"),
            created_at: before.created_at,
            valid_from: None,
            tags: Value::Object(tags),
        });
    }
    let Change { region, action, .. } = &wish.change;
    let spec = serde_json::to_value(action).map_err(broken)?;
    let text =
        |places: [&str; 2]| places.iter().find_map(|place| spec.pointer(place)?.as_str()).map(str::to_owned);
    let tags = ["/tags", "/instance/tags"].iter().find_map(|place| spec.pointer(place)).cloned();
    Ok(Subject {
        id: None,
        provider_id: wish.provider_id.uuid(),
        kind: action.name().makes().map_or("", marquee_types::ResourceKind::as_str),
        state: ResourceState::Unknown.as_str(),
        native_id: None,
        name: wish.name.clone(),
        region: region.clone(),
        zone: text(["/zone", "/instance/zone"]),
        size: text(["/size", "/instance/size"]),
        vcpus: None,
        memory_mib: None,
        created_at: None,
        valid_from: None,
        tags: tags.unwrap_or_else(|| json!({})),
    })
}

/// Writes down that an operation, just proposed, needs this approval.
pub async fn request(
    call: &Call,
    tx: &mut Tx<Org>,
    operation: OperationId,
    needed: &ApprovalNeeded,
) -> Result<(), Fault> {
    let now = call.app.clock.now();
    let until = now + TimeDelta::seconds(needed.expires_after_seconds.into());
    Ok(approvals::request(tx, operation, needed, call.actor.user(), (now, until)).await?)
}

/// The approval that an operation needs.
pub async fn find(call: &Call, operation: OperationId) -> Result<Approval, Fault> {
    approvals::find(&mut call.tx()?, operation).await?.ok_or(Fault::NotFound("approval"))
}

/// Approves: the operation begins, or comes next where another has its resource in hand.
pub async fn approve(call: &Call, id: OperationId, said: ApproveOperation) -> Result<Approval, Fault> {
    let reason = said.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    check_reason(reason)?;
    let mut tx = call.tx()?;
    let outcome = approve_operation(&mut tx, id).await?;
    let approval = may_decide(call, &mut tx, id, outcome).await?;
    if approval.expires_at <= call.app.clock.now() {
        return Err(Fault::conflict(
            "approval_expired",
            "The request for approval is over. Ask for the change anew.",
        ));
    }
    if call.actor.user() == approval.requester {
        let detail = "Whoever asked for a change cannot approve it: a second person has to.";
        return Err(Fault::Forbidden(detail.to_owned()));
    }
    decide(call, &mut tx, id, Decision::Approved, reason).await?;
    take_in_hand(&mut tx, id).await?;
    finish(call, tx, id).await
}

/// Refuses: the operation ends without having begun. Whoever asked withdraws by cancelling it.
pub async fn reject(call: &Call, id: OperationId, said: RejectOperation) -> Result<Approval, Fault> {
    let reason = said.reason.trim();
    if reason.is_empty() {
        return Err(Fault::invalid("/reason", "must have 1 to 500 characters"));
    }
    check_reason(Some(reason))?;
    let mut tx = call.tx()?;
    let detail = format!("{} did not approve it: {reason}", call.actor.name());
    let outcome = refuse_operation(&mut tx, id, json!({ "code": "rejected", "detail": detail })).await?;
    may_decide(call, &mut tx, id, outcome).await?;
    decide(call, &mut tx, id, Decision::Rejected, Some(reason)).await?;
    finish(call, tx, id).await
}

fn check_reason(reason: Option<&str>) -> Result<(), Fault> {
    if reason.is_some_and(|reason| reason.chars().count() > 500 || reason.contains('\0')) {
        return Err(Fault::invalid("/reason", "must have at most 500 characters"));
    }
    Ok(())
}

/// The open approval of an operation, for a person whose role is high enough.
async fn may_decide(
    call: &Call,
    tx: &mut Tx<Org>,
    id: OperationId,
    outcome: ApprovalOutcome,
) -> Result<Approval, Fault> {
    if let ApprovalOutcome::Refused(state) = outcome {
        let detail = format!("An operation that is {state} does not await approval.");
        return Err(Fault::conflict("operation_state", detail));
    }
    let approval = approvals::find(tx, id).await?.ok_or(Fault::NotFound("operation"))?;
    if !matches!(call.actor.principal, Principal::User { .. }) {
        return Err(Fault::Forbidden("A person has to decide: an API key cannot.".to_owned()));
    }
    if call.actor.role < approval.approver_role {
        let detail = format!("This takes the role {} or a higher one.", approval.approver_role);
        return Err(Fault::Forbidden(detail));
    }
    Ok(approval)
}

async fn decide(
    call: &Call,
    tx: &mut Tx<Org>,
    id: OperationId,
    decision: Decision,
    reason: Option<&str>,
) -> Result<(), Fault> {
    let (by, now) = (call.actor.name(), call.app.clock.now());
    if !approvals::decide(tx, id, decision, &by, reason, now).await? {
        return Err(Fault::conflict("operation_state", "This was decided already."));
    }
    audit::record(tx, audit::Entry::allowed(call.verb()).target("operation", id));
    Ok(())
}

/// An approved operation takes its resources in hand, or waits for whoever has them.
async fn take_in_hand(tx: &mut Tx<Org>, id: OperationId) -> Result<(), Fault> {
    let operation = find_operation(tx, id).await?.ok_or(Fault::NotFound("operation"))?;
    // One that changes many takes nothing in hand: those that it starts do.
    if operation.kind != CHANGE {
        return Ok(());
    }
    let input = ChangeInput::deserialize(&operation.input).map_err(|error| Fault::Internal(error.into()))?;
    let resources: Vec<_> = input.wishes.iter().filter_map(|wish| wish.resource_id).collect();
    super::launch::take_in_hand(tx, id, &resources, true).await?;
    Ok(())
}

async fn finish(call: &Call, mut tx: Tx<Org>, id: OperationId) -> Result<Approval, Fault> {
    let decided = approvals::find(&mut tx, id).await?.ok_or(Fault::NotFound("operation"))?;
    settle(call, tx).await?;
    Ok(decided)
}
