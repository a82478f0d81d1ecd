//! Hetzner Cloud: servers, volumes, images, networks, firewalls, addresses, load balancers, and what belongs to them.
//!
//! One API at one address, `/v1`, whose tokens belong to a project. A request is read by Hetzner's schema ([`wire`]),
//! its token made out ([`token`]), and its handler finds a [`call::Call`] in which everything is what the schema says.
//! Each resource is a module; what they have in common stands in [`kind`].
//!
//! # What differs from Hetzner
//!
//! - ISOs, rescue systems, consoles, reverse names of servers and load balancers, DNS zones and storage boxes are
//!   answered as unsupported. Data centers are gone, as they are at Hetzner since October 2026.
//! - A managed certificate is issued a minute after it was asked for, and never fails.
//! - Hetzner's limit of requests (3,600 an hour and project) is told in the headers, and not counted: see
//!   [`wire::limits`].
//! - An action is told of for thirty days after its end; Hetzner does not say for how long.
//! - Prices are the catalog's, in US dollars and without tax.
//!
//! # How things are kept
//!
//! A thing's shelf is its collection (`servers`), its id Hetzner's number. Numbers are those of one kind in one project:
//! a server and a volume may have the same. A relation is kept by one side and looked up for the other: volumes and
//! addresses know their server, servers their networks and placement group, firewalls and load balancers their targets.

pub mod action;
pub mod address;
pub mod balancer;
pub mod call;
pub mod catalog;
pub mod firewall;
pub mod grow;
pub mod image;
pub mod keys;
pub mod kind;
pub mod list;
pub mod metrics;
pub mod network;
pub mod refusal;
pub mod selector;
pub mod server;
pub mod token;
pub mod volume;
mod wire;

#[cfg(test)]
mod tests;

use self::{
    call::Handler::{self, Read, Write},
    refusal::Refusal,
};
use crate::{
    estate::Estate,
    face::{Face, FaceName, Reply, Request},
    plan::{Account, Group},
    rest::{Api, SchemaError},
    world::{GrowError, World},
};

/// The face of Hetzner Cloud.
#[derive(Debug)]
pub struct Hetzner {
    api: Result<Api, SchemaError>,
}

impl Hetzner {
    /// Reads the schema. Should it be wrong, which a test rules out, every request is answered so.
    pub fn new() -> Self {
        Self { api: Api::parse(include_str!("../../schemas/hetzner/cloud.json")) }
    }
}

impl Default for Hetzner {
    fn default() -> Self {
        Self::new()
    }
}

impl Face for Hetzner {
    fn name(&self) -> FaceName {
        FaceName::Hetzner
    }

    fn answer(&self, world: &World, request: &Request) -> Reply {
        match &self.api {
            Ok(api) => wire::answer(world, api, request),
            Err(error) => wire::refused(&Refusal::new(500, "server_error", error.to_string())),
        }
    }

    fn routes(&self) -> Vec<String> {
        self.api.iter().flat_map(|api| api.operations.keys().cloned()).collect()
    }

    fn credentials(&self, world: &World, account: &Account, origin: &str) -> serde_json::Value {
        token::credentials(world, account, origin)
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

/// The handler of an operation: `servers.poweron`.
pub fn handler(operation: &str) -> Option<Handler> {
    let (noun, verb) = operation.split_once('.')?;
    let special = match (noun, verb) {
        ("actions", "list") => Read(action::several),
        ("actions", "get") | (_, "actions.get") => Read(action::get),
        (_, "actions.list") => Read(action::list),
        (_, "own_actions") => Read(action::own),
        ("locations" | "server_types" | "load_balancer_types", "list") => Read(catalog::list),
        ("locations" | "server_types" | "load_balancer_types", "get") => Read(catalog::get),
        ("pricing", "list") => Read(catalog::pricing),
        ("images", "list") => Read(image::list),
        ("images", "get") => Read(image::get),
        ("images", "update") => Write(image::update),
        ("images", "delete") => Write(image::delete),
        (_, "list") => Read(kind::list),
        (_, "get") => Read(kind::get),
        (_, "update") => Write(kind::update),
        (_, "change_protection") => Write(kind::change_protection),
        ("servers", verb) => return server::handler(verb),
        ("load_balancers", verb) => return balancer::handler(verb),
        ("networks", verb) => return network::handler(verb),
        ("firewalls", verb) => return firewall::handler(verb),
        ("volumes", verb) => return volume::handler(verb),
        ("primary_ips" | "floating_ips", verb) => return address::handler(verb),
        (_, verb) => return keys::handler(noun, verb),
    };
    Some(special)
}
