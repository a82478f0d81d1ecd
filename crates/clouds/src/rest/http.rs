//! The HTTP clients: no redirects, no proxies of the environment, and one more certificate where a connection has its own.

use std::time::Duration;

use crate::{CloudError, ErrorKind};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Clients that trust the system's authorities and, besides, those in `certificate` (PEM). The process must have
/// installed its TLS provider (rustls with ring) before.
pub fn clients(cloud: &'static str, certificate: Option<&str>) -> Result<Clients, CloudError> {
    Ok(Clients { json: client(cloud, certificate, true)?, bytes: client(cloud, certificate, false)? })
}

/// The two clients of a connection.
#[derive(Debug, Clone)]
pub struct Clients {
    /// For JSON, which comes packed.
    pub json: reqwest::Client,
    /// For objects, whose bytes are handed on as they are kept.
    pub bytes: reqwest::Client,
}

fn client(
    cloud: &'static str,
    certificate: Option<&str>,
    unpacks: bool,
) -> Result<reqwest::Client, CloudError> {
    let no_client = |error: reqwest::Error| {
        CloudError::new(cloud, "connect", ErrorKind::Unavailable, "no HTTP client").with_source(error)
    };
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .gzip(unpacks)
        .user_agent(concat!("marquee/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = certificate {
        let trusted = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(no_client)?;
        builder = builder.tls_certs_merge(trusted);
    }
    builder.build().map_err(no_client)
}

/// A request that never left, or an answer that never came.
pub fn not_sent(cloud: &'static str, error: reqwest::Error) -> CloudError {
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    CloudError::new(cloud, "", kind, "the endpoint could not be reached").with_source(error.without_url())
}
