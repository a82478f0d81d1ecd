//! Asking for changes: what is wished is planned from what is known, refused if it cannot be, and handed to an operation.
//! No cloud is called before the answer; the operation plans again with what the cloud says.

use std::time::Duration;

use marquee_clouds::{Action, Change, Observed, RawJson, Undo, changes::TOKEN_TAG, offers::Direction};
use marquee_db::{Org, Tx};
use marquee_jobs::propose_operation;
use marquee_types::{OperationId, OperationState, ProviderId, ResourceId, ResourceKind};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{
    model::{
        cost::{Cost, costs, sized, total},
        plan::{PlannedStep, Refusal, Wish, plan, worst},
    },
    store::{claims, read},
    wire::{
        ApprovalNeeded, ChangeStarted, CreateResource, CreateTarget, Money, OperationRef, Plan, PlanStep,
        Protect, Protection, Resource, SizeWish, Taking,
    },
    workers::ChangeInput,
};
use super::{
    approvals,
    launch::{Launched, launch, one_change},
    offers,
};
use crate::{
    app::App,
    domains::{
        audit,
        providers::{self, Connected},
    },
    fault::Fault,
    http::{Call, OnConflict},
};

/// The most places that one request makes something in.
const MOST_TARGETS: usize = 20;

/// Asks for changes of one resource, one after the other, or none of them; `actions` says which, given what it is.
pub async fn change(
    call: &Call,
    id: ResourceId,
    actions: impl FnOnce(&Resource) -> Result<Vec<Action>, Fault>,
) -> Result<ChangeStarted, Fault> {
    let known = present(call, id).await?;
    change_known(call, &known, actions).await
}

/// The same for the next size of its family.
pub async fn step_size(
    call: &Call,
    id: ResourceId,
    direction: Direction,
    action: impl FnOnce(&Resource, String) -> Result<Action, Fault>,
) -> Result<ChangeStarted, Fault> {
    let known = present(call, id).await?;
    let size = offers::stepped(call, &known.resource, direction).await?;
    change_known(call, &known, |resource| Ok(vec![action(resource, size)?])).await
}

async fn change_known(
    call: &Call,
    known: &read::Present,
    actions: impl FnOnce(&Resource) -> Result<Vec<Action>, Fault>,
) -> Result<ChangeStarted, Fault> {
    let (id, resource) = (known.resource.id, &known.resource);
    let mut wishes = Vec::new();
    for action in actions(resource)? {
        let wish = Wish {
            provider_id: resource.provider_id,
            resource_id: Some(id),
            name: resource.name.clone(),
            scope: Some(known.scope.clone()),
            change: Change::of(&resource.region, resource.kind, &resource.native_id, action),
            fallbacks: Vec::new(),
        };
        wishes.push(Wished { wish, before: Some(observed(resource)?), place: String::new() });
    }
    ask(call, wishes, Some(id.to_string())).await
}

/// Asks for something to be made.
pub async fn create(call: &Call, wanted: CreateResource) -> Result<ChangeStarted, Fault> {
    let (kind, common, size) = (wanted.kind, wanted.spec, wanted.size);
    let mut wishes = Vec::new();
    match (wanted.provider_id, wanted.region, wanted.targets.as_slice()) {
        (Some(provider), Some(region), []) => {
            let at = At { provider_id: provider, region, place: String::new() };
            wishes.push(new(call, at, kind, common, size.as_ref()).await?);
        }
        (None, None, [_, ..]) if wanted.targets.len() <= MOST_TARGETS => {
            if let Some(again) = named_again(&wanted.targets) {
                return Err(Fault::invalid(format!("/targets/{again}"), "is named twice"));
            }
            for (index, target) in wanted.targets.into_iter().enumerate() {
                let mut spec = common.clone();
                merge(&mut spec, Value::Object(target.spec));
                let place = format!("/targets/{index}");
                let at = At { provider_id: target.provider_id, region: target.region, place };
                wishes.push(new(call, at, kind, spec, size.as_ref()).await?);
            }
        }
        (None, None, [_, ..]) => {
            return Err(Fault::invalid("/targets", format!("must be at most {MOST_TARGETS}")));
        }
        (None, _, []) => return Err(Fault::invalid("/provider_id", "is needed, or `targets`")),
        (_, None, []) => return Err(Fault::invalid("/region", "is needed, or `targets`")),
        _ => return Err(Fault::invalid("/targets", "stand in place of `provider_id` and `region`")),
    }
    let target = match wishes.as_slice() {
        [Wished { wish, .. }] => Some(wish.provider_id.to_string()),
        _ => None,
    };
    ask(call, wishes, target).await
}

/// The first target that says the same as one before it.
fn named_again(targets: &[CreateTarget]) -> Option<usize> {
    let same = |one: &CreateTarget, other: &CreateTarget| {
        (one.provider_id, &one.region, &one.spec) == (other.provider_id, &other.region, &other.spec)
    };
    let again = |at: &usize| targets[..*at].iter().any(|before| same(before, &targets[*at]));
    (1..targets.len()).find(again)
}

/// Where something is to be made; `place` is where the request says so.
struct At {
    provider_id: ProviderId,
    region: String,
    place: String,
}

/// One thing to be made, of the size that is named or that a wish comes to.
async fn new(
    call: &Call,
    at: At,
    kind: ResourceKind,
    mut spec: Value,
    size: Option<&SizeWish>,
) -> Result<Wished, Fault> {
    let At { provider_id, region, place } = at;
    if region.is_empty() || region.len() > 100 {
        return Err(Fault::invalid(format!("{place}/region"), "must have 1 to 100 characters"));
    }
    let mut fallbacks = Vec::new();
    if let Some(size) = size {
        if spec.get("size").is_some_and(|named| !named.is_null()) {
            return Err(Fault::invalid("/size", "stands in place of `/spec/size`"));
        }
        let (first, others) = offers::chosen(call, provider_id, &region, kind, &spec, size).await?;
        fallbacks = others;
        merge(&mut spec, json!({ "size": first }));
    }
    let (action, name) = making(kind, spec)?;
    let change = Change::make(region, action);
    let wish = Wish { provider_id, resource_id: None, name, scope: None, change, fallbacks };
    Ok(Wished { wish, before: None, place })
}

/// Merges a patch into a value, as RFC 7396 has it.
fn merge(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = value else { return };
    for (key, patch) in patch {
        if patch.is_null() {
            fields.remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), patch);
        }
    }
}

/// The action that makes a thing of this kind, and the thing's name.
fn making(kind: ResourceKind, spec: Value) -> Result<(Action, String), Fault> {
    let name = spec.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let action = match kind {
        ResourceKind::ComputeInstance => Action::CreateInstance(specified(spec)?),
        ResourceKind::Disk => Action::CreateDisk(specified(spec)?),
        ResourceKind::Database => Action::CreateDatabase(specified(spec)?),
        ResourceKind::Bucket => Action::CreateBucket(specified(spec)?),
        ResourceKind::ScalingGroup => Action::CreateScalingGroup(specified(spec)?),
        _ => {
            let kinds = "compute_instance, disk, database, bucket, scaling_group";
            return Err(Fault::invalid("/kind", format!("can be made: {kinds}")));
        }
    };
    if name.trim().is_empty() || name.len() > 200 {
        return Err(Fault::invalid("/spec/name", "must have 1 to 200 characters"));
    }
    Ok((action, name))
}

fn specified<T: DeserializeOwned>(spec: Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(spec).map_err(|error| {
        let place = error.path().to_string().replace('.', "/");
        let place = if place == "/" { String::new() } else { format!("/{place}") };
        Fault::invalid(format!("/spec{place}"), error.inner().to_string())
    })
}

/// A wish, with how the thing stood when it was last seen.
struct Wished {
    wish: Wish,
    before: Option<Observed>,
    /// Where the request says so, for refusals.
    place: String,
}

/// Plans wishes, and starts the operation that fulfils all of them, or none.
async fn ask(call: &Call, wished: Vec<Wished>, target: Option<String>) -> Result<ChangeStarted, Fault> {
    if call.validate_only {
        learn_prices(call, &wished).await?;
    }
    let mut tx = call.tx()?;
    let (mut steps, mut all_costs, mut approval) = (Vec::new(), Vec::new(), None);
    for one in &wished {
        let (planned, costs) = plan_one(call, &mut tx, one).await?;
        all_costs.extend(costs);
        // Whatever size it may come to be has to be approved, not only the one that is tried first.
        for wish in one.wish.attempts() {
            let needed = approvals::needed(&mut tx, &wish, one.before.as_ref(), &planned).await?;
            approval = approvals::joined(approval, needed);
        }
        steps.extend(planned);
    }
    for one in &wished {
        if !providers::lock_connected(&mut tx, one.wish.provider_id).await? {
            return Err(Fault::NotFound("provider"));
        }
    }
    let shown = shown(&steps, &all_costs, approval);
    let wishes = wished.into_iter().map(|one| one.wish).collect();
    let (operation, state) = start(call, &mut tx, wishes, &shown, target).await?;
    if call.validate_only {
        tx.rollback().await?;
        return Ok(ChangeStarted { operation: None, plan: shown });
    }
    tx.commit().await?;
    Ok(ChangeStarted { operation: Some(OperationRef { id: operation, state }), plan: shown })
}

/// How long a plan waits for a cloud's prices.
const PRICES: Duration = Duration::from_secs(10);

/// Has clouds asked for what they offer, so that the plan can say what it costs. One that does not answer has no prices.
async fn learn_prices(call: &Call, wished: &[Wished]) -> Result<(), Fault> {
    let mut asked = Vec::new();
    for Wished { wish, before, .. } in wished {
        let Some((kind, engine)) = sized(&wish.change.action, before.as_ref()) else { continue };
        let Some(query) = offers::size_query(kind, &wish.change.region, engine.as_deref()) else { continue };
        match providers::open(&call.app, &mut call.look()?, wish.provider_id).await {
            Ok(connected) => asked.push((connected, query)),
            // The plan says what is wrong with it.
            Err(fault) => tracing::debug!(?fault, "a provider could not be asked for its prices"),
        }
    }
    let asking = asked.iter().map(|(connected, query)| offers::stock_of(&call.app, connected, query));
    let Ok(answers) = tokio::time::timeout(PRICES, futures::future::join_all(asking)).await else {
        tracing::info!("a plan is shown without prices: the cloud took too long");
        return Ok(());
    };
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        tracing::info!(%error, "a plan is shown without prices");
    }
    Ok(())
}

/// What steps cost, as far as that is known without asking.
pub(super) fn known_costs(
    app: &App,
    connected: &Connected,
    steps: &[PlannedStep],
    before: Option<&Observed>,
) -> Vec<Cost> {
    let query = steps.iter().find_map(|step| {
        let (kind, engine) = sized(&step.change.action, before)?;
        offers::size_query(kind, &step.change.region, engine.as_deref())
    });
    let stock = query.and_then(|query| app.clouds.known_sizes((connected.id, connected.version), &query));
    costs(steps, before, stock.as_ref().map_or(&[][..], |stock| &stock.offers))
}

/// The steps of one wish, if it can be fulfilled, and what they cost.
async fn plan_one(
    call: &Call,
    tx: &mut Tx<Org>,
    wished: &Wished,
) -> Result<(Vec<PlannedStep>, Vec<Cost>), Fault> {
    let Wished { wish, before, place } = wished;
    let connected = providers::open(&call.app, tx, wish.provider_id).await.map_err(|fault| match fault {
        Fault::NotFound(_) if wish.resource_id.is_none() => {
            Fault::invalid(format!("{place}/provider_id"), "there is no such provider")
        }
        other => other,
    })?;
    check_text(&wish.change.action)?;
    // Settings that only the cloud can tell are looked at by the operation.
    let standing = assumed(&wish.change.action);
    let capabilities = connected.cloud.capabilities();
    let steps = plan(wish, capabilities, before.as_ref(), standing.as_ref()).map_err(refused)?;
    if let Some(resource) = wish.resource_id
        && let Some(protection) = claims::protection(tx, resource).await?
    {
        return Err(protected(&protection));
    }
    let costs = known_costs(&call.app, &connected, &steps, before.as_ref());
    Ok((steps, costs))
}

/// Refuses text that cannot be kept, and tags that only Marquee sets.
pub(super) fn check_text(action: &Action) -> Result<(), Fault> {
    let written = serde_json::to_value(action).map_err(|error| Fault::Internal(error.into()))?;
    if written.to_string().contains("\\u0000") {
        return Err(Fault::invalid("", "text has no NUL"));
    }
    let tags =
        ["/tags", "/set", "/instance/tags"].map(|place| written.pointer(place).and_then(Value::as_object));
    let mut keys = tags.into_iter().flatten().flat_map(|tags| tags.keys().map(String::as_str));
    let removed = written.pointer("/remove").and_then(Value::as_array);
    let mut removed = removed.into_iter().flatten().filter_map(Value::as_str);
    let reserved = |key: &str| key.eq_ignore_ascii_case(TOKEN_TAG);
    if keys.any(reserved) || removed.any(reserved) {
        return Err(Fault::invalid("/tags", format!("`{TOKEN_TAG}` is Marquee's own")));
    }
    Ok(())
}

/// Starts the operation with its resource in hand, or waiting for it.
async fn start(
    call: &Call,
    tx: &mut Tx<Org>,
    wishes: Vec<Wish>,
    plan: &Plan,
    target: Option<String>,
) -> Result<(OperationId, OperationState), Fault> {
    let mut resources: Vec<ResourceId> = Vec::new();
    for wish in &wishes {
        // Several changes of one resource were asked for in one call.
        if wish.resource_id.is_some_and(|resource| resources.contains(&resource)) {
            continue;
        }
        let entry = audit::Entry::allowed(call.verb());
        audit::record(
            tx,
            match wish.resource_id {
                Some(resource) => entry.target("resource", resource),
                None => entry.target("provider", wish.provider_id),
            },
        );
        resources.extend(wish.resource_id);
    }
    let input = ChangeInput { wishes, worst: plan.disturbs };
    let input = serde_json::to_value(&input).map_err(|error| Fault::Internal(error.into()))?;
    let operation = one_change(input, target, call.actor.name());
    // What nobody has approved has nothing in hand, and holds up nobody.
    if let Some(approval) = &plan.approval {
        let id = propose_operation(tx, operation).await?.id();
        approvals::request(call, tx, id, approval).await?;
        return Ok((id, OperationState::AwaitingApproval));
    }
    match launch(tx, operation, &resources, call.on_conflict == OnConflict::Wait).await? {
        Launched::Started(id, state) => Ok((id, state)),
        Launched::Busy(holder) => {
            let detail = format!(
                "{holder} is changing this resource. Ask again when it is done, or with `on_conflict=wait` to come next."
            );
            Err(Fault::conflict("resource_busy", detail))
        }
    }
}

/// Protects a resource: nothing changes it until that is lifted.
pub async fn protect(call: &Call, id: ResourceId, wanted: Protect) -> Result<Protection, Fault> {
    let reason = wanted.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 || reason.contains('\0') {
        return Err(Fault::invalid("/reason", "must have 1 to 500 characters"));
    }
    present(call, id).await?;
    let mut tx = call.tx()?;
    claims::protect(&mut tx, id, reason, &call.actor.name(), call.app.clock.now()).await?;
    let protection = claims::protection(&mut tx, id).await?.ok_or(Fault::NotFound("resource"))?;
    audit::record(&mut tx, audit::Entry::allowed(call.verb()).target("resource", id));
    tx.commit().await?;
    Ok(protection)
}

/// Lifts a protection.
pub async fn unprotect(call: &Call, id: ResourceId) -> Result<(), Fault> {
    let mut tx = call.tx()?;
    if !read::exists(&mut tx, id).await? {
        return Err(Fault::NotFound("resource"));
    }
    if !claims::lift(&mut tx, id).await? {
        return Err(Fault::conflict("not_protected", "This resource is not protected."));
    }
    audit::record(&mut tx, audit::Entry::allowed(call.verb()).target("resource", id));
    Ok(tx.commit().await?)
}

/// The protection of a resource.
pub async fn protection(call: &Call, id: ResourceId) -> Result<Protection, Fault> {
    let mut tx = call.tx()?;
    claims::protection(&mut tx, id).await?.ok_or(Fault::NotFound("protection"))
}

/// The provider and the vendor's id of an instance that a disk is to be attached to or detached from. The disk comes first: whoever
/// may not see it learns nothing else.
pub async fn instance(call: &Call, disk: ResourceId, id: ResourceId) -> Result<(ProviderId, String), Fault> {
    present(call, disk).await?;
    let known = present(call, id).await.map_err(|fault| match fault {
        Fault::NotFound(_) => Fault::invalid("/instance_id", "there is no such instance"),
        other => other,
    })?;
    if known.resource.kind != ResourceKind::ComputeInstance {
        return Err(Fault::invalid("/instance_id", format!("names a {}", known.resource.kind)));
    }
    if let Some(protection) = claims::protection(&mut call.look()?, id).await? {
        return Err(protected(&protection));
    }
    Ok((known.resource.provider_id, known.resource.native_id))
}

async fn present(call: &Call, id: ResourceId) -> Result<read::Present, Fault> {
    let known = read::present(call.look()?, id).await?.ok_or(Fault::NotFound("resource"))?;
    if known.deleted {
        return Err(Fault::conflict("resource_gone", "This resource no longer exists."));
    }
    Ok(known)
}

/// A row as its cloud would show it.
pub(super) fn observed(resource: &Resource) -> Result<Observed, Fault> {
    let broken = |error: serde_json::Error| Fault::Internal(error.into());
    let tags: std::collections::BTreeMap<String, String> =
        serde_json::from_str(resource.tags.get()).map_err(broken)?;
    Ok(Observed {
        kind: resource.kind,
        native_id: resource.native_id.clone(),
        name: resource.name.clone(),
        region: resource.region.clone(),
        zone: resource.zone.clone(),
        state: resource.state,
        native_state: resource.native_state.clone(),
        size: resource.size.clone(),
        tags: tags.into_iter().collect(),
        created_at: resource.created_at,
        attributes: serde_json::from_str(resource.attributes.get()).map_err(broken)?,
        raw: RawJson::default(),
        relations: Vec::new(),
    })
}

/// For a plan made without the cloud: settings that are replaced stand somehow, and can be brought back.
pub(super) fn assumed(action: &Action) -> Option<Action> {
    match action {
        Action::SetLifecycle(_)
        | Action::SetEncryption(_)
        | Action::SetPublicAccess(_)
        | Action::SetRecords(_) => Some(action.clone()),
        _ => None,
    }
}

pub(super) fn shown(steps: &[PlannedStep], costs: &[Cost], approval: Option<ApprovalNeeded>) -> Plan {
    let shown: Vec<PlanStep> = steps.iter().zip(costs).map(|(step, cost)| shown_step(step, cost)).collect();
    let can_be_undone = shown.iter().all(|step| step.undo.possible);
    let monthly = total(costs).map(|(micros, currency)| Money::micros(micros, &currency));
    Plan { steps: shown, disturbs: worst(steps), can_be_undone, monthly, approval }
}

fn shown_step(step: &PlannedStep, cost: &Cost) -> PlanStep {
    PlanStep {
        action: step.change.action.name(),
        name: step.name.clone(),
        native_id: step.change.target.as_ref().map(|target| target.native_id.clone()),
        disturbs: step.disturbs,
        undo: match &step.undo {
            Undo::Change { change } => {
                Taking { possible: true, action: Some(change.action.name()), because: None }
            }
            Undo::Remove { action } => Taking { possible: true, action: Some(action.name()), because: None },
            Undo::Nothing => Taking { possible: true, action: None, because: None },
            Undo::Impossible { because } => {
                Taking { possible: false, action: None, because: Some(because.clone()) }
            }
        },
        size: step.size().map(str::to_owned),
        fallbacks: step.fallbacks.clone(),
        monthly: match cost {
            Cost::Monthly { micros, currency } => Some(Money::micros(*micros, currency)),
            Cost::None | Cost::Unknown => None,
        },
    }
}

pub(super) fn refused(refusal: Refusal) -> Fault {
    if refusal.code == "resource_gone" {
        return Fault::conflict(refusal.code, refusal.detail);
    }
    Fault::Unprocessable { code: refusal.code, detail: refusal.detail }
}

fn protected(protection: &Protection) -> Fault {
    let detail = format!(
        "This resource is protected by {}: {}. Lift the protection first.",
        protection.protected_by, protection.reason
    );
    Fault::conflict("resource_protected", detail)
}
