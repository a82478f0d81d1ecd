//! Bearer tokens: what they say, and how they are sealed.
//!
//! To its clients a token is opaque, so these are sealed with a key that follows from the world's seed (HS256): they
//! outlive the process, as the world does that is exported and taken up again. The vendor signs its own with RSA.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Principal, principal::tenant};
use crate::world::World;

/// What tokens for the resource manager are issued by, before the tenant's id.
pub const ISSUER: &str = "https://sts.windows.net/";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom it is for.
    pub aud: String,
    /// Who issued it.
    pub iss: String,
    /// When, in seconds since 1970.
    pub iat: i64,
    /// From when on it is good.
    pub nbf: i64,
    /// Until when.
    pub exp: i64,
    /// The application.
    pub appid: String,
    /// Its service principal.
    pub oid: String,
    /// The tenant.
    pub tid: String,
    /// Sets tokens apart that are issued in the same second.
    pub uti: String,
}

/// Issues a token.
pub fn issue(
    world: &World,
    principal: &Principal,
    audience: &str,
    now: DateTime<Utc>,
    expires: DateTime<Utc>,
) -> String {
    let tenant = tenant(world);
    let nanos = now.timestamp_nanos_opt().unwrap_or_default().to_string();
    let claims = Claims {
        aud: audience.to_owned(),
        iss: format!("{ISSUER}{tenant}/"),
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: expires.timestamp(),
        appid: principal.client.clone(),
        oid: principal.object.clone(),
        tid: tenant,
        uti: world.seed().hex(&["azure", "uti", &nanos], 22),
    };
    let head = URL_SAFE_NO_PAD.encode(json!({ "typ": "JWT", "alg": "HS256" }).to_string());
    let body = URL_SAFE_NO_PAD.encode(json!(claims).to_string());
    let sealed = format!("{head}.{body}");
    let tag = hmac::sign(&key(world), sealed.as_bytes());
    format!("{sealed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What a token says, if it was issued here.
pub fn read(world: &World, token: &str) -> Option<Claims> {
    let (sealed, tag) = token.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&key(world), sealed.as_bytes(), &tag).ok()?;
    let (_, body) = sealed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn key(world: &World) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &world.seed().bytes(&["azure", "token key"]))
}
