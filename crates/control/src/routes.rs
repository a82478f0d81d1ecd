//! The whole API on one page: each domain's rows of the ledger.

use marquee_clouds::CloudError;
use marquee_types::Clock;
use serde_json::Value;

use crate::{
    clouds::Clouds,
    domains::{audit, identity, operations, providers, resources},
    http::{Endpoint, openapi},
};

/// Every route.
pub fn all() -> Vec<Endpoint> {
    [identity::routes(), providers::routes(), resources::routes(), operations::routes(), audit::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// The OpenAPI document, as committed in `openapi.json`.
pub fn openapi() -> Result<Value, CloudError> {
    let mut document = openapi::document(&all());
    Clouds::all(&Clock::system())?.describe(&mut document);
    Ok(document)
}
