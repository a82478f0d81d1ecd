//! The operation `change_resources`: look how things stand, plan, and carry the plan out step by step.
//!
//! The first step plans with what the clouds say at that moment, and adds the steps; so an operation that waited for another
//! starts from what that one left. Each further step is one change: begun with a token that is the same at every attempt,
//! then looked at until the cloud says that it is over, then read back into the inventory. A step that is undone makes the
//! change that takes it back, or removes what was made under its token, whether or not anyone was told that it was made.
//!
//! How a change is carried to its end is in [`super::carry`]. A cloud that takes its time holds no worker: after a few looks the step is left with the ticket it is gone on with, and is
//! taken up again when the next look is due, by whichever worker is free.

use std::time::Duration;

use async_trait::async_trait;
use marquee_clouds::{Action, Change, CloudError, Disturbance, Inventory, Observed, Scope, Undo};
use marquee_db::{DbError, Org, Tx};
use marquee_jobs::{
    NewStep, OperationKind, OperationOutcome, PauseOutcome, StepContext, StepDone, StepError, hasten_step,
    resume_operation,
};
use marquee_types::{OperationState, ResourceId, ResourceKind};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    super::{
        model::{
            Prepared,
            plan::{PlannedStep, Wish, plan, worst},
            resource_id, scope_name,
        },
        store::{approvals, bulk, claims, write},
        wire::Decision,
    },
    carry::{changes, step_error, tried},
    listing,
    quota::Needed,
    sync::open,
};
use crate::{app::App, domains::providers::Connected};

/// The kind of the operation.
pub const CHANGE: &str = "change_resources";
/// The first step; all others are named after what they do.
pub const PLAN: &str = "plan";

/// A look that is further away than this is not waited for with a worker in hand.
const IN_HAND: Duration = Duration::from_secs(2);
/// Between two looks whether it is an operation's turn, if nobody tells.
const TURN: Duration = Duration::from_secs(15);
/// How long something that was made may stay unseen before it counts as not made, when it is to be removed.
const UNSEEN: Duration = Duration::from_mins(1);

/// What all steps know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeInput {
    /// What is wished.
    pub wishes: Vec<Wish>,
    /// The worst that whoever asked for it was told it does.
    pub worst: Disturbance,
}

/// What a step did.
#[derive(Debug, Serialize, Deserialize)]
struct Changed {
    /// The vendor's id of what was changed or made.
    native_id: String,
    /// What it is here.
    resource_id: ResourceId,
    /// The size it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<String>,
    /// The sizes that the cloud had none of before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    no_capacity: Vec<String>,
    /// Why the inventory does not show it before the next sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_read_back: Option<String>,
}

/// Changes resources.
#[derive(Debug)]
pub struct ChangeOperation {
    pub(super) app: App,
    pub(super) unseen: Duration,
    pub(super) in_hand: Duration,
}

impl ChangeOperation {
    /// With everything the application has.
    pub fn new(app: App) -> Self {
        Self::with_patience(app, UNSEEN)
    }

    /// The same with another patience for what may have been made and is not seen.
    pub fn with_patience(app: App, unseen: Duration) -> Self {
        Self { app, unseen, in_hand: IN_HAND }
    }

    /// The same, that waits no longer than this for a look before it leaves the worker to others.
    #[must_use]
    pub fn in_hand(self, in_hand: Duration) -> Self {
        Self { in_hand, ..self }
    }

    /// Goes on once the operation has its resources in hand. It has, unless it was made to go on while it waited for another.
    async fn take_turn(&self, ctx: &StepContext) -> Result<(), StepError> {
        let mut tx = ctx.org()?;
        ctx.fence(&mut tx).await?;
        let waits = claims::take_up(&mut tx, ctx.operation).await?;
        tx.commit().await?;
        if waits {
            return Err(StepError::later(TURN, "Another operation is changing the same resource."));
        }
        Ok(())
    }

    /// Looks how things stand, and adds the steps.
    async fn plan(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        self.take_turn(ctx).await?;
        let mut tx = ctx.org()?;
        let input: ChangeInput = read(&ctx.operation_input)?;
        for resource in input.wishes.iter().filter_map(|wish| wish.resource_id) {
            unprotected(&mut tx, resource).await?;
        }
        drop(tx);
        let (mut steps, mut needed) = (Vec::new(), Needed::default());
        for wish in &input.wishes {
            let connected = open(&self.app, ctx, wish.provider_id).await?;
            let (before, standing) = look_before(&connected, wish).await?;
            let planned = plan(wish, connected.cloud.capabilities(), before.as_ref(), standing.as_ref());
            let planned = planned.map_err(|refusal| StepError::permanent(refusal.code, refusal.detail))?;
            needed.add(&self.app, connected, &planned, before.as_ref()).await;
            steps.extend(planned);
        }
        needed.check(&self.app).await?;
        if worst(&steps) > input.worst {
            let detail = format!(
                "As things stand now it would mean {}, where it was asked for as {}. Look at the plan again and ask anew.",
                worst(&steps),
                input.worst
            );
            return Err(StepError::permanent("plan_changed", detail));
        }
        let then = steps.iter().map(|step| Ok(NewStep::new(step.title(), written(step)?)));
        let then = then.collect::<Result<Vec<_>, StepError>>()?;
        let progress = json!({ "steps": then.len() });
        Ok(StepDone { output: Value::Null, then, progress })
    }

    /// Makes one change.
    async fn make(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        let step: PlannedStep = read(&ctx.input)?;
        // What has begun is carried through.
        if let (1, Some(resource)) = (ctx.attempt, step.resource_id) {
            unprotected(&mut ctx.org()?, resource).await?;
        }
        let connected = open(&self.app, ctx, step.provider_id).await?;
        let native_id = self.achieve(ctx, &connected, &step).await?;
        let kind = kind(&step.change);
        let not_read_back = self.read_back(ctx, &connected, &step, kind, &native_id).await?;
        let resource_id = resource_id(step.provider_id, kind, &native_id);
        let (size, no_capacity) = step.sizes_after(tried(ctx)?);
        let done = Changed { native_id, resource_id, size, no_capacity, not_read_back };
        Ok(StepDone { output: written(&done)?, then: Vec::new(), progress: json!({ "steps_done": 1 }) })
    }

    /// Takes one change back.
    async fn take_back(&self, ctx: &StepContext) -> Result<(), StepError> {
        let step: PlannedStep = read(&ctx.input)?;
        self.let_it_end(ctx, &step).await?;
        let back = match &step.undo {
            Undo::Nothing => return Ok(()),
            Undo::Impossible { because } => {
                return Err(StepError::permanent("cannot_be_undone", because.clone()));
            }
            Undo::Change { change } => change.clone(),
            Undo::Remove { action } => match self.what_was_made(ctx, &step).await? {
                Some(native_id) => {
                    Change::of(&step.change.region, kind(&step.change), native_id, action.clone())
                }
                None => return Ok(()),
            },
        };
        let connected = open(&self.app, ctx, step.provider_id).await?;
        let taken = self.carry_out(ctx, &connected, &back, (tried(ctx)?, true)).await;
        let native_id = taken.map_err(|error| match &*error.code {
            // The vendor may still be at what is to be taken back.
            "conflict" => StepError { retry: marquee_jobs::Retry::Backoff, ..error },
            // Who may not take it back is not waited for: what is left is reported.
            "permission_denied" => StepError { retry: marquee_jobs::Retry::Never, ..error },
            _ => error,
        })?;
        self.read_back(ctx, &connected, &step, kind(&back), &native_id).await.map(drop)
    }

    /// Reads what was changed back into the inventory: what the operation did is seen without a sync. A cloud that does not
    /// answer that undoes nothing: the change is made, and the next sync shows it. The reason is given then.
    async fn read_back(
        &self,
        ctx: &StepContext,
        connected: &Connected,
        step: &PlannedStep,
        kind: ResourceKind,
        native_id: &str,
    ) -> Result<Option<String>, StepError> {
        let region = &step.change.region;
        // What it makes of another kind is listed elsewhere.
        let changed = step.change.target.as_ref().is_some_and(|target| target.kind == kind);
        let known = step.scope.as_deref().filter(|_| changed);
        let look = async {
            let Some(inventory) = connected.cloud.inventory() else { return Ok(None) };
            let Some(scope) = scope_of(inventory, known, kind, region).await? else { return Ok(None) };
            let found = inventory.get(&scope, kind, native_id).await?;
            Ok::<_, CloudError>(Some((scope, found)))
        };
        let (scope, found) = match look.await {
            Ok(Some(looked)) => looked,
            Ok(None) => return Ok(Some("this cloud does not list such things".to_owned())),
            Err(error) => {
                tracing::warn!(operation = %ctx.operation, %error, "a change was made and could not be read back");
                return Ok(Some(error.to_string()));
            }
        };
        let mut tx = ctx.org()?;
        listing::hold(ctx, &mut tx, connected.id).await?;
        let now = self.app.clock.now();
        match found {
            Some(observed) => {
                let prepared = Prepared::new(connected.id, observed)
                    .map_err(|error| StepError::permanent("internal", error.to_string()))?;
                write::page(&mut tx, connected.id, &scope_name(&scope), &[prepared], now).await?;
            }
            None => write::delete(&mut tx, &[resource_id(connected.id, kind, native_id).uuid()], now).await?,
        }
        tx.commit().await?;
        Ok(None)
    }
}

#[async_trait]
impl OperationKind for ChangeOperation {
    fn kind(&self) -> &'static str {
        CHANGE
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        if &*ctx.name == PLAN { self.plan(ctx).await } else { self.make(ctx).await }
    }

    async fn undo_step(&self, ctx: &StepContext) -> Result<(), StepError> {
        if &*ctx.name == PLAN { Ok(()) } else { self.take_back(ctx).await }
    }

    async fn finished(&self, tx: &mut Tx<Org>, outcome: &OperationOutcome) -> Result<(), DbError> {
        if outcome.state == OperationState::Cancelled {
            let (now, by) = (self.app.clock.now(), format!("worker:{CHANGE}"));
            approvals::decide(tx, outcome.operation, Decision::Withdrawn, &by, None, now).await?;
        }
        if let Some((waits, position)) = bulk::waits(tx, outcome.operation).await? {
            hasten_step(tx, waits, position).await?;
        }
        for ready in claims::let_go(tx, outcome.operation).await? {
            if let PauseOutcome::Refused(state) = resume_operation(tx, ready).await? {
                tracing::info!(operation = %ready, %state, "what it waited for is free, and it is not paused");
                // It was made to go on, and looks now and then whether it is its turn.
                hasten_step(tx, ready, 0).await?;
            }
        }
        Ok(())
    }

    /// Of one attempt: what takes longer is left and gone on with.
    fn deadline(&self, _: &str) -> Duration {
        Duration::from_mins(30)
    }
}

/// Refuses what was protected since the change was asked for: it may have waited for another, or been paused.
async fn unprotected(tx: &mut Tx<Org>, resource: ResourceId) -> Result<(), StepError> {
    let Some(protection) = claims::protection(tx, resource).await? else { return Ok(()) };
    let detail = format!("It is protected by {}: {}.", protection.protected_by, protection.reason);
    Err(StepError::permanent("resource_protected", detail))
}

/// How a thing stands, and the settings that a wish would replace.
async fn look_before(
    connected: &Connected,
    wish: &Wish,
) -> Result<(Option<Observed>, Option<Action>), StepError> {
    let Some(target) = &wish.change.target else { return Ok((None, None)) };
    let inventory = connected
        .cloud
        .inventory()
        .ok_or_else(|| StepError::permanent("unsupported", "this cloud has no inventory"))?;
    let scope = scope_of(inventory, wish.scope.as_deref(), target.kind, &wish.change.region).await;
    let scope = scope.map_err(|error| step_error(&error))?;
    let scope =
        scope.ok_or_else(|| StepError::permanent("unsupported", "this cloud does not list such things"))?;
    let found =
        inventory.get(&scope, target.kind, &target.native_id).await.map_err(|error| step_error(&error))?;
    let before = found.ok_or_else(|| {
        let detail = format!("{} ({}) no longer exists.", wish.name, target.native_id);
        StepError::permanent("resource_gone", detail)
    })?;
    let standing =
        changes(&*connected.cloud)?.standing(&wish.change).await.map_err(|error| step_error(&error))?;
    Ok((Some(before), standing))
}

/// The part of an inventory that a thing is listed by.
async fn scope_of(
    inventory: &dyn Inventory,
    known: Option<&str>,
    kind: ResourceKind,
    region: &str,
) -> Result<Option<Scope>, CloudError> {
    if let Some((service, region)) = known.and_then(|name| name.split_once('@')) {
        let scope = Scope { service: service.to_owned(), region: region.to_owned(), kinds: vec![kind] };
        return Ok(Some(scope));
    }
    let scopes = inventory.scopes(&[region.to_owned()]).await?;
    let here = |scope: &Scope| scope.region == region || scope.region == "global";
    Ok(scopes.into_iter().find(|scope| here(scope) && scope.kinds.contains(&kind)))
}

/// The kind of what a change is about afterwards: of what it makes, or of what it changes.
pub(super) fn kind(change: &Change) -> ResourceKind {
    let changed = change.target.as_ref().map(|target| target.kind);
    change.action.name().makes().or(changed).unwrap_or(ResourceKind::ComputeInstance)
}

/// The vendor's id of what a step made, from its output.
pub(super) fn made_by(output: &Value) -> Result<String, StepError> {
    Ok(read::<Changed>(output)?.native_id)
}

pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, StepError> {
    T::deserialize(value).map_err(|error| StepError::permanent("internal", error.to_string()))
}

pub(super) fn written<T: Serialize>(value: &T) -> Result<Value, StepError> {
    serde_json::to_value(value).map_err(|error| StepError::permanent("internal", error.to_string()))
}
