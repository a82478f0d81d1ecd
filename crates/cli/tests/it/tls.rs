//! Certificates: trusted, not trusted, none.

use axum::{Json, Router, routing::get};
use axum_server::tls_rustls::RustlsConfig;
use marquee_cli::Exit;
use serde_json::json;

use crate::support::{Machine, Server};

/// A certificate for 127.0.0.1 that is its own authority, and its key: made for this test, used nowhere else.
const CERTIFICATE: &str = include_str!("../fixtures/loopback.crt");
const KEY: &str = include_str!("../fixtures/loopback.key");

/// Serves until the test's runtime ends.
async fn tls_server() -> (String, tokio::task::JoinSet<()>) {
    // Whoever is first installs it; all are the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let config = RustlsConfig::from_pem(CERTIFICATE.into(), KEY.into()).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(get(|| async { Json(json!({"id": "prv_1"})) }));
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move {
        axum_server::from_tcp_rustls(listener, config)
            .unwrap()
            .serve(router.into_make_service())
            .await
            .unwrap();
    });
    (url, task)
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_refused_until_it_is_named() {
    let (url, _task) = tls_server().await;
    let mut machine = Machine::new(&url);
    let outcome = machine.run(&["providers", "show", "prv_1"]).await.expect(Exit::Unavailable);
    assert!(
        outcome.stderr.contains(&format!("the certificate of {url}/ is not trusted")),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("--ca-certificate FILE"), "{}", outcome.stderr);

    let file = machine.file("own.crt", CERTIFICATE);
    let arguments = ["providers", "show", "prv_1", "--ca-certificate", &file];
    machine.run(&arguments).await.expect(Exit::Ok);
    machine.set("MARQUEE_CA_CERTIFICATE", &file);
    machine.run(&["providers", "show", "prv_1"]).await.expect(Exit::Ok);
}

#[tokio::test]
async fn a_file_without_a_certificate_is_named() {
    let mut machine = Machine::new("https://127.0.0.1:1");
    let file = machine.file("empty.crt", "nothing\n");
    let outcome = machine.run(&["providers", "list", "--ca-certificate", &file]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("holds no certificate in PEM form"), "{}", outcome.stderr);
    let outcome =
        machine.run(&["providers", "list", "--ca-certificate", "/nowhere"]).await.expect(Exit::Usage);
    assert!(outcome.stderr.contains("/nowhere"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    let server = Server::new([]).await;
    let url = server.url.replace("http:", "https:");
    let outcome = Machine::new(&url).run(&["providers", "list"]).await.expect(Exit::Unavailable);
    assert!(outcome.stderr.contains(&format!("{url}/ does not speak TLS")), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&format!("try --url {}/", server.url)), "{}", outcome.stderr);
}
