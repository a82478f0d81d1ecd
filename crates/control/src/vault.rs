//! Envelope encryption of the secrets Marquee keeps: cloud credentials first, others by the same way.
//!
//! Every secret is sealed with a data key of its own (XChaCha20-Poly1305), and that data key is sealed with
//! the installation's key-encryption key, which never enters the database. Rotating the latter therefore
//! rewrites 72 bytes a secret and touches no ciphertext.
//!
//! What a secret belongs to (its organization, its provider, and where it may be sent: endpoint, account,
//! role …) is its [`Binding`] and enters both layers as associated data. A row copied to another
//! organization, or a provider whose endpoint was edited in the database, makes the secret unreadable
//! instead of sending it somewhere else.
//!
//! Nothing here can be printed: keys and opened secrets are `secrecy` types and are wiped when dropped.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use marquee_types::OrganizationId;
use secrecy::{ExposeSecret as _, SecretBox, SecretSlice, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The layout of [`Binding`]'s bytes; stored with each secret, so that a later layout can be told apart.
const BINDING_VERSION: i16 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// The key-encryption keys of this installation: one that seals, and older ones that still open.
pub struct Vault {
    sealing: KeyId,
    keys: HashMap<KeyId, SecretBox<[u8; KEY_BYTES]>>,
    /// For error messages: where the keys were read from.
    source: String,
    fingerprints: SecretBox<[u8; KEY_BYTES]>,
}

/// Names a key-encryption key. It is derived from the key itself, so it cannot name the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

/// Where the key-encryption keys come from: lines of base64, 32 bytes each. The first seals, all open.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file that only its owner may read.
    File {
        /// E.g. `DIR/keys/encryption.key`.
        path: PathBuf,
        /// Make a new key when the file does not exist: only right where nothing can be sealed yet.
        create: bool,
    },
    /// The value of an environment variable or of another store of secrets, already read.
    Value {
        /// What to call it in messages, e.g. `MARQUEE_ENCRYPTION_KEY`.
        name: String,
        /// The lines.
        value: SecretString,
    },
}

/// What a secret belongs to. Whoever opens it must say the same, field by field; the order does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    purpose: &'static str,
    organization: OrganizationId,
    fields: Vec<(&'static str, String)>,
}

/// A sealed secret, in the columns the database keeps it in.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key-encryption key sealed the data key.
    pub key_id: String,
    /// Nonce and sealed data key: 24 + 32 + 16 bytes.
    pub wrapped_key: Vec<u8>,
    /// The nonce of `ciphertext`: 24 bytes.
    pub nonce: Vec<u8>,
    /// The secret, sealed with the data key; 16 bytes longer than the secret.
    pub ciphertext: Vec<u8>,
    /// The layout of the associated data.
    pub binding_version: i16,
}

/// Why the vault cannot be used, or a secret not be opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read or made.
    #[error("cannot {action} the encryption key file {}: {source}", path.display())]
    File {
        /// What was being done, e.g. `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read the key file.
    #[error(
        "the encryption key file {} can be read by others (mode {mode:03o}); run: chmod 600 {}",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no key where one is needed.
    #[error(
        "there is no encryption key in {source_name}: it holds the only way to the stored cloud credentials, \
         so restore it from your backup; for a new installation make one with: openssl rand -base64 32"
    )]
    Missing {
        /// The file or variable.
        source_name: String,
    },
    /// A line is not a key.
    #[error("line {line} of {source_name} is not an encryption key: expected 32 bytes in base64")]
    Malformed {
        /// The file or variable.
        source_name: String,
        /// Counted from 1.
        line: usize,
    },
    /// The secret was sealed with a key that this server does not have.
    #[error(
        "the secret was sealed with encryption key {wanted}, but {source_name} has {present}: \
         add the missing key to it, or enter the secret again"
    )]
    UnknownKey {
        /// The key the secret names.
        wanted: String,
        /// The keys there are.
        present: String,
        /// The file or variable.
        source_name: String,
    },
    /// The ciphertext, or what it is bound to, is not what was sealed.
    #[error(
        "the secret cannot be opened: it was changed, or moved away from what it was entered for ({purpose}); \
         enter it again"
    )]
    Tampered {
        /// The purpose that was asked for.
        purpose: &'static str,
    },
    /// Sealed by a newer Marquee.
    #[error("the secret uses layout {0}, which this version of Marquee does not know")]
    UnknownLayout(i16),
}

impl Vault {
    /// Reads the keys, and makes the first one if the source says so.
    pub fn load(source: KeySource) -> Result<Self, VaultError> {
        match source {
            KeySource::Value { name, value } => Self::parse(name, value.expose_secret()),
            KeySource::File { path, create } => {
                if create && !path.exists() {
                    create_key_file(&path)?;
                }
                let text = read_key_file(&path)?;
                Self::parse(path.display().to_string(), &text)
            }
        }
    }

    /// The key that seals from now on.
    pub fn sealing_key(&self) -> &KeyId {
        &self.sealing
    }

    /// A key for MACs over what callers give back or send twice (cursors, idempotent bodies): the same in every
    /// process of the installation, and of no use for opening anything.
    pub fn fingerprint_key(&self) -> &[u8] {
        self.fingerprints.expose_secret()
    }

    /// Whether a secret sealed with this key can be opened.
    pub fn has_key(&self, key_id: &str) -> bool {
        self.keys.keys().any(|id| id.0 == key_id)
    }

    /// Seals a secret for what it is bound to.
    pub fn seal(&self, binding: &Binding, secret: &[u8]) -> Result<Sealed, VaultError> {
        let associated = binding.bytes(BINDING_VERSION)?;
        let data_key = random_key();
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let ciphertext = encrypt(&data_key, &nonce, secret, &associated, binding.purpose)?;
        let wrapping = self.keys.get(&self.sealing).ok_or_else(|| self.unknown(&self.sealing.0))?;
        let wrap_nonce: [u8; NONCE_BYTES] = rand::random();
        let wrapped =
            encrypt(wrapping.expose_secret(), &wrap_nonce, data_key.as_ref(), &associated, binding.purpose)?;
        Ok(Sealed {
            key_id: self.sealing.0.clone(),
            wrapped_key: [wrap_nonce.as_slice(), &wrapped].concat(),
            nonce: nonce.to_vec(),
            ciphertext,
            binding_version: BINDING_VERSION,
        })
    }

    /// Opens a secret; fails if anything about it or its binding is not as it was sealed.
    pub fn open(&self, binding: &Binding, sealed: &Sealed) -> Result<SecretSlice<u8>, VaultError> {
        let associated = binding.bytes(sealed.binding_version)?;
        let data_key = self.unwrap_key(binding, &associated, sealed)?;
        let plain =
            decrypt(data_key.as_slice(), &sealed.nonce, &sealed.ciphertext, &associated, binding.purpose)?;
        Ok(SecretSlice::from(plain))
    }

    fn unwrap_key(
        &self,
        binding: &Binding,
        associated: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let key = self.keys.get(&KeyId(sealed.key_id.clone())).ok_or_else(|| self.unknown(&sealed.key_id))?;
        let tampered = VaultError::Tampered { purpose: binding.purpose };
        let (nonce, wrapped) = sealed.wrapped_key.split_at_checked(NONCE_BYTES).ok_or(tampered)?;
        decrypt(key.expose_secret(), nonce, wrapped, associated, binding.purpose).map(Zeroizing::new)
    }

    fn unknown(&self, wanted: &str) -> VaultError {
        let mut present: Vec<_> = self.keys.keys().map(|id| id.0.as_str()).collect();
        present.sort_unstable();
        VaultError::UnknownKey {
            wanted: wanted.to_owned(),
            present: present.join(", "),
            source_name: self.source.clone(),
        }
    }

    fn parse(source: String, text: &str) -> Result<Self, VaultError> {
        let mut sealing = None;
        let mut keys = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = decode_key(line)
                .ok_or_else(|| VaultError::Malformed { source_name: source.clone(), line: index + 1 })?;
            let id = KeyId::of(key.expose_secret());
            sealing.get_or_insert_with(|| id.clone());
            keys.insert(id, key);
        }
        let missing = || VaultError::Missing { source_name: source.clone() };
        let sealing = sealing.ok_or_else(missing)?;
        let fingerprints = derive(keys.get(&sealing).ok_or_else(missing)?, b"marquee fingerprints v1");
        Ok(Self { sealing, keys, source, fingerprints })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("sealing", &self.sealing.0).finish_non_exhaustive()
    }
}

impl KeyId {
    fn of(key: &[u8; KEY_BYTES]) -> Self {
        let digest =
            Sha256::new().chain_update(b"marquee key-encryption key id v1").chain_update(key).finalize();
        Self(hex::encode(&digest[..8]))
    }

    /// 16 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Binding {
    /// A binding to a purpose (e.g. `provider_credentials`) within an organization.
    pub fn new(purpose: &'static str, organization: OrganizationId) -> Self {
        Self { purpose, organization, fields: Vec::new() }
    }

    /// Also binds to a named value, e.g. the provider's id or its endpoint. A name counts once: the last wins.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.into()));
        self
    }

    /// Unambiguous bytes: every part behind its length, the fields sorted by name.
    fn bytes(&self, version: i16) -> Result<Vec<u8>, VaultError> {
        if version != BINDING_VERSION {
            return Err(VaultError::UnknownLayout(version));
        }
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        let mut bytes = Vec::with_capacity(128);
        let mut part = |part: &[u8]| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        part(b"marquee binding v1");
        part(self.purpose.as_bytes());
        part(self.organization.uuid().as_bytes());
        for (name, value) in fields {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

fn derive(key: &SecretBox<[u8; KEY_BYTES]>, purpose: &[u8]) -> SecretBox<[u8; KEY_BYTES]> {
    let mut input = Zeroizing::new(purpose.to_vec());
    input.extend_from_slice(key.expose_secret());
    SecretBox::new(Box::new(Sha256::digest(&input).into()))
}

fn random_key() -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(key.as_mut_slice());
    key
}

fn encrypt(
    key: &[u8; KEY_BYTES],
    nonce: &[u8; NONCE_BYTES],
    secret: &[u8],
    associated: &[u8],
    purpose: &'static str,
) -> Result<Vec<u8>, VaultError> {
    // Fails only for more than 256 GiB.
    XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg: secret, aad: associated })
        .map_err(|_| VaultError::Tampered { purpose })
}

fn decrypt(
    key: &[u8],
    nonce: &[u8],
    ciphertext: &[u8],
    associated: &[u8],
    purpose: &'static str,
) -> Result<Vec<u8>, VaultError> {
    let tampered = || VaultError::Tampered { purpose };
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| tampered())?;
    XChaCha20Poly1305::new_from_slice(key)
        .map_err(|_| tampered())?
        .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: associated })
        .map_err(|_| tampered())
}

fn decode_key(line: &str) -> Option<SecretBox<[u8; KEY_BYTES]>> {
    let bytes = Zeroizing::new(BASE64.decode(line).ok()?);
    let mut key = Box::new([0; KEY_BYTES]);
    if bytes.len() != KEY_BYTES {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(SecretBox::new(key))
}

fn read_key_file(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let failed = |source| VaultError::File { action: "read", path: path.to_owned(), source };
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VaultError::Missing { source_name: path.display().to_string() });
        }
        Err(error) => return Err(failed(error)),
    };
    if mode & 0o077 != 0 {
        return Err(VaultError::Exposed { path: path.to_owned(), mode });
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(failed)
}

/// Makes the file whole or not at all, and never over another: two servers starting at once get one key.
fn create_key_file(path: &Path) -> Result<(), VaultError> {
    let failed = |source| VaultError::File { action: "create", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let draft = folder.join(format!(".{}.new", hex::encode(rand::random::<[u8; 8]>())));
    let linked = write_draft(&draft).and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(failed)?,
    }
    removed.map_err(failed)?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn write_draft(draft: &Path) -> io::Result<()> {
    let key = Zeroizing::new(BASE64.encode(random_key().as_slice()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    writeln!(file, "# Marquee's encryption key. Back it up apart from the database: without it the stored")?;
    writeln!(file, "# cloud credentials cannot be read. The first key seals, further lines still open.")?;
    writeln!(file, "{}", key.as_str())?;
    file.sync_all()
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
