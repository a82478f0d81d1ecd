//! A server that answers everything with the same body, whatever that is: what no cloud says must not be taken for an
//! empty listing.

#![expect(clippy::expect_used, clippy::panic, reason = "part of a test: it fails by panicking")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::Collected;
use crate::{Cloud, ErrorKind};

/// Bodies of a successful answer that are no listing of any cloud's, but nearly: lists as every vendor calls them, with
/// something else in their place.
pub const BODIES: &[&str] = &[
    "",
    "null",
    "7",
    "\"a proxy's page\"",
    "<html>a proxy's page</html>",
    "[]",
    "{}",
    "{\"error\":null}",
    "{\"kind\":\"k\",\"items\":7,\"value\":7,\"managedZones\":7,\"meta\":{\"pagination\":{\"next_page\":null}},\"servers\":7}",
    "{\"kind\":\"k\",\"items\":\"no\",\"value\":\"no\",\"managedZones\":\"no\",\"meta\":{\"pagination\":{}},\"servers\":[]}",
    "{\"kind\":7,\"items\":[],\"value\":{},\"meta\":{\"pagination\":{\"next_page\":\"2\"}},\"servers\":[]}",
    "{\"kind\":[],\"items\":{\"zones/a\":7},\"value\":{\"a\":7},\"meta\":{\"pagination\":{\"next_page\":1}},\"servers\":[]}",
    "{\"kind\":{},\"items\":{},\"value\":false,\"meta\":[],\"servers\":[]}",
];

/// The server; ends when dropped.
#[derive(Debug)]
pub struct Odd {
    /// Its address.
    pub url: String,
    _tasks: JoinSet<()>,
}

impl Odd {
    /// Starts one that answers so.
    pub async fn answering(status: u16, body: &str) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answer =
            Arc::new((StatusCode::from_u16(status).expect("a status"), Bytes::from(body.to_owned())));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                connections.spawn(async move {
                    let service = service_fn(move |_| {
                        let mut response = Response::new(Full::new(answer.1.clone()));
                        *response.status_mut() = answer.0;
                        async move { Ok::<_, Infallible>(response) }
                    });
                    // A client that is gone has nothing to hear.
                    drop(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(socket), service)
                            .await,
                    );
                });
            }
        });
        Self { url, _tasks: tasks }
    }
}

/// Lists every scope of a cloud that only answers oddly: none may be complete, and each says that the answer was not the
/// vendor's.
pub async fn nothing_is_taken_for_a_listing(cloud: &dyn Cloud, body: &str) {
    let inventory = cloud.inventory().expect("an inventory");
    let scopes = inventory.scopes(&[]).await.unwrap_or_else(|error| panic!("{body}: {error}"));
    assert!(!scopes.is_empty());
    for scope in scopes {
        let mut collected = Collected::default();
        match inventory.list(&scope, &mut collected).await {
            Ok(()) => {
                panic!("{}: {body} was taken for {} resources", scope.service, collected.resources.len())
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::Protocol, "{}: {body}: {error}", scope.service),
        }
    }
}
