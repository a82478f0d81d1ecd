//! A front before moto that answers some calls itself: a cloud in trouble.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

/// A call as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As signed for.
    pub region: String,
    /// As signed for.
    pub service: String,
    /// Of a Query call; empty for others.
    pub action: String,
}

/// Status and body of an answer, or none: then moto answers.
pub type Verdict = Option<(u16, String)>;

type Decide = Arc<dyn Fn(Asked) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// A server of this process; ends when dropped.
pub struct Front {
    pub url: String,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Before {
    upstream: String,
    client: reqwest::Client,
    decide: Decide,
}

impl Front {
    /// A front before `upstream`. `decide` may take its time: the call waits.
    pub async fn before(
        upstream: &str,
        decide: impl Fn(Asked) -> BoxFuture<'static, Verdict> + Send + Sync + 'static,
    ) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let before = Before { upstream: upstream.to_owned(), client, decide: Arc::new(decide) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(before);
        #[expect(clippy::disallowed_methods, reason = "the drop of the front ends it")]
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, task }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(before): State<Before>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    let signed = parts.headers.get("authorization").map(|value| value.to_str().unwrap()).unwrap_or_default();
    let mut scope = signed.split("Credential=").nth(1).unwrap_or_default().split('/').skip(2);
    let form = String::from_utf8_lossy(&body);
    let asked = Asked {
        region: scope.next().unwrap_or_default().to_owned(),
        service: scope.next().unwrap_or_default().to_owned(),
        action: form
            .strip_prefix("Action=")
            .and_then(|rest| rest.split('&').next())
            .unwrap_or_default()
            .to_owned(),
    };
    if let Some((status, text)) = (before.decide)(asked).await {
        return Response::builder().status(status).body(Body::from(text)).unwrap();
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    // With the headers as they were signed, the host among them.
    let sent = before
        .client
        .request(parts.method, format!("{}{path}", before.upstream))
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let mut response = Response::builder().status(sent.status());
    for name in ["content-type", "x-amzn-requestid"] {
        if let Some(value) = sent.headers().get(name) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(sent.bytes().await.unwrap())).unwrap()
}
