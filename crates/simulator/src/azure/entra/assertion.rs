//! Assertions: tokens by which an application shows itself, signed with the key of its certificate or by a workload's
//! issuer that it trusts.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Principal,
    keys::{Keys, Scheme},
    refusal::Denied,
};

/// The issuer of the workload's tokens.
pub const WORKLOAD_ISSUER: &str = "https://workload.simulator.invalid/";
/// Whom tokens of workloads are for.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// How far the clocks of clients may be off, and how long an assertion may be good for.
const SKEW: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Deserialize)]
struct Head {
    alg: String,
    x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Said {
    iss: String,
    sub: String,
    aud: Value,
    // Dates may have fractions of seconds, and the vendor's own library writes them so.
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

/// The workload's name in its tokens.
fn subject(principal: &Principal) -> String {
    format!("system:serviceaccount:marquee:{}", principal.account)
}

/// A token of the workload's issuer for an application, good for a day.
pub fn federated(keys: &Keys, principal: &Principal, now: DateTime<Utc>) -> String {
    let head = URL_SAFE_NO_PAD.encode(json!({ "typ": "JWT", "alg": "RS256" }).to_string());
    let said = json!({
        "iss": WORKLOAD_ISSUER, "sub": subject(principal), "aud": EXCHANGE, "iat": now.timestamp(),
        "nbf": now.timestamp(), "exp": (now + TimeDelta::days(1)).timestamp(),
    });
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(said.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(keys.sign(&signed));
    format!("{signed}.{signature}")
}

/// Refuses an assertion that does not show that it is this application that asks.
pub fn check(
    keys: &Keys,
    principal: &Principal,
    assertion: &str,
    audiences: &[String],
    now: DateTime<Utc>,
) -> Result<(), Denied> {
    let malformed = || Denied::assertion("The assertion is no signed JWT.");
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (head, said) = signed.split_once('.').ok_or_else(malformed)?;
    let head: Head = part(head).ok_or_else(malformed)?;
    let said: Said = part(said).ok_or_else(malformed)?;
    let signature = decode(signature).ok_or_else(malformed)?;
    let scheme = match head.alg.as_str() {
        "RS256" => Scheme::Rs256,
        "PS256" => Scheme::Ps256,
        _ => return Err(Denied::assertion("The algorithm is not supported.")),
    };
    let self_signed = said.iss.eq_ignore_ascii_case(&principal.client);
    if self_signed {
        refuse_stranger(keys, &head)?;
    } else if said.iss != WORKLOAD_ISSUER {
        return Err(Denied::issuer(&said.iss));
    }
    if !keys.verify(scheme, signed, &signature) {
        return Err(Denied::signature("The key was not found by thumbprint or the signature is not valid"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a number too large for a date is none")]
    let at = |seconds: f64| DateTime::from_timestamp(seconds as i64, 0).unwrap_or(DateTime::UNIX_EPOCH);
    let begins = said.nbf.or(said.iat).map_or(now, at);
    if at(said.exp) + SKEW < now || begins - SKEW > now {
        return Err(Denied::assertion_time());
    }
    let audience = said.aud.as_str().unwrap_or_default();
    if self_signed {
        return match (
            audiences.iter().any(|known| known == audience),
            said.sub.eq_ignore_ascii_case(&principal.client),
        ) {
            (false, _) => Err(Denied::audience(audience)),
            (true, false) => {
                Err(Denied::assertion("Subject and issuer of a client assertion must be the client id."))
            }
            (true, true) => Ok(()),
        };
    }
    if audience != EXCHANGE {
        return Err(Denied::federated_audience(audience));
    }
    if said.sub == subject(principal) { Ok(()) } else { Err(Denied::subject(&said.sub)) }
}

/// The thumbprint must be that of the application's certificate.
fn refuse_stranger(keys: &Keys, head: &Head) -> Result<(), Denied> {
    let named = |sent: &Option<String>, known: &[u8]| {
        sent.as_deref().map(|sent| decode(sent).is_some_and(|sent| sent == known))
    };
    match (named(&head.x5t_s256, &keys.sha256), named(&head.x5t, &keys.sha1)) {
        (Some(true), _) | (None, Some(true)) => Ok(()),
        (None, None) => Err(Denied::assertion("The header has no x5t.")),
        _ => Err(Denied::signature("The key was not found")),
    }
}

/// Base64 for URLs, with or without its padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&decode(text)?).ok()
}
