//! Who asks: tokens that the simulator gives for a service account's signature, and signatures that stand for a token.
//!
//! Three ways lead in, as at Google:
//! - a signed assertion is exchanged for an access token at `/token` (RFC 7523);
//! - a token of another identity provider is exchanged at `/v1/token` (RFC 8693, workload identity federation);
//! - a JWT that the service account signed itself is sent as it is, for one audience or with scopes.

pub mod jwt;
pub mod keys;
pub mod scope;
mod token;

use http::StatusCode;
use serde_json::{Value, json};

pub use token::{Identity, open};

use self::{jwt::Jwt, keys::Keys};
use super::refusal::Refusal;
use crate::{
    face::{FaceName, Reply, Request},
    faults::{self, Call, Effects},
    world::World,
};

/// Seconds that an access token lives.
const LIFETIME: i64 = 3600;
/// Seconds that a client's clock may be ahead.
pub const SKEW: i64 = 300;
/// Who signs the tokens that workload identity federation takes.
pub const PROVIDER: &str = "https://identity.simulator.invalid";

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT_TOKEN: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A refusal of the token endpoints: an error code of OAuth, and what is wrong.
struct Refused(&'static str, String);

/// The audience of tokens that a project's workload identity pool takes.
pub fn pool(number: &str) -> String {
    format!(
        "//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/simulator/providers/simulator"
    )
}

/// Answers `/token` and `/v1/token`.
pub fn answer(world: &World, keys: &Keys, request: &Request) -> Reply {
    let operation = if request.path == "/token" { "oauth2.token" } else { "sts.token" };
    let form = form(request);
    let said = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    let granted = match said("grant_type") {
        JWT_BEARER if operation == "oauth2.token" => by_assertion(world, keys, request, said("assertion")),
        EXCHANGE if operation == "sts.token" => by_exchange(world, keys, &said),
        "" => Err(Refused("invalid_request", "Missing required parameter: grant_type".into())),
        other => Err(Refused("unsupported_grant_type", format!("Invalid grant_type: {other}"))),
    };
    let account = granted.as_ref().map(|identity| identity.project.clone()).unwrap_or_default();
    let call = Call {
        face: Some(FaceName::Google),
        account: &account,
        service: "oauth2",
        operation,
        ..Call::default()
    };
    let effects = world.happens(call);
    let reply = match granted.and_then(|identity| struck(&effects).map_or(Ok(identity), Err)) {
        Ok(identity) => {
            let mut body = json!({ "access_token": token::seal(world, &identity), "token_type": "Bearer", "expires_in": LIFETIME });
            if operation == "sts.token" {
                body["issued_token_type"] = ACCESS_TOKEN.into();
            }
            Reply::new(StatusCode::OK).with("application/json; charset=utf-8", body.to_string())
        }
        Err(Refused(error, description)) => {
            let status = match error {
                "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
                "rate_limit_exceeded" => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::BAD_REQUEST,
            };
            let body = json!({ "error": error, "error_description": description });
            Reply::new(status).with("application/json; charset=utf-8", body.to_string())
        }
    };
    reply.header("cache-control", "no-cache, no-store, max-age=0, must-revalidate").of(operation, &effects)
}

/// What a fault makes of a grant.
fn struck(effects: &Effects) -> Option<Refused> {
    effects.refusal.as_ref().map(|refusal| match refusal {
        faults::Refusal::Revoked => Refused("invalid_grant", "Invalid grant: account not found".into()),
        faults::Refusal::Expired => Refused("invalid_grant", "Token has been expired or revoked.".into()),
        faults::Refusal::Throttled { .. } => Refused("rate_limit_exceeded", "Rate Limit Exceeded".into()),
        _ => Refused("temporarily_unavailable", "The service is currently unavailable.".into()),
    })
}

/// The members of a request: a form, as clients send it, or JSON, as STS documents it.
fn form(request: &Request) -> Vec<(String, String)> {
    if request.header("content-type").starts_with("application/json") {
        let value: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let snake = |name: &str| {
            name.chars().fold(String::new(), |mut text, c| {
                if c.is_ascii_uppercase() {
                    text.push('_');
                }
                text.push(c.to_ascii_lowercase());
                text
            })
        };
        let members = value.as_object().into_iter().flatten();
        return members.filter_map(|(name, value)| Some((snake(name), value.as_str()?.to_owned()))).collect();
    }
    form_urlencoded::parse(&request.body).into_owned().collect()
}

/// A service account's assertion: signed by its key, for this endpoint, fresh, and with a scope.
fn by_assertion(world: &World, keys: &Keys, request: &Request, assertion: &str) -> Result<Identity, Refused> {
    let grant = |why: &str| Refused("invalid_grant", why.to_owned());
    let token = Jwt::read(assertion).ok_or_else(|| grant("Bad Request: the assertion is no JWT."))?;
    let issuer = token.text("iss");
    let account = keys::account_of(world, issuer).ok_or_else(|| grant("Invalid grant: account not found"))?;
    if !keys.of(world, account).verifies(&token) {
        return Err(grant("Invalid JWT Signature."));
    }
    let here = [format!("{}/token", request.origin), "https://oauth2.googleapis.com/token".to_owned()];
    if !here.iter().any(|audience| audience == token.text("aud")) {
        return Err(grant("Invalid JWT: Failed audience check."));
    }
    check_time(world, &token).map_err(grant)?;
    let scopes = token.text("scope");
    if scopes.is_empty() {
        return Err(Refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.".into()));
    }
    Ok(Identity {
        email: issuer.to_owned(),
        project: account.id.to_string(),
        scopes: scopes.to_owned(),
        until: world.clock.real_now().timestamp() + LIFETIME,
    })
}

/// A token of another provider, for a pool of a project.
fn by_exchange<'f>(world: &World, keys: &Keys, said: &dyn Fn(&str) -> &'f str) -> Result<Identity, Refused> {
    let request = |why: &str| Refused("invalid_request", why.to_owned());
    if said("subject_token_type") != JWT_TOKEN {
        return Err(request("Invalid value for \"subject_token_type\"."));
    }
    if !matches!(said("requested_token_type"), "" | ACCESS_TOKEN) {
        return Err(request("Invalid value for \"requested_token_type\"."));
    }
    let mut accounts = world.plan.accounts_of(FaceName::Google);
    let audience = said("audience").trim_start_matches("https:");
    let account = accounts.find(|account| pool(&super::project::number_of(world, &account.id)) == audience);
    let account = account.ok_or_else(|| {
        Refused(
            "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid.".into(),
        )
    })?;
    let grant = |why: &str| Refused("invalid_grant", why.to_owned());
    let token = Jwt::read(said("subject_token")).ok_or_else(|| grant("Unable to parse the ID Token."))?;
    if token.text("iss") != PROVIDER || !keys.of(world, account).verifies(&token) {
        return Err(grant("Error connecting to the given credential's issuer."));
    }
    if token.text("aud").trim_start_matches("https:") != audience {
        return Err(grant("The audience in ID Token does not match the expected audience."));
    }
    if token.number("exp") <= world.clock.real_now().timestamp() {
        return Err(grant("ID Token is stale to sign-in."));
    }
    let scopes = said("scope");
    if scopes.is_empty() {
        return Err(Refused("invalid_scope", "Missing required parameter: scope".into()));
    }
    Ok(Identity {
        email: format!("principal:{}/subject/{}", audience, token.text("sub")),
        project: account.id.to_string(),
        scopes: scopes.to_owned(),
        until: world.clock.real_now().timestamp() + LIFETIME,
    })
}

/// A token is of now, and for an hour at most.
fn check_time(world: &World, token: &Jwt) -> Result<(), &'static str> {
    let now = world.clock.real_now().timestamp();
    let (from, until) = (token.number("iat"), token.number("exp"));
    let fits = from > 0 && from <= now + SKEW && until > now - SKEW && until - from <= LIFETIME + SKEW;
    let why = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat \
               and exp values in the JWT claim.";
    if fits { Ok(()) } else { Err(why) }
}

/// Who sends a request to a service.
pub fn authenticate(
    world: &World,
    keys: &Keys,
    request: &Request,
    service: &str,
) -> Result<Identity, Refusal> {
    let header = request.header("authorization");
    let Some(text) = header.strip_prefix("Bearer ").map(str::trim) else {
        return Err(Refusal::unauthenticated());
    };
    if let Some(identity) = open(world, text) {
        return Ok(identity);
    }
    self_signed(world, keys, text, service).ok_or_else(Refusal::unauthenticated)
}

/// A JWT that a service account signed for a service, or with scopes, and sends in place of a token.
fn self_signed(world: &World, keys: &Keys, text: &str, service: &str) -> Option<Identity> {
    let token = Jwt::read(text)?;
    let issuer = token.text("iss");
    let account = keys::account_of(world, issuer)?;
    let fits = token.text("sub") == issuer
        && keys.of(world, account).verifies(&token)
        && check_time(world, &token).is_ok();
    let until = token.number("exp");
    if !fits || until <= world.clock.real_now().timestamp() {
        return None;
    }
    let (audience, scopes) = (token.text("aud"), token.text("scope"));
    let here = format!("https://{service}.googleapis.com");
    let scopes = match (audience.trim_end_matches('/'), scopes) {
        ("", "") => return None,
        // An audience stands for all that the service has.
        (audience, "") if audience == here => scope::EVERYTHING,
        (_, "") => return None,
        (_, scopes) => scopes,
    };
    Some(Identity {
        email: issuer.to_owned(),
        project: account.id.to_string(),
        scopes: scopes.to_owned(),
        until,
    })
}

#[cfg(test)]
mod tests;
