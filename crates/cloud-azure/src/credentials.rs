//! Tokens for the resource manager and for storage, from Microsoft's own `azure_identity`: had once, shared, renewed before they end.

use std::{
    fmt,
    sync::{Arc, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{Secret, TokenCredential},
    http::{
        AsyncRawResponse, ClientMethodOptions, ClientOptions, HttpClient, Request, RetryOptions, Transport,
        headers::RETRY_AFTER,
    },
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use marquee_clouds::{CallSite, CloudError, ErrorKind, Layers, Retry, rest::Tokens};
use marquee_types::Clock;
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    rsa, signature,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use crate::{
    config::{Config, Credentials},
    error::{CLOUD, kind_of},
};

/// What tokens are for: the public cloud's resource manager.
pub const MANAGEMENT: &str = "https://management.azure.com/.default";

/// What tokens are for: the storage of every cloud.
pub const STORAGE: &str = "https://storage.azure.com/.default";

/// Tokens are renewed so long before they end: longer than any call may take.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(5);

/// The tokens of one connection for one purpose.
pub struct TokenRing {
    scope: &'static str,
    config: Config,
    http: Arc<Line>,
    clock: Clock,
    layers: Layers,
    current: Mutex<Current>,
}

/// How the last request was answered: the official crate keeps little of an answer that is not Entra's own.
#[derive(Debug, Clone, Copy)]
struct Heard {
    status: u16,
    retry_after: Option<Duration>,
}

/// Our HTTP client, with an ear.
#[derive(Debug)]
struct Line {
    http: reqwest::Client,
    heard: std::sync::Mutex<Option<Heard>>,
}

impl Line {
    /// How the last request was answered; none if it was not.
    fn heard(&self) -> Option<Heard> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, heard: Option<Heard>) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }
}

#[async_trait]
impl HttpClient for Line {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.note(None);
        let answer = self.http.execute_request(request).await?;
        let seconds = answer.headers().get_optional_str(&RETRY_AFTER).and_then(|text| text.parse().ok());
        let heard = Heard { status: answer.status().into(), retry_after: seconds.map(Duration::from_secs) };
        self.note(Some(heard));
        Ok(answer)
    }
}

/// The source, and what it gave last.
#[derive(Default)]
struct Current {
    source: Option<Arc<dyn TokenCredential>>,
    token: Option<(SecretString, DateTime<Utc>)>,
}

impl TokenRing {
    /// A ring without tokens yet. Says what is wrong with credentials that can be of no use.
    pub fn new(
        scope: &'static str,
        config: Config,
        http: reqwest::Client,
        clock: Clock,
        layers: Layers,
    ) -> Result<Self, String> {
        let http = Arc::new(Line { http, heard: std::sync::Mutex::default() });
        let ring = Self { scope, config, http, clock, layers, current: Mutex::default() };
        ring.source()?;
        match &ring.config.credentials {
            Credentials::ClientSecret { secret, .. } => ring.layers.redactor().hide(secret.expose_secret()),
            Credentials::ClientCertificate { certificate, .. } => {
                ring.layers.redactor().hide(certificate.expose_secret());
            }
            Credentials::WorkloadIdentity { .. } | Credentials::ManagedIdentity { .. } => {}
        }
        Ok(ring)
    }

    fn source(&self) -> Result<Arc<dyn TokenCredential>, String> {
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match &self.config.credentials {
            Credentials::ClientSecret { tenant, client, secret } => {
                let options = ClientSecretCredentialOptions { client_options: self.options() };
                let secret = Secret::new(secret.expose_secret().to_owned());
                ClientSecretCredential::new(tenant, client.clone(), secret, Some(options))
                    .map(|made| made as _)
            }
            Credentials::ClientCertificate { tenant, client, certificate } => {
                let assertion = Assertion {
                    signer: Signer::new(certificate)?,
                    audience: format!("{}/{tenant}/oauth2/v2.0/token", self.authority()),
                    client: client.clone(),
                    clock: self.clock.clone(),
                };
                let options = ClientAssertionCredentialOptions { client_options: self.options() };
                ClientAssertionCredential::new(tenant.clone(), client.clone(), assertion, Some(options))
                    .map(|made| made as _)
            }
            Credentials::WorkloadIdentity { tenant, client, token_file } => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options: self.options() },
                    client_id: Some(client.clone()),
                    tenant_id: Some(tenant.clone()),
                    token_file_path: Some(token_file.clone()),
                };
                WorkloadIdentityCredential::new(Some(options)).map(|made| made as _)
            }
            Credentials::ManagedIdentity { client } => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: client.clone().map(UserAssignedId::ClientId),
                    client_options: self.options(),
                };
                ManagedIdentityCredential::new(Some(options)).map(|made| made as _)
            }
        };
        made.map_err(|error| error.to_string())
    }

    /// Our HTTP client, our authority, and no retries of its own: the layers do that.
    fn options(&self) -> ClientOptions {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.authority();
        ClientOptions {
            transport: Some(Transport::new(Arc::clone(&self.http) as _)),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        }
    }

    fn authority(&self) -> String {
        let own = self.config.settings.authority.as_ref();
        own.map_or_else(
            || "https://login.microsoftonline.com".to_owned(),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        )
    }

    async fn fetch(
        &self,
        source: &Arc<dyn TokenCredential>,
    ) -> Result<(SecretString, DateTime<Utc>), CloudError> {
        let site = CallSite { cloud: CLOUD, service: "entra", operation: "GetToken", region: None };
        let given = self
            .layers
            .call(site, || async {
                let given = source.get_token(&[self.scope], None).await;
                given.map_err(|error| token_error(&error, self.http.heard()))
            })
            .await?;
        let ends = DateTime::from_timestamp(given.expires_on.unix_timestamp(), 0).unwrap_or_default();
        let token = given.token.secret().to_owned();
        self.layers.redactor().hide_for_a_while(&token);
        Ok((token.into(), ends))
    }
}

#[async_trait]
impl Tokens for TokenRing {
    async fn token(&self) -> Result<SecretString, CloudError> {
        let mut current = self.current.lock().await;
        let now = self.clock.now();
        if let Some((token, _)) = current.token.as_ref().filter(|(_, ends)| *ends - RENEW_BEFORE > now) {
            return Ok(token.clone());
        }
        let source = if let Some(source) = &current.source {
            source.clone()
        } else {
            let made = self.source();
            let made =
                made.map_err(|why| CloudError::new(CLOUD, "entra:GetToken", ErrorKind::Invalid, why))?;
            current.source.insert(made).clone()
        };
        let (token, ends) = self.fetch(&source).await?;
        Ok(current.token.insert((token, ends)).0.clone())
    }

    async fn refused(&self, token: &SecretString) {
        let mut current = self.current.lock().await;
        let same = |(now, _): &(SecretString, _)| now.expose_secret() == token.expose_secret();
        if current.token.as_ref().is_some_and(same) {
            // The source keeps the token as well: a new one asks anew.
            *current = Current::default();
        }
    }
}

impl fmt::Debug for TokenRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenRing({})", self.config.credentials.kind())
    }
}

/// What Entra said, with its code (`AADSTS7000215`) out of the text that the official crate makes of it.
fn token_error(error: &azure_core::Error, heard: Option<Heard>) -> CloudError {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        text.push_str(&inner.to_string());
        text.push(' ');
        cause = inner.source();
    }
    let code = text.find("AADSTS").map(|at| {
        let digits = text[at + 6..].bytes().take_while(u8::is_ascii_digit).count();
        text[at..at + 6 + digits].to_owned()
    });
    // What the endpoint says of itself comes first: its trouble says nothing about the credentials, whatever its words.
    let kind = match (heard.map(|heard| heard.status), &code) {
        (Some(429), _) => ErrorKind::Throttled,
        (Some(408), _) => ErrorKind::Timeout,
        // 410 is the machine's own token service while it is renewed; a success that is none broke off, or is nobody's.
        (Some(410 | 500..), _) | (Some(200..300), None) => ErrorKind::Unavailable,
        (_, Some(code)) => kind_of(code, 401, ""),
        (Some(_), None) => ErrorKind::Unauthenticated,
        (None, None) => unexplained(&text),
    };
    let said =
        code.as_ref().and_then(|code| text.find(code.as_str())).map_or(text.as_str(), |at| &text[at..]);
    let message = said.split([';', '\r', '\n']).next().unwrap_or_default().trim().to_owned();
    let mut made = CloudError::new(CLOUD, "entra:GetToken", kind, message);
    made.code = code;
    if let (true, Some(after)) = (made.retry_helps(), heard.and_then(|heard| heard.retry_after)) {
        made.retry = Retry::After(after);
    }
    made
}

/// The kind of a failure that names no code: of the way there, or of the server's own surroundings.
fn unexplained(text: &str) -> ErrorKind {
    let lower = text.to_lowercase();
    if lower.contains("timed out") {
        ErrorKind::Timeout
    } else if lower.contains("error sending request") || lower.contains("connect") || lower.contains("503") {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Unauthenticated
    }
}

/// A certificate and its key, ready to sign who we are.
pub struct Signer {
    key: rsa::KeyPair,
    thumbprint: String,
}

impl Signer {
    /// Reads PEM; says what is wrong with it without quoting it.
    pub fn new(pem: &SecretString) -> Result<Self, &'static str> {
        let pem = pem.expose_secret().as_bytes();
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| "expected a certificate in PEM")?;
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "expected the certificate's private key in PEM")?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => rsa::KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => rsa::KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("expected an RSA key"),
        };
        let key = key.map_err(|_| "expected an unencrypted RSA key of 2048 to 4096 bits")?;
        Ok(Self { key, thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)) })
    }

    /// A signed token with these claims (RFC 7519, RS256; `x5t#S256` names the certificate).
    fn sign(&self, claims: &serde_json::Value) -> azure_core::Result<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let mut signed = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signed)
            .map_err(|_| {
                azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, "signing failed")
            })?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signed)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.thumbprint)
    }
}

/// Says who we are by a signature instead of a secret.
#[derive(Debug)]
struct Assertion {
    signer: Signer,
    audience: String,
    client: String,
    clock: Clock,
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let now = self.clock.now().timestamp();
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id).map_err(|_| {
            azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, "no randomness")
        })?;
        self.signer.sign(&json!({ "aud": self.audience, "iss": self.client, "sub": self.client,
            "jti": URL_SAFE_NO_PAD.encode(id), "nbf": now - 60, "iat": now, "exp": now + 600 }))
    }
}
