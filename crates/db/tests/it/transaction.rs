//! What a transaction promises: its tenant, its end, and nothing left for the next one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use marquee_db::{ConstraintKind, DbError, PoolSizes, testing::TestDb};
use marquee_types::Clock;

use crate::support::{database, somebody, with_notes};

const INSERT: &str = "INSERT INTO notes (organization_id, id, body) VALUES (current_organization(), $1, $2)";
const BODIES: &str = "SELECT body FROM notes ORDER BY id";
const INSERT_KIND: &str =
    "INSERT INTO notes (organization_id, id, kind, body) VALUES (current_organization(), $1, $2, '')";
const FIRST: &str = "SELECT * FROM notes WHERE id = 1";

#[tokio::test]
async fn one_organization_never_sees_another() {
    let test = database().await;
    let (ours, theirs) = (somebody(), somebody());
    let mut tx = test.db.org(&ours).unwrap();
    tx.execute(INSERT, &[&1_i64, &"ours"]).await.unwrap();
    tx.commit().await.unwrap();

    let seen = test.db.org(&theirs).unwrap().read(BODIES, &[]).await.unwrap();
    assert!(seen.is_empty());
    let mut tx = test.db.org(&theirs).unwrap();
    assert_eq!(tx.execute("UPDATE notes SET body = 'stolen'", &[]).await.unwrap(), 0);
    let planted = tx
        .execute(
            "INSERT INTO notes (organization_id, id, body) VALUES ($1, 2, 'planted')",
            &[&ours.organization.uuid()],
        )
        .await;
    assert!(planted.unwrap_err().is_denied());
    drop(tx);

    let mine = test.db.org(&ours).unwrap().read(BODIES, &[]).await.unwrap();
    assert_eq!(mine.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["ours"]);
}

#[tokio::test]
async fn without_an_organization_nothing_is_seen_or_written() {
    let test = database().await;
    let mut tx = test.db.org(&somebody()).unwrap();
    tx.execute(INSERT, &[&1_i64, &"secret"]).await.unwrap();
    tx.commit().await.unwrap();

    assert!(test.db.anonymous().read(BODIES, &[]).await.unwrap().is_empty());
    let mut tx = test.db.anonymous();
    assert!(tx.execute(INSERT, &[&2_i64, &"x"]).await.is_err());
    drop(tx);
    let all = test.db.system("test").read(BODIES, &[]).await.unwrap();
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn the_context_reaches_the_database_whatever_it_contains() {
    let test = database().await;
    let mut context = somebody();
    context.actor = r"user:'; DROP TABLE notes; -- \' $$ ünï".to_owned();
    context.request_id = r"\".to_owned();
    let mut tx = test.db.org(&context).unwrap();
    let row = tx
        .query_one(
            "INSERT INTO notes (organization_id, id, body) VALUES (current_organization(), 1, 'x')
             RETURNING actor, credential, request_id, host(address)",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), context.actor);
    assert_eq!(row.get::<_, Option<String>>(1), context.credential);
    assert_eq!(row.get::<_, String>(2), context.request_id);
    assert_eq!(row.get::<_, String>(3), "127.0.0.1");
    tx.commit().await.unwrap();
    context.actor = "nul\0".to_owned();
    assert!(test.db.org(&context).is_err());
}

#[tokio::test]
async fn a_read_cannot_write() {
    let test = database().await;
    let read = test.db.org(&somebody()).unwrap().read(INSERT, &[&1_i64, &"x"]).await;
    assert_eq!(read.unwrap_err().code(), Some("25006"));
    assert_eq!(test.db.system("test").read(BODIES, &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn dropping_rolls_back_and_after_commit_follows_the_commit_only() {
    let test = database().await;
    let context = somebody();
    let ran = Arc::new(AtomicBool::new(false));
    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"lost"]).await.unwrap();
    let flag = ran.clone();
    tx.after_commit(move || flag.store(true, Ordering::SeqCst));
    drop(tx);
    assert_eq!(test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap().len(), 0);
    assert!(!ran.load(Ordering::SeqCst));

    let mut tx = test.db.org(&context).unwrap();
    tx.before_commit(INSERT, vec![Box::new(2_i64), Box::new("kept")]);
    let flag = ran.clone();
    tx.after_commit(move || flag.store(true, Ordering::SeqCst));
    tx.commit().await.unwrap();
    assert!(ran.load(Ordering::SeqCst));
    assert_eq!(test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_transaction_cannot_be_committed() {
    let test = database().await;
    let context = somebody();
    let ran = Arc::new(AtomicBool::new(false));
    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"x"]).await.unwrap();
    let twice = tx.execute(INSERT, &[&1_i64, &"again"]).await.unwrap_err();
    assert!(matches!(&twice, DbError::Constraint { kind: ConstraintKind::Unique, .. }));
    assert_eq!(twice.constraint(), Some("notes_pkey"));
    let flag = ran.clone();
    tx.after_commit(move || flag.store(true, Ordering::SeqCst));
    assert!(tx.commit().await.is_err());
    assert!(!ran.load(Ordering::SeqCst));
    assert_eq!(test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_fails_at_commit_fails_the_commit() {
    let test = database().await;
    let context = somebody();
    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"x"]).await.unwrap();
    tx.execute("UPDATE notes SET ref = 99", &[]).await.unwrap();
    let dangling = tx.commit().await.unwrap_err();
    assert_eq!(dangling.constraint(), Some("notes_ref_fkey"));

    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"x"]).await.unwrap();
    tx.before_commit(INSERT, vec![Box::new(1_i64), Box::new("again")]);
    assert_eq!(tx.commit().await.unwrap_err().constraint(), Some("notes_pkey"));
    assert_eq!(test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_batch_is_one_answer_per_statement() {
    let test = database().await;
    let mut tx = test.db.org(&somebody()).unwrap();
    let ids: Vec<i64> = (0..300).collect();
    let mut batch = tx.batch();
    for id in &ids {
        batch.add(INSERT, &[id, &"x"]);
    }
    batch.add("UPDATE notes SET body = 'y' WHERE id < 10", &[]);
    let touched = batch.run().await.unwrap();
    assert_eq!(touched.len(), 301);
    assert_eq!(touched[300], 10);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_value_may_be_bound_where_a_domain_is_wanted() {
    let test = database().await;
    let mut tx = test.db.org(&somebody()).unwrap();
    tx.execute(INSERT_KIND, &[&1_i64, &"loud"]).await.unwrap();
    let wrong = tx.execute(INSERT_KIND, &[&2_i64, &"unheard of"]).await.unwrap_err();
    assert!(matches!(wrong, DbError::Constraint { kind: ConstraintKind::Check, .. }));
}

#[tokio::test]
async fn an_abandoned_statement_ends_its_transaction() {
    let test =
        with_notes(TestDb::with_sizes(Clock::system(), PoolSizes { app: 1, ..PoolSizes::default() }).await)
            .await;
    let context = somebody();
    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"x"]).await.unwrap();
    let slow = tokio::time::timeout(Duration::from_millis(20), tx.query("SELECT pg_sleep(60)", &[])).await;
    assert!(slow.is_err());
    assert!(tx.query(BODIES, &[]).await.is_err());
    assert!(tx.commit().await.is_err());
    // The one connection of the pool comes back long before the minute is over, and clean.
    assert_eq!(test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_full_pool_is_unavailable() {
    let sizes = PoolSizes { app: 1, system: 1, lanes: 1, wait: Duration::from_millis(50) };
    let test = TestDb::with_sizes(Clock::system(), sizes).await;
    let mut held = test.db.org(&somebody()).unwrap();
    held.query("SELECT 1", &[]).await.unwrap();
    let mut second = test.db.org(&somebody()).unwrap();
    assert!(second.query("SELECT 1", &[]).await.unwrap_err().is_unavailable());
    drop(held);
    test.db.ping().await.unwrap();
}

#[tokio::test]
async fn a_table_may_change_its_shape_under_prepared_statements() {
    let test = database().await;
    let context = somebody();
    test.db.org(&context).unwrap().read(FIRST, &[]).await.unwrap();
    let owner = test.client(&test.urls.admin).await;
    owner.batch_execute("ALTER TABLE notes ADD COLUMN extra text").await.unwrap();
    test.db.org(&context).unwrap().read(FIRST, &[]).await.unwrap();

    owner.batch_execute("ALTER TABLE notes DROP COLUMN extra").await.unwrap();
    let mut tx = test.db.org(&context).unwrap();
    tx.query(FIRST, &[]).await.unwrap();
    tx.commit().await.unwrap();

    // Not as the first statement the transaction cannot be begun again behind the caller's back.
    owner.batch_execute("ALTER TABLE notes ADD COLUMN extra text").await.unwrap();
    let mut tx = test.db.org(&context).unwrap();
    tx.query("SELECT 1", &[]).await.unwrap();
    assert!(tx.query(FIRST, &[]).await.unwrap_err().is_retryable());
    drop(tx);
    let mut tx = test.db.org(&context).unwrap();
    tx.query("SELECT 1", &[]).await.unwrap();
    tx.query(FIRST, &[]).await.unwrap();
}

#[tokio::test]
async fn the_pool_outlives_its_connections() {
    let test = database().await;
    let context = somebody();
    test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap();
    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"x"]).await.unwrap();
    let superuser = test.superuser().await;
    superuser
        .execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
              WHERE datname = current_database() AND usename <> 'postgres'",
            &[],
        )
        .await
        .unwrap();
    assert!(tx.execute(INSERT, &[&2_i64, &"y"]).await.unwrap_err().is_unavailable());
    drop(tx);
    assert_eq!(test.db.org(&context).unwrap().read(BODIES, &[]).await.unwrap().len(), 0);
}
