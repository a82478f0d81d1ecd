//! Sockets: plain HTTP on loopback, TLS by rustls, the redirect to it, and an orderly end.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Redirect, Response},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use http::{StatusCode, header, uri::Authority};
use hyper_util::rt::TokioTimer;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{app::App, config::TlsFiles, http::router};

/// How long requests under way may go on once the server is asked to end.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How long a client may take to send its headers.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Binds `address`, with an error that names it.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    let domain = if address.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).with_context(|| format!("cannot listen on {address}"))?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Serves the API on `listener` until `stop`, then lets requests under way finish.
pub async fn serve(app: App, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    let handle = Handle::new();
    drain_on(&app.tasks, &stop, &handle);
    let service = router(&app).into_make_service_with_connect_info::<SocketAddr>();
    if let Some(files) = &app.config.tls {
        let config = RustlsConfig::from_config(Arc::new(tls(files)?));
        let mut server = axum_server::from_tcp_rustls(listener, config)?.handle(handle);
        server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
        return Ok(server.serve(service).await?);
    }
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    Ok(server.serve(service).await?)
}

/// Sends whoever comes by plain HTTP to the same place by HTTPS, at `https_port`.
pub async fn redirect(
    tasks: &TaskTracker,
    listener: TcpListener,
    https_port: u16,
    stop: CancellationToken,
) -> Result<()> {
    let handle = Handle::new();
    drain_on(tasks, &stop, &handle);
    let router =
        Router::new().fallback(move |request: Request| async move { to_https(&request, https_port) });
    axum_server::from_tcp(listener)?.handle(handle).serve(router.into_make_service()).await?;
    Ok(())
}

/// Serves `/metrics` alone, for a scraper on a network of its own.
pub async fn metrics(app: App, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    let handle = Handle::new();
    drain_on(&app.tasks, &stop, &handle);
    let render = {
        let metrics = app.metrics.clone();
        move || async move { metrics.render() }
    };
    let router = Router::new().route("/metrics", axum::routing::get(render));
    axum_server::from_tcp(listener)?.handle(handle).serve(router.into_make_service()).await?;
    Ok(())
}

fn drain_on(tasks: &TaskTracker, stop: &CancellationToken, handle: &Handle<SocketAddr>) {
    let (stop, handle) = (stop.clone(), handle.clone());
    tasks.spawn(async move {
        stop.cancelled().await;
        handle.graceful_shutdown(Some(DRAIN));
    });
}

fn to_https(request: &Request, port: u16) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<Authority>().ok());
    let Some(host) = host else { return StatusCode::BAD_REQUEST.into_response() };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    Redirect::permanent(&format!("https://{}{port}{path}", host.host())).into_response()
}

fn tls(files: &TlsFiles) -> Result<rustls::ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("the TLS certificate in {}", files.certificate.display()))?;
    anyhow::ensure!(!certificates.is_empty(), "{} holds no certificate", files.certificate.display());
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("the TLS key in {}", files.key.display()))?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context("the TLS certificate and key do not belong together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
