//! The RSA key that applications sign with, and its certificate; the workload's issuer signs with it, too.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DnType, KeyPair};
use ring::{
    digest,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, PublicKeyComponents},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256},
};

use crate::{keys, seed::Seed};

/// A key and its certificate.
pub struct Keys {
    pair: RsaKeyPair,
    /// PEM of the private key and the certificate, as the vendor's clients take it.
    pub certificate: String,
    /// SHA-1 of the certificate.
    pub sha1: Vec<u8>,
    /// SHA-256 of the certificate.
    pub sha256: Vec<u8>,
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// PKCS #1 v1.5.
    Rs256,
    /// PSS.
    Ps256,
}

impl Keys {
    /// Makes them.
    pub fn new(seed: Seed) -> Result<Self, String> {
        Self::make(seed).map_err(|error| error.to_string())
    }

    fn make(seed: Seed) -> Result<Self, Box<dyn std::error::Error>> {
        let der = keys::rsa_pkcs8(seed, "azure/application")?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|error| error.to_string())?;
        let signer = KeyPair::try_from(der.as_slice())?;
        let mut params = CertificateParams::new(vec![])?;
        params.distinguished_name.push(DnType::CommonName, "Marquee simulator application");
        let certificate = params.self_signed(&signer)?;
        let private = pem("PRIVATE KEY", &der);
        let sum = |algorithm| digest::digest(algorithm, certificate.der()).as_ref().to_vec();
        Ok(Self {
            pair,
            sha1: sum(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            sha256: sum(&digest::SHA256),
            certificate: format!("{private}{}", certificate.pem()),
        })
    }

    /// Signs, by PKCS #1 v1.5.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let random = SystemRandom::new();
        match self.pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature) {
            Ok(()) => signature,
            // Without randomness there is no signature, and one that no one accepts says so.
            Err(_) => Vec::new(),
        }
    }

    /// Whether a signature is this key's.
    pub fn verify(&self, scheme: Scheme, text: &str, signature: &[u8]) -> bool {
        let public: PublicKeyComponents<Vec<u8>> = self.pair.public_key().into();
        let algorithm = match scheme {
            Scheme::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Scheme::Ps256 => &RSA_PSS_2048_8192_SHA256,
        };
        public.verify(algorithm, text.as_bytes(), signature).is_ok()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
