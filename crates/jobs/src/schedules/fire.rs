//! The transaction that fires what is due: some schedules, their jobs, and their next occurrences.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_db::{DbError, Row, System, Tx};
use marquee_types::{JobId, ScheduleId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Missed, OCCASION, Occasion, Timetable,
    firing::{Due, Firing},
    store::delay,
};
use crate::{
    backoff::Backoff,
    queue::QUEUE_CHANNEL,
    workers::{Inner, Stop},
};

/// How many schedules one transaction fires.
const BATCH: i64 = 100;
/// A schedule that fired further ahead of the clock than this was fired by a clock that has been put back since. Less is
/// how far the clocks of two machines may be apart.
const APART: TimeDelta = TimeDelta::minutes(5);

/// Fires what is due, until the shutdown.
pub(crate) async fn fire_all(inner: &Arc<Inner>, stop: &Stop) {
    let mut failures = 0;
    while !stop.draining.is_cancelled() {
        let wait = match fire_some(inner).await {
            Ok(BATCH..) => continue,
            Ok(_) => {
                failures = 0;
                inner.jitter.around(inner.limits.poll, 0.25)
            }
            Err(error) => {
                failures += 1;
                if !error.is_unavailable() {
                    tracing::error!(%error, "schedules could not be fired");
                }
                Backoff::default().delay(failures, &inner.jitter)
            }
        };
        tokio::select! {
            () = stop.draining.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

const DUE: &str = "
SELECT organization_id, id, name, job_kind, payload, dedup_key, priority, max_attempts, timetable, jitter_seconds, missed,
       catch_up_seconds, next_at
FROM schedules WHERE fire_at <= $1 ORDER BY fire_at LIMIT $2 FOR UPDATE SKIP LOCKED";

const AHEAD: &str = "
SELECT organization_id, id, timetable, jitter_seconds
FROM schedules WHERE last_at > $1 AND fire_at IS NOT NULL LIMIT $2 FOR UPDATE SKIP LOCKED";

/// Fires at most [`BATCH`] schedules; how many.
async fn fire_some(inner: &Inner) -> Result<i64, DbError> {
    let (now, ahead) = (inner.clock.now(), inner.clock.now() + APART);
    let mut tx = inner.db.system("jobs: fire schedules");
    let mut batch = tx.batch();
    batch.add(AHEAD, &[&ahead, &BATCH]);
    batch.add(DUE, &[&now, &BATCH]);
    let mut replies = batch.rows().await?;
    let due = replies.pop().unwrap_or_default();
    let ahead = replies.pop().unwrap_or_default();
    if due.is_empty() && ahead.is_empty() {
        tx.commit().await?;
        return Ok(0);
    }
    let mut made = Made::new(now);
    for row in &ahead {
        made.put_back(row);
    }
    // One that is both was just put back, and is looked at again in the next round.
    for row in &due {
        if !made.has(row.get(1)) {
            made.fire(row);
        }
    }
    let count = i64::try_from(due.len() + ahead.len()).unwrap_or(i64::MAX);
    made.write(&mut tx).await?;
    tx.commit().await?;
    Ok(count)
}

/// What a transaction writes: jobs, and where schedules go on.
struct Made {
    now: DateTime<Utc>,
    jobs: Vec<NewRow>,
    steps: Vec<Step>,
}

struct NewRow {
    organization: Uuid,
    kind: String,
    payload: Value,
    dedup_key: String,
    priority: i16,
    max_attempts: i32,
    request: String,
}

struct Step {
    organization: Uuid,
    id: Uuid,
    next: Option<DateTime<Utc>>,
    fire: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    fired: bool,
    error: Option<Value>,
}

impl Made {
    fn new(now: DateTime<Utc>) -> Self {
        Self { now, jobs: Vec::new(), steps: Vec::new() }
    }

    fn has(&self, id: Uuid) -> bool {
        self.steps.iter().any(|step| step.id == id)
    }

    /// The clock was put back: what is to come, comes again in its time.
    fn put_back(&mut self, row: &Row) {
        let id = ScheduleId::from(row.get::<_, Uuid>(1));
        tracing::warn!(schedule = %id, "a schedule was fired ahead of its time, by a clock that was put back");
        let outcome = read(row.get(2)).and_then(|timetable| {
            let next = timetable.next_after(self.now).map_err(|error| error.to_string())?;
            Ok(Firing { jobs: Vec::new(), last: self.now, next })
        });
        self.step(row.get(0), id, row.get(3), outcome.map(|firing| Firing { jobs: Vec::new(), ..firing }));
    }

    fn fire(&mut self, row: &Row) {
        let (organization, id) = (row.get(0), ScheduleId::from(row.get::<_, Uuid>(1)));
        let outcome = self.decide(row, id);
        if let Ok(firing) = &outcome {
            self.jobs.extend(firing.jobs.iter().map(|(at, since)| new_row(row, id, *at, *since)));
        }
        self.step(organization, id, row.get(9), outcome);
    }

    fn decide(&self, row: &Row, id: ScheduleId) -> Result<Firing, String> {
        let timetable = read(row.get(8))?;
        let missed = Missed::parse(row.get(10)).ok_or("what becomes of the missed is not known here")?;
        let seconds = u64::try_from(row.get::<_, i32>(11)).unwrap_or_default();
        let now = self.now - delay(id, row.get(9));
        let catch_up = std::time::Duration::from_secs(seconds);
        Due { timetable: &timetable, missed, catch_up, first: row.get(12), now }
            .decide()
            .map_err(|error| error.to_string())
    }

    fn step(&mut self, organization: Uuid, id: ScheduleId, jitter: i32, outcome: Result<Firing, String>) {
        let step = match outcome {
            Ok(firing) => Step {
                organization,
                id: id.uuid(),
                next: firing.next,
                fire: firing.next.map(|next| next + delay(id, jitter)),
                last: Some(firing.last),
                fired: !firing.jobs.is_empty(),
                error: None,
            },
            Err(detail) => {
                tracing::error!(schedule = %id, detail, "a schedule can no longer be followed");
                let error = Some(json!({ "code": "timetable_unreadable", "detail": detail }));
                let (next, fire, last) = (None, None, None);
                Step { organization, id: id.uuid(), next, fire, last, fired: false, error }
            }
        };
        self.steps.push(step);
    }

    async fn write(self, tx: &mut Tx<System>) -> Result<(), DbError> {
        if !self.jobs.is_empty() {
            insert_jobs(tx, &self.jobs, self.now).await?;
            metrics::counter!("schedule_jobs_total").increment(self.jobs.len() as u64);
            let notices = tx.notices();
            tx.after_commit(move || notices.publish(QUEUE_CHANNEL, ""));
        }
        let organizations: Vec<Uuid> = self.steps.iter().map(|step| step.organization).collect();
        let ids: Vec<Uuid> = self.steps.iter().map(|step| step.id).collect();
        let next: Vec<_> = self.steps.iter().map(|step| step.next).collect();
        let fire: Vec<_> = self.steps.iter().map(|step| step.fire).collect();
        let last: Vec<_> = self.steps.iter().map(|step| step.last).collect();
        let fired: Vec<_> = self.steps.iter().map(|step| step.fired).collect();
        let errors: Vec<_> = self.steps.into_iter().map(|step| step.error).collect();
        tx.execute(GO_ON, &[&organizations, &ids, &next, &fire, &last, &fired, &errors, &self.now]).await?;
        Ok(())
    }
}

fn read(timetable: Value) -> Result<Timetable, String> {
    serde_json::from_value(timetable).map_err(|error| error.to_string())
}

fn new_row(row: &Row, id: ScheduleId, occurrence: DateTime<Utc>, since: DateTime<Utc>) -> NewRow {
    let occasion = Occasion { id, name: row.get(2), occurrence, since };
    let mut payload: Value = row.get(4);
    payload[OCCASION] = json!(occasion);
    let own_key = || format!("{id}:{}", occurrence.timestamp());
    NewRow {
        organization: row.get(0),
        kind: row.get(3),
        payload,
        dedup_key: row.get::<_, Option<String>>(5).unwrap_or_else(own_key),
        priority: row.get(6),
        max_attempts: row.get(7),
        request: id.to_string(),
    }
}

const INSERT_JOBS: &str = "
INSERT INTO jobs (organization_id, id, kind, payload, dedup_key, priority, max_attempts, request_id, state, run_at, enqueued_at)
SELECT o, i, k, p, d, r, m, q, 'ready', $9, $9
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::text[], $6::smallint[], $7::integer[], $8::text[])
    AS t (o, i, k, p, d, r, m, q)
ON CONFLICT (organization_id, kind, dedup_key) WHERE dedup_key IS NOT NULL AND state <> 'dead' DO NOTHING";

async fn insert_jobs(tx: &mut Tx<System>, jobs: &[NewRow], now: DateTime<Utc>) -> Result<(), DbError> {
    let organizations: Vec<Uuid> = jobs.iter().map(|job| job.organization).collect();
    let ids: Vec<Uuid> = jobs.iter().map(|_| JobId::new().uuid()).collect();
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    let payloads: Vec<&Value> = jobs.iter().map(|job| &job.payload).collect();
    let keys: Vec<&str> = jobs.iter().map(|job| job.dedup_key.as_str()).collect();
    let priorities: Vec<i16> = jobs.iter().map(|job| job.priority).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.max_attempts).collect();
    let requests: Vec<&str> = jobs.iter().map(|job| job.request.as_str()).collect();
    let rows: [&(dyn marquee_db::ToSql + Sync); 9] =
        [&organizations, &ids, &kinds, &payloads, &keys, &priorities, &attempts, &requests, &now];
    tx.execute(INSERT_JOBS, &rows).await?;
    Ok(())
}

const GO_ON: &str = "
UPDATE schedules
SET next_at = t.next_at, fire_at = t.fire_at, last_at = coalesce(t.last_at, schedules.last_at), error = t.error,
    fired_at = CASE WHEN t.fired THEN $8 ELSE schedules.fired_at END
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::boolean[], $7::jsonb[])
    AS t (organization_id, id, next_at, fire_at, last_at, fired, error)
WHERE schedules.organization_id = t.organization_id AND schedules.id = t.id";
