//! Managed identity: the token that a machine's metadata service gives to whatever runs on it, without a secret.
//!
//! The vendor's service listens on an address of its own within each machine. Here it is a path of the face, and the
//! identity is that of the first subscription's machines: its contributor.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;

use super::{LIFETIME, Role, audience, named, principals, token};
use crate::{FaceName, face::Reply, face::Request, world::World};

/// Answers `GET /metadata/identity/oauth2/token`.
pub fn answer(world: &World, request: &Request) -> Reply {
    let pairs = request.query_pairs();
    let asked =
        |name: &str| pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    // Whoever is made to follow a link cannot set this header.
    if !request.header("metadata").eq_ignore_ascii_case("true") {
        return refused("Required metadata header not specified");
    }
    if asked("api-version").is_empty() {
        return refused("Required query variable 'api-version' is missing");
    }
    let Ok(audience) =
        audience(&format!("{}/.default", asked("resource").trim_end_matches('/')), &request.origin)
    else {
        return refused("AADSTS500011: The resource principal was not found in the tenant.");
    };
    let client = asked("client_id");
    let own = world
        .plan
        .accounts_of(FaceName::Azure)
        .next()
        .map(|account| named(world, account, Role::Contributor));
    let identity = match client {
        "" => own,
        client => principals(world).find(|principal| principal.client.eq_ignore_ascii_case(client)),
    };
    let Some(identity) = identity else { return refused("Identity not found") };
    let now = world.clock.real_now();
    let expires = now + TimeDelta::seconds(LIFETIME);
    let body = json!({
        "access_token": token::issue(world, &identity, &audience, now, expires),
        "client_id": identity.client,
        "expires_in": LIFETIME.to_string(),
        "expires_on": expires.timestamp().to_string(),
        "ext_expires_in": LIFETIME.to_string(),
        "not_before": now.timestamp().to_string(),
        "resource": asked("resource"),
        "token_type": "Bearer",
    });
    Reply::new(StatusCode::OK).with("application/json; charset=utf-8", body.to_string())
}

fn refused(why: &str) -> Reply {
    let body = json!({ "error": "invalid_request", "error_description": why });
    Reply::new(StatusCode::BAD_REQUEST).with("application/json; charset=utf-8", body.to_string())
}
