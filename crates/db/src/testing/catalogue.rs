//! What must be true of every table, asked of PostgreSQL itself.
//!
//! A table is either a tenant table, and then everything below holds, or it stands with its reason in
//! `migrations/global-tables.txt`. That list should shrink, not grow.

use std::{collections::BTreeMap, fmt::Write as _};

use tokio_postgres::Client;

use super::TestDb;

/// The tables and unique indexes that are not of one organization, each with its reason.
const GLOBAL: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/global-tables.txt"));

/// The names on the list.
pub(super) fn global() -> BTreeMap<&'static str, &'static str> {
    GLOBAL
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(':').map_or((line, ""), |(name, reason)| (name.trim(), reason.trim())))
        .collect()
}

/// Each rule: a query that names what breaks it, and the sentence that says so. `$1` is the list of exceptions.
const RULES: &[(&str, &str)] = &[
    (
        "is not a tenant table: it needs organization_id uuid NOT NULL",
        "SELECT t.name FROM tenant t WHERE NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'organization_id'
               AND a.attnotnull AND a.atttypid = 'uuid'::regtype)",
    ),
    (
        "does not have row level security enabled and forced: call protect_tenant_table()",
        "SELECT t.name FROM tenant t JOIN pg_class c USING (oid)
          WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    ),
    (
        "has no policy with USING and WITH CHECK on current_organization() for marquee_app",
        "SELECT t.name FROM tenant t WHERE NOT EXISTS (
            SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polcmd = '*' AND p.polpermissive
               AND p.polroles = ARRAY['marquee_app'::regrole::oid]
               AND pg_get_expr(p.polqual, p.polrelid) LIKE '(organization_id = %current_organization()%'
               AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '(organization_id = %current_organization()%')",
    ),
    (
        "has a policy that lets marquee_app, or everyone, past its organization",
        "SELECT t.name || '.' || p.polname FROM tenant t JOIN pg_policy p ON p.polrelid = t.oid
          WHERE p.polpermissive AND p.polroles && ARRAY[0, 'marquee_app'::regrole::oid]
            AND (coalesce(pg_get_expr(p.polqual, p.polrelid), '') NOT LIKE '(organization_id = %current_organization()%'
              OR coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') NOT LIKE '(organization_id = %current_organization()%')",
    ),
    (
        "has a policy that asks a setting which SQL could set",
        "SELECT t.name || '.' || p.polname FROM tenant t JOIN pg_policy p ON p.polrelid = t.oid
          WHERE concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                LIKE '%current_setting%'",
    ),
    (
        "has no primary key that leads with organization_id",
        "SELECT t.name FROM tenant t WHERE NOT EXISTS (
            SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = t.oid AND i.indisprimary AND a.attname = 'organization_id')",
    ),
    (
        "is a unique index across organizations: lead with organization_id, or list it with its reason",
        "SELECT c.relname FROM tenant t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
          WHERE i.indisunique AND NOT t.part AND c.relname <> ALL ($1) AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'organization_id'
               AND a.attnum = ANY (i.indkey))",
    ),
    (
        "is a foreign key without an index that leads with its columns",
        "SELECT t.name || '.' || k.conname FROM every_table t JOIN pg_constraint k ON k.conrelid = t.oid
          WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indpred IS NULL
               AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)",
    ),
    (
        "is a foreign key between tenant tables that does not include organization_id",
        "SELECT t.name || '.' || k.conname FROM tenant t JOIN pg_constraint k ON k.conrelid = t.oid
           JOIN tenant f ON f.oid = k.confrelid
          WHERE k.contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'organization_id'
               AND a.attnum = ANY (k.conkey))",
    ),
    (
        "has no COMMENT",
        "SELECT t.name FROM every_table t WHERE obj_description(t.oid, 'pg_class') IS NULL",
    ),
    (
        "is not owned by marquee_owner",
        "SELECT t.name FROM every_table t JOIN pg_class c USING (oid) WHERE c.relowner <> 'marquee_owner'::regrole",
    ),
    (
        "is granted to everyone",
        "SELECT t.name FROM every_table t JOIN pg_class c USING (oid), aclexplode(c.relacl) g WHERE g.grantee = 0",
    ),
    (
        "grants the application more than rows",
        "SELECT DISTINCT t.name || ': ' || g.privilege_type FROM every_table t JOIN pg_class c USING (oid), aclexplode(c.relacl) g
          WHERE g.grantee IN ('marquee_app'::regrole, 'marquee_system'::regrole)
            AND (g.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') OR g.is_grantable)",
    ),
    (
        "is a partition that can be asked for by name: grant on its parent only",
        "SELECT t.name FROM every_table t JOIN pg_class c USING (oid), aclexplode(c.relacl) g
          WHERE t.part AND g.grantee IN ('marquee_app'::regrole, 'marquee_system'::regrole)",
    ),
    (
        "is a view that runs with its owner's rights: WITH (security_invoker = true)",
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
            AND NOT coalesce(c.reloptions @> ARRAY['security_invoker=true'], false)",
    ),
    (
        "is a materialized view, which row level security cannot protect",
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'm'",
    ),
    (
        "is an enum, whose comparison is not leakproof: use a domain over text with CHECK",
        "SELECT y.typname FROM pg_type y WHERE y.typnamespace = 'public'::regnamespace AND y.typtype = 'e'",
    ),
    (
        "is SECURITY DEFINER without a fixed search_path",
        "SELECT p.oid::regprocedure::text FROM pg_proc p
          WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
            AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%')",
    ),
    (
        "is SECURITY DEFINER and may be called by everyone",
        "SELECT p.oid::regprocedure::text FROM pg_proc p
          WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
            AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) g WHERE g.grantee = 0))",
    ),
    (
        "stands on the list of global tables and indexes but does not exist",
        "SELECT g FROM unnest($1) g WHERE to_regclass('public.' || quote_ident(g)) IS NULL",
    ),
];

const TABLES: &str = "WITH every_table AS (
        SELECT c.oid, c.relname AS name, c.relispartition AS part, $1::text[] AS listed
          FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')),
    tenant AS (SELECT * FROM every_table WHERE name <> ALL ($1)) ";

/// Everything that breaks a rule, one sentence each, and every row that somebody else's organization can reach;
/// empty is good.
pub async fn catalogue_violations(test: &TestDb) -> Vec<String> {
    let mut violations = broken_rules(test).await;
    violations.extend(leaks(test).await);
    violations
}

/// What the catalogue alone tells: the part of [`catalogue_violations`] that tries nothing out.
pub async fn broken_rules(test: &TestDb) -> Vec<String> {
    let client = test.superuser().await;
    let listed = listed();
    let unexplained = global().into_iter().filter(|(_, reason)| reason.is_empty());
    let mut violations: Vec<String> = unexplained
        .map(|(name, _)| format!("{name} stands on the list of global tables without a reason"))
        .collect();
    for (sentence, query) in RULES {
        let rows = client.query(&format!("{TABLES}{query}"), &[&listed]).await.unwrap();
        for row in rows {
            violations.push(format!("{} {sentence}", row.get::<_, String>(0)));
        }
    }
    violations
}

fn listed() -> Vec<String> {
    global().into_keys().map(str::to_owned).collect()
}

/// One row of one organization is put into every tenant table, past all its rules, and looked for as the
/// application: it must be there for that organization, and for nobody else.
async fn leaks(test: &TestDb) -> Vec<String> {
    let client = &test.superuser().await;
    let tables = client
        .query(&format!("{TABLES} SELECT t.name FROM tenant t WHERE NOT t.part ORDER BY 1"), &[&listed()])
        .await
        .unwrap();
    let mut leaks = Vec::new();
    for row in &tables {
        let table: String = row.get(0);
        client.batch_execute("BEGIN; SET LOCAL session_replication_role = replica").await.unwrap();
        match plant(client, &table).await {
            Ok(()) => leaks.extend(look(client, &table).await),
            Err(error) => leaks.push(format!("{table} could not be tried: {}", crate::error::causes(&error))),
        }
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    leaks
}

const OURS: &str = "00000000-0000-7000-8000-000000000001";
const THEIRS: &str = "00000000-0000-7000-8000-000000000002";

/// Puts one row into a table whatever its columns are: every rule but the primary key's is lifted first, in a
/// transaction that is rolled back.
async fn plant(client: &Client, table: &str) -> Result<(), tokio_postgres::Error> {
    let lifts = client
        .query(
            "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
              WHERE conrelid = $1::text::regclass AND contype = 'c' AND conislocal
             UNION ALL
             SELECT format('ALTER DOMAIN %s DROP CONSTRAINT %I', contypid::regtype, conname) FROM pg_constraint
              WHERE contypid <> 0 AND connamespace = 'public'::regnamespace
             UNION ALL
             SELECT format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', attrelid::regclass, attname)
               FROM pg_attribute a WHERE attrelid = $1::text::regclass AND attnum > 0 AND attnotnull
                AND NOT attisdropped AND attidentity = '' AND NOT EXISTS (
                    SELECT FROM pg_index i WHERE i.indrelid = attrelid AND i.indisprimary AND attnum = ANY (i.indkey))",
            &[&table],
        )
        .await?;
    for lift in &lifts {
        client.batch_execute(lift.get(0)).await?;
    }
    let key = client
        .query(
            "SELECT quote_ident(a.attname), coalesce(nullif(y.typbasetype, 0), y.oid)::regtype::text
               FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
               JOIN pg_type y ON y.oid = a.atttypid
              WHERE i.indrelid = $1::text::regclass AND i.indisprimary AND a.attidentity = ''",
            &[&table],
        )
        .await?;
    let (mut columns, mut values) = (String::new(), String::new());
    for column in &key {
        let (name, kind): (String, String) = (column.get(0), column.get(1));
        let separator = if columns.is_empty() { "" } else { ", " };
        let value = match (name.as_str(), kind.as_str()) {
            ("organization_id", _) => format!("'{OURS}'"),
            (_, "uuid") => "gen_random_uuid()".to_owned(),
            (_, "text" | "character varying" | "bytea" | "name") => "'x'".to_owned(),
            (_, "timestamp with time zone" | "date") => "now()".to_owned(),
            (_, "inet") => "'127.0.0.1'".to_owned(),
            (_, "boolean") => "true".to_owned(),
            _ => "1".to_owned(),
        };
        // Writing to a String cannot fail.
        let _written = (write!(columns, "{separator}{name}"), write!(values, "{separator}{value}"));
    }
    client.batch_execute(&format!("INSERT INTO {table} ({columns}) VALUES ({values})")).await
}

async fn look(client: &Client, table: &str) -> Vec<String> {
    let mut leaks = Vec::new();
    client.batch_execute("SET LOCAL ROLE marquee_app").await.unwrap();
    for (organization, who, wanted) in
        [("", "nobody", 0_i64), (THEIRS, "another organization", 0), (OURS, "its own organization", 1)]
    {
        client.batch_execute(&format!("SET LOCAL marquee.organization_id = '{organization}'")).await.unwrap();
        for (verb, sql) in [
            ("sees", format!("SELECT count(*) FROM {table}")),
            (
                "updates",
                format!(
                    "WITH changed AS (UPDATE {table} SET organization_id = organization_id RETURNING 1) SELECT count(*) FROM changed"
                ),
            ),
            ("deletes", format!("WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone")),
            (
                "inserts",
                format!(
                    "WITH new AS (INSERT INTO {table} (organization_id) VALUES ('{OURS}') RETURNING 1) SELECT count(*) FROM new"
                ),
            ),
        ] {
            client.batch_execute("SAVEPOINT trial").await.unwrap();
            let outcome = client.query_one(&sql, &[]).await;
            client.batch_execute("ROLLBACK TO trial").await.unwrap();
            leaks.extend(judge(table, who, verb, wanted, outcome));
        }
    }
    leaks
}

fn judge(
    table: &str,
    who: &str,
    verb: &str,
    wanted: i64,
    outcome: Result<tokio_postgres::Row, tokio_postgres::Error>,
) -> Option<String> {
    match outcome {
        Ok(row) => {
            let rows: i64 = row.get(0);
            // Its own organization need not be able to write: a table may be append-only, or have rules.
            let fine = rows == wanted || (wanted == 1 && verb != "sees");
            (!fine)
                .then(|| format!("{table}: {who} {verb} {rows} rows of another organization, not {wanted}"))
        }
        Err(_) if wanted == 1 && verb != "sees" => None,
        // Refused for want of a right is as good as finding nothing; any other failure hides what would happen.
        Err(error) if error.code().is_some_and(|code| code.code() == "42501") && wanted == 0 => None,
        Err(error) => Some(format!("{table}: {who} {verb}: {}", crate::error::causes(&error))),
    }
}
