//! What can be done with providers.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use marquee_clouds::{
    Cloud, CloudError, Connection, Connector, ErrorKind, PermissionGroup, PermissionNeed, PolicyRequest,
    policy::INVENTORY,
};
use marquee_db::{Org, Tx};
use marquee_types::ProviderId;
use secrecy::ExposeSecret;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::{
    model::{Connected, Draft, SealedCredentials, Stored, Verified, binding, connection},
    store,
    wire::{
        AccountIdentity, ConnectionReport, CreateProvider, Kind, Kinds, Need, NeedGroup, PermissionReport,
        Policy, PolicyQuery, Provider, Regions, ReplaceProvider, Services,
    },
};
use crate::{
    app::App,
    domains::{audit, resources},
    fault::{Fault, OnConstraint, cloud_problem},
    http::Call,
    vault::VaultError,
};

/// How long the cloud may take to accept credentials.
const VERIFY_TIME: Duration = Duration::from_secs(10);
/// How long the answer to a disconnection waits for the resources to leave the inventory.
const RETIRE_TIME: Duration = Duration::from_secs(2);
/// How long a test of the connection may take, whatever the cloud does.
const TEST_TIME: Duration = Duration::from_millis(4_500);

/// Connects a cloud account.
pub async fn create(call: &Call, wanted: CreateProvider) -> Result<(Provider, i64), Fault> {
    let app = &call.app;
    let interval = app.config.sync_interval_seconds;
    let draft =
        Draft::new(&wanted.name, wanted.kind, wanted.settings, wanted.sync_interval_seconds, interval)?;
    let connector = connector(app, &draft.kind)?;
    let id = ProviderId::new();
    let external_id = external_id();
    let connection = connection(&wanted.credentials, &draft.settings, &external_id);
    connector.check(&connection, &app.config.rules).map_err(|error| Fault::Invalid(error.0))?;
    let verified = if wanted.verify { Some(verify(app, &*connector, &connection).await?) } else { None };
    let credentials = seal(call, id, &draft.kind, &*connector, &connection)?;
    let now = app.clock.now();
    let mut tx = call.tx()?;
    let shown = written(&credentials.description)?;
    store::insert(&mut tx, id, &draft, &external_id, credentials, verified.as_ref(), now);
    audit::record(&mut tx, audit::Entry::allowed("providers.create").target("provider", id));
    let done = if call.validate_only { tx.rehearse().await } else { tx.commit().await };
    done.on_constraint("cloud_providers_name", || name_taken(&draft.name))?;
    if verified.is_some() && !call.validate_only {
        app.nudge(resources::SCHEDULER);
    }
    Ok((created(id, draft, external_id, shown, verified, now)?, 1))
}

/// The new provider as a read would show it, without reading it.
fn created(
    id: ProviderId,
    draft: Draft,
    external_id: String,
    credentials: Box<RawValue>,
    verified: Option<Verified>,
    now: DateTime<Utc>,
) -> Result<Provider, Fault> {
    let next_sync_at = Some(draft.first_sync(verified.is_some(), now));
    Ok(Provider {
        id,
        name: draft.name,
        kind: draft.kind,
        settings: written(&draft.settings)?,
        credentials,
        external_id,
        verified_at: verified.as_ref().map(|v| v.at),
        account: verified.as_ref().map(|v| v.identity.account.clone()),
        principal: verified.map(|v| v.identity.principal),
        sync_interval_seconds: draft.sync_interval_seconds,
        next_sync_at,
        last_sync: None,
        created_at: now,
        updated_at: now,
    })
}

fn written(value: &Value) -> Result<Box<RawValue>, Fault> {
    to_raw_value(value).map_err(|error| Fault::Internal(error.into()))
}

/// Replaces a provider's configuration, and its credentials if given.
pub async fn replace(call: &Call, id: ProviderId, wanted: ReplaceProvider) -> Result<(Provider, i64), Fault> {
    let app = &call.app;
    let interval = app.config.sync_interval_seconds;
    let draft =
        Draft::new(&wanted.name, wanted.kind, wanted.settings, wanted.sync_interval_seconds, interval)?;
    let connector = connector(app, &draft.kind)?;
    let mut tx = call.tx()?;
    let stored = store::stored(&mut tx, id).await?.ok_or(Fault::NotFound("provider"))?;
    drop(tx);
    let entered = wanted.credentials.is_some();
    let connection = match &wanted.credentials {
        Some(credentials) => connection(credentials, &draft.settings, &stored.external_id),
        None => kept_connection(call, id, &draft, &stored, &*connector)?,
    };
    connector.check(&connection, &app.config.rules).map_err(|error| Fault::Invalid(error.0))?;
    let verified = if wanted.verify { Some(verify(app, &*connector, &connection).await?) } else { None };
    let sealed = if entered { Some(seal(call, id, &draft.kind, &*connector, &connection)?) } else { None };
    let now = app.clock.now();
    // Credentials that are kept were checked against the version read above: no other may have come since.
    let based_on = call.if_match.or((!entered).then_some(stored.version));
    let mut tx = call.tx()?;
    let version = store::update(&mut tx, id, based_on, &draft, verified.as_ref(), sealed.as_ref(), now)
        .await
        .on_constraint("cloud_providers_name", || name_taken(&draft.name))?;
    if version.is_none() {
        return Err(gone_or_stale(&mut tx, id).await?);
    }
    let changed = store::get_changed(&mut tx, id).await?.ok_or(Fault::NotFound("provider"))?;
    if call.validate_only {
        tx.rollback().await?;
        return Ok(changed);
    }
    audit::record(&mut tx, audit::Entry::allowed("providers.replace").target("provider", id));
    tx.commit().await?;
    Ok(changed)
}

/// Disconnects a provider: its credentials go at once, its resources leave the inventory, its history stays. What is
/// left of a large one after a moment leaves behind the answer.
pub async fn disconnect(call: &Call, id: ProviderId) -> Result<(), Fault> {
    let mut tx = call.tx()?;
    if store::delete(&mut tx, id, call.if_match, call.app.clock.now()).await?.is_none() {
        return Err(gone_or_stale(&mut tx, id).await?);
    }
    resources::retire_in_any_case(&call.app, &mut tx, id).await?;
    if call.validate_only {
        return Ok(tx.rollback().await?);
    }
    audit::record(&mut tx, audit::Entry::allowed("providers.delete").target("provider", id));
    tx.commit().await?;
    let (app, context) = (call.app.clone(), call.actor.context(&call.meta));
    let retiring = call.app.tasks.spawn(async move {
        if let Err(error) = resources::retire(&app, &context, id, || app.tasks.is_closed()).await {
            tracing::warn!(%error, provider = %id, "a disconnected provider is still in the inventory: a job will see to it");
        }
    });
    // Over in time or not, the provider is disconnected.
    let _in_time = tokio::time::timeout(RETIRE_TIME, retiring).await;
    Ok(())
}

/// Tests the connection: who are we, and which permissions are missing.
pub async fn test(call: &Call, id: ProviderId) -> Result<ConnectionReport, Fault> {
    let mut tx = call.tx()?;
    let connected = open(&call.app, &mut tx, id).await?;
    drop(tx);
    let found = connected.cloud.test(TEST_TIME).await;
    let report = ConnectionReport {
        ok: found.identity.is_ok(),
        latency_ms: found.latency.map(|latency| latency.as_secs_f64() * 1e3),
        permissions: found
            .permissions
            .into_iter()
            .map(|check| PermissionReport {
                permission: check.permission.to_owned(),
                feature: check.feature.to_owned(),
                status: check.status,
                detail: check.detail,
            })
            .collect(),
        error: found.identity.as_ref().err().map(cloud_problem),
        identity: found.identity.ok().map(|identity| AccountIdentity {
            account: identity.account,
            principal: identity.principal,
            alias: identity.alias,
        }),
    };
    let mut tx = call.tx()?;
    audit::record(&mut tx, audit::Entry::allowed("providers.test").target("provider", id));
    tx.commit().await?;
    Ok(report)
}

/// The regions as last discovered; asks the cloud if it was never asked, or if told to.
pub async fn regions(call: &Call, id: ProviderId, refresh: bool) -> Result<Regions, Fault> {
    let mut tx = call.tx()?;
    let connected = open(&call.app, &mut tx, id).await?;
    let (items, discovered_at) = store::regions(&mut tx, id).await?;
    drop(tx);
    if !refresh && discovered_at.is_some() {
        return Ok(Regions { items, discovered_at });
    }
    let found = connected.cloud.regions().await?;
    let now = call.app.clock.now();
    let mut tx = call.tx()?;
    store::put_regions(&mut tx, id, &found, now).await?;
    let (items, discovered_at) = store::regions(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Regions { items, discovered_at })
}

/// The services as last discovered; asks the cloud if it was never asked, or if told to.
pub async fn services(call: &Call, id: ProviderId, refresh: bool) -> Result<Services, Fault> {
    let mut tx = call.tx()?;
    let connected = open(&call.app, &mut tx, id).await?;
    let (items, discovered_at) = store::services(&mut tx, id).await?;
    drop(tx);
    if !refresh && discovered_at.is_some() {
        return Ok(Services { items, discovered_at });
    }
    let found = connected.cloud.services().await?;
    let now = call.app.clock.now();
    let mut tx = call.tx()?;
    store::put_services(&mut tx, id, &found, now).await?;
    let (items, discovered_at) = store::services(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Services { items, discovered_at })
}

/// The kinds of clouds, and what a credential must be allowed there.
pub fn kinds(app: &App) -> Kinds {
    let need = |need: &PermissionNeed| Need {
        permission: need.permission.to_owned(),
        feature: need.feature.to_owned(),
    };
    let group = |group: PermissionGroup| NeedGroup {
        name: group.name.to_owned(),
        about: group.about.to_owned(),
        optional: group.name != INVENTORY,
        permissions: group.permissions.iter().map(need).collect(),
    };
    let kind = |connector: &Arc<dyn Connector>| Kind {
        kind: connector.kind().to_owned(),
        title: connector.title().to_owned(),
        groups: connector.permission_groups().into_iter().map(group).collect(),
    };
    Kinds { items: app.clouds.connectors().map(kind).collect() }
}

/// What a credential of a kind must be allowed, as the vendor's own tools take it.
pub fn policy(app: &App, kind: &str, query: PolicyQuery) -> Result<Policy, Fault> {
    let connector = app.clouds.connector(kind).ok_or(Fault::NotFound("kind of cloud"))?;
    let mut groups = connector.permission_groups();
    let wanted: Vec<&str> = query
        .with
        .iter()
        .flat_map(|with| with.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let known: Vec<&str> = groups.iter().map(|group| group.name).filter(|name| *name != INVENTORY).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        let expected = if known.is_empty() {
            format!("{} has no optional features", connector.title())
        } else {
            format!("expected any of: {}", known.join(", "))
        };
        return Err(Fault::invalid("?with", format!("{unknown}: {expected}")));
    }
    groups.retain(|group| group.name == INVENTORY || wanted.contains(&group.name));
    let format = query.format.map(Into::into);
    let request = PolicyRequest { groups, subscription: query.subscription, format };
    let written = connector.policy(&request).map_err(|error| Fault::Invalid(vec![error]))?;
    Ok(Policy {
        kind: kind.to_owned(),
        form: written.form.to_owned(),
        format: written.format,
        document: written.document,
        file: written.file.to_owned(),
        commands: written.commands,
    })
}

/// Opens a connected provider's cloud: the only way from a row to a vendor.
pub async fn open(app: &App, tx: &mut Tx<Org>, id: ProviderId) -> Result<Connected, Fault> {
    let stored = store::stored(tx, id).await?.ok_or(Fault::NotFound("provider"))?;
    let regions = stored.settings["regions"]
        .as_array()
        .map(|regions| regions.iter().filter_map(|region| region.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let organization = tx.context().map(|context| context.organization).ok_or(Fault::NotFound("provider"))?;
    let (name, version) = (stored.name.clone(), stored.version);
    let cloud = app.clouds.cached(id, version, || -> Result<Arc<dyn Cloud>, Fault> {
        let connector = connector(app, &stored.kind)?;
        let credentials = unseal(app, organization, id, &stored)?;
        let kept = stored.credentials.map(|credentials| credentials.binding);
        let connection =
            Connection { credentials, settings: stored.settings, external_id: stored.external_id };
        // The database may say otherwise than what the credentials were entered for: then they are not sent.
        let bound_to = connector.binding(&connection).map_err(|error| Fault::Invalid(error.0))?;
        if kept.as_ref() != Some(&bound_to) {
            return Err(credentials_required());
        }
        connector.connect(&connection, &app.config.rules).map_err(|error| Fault::Unprocessable {
            code: "provider_not_allowed",
            detail: format!("This server's configuration no longer allows this provider: {error}"),
        })
    })?;
    Ok(Connected { id, name, version, regions, cloud })
}

fn connector(app: &App, kind: &str) -> Result<Arc<dyn Connector>, Fault> {
    app.clouds.connector(kind).ok_or_else(|| {
        Fault::invalid(
            "/kind",
            format!("expected one of: {}", app.clouds.kinds().collect::<Vec<_>>().join(", ")),
        )
    })
}

async fn verify(app: &App, connector: &dyn Connector, connection: &Connection) -> Result<Verified, Fault> {
    let cloud = connector.connect(connection, &app.config.rules).map_err(|error| Fault::Invalid(error.0))?;
    let asked = tokio::time::timeout(VERIFY_TIME, cloud.identity()).await;
    let identity = asked.unwrap_or_else(|_| {
        let message = format!("no answer within {} seconds", VERIFY_TIME.as_secs());
        Err(CloudError::new(cloud.capabilities().cloud, "identity", ErrorKind::Timeout, message))
    });
    Ok(Verified { identity: identity.map_err(Fault::Verification)?, at: app.clock.now() })
}

fn seal(
    call: &Call,
    id: ProviderId,
    kind: &str,
    connector: &dyn Connector,
    connection: &Connection,
) -> Result<SealedCredentials, Fault> {
    let bound_to = connector.binding(connection).map_err(|error| Fault::Invalid(error.0))?;
    let description = connector.describe_credentials(connection).map_err(|error| Fault::Invalid(error.0))?;
    let binding = binding(call.actor.organization, id, kind, &bound_to);
    let secret = connection.credentials.expose_secret().as_bytes();
    let sealed = call.app.vault.seal(&binding, secret).map_err(|error| Fault::Internal(error.into()))?;
    Ok(SealedCredentials { sealed, binding: bound_to, description })
}

fn unseal(
    app: &App,
    organization: marquee_types::OrganizationId,
    id: ProviderId,
    stored: &Stored,
) -> Result<secrecy::SecretString, Fault> {
    let credentials = stored.credentials.as_ref().ok_or(Fault::NotFound("provider"))?;
    let binding = binding(organization, id, &stored.kind, &credentials.binding);
    let opened = app.vault.open(&binding, &credentials.sealed).map_err(|error| match error {
        VaultError::UnknownKey { .. } => Fault::Unprocessable {
            code: "credentials_required",
            detail: "The key that these credentials were sealed with is lost: enter them again.".to_owned(),
        },
        other => Fault::Internal(other.into()),
    })?;
    let text = std::str::from_utf8(opened.expose_secret())
        .map_err(|_| Fault::Internal(anyhow::anyhow!("the credentials of {id} are not text")))?;
    Ok(secrecy::SecretString::from(text))
}

/// The connection with the credentials kept, if what they are bound to stays as it is.
fn kept_connection(
    call: &Call,
    id: ProviderId,
    draft: &Draft,
    stored: &Stored,
    connector: &dyn Connector,
) -> Result<Connection, Fault> {
    let credentials = unseal(&call.app, call.actor.organization, id, stored)?;
    let connection =
        Connection { credentials, settings: draft.settings.clone(), external_id: stored.external_id.clone() };
    let bound_to = connector.binding(&connection).map_err(|error| Fault::Invalid(error.0))?;
    let was = stored.credentials.as_ref().map(|credentials| &credentials.binding);
    if draft.kind == stored.kind && was == Some(&bound_to) {
        return Ok(connection);
    }
    Err(credentials_required())
}

fn credentials_required() -> Fault {
    Fault::Unprocessable {
        code: "credentials_required",
        detail: "Kind, endpoint, account or role change: enter the credentials again.".to_owned(),
    }
}

async fn gone_or_stale(tx: &mut Tx<Org>, id: ProviderId) -> Result<Fault, Fault> {
    let there = store::get_changed(tx, id).await?.is_some();
    Ok(if there { Fault::Stale } else { Fault::NotFound("provider") })
}

fn name_taken(name: &str) -> Fault {
    Fault::conflict("already_exists", format!("A provider named {} is connected already.", Value::from(name)))
}

/// 128 random bits: unguessable, so that nobody else's role can be aimed at.
fn external_id() -> String {
    format!("marquee-{}", hex::encode(rand::random::<[u8; 16]>()))
}
