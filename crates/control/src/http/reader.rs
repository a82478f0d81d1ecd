//! The API's description: `/api/openapi.json`, and a reader for people at `/api/docs` that needs no other host.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use super::{problem, trace};
use crate::{fault::Fault, routes};

static DOCUMENT: LazyLock<Result<String, String>> = LazyLock::new(|| {
    routes::openapi().map(|document| document.to_string()).map_err(|error| error.to_string())
});

/// Swagger UI sets styles from its scripts; scripts come from this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The document, as committed.
pub async fn document() -> Response {
    match &*DOCUMENT {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response(),
        Err(error) => fault(&Fault::Internal(anyhow::anyhow!("the OpenAPI document: {error}"))),
    }
}

/// The reader's page.
pub async fn page() -> Response {
    serve("index.html")
}

/// One of the reader's files.
pub async fn file(Path(file): Path<String>) -> Response {
    serve(&file)
}

fn serve(file: &str) -> Response {
    static CONFIG: LazyLock<Arc<utoipa_swagger_ui::Config<'static>>> =
        LazyLock::new(|| Arc::new(utoipa_swagger_ui::Config::from("/api/openapi.json")));
    let found = utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG));
    match found {
        Ok(Some(file)) => {
            // The page is served at `/api/docs` too: its files are named relative to `/api/docs/`.
            let bytes = match std::str::from_utf8(&file.bytes) {
                Ok(text) if file.content_type.starts_with("text/html") => {
                    text.replace("\"./", "\"/api/docs/").into_bytes()
                }
                _ => file.bytes.into_owned(),
            };
            let mut response = ([(header::CONTENT_TYPE, file.content_type)], bytes).into_response();
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            response
        }
        Ok(None) => fault(&Fault::NotFound("path")),
        Err(error) => fault(&Fault::Internal(anyhow::anyhow!("the API reader: {error}"))),
    }
}

fn fault(fault: &Fault) -> Response {
    problem::response(fault, &trace::request_id(&http::HeaderMap::new()))
}
