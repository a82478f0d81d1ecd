//! The router: the ledger's rows, the few paths beside it, and what unknown paths get.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::State,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, get, on},
};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use subtle::ConstantTimeEq;
use tower_http::{compression::CompressionLayer, cors::CorsLayer};

use super::{
    dispatch::{Route, dispatch},
    endpoint::Endpoint,
    health, problem, reader, trace,
};
use crate::{app::App, fault::Fault, routes};

/// Everything this server answers.
pub fn router(app: &App) -> Router {
    let mut by_path: BTreeMap<&'static str, MethodRouter<App>> = BTreeMap::new();
    for row in routes::all() {
        let path = row.path;
        let methods = by_path.remove(path).unwrap_or_default();
        by_path.insert(path, add(methods, row));
    }
    let mut router: Router<App> = Router::new();
    for (path, methods) in by_path {
        router = router.route(path, methods);
    }
    router = router
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics))
        .route("/api/openapi.json", get(reader::document))
        .route("/api/docs", get(reader::page))
        .route("/api/docs/", get(reader::page))
        .route("/api/docs/{*file}", get(reader::file))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), secure_headers));
    if !app.config.cors_origins.is_empty() {
        router = router.layer(cors(app));
    }
    router.layer(CompressionLayer::new().gzip(true)).with_state(app.clone())
}

fn add(methods: MethodRouter<App>, row: Endpoint) -> MethodRouter<App> {
    let filter = match row.method {
        Method::GET => MethodFilter::GET,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::POST,
    };
    let route = Arc::new(Route::new(row));
    let serve =
        move |State(app): State<App>, request: Request<Body>| dispatch(Arc::clone(&route), app, request);
    methods.merge(on(filter, serve))
}

fn cors(app: &App) -> CorsLayer {
    let origins: Vec<HeaderValue> =
        app.config.cors_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderName::from_static("x-request-id"),
            http::HeaderName::from_static("traceparent"),
        ])
        .expose_headers([header::ETAG, header::LOCATION, http::HeaderName::from_static("x-request-id")])
}

async fn secure_headers(State(app): State<App>, request: Request<Body>, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    if app.config.tls.is_some() {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Prometheus metrics, for the holder of the metrics token; without one configured they are only on their own
/// listener.
async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    let permitted = app.config.metrics_token.as_ref().is_some_and(|token| {
        use secrecy::ExposeSecret;
        let expected = format!("Bearer {}", token.expose_secret());
        bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
    });
    if permitted { app.metrics.render().into_response() } else { refuse(&headers, &Fault::NotFound("path")) }
}

async fn unknown_path(headers: HeaderMap) -> Response {
    refuse(&headers, &Fault::NotFound("path"))
}

async fn wrong_method(headers: HeaderMap) -> Response {
    refuse(&headers, &Fault::MethodNotAllowed)
}

fn refuse(headers: &HeaderMap, fault: &Fault) -> Response {
    let request_id = trace::request_id(headers);
    let mut response = problem::response(fault, &request_id);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
