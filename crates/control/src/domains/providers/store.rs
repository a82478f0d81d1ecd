//! All SQL of the providers.

use chrono::{DateTime, Utc};
use marquee_clouds::{CloudRegion, CloudService};
use marquee_db::{DbError, Org, Row, System, Tx};
use marquee_types::{ProviderId, SyncId};
use serde_json::{Value, value::RawValue};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{
    model::{Draft, SealedCredentials, Stored, Verified},
    wire::{LastSync, Provider, Region, Service},
};
use crate::vault::Sealed;

const LIST: &str = "
    SELECT id, name, kind, settings, external_id, account, principal, verified_at, sync_interval_seconds, version,
           created_at, updated_at, credentials, next_sync_at, last_sync_id, last_sync_state, last_sync_finished_at
      FROM cloud_providers
     WHERE deleted_at IS NULL AND id > $1
     ORDER BY id
     LIMIT $2";

const GET: &str = "
    SELECT id, name, kind, settings, external_id, account, principal, verified_at, sync_interval_seconds, version,
           created_at, updated_at, credentials, next_sync_at, last_sync_id, last_sync_state, last_sync_finished_at
      FROM cloud_providers
     WHERE deleted_at IS NULL AND id = $1";

const STORED: &str = "
    SELECT name, kind, settings, external_id, version, key_id, wrapped_key, nonce, ciphertext, binding_version, binding,
           credentials
      FROM cloud_providers
     WHERE deleted_at IS NULL AND id = $1";

const SEALING_KEYS: &str =
    "SELECT DISTINCT key_id FROM cloud_providers WHERE deleted_at IS NULL ORDER BY key_id";

// Who writes what belongs to a connected provider holds the weaker of these two, which lets its row be changed: a sync
// notes its end there, and it can be disconnected. Who then takes out what it had takes the stronger, and so waits for
// whoever began to write before. The weaker one may be given on the row as it was before a disconnection that is being
// committed, so whether it is still connected is asked again, behind it.
const LOCK_CONNECTED: &str = "
    SELECT true FROM cloud_providers WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE";
const LOCK_DISCONNECTED: &str = "
    SELECT true FROM cloud_providers WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE";
const IS_CONNECTED: &str = "SELECT true FROM cloud_providers WHERE id = $1 AND deleted_at IS NULL";

const INSERT: &str = "
    INSERT INTO cloud_providers (organization_id, id, name, kind, settings, external_id, account, principal,
                                 verified_at, sync_interval_seconds, next_sync_at, created_at, updated_at, credentials,
                                 key_id, wrapped_key, nonce, ciphertext, binding_version, binding)
    VALUES (current_organization(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14, $15, $16, $17, $18)";

const UPDATE: &str = "
    UPDATE cloud_providers
       SET name = $3, kind = $4, settings = $5, sync_interval_seconds = $6, updated_at = $7,
           account = coalesce($8, account), principal = coalesce($9, principal),
           verified_at = CASE WHEN $11 THEN $10 ELSE verified_at END,
           credentials = coalesce($12, credentials), key_id = coalesce($13, key_id),
           wrapped_key = coalesce($14, wrapped_key), nonce = coalesce($15, nonce),
           ciphertext = coalesce($16, ciphertext), binding_version = coalesce($17, binding_version),
           binding = coalesce($18, binding), version = version + 1
     WHERE id = $1 AND deleted_at IS NULL AND ($2::bigint IS NULL OR version = $2)
    RETURNING version";

const DELETE: &str = "
    UPDATE cloud_providers
       SET deleted_at = $3, updated_at = $3, next_sync_at = NULL, version = version + 1, credentials = NULL, key_id = NULL,
           wrapped_key = NULL, nonce = NULL, ciphertext = NULL, binding_version = NULL, binding = NULL
     WHERE id = $1 AND deleted_at IS NULL AND ($2::bigint IS NULL OR version = $2)
    RETURNING version";

const REGIONS: &str = "
    SELECT region, name, enabled, discovered_at FROM cloud_provider_regions WHERE provider_id = $1 ORDER BY region";
const DELETE_REGIONS: &str = "DELETE FROM cloud_provider_regions WHERE provider_id = $1";
const INSERT_REGIONS: &str = "
    INSERT INTO cloud_provider_regions (organization_id, provider_id, region, name, enabled, discovered_at)
    SELECT current_organization(), $1, region, name, enabled, $5
      FROM unnest($2::text[], $3::text[], $4::boolean[]) AS found (region, name, enabled)
    ON CONFLICT (organization_id, provider_id, region) DO NOTHING";

const SERVICES: &str = "
    SELECT service, name, regions, discovered_at FROM cloud_provider_services WHERE provider_id = $1 ORDER BY service";
const DELETE_SERVICES: &str = "DELETE FROM cloud_provider_services WHERE provider_id = $1";
const INSERT_SERVICE: &str = "
    INSERT INTO cloud_provider_services (organization_id, provider_id, service, name, regions, discovered_at)
    VALUES (current_organization(), $1, $2, $3, $4, $5)
    ON CONFLICT (organization_id, provider_id, service) DO NOTHING";

/// A page of the providers, in the order of their ids, each with its version. Consumes the transaction.
pub async fn list(
    tx: Tx<Org>,
    after: Option<ProviderId>,
    limit: i64,
) -> Result<Vec<(Provider, i64)>, DbError> {
    let after = after.map_or(Uuid::nil(), ProviderId::uuid);
    Ok(tx.look_up(LIST, &[&after, &limit]).await?.iter().map(provider).collect())
}

/// One provider and its version. Consumes the transaction.
pub async fn get(tx: Tx<Org>, id: ProviderId) -> Result<Option<(Provider, i64)>, DbError> {
    Ok(tx.look_up(GET, &[&id.uuid()]).await?.first().map(provider))
}

/// One provider as it is after the changes of this transaction.
pub async fn get_changed(tx: &mut Tx<Org>, id: ProviderId) -> Result<Option<(Provider, i64)>, DbError> {
    Ok(tx.query_opt(GET, &[&id.uuid()]).await?.as_ref().map(provider))
}

/// The row with its sealed credentials.
pub async fn stored(tx: &mut Tx<Org>, id: ProviderId) -> Result<Option<Stored>, DbError> {
    Ok(tx.query_opt(STORED, &[&id.uuid()]).await?.as_ref().map(stored_row))
}

/// The ids of the keys that any organization's credentials are sealed with. Consumes the transaction.
pub async fn sealing_keys(tx: Tx<System>) -> Result<Vec<String>, DbError> {
    Ok(tx.read(SEALING_KEYS, &[]).await?.iter().map(|row| row.get("key_id")).collect())
}

/// Whether the provider is connected. If it is disconnected before this transaction ends, what this transaction writes
/// is taken out after it.
pub async fn lock_connected(tx: &mut Tx<Org>, id: ProviderId) -> Result<bool, DbError> {
    let id = id.uuid();
    let mut batch = tx.batch();
    batch.add(LOCK_CONNECTED, &[&id]);
    batch.add(IS_CONNECTED, &[&id]);
    Ok(batch.rows().await?.pop().is_some_and(|rows| !rows.is_empty()))
}

/// Whether the provider is disconnected; if so, everybody who was writing to it is done.
pub async fn lock_disconnected(tx: &mut Tx<Org>, id: ProviderId) -> Result<bool, DbError> {
    Ok(tx.query_opt(LOCK_DISCONNECTED, &[&id.uuid()]).await?.is_some())
}

/// Whether the provider is connected just now.
pub async fn is_connected(tx: &mut Tx<Org>, id: ProviderId) -> Result<bool, DbError> {
    Ok(tx.query_opt(IS_CONNECTED, &[&id.uuid()]).await?.is_some())
}

/// Registers a new provider, to be written with COMMIT: the whole change is one wait. A taken name then breaks the
/// constraint `cloud_providers_name`.
pub fn insert(
    tx: &mut Tx<Org>,
    id: ProviderId,
    draft: &Draft,
    external_id: &str,
    credentials: SealedCredentials,
    verified: Option<&Verified>,
    now: DateTime<Utc>,
) {
    let SealedCredentials { sealed, binding, description } = credentials;
    tx.before_commit(
        INSERT,
        vec![
            Box::new(id.uuid()),
            Box::new(draft.name.clone()),
            Box::new(draft.kind.clone()),
            Box::new(draft.settings.clone()),
            Box::new(external_id.to_owned()),
            Box::new(verified.map(|v| v.identity.account.clone())),
            Box::new(verified.map(|v| v.identity.principal.clone())),
            Box::new(verified.map(|v| v.at)),
            Box::new(draft.sync_interval_seconds),
            Box::new(draft.first_sync(verified.is_some(), now)),
            Box::new(now),
            Box::new(description),
            Box::new(sealed.key_id),
            Box::new(sealed.wrapped_key),
            Box::new(sealed.nonce),
            Box::new(sealed.ciphertext),
            Box::new(sealed.binding_version),
            Box::new(binding),
        ],
    );
}

/// Replaces a provider's configuration, and its credentials if others were entered; `None` if it is not there, or not at that version.
pub async fn update(
    tx: &mut Tx<Org>,
    id: ProviderId,
    if_match: Option<i64>,
    draft: &Draft,
    verified: Option<&Verified>,
    entered: Option<&SealedCredentials>,
    now: DateTime<Utc>,
) -> Result<Option<i64>, DbError> {
    let sealed = entered.map(|credentials| &credentials.sealed);
    let row = tx
        .query_opt(
            UPDATE,
            &[
                &id.uuid(),
                &if_match,
                &draft.name,
                &draft.kind,
                &draft.settings,
                &draft.sync_interval_seconds,
                &now,
                &verified.map(|v| v.identity.account.as_str()),
                &verified.map(|v| v.identity.principal.as_str()),
                &verified.map(|v| v.at),
                &(verified.is_some() || entered.is_some()),
                &entered.map(|credentials| &credentials.description),
                &sealed.map(|sealed| sealed.key_id.as_str()),
                &sealed.map(|sealed| sealed.wrapped_key.as_slice()),
                &sealed.map(|sealed| sealed.nonce.as_slice()),
                &sealed.map(|sealed| sealed.ciphertext.as_slice()),
                &sealed.map(|sealed| sealed.binding_version),
                &entered.map(|credentials| &credentials.binding),
            ],
        )
        .await?;
    Ok(row.map(|row| row.get("version")))
}

/// Disconnects a provider; `None` if it is not there, or not at that version.
pub async fn delete(
    tx: &mut Tx<Org>,
    id: ProviderId,
    if_match: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Option<i64>, DbError> {
    let row = tx.query_opt(DELETE, &[&id.uuid(), &if_match, &now]).await?;
    Ok(row.map(|row| row.get("version")))
}

/// The regions as last discovered, and when that was.
pub async fn regions(
    tx: &mut Tx<Org>,
    id: ProviderId,
) -> Result<(Vec<Region>, Option<DateTime<Utc>>), DbError> {
    let rows = tx.query(REGIONS, &[&id.uuid()]).await?;
    let region =
        |row: &Row| Region { id: row.get("region"), name: row.get("name"), enabled: row.get("enabled") };
    Ok((rows.iter().map(region).collect(), rows.first().map(|row| row.get("discovered_at"))))
}

/// Puts the discovered regions in the place of the old.
pub async fn put_regions(
    tx: &mut Tx<Org>,
    id: ProviderId,
    found: &[CloudRegion],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let ids: Vec<&str> = found.iter().map(|region| region.id.as_str()).collect();
    let names: Vec<Option<&str>> = found.iter().map(|region| region.name.as_deref()).collect();
    let enabled: Vec<bool> = found.iter().map(|region| region.enabled).collect();
    tx.execute(DELETE_REGIONS, &[&id.uuid()]).await?;
    tx.execute(INSERT_REGIONS, &[&id.uuid(), &ids, &names, &enabled, &now]).await?;
    Ok(())
}

/// The services as last discovered, and when that was.
pub async fn services(
    tx: &mut Tx<Org>,
    id: ProviderId,
) -> Result<(Vec<Service>, Option<DateTime<Utc>>), DbError> {
    let rows = tx.query(SERVICES, &[&id.uuid()]).await?;
    let service =
        |row: &Row| Service { id: row.get("service"), name: row.get("name"), regions: row.get("regions") };
    Ok((rows.iter().map(service).collect(), rows.first().map(|row| row.get("discovered_at"))))
}

/// Puts the discovered services in the place of the old.
pub async fn put_services(
    tx: &mut Tx<Org>,
    id: ProviderId,
    found: &[CloudService],
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.execute(DELETE_SERVICES, &[&id.uuid()]).await?;
    for service in found {
        tx.execute(INSERT_SERVICE, &[&id.uuid(), &service.id, &service.name, &service.regions, &now]).await?;
    }
    Ok(())
}

fn provider(row: &Row) -> (Provider, i64) {
    let last_sync = row.get::<_, Option<Uuid>>("last_sync_id").map(|id| LastSync {
        id: SyncId::from(id),
        state: row.get("last_sync_state"),
        finished_at: row.get("last_sync_finished_at"),
    });
    let provider = Provider {
        id: ProviderId::from(row.get::<_, Uuid>("id")),
        name: row.get("name"),
        kind: row.get("kind"),
        settings: row.get::<_, Json<Box<RawValue>>>("settings").0,
        credentials: row.get::<_, Json<Box<RawValue>>>("credentials").0,
        external_id: row.get("external_id"),
        account: row.get("account"),
        principal: row.get("principal"),
        verified_at: row.get("verified_at"),
        sync_interval_seconds: row.get("sync_interval_seconds"),
        next_sync_at: row.get("next_sync_at"),
        last_sync,
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    };
    (provider, row.get("version"))
}

fn stored_row(row: &Row) -> Stored {
    let credentials = row.get::<_, Option<String>>("key_id").map(|key_id| SealedCredentials {
        sealed: Sealed {
            key_id,
            wrapped_key: row.get("wrapped_key"),
            nonce: row.get("nonce"),
            ciphertext: row.get("ciphertext"),
            binding_version: row.get("binding_version"),
        },
        binding: row.get("binding"),
        description: row.get::<_, Option<Value>>("credentials").unwrap_or_default(),
    });
    Stored {
        name: row.get("name"),
        kind: row.get("kind"),
        settings: row.get("settings"),
        external_id: row.get("external_id"),
        version: row.get("version"),
        credentials,
    }
}
