//! The right to work on one job, for as long as nobody else was given it.
//!
//! A lease ends when its worker is silent for too long; the worker may not know. So whatever it writes, it
//! writes in a transaction that first proves the lease: [`Lease::hold`]. A worker that comes back late finds
//! its transaction refused, and what the new holder did stands.

use marquee_db::{DbError, Org, Tx};
use marquee_types::{JobId, OrganizationId};
use uuid::Uuid;

use crate::failure;

const HOLD: &str = "SELECT hold_lease($1, $2, $3)";

/// One claim of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub(crate) organization: OrganizationId,
    pub(crate) job: JobId,
    /// The fencing token: new with every claim of the job. Compared with the row's, never with another token, so
    /// it need not grow; it must only never come again.
    pub(crate) token: i64,
}

impl Lease {
    /// Fails unless this lease is still held; if it is, nobody can take it before the transaction ends.
    pub async fn hold(&self, tx: &mut Tx<Org>) -> Result<(), DbError> {
        let (organization, job) = self.keys();
        tx.query(HOLD, &[&organization, &job, &self.token]).await.map(drop)
    }

    /// As [`Lease::hold`], but the proof travels with the commit and costs no wait of its own.
    pub fn hold_at_commit(&self, tx: &mut Tx<Org>) {
        let (organization, job) = self.keys();
        tx.before_commit(HOLD, vec![Box::new(organization), Box::new(job), Box::new(self.token)]);
    }

    /// The primary key of the job.
    pub(crate) fn keys(&self) -> (Uuid, Uuid) {
        (self.organization.uuid(), self.job.uuid())
    }
}

/// Whether a transaction failed because the lease was lost.
pub fn lease_was_lost(error: &DbError) -> bool {
    failure::is_lost(error)
}
