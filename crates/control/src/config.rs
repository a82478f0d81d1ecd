//! The configuration: one typed struct, from flags, environment and an optional TOML file, in that order.
//!
//! This is the only place that reads the environment. [`Settings`] is what a user may write, every value
//! optional; [`Config`] is what the server runs with, every value decided and checked.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use marquee_clouds::ServerRules;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::http::limits::Rates;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line, for machines.
    Json,
}

macro_rules! settings {
    ($($(#[$attribute:meta])* $field:ident: $type:ty,)*) => {
        /// What a user may write; the same names as flags, in the environment and in the file.
        #[expect(clippy::doc_markdown, reason = "these comments are help texts, which show no Markdown")]
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($(#[$attribute])* pub $field: Option<$type>,)*
        }

        impl Settings {
            /// These settings, and where they say nothing, `lower`'s.
            #[must_use]
            pub fn or(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* }
            }
        }
    };
}

settings! {
    /// Where Marquee keeps its data: the embedded database and its keys
    #[arg(long, env = "MARQUEE_DATA_DIR", value_name = "DIR")]
    data_dir: PathBuf,
    /// Where the API listens [default: 127.0.0.1:7300]
    #[arg(long, env = "MARQUEE_LISTEN", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// An external database, as the application role; without it an embedded one is started
    #[arg(long, env = "MARQUEE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: SecretString,
    /// The external database, as the role for work across organizations
    #[arg(long, env = "MARQUEE_DATABASE_SYSTEM_URL", value_name = "URL", hide_env_values = true)]
    database_system_url: SecretString,
    /// The external database, as the owner of the tables, for migrations
    #[arg(long, env = "MARQUEE_DATABASE_ADMIN_URL", value_name = "URL", hide_env_values = true)]
    database_admin_url: SecretString,
    /// Connections to the database for what is done in one organization's name [default: 4 for each of this machine's
    /// processors, from 8 to 32]
    #[arg(long, env = "MARQUEE_DATABASE_CONNECTIONS", value_name = "N")]
    database_connections: NonZeroUsize,
    /// Where the PostgreSQL server's programs are, if not where they are usually found
    #[arg(long, env = "MARQUEE_POSTGRES_BIN_DIR", value_name = "DIR")]
    postgres_bin_dir: PathBuf,
    /// The file with the key that encrypts stored credentials [default: DATA_DIR/keys/encryption.key]
    #[arg(long, env = "MARQUEE_ENCRYPTION_KEY_FILE", value_name = "FILE")]
    encryption_key_file: PathBuf,
    /// Starts although stored credentials need a key that is lost: they have to be entered again
    #[arg(long, env = "MARQUEE_ACCEPT_LOST_KEYS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    accept_lost_keys: bool,
    /// An origin that a provider's endpoint_url may name; repeatable
    #[arg(long = "allow-endpoint", env = "MARQUEE_ALLOW_ENDPOINTS", value_name = "ORIGIN", value_delimiter = ',')]
    allow_endpoints: Vec<String>,
    /// Lets a provider's endpoint_url name this machine: for development with an emulator
    #[arg(long, env = "MARQUEE_ALLOW_LOOPBACK_ENDPOINTS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    allow_loopback_endpoints: bool,
    /// Lets providers use this server's own cloud identity: profiles, the ambient chain, assume-role from it
    #[arg(long, env = "MARQUEE_ALLOW_AMBIENT_CREDENTIALS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    allow_ambient_credentials: bool,
    /// How log lines look [default: human]
    #[arg(long, env = "MARQUEE_LOG", value_name = "FORMAT")]
    log: LogFormat,
    /// What is logged: error, warn, info, debug, or a filter by module [default: info]
    #[arg(long, env = "MARQUEE_LOG_LEVEL", value_name = "FILTER")]
    log_level: String,
    /// The TLS certificate chain, PEM
    #[arg(long, env = "MARQUEE_TLS_CERT", value_name = "FILE")]
    tls_cert: PathBuf,
    /// The TLS private key, PEM
    #[arg(long, env = "MARQUEE_TLS_KEY", value_name = "FILE")]
    tls_key: PathBuf,
    /// With TLS: where plain HTTP listens, to redirect to HTTPS
    #[arg(long, env = "MARQUEE_REDIRECT_LISTEN", value_name = "ADDRESS:PORT")]
    redirect_listen: SocketAddr,
    /// Lets plain HTTP listen on other addresses than loopback
    #[arg(long, env = "MARQUEE_INSECURE_HTTP", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    insecure_http: bool,
    /// Where `/metrics` listens on its own, without authentication
    #[arg(long, env = "MARQUEE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: SocketAddr,
    /// The bearer token that opens `/metrics` beside the API
    #[arg(long, env = "MARQUEE_METRICS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    metrics_token: SecretString,
    /// A web origin that may call the API from a browser; repeatable; none by default
    #[arg(long = "cors-origin", env = "MARQUEE_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    cors_origins: Vec<String>,
    /// Reads a minute for each session or API key [default: 6000]
    #[arg(long, env = "MARQUEE_READS_PER_MINUTE", value_name = "N")]
    reads_per_minute: NonZeroU32,
    /// Changes a minute for each session or API key [default: 600]
    #[arg(long, env = "MARQUEE_WRITES_PER_MINUTE", value_name = "N")]
    writes_per_minute: NonZeroU32,
    /// Requests that call a cloud, a minute for each session or API key [default: 60]
    #[arg(long, env = "MARQUEE_CLOUD_CALLS_PER_MINUTE", value_name = "N")]
    cloud_calls_per_minute: NonZeroU32,
    /// Attempts to log in, a minute for each address [default: 30]
    #[arg(long, env = "MARQUEE_LOGINS_PER_MINUTE", value_name = "N")]
    logins_per_minute: NonZeroU32,
    /// How often a provider is synced that does not say so itself [default: 900]
    #[arg(long, env = "MARQUEE_SYNC_INTERVAL_SECONDS", value_name = "SECONDS")]
    sync_interval_seconds: NonZeroU32,
    /// How many parts of one inventory are listed at once [default: 8]
    #[arg(long, env = "MARQUEE_SYNC_PARALLEL", value_name = "N")]
    sync_parallel: NonZeroUsize,
    /// After how long a silent worker's jobs are taken over by others [default: 15]
    #[arg(long, env = "MARQUEE_WORKER_LEASE_SECONDS", value_name = "SECONDS")]
    worker_lease_seconds: NonZeroU32,
}

/// Which database to use.
#[derive(Debug, Clone)]
pub enum Database {
    /// One that Marquee starts itself, under the data directory.
    Embedded {
        /// Where the server's programs are, if given.
        bin_dir: Option<PathBuf>,
    },
    /// One that runs already.
    External {
        /// As given by `database_url`: the application role, or an administrator who may make the three roles.
        url: SecretString,
        /// The role for work across organizations.
        system: Option<SecretString>,
        /// The owner of the tables.
        admin: Option<SecretString>,
    },
}

/// Which database, and where this installation keeps what is not in it.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Always there with an embedded database.
    pub data_dir: Option<PathBuf>,
    /// Which database.
    pub database: Database,
}

/// A certificate chain and its key.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// PEM, leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// What the server runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the data is.
    pub storage: Storage,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Connections to it.
    pub database_connections: usize,
    /// The file with the key-encryption key, unless the key itself is in the environment.
    pub encryption_key_file: Option<PathBuf>,
    /// The key-encryption key itself, from `MARQUEE_ENCRYPTION_KEY`.
    pub encryption_key: Option<SecretString>,
    /// What providers may ask for.
    pub rules: ServerRules,
    /// How log lines look.
    pub log: LogFormat,
    /// What is logged.
    pub log_level: String,
    /// TLS, if on.
    pub tls: Option<TlsFiles>,
    /// Where plain HTTP is redirected from.
    pub redirect_listen: Option<SocketAddr>,
    /// The listener of `/metrics` alone.
    pub metrics_listen: Option<SocketAddr>,
    /// The token for `/metrics` beside the API.
    pub metrics_token: Option<SecretString>,
    /// Web origins that may call the API.
    pub cors_origins: Vec<String>,
    /// Whether plain HTTP may listen on other addresses than loopback.
    pub insecure_http: bool,
    /// Whether to start although stored credentials need a key that is not there.
    pub accept_lost_keys: bool,
    /// The rate limits.
    pub rates: Rates,
    /// How often a provider is synced that does not say so itself.
    pub sync_interval_seconds: u32,
    /// How many parts of inventories are listed at once.
    pub sync_parallel: usize,
    /// After how long a silent worker's jobs are taken over by others.
    pub worker_lease_seconds: u32,
}

/// The name of the variable with the key-encryption key itself.
pub const ENCRYPTION_KEY_VARIABLE: &str = "MARQUEE_ENCRYPTION_KEY";

impl Settings {
    /// The settings of a TOML file. A key that is not one is an error that names it.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).map_err(|error| in_file(path, &text, &error))
    }
}

impl Config {
    /// Decides and checks every value. `flags` already holds what the environment says; `file` is asked last.
    pub fn resolve(flags: Settings, file: Option<&Path>) -> Result<Self> {
        let file = file.map(Settings::from_file).transpose()?.unwrap_or_default();
        Self::check(flags.or(file), environment_key())
    }

    /// Where the data is, for a command that needs nothing else.
    pub fn resolve_storage(flags: Settings, file: Option<&Path>) -> Result<Storage> {
        let file = file.map(Settings::from_file).transpose()?.unwrap_or_default();
        storage(&flags.or(file))
    }

    fn check(settings: Settings, encryption_key: Option<SecretString>) -> Result<Self> {
        let storage = storage(&settings)?;
        let own_file = storage.data_dir.as_ref().map(|dir| dir.join("keys").join("encryption.key"));
        let encryption_key_file = settings.encryption_key_file.or(own_file);
        if encryption_key.is_none() && encryption_key_file.is_none() {
            bail!(
                "an external database needs the key that encrypts stored credentials: give --encryption-key-file \
                 FILE, {ENCRYPTION_KEY_VARIABLE}, or a --data-dir to make one in"
            );
        }
        let listen = settings.listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7300));
        let tls = tls(settings.tls_cert, settings.tls_key)?;
        let plain_ok = listen.ip().is_loopback() || settings.insecure_http == Some(true);
        ensure!(
            tls.is_some() || plain_ok,
            "{listen} is not a loopback address: give --tls-cert and --tls-key, or accept plain HTTP with \
             --insecure-http (behind a proxy that ends TLS, say)"
        );
        ensure!(
            settings.redirect_listen.is_none() || tls.is_some(),
            "--redirect-listen redirects to HTTPS: it needs --tls-cert and --tls-key"
        );
        let allowed_endpoints = origins("--allow-endpoint", settings.allow_endpoints.unwrap_or_default())?;
        Ok(Self {
            storage,
            listen,
            database_connections: settings
                .database_connections
                .map_or_else(default_connections, NonZeroUsize::get),
            encryption_key_file,
            encryption_key,
            rules: ServerRules {
                allowed_endpoints,
                allow_loopback_endpoints: settings.allow_loopback_endpoints.unwrap_or(false),
                allow_ambient_credentials: settings.allow_ambient_credentials.unwrap_or(false),
            },
            log: settings.log.unwrap_or(LogFormat::Human),
            log_level: settings.log_level.unwrap_or_else(|| "info".to_owned()),
            tls,
            redirect_listen: settings.redirect_listen,
            metrics_listen: settings.metrics_listen,
            metrics_token: settings.metrics_token,
            cors_origins: origins("--cors-origin", settings.cors_origins.unwrap_or_default())?,
            insecure_http: settings.insecure_http.unwrap_or(false),
            accept_lost_keys: settings.accept_lost_keys.unwrap_or(false),
            rates: Rates {
                read: settings.reads_per_minute.unwrap_or(per_minute(6_000)),
                write: settings.writes_per_minute.unwrap_or(per_minute(600)),
                cloud: settings.cloud_calls_per_minute.unwrap_or(per_minute(60)),
                login: settings.logins_per_minute.unwrap_or(per_minute(30)),
            },
            sync_interval_seconds: sync_interval(settings.sync_interval_seconds)?,
            sync_parallel: settings.sync_parallel.map_or(8, NonZeroUsize::get),
            worker_lease_seconds: settings.worker_lease_seconds.map_or(15, NonZeroU32::get),
        })
    }

    /// The effective values as TOML, with secrets masked: what `marquee config check` prints.
    pub fn describe(&self) -> String {
        let mut table = toml::Table::new();
        let mut put = |name: &str, value: toml::Value| {
            table.insert(name.to_owned(), value);
        };
        if let Some(dir) = &self.storage.data_dir {
            put("data_dir", dir.display().to_string().into());
        }
        put("listen", self.listen.to_string().into());
        match &self.storage.database {
            Database::Embedded { bin_dir } => {
                if let Some(dir) = bin_dir {
                    put("postgres_bin_dir", dir.display().to_string().into());
                }
            }
            Database::External { url, system, admin } => {
                put("database_url", masked_url(url).into());
                for (name, url) in [("database_system_url", system), ("database_admin_url", admin)] {
                    if let Some(url) = url {
                        put(name, masked_url(url).into());
                    }
                }
            }
        }
        put("database_connections", int(self.database_connections));
        if let Some(file) = self.encryption_key_file.as_ref().filter(|_| self.encryption_key.is_none()) {
            put("encryption_key_file", file.display().to_string().into());
        }
        put("allow_endpoints", self.rules.allowed_endpoints.clone().into());
        put("allow_loopback_endpoints", self.rules.allow_loopback_endpoints.into());
        put("allow_ambient_credentials", self.rules.allow_ambient_credentials.into());
        put("log", if self.log == LogFormat::Json { "json" } else { "human" }.into());
        put("log_level", self.log_level.clone().into());
        if let Some(tls) = &self.tls {
            put("tls_cert", tls.certificate.display().to_string().into());
            put("tls_key", tls.key.display().to_string().into());
        }
        for (name, address) in
            [("redirect_listen", self.redirect_listen), ("metrics_listen", self.metrics_listen)]
        {
            if let Some(address) = address {
                put(name, address.to_string().into());
            }
        }
        if self.metrics_token.is_some() {
            put("metrics_token", MASK.into());
        }
        put("cors_origins", self.cors_origins.clone().into());
        put("insecure_http", self.insecure_http.into());
        put("accept_lost_keys", self.accept_lost_keys.into());
        put("reads_per_minute", i64::from(self.rates.read.get()).into());
        put("writes_per_minute", i64::from(self.rates.write.get()).into());
        put("cloud_calls_per_minute", i64::from(self.rates.cloud.get()).into());
        put("logins_per_minute", i64::from(self.rates.login.get()).into());
        put("sync_interval_seconds", i64::from(self.sync_interval_seconds).into());
        put("sync_parallel", int(self.sync_parallel));
        put("worker_lease_seconds", i64::from(self.worker_lease_seconds).into());
        table.to_string()
    }
}

const MASK: &str = "********";

/// Names in the environment that begin with `MARQUEE_` and mean nothing: a typo, most likely.
pub fn unknown_variables(known: &[String]) -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "config.rs is the place that reads the environment")]
    let names = std::env::vars().map(|(name, _)| name);
    let is_known = |name: &String| {
        known.contains(name) || name == ENCRYPTION_KEY_VARIABLE || name.starts_with("MARQUEE_TEST_")
    };
    let mut unknown: Vec<String> =
        names.filter(|name| name.starts_with("MARQUEE_") && !is_known(name)).collect();
    unknown.sort();
    unknown
}

/// What is wrong and in which line, without the line itself: it may hold a secret.
fn in_file(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.get(..start).map_or(1, |before| before.matches('\n').count() + 1);
    // Only what names keys: a value of the wrong type would be quoted.
    let reason = error.message();
    let reason =
        if reason.starts_with("unknown field") { reason } else { "not TOML, or a value of the wrong type" };
    anyhow::anyhow!("in {}, line {line}: {reason}", path.display())
}

fn environment_key() -> Option<SecretString> {
    #[expect(clippy::disallowed_methods, reason = "config.rs is the place that reads the environment")]
    std::env::var(ENCRYPTION_KEY_VARIABLE).ok().map(SecretString::from)
}

fn storage(settings: &Settings) -> Result<Storage> {
    let (database, data_dir) = (database(settings)?, settings.data_dir.clone());
    if matches!(database, Database::Embedded { .. }) && data_dir.is_none() {
        bail!("say where to keep the data with --data-dir DIR, or name a database with --database-url URL");
    }
    Ok(Storage { data_dir, database })
}

fn database(settings: &Settings) -> Result<Database> {
    let (system, admin) = (settings.database_system_url.clone(), settings.database_admin_url.clone());
    let Some(url) = settings.database_url.clone() else {
        ensure!(
            system.is_none() && admin.is_none(),
            "--database-system-url and --database-admin-url belong to --database-url, which is missing"
        );
        return Ok(Database::Embedded { bin_dir: settings.postgres_bin_dir.clone() });
    };
    for (name, url) in [
        ("--database-url", Some(&url)),
        ("--database-system-url", system.as_ref()),
        ("--database-admin-url", admin.as_ref()),
    ] {
        let Some(url) = url else { continue };
        let scheme = url.expose_secret().split(':').next().unwrap_or("");
        ensure!(matches!(scheme, "postgres" | "postgresql"), "{name} must begin with postgres://");
    }
    ensure!(
        system.is_some() == admin.is_some(),
        "give both --database-system-url and --database-admin-url beside --database-url, or neither if that \
         one may make roles"
    );
    Ok(Database::External { url, system, admin })
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => bail!("--tls-cert needs --tls-key beside it"),
        (None, Some(_)) => bail!("--tls-key needs --tls-cert beside it"),
    }
}

/// Origins in their one spelling: scheme, host and, unless it is the scheme's own, port.
fn origins(flag: &str, given: Vec<String>) -> Result<Vec<String>> {
    let check = |text: String| {
        let url = Url::parse(&text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
        });
        let url =
            url.with_context(|| format!("{flag} {text}: expected an origin such as https://host:8443"))?;
        Ok(url.origin().ascii_serialization())
    };
    given.into_iter().map(check).collect()
}

/// As many as keep the processors busy while some wait for the disk. More only take the processors' caches from each
/// other: PostgreSQL usually runs on the same machine, or on one of about its size.
fn default_connections() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (4 * processors).clamp(8, 32)
}

fn sync_interval(given: Option<NonZeroU32>) -> Result<u32> {
    let seconds = given.map_or(900, NonZeroU32::get);
    ensure!((60..=604_800).contains(&seconds), "--sync-interval-seconds must be from 60 to 604800 (a week)");
    Ok(seconds)
}

fn per_minute(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn int(number: usize) -> toml::Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn masked_url(url: &SecretString) -> String {
    match Url::parse(url.expose_secret()) {
        Ok(mut parsed) => {
            if parsed.password().is_some() && parsed.set_password(Some(MASK)).is_err() {
                return MASK.to_owned();
            }
            if parsed.query_pairs().any(|(name, _)| name == "password") {
                parsed.set_query(None);
            }
            parsed.to_string()
        }
        // A socket path for a host is not a URL by the book; say nothing rather than too much.
        Err(_) => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> Settings {
        Settings { data_dir: Some("/data".into()), ..Settings::default() }
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: Settings = toml::from_str("listen = '127.0.0.1:1'\nlog = 'json'").expect("a valid file");
        let flags = Settings { listen: Some("127.0.0.1:2".parse().expect("an address")), ..embedded() };
        let config = Config::check(flags.or(file), None).expect("valid settings");
        assert_eq!((config.listen.port(), config.log), (2, LogFormat::Json));
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named() {
        let error = toml::from_str::<Settings>("colour = 'red'").expect_err("an unknown key").to_string();
        assert!(error.contains("colour"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_keeps_its_secrets() {
        for text in [
            "log = 'json'\ndatabase_url = 'postgres://a:hunter2@b/c",
            "log = 'json'\nmetrics_token = hunter2",
            "log = 'json'\nreads_per_minute = 'hunter2'",
            "log = 'json'\nmetrics_token = ['hunter2']",
            "log = 'json'\nlisten = 'hunter2'",
        ] {
            let error = toml::from_str::<Settings>(text).expect_err("not valid");
            let told = format!("{:?}", in_file(Path::new("marquee.toml"), text, &error));
            assert!(!told.contains("hunter2"), "{told}");
            assert!(told.contains("marquee.toml, line 2"), "{told}");
        }
        let text = "log = 'json'\n\ncolour = 'hunter2'";
        let error = toml::from_str::<Settings>(text).expect_err("an unknown key");
        let told = format!("{:?}", in_file(Path::new("marquee.toml"), text, &error));
        assert!(told.contains("line 3") && told.contains("colour") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn plain_http_stays_on_loopback() {
        let open = Settings { listen: Some("0.0.0.0:80".parse().expect("an address")), ..embedded() };
        let error = Config::check(open.clone(), None).expect_err("must be refused").to_string();
        assert!(error.contains("--insecure-http") && error.contains("--tls-cert"), "{error}");
        assert!(Config::check(Settings { insecure_http: Some(true), ..open }, None).is_ok());
    }

    #[test]
    fn an_external_database_needs_a_key() {
        let external = Settings { database_url: Some("postgres://a:b@c/d".into()), ..Settings::default() };
        let error = Config::check(external.clone(), None).expect_err("must be refused").to_string();
        assert!(error.contains("MARQUEE_ENCRYPTION_KEY"), "{error}");
        assert!(Config::check(external, Some("k".into())).is_ok());
    }

    #[test]
    fn secrets_are_masked() {
        let settings = Settings {
            database_url: Some("postgres://app:hunter2@db/marquee?password=hunter2".into()),
            metrics_token: Some("hunter2".into()),
            ..embedded()
        };
        let config = Config::check(settings, None).expect("valid settings");
        let shown = format!("{}{config:?}", config.describe());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("postgres://app:"), "{shown}");
    }

    #[test]
    fn endpoints_are_origins() {
        for bad in ["example.com", "ftp://h", "https://h/path", "https://u@h", "https://h?x"] {
            assert!(origins("--allow-endpoint", vec![bad.into()]).is_err(), "{bad}");
        }
        let good = origins("--allow-endpoint", vec!["HTTPS://Host:443/".into()]).expect("an origin");
        assert_eq!(good, ["https://host"]);
    }
}
