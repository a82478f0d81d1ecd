//! Tokens, from Google's own `google-cloud-auth`: it signs them itself with a service account's key, or exchanges a
//! federated token; it keeps and renews them.

use std::{fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use google_cloud_auth::{
    credentials::{
        CacheableResource, Credentials as Source,
        external_account::ProgrammaticBuilder,
        mds,
        service_account::{AccessSpecifier, Builder},
        subject_token::{self, SubjectToken, SubjectTokenProvider},
    },
    errors::SubjectTokenProviderError,
};
use marquee_clouds::{CallSite, CloudError, ErrorKind, Layers, rest::Tokens};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    config::{Config, Credentials},
    error::{CLOUD, kind_of_token},
};

/// What tokens are for: what a role then allows is decided by IAM.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Where federated tokens are exchanged.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";

/// The tokens of one connection.
pub struct TokenRing {
    config: Config,
    layers: Layers,
    source: Mutex<Option<Source>>,
}

impl TokenRing {
    /// A ring without tokens yet.
    pub fn new(config: Config, layers: Layers) -> Self {
        if let Credentials::ServiceAccount { key, .. } = &config.credentials {
            let parsed: Value = serde_json::from_str(key.expose_secret()).unwrap_or_default();
            if let Some(private) = parsed["private_key"].as_str() {
                layers.redactor().hide(private);
            }
        }
        Self { config, layers, source: Mutex::default() }
    }

    fn make(&self) -> Result<Source, CloudError> {
        let made = match &self.config.credentials {
            Credentials::ServiceAccount { key, .. } => {
                let key = serde_json::from_str(key.expose_secret()).unwrap_or_default();
                Builder::new(key).with_access_specifier(AccessSpecifier::from_scopes([SCOPE])).build()
            }
            Credentials::WorkloadIdentity { audience, email, token_file } => {
                let exchange =
                    self.config.settings.endpoint.as_ref().map_or_else(
                        || EXCHANGE.to_owned(),
                        |endpoint| format!("{}v1/token", endpoint.as_str()),
                    );
                let builder = ProgrammaticBuilder::new(Arc::new(TokenFile(token_file.clone())))
                    .with_audience(audience)
                    .with_subject_token_type("urn:ietf:params:oauth:token-type:jwt")
                    .with_token_url(exchange)
                    .with_scopes([SCOPE]);
                match email {
                    Some(email) => builder.with_target_principal(email),
                    None => builder,
                }
                .build()
            }
            Credentials::Metadata => mds::Builder::default().with_scopes([SCOPE]).build(),
        };
        // The builder's own message could quote the key.
        made.map_err(|_| {
            CloudError::new(
                CLOUD,
                "auth:Token",
                ErrorKind::Unauthenticated,
                "the credentials cannot be used: is the \
                private key whole?",
            )
        })
    }

    async fn ask(&self, source: &Source) -> Result<SecretString, CloudError> {
        let site = CallSite { cloud: CLOUD, service: "auth", operation: "Token", region: None };
        let failed = |kind, text: String| CloudError::new(CLOUD, "auth:Token", kind, text);
        let headers = self
            .layers
            .call(site, || async {
                let given = source.headers(http::Extensions::new()).await;
                given.map_err(|error| {
                    let text = error.to_string();
                    failed(kind_of_token(&text, error.is_transient()), text)
                })
            })
            .await?;
        let CacheableResource::New { data, .. } = headers else {
            return Err(failed(ErrorKind::Protocol, "no token was given".to_owned()));
        };
        let header = data.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|text| text.strip_prefix("Bearer "));
        let token =
            token.ok_or_else(|| failed(ErrorKind::Protocol, "no bearer token was given".to_owned()))?;
        self.layers.redactor().hide_for_a_while(token);
        Ok(token.into())
    }
}

#[async_trait]
impl Tokens for TokenRing {
    async fn token(&self) -> Result<SecretString, CloudError> {
        let source = {
            let mut source = self.source.lock().await;
            if let Some(source) = source.as_ref() {
                source.clone()
            } else {
                source.insert(self.make()?).clone()
            }
        };
        self.ask(&source).await
    }

    async fn refused(&self, _: &SecretString) {
        // The source keeps its token: a new one makes a new token.
        *self.source.lock().await = None;
    }
}

impl fmt::Debug for TokenRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenRing({})", self.config.credentials.kind())
    }
}

/// A federated token that something else on the server's machine keeps fresh.
#[derive(Debug)]
struct TokenFile(PathBuf);

/// The file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the federated token's file cannot be read: {0}")]
struct TokenFileError(std::io::Error);

impl SubjectTokenProviderError for TokenFileError {
    fn is_transient(&self) -> bool {
        false
    }
}

impl SubjectTokenProvider for TokenFile {
    type Error = TokenFileError;

    async fn subject_token(&self) -> Result<SubjectToken, TokenFileError> {
        let text = tokio::fs::read_to_string(&self.0).await.map_err(TokenFileError)?;
        Ok(subject_token::Builder::new(text.trim()).build())
    }
}
