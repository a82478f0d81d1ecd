//! The rows of `schedules`, as those who make and look at schedules see them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_db::{DbError, Org, Row, Tx};
use marquee_types::ScheduleId;
use uuid::Uuid;

use super::{CATCH_UP, MOST_JITTER, NewSchedule, ScheduleError, ScheduleRow, Timetable};
use crate::queue::organization;

const INSERT: &str = "
INSERT INTO schedules (organization_id, id, name, job_kind, payload, dedup_key, priority, max_attempts, timetable,
                       jitter_seconds, missed, catch_up_seconds, next_at, fire_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (organization_id, name) DO NOTHING";

const LOCK: &str = "
SELECT id, timetable, paused, next_at FROM schedules WHERE organization_id = $1 AND name = $2 FOR UPDATE";

const REPLACE: &str = "
UPDATE schedules
SET job_kind = $3, payload = $4, dedup_key = $5, priority = $6, max_attempts = $7, timetable = $8, jitter_seconds = $9,
    missed = $10, catch_up_seconds = $11, next_at = $12, fire_at = $13, error = NULL
WHERE organization_id = $1 AND id = $2";

/// Makes a schedule, or replaces the one of its name: with the same timetable it goes on from where it was, so that
/// putting all schedules anew at every start forgets nothing; with another it begins now. A paused one stays paused.
pub async fn put_schedule(tx: &mut Tx<Org>, new: &NewSchedule) -> Result<ScheduleId, ScheduleError> {
    check(new)?;
    let now = tx.clock().now();
    let next = new.timetable.next_after(now)?.ok_or(ScheduleError::Never)?;
    let timetable = as_json(&new.timetable)?;
    let (jitter, catch_up) = (whole_seconds(new.jitter), whole_seconds(new.catch_up));
    let (owner, missed) = (organization(tx), new.missed.as_str());
    let attempts = i32::from(new.job.max_attempts.max(1));
    loop {
        let id = ScheduleId::new();
        let fire = next + delay(id, jitter);
        let inserted = tx
            .execute(
                INSERT,
                &[
                    &owner,
                    &id.uuid(),
                    &new.name,
                    &new.job.kind,
                    &new.job.payload,
                    &new.job.dedup_key,
                    &new.job.priority,
                    &attempts,
                    &timetable,
                    &jitter,
                    &missed,
                    &catch_up,
                    &next,
                    &fire,
                    &now,
                ],
            )
            .await?;
        if inserted == 1 {
            return Ok(id);
        }
        // It may have been dropped in between: then there is room for ours.
        let Some(row) = tx.query_opt(LOCK, &[&owner, &new.name]).await? else { continue };
        let id = ScheduleId::from(row.get::<_, Uuid>(0));
        let unseen = row
            .get::<_, Option<DateTime<Utc>>>(3)
            .filter(|_| row.get::<_, serde_json::Value>(1) == timetable);
        let next = (!row.get::<_, bool>(2)).then(|| unseen.unwrap_or(next));
        let fire = next.map(|next| next + delay(id, jitter));
        tx.execute(
            REPLACE,
            &[
                &owner,
                &id.uuid(),
                &new.job.kind,
                &new.job.payload,
                &new.job.dedup_key,
                &new.job.priority,
                &attempts,
                &timetable,
                &jitter,
                &missed,
                &catch_up,
                &next,
                &fire,
            ],
        )
        .await?;
        return Ok(id);
    }
}

fn check(new: &NewSchedule) -> Result<(), ScheduleError> {
    let wrong = if !(1..=200).contains(&new.name.chars().count()) {
        "the name of a schedule has 1 to 200 characters"
    } else if !new.job.payload.is_object() {
        "the payload of a schedule's job is an object"
    } else if new.job.run_at.is_some() {
        "the job of a schedule has no time of its own"
    } else if new.jitter > MOST_JITTER {
        "the jitter is at most an hour"
    } else if new.catch_up < CATCH_UP.0 || new.catch_up > CATCH_UP.1 {
        "the time to catch up with what was missed is a minute to seven days"
    } else {
        return Ok(());
    };
    Err(ScheduleError::Invalid(wrong))
}

fn as_json(timetable: &Timetable) -> Result<serde_json::Value, ScheduleError> {
    serde_json::to_value(timetable)
        .map_err(|_| ScheduleError::Invalid("the timetable cannot be written as JSON"))
}

fn whole_seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}

/// The schedule's own delay: its id's share of the jitter, so the same at every occurrence and in every process.
pub(super) fn delay(id: ScheduleId, jitter: i32) -> TimeDelta {
    let jitter = u64::try_from(jitter).unwrap_or_default();
    // The last eight bytes of an id are chance, but for two bits.
    let chance = id.uuid().as_u64_pair().1;
    TimeDelta::seconds(i64::try_from(chance % (jitter + 1)).unwrap_or_default())
}

const PAUSE: &str = "
UPDATE schedules SET paused = true, next_at = NULL, fire_at = NULL WHERE organization_id = $1 AND id = $2";

/// Fires it no more until [`resume_schedule`]; `false` if there is none.
pub async fn pause_schedule(tx: &mut Tx<Org>, id: ScheduleId) -> Result<bool, DbError> {
    let owner = organization(tx);
    Ok(tx.execute(PAUSE, &[&owner, &id.uuid()]).await? == 1)
}

const LOOK: &str = "
SELECT timetable, jitter_seconds, paused FROM schedules WHERE organization_id = $1 AND id = $2 FOR UPDATE";

const RESUME: &str = "
UPDATE schedules SET paused = false, next_at = $3, fire_at = $4 WHERE organization_id = $1 AND id = $2";

/// Fires it again, from the next occurrence: what came while it was paused was not missed. `false` if there is none.
pub async fn resume_schedule(tx: &mut Tx<Org>, id: ScheduleId) -> Result<bool, ScheduleError> {
    let (owner, now) = (organization(tx), tx.clock().now());
    let Some(row) = tx.query_opt(LOOK, &[&owner, &id.uuid()]).await? else { return Ok(false) };
    if row.get::<_, bool>(2) {
        let timetable: Timetable = serde_json::from_value(row.get(0))
            .map_err(|_| ScheduleError::Invalid("the timetable can no longer be read"))?;
        let next = timetable.next_after(now)?;
        let fire = next.map(|next| next + delay(id, row.get(1)));
        tx.execute(RESUME, &[&owner, &id.uuid(), &next, &fire]).await?;
    }
    Ok(true)
}

const DROP: &str = "DELETE FROM schedules WHERE organization_id = $1 AND id = $2";

/// Takes it away; the jobs it has made stay. `false` if there is none.
pub async fn drop_schedule(tx: &mut Tx<Org>, id: ScheduleId) -> Result<bool, DbError> {
    let owner = organization(tx);
    Ok(tx.execute(DROP, &[&owner, &id.uuid()]).await? == 1)
}

const LIST: &str = "
SELECT id, name, job_kind, timetable, paused, next_at, fire_at, last_at, fired_at, error FROM schedules
WHERE organization_id = $1 AND name > $2 ORDER BY name LIMIT $3";

/// The organization's schedules by name, at most `limit`, those behind `after`.
pub async fn schedules(tx: &mut Tx<Org>, after: &str, limit: u16) -> Result<Vec<ScheduleRow>, DbError> {
    let owner = organization(tx);
    let rows = tx.query(LIST, &[&owner, &after, &i64::from(limit)]).await?;
    Ok(rows.iter().map(schedule).collect())
}

fn schedule(row: &Row) -> ScheduleRow {
    ScheduleRow {
        id: ScheduleId::from(row.get::<_, Uuid>(0)),
        name: row.get(1),
        job_kind: row.get(2),
        timetable: row.get(3),
        paused: row.get(4),
        next_at: row.get(5),
        fire_at: row.get(6),
        last_at: row.get(7),
        fired_at: row.get(8),
        error: row.get(9),
    }
}
