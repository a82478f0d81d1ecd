//! The database goes away and comes back: nobody has to help, and nothing is lost.

use marquee_jobs::{
    NewJob, Policy, Registry,
    testing::{leftover_jobs, workers},
};
use marquee_types::OperationState;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Bed, Notebook, Waiter, building, until};

#[tokio::test]
async fn work_goes_on_by_itself_after_an_outage() {
    let bed = Bed::new().await;
    let (waiter, notes) = (Waiter::default(), Notebook::new("note"));
    let id = bed.start(building(Policy::Unwind, &[("wait", json!({})), ("b", json!({}))])).await.id();
    let registry = Registry::new().operation(waiter.clone()).job(notes.clone());
    let crew = workers(&bed.db, &bed.clock, registry);
    let stop = CancellationToken::new();
    let breaking = async {
        waiter.waiting.notified().await;
        bed.enqueue(NewJob::new("note", json!("before"))).await;
        let outage = Outage::begin(&bed).await;
        // The step ends while there is no database to write it to.
        waiter.release.notify_one();
        until("the workers notice", || async { bed.db.ping().await.is_err() }).await;
        outage.end().await;
        until("all is done", || async { leftover_jobs(&bed.db).await.is_ok_and(|left| left.is_empty()) })
            .await;
        stop.cancel();
    };
    tokio::join!(crew.run(stop.clone()), breaking);
    assert_eq!(bed.operation(id).await.state, OperationState::Succeeded);
    assert_eq!(bed.steps(id).await[0].attempt, 1, "the step was not done again");
    assert_eq!(notes.ran().len(), 1);
}

/// Nobody can connect (but superusers, who are not bound by the limit), and everybody was thrown out.
struct Outage {
    superuser: tokio_postgres::Client,
    database: String,
}

impl Outage {
    async fn begin(bed: &Bed) -> Self {
        let outage = Self { superuser: bed.test.superuser().await, database: bed.test.name.clone() };
        outage.limit_connections(0).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        outage.superuser.execute(end, &[]).await.unwrap();
        outage
    }

    async fn end(self) {
        self.limit_connections(-1).await;
    }

    async fn limit_connections(&self, limit: i32) {
        let sql = format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", self.database);
        self.superuser.batch_execute(&sql).await.unwrap();
    }
}
