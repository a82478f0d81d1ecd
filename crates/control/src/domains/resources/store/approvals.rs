//! Approval policies, and the approvals that operations need.

use chrono::{DateTime, Utc};
use marquee_clouds::ActionName;
use marquee_db::{DbError, Org, Row, System, Tx};
use marquee_types::{ApprovalPolicyId, OperationId, OrganizationId, Role, UserId, filter::checked::Filter};
use serde_json::Value;
use uuid::Uuid;

use super::{
    super::wire::{Approval, ApprovalNeeded, ApprovalPolicy, Decision},
    filter,
};
use crate::http::filter::Statement;

const CREATE: &str = "
    INSERT INTO approval_policies (organization_id, id, name, actions, filter, approver_role, expires_after_seconds,
                                   created_by, created_at)
    VALUES (current_organization(), $1, $2, $3, $4, $5, $6, $7, $8)";

const PAGE: &str = "
    SELECT id, name, actions, filter, approver_role, expires_after_seconds, created_by, created_at
      FROM approval_policies
     WHERE organization_id = current_organization() AND ($1::uuid IS NULL OR id > $1)
     ORDER BY id LIMIT $2";

const ONE: &str = "
    SELECT id, name, actions, filter, approver_role, expires_after_seconds, created_by, created_at
      FROM approval_policies WHERE organization_id = current_organization() AND id = $1";

const DELETE: &str =
    "DELETE FROM approval_policies WHERE organization_id = current_organization() AND id = $1 RETURNING true";

const COUNT: &str = "SELECT count(*) FROM approval_policies WHERE organization_id = current_organization()";

const REQUEST: &str = "
    INSERT INTO operation_approvals (organization_id, operation_id, policies, approver_role, requester, created_at,
                                     expires_at)
    VALUES (current_organization(), $1, $2, $3, $4, $5, $6)";

const FIND: &str = "
    SELECT operation_id, policies, approver_role, requester, created_at, expires_at, decision, decided_by, decided_at,
           reason
      FROM operation_approvals WHERE organization_id = current_organization() AND operation_id = $1";

const DECIDE: &str = "
    UPDATE operation_approvals SET decision = $2, decided_by = $3, decided_at = $4, reason = $5
     WHERE organization_id = current_organization() AND operation_id = $1 AND decision IS NULL";

// What is open and whose operation no longer awaits it was cancelled meanwhile: it is closed by the one that looks.
const OVERDUE: &str = "
    SELECT organization_id, operation_id FROM operation_approvals
     WHERE decision IS NULL AND expires_at <= $1 ORDER BY expires_at LIMIT 100";

/// Something as an approval policy's filter looks at it: a resource as it is, or as it is wished.
#[derive(Debug, Clone)]
pub struct Subject {
    pub id: Option<Uuid>,
    pub provider_id: Uuid,
    pub kind: &'static str,
    pub state: &'static str,
    pub native_id: Option<String>,
    pub name: String,
    pub region: String,
    pub zone: Option<String>,
    pub size: Option<String>,
    pub vcpus: Option<i64>,
    pub memory_mib: Option<i64>,
    pub created_at: Option<DateTime<Utc>>,
    pub valid_from: Option<DateTime<Utc>>,
    pub tags: Value,
}

/// Stores a policy; breaks `approval_policies_name_unique` if there is one of that name.
pub async fn create(tx: &mut Tx<Org>, policy: &ApprovalPolicy) -> Result<(), DbError> {
    let actions: Vec<&str> = policy.actions.iter().map(|action| action.as_str()).collect();
    tx.execute(
        CREATE,
        &[
            &policy.id.uuid(),
            &policy.name,
            &actions,
            &policy.filter,
            &policy.approver_role.as_str(),
            &policy.expires_after_seconds,
            &policy.created_by,
            &policy.created_at,
        ],
    )
    .await
    .map(drop)
}

/// How many policies there are.
pub async fn count(tx: &mut Tx<Org>) -> Result<i64, DbError> {
    Ok(tx.query_one(COUNT, &[]).await?.get(0))
}

/// Policies in the order of their making.
pub async fn page(
    tx: &mut Tx<Org>,
    after: Option<ApprovalPolicyId>,
    limit: i64,
) -> Result<Vec<ApprovalPolicy>, DbError> {
    let rows = tx.query(PAGE, &[&after.map(ApprovalPolicyId::uuid), &limit]).await?;
    Ok(rows.iter().map(policy).collect())
}

/// One policy.
pub async fn one(tx: &mut Tx<Org>, id: ApprovalPolicyId) -> Result<Option<ApprovalPolicy>, DbError> {
    Ok(tx.query_opt(ONE, &[&id.uuid()]).await?.as_ref().map(policy))
}

/// Removes a policy; whether there was one.
pub async fn delete(tx: &mut Tx<Org>, id: ApprovalPolicyId) -> Result<bool, DbError> {
    Ok(tx.query_opt(DELETE, &[&id.uuid()]).await?.is_some())
}

/// Whether a filter holds for a subject: asked of the database, so that it means what it means in lists.
pub async fn holds(tx: &mut Tx<Org>, filter: &Filter, subject: &Subject) -> Result<bool, DbError> {
    let subject = subject.clone();
    let mut statement = Statement::new("SELECT true FROM (SELECT ");
    statement.bind(subject.id, "uuid").push(" AS id, ");
    statement.bind(subject.provider_id, "uuid").push(" AS provider_id, ");
    statement.bind(subject.kind, "text").push(" AS kind, ");
    statement.bind(subject.state, "text").push(" AS state, ");
    statement.bind(subject.native_id, "text").push(" COLLATE \"C\" AS native_id, ");
    statement.bind(subject.name, "text").push(" COLLATE \"C\" AS name, ");
    statement.bind(subject.region, "text").push(" COLLATE \"C\" AS region, ");
    statement.bind(subject.zone, "text").push(" COLLATE \"C\" AS zone, ");
    statement.bind(subject.size, "text").push(" COLLATE \"C\" AS size, ");
    statement.bind(subject.vcpus, "bigint").push(" AS vcpus, ");
    statement.bind(subject.memory_mib, "bigint").push(" AS memory_mib, ");
    statement.bind(subject.created_at, "timestamptz").push(" AS created_at, ");
    statement.bind(subject.valid_from, "timestamptz").push(" AS valid_from, ");
    statement.bind(subject.tags, "jsonb").push(" AS tags) r WHERE ");
    statement.filter(filter, filter::AS_OF);
    let (sql, params) = statement.parts();
    Ok(!tx.query_dynamic(sql, &params).await?.is_empty())
}

/// Writes down that an operation needs an approval.
pub async fn request(
    tx: &mut Tx<Org>,
    operation: OperationId,
    needed: &ApprovalNeeded,
    requester: UserId,
    times: (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), DbError> {
    tx.execute(
        REQUEST,
        &[
            &operation.uuid(),
            &needed.policies,
            &needed.approver_role.as_str(),
            &requester.uuid(),
            &times.0,
            &times.1,
        ],
    )
    .await
    .map(drop)
}

/// The approval that an operation needs.
pub async fn find(tx: &mut Tx<Org>, operation: OperationId) -> Result<Option<Approval>, DbError> {
    Ok(tx.query_opt(FIND, &[&operation.uuid()]).await?.as_ref().map(approval))
}

/// Writes down what was decided; whether it was open.
pub async fn decide(
    tx: &mut Tx<Org>,
    operation: OperationId,
    decision: Decision,
    by: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let decided = tx.execute(DECIDE, &[&operation.uuid(), &decision.as_str(), &by, &now, &reason]).await?;
    Ok(decided == 1)
}

/// Requests that nobody decided in time, of all organizations.
pub async fn overdue(
    tx: Tx<System>,
    now: DateTime<Utc>,
) -> Result<Vec<(OrganizationId, OperationId)>, DbError> {
    let rows = tx.read(OVERDUE, &[&now]).await?;
    Ok(rows.iter().map(|row| (row.get::<_, Uuid>(0).into(), row.get::<_, Uuid>(1).into())).collect())
}

fn policy(row: &Row) -> ApprovalPolicy {
    let actions: Vec<String> = row.get(2);
    ApprovalPolicy {
        id: row.get::<_, Uuid>(0).into(),
        name: row.get(1),
        actions: actions.iter().filter_map(|action| action.parse::<ActionName>().ok()).collect(),
        filter: row.get(3),
        approver_role: role(row, 4),
        expires_after_seconds: row.get(5),
        created_by: row.get(6),
        created_at: row.get(7),
    }
}

fn approval(row: &Row) -> Approval {
    Approval {
        operation_id: row.get::<_, Uuid>(0).into(),
        policies: row.get(1),
        approver_role: role(row, 2),
        requester: row.get::<_, Uuid>(3).into(),
        created_at: row.get(4),
        expires_at: row.get(5),
        decision: row.get::<_, Option<&str>>(6).and_then(|word| word.parse().ok()),
        decided_by: row.get(7),
        decided_at: row.get(8),
        reason: row.get(9),
    }
}

/// A role of a newer build that this one does not know is taken for the highest.
fn role(row: &Row, column: usize) -> Role {
    row.get::<_, &str>(column).parse().unwrap_or(Role::Owner)
}
