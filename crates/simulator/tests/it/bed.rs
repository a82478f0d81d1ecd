//! A simulator to test with, and a bare HTTP client for its control.

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use marquee_simulator::{Options, Simulator, world::built_in};
use serde_json::Value;

/// A simulator with a world that is built in.
pub async fn simulator(world: &str) -> Simulator {
    Simulator::start(Options::new(built_in(world).unwrap())).await.unwrap()
}

/// A call of the control API: its status and what it answered.
pub async fn control(simulator: &Simulator, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    control_with(simulator, method, path, &[("content-type", "application/json")], text).await
}

/// The same with headers and a body of one's own.
pub async fn control_with(
    simulator: &Simulator,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (u16, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder().method(method).uri(format!("{}{path}", simulator.addresses().control));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Full::from(body)).unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}
