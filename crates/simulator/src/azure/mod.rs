//! Microsoft Azure: Entra, which gives out tokens, and Azure Resource Manager with its providers, on one address and
//! over TLS only.
//!
//! A request passes [`arm`], which knows no provider: token, version, subscription, role, schema, faults. Then a
//! provider's handler, found in [`table`], reads or changes the estate: [`groups`] and [`subscriptions`] are the
//! manager's own, [`compute`], [`network`], [`dns`], [`postgres`] and [`storage`] have resources, [`insights`] measures
//! and [`cost`] bills them. What all resources have in common is in [`resource`]; what goes on after an answer is in
//! [`lro`].
//!
//! Names and ids keep their letters and are compared without regard to capitals: a thing's id in the estate is its
//! resource id in small letters, its body the resource as it is shown.

mod arm;
mod call;
mod compute;
mod cost;
mod dns;
mod entra;
mod error;
mod filter;
mod groups;
mod grow;
mod ids;
mod insights;
mod lro;
mod network;
mod postgres;
mod resource;
mod storage;
mod subscriptions;
mod table;

use serde_json::Value;

use self::{arm::Arm, entra::Entra};
use crate::{
    estate::Estate,
    face::{Face, FaceName, Reply, Request},
    plan::{Account, Group},
    world::{GrowError, World},
};

/// The face.
pub struct Azure {
    arm: Arm,
    entra: Entra,
}

impl Azure {
    /// With all schemas read.
    pub fn new() -> Self {
        Self { arm: Arm::new(), entra: Entra::default() }
    }

    /// Every operation, `Microsoft.Compute/disks_list`, with the action that it is for roles.
    pub fn actions(&self) -> Vec<(String, String)> {
        self.arm.actions()
    }
}

impl Default for Azure {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Azure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Azure")
    }
}

impl Face for Azure {
    fn name(&self) -> FaceName {
        FaceName::Azure
    }

    fn needs_tls(&self) -> bool {
        true
    }

    fn answer(&self, world: &World, request: &Request) -> Reply {
        match self.entra.answer(world, request) {
            Some(reply) => reply,
            None => self.arm.answer(world, request),
        }
    }

    fn routes(&self) -> Vec<String> {
        let mut routes: Vec<String> = Entra::ROUTES.iter().map(|route| (*route).to_owned()).collect();
        routes.extend(Arm::routes());
        routes
    }

    fn credentials(&self, world: &World, account: &Account, origin: &str) -> Value {
        self.entra.credentials(world, account, origin)
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
