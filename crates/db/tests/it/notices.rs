//! Messages between processes: heard once, by everyone, and never silently lost.

use std::time::Duration;

use marquee_db::{Db, Notice, PoolSizes, Subscription, testing::TestDb};
use marquee_types::Clock;
use tokio::time::timeout;

/// The next notice that is not a late greeting: gathered messages may overtake each other.
async fn hear(subscription: &mut Subscription) -> Notice {
    loop {
        let notice = timeout(Duration::from_secs(20), subscription.recv()).await.unwrap();
        if notice != said("hello") {
            return notice;
        }
    }
}

fn said(text: &str) -> Notice {
    Notice::Message(text.to_owned())
}

/// Two "processes" on one database, each heard by the other.
async fn two(test: &TestDb) -> (Db, Subscription) {
    let other = Db::connect(&test.urls, PoolSizes::default(), Clock::system()).await.unwrap();
    let mut theirs = other.notices().subscribe("test");
    // What was published before the listener's connection was made is lost, and it is told so.
    assert_eq!(hear(&mut theirs).await, Notice::Gap);
    loop {
        test.db.notices().publish("test", "hello");
        if timeout(Duration::from_millis(50), theirs.recv()).await.is_ok() {
            break;
        }
    }
    test.db.notices().publish("test", "ready");
    while hear(&mut theirs).await != said("ready") {}
    (other, theirs)
}

#[tokio::test]
async fn every_process_hears_once_and_only_its_channel() {
    let test = TestDb::new(Clock::system()).await;
    let (other, mut theirs) = two(&test).await;
    let mut ours = test.db.notices().subscribe("test");
    test.db.notices().publish("elsewhere", "not for this channel");
    test.db.notices().publish("test", "a message with spaces");
    test.db.notices().publish("test", "end");
    for subscription in [&mut ours, &mut theirs] {
        let mut heard = [hear(subscription).await, hear(subscription).await];
        // Gathered messages may arrive in another order.
        heard.sort_by_key(|notice| *notice == said("end"));
        assert_eq!(heard, [said("a message with spaces"), said("end")]);
    }
    other.close().await;
}

#[tokio::test]
async fn a_message_too_long_to_send_is_a_gap_elsewhere() {
    let test = TestDb::new(Clock::system()).await;
    let (other, mut theirs) = two(&test).await;
    test.db.notices().publish("test", &"x".repeat(10_000));
    assert_eq!(hear(&mut theirs).await, Notice::Gap);
    other.close().await;
}

#[tokio::test]
async fn a_lost_connection_is_a_gap_and_is_made_again() {
    let test = TestDb::new(Clock::system()).await;
    let (other, mut theirs) = two(&test).await;
    test.superuser()
        .await
        .execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = 'marquee notices'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(hear(&mut theirs).await, Notice::Gap);
    // Published while this process's own connection may still be away: it is sent when that is back.
    test.db.notices().publish("test", "after");
    assert_eq!(hear(&mut theirs).await, said("after"));
    other.close().await;
}
