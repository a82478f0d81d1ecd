//! Tokens: one of a project that may read and write, and one that may only read. Both follow from the seed.

use http::Method;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::{
    face::{FaceName, Request},
    plan::Account,
    world::World,
};

/// Letters and digits of a token, of which Hetzner's has 64.
const LENGTH: usize = 64;
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A project's token for a purpose.
pub fn of(world: &World, account: &Account, purpose: &str) -> String {
    let halves = ["1", "2"].map(|half| world.seed().bytes(&["hetzner token", &account.id, purpose, half]));
    let letters =
        halves.concat().into_iter().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
    letters.take(LENGTH).collect()
}

/// What opens a project.
pub fn credentials(world: &World, account: &Account, origin: &str) -> Value {
    json!({
        "token": of(world, account, "write"),
        "read_only_token": of(world, account, "read"),
        "api_endpoint": format!("{origin}/v1"),
    })
}

/// The project of a request's token, which must be allowed to do what the request asks.
pub fn authenticate<'w>(world: &'w World, request: &Request) -> Result<&'w Account, Refusal> {
    let token = request.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    for account in world.plan.accounts_of(FaceName::Hetzner) {
        if token == of(world, account, "write") {
            return Ok(account);
        }
        if token == of(world, account, "read") {
            let reads = request.method == Method::GET;
            return if reads { Ok(account) } else { Err(Refusal::read_only()) };
        }
    }
    Err(Refusal::unauthorized())
}
