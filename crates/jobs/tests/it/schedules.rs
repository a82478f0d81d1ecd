//! Schedules: fired once an occurrence, whoever races, dies or moves the clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_jobs::{
    CATCH_UP, JobError, JobRun, Missed, NewJob, NewSchedule, Occasion, Registry, ScheduleError, ScheduleRow,
    StepError, Timetable, Workers, drop_schedule, pause_schedule, put_schedule, resume_schedule, schedules,
    testing::{deaf_workers, end_leases, hurried, workers},
};
use marquee_types::{Clock, JobId, ScheduleId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, Notebook, someone, until};

const KIND: &str = "tick";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn noon() -> DateTime<Utc> {
    at("2026-06-20T12:00:00Z")
}

fn hourly() -> NewSchedule {
    let job = NewJob::new(KIND, json!({ "what": "look" }));
    NewSchedule::new("hourly", job, Timetable::cron("0 * * * *", "Europe/Berlin").unwrap())
}

async fn put(bed: &Bed, new: &NewSchedule) -> ScheduleId {
    let mut tx = bed.org();
    let id = put_schedule(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn refused(bed: &Bed, new: &NewSchedule) -> ScheduleError {
    put_schedule(&mut bed.org(), new).await.unwrap_err()
}

async fn all(bed: &Bed) -> Vec<ScheduleRow> {
    let mut tx = bed.org();
    let rows = schedules(&mut tx, "", 100).await.unwrap();
    tx.commit().await.unwrap();
    rows
}

/// Has `crews` work until no schedule is due and no job is left.
async fn work(bed: &Bed, clock: &Clock, crews: &[Workers]) {
    let stop = CancellationToken::new();
    let watching = async {
        until("nothing is due", || async {
            let sql = "SELECT EXISTS (SELECT FROM schedules WHERE fire_at <= $1 OR last_at > $1::timestamptz + interval '5 min')
                           OR EXISTS (SELECT FROM jobs WHERE state IN ('ready', 'running'))";
            let tx = bed.db.system("test: is anything due");
            !tx.read(sql, &[&clock.now()]).await.unwrap()[0].get::<_, bool>(0)
        })
        .await;
        stop.cancel();
    };
    tokio::join!(futures::future::join_all(crews.iter().map(|crew| crew.run(stop.clone()))), watching);
}

fn crew(bed: &Bed, clock: &Clock, notebook: &Notebook) -> Workers {
    workers(&bed.db, clock, Registry::new().job(notebook.clone()))
}

fn hours(notebook: &Notebook) -> Vec<String> {
    let hour = |payload: &Value| {
        let occasion: Occasion = serde_json::from_value(payload["schedule"].clone()).unwrap();
        occasion.occurrence.format("%dT%H:%M").to_string()
    };
    let mut hours: Vec<String> = notebook.ran().iter().map(hour).collect();
    hours.sort();
    hours
}

#[tokio::test]
async fn an_occurrence_makes_its_job_when_its_time_comes() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    let id = put(&bed, &hourly()).await;
    let crew = crew(&bed, &clock, &notebook);

    work(&bed, &clock, std::slice::from_ref(&crew)).await;
    assert!(notebook.ran().is_empty());
    clock.advance(TimeDelta::minutes(60));
    work(&bed, &clock, std::slice::from_ref(&crew)).await;

    let one = at("2026-06-20T13:00:00Z");
    let occasion = json!({ "id": id, "name": "hourly", "occurrence": one, "since": one });
    assert_eq!(notebook.ran(), [json!({ "what": "look", "schedule": occasion })]);
    let row = all(&bed).await.pop().unwrap();
    assert_eq!((row.last_at, row.fired_at), (Some(one), Some(clock.now())));
    assert_eq!(row.next_at, Some(at("2026-06-20T14:00:00Z")));
    bed.nothing_left().await;
}

#[tokio::test]
async fn a_job_knows_its_occasion() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let answer = |run: &JobRun| -> Result<(), JobError> {
        let occasion =
            Occasion::of(run).ok_or_else(|| StepError::permanent("no_occasion", "There is none."))?;
        assert_eq!(occasion.name, "hourly");
        Ok(())
    };
    let notebook = Notebook::answering(KIND, answer);
    put(&bed, &hourly()).await;
    clock.advance(TimeDelta::minutes(61));
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(notebook.ran().len(), 1);
    bed.nothing_left().await;
}

#[tokio::test]
async fn of_several_processes_one_fires_each_occurrence() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    for n in 0..250 {
        put(&bed, &NewSchedule { name: format!("schedule {n}"), ..hourly() }).await;
    }
    let crews: Vec<Workers> = (0..3).map(|_| crew(&bed, &clock, &notebook)).collect();
    for _ in 0..2 {
        clock.advance(TimeDelta::hours(1));
        work(&bed, &clock, &crews).await;
    }
    let mut seen: Vec<String> =
        notebook.ran().iter().map(|payload| payload["schedule"].to_string()).collect();
    assert_eq!(seen.len(), 500);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 500, "an occurrence made two jobs");
    bed.nothing_left().await;
}

#[tokio::test]
async fn the_missed_are_skipped_gathered_or_caught_up_with() {
    let wanted: [(Missed, &[&str]); 3] = [
        (Missed::Skip, &[]),
        (Missed::Once, &["20T15:00"]),
        (Missed::All, &["20T13:00", "20T14:00", "20T15:00"]),
    ];
    for (missed, wanted) in wanted {
        let clock = Clock::manual(noon());
        let bed = Bed::at(clock.clone()).await;
        let notebook = Notebook::new(KIND);
        put(&bed, &NewSchedule { missed, ..hourly() }).await;
        clock.advance(TimeDelta::minutes(3 * 60 + 30));
        work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
        assert_eq!(hours(&notebook), wanted, "{missed:?}");
        if missed == Missed::Once {
            assert_eq!(notebook.ran()[0]["schedule"]["since"], json!(at("2026-06-20T13:00:00Z")));
        }
        // Afterwards it goes on as if nothing had been.
        clock.advance(TimeDelta::minutes(30));
        work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
        assert_eq!(hours(&notebook).last().map(String::as_str), Some("20T16:00"), "{missed:?}");
    }
}

#[tokio::test]
async fn a_clock_that_was_put_back_silences_nothing() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    put(&bed, &hourly()).await;
    let crew = [crew(&bed, &clock, &notebook)];
    clock.advance(TimeDelta::days(300));
    work(&bed, &clock, &crew).await;
    assert_eq!(notebook.ran().len(), 1);
    clock.advance(-TimeDelta::days(300));
    work(&bed, &clock, &crew).await;
    assert_eq!(all(&bed).await[0].next_at, Some(at("2026-06-20T13:00:00Z")));
    clock.advance(TimeDelta::hours(1));
    work(&bed, &clock, &crew).await;
    assert_eq!(hours(&notebook).len(), 2);
    assert!(hours(&notebook).contains(&"20T13:00".to_owned()), "{:?}", hours(&notebook));
}

#[tokio::test]
async fn a_clock_that_is_a_little_behind_fires_nothing_twice() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    put(&bed, &hourly()).await;
    let (ahead, behind) =
        (Clock::manual(at("2026-06-20T13:00:00Z")), Clock::manual(at("2026-06-20T12:59:00Z")));
    work(&bed, &ahead, &[crew(&bed, &ahead, &notebook)]).await;
    work(&bed, &behind, &[crew(&bed, &behind, &notebook)]).await;
    behind.advance(TimeDelta::minutes(2));
    work(&bed, &behind, &[crew(&bed, &behind, &notebook)]).await;
    assert_eq!(hours(&notebook), ["20T13:00"]);
}

#[tokio::test]
async fn putting_it_again_forgets_nothing_and_another_timetable_begins_now() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    let id = put(&bed, &hourly()).await;
    clock.advance(TimeDelta::minutes(90));
    // Put at a start before the workers came to look: what was due stays due.
    assert_eq!(put(&bed, &hourly()).await, id);
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(hours(&notebook), ["20T13:00"]);

    clock.advance(TimeDelta::minutes(60));
    let timetable = Timetable::cron("45 * * * *", "Europe/Berlin").unwrap();
    assert_eq!(put(&bed, &NewSchedule { timetable, ..hourly() }).await, id);
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(hours(&notebook).len(), 1);
    assert_eq!(all(&bed).await[0].next_at, Some(at("2026-06-20T14:45:00Z")));
}

#[tokio::test]
async fn a_paused_one_rests_and_what_came_meanwhile_was_not_missed() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    let id = put(&bed, &hourly()).await;
    let mut tx = bed.org();
    assert!(pause_schedule(&mut tx, id).await.unwrap());
    tx.commit().await.unwrap();
    clock.advance(TimeDelta::minutes(150));
    // Put again at a start: it stays paused.
    put(&bed, &hourly()).await;
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert!(all(&bed).await[0].paused && notebook.ran().is_empty());

    let mut tx = bed.org();
    assert!(resume_schedule(&mut tx, id).await.unwrap());
    // Resuming twice changes nothing.
    assert!(resume_schedule(&mut tx, id).await.unwrap());
    tx.commit().await.unwrap();
    clock.advance(TimeDelta::minutes(30));
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(hours(&notebook), ["20T15:00"]);

    let mut tx = bed.org();
    assert!(drop_schedule(&mut tx, id).await.unwrap());
    assert!(!drop_schedule(&mut tx, id).await.unwrap());
    assert!(!pause_schedule(&mut tx, id).await.unwrap());
    assert!(!resume_schedule(&mut tx, id).await.unwrap());
}

#[tokio::test]
async fn with_a_key_a_job_that_is_not_done_is_not_made_again() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let mut schedule = NewSchedule { missed: Missed::All, ..hourly() };
    schedule.job.dedup_key = Some("the only one".into());
    put(&bed, &schedule).await;
    clock.advance(TimeDelta::minutes(190));
    let notebook = Notebook::new(KIND);
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(hours(&notebook), ["20T13:00"]);
    bed.nothing_left().await;
}

#[tokio::test]
async fn jitter_delays_each_schedule_by_its_own_share() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    for n in 0..40 {
        let jitter = Duration::from_mins(10);
        put(&bed, &NewSchedule { name: format!("schedule {n}"), jitter, ..hourly() }).await;
    }
    let delays = |rows: Vec<ScheduleRow>| -> Vec<i64> {
        rows.iter().map(|row| (row.fire_at.unwrap() - row.next_at.unwrap()).num_seconds()).collect()
    };
    let first = delays(all(&bed).await);
    assert!(first.iter().all(|delay| (0..=600).contains(delay)), "{first:?}");
    let mut different = first.clone();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 20, "{different:?}");

    let notebook = Notebook::new(KIND);
    clock.advance(TimeDelta::minutes(60));
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(notebook.ran().len(), first.iter().filter(|delay| **delay == 0).count());
    clock.advance(TimeDelta::minutes(10));
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    assert_eq!(notebook.ran().len(), 40);
    assert_eq!(delays(all(&bed).await), first, "the delay is the same at every occurrence");
}

#[tokio::test]
async fn one_that_is_over_rests_and_one_that_cannot_be_read_says_so() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let notebook = Notebook::new(KIND);
    let start = "2026-06-20T15:00:00".parse().unwrap();
    let timetable = Timetable::recurrence("FREQ=DAILY;COUNT=1", start, "Europe/Berlin").unwrap();
    put(&bed, &NewSchedule { name: "last".into(), timetable, ..hourly() }).await;
    let broken = put(&bed, &NewSchedule { name: "broken".into(), ..hourly() }).await;
    let mut tx = bed.org();
    let sql =
        "UPDATE schedules SET timetable = '{\"cron\": \"@never\", \"time_zone\": \"UTC\"}' WHERE id = $1";
    tx.execute(sql, &[&broken.uuid()]).await.unwrap();
    tx.commit().await.unwrap();

    clock.advance(TimeDelta::minutes(61));
    work(&bed, &clock, &[crew(&bed, &clock, &notebook)]).await;
    let rows = all(&bed).await;
    assert_eq!(hours(&notebook), ["20T13:00"]);
    assert_eq!((rows[0].next_at, rows[1].next_at), (None, None));
    assert_eq!(rows[0].error.as_ref().unwrap()["code"], "timetable_unreadable");
    assert_eq!(rows[1].error, None);
    // Putting it right brings it back.
    put(&bed, &NewSchedule { name: "broken".into(), ..hourly() }).await;
    let mended = all(&bed).await.swap_remove(0);
    assert_eq!((mended.error, mended.next_at), (None, Some(at("2026-06-20T14:00:00Z"))));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let bed = Bed::at(Clock::manual(noon())).await;
    let never = Timetable::cron("0 0 30 2 *", "UTC").unwrap();
    assert!(matches!(
        refused(&bed, &NewSchedule { timetable: never, ..hourly() }).await,
        ScheduleError::Never
    ));
    let job = |payload: Value| NewJob::new(KIND, payload);
    let later = NewJob { run_at: Some(noon()), ..job(json!({})) };
    for wrong in [
        NewSchedule { name: String::new(), ..hourly() },
        NewSchedule { name: "n".repeat(201), ..hourly() },
        NewSchedule { job: job(json!([1])), ..hourly() },
        NewSchedule { job: later, ..hourly() },
        NewSchedule { jitter: Duration::from_secs(3601), ..hourly() },
        NewSchedule { catch_up: Duration::from_secs(59), ..hourly() },
        NewSchedule { catch_up: Duration::from_hours(8 * 24), ..hourly() },
    ] {
        assert!(matches!(refused(&bed, &wrong).await, ScheduleError::Invalid(_)), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_name_belongs_to_its_organization() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let id = put(&bed, &hourly()).await;
    let other = someone();
    let mut tx = bed.db.org(&other).unwrap();
    assert!(schedules(&mut tx, "", 100).await.unwrap().is_empty());
    assert!(!pause_schedule(&mut tx, id).await.unwrap());
    assert!(!resume_schedule(&mut tx, id).await.unwrap());
    assert!(!drop_schedule(&mut tx, id).await.unwrap());
    assert_ne!(put_schedule(&mut tx, &hourly()).await.unwrap(), id);
    tx.commit().await.unwrap();
    assert_eq!(all(&bed).await.len(), 1);
    // Both are fired, each into its own organization.
    clock.advance(TimeDelta::minutes(60));
    let notebook = Notebook::new(KIND);
    let deaf = deaf_workers(&bed.db, &clock, Registry::new().job(notebook.clone()), hurried());
    work(&bed, &clock, &[deaf]).await;
    assert_eq!(notebook.ran().len(), 2);
}

/// Workers that die at any point: each occurrence has made one job, whenever they were cut off.
#[tokio::test]
async fn whenever_a_worker_dies_each_occurrence_makes_one_job() {
    let clock = Clock::manual(noon());
    let bed = Bed::at(clock.clone()).await;
    let made: Arc<Mutex<BTreeMap<DateTime<Utc>, BTreeSet<JobId>>>> = Arc::default();
    let noting = Arc::clone(&made);
    let notebook = Notebook::answering(KIND, move |run| {
        let occurrence = Occasion::of(run).unwrap().occurrence;
        noting.lock().unwrap().entry(occurrence).or_default().insert(run.id);
        Ok(())
    });
    put(&bed, &NewSchedule { missed: Missed::All, catch_up: CATCH_UP.1, ..hourly() }).await;
    let crew = crew(&bed, &clock, &notebook);
    for cut in 0..60 {
        clock.advance(TimeDelta::hours(1));
        // Dropping what runs is a crash.
        let running = crew.run(CancellationToken::new());
        assert!(tokio::time::timeout(Duration::from_micros(cut * 150), running).await.is_err());
    }
    end_leases(&bed.db).await.unwrap();
    work(&bed, &clock, &[crew]).await;
    bed.nothing_left().await;
    let made = made.lock().unwrap();
    assert_eq!(made.len(), 60, "{:?}", made.keys());
    assert!(made.values().all(|jobs| jobs.len() == 1), "{made:?}");
}
