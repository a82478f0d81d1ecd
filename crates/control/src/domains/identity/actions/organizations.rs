//! Changing the organization itself.

use crate::{
    domains::{
        audit::{self, Entry},
        identity::{
            model::DisplayName,
            store,
            wire::{Organization, UpdateOrganization},
        },
    },
    fault::Fault,
    http::Call,
};

/// Gives the organization another name; it and its new revision.
pub async fn update(call: &Call, request: &UpdateOrganization) -> Result<(Organization, i64), Fault> {
    let name = DisplayName::parse(&request.name).map_err(|detail| Fault::invalid("/name", detail))?;
    let mut tx = call.tx()?;
    let (_, revision) = store::organizations::lock(&mut tx).await?.ok_or(Fault::NotFound("organization"))?;
    if call.if_match.is_some_and(|wanted| wanted != revision) {
        return Err(Fault::Stale);
    }
    let changed = store::organizations::rename(&mut tx, &name).await?;
    audit::record(&mut tx, Entry::allowed("organizations.update").target("organization", changed.0.id));
    super::finish(call, tx).await?;
    Ok(changed)
}
