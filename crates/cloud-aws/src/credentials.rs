//! Turns configured credentials into keys that sign, and renews them before they end.
//!
//! Keys are had once and shared: callers that come while a role is being assumed wait for that one call. The
//! credential chain of the official `aws-config` stands behind `profile` and `ambient`; a role is assumed through
//! the layers like any other call, so that its refusal is an error like any other.

use std::{fmt, sync::Arc};

use aws_config::{
    default_provider::credentials::DefaultCredentialsChain, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials as Keys,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_sts::config::{BehaviorVersion, IdentityCache, Region};
use chrono::{DateTime, TimeDelta, Utc};
use marquee_clouds::{CallSite, CloudError, ErrorKind, Layers, layers::Tally};
use secrecy::ExposeSecret;
use tokio::sync::{Mutex, OnceCell};

use crate::{
    config::{AccessKey, Config, Credentials},
    error::CLOUD,
    transport::{SdkCaller, Transport, endpoint_text, no_retries, sleep_impl, timeouts},
};

/// Keys are renewed so long before they end: longer than any call may take.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(5);

/// The keys of one connection. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    config: Config,
    transport: Transport,
    layers: Layers,
    current: Mutex<Option<Keys>>,
    chain: OnceCell<SharedCredentialsProvider>,
}

impl KeyRing {
    /// A ring without keys yet.
    pub fn new(config: Config, transport: Transport, layers: Layers) -> Self {
        let (current, chain) = (Mutex::default(), OnceCell::new());
        Self(Arc::new(Inner { config, transport, layers, current, chain }))
    }

    /// Keys that are good for some minutes at least.
    pub async fn keys(&self) -> Result<Keys, CloudError> {
        let mut current = self.0.current.lock().await;
        let now = self.0.transport.clock.now();
        if let Some(keys) = current.as_ref().filter(|keys| is_fresh(keys, now)) {
            return Ok(keys.clone());
        }
        let keys = Box::pin(self.0.fetch()).await?;
        self.0.hide(&keys);
        Ok(current.insert(keys).clone())
    }

    /// Throws passing keys away that a call was refused for: the next call gets new ones.
    pub async fn judge<T: Sync>(&self, keys: &Keys, result: &Result<T, CloudError>) {
        let refused = result.as_ref().is_err_and(|error| error.kind == ErrorKind::Unauthenticated);
        if refused && keys.expiry().is_some() {
            let mut current = self.0.current.lock().await;
            if current.as_ref().is_some_and(|now| now.access_key_id() == keys.access_key_id()) {
                *current = None;
            }
        }
    }

    /// A client for the official STS crate that signs with this ring's keys.
    pub fn sts(&self) -> aws_sdk_sts::Client {
        self.0.sts_client(SharedCredentialsProvider::new(self.clone()))
    }
}

fn is_fresh(keys: &Keys, now: DateTime<Utc>) -> bool {
    keys.expiry().is_none_or(|expiry| DateTime::<Utc>::from(expiry) - RENEW_BEFORE > now)
}

impl Inner {
    async fn fetch(&self) -> Result<Keys, CloudError> {
        match &self.config.credentials {
            Credentials::Static(key) => Ok(keys_of(key)),
            Credentials::AssumeRole { role_arn, session_name, source } => {
                let source = match source {
                    Some(key) => SharedCredentialsProvider::new(keys_of(key)),
                    None => self.chain().await,
                };
                self.assume(role_arn, session_name, source).await
            }
            Credentials::Profile { .. } | Credentials::Ambient => self.ask_chain().await,
        }
    }

    async fn assume(
        &self,
        role_arn: &str,
        session_name: &str,
        source: SharedCredentialsProvider,
    ) -> Result<Keys, CloudError> {
        let client = self.sts_client(source);
        let caller = SdkCaller { layers: self.layers.clone(), keys: None, tally: Arc::new(Tally::default()) };
        let region = self.config.home_region();
        let answer = caller
            .call("sts", "AssumeRole", Some(region), || {
                client
                    .assume_role()
                    .role_arn(role_arn)
                    .role_session_name(session_name)
                    .external_id(&self.config.external_id)
                    .send()
            })
            .await?;
        let given = answer.credentials().ok_or_else(|| {
            CloudError::new(CLOUD, "sts:AssumeRole", ErrorKind::Protocol, "the answer has no credentials")
        })?;
        Ok(Keys::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            (*given.expiration()).try_into().ok(),
            "assume_role",
        ))
    }

    async fn ask_chain(&self) -> Result<Keys, CloudError> {
        let chain = self.chain().await;
        let site = CallSite { cloud: CLOUD, service: "credentials", operation: "Load", region: None };
        self.layers.call(site, || async { chain.provide_credentials().await.map_err(chain_error) }).await
    }

    /// The official credential chain, with our HTTP client and our clock.
    async fn chain(&self) -> SharedCredentialsProvider {
        let make = || async {
            let settings = ProviderConfig::without_region()
                .with_region(Some(Region::new(self.config.home_region().to_owned())))
                .with_http_client(self.transport.sdk_http.clone())
                .with_time_source(self.transport.time_source())
                .with_sleep_impl(sleep_impl())
                .with_retry_config(no_retries());
            match &self.config.credentials {
                Credentials::Profile { name } => SharedCredentialsProvider::new(
                    ProfileFileCredentialsProvider::builder().configure(&settings).profile_name(name).build(),
                ),
                _ => SharedCredentialsProvider::new(
                    DefaultCredentialsChain::builder().configure(settings).build().await,
                ),
            }
        };
        self.chain.get_or_init(make).await.clone()
    }

    fn sts_client(&self, keys: SharedCredentialsProvider) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.config.home_region().to_owned()))
            .credentials_provider(keys)
            .identity_cache(IdentityCache::no_cache())
            .http_client(self.transport.sdk_http.clone())
            .time_source(self.transport.time_source())
            .sleep_impl(sleep_impl())
            .timeout_config(timeouts())
            .retry_config(no_retries());
        if let Some(endpoint) = &self.config.settings.endpoint {
            config = config.endpoint_url(endpoint_text(endpoint));
        }
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// From now on these keys appear in no error.
    fn hide(&self, keys: &Keys) {
        let redactor = self.layers.redactor();
        let passing = keys.expiry().is_some();
        for secret in [Some(keys.secret_access_key()), keys.session_token()].into_iter().flatten() {
            if passing { redactor.hide_for_a_while(secret) } else { redactor.hide(secret) }
        }
        if let Credentials::AssumeRole { source: Some(key), .. } = &self.config.credentials {
            redactor.hide(key.secret.expose_secret());
        }
    }
}

fn keys_of(key: &AccessKey) -> Keys {
    let token = key.session_token.as_ref().map(|token| token.expose_secret().to_owned());
    Keys::new(&key.id, key.secret.expose_secret(), token, None, "static")
}

fn chain_error(error: CredentialsError) -> CloudError {
    let (kind, message) = match &error {
        CredentialsError::CredentialsNotLoaded(_) => {
            (ErrorKind::Unauthenticated, "the server's surroundings provide no AWS credentials")
        }
        CredentialsError::ProviderTimedOut(_) => {
            (ErrorKind::Timeout, "the credential provider did not answer in time")
        }
        CredentialsError::InvalidConfiguration(_) => {
            (ErrorKind::Unauthenticated, "the server's AWS configuration files do not make sense")
        }
        _ => (ErrorKind::Unauthenticated, "the credential provider failed"),
    };
    CloudError::new(CLOUD, "credentials:Load", kind, message).with_source(error)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({})", self.0.config.credentials.kind())
    }
}

impl ProvideCredentials for KeyRing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.keys().await.map_err(|error| CredentialsError::provider_error(Box::new(error)))
        })
    }
}
