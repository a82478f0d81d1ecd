//! The keys of service accounts: one for each project, made when it is first needed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use rsa::{
    pkcs1::EncodeRsaPublicKey as _,
    pkcs8::{EncodePrivateKey as _, LineEnding},
};
use serde_json::{Value, json};

use super::{PROVIDER, jwt::Jwt, pool};
use crate::{face::FaceName, google::project, keys, plan::Account, world::World};

/// A year, which is how long a token of the other provider lives.
const YEAR: i64 = 365 * 86_400;

/// All keys of a process.
#[derive(Debug, Default)]
pub struct Keys(Mutex<HashMap<Arc<str>, Arc<Key>>>);

/// One key.
pub struct Key {
    /// Its id.
    pub id: String,
    /// PKCS #8, as service account files hold it.
    pub private_pem: String,
    pair: Option<RsaKeyPair>,
    public: Vec<u8>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Keys {
    /// The key of a project.
    pub fn of(&self, world: &World, account: &Account) -> Arc<Key> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.entry(account.id.clone()).or_insert_with(|| Arc::new(Key::new(world, account))).clone()
    }
}

impl Key {
    fn new(world: &World, account: &Account) -> Self {
        let key = keys::rsa(world.seed(), &format!("google/{}", account.id)).ok();
        let der = key.as_ref().and_then(|key| key.to_pkcs8_der().ok());
        let pair = der.and_then(|der| RsaKeyPair::from_pkcs8(der.as_bytes()).ok());
        let public = key.as_ref().and_then(|key| key.to_public_key().to_pkcs1_der().ok());
        let public = public.map(|der| der.as_bytes().to_vec()).unwrap_or_default();
        let id = hex::encode(&ring::digest::digest(&ring::digest::SHA256, &public).as_ref()[..20]);
        let pem = key.and_then(|key| key.to_pkcs8_pem(LineEnding::LF).ok());
        let private_pem = pem.map(|pem| pem.to_string()).unwrap_or_default();
        Self { id, private_pem, pair, public }
    }

    /// Whether a token is signed by this key and says so.
    pub fn verifies(&self, token: &Jwt<'_>) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        token.key_id == self.id && key.verify(token.signed.as_bytes(), &token.signature).is_ok()
    }

    /// A token with these claims; empty if it cannot be signed.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let Some(pair) = &self.pair else { return String::new() };
        let mut signature = vec![0; pair.public().modulus_len()];
        match pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature) {
            Ok(()) => format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)),
            Err(_) => String::new(),
        }
    }
}

/// The address of a project's service account.
pub fn email(project: &str) -> String {
    format!("marquee@{project}.iam.gserviceaccount.com")
}

/// The project whose service account has an address.
pub fn account_of<'w>(world: &'w World, address: &str) -> Option<&'w Account> {
    world.plan.accounts_of(FaceName::Google).find(|account| email(&account.id) == address)
}

/// Credentials of a project: a service account's key file as Google gives it, and in one member more what workload
/// identity federation needs.
pub fn credentials(world: &World, ring: &Keys, account: &Account, origin: &str) -> Value {
    let (key, number) = (ring.of(world, account), project::number_of(world, &account.id));
    let address = email(&account.id);
    let now = world.clock.real_now().timestamp();
    let claims =
        json!({ "iss": PROVIDER, "sub": "marquee", "aud": pool(&number), "iat": now, "exp": now + YEAR });
    json!({
        "type": "service_account",
        "project_id": &*account.id,
        "private_key_id": key.id,
        "private_key": key.private_pem,
        "client_email": address,
        "client_id": number,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": format!("{origin}/token"),
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url":
            format!("https://www.googleapis.com/robot/v1/metadata/x509/{}", address.replace('@', "%40")),
        "universe_domain": "googleapis.com",
        "workload_identity": {
            "audience": pool(&number),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{origin}/v1/token"),
            "subject_token": key.sign(&claims),
        },
    })
}
