//! A server before an emulator that loses answers: what was asked for is done, and no one hears of it.

#![expect(clippy::expect_used, reason = "part of a test: it fails by panicking")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// A certificate and its key, both in PEM.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    /// The certificate, which is trusted of the emulator as well.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// A server of this process that passes requests on; ends when dropped.
#[derive(Debug)]
pub struct Front {
    /// Its address.
    pub url: String,
    /// How many answers are still to be lost, of requests that write.
    pub to_lose: Arc<AtomicU32>,
    _tasks: JoinSet<()>,
}

/// What each request needs.
struct Way {
    upstream: String,
    client: reqwest::Client,
    to_lose: Arc<AtomicU32>,
}

impl Front {
    /// A front before an emulator; with `tls` both are spoken to over it. The process must have installed its TLS provider.
    pub async fn before(upstream: &str, tls: Option<Tls<'_>>) -> Self {
        let client = crate::rest::clients("front", tls.map(|tls| tls.certificate)).expect("a client").bytes;
        let to_lose = Arc::new(AtomicU32::new(0));
        let way = Arc::new(Way { upstream: upstream.to_owned(), client, to_lose: Arc::clone(&to_lose) });
        let acceptor = tls.map(acceptor);
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (way, acceptor) = (Arc::clone(&way), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => serve(socket, way).await,
                        Some(acceptor) => {
                            if let Ok(socket) = acceptor.accept(socket).await {
                                serve(socket, way).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, to_lose, _tasks: tasks }
    }
}

fn acceptor(tls: Tls<'_>) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(tls.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(tls.key.as_bytes()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate with its key")))
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, way: Arc<Way>) {
    let serve = service_fn(move |request| pass(request, Arc::clone(&way)));
    // Ends with an error where an answer is lost: that is its purpose.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), serve).await);
}

async fn pass(request: Request<Incoming>, way: Arc<Way>) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let lost = || std::io::Error::other("lost");
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| lost())?.to_bytes();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let writes = ["PUT", "PATCH", "POST", "DELETE"].contains(&parts.method.as_str());
    let sent = way.client.request(parts.method, format!("{}{path}", way.upstream));
    let sent = sent.headers(parts.headers).body(body).send().await.map_err(|_| lost())?;
    let (status, headers) = (sent.status(), sent.headers().clone());
    let answer = sent.bytes().await.map_err(|_| lost())?;
    let fewer = |left: u32| left.checked_sub(1);
    if writes && way.to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
        return Err(lost());
    }
    let mut response = Response::new(Full::new(answer));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    for hop in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        // The length of a HEAD's answer is not that of its body.
        if hop != CONTENT_LENGTH || response.headers().contains_key(TRANSFER_ENCODING) {
            response.headers_mut().remove(hop);
        }
    }
    Ok(response)
}
