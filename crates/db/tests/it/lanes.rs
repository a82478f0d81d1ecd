//! What look-ups promise although they share connections: each sees its own organization and nothing else, and none
//! suffers for another's failure. One lane, so that all of them meet on it.

use std::pin::pin;

use futures::FutureExt as _;
use marquee_db::{OrgContext, testing::TestDb};
use tokio::task::JoinSet;

use crate::support::{database, somebody};

const INSERT: &str = "INSERT INTO notes (organization_id, id, body) VALUES (current_organization(), $1, $2)";
const BODIES: &str =
    "SELECT body, current_organization()::text FROM notes WHERE id > $1 ORDER BY id LIMIT 20";
const FAILS: &str = "SELECT 1 / $1::int";
const NONSENSE: &str = "SELECT nonsense FROM nowhere";
const FIRST: &str = "SELECT * FROM notes WHERE id = 1";

/// An organization with three notes that say whose they are.
async fn with_three(test: &TestDb, name: &'static str) -> OrgContext {
    let context = somebody();
    let mut tx = test.db.org(&context).unwrap();
    for id in 1_i64..=3 {
        tx.execute(INSERT, &[&id, &name]).await.unwrap();
    }
    tx.commit().await.unwrap();
    context
}

async fn expect_own(test: &TestDb, context: &OrgContext, name: &str) {
    let rows = test.db.org(context).unwrap().look_up(BODIES, &[&0_i64]).await.unwrap();
    let seen: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let own = (name.to_owned(), context.organization.uuid().to_string());
    assert_eq!(seen, vec![own; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn look_ups_on_one_connection_see_their_own_organization_only() {
    let test = std::sync::Arc::new(database().await);
    let names = ["ours", "theirs", "others"];
    let mut contexts = Vec::new();
    for name in names {
        contexts.push(with_three(&test, name).await);
    }
    let mut all = JoinSet::new();
    for worker in 0..24_u64 {
        let (test, contexts) = (test.clone(), contexts.clone());
        all.spawn(async move {
            for round in 0..60_u64 {
                let which = usize::try_from((worker + round) % 3).unwrap();
                let context = &contexts[which];
                match (worker + round * 7) % 10 {
                    // Given up at some moment between before its first message and after its last.
                    0 | 1 => {
                        let look = async { test.db.org(context).unwrap().look_up(BODIES, &[&0_i64]).await };
                        // The timer counts in milliseconds, and a look-up takes less: it is polled, and dropped.
                        let mut look = pin!(look);
                        for _ in 0..=worker % 4 {
                            if let Some(rows) = look.as_mut().now_or_never() {
                                let rows = rows.unwrap();
                                assert!(rows.iter().all(|row| row.get::<_, &str>(0) == names[which]));
                                break;
                            }
                            tokio::task::yield_now().await;
                        }
                    }
                    2 => {
                        let tx = test.db.org(context).unwrap();
                        assert_eq!(tx.look_up(FAILS, &[&0_i32]).await.unwrap_err().code(), Some("22012"));
                    }
                    3 => {
                        let tx = test.db.org(context).unwrap();
                        assert_eq!(tx.look_up(NONSENSE, &[]).await.unwrap_err().code(), Some("42P01"));
                    }
                    4 => {
                        let nobody = test.db.anonymous();
                        assert!(nobody.look_up(BODIES, &[&0_i64]).await.unwrap().is_empty());
                    }
                    _ => expect_own(&test, context, names[which]).await,
                }
            }
        });
    }
    all.join_all().await;
}

#[tokio::test]
async fn a_look_up_cannot_write() {
    let test = database().await;
    let context = somebody();
    let wrote = test.db.org(&context).unwrap().look_up(INSERT, &[&1_i64, &"x"]).await;
    assert_eq!(wrote.unwrap_err().code(), Some("25006"));
    assert!(test.db.org(&context).unwrap().look_up(BODIES, &[&0_i64]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_connection_is_made_again() {
    let test = database().await;
    let context = with_three(&test, "ours").await;
    expect_own(&test, &context, "ours").await;
    let superuser = test.superuser().await;
    superuser
        .batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND usename = 'marquee_app' AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    let left = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND usename = 'marquee_app'";
    while superuser.query_one(left, &[]).await.unwrap().get::<_, i64>(0) > 0 {}
    expect_own(&test, &context, "ours").await;
}

#[tokio::test]
async fn a_table_may_change_its_shape_under_a_look_up() {
    let test = database().await;
    let context = with_three(&test, "ours").await;
    let columns = async || {
        let rows = test.db.org(&context).unwrap().look_up(FIRST, &[]).await.unwrap();
        rows[0].columns().len()
    };
    let before = columns().await;
    test.client(&test.urls.admin)
        .await
        .batch_execute("ALTER TABLE notes ADD COLUMN extra text")
        .await
        .unwrap();
    assert_eq!(columns().await, before + 1);
}

#[tokio::test]
async fn a_look_up_in_a_transaction_that_has_written_sees_what_it_wrote() {
    let test = database().await;
    let context = somebody();
    let mut tx = test.db.org(&context).unwrap();
    tx.execute(INSERT, &[&1_i64, &"fresh"]).await.unwrap();
    assert_eq!(tx.look_up(BODIES, &[&0_i64]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_meets_a_lock_holds_up_no_other() {
    let test = database().await;
    let context = with_three(&test, "ours").await;
    expect_own(&test, &context, "ours").await;
    let (locking, looking) = (test.superuser().await, test.superuser().await);
    locking.batch_execute("BEGIN; LOCK TABLE notes IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut locked = std::pin::pin!(expect_own(&test, &context, "ours"));
    let waits = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event_type = 'Lock'
                    AND now() - query_start > interval '300 milliseconds'";
    loop {
        tokio::select! {
            biased;
            () = &mut locked => panic!("it did not wait for the lock"),
            // It has left the shared connection for one of its own, where it may wait longer.
            row = looking.query_one(waits, &[]) => if row.unwrap().get::<_, i64>(0) == 1 { break },
        }
    }
    test.db.org(&context).unwrap().look_up("SELECT 1", &[]).await.unwrap();
    locking.batch_execute("COMMIT").await.unwrap();
    locked.await;
}

#[tokio::test]
async fn what_is_no_look_up_is_answered_all_the_same() {
    let test = database().await;
    let tx = test.db.org(&somebody()).unwrap();
    let rows = tx.look_up("SELECT pg_sleep(1.2)::text, 7", &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i32>(1), 7);
}

#[tokio::test]
async fn nothing_is_looked_up_after_the_end() {
    let test = database().await;
    let context = with_three(&test, "ours").await;
    expect_own(&test, &context, "ours").await;
    let (looked, ()) =
        tokio::join!(test.db.org(&context).unwrap().look_up(BODIES, &[&0_i64]), test.db.close());
    // Whether it was in time or not, the end came.
    if let Err(error) = looked {
        assert!(error.is_unavailable(), "{error}");
    }
    let late = test.db.org(&context).unwrap().look_up(BODIES, &[&0_i64]).await;
    assert!(late.unwrap_err().is_unavailable());
}
