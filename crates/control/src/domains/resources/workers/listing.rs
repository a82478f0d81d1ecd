//! Lists one scope to its end, writes what differs page by page, and looks twice at what is missing.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use marquee_clouds::{CloudError, Inventory, Observed, Page, PageSink, Scope};
use marquee_db::{Org, OrgContext, Tx};
use marquee_jobs::{StepContext, StepError};
use marquee_types::{ProviderId, ResourceState};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    super::{
        model::{Counts, Missing, Prepared, resource_id, scope_name},
        store::{syncs, write},
    },
    sync::cloud_error,
};
use crate::{
    app::App,
    domains::providers::{self, Connected},
};

/// How many pages are written at once, while the next is on its way.
const WRITERS: usize = 2;
/// How many missing resources are looked up by id; beyond, the next complete listing decides.
const LOOKUPS: usize = 25;
/// How many of these are asked for at once.
const LOOKUPS_AT_ONCE: usize = 5;
/// How many rows one statement marks or deletes.
const CHUNK: usize = 1_000;

/// Lists `scope`; what it came to.
pub async fn run(
    app: &App,
    ctx: &StepContext,
    connected: &Connected,
    scope: &Scope,
) -> Result<Counts, StepError> {
    let inventory = connected
        .cloud
        .inventory()
        .ok_or_else(|| StepError::permanent("unsupported", "this cloud has no inventory"))?;
    let began = app.clock.now();
    let mut writer = Writer::new(app, ctx, connected.id, scope_name(scope));
    let listed = inventory.list(scope, &mut writer).await;
    // Pages under way are written in any case: what was seen is true, even if it is not all.
    writer.settle(0).await?;
    listed.map_err(|error| stopped(&writer, &error))?;
    let mut counts = writer.counts;
    let missing = missing(app, ctx.context(), connected.id, &writer.scope, &writer.seen).await?;
    second_look(inventory, scope, &mut writer, missing, &mut counts).await?;
    let mut tx = ctx.org()?;
    hold(ctx, &mut tx, connected.id).await?;
    let place = (scope.service.as_str(), scope.region.as_str());
    syncs::scope_done(&mut tx, connected.id, &writer.scope, place, began, counts).await?;
    tx.commit().await?;
    Ok(counts)
}

/// Takes pages, drops what was seen already, and writes the rest side by side with the listing.
struct Writer<'a> {
    app: &'a App,
    ctx: &'a StepContext,
    provider: ProviderId,
    scope: String,
    seen: HashSet<Uuid>,
    counts: Counts,
    tasks: JoinSet<Result<Counts, StepError>>,
    failure: Option<StepError>,
}

impl<'a> Writer<'a> {
    fn new(app: &'a App, ctx: &'a StepContext, provider: ProviderId, scope: String) -> Self {
        Self {
            app,
            ctx,
            provider,
            scope,
            seen: HashSet::new(),
            counts: Counts::default(),
            tasks: JoinSet::new(),
            failure: None,
        }
    }

    fn write(&mut self, mut page: Page) {
        // A page that shifted between two calls shows a resource twice: the first time counts.
        page.resources.retain(|found| {
            self.seen.insert(resource_id(self.provider, found.kind, &found.native_id).uuid())
        });
        self.counts.throttled += i64::from(page.throttled);
        let (app, ctx) = (self.app.clone(), self.ctx.clone());
        let (provider, scope) = (self.provider, self.scope.clone());
        self.tasks.spawn(async move { write_page(&app, &ctx, provider, &scope, page).await });
    }

    /// Waits until at most `left` pages are being written.
    async fn settle(&mut self, left: usize) -> Result<(), StepError> {
        while self.tasks.len() > left {
            let Some(joined) = self.tasks.join_next().await else { break };
            match joined {
                Ok(Ok(counts)) => self.counts += counts,
                Ok(Err(error)) => return Err(error),
                Err(error) => return Err(StepError::transient("internal", error.to_string())),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl PageSink for Writer<'_> {
    async fn page(&mut self, page: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if self.ctx.cancelled() {
            self.failure = Some(StepError::permanent("cancelled", "the sync was cancelled"));
            return Err("cancelled".into());
        }
        if let Err(error) = self.settle(WRITERS - 1).await {
            let text = error.detail.clone();
            self.failure = Some(error);
            return Err(text.into());
        }
        self.write(page);
        Ok(())
    }
}

/// Why the listing ended early: our own reason if we stopped it, else the cloud's.
fn stopped(writer: &Writer<'_>, error: &CloudError) -> StepError {
    writer.failure.clone().unwrap_or_else(|| cloud_error(error))
}

async fn write_page(
    app: &App,
    ctx: &StepContext,
    provider: ProviderId,
    scope: &str,
    page: Page,
) -> Result<Counts, StepError> {
    let prepared: Result<Vec<_>, _> =
        page.resources.into_iter().map(|observed| Prepared::new(provider, observed)).collect();
    let prepared = prepared.map_err(|error| StepError::permanent("internal", error.to_string()))?;
    let _turn = app.inventory_turn().await;
    let mut tx = ctx.org()?;
    hold(ctx, &mut tx, provider).await?;
    let counts = write::page(&mut tx, provider, scope, &prepared, app.clock.now()).await?;
    tx.commit().await?;
    Ok(counts)
}

/// Holds the lease and the provider until the transaction ends.
pub async fn hold(ctx: &StepContext, tx: &mut Tx<Org>, provider: ProviderId) -> Result<(), StepError> {
    ctx.fence(tx).await?;
    if providers::lock_connected(tx, provider).await? {
        return Ok(());
    }
    Err(StepError::permanent("provider_disconnected", "the provider was disconnected"))
}

/// What the inventory has in the scope and the listing had not.
async fn missing(
    app: &App,
    context: &OrgContext,
    provider: ProviderId,
    scope: &str,
    seen: &HashSet<Uuid>,
) -> Result<Vec<Missing>, StepError> {
    let mut missing = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let tx = app.db.org(context)?;
        let known = write::in_scope(tx, provider, scope, after).await?;
        let Some(last) = known.last() else { return Ok(missing) };
        after = last.id;
        missing.extend(known.into_iter().filter(|resource| !seen.contains(&resource.id)));
    }
}

/// Decides on what is missing: gone if the cloud says so by id, or if this is the second complete listing
/// without it; marked otherwise. A listing that is caught leaving out what is there decides nothing by itself.
async fn second_look(
    inventory: &dyn Inventory,
    scope: &Scope,
    writer: &mut Writer<'_>,
    mut missing: Vec<Missing>,
    counts: &mut Counts,
) -> Result<(), StepError> {
    if missing.is_empty() {
        return Ok(());
    }
    let rest = missing.split_off(missing.len().min(LOOKUPS));
    let looked_up: Vec<_> = stream::iter(missing)
        .map(|resource| async move {
            let found = inventory.get(scope, resource.kind, &resource.native_id).await;
            (resource, found)
        })
        .buffer_unordered(LOOKUPS_AT_ONCE)
        .collect()
        .await;
    let (mut gone, mut unsure, mut there) = (Vec::new(), Vec::new(), Page::default());
    let exists = |found: &Observed| found.state != ResourceState::Deleted;
    let caught = looked_up.iter().any(|(_, found)| matches!(found, Ok(Some(found)) if exists(found)));
    let believed = |resource: &Missing| resource.since.is_some() && !caught;
    for (resource, found) in looked_up {
        match found {
            Ok(None) => gone.push(resource.id),
            Ok(Some(observed)) => there.resources.push(observed),
            Err(_) if believed(&resource) => gone.push(resource.id),
            Err(_) => unsure.push(resource.id),
        }
    }
    for resource in rest {
        if believed(&resource) { gone.push(resource.id) } else { unsure.push(resource.id) }
    }
    if !there.resources.is_empty() {
        let before = writer.counts;
        writer.write(there);
        writer.settle(0).await?;
        counts.seen += writer.counts.seen - before.seen;
        counts.changed += writer.counts.changed - before.changed;
    }
    counts.deleted += i64::try_from(gone.len()).unwrap_or(i64::MAX);
    counts.missing += i64::try_from(unsure.len()).unwrap_or(i64::MAX);
    settle_missing(writer, writer.app.clock.now(), &gone, &unsure).await
}

async fn settle_missing(
    writer: &Writer<'_>,
    now: DateTime<Utc>,
    gone: &[Uuid],
    unsure: &[Uuid],
) -> Result<(), StepError> {
    let gone = gone.chunks(CHUNK).map(|ids| (ids, true));
    for (ids, certain) in gone.chain(unsure.chunks(CHUNK).map(|ids| (ids, false))) {
        let _turn = writer.app.inventory_turn().await;
        let mut tx = writer.ctx.org()?;
        hold(writer.ctx, &mut tx, writer.provider).await?;
        if certain {
            write::delete(&mut tx, ids, now).await?;
        } else {
            write::mark_missing(&mut tx, ids, now).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
