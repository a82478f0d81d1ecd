//! `/healthz` (the process answers) and `/readyz` (it can do its work: database, migrations, workers).

use std::time::{Duration, Instant};

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde_json::json;

use crate::app::App;

/// What the database answered lately: anybody may ask how the server is, so asking must cost nothing.
#[derive(Debug, Default)]
pub struct Readiness(tokio::sync::Mutex<Option<(Instant, Checks)>>);

/// Database and migrations: fine, or why not, in words that tell nothing of the installation.
type Checks = (Result<(), String>, Result<(), String>);

/// How long an answer is given again.
const FRESH: Duration = Duration::from_secs(1);

impl Readiness {
    async fn checks(&self, app: &App) -> Checks {
        let mut last = self.0.lock().await;
        if let Some((at, checks)) = &*last
            && at.elapsed() < FRESH
        {
            return checks.clone();
        }
        let database = app.db.ping().await.map_err(|error| {
            tracing::warn!(%error, "not ready: the database");
            "away".to_owned()
        });
        let migrations = match &database {
            Ok(()) => app.pending_migrations().await,
            Err(_) => Err("unknown".to_owned()),
        };
        *last = Some((Instant::now(), (database.clone(), migrations.clone())));
        (database, migrations)
    }
}

/// The process answers. Says nothing of what it stands on: restarting would not mend that.
pub async fn healthz() -> impl IntoResponse {
    Json(json!({ "status": "ok" }))
}

/// 200 when requests can be served, 503 with what is missing otherwise.
pub async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let (database, migrations) = app.readiness.checks(&app).await;
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
