//! The way of a request: who is it, may they, how often, then the handler; and what is kept of it.
//!
//! The order is the contract: 401 before 403 before anything of the body is believed, and a refused change
//! leaves its audit entry in a transaction of its own.

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{body::Body, extract::ConnectInfo};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use metrics::{Counter, Histogram, counter, histogram};

use super::{
    actor::{Actor, RequestMeta},
    call::{Call, PublicCall, RawCall},
    decode::{self, OnConflict},
    endpoint::{Access, BODY_LIMIT, Endpoint, Handler, RateClass},
    idempotency,
    limits::Standing,
    problem, reply, trace,
};
use crate::{
    app::App,
    domains::{audit, identity},
    fault::Fault,
};

/// How long the body of a request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);

/// A row of the ledger, made ready to serve.
#[derive(Debug)]
pub struct Route {
    row: Endpoint,
    template: Vec<&'static str>,
    answered: [Counter; 4],
    seconds: Histogram,
}

impl Route {
    /// Registers the row's metrics, so that a request costs no look-up.
    pub fn new(row: Endpoint) -> Self {
        let answered = ["2xx", "3xx", "4xx", "5xx"]
            .map(|class| counter!("marquee_http_requests_total", "operation" => row.id, "status" => class));
        let seconds = histogram!("marquee_http_request_seconds", "operation" => row.id);
        Self { template: row.path.split('/').collect(), row, answered, seconds }
    }

    fn path_values(&self, path: &str) -> Vec<(&'static str, String)> {
        let parameters = self.template.iter().zip(path.split('/')).filter_map(|(template, actual)| {
            let name = template.strip_prefix('{')?.strip_suffix('}')?;
            let value = percent_encoding::percent_decode_str(actual).decode_utf8_lossy().into_owned();
            Some((name, value))
        });
        parameters.collect()
    }
}

/// What is learned on the way and told in the answer and the log.
#[derive(Default)]
struct Trail {
    actor: Option<Arc<Actor>>,
    standing: Option<Standing>,
}

/// Serves one request of `route`.
pub async fn dispatch(route: Arc<Route>, app: App, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let meta = RequestMeta {
        request_id: trace::request_id(&parts.headers),
        address: parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical()),
    };
    let parent = trace::trace_parent(&parts.headers);
    let path = parts.uri.path().to_owned();
    let mut trail = Trail::default();
    let served = AssertUnwindSafe(serve(&route, &app, &meta, parts, body, &mut trail)).catch_unwind().await;
    let result = served.unwrap_or_else(|_| Err(Fault::Internal(anyhow::anyhow!("the handler panicked"))));
    let mut response = result.unwrap_or_else(|fault| problem::response(&fault, &meta.request_id));
    let elapsed = started.elapsed();
    finish(&mut response, &route, &meta, &trail, elapsed);
    tracing::info!(
        target: "marquee::http",
        operation = route.row.id,
        method = %route.row.method,
        path,
        status = response.status().as_u16(),
        duration_ms = elapsed.as_secs_f64() * 1e3,
        request_id = meta.request_id,
        trace_id = parent.as_ref().map(|parent| parent.trace_id.as_str()),
        organization = trail.actor.as_ref().map(|actor| tracing::field::display(actor.organization)),
        actor = trail.actor.as_ref().map(|actor| tracing::field::display(actor.name())),
    );
    response
}

async fn serve(
    route: &Arc<Route>,
    app: &App,
    meta: &RequestMeta,
    parts: http::request::Parts,
    body: Body,
    trail: &mut Trail,
) -> Result<Response<Body>, Fault> {
    let row = &route.row;
    if matches!(row.access, Access::Public(_)) {
        trail.standing = Some(app.limits.check_address(row.rate, meta.address)?);
        let raw = RawCall { body: read(body).await?, uri: parts.uri, headers: parts.headers };
        return public(route, app, meta, raw).await;
    }
    let actor = authenticate(app, meta, &parts.headers).await?;
    trail.actor = Some(Arc::clone(&actor));
    trail.standing = Some(app.limits.check(row.rate, &actor)?);
    let path = route.path_values(parts.uri.path());
    let call = Call {
        app: app.clone(),
        actor,
        meta: meta.clone(),
        validate_only: false,
        on_conflict: OnConflict::Refuse,
        if_match: None,
        action: row.audit,
        idempotency: None,
        path,
    };
    if row.audit.is_none() {
        permit(row, &call.actor)?;
        let raw = RawCall { body: read(body).await?, uri: parts.uri, headers: parts.headers };
        return limited(row, run(row, call, raw)).await;
    }
    // A change goes on when its caller hangs up: half a change is nobody's wish.
    let (route, parts) = (Arc::clone(route), parts);
    let task = app.tasks.spawn(async move { change(&route.row, call, parts, body).await });
    task.await.unwrap_or_else(|error| Err(Fault::Internal(error.into())))
}

async fn public(
    route: &Arc<Route>,
    app: &App,
    meta: &RequestMeta,
    raw: RawCall,
) -> Result<Response<Body>, Fault> {
    let Handler::Public(handler) = &route.row.handler else {
        return Err(Fault::Internal(anyhow::anyhow!("{:?} is public without a public handler", route.row)));
    };
    let user_agent = raw.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent = user_agent.map(|text| text.chars().take(200).collect());
    let call = PublicCall { app: app.clone(), meta: meta.clone(), user_agent };
    Ok(with_status(&route.row, limited(&route.row, handler(call, raw)).await?))
}

/// A change: permission, conditions, idempotency, the handler; and an audit entry if it was refused.
async fn change(
    row: &Endpoint,
    mut call: Call,
    parts: http::request::Parts,
    body: Body,
) -> Result<Response<Body>, Fault> {
    let (app, actor, meta) = (call.app.clone(), Arc::clone(&call.actor), call.meta.clone());
    let target = call.param("id").map(str::to_owned);
    let attempt = async {
        permit(row, &call.actor)?;
        let raw = RawCall { body: read(body).await?, uri: parts.uri, headers: parts.headers };
        conditions(row, &mut call, &raw)?;
        let key = if row.idempotent && !call.validate_only { idempotency::key(&raw.headers)? } else { None };
        let Some(key) = key else { return limited(row, run(row, call, raw)).await };
        let context = call.actor.context(&call.meta);
        let path = raw.uri.path_and_query().map_or_else(|| raw.uri.path().to_owned(), ToString::to_string);
        match idempotency::reserve(&call.app, &context, &row.method, &path, key, &raw.body).await? {
            idempotency::Outcome::Replay(response) => Ok(response),
            idempotency::Outcome::Fresh(reservation) => {
                call.idempotency = Some(reservation.clone());
                let (app, request_id) = (call.app.clone(), call.meta.request_id.clone());
                let result = limited(row, run(row, call, raw)).await;
                let refused = result.as_ref().err().map(Fault::status);
                let response = result.unwrap_or_else(|fault| problem::response(&fault, &request_id));
                let response = reservation.settle(&app, &context, response).await?;
                if let Some(status) = refused {
                    tracing::debug!(%status, "the refusal is kept under its idempotency key");
                }
                Ok(response)
            }
        }
    };
    let result = attempt.await;
    let refusal = match &result {
        Err(fault) => Some((fault.status(), fault.code().0.to_owned())),
        Ok(response) => {
            response.extensions().get::<problem::Code>().map(|code| (response.status(), code.0.to_owned()))
        }
    };
    if let Some((status, code)) = refusal
        && let Some(action) = row.audit
    {
        audit::refused(&app, &actor, &meta, action, target.as_deref(), status, &code).await;
    }
    result
}

fn permit(row: &Endpoint, actor: &Actor) -> Result<(), Fault> {
    match row.access {
        Access::Needs(permission) => actor.require(permission),
        Access::AnyActor(_) | Access::Public(_) => Ok(()),
    }
}

fn conditions(row: &Endpoint, call: &mut Call, raw: &RawCall) -> Result<(), Fault> {
    let query = decode::query::<decode::WriteQuery>(raw)?;
    call.validate_only = query.validate_only;
    if query.on_conflict.is_some() && !row.waits {
        return Err(Fault::invalid("?on_conflict", "this route does not offer it"));
    }
    call.on_conflict = query.on_conflict.unwrap_or(OnConflict::Refuse);
    if call.validate_only && !row.validates {
        return Err(Fault::invalid("?validate_only", "this route does not offer it"));
    }
    if !row.conditional {
        return Ok(());
    }
    let Some(value) = raw.headers.get(header::IF_MATCH) else { return Ok(()) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(());
    }
    let version =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    // A tag we never gave cannot be the current one.
    call.if_match = Some(version.unwrap_or(-1));
    Ok(())
}

async fn run(row: &Endpoint, call: Call, raw: RawCall) -> Result<Response<Body>, Fault> {
    let Handler::Permitted(handler) = &row.handler else {
        return Err(Fault::Internal(anyhow::anyhow!("{row:?} needs an actor but has a public handler")));
    };
    Ok(with_status(row, handler(call, raw).await?))
}

fn with_status(row: &Endpoint, mut response: Response<Body>) -> Response<Body> {
    if response.extensions_mut().remove::<reply::RouteStatus>().is_some() {
        *response.status_mut() = row.success;
    }
    response
}

/// The row's time limit around the whole of the work.
async fn limited<F>(row: &Endpoint, work: F) -> Result<Response<Body>, Fault>
where
    F: Future<Output = Result<Response<Body>, Fault>>,
{
    match tokio::time::timeout(row.time_limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Fault::Unavailable {
            detail: format!("This took longer than {} seconds and was given up.", row.time_limit.as_secs()),
            retry_after: Duration::from_secs(5),
        }),
    }
}

async fn authenticate(app: &App, meta: &RequestMeta, headers: &HeaderMap) -> Result<Arc<Actor>, Fault> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        app.limits.check_address(RateClass::Read, meta.address)?;
        return Err(Fault::Unauthenticated(
            "Send `Authorization: Bearer` with a session token or an API key.",
        ));
    };
    let text = value.to_str().unwrap_or("");
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    let result = identity::authenticate(app, meta, token).await;
    if matches!(result, Err(Fault::Unauthenticated(_))) {
        app.limits.check_address(RateClass::Read, meta.address)?;
    }
    result
}

/// The whole body, within size and time.
async fn read(body: Body) -> Result<bytes::Bytes, Fault> {
    if http_body::Body::is_end_stream(&body) {
        return Ok(bytes::Bytes::new());
    }
    match tokio::time::timeout(BODY_TIME, Limited::new(body, BODY_LIMIT).collect()).await {
        Err(_) => Err(Fault::RequestTimeout),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(Fault::TooLarge(BODY_LIMIT))
        }
        Ok(Err(error)) => Err(Fault::Malformed(format!("The body could not be read: {error}."))),
    }
}

fn finish(
    response: &mut Response<Body>,
    route: &Route,
    meta: &RequestMeta,
    trail: &Trail,
    elapsed: Duration,
) {
    route.seconds.record(elapsed.as_secs_f64());
    let class = match response.status().as_u16() {
        ..300 => 0,
        300..400 => 1,
        400..500 => 2,
        _ => 3,
    };
    route.answered[class].increment(1);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&meta.request_id) {
        headers.insert("x-request-id", value);
    }
    if let Ok(value) = HeaderValue::from_str(&format!("app;dur={:.3}", elapsed.as_secs_f64() * 1e3)) {
        headers.insert("server-timing", value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(standing) = &trail.standing {
        standing.write(headers);
    }
}
