//! The routes of approval: the policies, and what is decided about an operation.

use marquee_types::Permission as P;
use serde_json::json;

use super::super::{
    actions::approvals,
    store,
    wire::{Approval, ApprovalPolicy, ApproveOperation, CreateApprovalPolicy, RejectOperation},
};
use crate::{
    fault::Fault,
    http::{Call, Endpoint, ListQuery, NoContent, NoQuery, Page, Paging, Reply},
};

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    const ALL: &str = "/api/approval-policies";
    const ONE: &str = "/api/approval-policies/{id}";
    vec![
        Endpoint::get("approval_policies.list", ALL, P::ApprovalPoliciesRead, list)
            .summary("List which changes need the approval of a second person"),
        Endpoint::post("approval_policies.create", ALL, P::ApprovalPoliciesManage, create)
            .summary("Have changes of some resources approved by a second person")
            .example(|| {
                json!({ "name": "production goes with two", "approver_role": "manager",
                    "actions": ["terminate_instance", "delete_database"], "filter": "tags.env = production" })
            })
            .validates()
            .creates(),
        Endpoint::get("approval_policies.get", ONE, P::ApprovalPoliciesRead, get)
            .summary("Show an approval policy"),
        Endpoint::delete("approval_policies.delete", ONE, P::ApprovalPoliciesManage, delete)
            .summary("Remove an approval policy; what awaits approval still does")
            .validates()
            .no_content(),
        Endpoint::get("operations.approval", "/api/operations/{id}/approval", P::OperationsRead, approval)
            .summary("Show who has to approve an operation, and what was decided"),
        Endpoint::post("operations.approve", "/api/operations/{id}/approve", P::OperationsApprove, approve)
            .summary("Approve an operation that somebody else asked for; it then begins"),
        Endpoint::post("operations.reject", "/api/operations/{id}/reject", P::OperationsApprove, reject)
            .summary("Refuse an operation that awaits approval; it ends without having begun"),
    ]
}

async fn list(call: Call, query: ListQuery) -> Result<Reply<Page<ApprovalPolicy>>, Fault> {
    let scope = "approval_policies".to_owned();
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), scope)?;
    let found = store::approvals::page(&mut call.tx()?, paging.after, paging.fetch()).await?;
    paging.page(&call.app, found, |policy| policy.id).map(Reply::new)
}

async fn create(call: Call, body: CreateApprovalPolicy) -> Result<Reply<ApprovalPolicy>, Fault> {
    let created = approvals::create(&call, body).await?;
    let path = format!("/api/approval-policies/{}", created.id);
    Ok(Reply::new(created).location(&path))
}

async fn get(call: Call, _: NoQuery) -> Result<Reply<ApprovalPolicy>, Fault> {
    let found = store::approvals::one(&mut call.tx()?, call.id("approval policy")?).await?;
    Ok(Reply::new(found.ok_or(Fault::NotFound("approval policy"))?))
}

async fn delete(call: Call) -> Result<Reply<NoContent>, Fault> {
    approvals::delete(&call, call.id("approval policy")?).await?;
    Ok(Reply::new(NoContent))
}

async fn approval(call: Call, _: NoQuery) -> Result<Reply<Approval>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(approvals::find(&call, id).await?))
}

async fn approve(call: Call, body: ApproveOperation) -> Result<Reply<Approval>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(approvals::approve(&call, id, body).await?))
}

async fn reject(call: Call, body: RejectOperation) -> Result<Reply<Approval>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(approvals::reject(&call, id, body).await?))
}
