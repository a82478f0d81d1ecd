//! `audit_logs`, its personal side, and the triggers that write it.

use marquee_control::domains::audit::{self, Entry};
use marquee_db::{Db, OrgContext, testing::TestDb};
use marquee_types::{Clock, OrganizationId};
use sha2::{Digest as _, Sha256};

fn context(organization: OrganizationId) -> OrgContext {
    OrgContext {
        organization,
        actor: "user:usr_00000000000000000000000000000001".to_owned(),
        credential: Some("session:ses_00000000000000000000000000000002".to_owned()),
        request_id: "req-1".to_owned(),
        address: Some([192, 0, 2, 7].into()),
    }
}

async fn record(db: &Db, organization: OrganizationId) {
    let mut tx = db.org(&context(organization)).unwrap();
    audit::record(&mut tx, Entry::allowed("things.change").target("thing", "thing_1"));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_application_adds_and_reads_and_nothing_else() {
    let database = TestDb::new(Clock::system()).await;
    let organization = OrganizationId::new();
    record(&database.db, organization).await;
    let statements = [
        "UPDATE audit_logs SET actor = 'x'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "UPDATE audit_personal SET value = 'x'",
        "DELETE FROM audit_personal",
        "SELECT * FROM security_events",
        "INSERT INTO security_events (id, kind, suppressed) VALUES (gen_random_uuid(), 'a.b', 0)",
        "ALTER TABLE audit_logs DISABLE ROW LEVEL SECURITY",
        "DROP TABLE audit_logs",
    ];
    for sql in statements {
        let mut tx = database.db.org(&context(organization)).unwrap();
        let error = tx.execute(sql, &[]).await.expect_err(sql);
        assert_eq!(error.code(), Some("42501"), "{sql}: {error}");
    }
    // Not by way of a partition either, which has policies but no grants of its own.
    let admin = database.superuser().await;
    let partitions = admin.query(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass",
        &[],
    );
    for row in partitions.await.unwrap() {
        let sql = format!("SELECT * FROM {}", row.get::<_, &str>(0));
        let mut tx = database.db.org(&context(organization)).unwrap();
        assert!(tx.query_dynamic(&sql, &[]).await.expect_err(&sql).is_denied());
    }
}

#[tokio::test]
async fn an_entry_for_another_organization_is_refused() {
    let database = TestDb::new(Clock::system()).await;
    let (one, other) = (OrganizationId::new(), OrganizationId::new());
    record(&database.db, one).await;
    let mut tx = database.db.org(&context(other)).unwrap();
    let insert = "INSERT INTO audit_logs (organization_id, id, origin, actor, action, outcome)
                  VALUES ($1, gen_random_uuid(), 'call', 'x', 'x', 'allowed')";
    assert!(tx.execute(insert, &[&one.uuid()]).await.expect_err("another's").is_denied());
    let tx = database.db.org(&context(other)).unwrap();
    assert!(tx.read("SELECT 1 FROM audit_logs", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_address_can_be_erased_and_the_line_still_proves_it() {
    let database = TestDb::new(Clock::system()).await;
    record(&database.db, OrganizationId::new()).await;
    let admin = database.superuser().await;
    let line = "SELECT l.personal ->> 'address', p.salt, p.value, l.request_id, l.xid::text
                  FROM audit_logs l JOIN audit_personal p ON p.entry_id = l.id AND p.at = l.at";
    let row = admin.query_one(line, &[]).await.unwrap();
    let (salt, value): (Vec<u8>, String) = (row.get(1), row.get(2));
    assert_eq!(value, "192.0.2.7");
    let commitment = Sha256::new().chain_update(&salt).chain_update(b"address:192.0.2.7").finalize();
    assert_eq!(row.get::<_, String>(0), hex::encode(commitment));
    assert!(row.get::<_, &str>(4).parse::<u64>().unwrap() > 0);

    let mut tx = database.db.system("erase a person");
    assert_eq!(tx.execute("DELETE FROM audit_personal", &[]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let left = admin.query_one("SELECT personal::text FROM audit_logs", &[]).await.unwrap();
    assert!(!left.get::<_, &str>(0).contains("192.0.2.7"));
}

#[tokio::test]
async fn a_refusal_that_names_no_target_is_the_first_thing_a_connection_writes() {
    let database = TestDb::new(Clock::system()).await;
    let organization = OrganizationId::new();
    let mut tx = database.db.org(&context(organization)).unwrap();
    audit::record(&mut tx, Entry::refused("things.create", "forbidden"));
    tx.commit().await.unwrap();
    let tx = database.db.org(&context(organization)).unwrap();
    let rows = tx.read("SELECT action, target_id FROM audit_logs", &[]).await.unwrap();
    let [row] = rows.as_slice() else { panic!("{} entries", rows.len()) };
    assert_eq!((row.get(0), row.get(1)), ("things.create", None::<&str>));
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_entry() {
    let database = TestDb::new(Clock::system()).await;
    let organization = OrganizationId::new();
    let mut tx = database.db.org(&context(organization)).unwrap();
    let make = "INSERT INTO organizations (organization_id, name, created_at) VALUES (current_organization(), 'cora', now())";
    tx.execute(make, &[]).await.unwrap();
    let told = tx.query("SELECT FROM audit_logs", &[]).await.unwrap();
    assert_eq!(told.len(), 1, "by the trigger");
    audit::record(&mut tx, Entry::allowed("things.change"));
    tx.rehearse().await.unwrap();
    let tx = database.db.org(&context(organization)).unwrap();
    assert!(tx.read("SELECT 1 FROM audit_logs", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_write_from_psql_names_its_login_whatever_it_claims_to_be() {
    let database = TestDb::new(Clock::system()).await;
    let organization = OrganizationId::new();
    let owner = database.client(&database.urls.admin).await;
    owner
        .batch_execute(
            "SET marquee.actor = 'user:usr_framed'; SET marquee.request_id = 'framed';
             SET marquee.action = 'organizations.create'",
        )
        .await
        .unwrap();
    let insert = "INSERT INTO organizations (organization_id, name, created_at) VALUES ($1, 'cora', now())";
    owner.execute(insert, &[&organization.uuid()]).await.unwrap();
    owner.execute("UPDATE organizations SET name = 'vera'", &[]).await.unwrap();
    owner.execute("UPDATE organizations SET revision = 9", &[]).await.unwrap();
    let truncated = owner.batch_execute("TRUNCATE api_keys").await.unwrap_err();
    assert!(truncated.as_db_error().unwrap().message().contains("row by row"));

    let tx = database.db.org(&context(organization)).unwrap();
    let rows = tx
        .read("SELECT actor, action, before::text, after::text, request_id FROM audit_logs ORDER BY id", &[]);
    let rows = rows.await.unwrap();
    assert_eq!(rows.len(), 2, "a revision alone is no change");
    let update = &rows[1];
    assert!(update.get::<_, &str>(0).starts_with("database:"), "{}", update.get::<_, &str>(0));
    assert_eq!(update.get::<_, &str>(1), "rows.update");
    assert_eq!((update.get(2), update.get(3)), (r#"{"name": "cora"}"#, r#"{"name": "vera"}"#));
    assert_eq!(update.get::<_, Option<&str>>(4), None);
    assert_eq!(rows[0].get::<_, Option<&str>>(2), None, "nothing was there before");
}

#[tokio::test]
async fn a_call_and_the_row_it_is_named_after_are_one_entry() {
    let database = TestDb::new(Clock::system()).await;
    let organization = OrganizationId::new();
    let make = "INSERT INTO organizations (organization_id, name, created_at) VALUES (current_organization(), $1, now())";
    let rename = "UPDATE organizations SET name = $1";
    let log = || async {
        let tx = database.db.org(&context(organization)).unwrap();
        let sql = "SELECT l.origin, l.action, p.value FROM audit_logs l
                     LEFT JOIN audit_personal p ON p.entry_id = l.id AND p.at = l.at ORDER BY l.at, l.id";
        let rows = tx.read(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| {
                let address = row.get::<_, Option<String>>(2).unwrap_or_default();
                format!("{} {} {address}", row.get::<_, &str>(0), row.get::<_, &str>(1))
            })
            .collect::<Vec<_>>()
    };
    let mut tx = database.db.org(&context(organization)).unwrap();
    tx.for_call("organizations.create");
    tx.execute(make, &[&"cora"]).await.unwrap();
    audit::record(&mut tx, Entry::allowed("organizations.create").target("organization", organization));
    tx.commit().await.unwrap();
    assert_eq!(log().await, ["call organizations.create 192.0.2.7"]);

    // Named after another noun: the row's own entry, and the call's.
    let mut tx = database.db.org(&context(organization)).unwrap();
    tx.for_call("things.change");
    tx.execute(rename, &[&"vera"]).await.unwrap();
    audit::record(&mut tx, Entry::allowed("things.change").target("organization", organization));
    tx.commit().await.unwrap();
    let mut lines = log().await.split_off(1);
    lines.sort();
    assert_eq!(lines, ["call things.change 192.0.2.7", "row rows.update "]);

    // The entry is the row's even if nobody records the call, and what one transaction says holds for no other.
    let mut tx = database.db.org(&context(organization)).unwrap();
    tx.for_call("organizations.update");
    tx.execute(rename, &[&"dora"]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = database.db.org(&context(organization)).unwrap();
    tx.execute(rename, &[&"nora"]).await.unwrap();
    audit::record(&mut tx, Entry::allowed("organizations.update").target("organization", organization));
    tx.commit().await.unwrap();
    let mut lines = log().await.split_off(3);
    lines.sort();
    assert_eq!(
        lines,
        ["call organizations.update 192.0.2.7", "call organizations.update 192.0.2.7", "row rows.update "]
    );
}

#[tokio::test]
async fn bytes_must_be_masked_before_a_table_can_be_audited() {
    let database = TestDb::new(Clock::system()).await;
    let owner = database.client(&database.urls.admin).await;
    owner
        .batch_execute("CREATE TABLE keep (organization_id uuid NOT NULL, id uuid NOT NULL, secret bytea)")
        .await
        .unwrap();
    let error =
        owner.batch_execute("SELECT attach_change_audit('keep', 'keep', 'id', 'kp')").await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("secret"));
    owner
        .batch_execute("SELECT attach_change_audit('keep', 'keep', 'id', 'kp', masked => '{secret}')")
        .await
        .unwrap();
}
