//! Making and revoking API keys.

use chrono::TimeDelta;
use marquee_types::{ApiKeyId, FieldError, PermissionSet};

use super::credentials::Ended;
use crate::{
    domains::{
        audit::{self, Entry},
        identity::{
            model::{DisplayName, Minted, policy::NEVER_FOR_KEYS},
            store,
            wire::{ApiKey, CreateApiKey, CreatedApiKey, ShownOnce},
        },
    },
    fault::{Fault, OnConstraint as _},
    http::Call,
};

/// The longest a key lives.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Makes a key; its secret is in the answer and nowhere else.
pub async fn create(call: &Call, request: CreateApiKey) -> Result<CreatedApiKey, Fault> {
    let key = check(call, request)?;
    let token = Minted::api_key(key.id);
    let mut tx = call.tx()?;
    store::api_keys::create(&mut tx, &key, &token.hash).await.on_constraint(
        "api_keys_name_unique",
        || {
            Fault::conflict(
                "already_exists",
                "There is an API key of this name. Names tell keys apart; choose another.",
            )
        },
    )?;
    audit::record(&mut tx, Entry::allowed("api_keys.create").target("api_key", key.id));
    super::finish(call, tx).await?;
    Ok(CreatedApiKey { key, secret: ShownOnce(token.text) })
}

/// Revokes a key: it stops at once here, and within seconds everywhere.
pub async fn revoke(call: &Call, id: ApiKeyId) -> Result<(), Fault> {
    // It has one version all its life, and no tag was ever given: whatever is named is not it.
    if call.if_match.is_some() {
        return Err(Fault::Stale);
    }
    let mut tx = call.tx()?;
    let ended = store::api_keys::delete(&mut tx, id).await?.ok_or(Fault::NotFound("API key"))?;
    audit::record(&mut tx, Entry::allowed("api_keys.delete").target("api_key", id));
    let credentials = call.app.identity.credentials().clone();
    tx.after_commit(move || credentials.end(Ended::Token(ended)));
    super::finish(call, tx).await
}

fn check(call: &Call, request: CreateApiKey) -> Result<ApiKey, Fault> {
    let now = call.app.clock.now();
    let name = DisplayName::parse(&request.name);
    let mut errors: Vec<FieldError> =
        name.as_ref().err().map(|detail| FieldError::new("/name", *detail)).into_iter().collect();
    if request.expires_at <= now || request.expires_at > now + LONGEST {
        errors.push(FieldError::new("/expires_at", "must be in the future and at most a year from now"));
    }
    if request.scopes.is_empty() {
        errors.push(FieldError::new("/scopes", "must name at least one permission"));
    }
    for (index, scope) in request.scopes.iter().enumerate() {
        let detail = if NEVER_FOR_KEYS.contains(scope) {
            format!("`{scope}` is never given to an API key")
        } else if !call.actor.permissions.contains(*scope) {
            format!("you do not have `{scope}` yourself")
        } else {
            continue;
        };
        errors.push(FieldError::new(format!("/scopes/{index}"), detail));
    }
    match name {
        Ok(name) if errors.is_empty() => Ok(ApiKey {
            id: ApiKeyId::new(),
            name: name.as_str().to_owned(),
            created_by: call.actor.user(),
            scopes: request.scopes.into_iter().collect::<PermissionSet>().iter().collect(),
            created_at: now,
            expires_at: request.expires_at,
            last_used_at: None,
        }),
        _ => Err(Fault::Invalid(errors)),
    }
}
