//! One connection: requests in, answers out, as late, as incomplete or as missing as faults demand.

use std::{
    convert::Infallible,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
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
    face::{Face, Reply, Request},
    world::World,
};

/// The largest request that is read; objects of storage are the largest there are.
const LARGEST: usize = 32 * 1024 * 1024;
/// The largest export of a world that is read.
const LARGEST_STATE: usize = 1024 * 1024 * 1024;

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
    let state = matches!(desk, Desk::Control) && parts.method == Method::PUT && control::is_state(&parts.uri);
    let largest = if state { LARGEST_STATE } else { LARGEST };
    let body = match Limited::new(body, largest).collect().await {
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
            Some(face) => guarded(face.as_ref(), &served.world, &request),
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

/// The answer of a face; where it panics, it is that the server is at fault, and the connection goes on.
fn guarded(face: &dyn Face, world: &World, request: &Request) -> Reply {
    catch_unwind(AssertUnwindSafe(|| face.answer(world, request))).unwrap_or_else(|_| {
        let face = face.name().as_str();
        tracing::error!(face, method = %request.method, path = request.path, "a request made the simulator panic");
        let said = "The simulator failed on this request; its log says where.";
        Reply::new(StatusCode::INTERNAL_SERVER_ERROR).with("text/plain; charset=utf-8", said)
    })
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

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use marquee_types::Clock;

    use super::*;
    use crate::{
        estate::Estate,
        face::FaceName,
        plan::{Account, Group},
        world::{GrowError, built_in},
    };

    /// A face that panics, with everything that exists in its hands.
    struct Broken;

    impl Face for Broken {
        fn name(&self) -> FaceName {
            FaceName::Google
        }

        fn answer(&self, world: &World, request: &Request) -> Reply {
            let _estate = world.write();
            panic!("{} is not to be had", request.path);
        }

        fn routes(&self) -> Vec<String> {
            Vec::new()
        }

        fn credentials(&self, _: &World, _: &Account, _: &str) -> serde_json::Value {
            serde_json::Value::Null
        }

        fn grow(&self, _: &World, _: &mut Estate, _: &Account, _: &Group) -> Result<(), GrowError> {
            Ok(())
        }
    }

    #[test]
    fn a_face_that_panics_answers_that_the_server_is_at_fault() {
        let clock = Clock::manual("2026-05-01T00:00:00Z".parse().unwrap());
        let now = clock.now();
        let world = World::grow(built_in("staging").unwrap(), &[], clock, now, 1.0).unwrap();
        let request = Request {
            method: Method::GET,
            path: "/x".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            origin: String::new(),
        };
        assert_eq!(guarded(&Broken, &world, &request).status, StatusCode::INTERNAL_SERVER_ERROR);
        // What exists is still to be had.
        assert_eq!(world.read().ever("none").count(), 0);
    }
}
