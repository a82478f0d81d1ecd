//! Operations that change many resources, and those that change one for them.

use marquee_db::{DbError, Org, Tx};
use marquee_types::OperationId;
use uuid::Uuid;

const ADD: &str = "
    INSERT INTO bulk_changes (organization_id, operation_id, position, change_id)
    VALUES (current_organization(), $1, $2, $3)";

const CHANGE: &str = "
    SELECT change_id FROM bulk_changes
     WHERE organization_id = current_organization() AND operation_id = $1 AND position = $2";

const CHANGES: &str = "
    SELECT b.change_id FROM bulk_changes b
      JOIN operations o ON o.organization_id = b.organization_id AND o.id = b.change_id
     WHERE b.organization_id = current_organization() AND b.operation_id = $1 AND NOT o.done
     ORDER BY b.position";

const WAITS: &str = "
    SELECT operation_id, position FROM bulk_changes
     WHERE organization_id = current_organization() AND change_id = $1";

/// Writes down that an operation changes one resource for a step of another.
pub async fn add(
    tx: &mut Tx<Org>,
    operation: OperationId,
    position: i32,
    change: OperationId,
) -> Result<(), DbError> {
    tx.execute(ADD, &[&operation.uuid(), &position, &change.uuid()]).await.map(drop)
}

/// The operation that was started for a step.
pub async fn change(
    tx: &mut Tx<Org>,
    operation: OperationId,
    position: i32,
) -> Result<Option<OperationId>, DbError> {
    let row = tx.query_opt(CHANGE, &[&operation.uuid(), &position]).await?;
    Ok(row.map(|row| row.get::<_, Uuid>(0).into()))
}

/// Those that were started for an operation and are not done.
pub async fn open(tx: &mut Tx<Org>, operation: OperationId) -> Result<Vec<OperationId>, DbError> {
    let rows = tx.query(CHANGES, &[&operation.uuid()]).await?;
    Ok(rows.iter().map(|row| row.get::<_, Uuid>(0).into()).collect())
}

/// The step that waits for an operation, if one does.
pub async fn waits(tx: &mut Tx<Org>, change: OperationId) -> Result<Option<(OperationId, i32)>, DbError> {
    let row = tx.query_opt(WAITS, &[&change.uuid()]).await?;
    Ok(row.map(|row| (row.get::<_, Uuid>(0).into(), row.get(1))))
}
