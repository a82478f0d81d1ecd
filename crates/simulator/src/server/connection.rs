//! One connection: requests in, answers out, as late, as incomplete or as missing as faults demand.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::{Request as HyperRequest, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Desk, Served};
use crate::{
    control,
    face::{Reply, Request},
};

/// The largest request that is read; objects of storage are the largest there are.
const LARGEST: usize = 32 * 1024 * 1024;

/// How long a client may take to say hello, in TLS and in headers.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer = Response<BoxBody<Bytes, io::Error>>;

/// Accepts connections until the simulator stops.
pub async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    desk: Desk,
    served: Arc<Served>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, most likely: those that are there are served on, and one of them ends.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (tls, served, stop) = (tls.clone(), served.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = open(stream, tls, desk, served) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn open(stream: TcpStream, tls: Option<TlsAcceptor>, desk: Desk, served: Arc<Served>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection ended before it began");
        return;
    }
    match tls {
        None => serve(stream, desk, served).await,
        Some(acceptor) => match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve(stream, desk, served).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS came of a connection"),
            Err(_) => tracing::debug!("a client did not finish its TLS handshake"),
        },
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    desk: Desk,
    served: Arc<Served>,
) {
    let service = service_fn(move |request| {
        let served = served.clone();
        async move { answer(request, desk, &served).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(request: HyperRequest<Incoming>, desk: Desk, served: &Served) -> Result<Answer, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::debug!(%error, "a request's body could not be read");
            return Ok(finish(Reply::new(StatusCode::PAYLOAD_TOO_LARGE)));
        }
    };
    let base = match desk {
        Desk::Control => &served.addresses.control,
        Desk::Face(face) => served.addresses.of(face),
    };
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        origin: origin(base, parts.headers.get(header::HOST)),
        headers: parts.headers,
        body,
    };
    let reply = match desk {
        Desk::Control => control::answer(served, &request),
        Desk::Face(name) => match served.faces.iter().find(|face| face.name() == name) {
            Some(face) => face.answer(&served.world, &request),
            None => Reply::new(StatusCode::NOT_IMPLEMENTED),
        },
    };
    if !reply.operation.is_empty() {
        served.world.calls.note(&reply.operation, request.header("user-agent"), reply.status.as_u16());
    }
    if reply.hangs {
        std::future::pending::<()>().await;
    }
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    Ok(finish(reply))
}

/// The scheme we speak with the name the client used.
fn origin(base: &str, host: Option<&HeaderValue>) -> String {
    let scheme = base.split("://").next().unwrap_or("http");
    match host.and_then(|host| host.to_str().ok()) {
        Some(host) => format!("{scheme}://{host}"),
        None => base.to_owned(),
    }
}

fn finish(reply: Reply) -> Answer {
    let cut = reply.cut;
    let length = reply.body.len();
    let body =
        if cut { half(&reply.body) } else { Full::new(reply.body).map_err(|never| match never {}).boxed() };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if cut {
        // The whole length is promised, so that what comes is seen to be half of it.
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length.max(1)));
    }
    response
}

/// Half a body, and then the end of the connection.
fn half(body: &Bytes) -> BoxBody<Bytes, io::Error> {
    let half = body.slice(..body.len() / 2);
    let broken =
        io::Error::new(io::ErrorKind::ConnectionReset, "the connection is cut, as the fault demands");
    let frames = [Ok(Frame::data(half)), Err(broken)];
    StreamBody::new(futures::stream::iter(frames)).boxed()
}
