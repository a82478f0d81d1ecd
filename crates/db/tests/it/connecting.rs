//! Who is let in, and how a database comes to be.

use marquee_db::{DatabaseUrls, Db, PoolSizes, migrate, provision, testing::TestDb};
use marquee_types::Clock;

async fn refusal(urls: DatabaseUrls) -> String {
    Db::connect(&urls, PoolSizes::default(), Clock::system()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_login_that_row_security_would_not_bind_is_refused() {
    let test = TestDb::new(Clock::system()).await;
    let urls = || test.urls.clone();
    let superuser = test.superuser_url();

    let owner = refusal(DatabaseUrls { app: urls().admin, ..urls() }).await;
    assert!(owner.contains("marquee_owner owns"), "{owner}");
    let powerful = refusal(DatabaseUrls { system: superuser, ..urls() }).await;
    assert!(powerful.contains("is a superuser"), "{powerful}");
    let same = refusal(DatabaseUrls { system: urls().app, ..urls() }).await;
    assert!(same.contains("must not share a login"), "{same}");
}

#[tokio::test]
async fn a_wrong_password_or_address_is_an_error_and_not_a_panic() {
    let test = TestDb::new(Clock::system()).await;
    let nowhere = "postgresql://marquee_app:x@%2Fnonexistent/none".to_owned().into();
    let urls = DatabaseUrls { app: nowhere, ..test.urls.clone() };
    let error = Db::connect(&urls, PoolSizes::default(), Clock::system()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let urls = DatabaseUrls { app: "no url at all".to_owned().into(), ..test.urls.clone() };
    assert!(refusal(urls).await.contains("invalid"));
}

#[tokio::test]
async fn migrating_twice_or_at_once_applies_each_file_once() {
    let test = TestDb::new(Clock::system()).await;
    let name = format!("{}_second", test.name);
    let urls = provision::provision(&test.superuser_url(), &name).await.unwrap();
    let (one, two) = futures::join!(migrate::run(&urls.admin), migrate::run(&urls.admin));
    let applied = one.unwrap().applied.len() + two.unwrap().applied.len();
    assert_eq!(applied, migrate::MIGRATIONS.len());
    assert_eq!(migrate::run(&urls.admin).await.unwrap().applied.len(), 0);

    let db = Db::connect(&urls, PoolSizes::default(), Clock::system()).await.unwrap();
    assert!(migrate::pending(&db).await.unwrap().is_empty());
    db.close().await;
    let admin = test.superuser().await;
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
}

#[tokio::test]
async fn what_is_pending_is_named() {
    let test = TestDb::new(Clock::system()).await;
    let owner = test.client(&test.urls.admin).await;
    let last = migrate::MIGRATIONS.last().unwrap().0;
    owner.execute("DELETE FROM schema_migrations WHERE name = $1", &[&last]).await.unwrap();
    assert_eq!(migrate::pending(&test.db).await.unwrap(), [last]);
    owner.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1", &[]).await.unwrap();
    let changed = migrate::pending(&test.db).await.unwrap_err().to_string();
    assert!(changed.contains("was changed after it had been applied"), "{changed}");
    let run = migrate::run(&test.urls.admin).await.unwrap_err().to_string();
    assert_eq!(run, changed);
}

#[test]
fn what_an_administrator_is_told_to_run_names_the_three_roles() {
    let sql = provision::roles_sql("marquee");
    for role in provision::ROLES {
        assert!(sql.contains(&format!("CREATE ROLE {role} LOGIN")), "{sql}");
    }
    assert!(sql.contains("CREATE DATABASE \"marquee\" OWNER marquee_owner"), "{sql}");
}
