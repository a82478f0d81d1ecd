//! Ends the requests for approval that nobody decided in time, of all organizations.

use std::time::Duration;

use async_trait::async_trait;
use marquee_db::{DbError, OrgContext};
use marquee_jobs::{ApprovalOutcome, ReconcileContext, Reconciler, StepError, Summary, refuse_operation};
use marquee_types::{OperationId, OrganizationId, RequestId};
use serde_json::json;

use super::super::{store::approvals, wire::Decision};
use crate::{app::App, domains::audit};

/// The reconciler's name.
const NAME: &str = "approval_expiry";

/// Looks which requests are over, and cancels their operations.
#[derive(Debug)]
pub struct ApprovalExpiry {
    app: App,
}

impl ApprovalExpiry {
    /// With everything the application has.
    pub fn new(app: App) -> Self {
        Self { app }
    }

    async fn expire(&self, organization: OrganizationId, operation: OperationId) -> Result<(), DbError> {
        let by = format!("worker:{NAME}");
        let context = OrgContext {
            organization,
            actor: by.clone(),
            credential: None,
            request_id: RequestId::new().to_string(),
            address: None,
        };
        let mut tx = self.app.db.org(&context)?;
        let error = json!({ "code": "approval_expired", "detail": "Nobody approved it in time." });
        let decision = match refuse_operation(&mut tx, operation, error).await? {
            ApprovalOutcome::Accepted => Decision::Expired,
            // It was cancelled, and its end has not come to the request.
            ApprovalOutcome::Refused(_) | ApprovalOutcome::NotFound => Decision::Withdrawn,
        };
        if approvals::decide(&mut tx, operation, decision, &by, None, self.app.clock.now()).await? {
            audit::record(&mut tx, audit::Entry::allowed("operations.expire").target("operation", operation));
        }
        tx.commit().await
    }
}

#[async_trait]
impl Reconciler for ApprovalExpiry {
    fn name(&self) -> &'static str {
        NAME
    }

    fn period(&self) -> Duration {
        Duration::from_secs(15)
    }

    async fn reconcile(&self, ctx: &ReconcileContext) -> Result<Summary, StepError> {
        let mut expired = 0;
        loop {
            let tx = ctx.db.system("resources: find requests for approval that are over");
            let overdue = approvals::overdue(tx, ctx.clock.now()).await?;
            if overdue.is_empty() || ctx.stopping.is_cancelled() {
                return Ok(json!({ "expired": expired }));
            }
            for (organization, operation) in overdue {
                self.expire(organization, operation).await?;
                expired += 1;
            }
        }
    }
}
