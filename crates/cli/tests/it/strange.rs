//! What answers is not always Marquee, and sometimes nothing answers.

use std::io::{Read, Write};

use marquee_cli::Exit;
use serde_json::json;

use crate::support::{Machine, Reply, Server};

/// A port on which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Takes one connection after the other, reads the head of a request and answers these bytes.
fn raw_server(answers: Vec<&'static [u8]>) -> (String, std::thread::JoinHandle<usize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = std::thread::spawn(move || {
        let mut served = 0;
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).unwrap() > 0);
            stream.write_all(answer).unwrap();
            served += 1;
        }
        served
    });
    (url, task)
}

#[tokio::test]
async fn nobody_listens() {
    let url = closed_port();
    let outcome = Machine::new(&url).run(&["providers", "list"]).await.expect(Exit::Unavailable);
    let head = format!("error: no server answers at {url}/: ");
    assert!(outcome.stderr.starts_with(&head), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("start one with `make run` or `marquee serve`"), "{}", outcome.stderr);
}

#[tokio::test]
async fn a_web_page_instead_of_an_answer() {
    let page = "<html><head><title> Sign in – Proxy </title></head></html>";
    let server = Server::new([Reply::new(200, "text/html; charset=utf-8", page)]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Failure);
    assert_eq!(
        outcome.stderr,
        format!(
            "error: {}/ answered with a web page (“Sign in – Proxy”) instead of Marquee's own answer\n  hint: is the \
             address right (--url, MARQUEE_URL)? A proxy may stand in between\n",
            server.url
        )
    );
}

#[tokio::test]
async fn a_proxy_that_does_not_reach_the_server() {
    let server = Server::new([Reply::new(502, "text/html", "<title>502 Bad Gateway</title>")]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Unavailable);
    assert!(outcome.stderr.contains("a proxy in between does not reach the server"), "{}", outcome.stderr);
}

#[tokio::test]
async fn another_server_altogether() {
    let server = Server::new([Reply::new(404, "application/json", "{\"detail\": \"Not Found\"}")]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Failure);
    assert!(
        outcome.stderr.contains("answered 404 Not Found with application/json instead"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let moved = Reply::new(308, "text/plain", "")
        .header("location", "https://marquee.example.com/api/cloud/providers");
    let server = Server::new([moved]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Failure);
    assert!(outcome.stderr.contains("redirects to https://marquee.example.com/"), "{}", outcome.stderr);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn broken_json_and_bytes_that_are_no_text() {
    let broken = Reply::new(200, "application/json", "{\"items\": [");
    let bytes = Reply::new(200, "application/octet-stream", vec![0xff, 0xfe, 0x00]);
    let bad_text = Reply::new(200, "application/json", b"{\"id\": \"\xff\"}".to_vec());
    let server = Server::new([broken, bytes, bad_text]).await;
    let mut machine = Machine::new(&server.url);
    let outcome = machine.run(&["providers", "list"]).await.expect(Exit::Failure);
    assert!(outcome.stderr.contains("JSON that cannot be read"), "{}", outcome.stderr);
    let outcome = machine.run(&["providers", "show", "prv_x"]).await.expect(Exit::Failure);
    assert!(outcome.stderr.contains("3 bytes of application/octet-stream"), "{}", outcome.stderr);
    let outcome = machine.run(&["providers", "show", "prv_x"]).await.expect(Exit::Failure);
    assert!(outcome.stderr.contains("JSON that cannot be read"), "{}", outcome.stderr);
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut() {
    let server = Server::new([Reply::new(200, "application/json", vec![b' '; 65 * 1024 * 1024])]).await;
    let outcome = Machine::new(&server.url).run(&["providers", "list"]).await.expect(Exit::Failure);
    assert!(outcome.stderr.contains("an answer of more than 64 MiB"), "{}", outcome.stderr);
}

#[tokio::test]
async fn plain_text_is_shown_as_it_is() {
    let server = Server::new([Reply::new(200, "text/plain; version=0.0.4", "up 1\n")]).await;
    let outcome = Machine::new(&server.url).run(&["server", "metrics"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout, "up 1\n");
}

#[tokio::test]
async fn a_read_whose_connection_breaks_is_sent_again() {
    let whole =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"id\":\"p_1\"}";
    let half = &whole[..whole.len() - 4];
    let (url, task) = raw_server(vec![half, whole]);
    let outcome = Machine::new(&url).run(&["providers", "show", "prv_p_1"]).await.expect(Exit::Ok);
    assert_eq!(outcome.stdout, "id  p_1\n");
    assert!(outcome.stderr.contains("trying again"), "{}", outcome.stderr);
    assert_eq!(task.join().unwrap(), 2);
}

#[tokio::test]
async fn a_change_whose_connection_breaks_is_not_sent_again_without_a_key() {
    let (url, task) = raw_server(vec![b""]);
    let outcome = Machine::new(&url).run(&["operations", "cancel", "op_1"]).await.expect(Exit::Unavailable);
    assert!(
        outcome.stderr.contains("whether the request was carried out is not known"),
        "{}",
        outcome.stderr
    );
    assert_eq!(task.join().unwrap(), 1);
}

#[tokio::test]
async fn a_change_with_a_key_is_sent_again() {
    let answer =
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{\"id\":\"k_1\"}";
    let (url, task) = raw_server(vec![b"", answer]);
    let arguments = ["api-keys", "create", "--name", "ci", "--scopes", "x"];
    Machine::new(&url).run(&arguments).await.expect(Exit::Ok);
    assert_eq!(task.join().unwrap(), 2);
}

#[tokio::test]
async fn an_answer_of_another_shape_is_shown_all_the_same() {
    let odd = json!([{"a": 1}, "text", null, {"a": {"b": [1, {"c": 2}]}}]);
    let server = Server::new([Reply::json(&odd), Reply::json(&json!("word")), Reply::json(&json!({}))]).await;
    let mut machine = Machine::new(&server.url);
    for _ in 0..3 {
        machine.run(&["providers", "show", "prv_x"]).await.expect(Exit::Ok);
    }
}
