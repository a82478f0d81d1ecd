//! Who has a resource in hand, and which resources are protected.

use chrono::{DateTime, Utc};
use marquee_db::{DbError, Org, Tx};
use marquee_types::{OperationId, ResourceId};
use uuid::Uuid;

use super::super::wire::Protection;

const CLAIM: &str = "
    INSERT INTO resource_claims (organization_id, resource_id, operation_id, held, created_at)
    VALUES (current_organization(), $1, $2, true, $3)
    ON CONFLICT (organization_id, resource_id) WHERE held DO NOTHING";

// Locked: whoever holds it cannot let go before the one that waits is written down, or would not see it.
const HOLDER: &str = "SELECT operation_id FROM resource_claims WHERE resource_id = $1 AND held FOR SHARE";

const WAIT: &str = "
    INSERT INTO resource_claims (organization_id, resource_id, operation_id, held, created_at)
    VALUES (current_organization(), $1, $2, false, $3)";

const LET_GO: &str = "DELETE FROM resource_claims WHERE operation_id = $1 RETURNING resource_id, held";

// Locked before it is chosen: one that is just being given up is passed over, and the next one is chosen.
const NEXT: &str = "
    UPDATE resource_claims c SET held = true
     WHERE c.resource_id = $1
       AND c.operation_id = (SELECT operation_id FROM resource_claims
                              WHERE resource_id = $1 AND NOT held ORDER BY created_at, operation_id LIMIT 1
                                FOR UPDATE)
    RETURNING operation_id";

const TAKE_UP: &str = "
    UPDATE resource_claims c SET held = true
     WHERE c.operation_id = $1 AND NOT c.held
       AND NOT EXISTS (SELECT FROM resource_claims other WHERE other.resource_id = c.resource_id AND other.held)";

const WAITS: &str = "SELECT true FROM resource_claims WHERE operation_id = $1 AND NOT held LIMIT 1";

const PROTECT: &str = "
    INSERT INTO resource_protections (organization_id, resource_id, reason, protected_by, created_at)
    VALUES (current_organization(), $1, $2, $3, $4)
    ON CONFLICT (organization_id, resource_id) DO UPDATE
       SET reason = excluded.reason, protected_by = excluded.protected_by, created_at = excluded.created_at";

const LIFT: &str = "DELETE FROM resource_protections WHERE resource_id = $1 RETURNING true";

const PROTECTION: &str =
    "SELECT reason, protected_by, created_at FROM resource_protections WHERE resource_id = $1";

/// Takes a resource in hand for an operation; the one that has it already, if another has.
pub async fn claim(
    tx: &mut Tx<Org>,
    resource: ResourceId,
    operation: OperationId,
    now: DateTime<Utc>,
) -> Result<Option<OperationId>, DbError> {
    loop {
        if tx.execute(CLAIM, &[&resource.uuid(), &operation.uuid(), &now]).await? == 1 {
            return Ok(None);
        }
        // The one that stood in the way may have let go by now: then there is room for ours.
        if let Some(row) = tx.query_opt(HOLDER, &[&resource.uuid()]).await? {
            return Ok(Some(OperationId::from(row.get::<_, Uuid>(0))));
        }
    }
}

/// Lets an operation wait for a resource.
pub async fn wait(
    tx: &mut Tx<Org>,
    resource: ResourceId,
    operation: OperationId,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.execute(WAIT, &[&resource.uuid(), &operation.uuid(), &now]).await.map(drop)
}

/// Lets go of whatever an operation has in hand or waits for; the operations that now have all they waited for.
pub async fn let_go(tx: &mut Tx<Org>, operation: OperationId) -> Result<Vec<OperationId>, DbError> {
    let mut handed: Vec<Uuid> = Vec::new();
    for row in tx.query(LET_GO, &[&operation.uuid()]).await? {
        if !row.get::<_, bool>(1) {
            continue;
        }
        let next = tx.query_opt(NEXT, &[&row.get::<_, Uuid>(0)]).await?;
        handed.extend(next.map(|row| row.get::<_, Uuid>(0)));
    }
    handed.sort();
    handed.dedup();
    let mut ready = Vec::new();
    for id in handed {
        let id = OperationId::from(id);
        if !waits(tx, id).await? {
            ready.push(id);
        }
    }
    Ok(ready)
}

/// Takes in hand whatever an operation waits for and nobody has; whether it still waits for something.
pub async fn take_up(tx: &mut Tx<Org>, operation: OperationId) -> Result<bool, DbError> {
    if !waits(tx, operation).await? {
        return Ok(false);
    }
    tx.execute(TAKE_UP, &[&operation.uuid()]).await?;
    waits(tx, operation).await
}

/// Whether an operation waits for a resource.
async fn waits(tx: &mut Tx<Org>, operation: OperationId) -> Result<bool, DbError> {
    Ok(tx.query_opt(WAITS, &[&operation.uuid()]).await?.is_some())
}

/// Protects a resource.
pub async fn protect(
    tx: &mut Tx<Org>,
    resource: ResourceId,
    reason: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    tx.execute(PROTECT, &[&resource.uuid(), &reason, &by, &now]).await.map(drop)
}

/// Lifts a protection; whether there was one.
pub async fn lift(tx: &mut Tx<Org>, resource: ResourceId) -> Result<bool, DbError> {
    Ok(tx.query_opt(LIFT, &[&resource.uuid()]).await?.is_some())
}

/// The protection of a resource, if it has one.
pub async fn protection(tx: &mut Tx<Org>, resource: ResourceId) -> Result<Option<Protection>, DbError> {
    let row = tx.query_opt(PROTECTION, &[&resource.uuid()]).await?;
    Ok(row.map(|row| Protection {
        resource_id: resource,
        reason: row.get(0),
        protected_by: row.get(1),
        created_at: row.get(2),
    }))
}
