//! `Idempotency-Key`: a repeated POST answers what the first one answered, and does nothing.
//!
//! A key is reserved in a transaction of its own before the handler runs; the handler's own transaction marks
//! it committed together with the change, so that even a crash between change and answer cannot lead to a
//! second one; the answer is kept for 24 hours. Keys belong to organization, principal, method and path. Answers
//! of 429 and of the 5xx are not kept, and an answer that showed a secret is kept without it.
//!
//! Only the change waits for the disk. A crash of PostgreSQL may take a reservation whose change was not made yet
//! (then that change is refused if a repetition was faster), or an answer (then `committed` says that it is
//! lost), and never the mark of a change that was made.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use marquee_db::{Org, OrgContext, Row, Tx};
use serde_json::Value;
use sha2::Sha256;

use super::reply::SecretField;
use crate::{app::App, fault::Fault};

const RESERVE: &str = "
    INSERT INTO idempotency_keys AS k
           (organization_id, principal, method, path, key, fingerprint, state, locked_until, created_at, expires_at)
    VALUES (current_organization(), $1, $2, $3, $4, $5, 'in_flight', $6, $7, $8)
    ON CONFLICT (organization_id, principal, method, path, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, state = 'in_flight', status = NULL, response = NULL,
           locked_until = excluded.locked_until, created_at = excluded.created_at, expires_at = excluded.expires_at
     WHERE k.expires_at <= excluded.created_at
        OR (k.state = 'in_flight' AND k.locked_until <= excluded.created_at)
    RETURNING true";

const FIND: &str = "
    SELECT fingerprint, state, status, response, locked_until
      FROM idempotency_keys
     WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4";

const MARK_COMMITTED: &str =
    "SELECT hold_idempotency_key($1::text, $2::text, $3::text, $4::text, $5::timestamptz)";

const KEEP: &str = "
    UPDATE idempotency_keys SET state = 'done', status = $5, response = $6
     WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4";

const FORGET: &str = "
    DELETE FROM idempotency_keys
     WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4 AND state = 'in_flight'";

/// What the table takes.
const LONGEST_PATH: usize = 1000;
/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// How long a request may be under way before its key may be taken over; beyond every route's time limit.
const LOCKED: TimeDelta = TimeDelta::minutes(3);
/// How long after its change an answer may be on its way to be kept before it counts as lost.
const ANSWERED: TimeDelta = TimeDelta::seconds(5);
/// The headers of an answer that are kept with it.
const KEPT_HEADERS: [HeaderName; 2] = [header::ETAG, header::LOCATION];

type Values = Vec<Box<dyn marquee_db::ToSql + Sync + Send>>;

/// A key that this request holds.
#[derive(Debug, Clone)]
pub struct Reservation {
    principal: String,
    method: String,
    path: String,
    key: String,
}

/// What the key leads to.
#[derive(Debug)]
pub enum Outcome {
    /// The request is to be done, under this reservation.
    Fresh(Reservation),
    /// It was done before; this was the answer.
    Replay(Response<Body>),
}

/// The key of a request, if it sent one: 1 to 255 visible ASCII characters.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().unwrap_or("");
    if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Some(text.to_owned()));
    }
    Err(Fault::Malformed("`Idempotency-Key` is 1 to 255 visible ASCII characters.".into()))
}

/// Reserves `key` for this request, or finds what was answered under it.
pub async fn reserve(
    app: &App,
    context: &OrgContext,
    method: &Method,
    path_and_query: &str,
    key: String,
    body: &Bytes,
) -> Result<Outcome, Fault> {
    if path_and_query.len() > LONGEST_PATH {
        return Err(Fault::Malformed(format!(
            "With an `Idempotency-Key`, the path has at most {LONGEST_PATH} characters."
        )));
    }
    let reservation = Reservation {
        principal: context.actor.clone(),
        method: method.as_str().to_owned(),
        path: path_and_query.to_owned(),
        key,
    };
    let fingerprint = fingerprint(app, body)?;
    let now = app.clock.now();
    let mut tx = app.db.org(context)?;
    tx.commit_unwaited();
    let mut values = reservation.values();
    values.push(Box::new(fingerprint.clone()));
    values.push(Box::new(now + LOCKED));
    values.push(Box::new(now));
    values.push(Box::new(now + KEPT));
    if !tx.commit_with(RESERVE, values).await?.is_empty() {
        return Ok(Outcome::Fresh(reservation));
    }
    let found = app.db.org(context)?.look_up(FIND, &reservation.params()).await?;
    match found.first() {
        Some(row) => replay(row, &fingerprint, now).map(Outcome::Replay),
        // Released between the two statements: the caller's repetition will find it free.
        None => Err(in_use()),
    }
}

impl Reservation {
    /// Marks the key as used, in the transaction that makes the change.
    pub fn mark_committed(&self, tx: &mut Tx<Org>) {
        let mut values = self.values();
        values.push(Box::new(tx.clock().now() + ANSWERED));
        tx.before_commit(MARK_COMMITTED, values);
    }

    /// Keeps the answer, or gives the key back if the answer is not one to keep. What is done is done, and is answered,
    /// even if its answer cannot be kept: a repetition is then told so, or waits until the reservation ends.
    pub async fn settle(
        &self,
        app: &App,
        context: &OrgContext,
        response: Response<Body>,
    ) -> Result<Response<Body>, Fault> {
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            self.write(app, context, FORGET, self.values()).await;
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(|e| Fault::Internal(e.into()))?;
        let mut values = self.values();
        values.push(Box::new(i32::from(status.as_u16())));
        values.push(Box::new(kept_answer(&parts, &bytes)));
        self.write(app, context, KEEP, values).await;
        Ok(Response::from_parts(parts, Body::from(bytes)))
    }

    async fn write(&self, app: &App, context: &OrgContext, sql: &'static str, values: Values) {
        let written = async {
            let mut tx = app.db.org(context)?;
            tx.commit_unwaited();
            tx.commit_with(sql, values).await
        };
        if let Err(error) = written.await {
            tracing::error!(%error, request_id = context.request_id, "the answer under an idempotency key could not be kept");
        }
    }

    fn values(&self) -> Values {
        let Self { principal, method, path, key } = self.clone();
        vec![Box::new(principal), Box::new(method), Box::new(path), Box::new(key)]
    }

    fn params(&self) -> [&(dyn marquee_db::ToSql + Sync); 4] {
        [&self.principal, &self.method, &self.path, &self.key]
    }
}

fn kept_answer(parts: &http::response::Parts, bytes: &Bytes) -> Value {
    let mut body: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    if let (Some(SecretField(field)), Value::Object(fields)) =
        (parts.extensions.get::<SecretField>(), &mut body)
    {
        fields.remove(*field);
    }
    let headers: serde_json::Map<String, Value> = KEPT_HEADERS
        .iter()
        .filter_map(|name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), Value::from(value)))
        })
        .collect();
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    serde_json::json!({ "body": body, "headers": headers, "media_type": media_type })
}

fn replay(row: &Row, fingerprint: &[u8], now: DateTime<Utc>) -> Result<Response<Body>, Fault> {
    if row.get::<_, &[u8]>("fingerprint") != fingerprint {
        return Err(Fault::conflict(
            "idempotency_key_reused",
            "This `Idempotency-Key` was used with another body. Use a new key for another request.",
        ));
    }
    match row.get::<_, &str>("state") {
        "done" => {}
        // Its change is made, and its answer is on the way here.
        "committed" if row.get::<_, DateTime<Utc>>("locked_until") > now => return Err(in_use()),
        "committed" => {
            return Err(Fault::conflict(
                "idempotency_answer_lost",
                "The first request with this key took effect, but its answer was lost. Read the result instead.",
            ));
        }
        _ => return Err(in_use()),
    }
    let kept: Value = row.get("response");
    let status = u16::try_from(row.get::<_, i32>("status"))
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| Fault::Internal(anyhow::anyhow!("a kept answer without a status")))?;
    let body = if kept["body"].is_null() { Vec::new() } else { kept["body"].to_string().into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for name in KEPT_HEADERS {
        if let Some(value) =
            kept["headers"][name.as_str()].as_str().and_then(|v| HeaderValue::from_str(v).ok())
        {
            headers.insert(name, value);
        }
    }
    if let Some(value) = kept["media_type"].as_str().and_then(|v| HeaderValue::from_str(v).ok()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

fn in_use() -> Fault {
    Fault::Busy {
        code: "idempotency_key_in_use",
        detail: "A request with this `Idempotency-Key` is still under way.".to_owned(),
        retry_after: Duration::from_secs(1),
    }
}

/// An HMAC, not a hash: bodies carry credentials, and a plain hash of one could be guessed at.
fn fingerprint(app: &App, body: &Bytes) -> Result<Vec<u8>, Fault> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app.vault.fingerprint_key())
        .map_err(|error| Fault::Internal(anyhow::anyhow!("the fingerprint key: {error}")))?;
    mac.update(body);
    Ok(mac.finalize().into_bytes().to_vec())
}
