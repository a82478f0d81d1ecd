//! From a URL to a connected client, over a Unix socket, plain TCP or TLS.
//!
//! The driver's connection is a future of its own that does the reading and writing; it runs as a tracked task
//! and ends when the client is dropped.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Config, NoTls, Notification,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

use crate::error::{DbError, causes};

/// Longest wait for a connection to be made.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long what was sent may go without the server's acknowledgement.
const SILENCE: Duration = Duration::from_secs(30);

/// Where to connect, parsed once. Does not show its password.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("user", &self.config.get_user())
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Parses `postgresql://user:password@host/database?…` or `key=value` text.
    pub fn parse(url: &SecretString) -> Result<Self, DbError> {
        let mut config = Config::from_str(url.expose_secret())
            .map_err(|error| DbError::misuse(format!("the database URL is invalid: {}", causes(&error))))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        // A server that vanishes without a word is noticed, however the network drops it.
        config
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let tls = (!local && config.get_ssl_mode() != SslMode::Disable).then(tls).transpose()?;
        Ok(Self { config, tls })
    }

    /// The same server and login, another database.
    pub fn with_database(mut self, name: &str) -> Self {
        self.config.dbname(name);
        self
    }

    /// Asks the server to stop the statement that a connection is running.
    pub async fn cancel(&self, token: &CancelToken) {
        let asked = match self.tls.clone() {
            Some(tls) => token.cancel_query(tls).await,
            None => token.cancel_query(NoTls).await,
        };
        if let Err(error) = asked {
            tracing::debug!(error = causes(&error), "a statement could not be cancelled");
        }
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }

    /// The login's name.
    pub fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }
}

fn tls() -> Result<MakeRustlsConnect, DbError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for certificate in found.certs {
        // One unreadable certificate in the system's store must not take the readable ones with it.
        if let Err(error) = roots.add(certificate) {
            tracing::debug!(%error, "a certificate of the system's store is not usable");
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DbError::misuse(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// A client whose connection runs as a task of `tasks`.
pub(crate) async fn connect(target: &Target, tasks: &TaskTracker) -> Result<Client, DbError> {
    let (client, _runs_by_itself) = connect_hearing(target, tasks, |_| {}).await?;
    Ok(client)
}

/// As [`connect`], and calls `hear` for every notification. The handle ends when the connection does.
pub(crate) async fn connect_hearing(
    target: &Target,
    tasks: &TaskTracker,
    hear: impl FnMut(Notification) + Send + 'static,
) -> Result<(Client, JoinHandle<()>), DbError> {
    if let Some(tls) = target.tls.clone() {
        let (client, connection) = target.config.connect(tls).await?;
        Ok((client, tasks.spawn(drive(connection, hear))))
    } else {
        let (client, connection) = target.config.connect(NoTls).await?;
        Ok((client, tasks.spawn(drive(connection, hear))))
    }
}

async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, mut hear: impl FnMut(Notification))
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notification(notification)) => hear(notification),
            Ok(AsyncMessage::Notice(notice)) => {
                tracing::debug!(severity = notice.severity(), message = notice.message(), "notice");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = causes(&error), "a database connection ended");
                return;
            }
        }
    }
}
