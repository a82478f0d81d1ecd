//! JSON Web Tokens, as far as Google's clients make them: RS256, with a key id.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// A token that has been read, and not yet believed.
#[derive(Debug)]
pub struct Jwt<'t> {
    /// What is signed.
    pub signed: &'t str,
    /// The signature.
    pub signature: Vec<u8>,
    /// Id of the key that signed.
    pub key_id: String,
    claims: Map<String, Value>,
}

impl<'t> Jwt<'t> {
    /// Reads a token; none if it is no JWT, or not of RS256.
    pub fn read(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
        };
        let header = object(header)?;
        if header.get("alg")? != "RS256" {
            return None;
        }
        let key_id = header.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { signed, signature, key_id, claims: object(claims)? })
    }

    /// A claim's text; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A claim's number; 0 if there is none.
    pub fn number(&self, name: &str) -> i64 {
        self.claims.get(name).and_then(Value::as_i64).unwrap_or_default()
    }
}
