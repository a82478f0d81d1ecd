//! `Microsoft.CostManagement`: what things cost, and what they will.

mod dimension;
pub mod forecast;
pub mod query;
mod spans;

use serde_json::{Value, json};

use super::{
    call::{Answer, Call},
    error::{Outcome, Refused},
    ids, resource,
};
use crate::estate::Estate;

/// Rows of an answer.
const ROWS: usize = 5_000;

/// The scope of a query: the subscription, or one of its groups.
fn scope(call: &Call<'_>, estate: &Estate) -> Outcome<Option<String>> {
    let scope = format!("/{}", call.part("scope").trim_matches('/'));
    match ids::parse(&scope) {
        Some(parsed) if parsed.kind.is_empty() && parsed.group.is_empty() => Ok(None),
        Some(parsed) if parsed.kind.is_empty() => {
            Ok(Some(format!("{}/", ids::group(call, estate, parsed.group)?.id)))
        }
        _ => Err(Refused::bad("BadRequest", format!("Invalid scope: {scope}."))),
    }
}

/// The answer: columns and a page of rows.
fn table(call: &Call<'_>, kind: &str, columns: &[(String, &str)], rows: &[Vec<Value>]) -> Outcome<Answer> {
    let token = call.asked("$skiptoken");
    let first =
        if token.is_empty() { 0 } else { token.parse::<usize>().map_err(|_| resource::bad_token())? };
    let limit = call.asked("$top").parse::<usize>().ok().filter(|top| *top > 0).unwrap_or(ROWS).min(ROWS);
    let page: Vec<&Vec<Value>> = rows.iter().skip(first).take(limit).collect();
    let after = first + page.len();
    let next = (after < rows.len()).then(|| resource::next_link(call, &after.to_string()));
    let name = call.world.seed().uuid(&["azure", "query", &call.body.to_string(), token]);
    let scope = call.part("scope").trim_matches('/');
    let columns: Vec<Value> =
        columns.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    let mut properties = json!({ "columns": columns, "rows": page });
    if let Some(next) = next {
        properties["nextLink"] = json!(next);
    }
    Ok(Answer::ok(&json!({
        "id": format!("{scope}/providers/Microsoft.CostManagement/{kind}/{name}"),
        "name": name, "type": format!("Microsoft.CostManagement/{kind}"), "properties": properties,
    })))
}

/// Money as it is written.
fn money(usd: f64) -> Value {
    json!((usd * 1e6).round() / 1e6)
}
