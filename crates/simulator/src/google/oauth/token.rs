//! Access tokens of the simulator's own: who, until when, with which scopes, sealed so that none can be made up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::world::World;

/// Who asks, and what they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The address of a service account, or the name of a federated principal.
    pub email: String,
    /// The project it belongs to.
    pub project: String,
    /// Scopes, with spaces between them.
    pub scopes: String,
    /// Until when, in seconds since 1970 of the machine's own time.
    pub until: i64,
}

fn sum(world: &World, text: &str) -> Option<Hmac<Sha256>> {
    let secret = world.seed().bytes(&["google", "access-token"]);
    let mut sum = Hmac::<Sha256>::new_from_slice(&secret).ok()?;
    sum.update(text.as_bytes());
    Some(sum)
}

/// An access token.
pub fn seal(world: &World, identity: &Identity) -> String {
    let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(identity).unwrap_or_default());
    let seal =
        sum(world, &text).map(|sum| URL_SAFE_NO_PAD.encode(sum.finalize().into_bytes())).unwrap_or_default();
    format!("ya29.{text}.{seal}")
}

/// Whose token it is, if it is one and not too old.
pub fn open(world: &World, token: &str) -> Option<Identity> {
    let (text, seal) = token.strip_prefix("ya29.")?.split_once('.')?;
    let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
    sum(world, text)?.verify_slice(&seal).ok()?;
    let identity: Identity = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    (identity.until > world.clock.real_now().timestamp()).then_some(identity)
}
