//! The token: given by people, and the same for every call.

use std::fmt;

use async_trait::async_trait;
use marquee_clouds::{CloudError, Layers, rest::Tokens};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Digits of a fingerprint: enough to tell tokens apart, far too few to find one.
const DIGITS: usize = 12;

/// The one token of a connection.
pub struct Token(SecretString);

impl Token {
    /// A token that no error shows from now on.
    pub fn new(token: SecretString, layers: &Layers) -> Self {
        layers.redactor().hide(token.expose_secret());
        Self(token)
    }
}

#[async_trait]
impl Tokens for Token {
    async fn token(&self) -> Result<SecretString, CloudError> {
        Ok(self.0.clone())
    }

    async fn refused(&self, _: &SecretString) {
        // There is no other.
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What tells a token from others without showing it: the beginning of its SHA-256.
pub fn fingerprint(token: &SecretString) -> String {
    let mut digits = hex::encode(Sha256::digest(token.expose_secret().as_bytes()));
    digits.truncate(DIGITS);
    format!("sha256:{digits}")
}
