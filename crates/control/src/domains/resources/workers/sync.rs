//! The operation `sync_provider`: find out which scopes there are, then list each.

use std::time::Duration;

use async_trait::async_trait;
use marquee_clouds::{Cloud, CloudError, ErrorKind, Scope};
use marquee_db::{DbError, Org, Tx};
use marquee_jobs::{NewStep, OperationKind, OperationOutcome, StepContext, StepDone, StepError};
use marquee_types::{OperationState, ProviderId};
use serde_json::{Value, json};

use super::{
    super::{
        model::{Counts, ScopeInput, scope_name},
        store::{syncs, write},
    },
    listing,
};
use crate::{
    app::App,
    domains::providers::{self, Connected},
    fault::Fault,
};

/// The kind of the operation.
pub const SYNC: &str = "sync_provider";
/// The first step; all others are named after their scope.
pub const DISCOVER: &str = "discover";

/// How long a cloud may take to say whose the credentials are.
const PATIENCE: Duration = Duration::from_secs(20);

/// Syncs providers.
#[derive(Debug)]
pub struct SyncOperation {
    app: App,
}

impl SyncOperation {
    /// With everything the application has.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    async fn discover(&self, ctx: &StepContext, provider: ProviderId) -> Result<StepDone, StepError> {
        let connected = open(&self.app, ctx, provider).await?;
        let inventory = connected
            .cloud
            .inventory()
            .ok_or_else(|| StepError::permanent("unsupported", "this cloud has no inventory"))?;
        reach(&*connected.cloud).await?;
        let scopes = inventory.scopes(&connected.regions).await.map_err(|error| cloud_error(&error))?;
        if scopes.is_empty() {
            return Err(StepError::permanent("protocol", "the cloud named no region to list"));
        }
        let names: Vec<String> = scopes.iter().map(scope_name).collect();
        let mut tx = ctx.org()?;
        listing::hold(ctx, &mut tx, provider).await?;
        retire_left_out(&self.app, &mut tx, &connected, &names).await?;
        tx.commit().await?;
        let then = scopes.into_iter().zip(&names).map(|(scope, name)| {
            let input = serde_json::to_value(ScopeInput::from(scope))
                .map_err(|error| StepError::permanent("internal", error.to_string()))?;
            Ok(NewStep::new(name.as_str(), input))
        });
        let then = then.collect::<Result<Vec<_>, StepError>>()?;
        let progress = json!({ "scopes": then.len() });
        Ok(StepDone { output: Value::Null, then, progress })
    }

    async fn list(&self, ctx: &StepContext, provider: ProviderId) -> Result<StepDone, StepError> {
        let input: ScopeInput = serde_json::from_value((*ctx.input).clone())
            .map_err(|error| StepError::permanent("internal", error.to_string()))?;
        let scope = Scope::from(input);
        let connected = open(&self.app, ctx, provider).await?;
        match listing::run(&self.app, ctx, &connected, &scope).await {
            Ok(counts) => {
                let progress = json!({
                    "scopes_done": 1, "resources_seen": counts.seen, "resources_created": counts.created,
                    "resources_changed": counts.changed, "resources_deleted": counts.deleted,
                    "calls_throttled": counts.throttled,
                });
                Ok(StepDone { output: json!(counts), then: Vec::new(), progress })
            }
            Err(error) => Err(self.failed(ctx, provider, &scope, error).await),
        }
    }

    /// Notes on the scope why it is not fresh; the rest of the sync stands.
    async fn failed(
        &self,
        ctx: &StepContext,
        provider: ProviderId,
        scope: &Scope,
        error: StepError,
    ) -> StepError {
        let note = async {
            let mut tx = ctx.org()?;
            ctx.fence(&mut tx).await?;
            if !providers::lock_connected(&mut tx, provider).await? {
                // Its scopes are forgotten.
                return tx.commit().await;
            }
            let place = (scope.service.as_str(), scope.region.as_str());
            let reason = json!({ "code": error.code, "detail": error.detail });
            let now = self.app.clock.now();
            syncs::scope_failed(&mut tx, provider, &scope_name(scope), place, now, &reason).await?;
            ctx.progress(&mut tx, json!({ "scopes_failed": 1 }));
            tx.commit().await
        };
        match note.await {
            Ok(()) => error,
            // Not noted: the step has to be tried again, or the reason would be lost.
            Err(db) => db.into(),
        }
    }
}

#[async_trait]
impl OperationKind for SyncOperation {
    fn kind(&self) -> &'static str {
        SYNC
    }

    async fn run_step(&self, ctx: &StepContext) -> Result<StepDone, StepError> {
        let provider = ctx.operation_input["provider_id"].as_str().and_then(|id| id.parse().ok());
        let provider =
            provider.ok_or_else(|| StepError::permanent("internal", "the operation names no provider"))?;
        if &*ctx.name == DISCOVER {
            self.discover(ctx, provider).await
        } else {
            self.list(ctx, provider).await
        }
    }

    async fn finished(&self, tx: &mut Tx<Org>, outcome: &OperationOutcome) -> Result<(), DbError> {
        let mut total = Counts::default();
        let outputs = outcome.steps.iter().filter_map(|step| step.output.as_deref());
        for counts in outputs.filter_map(|output| serde_json::from_value(output.clone()).ok()) {
            total += counts;
        }
        let state = match outcome.state {
            OperationState::Succeeded => "succeeded",
            OperationState::PartiallySucceeded => "partially_succeeded",
            OperationState::Cancelled => "cancelled",
            _ => "failed",
        };
        let now = self.app.clock.now();
        syncs::finish(tx, outcome.operation, state, &json!(total), now).await
    }

    fn deadline(&self, _: &str) -> Duration {
        Duration::from_hours(2)
    }
}

/// Whether there is a cloud that answers and takes the credentials: found out once, so that neither a wrong key is
/// reported by every scope nor a cloud that hangs is waited for by each. Whatever else fails, scopes find out themselves.
async fn reach(cloud: &dyn Cloud) -> Result<(), StepError> {
    let Ok(answer) = tokio::time::timeout(PATIENCE, cloud.identity()).await else {
        let detail =
            format!("the cloud did not say within {} s whose credentials these are", PATIENCE.as_secs());
        return Err(StepError::permanent(ErrorKind::Timeout.as_str(), detail));
    };
    match answer {
        Err(error) if error.kind == ErrorKind::Unauthenticated => Err(cloud_error(&error)),
        // No answer at all: one that is an error would have a code.
        Err(error)
            if error.code.is_none() && matches!(error.kind, ErrorKind::Timeout | ErrorKind::Unavailable) =>
        {
            Err(cloud_error(&error))
        }
        _ => Ok(()),
    }
}

/// Scopes that the settings no longer ask for (a region was taken off) leave the inventory at once. What discovery
/// merely did not name is left alone the first time: a cloud's list of regions may be short for once.
async fn retire_left_out(
    app: &App,
    tx: &mut Tx<Org>,
    connected: &Connected,
    names: &[String],
) -> Result<(), DbError> {
    let left_out = |region: &String| {
        !connected.regions.is_empty() && region != "global" && !connected.regions.contains(region)
    };
    let (mut retired, mut missing) = (Vec::new(), Vec::new());
    for known in syncs::known_scopes(tx, connected.id).await? {
        if names.contains(&known.scope) {
            continue;
        }
        if left_out(&known.region) || known.missing_since.is_some() {
            retired.push(known.scope);
        } else {
            missing.push(known.scope);
        }
    }
    for scope in &retired {
        write::retire(tx, connected.id, scope, app.clock.now()).await?;
    }
    syncs::forget_scopes(tx, connected.id, Some(&retired)).await?;
    syncs::mark_scopes(tx, connected.id, &missing, app.clock.now()).await
}

/// The provider of a step, and its cloud.
pub async fn open(app: &App, ctx: &StepContext, provider: ProviderId) -> Result<Connected, StepError> {
    let mut tx = ctx.org()?;
    providers::open(app, &mut tx, provider).await.map_err(|fault| match fault {
        Fault::NotFound(_) => StepError::permanent("provider_disconnected", "the provider was disconnected"),
        Fault::Unavailable { detail, .. } => StepError::transient("unavailable", detail),
        other => {
            tracing::error!(%provider, fault = ?other, "a provider could not be opened");
            StepError::permanent(other.code().0, other.problem("").detail)
        }
    })
}

/// The cloud failed, and the layers have tried again as long as that made sense.
pub fn cloud_error(error: &CloudError) -> StepError {
    if error.kind == ErrorKind::Protocol {
        tracing::warn!(%error, "a cloud answered something that it should not");
    }
    StepError::permanent(error.kind.as_str(), error.to_string())
}
