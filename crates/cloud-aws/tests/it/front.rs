//! Endpoints that misbehave: a front before moto that answers some calls itself, and sockets that say what they are
//! told to.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

/// A call as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Of HTTP.
    pub method: String,
    /// As signed for.
    pub region: String,
    /// As signed for.
    pub service: String,
    /// Of a Query call; the path of others.
    pub action: String,
    /// The whole form of a Query call.
    pub form: String,
}

/// What becomes of it.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// moto answers.
    Pass,
    /// This is the answer.
    Answer(u16, String),
    /// The same with a header.
    AnswerWith(u16, (&'static str, &'static str), String),
    /// There is no answer.
    Hang,
    /// moto's answer, cut in half, as if that were all.
    Half,
    /// Half of moto's answer, and then the connection ends.
    Break,
}

use crate::bed;

type Body = BoxBody<Bytes, std::io::Error>;
type Decide = Arc<dyn Fn(&Seen) -> Verdict + Send + Sync>;

/// A server of this process; ends when dropped.
pub struct Front {
    pub url: String,
    _tasks: JoinSet<()>,
}

impl Front {
    /// A front before `upstream`.
    pub async fn before(upstream: &str, decide: impl Fn(&Seen) -> Verdict + Send + Sync + 'static) -> Self {
        bed::tls();
        let decide: Decide = Arc::new(decide);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let upstream = upstream.to_owned();
        let (listener, url) = listen().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (decide, client, upstream) = (Arc::clone(&decide), client.clone(), upstream.clone());
                connections.spawn(async move {
                    let serve = service_fn(move |request| {
                        answer(request, Arc::clone(&decide), client.clone(), upstream.clone())
                    });
                    // Broken on purpose, or by a client that has seen enough.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), serve)
                        .await;
                });
            }
        });
        Self { url, _tasks: tasks }
    }

    /// A socket that reads a request and writes these bytes, whatever was asked; without bytes it never answers.
    pub async fn saying(bytes: Option<&'static [u8]>) -> Self {
        let (listener, url) = listen().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut request = vec![0; 16 * 1024];
                    let _ = socket.read(&mut request).await;
                    match bytes {
                        Some(bytes) => {
                            let _ = socket.write_all(bytes).await;
                        }
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, _tasks: tasks }
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn answer(
    request: Request<Incoming>,
    decide: Decide,
    client: reqwest::Client,
    upstream: String,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = seen(&parts, &body);
    let verdict = decide(&seen);
    match verdict {
        Verdict::Answer(status, text) => return Ok(reply(status, None, text.into())),
        Verdict::AnswerWith(status, header, text) => return Ok(reply(status, Some(header), text.into())),
        Verdict::Hang => std::future::pending().await,
        Verdict::Pass | Verdict::Half | Verdict::Break => {}
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let sent = client
        .request(parts.method, format!("{upstream}{path}"))
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let status = sent.status();
    let mut response = Response::builder().status(status);
    for name in ["content-type", "x-amzn-requestid"] {
        if let Some(value) = sent.headers().get(name) {
            response = response.header(name, value);
        }
    }
    let text = sent.bytes().await.unwrap();
    let half = text.slice(..text.len() / 2);
    let body = match verdict {
        Verdict::Half => whole(half),
        Verdict::Break => {
            let parts = [Ok(Frame::data(half)), Err(std::io::Error::other("cut"))];
            StreamBody::new(stream::iter(parts)).boxed()
        }
        _ => whole(text),
    };
    Ok(response.body(body).unwrap())
}

fn reply(status: u16, header: Option<(&'static str, &'static str)>, text: Bytes) -> Response<Body> {
    let mut response = Response::builder().status(status);
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    response.body(whole(text)).unwrap()
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn seen(parts: &hyper::http::request::Parts, body: &[u8]) -> Seen {
    let authorization =
        parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut scope = authorization.split("Credential=").nth(1).unwrap_or_default().split('/').skip(2);
    let form = String::from_utf8_lossy(body).into_owned();
    let action = form.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
    Seen {
        method: parts.method.to_string(),
        region: scope.next().unwrap_or_default().to_owned(),
        service: scope.next().unwrap_or_default().to_owned(),
        action: action.map_or_else(|| parts.uri.path().to_owned(), str::to_owned),
        form,
    }
}
