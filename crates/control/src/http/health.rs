//! `/healthz` (the process answers) and `/readyz` (it can do its work: database, migrations, workers).

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde_json::json;

use crate::app::App;

/// The process answers. Says nothing of what it stands on: restarting would not mend that.
pub async fn healthz() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// 200 when requests can be served, 503 with what is missing otherwise.
pub async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let database = app.db.ping().await.map_err(|error| error.to_string());
    let migrations = match &database {
        Ok(()) => app.pending_migrations().await,
        Err(_) => Err("the database is away".to_owned()),
    };
    let workers = app.workers_health();
    let ready = database.is_ok() && migrations.is_ok() && workers.is_ok();
    let word = |result: &Result<(), String>| match result {
        Ok(()) => "ok".to_owned(),
        Err(reason) => reason.clone(),
    };
    let body = json!({
        "status": if ready { "ready" } else { "not_ready" },
        "checks": { "database": word(&database), "migrations": word(&migrations), "workers": word(&workers) }
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body))
}
