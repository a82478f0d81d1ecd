//! The rules over all tables and all statements; and that each rule notices what it is there to notice.

use marquee_db::testing::{
    TestDb, broken_rules, catalogue_violations, explain_as_app, pretend_rows, sql_ledger, statements,
    system_ledger,
};
use marquee_types::Clock;

use crate::support::{database, somebody};

#[tokio::test]
async fn every_table_keeps_the_rules() {
    let test = TestDb::new(Clock::system()).await;
    let violations = catalogue_violations(&test).await;
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[tokio::test]
async fn every_statement_in_the_source_runs_on_the_migrated_schema() {
    let test = TestDb::new(Clock::system()).await;
    let statements = statements();
    assert!(statements.iter().any(|(place, _)| place.contains("crates/db/src/migrate.rs")));
    let failures = sql_ledger(&test, &statements).await;
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_system_transaction_has_its_reason() {
    let differences = system_ledger(include_str!("../system-transactions.txt"));
    assert!(
        differences.is_empty(),
        "crates/db/tests/system-transactions.txt and the source differ:\n{}",
        differences.join("\n")
    );
}

#[tokio::test]
async fn a_statement_that_cannot_run_is_found() {
    let test = database().await;
    let owner = test.client(&test.urls.admin).await;
    owner.batch_execute("REVOKE DELETE ON notes FROM marquee_app, marquee_system").await.unwrap();
    let tried: Vec<(String, String)> = [
        "SELECT body FROM notes WHERE id = $1",
        "SELECT no_such_column FROM notes",
        "DELETE FROM notes WHERE id = $1",
        "INSERT INTO notes (organization_id, id, body) VALUES (current_organization(), $1, $2)",
    ]
    .iter()
    .enumerate()
    .map(|(number, sql)| (number.to_string(), (*sql).to_owned()))
    .collect();
    let failures = sql_ledger(&test, &tried).await;
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].starts_with("1:") && failures[0].contains("no_such_column"));
    assert!(failures[1].starts_with("2:") && failures[1].contains("permission denied"));
}

/// Each flaw, and a word of the sentence that must name it.
const FLAWS: &[(&str, &str)] = &[
    ("CREATE TABLE bare (organization_id uuid PRIMARY KEY)", "bare does not have row level security"),
    ("CREATE TABLE loose (id uuid PRIMARY KEY)", "loose is not a tenant table"),
    ("ALTER TABLE notes NO FORCE ROW LEVEL SECURITY", "notes does not have row level security"),
    ("CREATE POLICY open ON notes TO marquee_app USING (true)", "notes.open has a policy that lets"),
    ("CREATE POLICY open ON notes USING (true)", "another organization sees 1 rows"),
    ("ALTER POLICY organization ON notes WITH CHECK (true)", "notes has no policy"),
    (
        "CREATE POLICY open ON notes TO marquee_app USING (current_setting('marquee.all') = 'yes')",
        "notes.open has a policy that asks a setting",
    ),
    ("COMMENT ON TABLE notes IS NULL", "notes has no COMMENT"),
    ("CREATE UNIQUE INDEX one_body ON notes (body)", "one_body is a unique index across organizations"),
    ("DROP INDEX notes_ref", "notes.notes_ref_fkey is a foreign key without an index"),
    ("GRANT SELECT ON notes TO PUBLIC", "notes is granted to everyone"),
    ("GRANT TRUNCATE ON notes TO marquee_app", "notes: TRUNCATE grants the application more"),
    ("CREATE VIEW all_notes AS SELECT * FROM notes", "all_notes is a view that runs with its owner's rights"),
    ("CREATE TYPE mood AS ENUM ('fine')", "mood is an enum"),
    (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM notes'",
        "peek() is SECURITY DEFINER without a fixed search_path",
    ),
    (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS
             'SELECT count(*) FROM notes'; GRANT EXECUTE ON FUNCTION peek() TO PUBLIC",
        "peek() is SECURITY DEFINER and may be called by everyone",
    ),
];

#[tokio::test]
async fn every_flaw_is_found() {
    let test = database().await;
    let owner = test.client(&test.urls.admin).await;
    owner
        .batch_execute(
            "COMMENT ON TABLE notes IS 'A test.'; CREATE INDEX notes_ref ON notes (organization_id, ref)",
        )
        .await
        .unwrap();
    let at_first = catalogue_violations(&test).await;
    assert!(!at_first.iter().any(|violation| violation.contains("notes")), "{at_first:#?}");
    let undo = [
        "DROP TABLE IF EXISTS bare, loose; DROP VIEW IF EXISTS all_notes; DROP TYPE IF EXISTS mood",
        "DROP FUNCTION IF EXISTS peek(); DROP POLICY IF EXISTS open ON notes; DROP INDEX IF EXISTS one_body",
        "ALTER TABLE notes FORCE ROW LEVEL SECURITY; COMMENT ON TABLE notes IS 'A test.'",
        "ALTER POLICY organization ON notes WITH CHECK (organization_id = (SELECT current_organization()))",
        "CREATE INDEX IF NOT EXISTS notes_ref ON notes (organization_id, ref)",
        "REVOKE ALL ON notes FROM PUBLIC; REVOKE TRUNCATE ON notes FROM marquee_app",
    ]
    .join(";");
    for (flaw, sentence) in FLAWS {
        owner.batch_execute(flaw).await.unwrap();
        // What only shows when it is tried is tried only there: that takes a while over all tables.
        let shows = sentence.contains("sees");
        let violations = if shows { catalogue_violations(&test).await } else { broken_rules(&test).await };
        assert!(violations.iter().any(|found| found.contains(sentence)), "{flaw}:\n{violations:#?}");
        owner.batch_execute(&undo).await.unwrap();
    }
}

#[tokio::test]
async fn a_plan_that_reads_the_whole_tenant_is_told_from_one_that_does_not() {
    let test = database().await;
    let owner = test.client(&test.urls.admin).await;
    owner.batch_execute("CREATE INDEX notes_kind ON notes (organization_id, kind, id)").await.unwrap();
    let mut tx = test.db.org(&somebody()).unwrap();
    tx.execute("INSERT INTO notes (organization_id, id, body) VALUES (current_organization(), 1, 'x')", &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    pretend_rows(&test, "notes", 1_000_000).await;

    let mut tx = test.db.org(&somebody()).unwrap();
    for (sql, whole) in [
        ("SELECT body FROM notes WHERE id = 7", false),
        ("SELECT body FROM notes WHERE kind = 'loud' ORDER BY id LIMIT 50", false),
        ("SELECT body FROM notes ORDER BY id LIMIT 50", false),
        ("SELECT count(*) FROM notes", true),
        ("SELECT body FROM notes WHERE body LIKE '%x%' LIMIT 50", true),
        ("SELECT body FROM notes WHERE body = 'x' ORDER BY id LIMIT 50", true),
    ] {
        let plan = explain_as_app(&mut tx, sql, &[]).await;
        assert_eq!(plan.scans_whole_tenant("notes"), whole, "{sql}\n{}", plan.json());
    }
}
