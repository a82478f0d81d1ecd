//! PostgreSQL for Marquee: who may see which row, how few waits a request costs, and where the server comes from.
//!
//! The rules, each enforced here and nowhere else:
//!
//! 1. **No SQL without a transaction that knows its tenant.** [`Db::org`] gives a [`Tx`] of one organization,
//!    [`Db::system`] one of a worker that acts across organizations, [`Db::anonymous`] one of a caller nobody
//!    knows yet. The pools are private; there is no fourth way.
//! 2. **Row level security does the separating**, not `WHERE` clauses. The application's login owns nothing and
//!    is refused at connect if PostgreSQL would exempt it.
//! 3. **A request waits once.** BEGIN, the settings, the statement and COMMIT of a read are one write and one
//!    answer ([`Tx::read`]); see docs/decisions/0001-database-access.md for what that is worth.
//! 4. **A connection is lent again only when its last transaction is known to be over**, however that ended: a
//!    commit, an error, a dropped future, a dead server.
//! 5. **Nothing is notified inside a business transaction**; [`Notices`] does it afterwards.
//!
//! Reading order: `context` (for whom), [`Db`], `tx` (the phases of a transaction), `wire` (what is sent together),
//! `connection` (what a session is allowed), [`migrate`] and [`provision`] (how a database comes to be),
//! [`embedded`] (a server of our own for who has none), [`Notices`], and behind the feature `testing` the databases
//! of the tests and the checks over all of them. A new table: docs/tenancy.md.

mod batch;
mod connect;
mod connection;
mod context;
mod db;
pub mod embedded;
mod error;
mod lanes;
pub mod migrate;
mod notices;
mod parameter;
pub mod provision;
mod scope;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tx;
mod wire;

pub use tokio_postgres::{
    Row,
    types::{FromSql, ToSql},
};

pub use crate::{
    batch::Batch,
    context::OrgContext,
    db::{DatabaseUrls, Db, PoolSizes},
    error::{ConstraintKind, DbError},
    notices::{Notice, Notices, Subscription},
    parameter::Params,
    scope::{Anonymous, Org, Scope, System},
    tx::Tx,
};
