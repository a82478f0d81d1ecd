//! The operation routes.

use std::time::Duration;

use http::StatusCode;
use marquee_types::Permission;

use super::{
    actions, store,
    wire::{ListOperations, Operation, OperationDetail, PauseOperation, Wait},
};
use crate::{
    fault::Fault,
    http::{Call, Endpoint, NoBody, NoQuery, Page, Paging, Reply, filter::parse},
};

/// The longest a caller may wait in one request.
const LONGEST_WAIT: u64 = 60;

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    let read = Permission::OperationsRead;
    vec![
        Endpoint::get("operations.list", "/api/operations", read, list)
            .summary("List operations, newest first"),
        Endpoint::get("operations.get", "/api/operations/{id}", read, get)
            .summary("Show an operation and its steps"),
        Endpoint::get("operations.wait", "/api/operations/{id}/wait", read, wait)
            .summary("Wait until an operation has ended")
            .time_limit(Duration::from_secs(LONGEST_WAIT + 10)),
        Endpoint::post(
            "operations.cancel",
            "/api/operations/{id}/cancel",
            Permission::OperationsCancel,
            cancel,
        )
        .summary("Ask an operation to stop at its next step"),
        Endpoint::post("operations.pause", "/api/operations/{id}/pause", Permission::OperationsPause, pause)
            .summary("Ask an operation to pause at its next step"),
        Endpoint::post(
            "operations.resume",
            "/api/operations/{id}/resume",
            Permission::OperationsResume,
            resume,
        )
        .summary("Let a paused operation go on where it stopped"),
    ]
}

async fn list(call: Call, query: ListOperations) -> Result<Reply<Page<Operation>>, Fault> {
    let filter = parse(&store::SCHEMA, query.filter.as_deref())?;
    let text = filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), format!("operations\n{text}"))?;
    let items = store::list(call.tx()?, filter.as_ref(), paging.after, paging.fetch()).await?;
    Ok(Reply::new(paging.page(&call.app, items, |last: &Operation| last.id)?))
}

async fn get(call: Call, _: NoQuery) -> Result<Reply<OperationDetail>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(actions::get(&call, id).await?))
}

async fn wait(call: Call, query: Wait) -> Result<Reply<Operation>, Fault> {
    let seconds = query.timeout_seconds.unwrap_or(30);
    if seconds > LONGEST_WAIT {
        return Err(Fault::invalid("?timeout_seconds", format!("must be from 0 to {LONGEST_WAIT}")));
    }
    let id = call.id("operation")?;
    Ok(Reply::new(actions::wait(&call, id, Duration::from_secs(seconds)).await?))
}

async fn cancel(call: Call, _: NoBody) -> Result<Reply<Operation>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(actions::cancel(&call, id).await?).status(StatusCode::ACCEPTED))
}

async fn pause(call: Call, body: PauseOperation) -> Result<Reply<Operation>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(actions::pause(&call, id, &body.reason).await?).status(StatusCode::ACCEPTED))
}

async fn resume(call: Call, _: NoBody) -> Result<Reply<Operation>, Fault> {
    let id = call.id("operation")?;
    Ok(Reply::new(actions::resume(&call, id).await?).status(StatusCode::ACCEPTED))
}
