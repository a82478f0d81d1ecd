//! Google Cloud: Compute Engine, Cloud SQL, Cloud Storage, Monitoring, Billing, DNS and Resource Manager, and the token
//! endpoints that lead to them.
//!
//! All services are at one address and told apart by their paths, which are those of `<service>.googleapis.com`. A
//! request is read by the schema of its service ([`schemas`]), its caller made out ([`oauth`]), and its handler finds a
//! [`call::Call`] in which everything is what the schema says. Each service is a module with a table of handlers.
//!
//! # What differs from Google
//!
//! - Lists are in the order of names; other orders, secondary aggregations, resumable uploads, machine images and
//!   batches are answered as not implemented, like every method that has no schema here.
//! - A machine type is one SKU, where Google prices processors and memory apart. What things cost in the end Google
//!   tells by an export only, which is not here.
//! - A promoted replica is none from the moment of the call, and disks are free from the moment their instance is
//!   deleted: only the states in between take their time.
//! - The address of a stopped instance that is not reserved stays as it is.
//! - `$apiVersion` is taken, and every version is the one of the schemas.
//!
//! # How things are kept
//!
//! A thing's shelf is `<service>.<collection>`; its id there is its name, as in Google's paths, and its body is what is
//! shown of it but for what follows from the time.

pub mod billing;
pub mod call;
pub mod compute;
pub mod dns;
pub mod fields;
pub mod filter;
pub mod grow;
pub mod list;
pub mod monitoring;
pub mod numbers;
pub mod oauth;
pub mod permission;
pub mod project;
pub mod refusal;
pub mod schemas;
pub mod sql;
pub mod storage;
mod wire;

use self::{oauth::keys::Keys, schemas::Schemas};
use crate::{
    estate::Estate,
    face::{Face, FaceName, Reply, Request},
    plan::{Account, Group},
    rest::SchemaError,
    world::{GrowError, World},
};

/// The face of Google Cloud.
#[derive(Debug)]
pub struct Google {
    schemas: Result<Schemas, SchemaError>,
    keys: Keys,
}

impl Google {
    /// Reads the schemas. Should they be wrong, which a test rules out, every request is answered so.
    pub fn new() -> Self {
        Self { schemas: Schemas::load(), keys: Keys::default() }
    }
}

impl Default for Google {
    fn default() -> Self {
        Self::new()
    }
}

impl Face for Google {
    fn name(&self) -> FaceName {
        FaceName::Google
    }

    fn answer(&self, world: &World, request: &Request) -> Reply {
        if matches!(request.path.as_str(), "/token" | "/v1/token") {
            return oauth::answer(world, &self.keys, request);
        }
        match &self.schemas {
            Ok(schemas) => wire::answer(world, schemas, &self.keys, request),
            Err(error) => wire::refused(&refusal::Refusal::new(500, "backendError", error.to_string())),
        }
    }

    fn routes(&self) -> Vec<String> {
        let operations = self.schemas.iter().flat_map(Schemas::operations);
        let mut routes: Vec<String> = operations.map(str::to_owned).collect();
        routes.extend(["oauth2.token".to_owned(), "sts.token".to_owned()]);
        routes
    }

    fn credentials(&self, world: &World, account: &Account, origin: &str) -> serde_json::Value {
        oauth::keys::credentials(world, &self.keys, account, origin)
    }

    fn grow(
        &self,
        world: &World,
        estate: &mut Estate,
        account: &Account,
        group: &Group,
    ) -> Result<(), GrowError> {
        grow::grow(world, estate, account, group)
    }
}
