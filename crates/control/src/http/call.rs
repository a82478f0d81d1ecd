//! What a handler is given: a permitted actor, the path, and the request's conditions.

use bytes::Bytes;
use http::{HeaderMap, Uri};
use marquee_db::{Anonymous, Org, Tx};
use marquee_types::{Permission, id::Id};

use super::{
    actor::{Actor, RequestMeta},
    decode::OnConflict,
};
use crate::{app::App, fault::Fault};

/// One request of an actor who may make it.
#[derive(Debug)]
pub struct Call {
    /// The application.
    pub app: App,
    /// Who calls.
    pub actor: std::sync::Arc<Actor>,
    /// The request's id and address.
    pub meta: RequestMeta,
    /// Whether nothing is to be changed: say what would happen.
    pub validate_only: bool,
    /// What to do while another operation has the thing in hand.
    pub on_conflict: OnConflict,
    /// The version that `If-Match` names.
    pub if_match: Option<i64>,
    /// The audit verb of a change's route; none of a read's.
    pub(super) action: Option<&'static str>,
    /// Marks the idempotency record as taken, in the transaction that makes the change.
    pub(super) idempotency: Option<super::idempotency::Reservation>,
    /// The values of the path's parameters.
    pub(super) path: Vec<(&'static str, String)>,
}

impl Call {
    /// The id in the path's parameter `id`. One that is not well-formed names nothing: 404.
    pub fn id<T: Id>(&self, what: &'static str) -> Result<T, Fault> {
        let text = self.param("id").ok_or(Fault::NotFound(what))?;
        text.parse().map_err(|_| Fault::NotFound(what))
    }

    /// The value of a path parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// The verb under which this change is audited; empty for a read.
    pub fn verb(&self) -> &'static str {
        self.action.unwrap_or_default()
    }

    /// Refuses unless the actor has one more permission than the route's own.
    pub fn require(&self, permission: Permission) -> Result<(), Fault> {
        self.actor.require(permission)
    }

    /// A transaction in the actor's organization to look at something before a change is begun: it is no part of the change, and
    /// marks no `Idempotency-Key`.
    pub fn look(&self) -> Result<Tx<Org>, Fault> {
        Ok(self.app.db.org(&self.actor.context(&self.meta))?)
    }

    /// A transaction in the actor's organization, for a read or a change. A change made under an
    /// `Idempotency-Key` marks the key as used when it commits.
    pub fn tx(&self) -> Result<Tx<Org>, Fault> {
        let mut tx = self.look()?;
        if let Some(action) = self.action {
            tx.for_call(action);
        }
        if let Some(reservation) = &self.idempotency {
            reservation.mark_committed(&mut tx);
        }
        Ok(tx)
    }
}

/// One request of anybody.
#[derive(Debug)]
pub struct PublicCall {
    /// The application.
    pub app: App,
    /// The request's id and address.
    pub meta: RequestMeta,
    /// `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
}

impl PublicCall {
    /// A transaction without an organization: only the look-ups made for it answer.
    pub fn tx(&self) -> Tx<Anonymous> {
        self.app.db.anonymous()
    }
}

/// The request as it came, already read whole.
#[derive(Debug)]
pub struct RawCall {
    /// Path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, within the route's limit.
    pub body: Bytes,
}
