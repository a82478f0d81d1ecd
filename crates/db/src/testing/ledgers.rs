//! The ledgers over the source: every statement is tried, every system transaction has its reason.
//!
//! A statement cannot be forgotten, because nobody has to register it: any string literal in `crates/*/src`,
//! outside tests, that begins with an SQL verb in capitals is taken for one. What is put together at run time
//! cannot be tried here, and the domain that compiles it tests it: a text inside a macro (`format!`), and one
//! that ends with a space, which is the beginning of a longer one.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::{
    TestDb,
    source::{Literal, literals},
};

const VERBS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];

/// Every statement in the source: place and SQL.
pub fn statements() -> Vec<(String, String)> {
    literals().into_iter().filter(is_statement).map(|literal| (literal.place, literal.text)).collect()
}

fn is_statement(literal: &Literal) -> bool {
    let mut words = literal.text.split_whitespace();
    let verb = words.next().is_some_and(|word| VERBS.contains(&word));
    let assembled = literal.before.trim_end().ends_with("!(") || literal.text.ends_with(' ');
    verb && words.next().is_some() && !assembled
}

/// Prepares and plans each statement against the migrated schema, as the application's roles do: unknown
/// names, wrong types and missing grants are found here and not by a user. One sentence for each that neither
/// role can run.
pub async fn sql_ledger(test: &TestDb, statements: &[(String, String)]) -> Vec<String> {
    let mut roles = Vec::new();
    for (role, url) in [
        ("marquee_app", &test.urls.app),
        ("marquee_system", &test.urls.system),
        ("marquee_owner", &test.urls.admin),
    ] {
        let client = test.client(url).await;
        client.batch_execute("SET search_path = public").await.unwrap();
        roles.push((role, client));
    }
    let mut failures = Vec::new();
    for (place, sql) in statements {
        // The owner's login is for migrations and provisioning, which are this crate's.
        let may = if place.starts_with("crates/db/") { 3 } else { 2 };
        let mut refusals = Vec::new();
        for (role, client) in &roles[..may] {
            match try_out(client, sql).await {
                Ok(()) => break,
                Err(error) => refusals.push(format!("as {role}: {}", crate::error::causes(&error))),
            }
        }
        if refusals.len() == may {
            failures.push(format!("{place}: {}\n    {sql}", refusals.join("; ")));
        }
    }
    failures
}

async fn try_out(client: &Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    let outcome = plan(client, sql).await;
    client.batch_execute("ROLLBACK").await?;
    // What was prepared outlives its transaction; there is nothing to let go of where that failed.
    client.batch_execute("DEALLOCATE ledger").await.ok();
    outcome
}

/// EXPLAIN, unlike PREPARE alone, also asks whether the role may.
async fn plan(client: &Client, sql: &str) -> Result<(), tokio_postgres::Error> {
    let statement = client.prepare(sql).await?;
    let nulls = vec!["NULL"; statement.params().len()].join(", ");
    let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    client.batch_execute(&format!("PREPARE ledger AS {sql}")).await?;
    client.batch_execute(&format!("EXPLAIN EXECUTE ledger{arguments}")).await
}

/// What differs between the reasons given to `Db::system` in the source and a ledger of `reason | why` lines.
pub fn system_ledger(ledger: &str) -> Vec<String> {
    let listed: BTreeMap<&str, &str> = ledger
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.split_once('|').map_or((line.trim(), ""), |(reason, why)| (reason.trim(), why.trim()))
        })
        .collect();
    let used: BTreeMap<String, String> = literals()
        .into_iter()
        .filter(|literal| literal.before.trim_end().ends_with(".system("))
        .map(|literal| (literal.text, literal.place))
        .collect();
    let unlisted = used
        .iter()
        .filter(|(reason, _)| !listed.contains_key(reason.as_str()))
        .map(|(reason, place)| format!("{place}: the system transaction {reason:?} is not in the ledger"));
    let stale = listed
        .keys()
        .filter(|reason| !used.contains_key(**reason))
        .map(|reason| format!("the ledger's {reason:?} is used nowhere"));
    let unexplained = listed
        .iter()
        .filter(|(_, why)| why.is_empty())
        .map(|(reason, _)| format!("the ledger does not say why {reason:?} must see every organization"));
    unlisted.chain(stale).chain(unexplained).collect()
}
