//! The EXPLAIN ledger's engine: which rows of a large table a statement would look at.
//!
//! Under row level security only leakproof operators reach an index; anything else becomes a filter over all
//! rows of the organization, which no functional test notices on a small table. So a domain lists its filters,
//! and this says of each, planned as the application role, whether it would read the whole tenant.

use serde_json::Value;

use super::TestDb;
use crate::{Params, Scope, Tx};

/// How PostgreSQL would run a statement.
#[derive(Debug, Clone)]
pub struct Plan(Value);

/// Plans a statement in the caller's transaction, with its values bound, as the application would run it.
/// Sequential scans are discouraged, so one that is left is one that no index can replace.
pub async fn explain_as_app<S: Scope>(tx: &mut Tx<S>, sql: &str, params: Params<'_>) -> Plan {
    tx.query("SELECT set_config('enable_seqscan', 'off', true)", &[]).await.unwrap();
    let rows = tx.query_dynamic(&format!("EXPLAIN (FORMAT JSON, VERBOSE) {sql}"), params).await.unwrap();
    let plans: Value = rows[0].get(0);
    Plan(plans[0]["Plan"].clone())
}

/// Makes the planner believe that a table (with its indexes and partitions) holds about this many rows for each
/// page it has, for as long as the test lasts, so that plans are those of production without its data. The table
/// must hold at least one row.
pub async fn pretend_rows(test: &TestDb, table: &str, rows: u32) {
    let client = test.superuser().await;
    client
        .execute(
            "UPDATE pg_class SET reltuples = $2::int8::float4, relpages = 1
              WHERE oid IN (SELECT relid FROM pg_partition_tree($1::text::regclass) UNION SELECT $1::text::regclass)
                 OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN
                        (SELECT relid FROM pg_partition_tree($1::text::regclass) UNION SELECT $1::text::regclass))",
            &[&table, &i64::from(rows)],
        )
        .await
        .unwrap();
}

impl Plan {
    /// Whether the statement would read every row of the organization (or worse) in this table: by a sequential
    /// scan, or by an index of which it binds nothing but `organization_id`. A page in index order is fine: it
    /// stops at its limit.
    pub fn scans_whole_tenant(&self, table: &str) -> bool {
        whole(&self.0, table, false)
    }

    /// The plan as PostgreSQL tells it, for a failing test's message.
    pub fn json(&self) -> String {
        format!("{:#}", self.0)
    }
}

fn text<'v>(node: &'v Value, key: &str) -> &'v str {
    node[key].as_str().unwrap_or_default()
}

fn children(node: &Value) -> &[Value] {
    node["Plans"].as_array().map_or(&[], Vec::as_slice)
}

/// `limited`: a LIMIT above will stop this node early, since nothing between gathers all rows first.
fn whole(node: &Value, table: &str, limited: bool) -> bool {
    let kind = text(node, "Node Type");
    if is_of(text(node, "Relation Name"), table) {
        let early = limited && node["Filter"].is_null();
        match kind {
            "Seq Scan" | "Sample Scan" | "Tid Range Scan" => return true,
            "Index Scan" | "Index Only Scan" if !early && !binds_more(text(node, "Index Cond")) => {
                return true;
            }
            "Bitmap Heap Scan" if !children(node).iter().all(bitmap_binds_more) => return true,
            _ => {}
        }
    }
    let below = match kind {
        "Limit" => true,
        "Sort" | "Incremental Sort" | "Aggregate" | "Hash" | "HashSetOp" | "WindowAgg" | "Materialize" => {
            false
        }
        _ => limited,
    };
    children(node).iter().any(|child| whole(child, table, below))
}

/// A partition's name is its parent's with the time it holds.
fn is_of(relation: &str, table: &str) -> bool {
    relation == table
        || relation.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')).is_some_and(|rest| {
            rest == "default" || (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

fn bitmap_binds_more(node: &Value) -> bool {
    match text(node, "Node Type") {
        "BitmapAnd" => children(node).iter().any(bitmap_binds_more),
        "BitmapOr" => children(node).iter().all(bitmap_binds_more),
        _ => binds_more(text(node, "Index Cond")),
    }
}

/// Whether an index condition binds anything beside the organization. Conditions are joined by AND; a text
/// constant that contains one is quoted, so quoted parts are taken out first.
fn binds_more(condition: &str) -> bool {
    let bare: String = condition.split('\'').step_by(2).collect();
    bare.split(" AND ").any(|part| {
        let first = part.trim_start_matches('(').split(' ').next().unwrap_or_default();
        let column = first.rsplit('.').next().unwrap_or_default();
        !column.is_empty() && column != "organization_id"
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_read() {
        assert!(!binds_more("(organization_id = $0)"));
        assert!(!binds_more("(t.organization_id = (InitPlan 1).col1)"));
        assert!(!binds_more(""));
        assert!(binds_more("((t.organization_id = $0) AND (t.kind = 'x AND y'::text))"));
        assert!(binds_more("((organization_id = $0) AND (ROW(created_at, id) < ROW($1, $2)))"));
    }

    #[test]
    fn a_page_in_index_order_is_no_whole_scan_but_with_a_filter_it_is() {
        let scan =
            json!({"Node Type": "Index Scan", "Relation Name": "t", "Index Cond": "(organization_id = $0)"});
        let page = |scan: &Value| Plan(json!({"Node Type": "Limit", "Plans": [scan]}));
        assert!(!page(&scan).scans_whole_tenant("t"));
        assert!(Plan(scan.clone()).scans_whole_tenant("t"));
        let mut filtered = scan.clone();
        filtered["Filter"] = json!("(name ~~ '%x%'::text)");
        assert!(page(&filtered).scans_whole_tenant("t"));
        assert!(!page(&filtered).scans_whole_tenant("other"));
        let sorted = json!({"Node Type": "Limit", "Plans": [{"Node Type": "Sort", "Plans": [scan]}]});
        assert!(Plan(sorted).scans_whole_tenant("t"));
    }

    #[test]
    fn partitions_count_as_their_table() {
        assert!(is_of("versions_202611", "versions"));
        assert!(is_of("versions_default", "versions"));
        assert!(!is_of("versions_extra", "versions"));
    }
}
