//! The bearer tokens: `mqs_…` for a session, `mq_<key id>_…` for an API key.
//!
//! Each carries 256 random bits, so a plain SHA-256 of the whole token is all that is stored: there is nothing
//! to guess that a slow hash would protect, and a fast one can be looked up on every request.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marquee_types::ApiKeyId;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

const SESSION: &str = "mqs_";
const API_KEY: &str = "mq_";
/// 32 bytes in base64.
const SECRET_LENGTH: usize = 43;
/// A UUID in plain hexadecimal.
const ID_LENGTH: usize = 32;

/// SHA-256 of a token: what is stored, and what caches are keyed by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// A token as somebody presents it, not yet known to be anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// Of a session.
    Session(TokenHash),
    /// Of an API key.
    ApiKey(ApiKeyId, TokenHash),
}

/// A new token: shown once, stored as its hash.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub text: SecretString,
    /// What is stored of it.
    pub hash: TokenHash,
}

impl Presented {
    /// Reads a token by its form; `None` for anything that Marquee never issues.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(secret) = text.strip_prefix(SESSION) {
            return is_secret(secret).then(|| Self::Session(TokenHash::of(text)));
        }
        let (id, secret) = text.strip_prefix(API_KEY)?.split_at_checked(ID_LENGTH)?;
        let canonical = id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !canonical || !is_secret(secret.strip_prefix('_')?) {
            return None;
        }
        Some(Self::ApiKey(ApiKeyId::from(Uuid::try_parse(id).ok()?), TokenHash::of(text)))
    }

    /// The hash of the whole token.
    pub fn hash(&self) -> &TokenHash {
        match self {
            Self::Session(hash) | Self::ApiKey(_, hash) => hash,
        }
    }
}

impl Minted {
    /// A new session token.
    pub fn session() -> Self {
        Self::with_prefix(SESSION)
    }

    /// A new token of this API key.
    pub fn api_key(id: ApiKeyId) -> Self {
        Self::with_prefix(&format!("{API_KEY}{}_", id.uuid().as_simple()))
    }

    fn with_prefix(prefix: &str) -> Self {
        let random: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random.as_slice()));
        Self { hash: TokenHash::of(&text), text: text.into() }
    }
}

impl TokenHash {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a stored hash is this one, in constant time.
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }

    /// From its 32 bytes, as stored.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET_LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn what_is_minted_is_recognized() {
        let session = Minted::session();
        assert_eq!(Presented::parse(session.text.expose_secret()), Some(Presented::Session(session.hash)));
        let id = ApiKeyId::new();
        let key = Minted::api_key(id);
        assert_eq!(Presented::parse(key.text.expose_secret()), Some(Presented::ApiKey(id, key.hash)));
        assert_ne!(key.hash, Minted::api_key(id).hash);
        assert!(key.hash.matches(key.hash.as_bytes()) && !key.hash.matches(session.hash.as_bytes()));
        assert!(!key.hash.matches(&[]));
    }

    #[test]
    fn another_id_with_the_same_secret_is_another_token() {
        let key = Minted::api_key(ApiKeyId::new());
        let text = key.text.expose_secret();
        let moved = format!("mq_{}{}", ApiKeyId::new().uuid().as_simple(), &text[35..]);
        let presented = Presented::parse(&moved).expect("well-formed");
        assert!(!presented.hash().matches(key.hash.as_bytes()));
    }

    proptest! {
        #[test]
        fn nothing_else_is_taken_for_a_token(text in "(mqs_|mq_|)[a-f0-9A-Z_-]{0,80}") {
            if Presented::parse(&text).is_some() {
                prop_assert!(text.len() == 47 || text.len() == 79);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            prop_assert!(Presented::parse(&text).is_none());
        }
    }
}
