//! The applications of the tenant, and what each may do.

use std::sync::Arc;

use crate::{FaceName, plan::Account, world::World};

/// What an application may do in its subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything but to give rights to others.
    Contributor,
    /// Only to read.
    Reader,
}

impl Role {
    /// Whether it may do an action: `Microsoft.Compute/virtualMachines/start/action`.
    pub fn may(self, action: &str) -> bool {
        let action = action.to_lowercase();
        match self {
            Self::Contributor => !action.starts_with("microsoft.authorization/") || action.ends_with("/read"),
            // Costs are queried by POST, which the vendor's Reader may.
            Self::Reader => action.ends_with("/read") || action.starts_with("microsoft.costmanagement/"),
        }
    }

    /// The actions it is made of, and those that are taken away.
    pub fn actions(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Contributor => {
                (&["*"], &["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"])
            }
            Self::Reader => (&["*/read", "Microsoft.CostManagement/*/action"], &[]),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Contributor => "contributor",
            Self::Reader => "reader",
        }
    }
}

/// An application.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The subscription it has a role in.
    pub account: Arc<str>,
    /// Its role.
    pub role: Role,
    /// The application's id.
    pub client: String,
    /// The id of its service principal in the tenant.
    pub object: String,
    /// Its secret.
    pub secret: String,
}

/// The tenant's id.
pub fn tenant(world: &World) -> String {
    world.seed().uuid(&["azure", "tenant"])
}

/// The application of a subscription with a role.
pub fn named(world: &World, account: &Account, role: Role) -> Principal {
    let seed = world.seed();
    let word = role.word();
    Principal {
        account: account.id.clone(),
        role,
        client: seed.uuid(&["azure", "client", &account.id, word]),
        object: seed.uuid(&["azure", "object", &account.id, word]),
        secret: format!(
            "{}~{}",
            &seed.hex(&["azure", "secret", &account.id, word], 3),
            seed.hex(&["azure", "secret 2", &account.id, word], 36)
        ),
    }
}

/// All applications.
pub fn principals(world: &World) -> impl Iterator<Item = Principal> {
    let accounts = world.plan.accounts_of(FaceName::Azure);
    accounts.flat_map(|account| [Role::Contributor, Role::Reader].map(|role| named(world, account, role)))
}

/// The application with an id.
pub fn by_client(world: &World, client: &str) -> Option<Principal> {
    principals(world).find(|principal| principal.client.eq_ignore_ascii_case(client))
}
