//! Who somebody is and what they may do.
//!
//! An *organization* is the tenant. A *user* is a person who can log in; a person is one however many
//! organizations they belong to, so users are the one thing here that belongs to no organization. A *member* is a
//! user in one organization, with one *role*. A *session* is one log-in of one user to one organization; whoever
//! wants to act in another makes another session. An *API key* is the credential of a service: it belongs to an
//! organization, was made by a member, and may do what its *scopes* and its maker's present role both allow.
//!
//! # How callers are recognized
//! Sessions and keys are bearer tokens of 256 random bits, stored as SHA-256. [`Credentials`] looks a token up at
//! most once in five seconds and answers from memory between; what ends a credential is told to every process at
//! once, and believed by all of them within those five seconds even if telling fails. When a credential was last
//! used is gathered in memory and written about once a minute: recognizing a caller writes nothing.
//!
//! # How people log in
//! With e-mail and password (Argon2id, on blocking threads, a few at a time). A wrong password and an unknown
//! address get the same answer after the same work. Failures are counted by account and address together, so
//! that nobody can lock another out, and leave an entry in the audit log of the account's organization. A member
//! of several organizations says which; a member of one need not.
//!
//! # What they may do
//! Roles are Cedar policy text (`policies/`), compiled at load into one permission set each: see
//! [`model::policy`]. A key never manages keys or members, so that it cannot outlive its revocation. Owners are
//! made, changed and removed by owners only, and an organization keeps one. Whoever is removed takes their
//! sessions and keys with them; a person in no organization any more is forgotten.
//!
//! # Who sees users
//! The application's role sees, of the global table, the members of its own organization, and of those not the
//! password: a column grant and a policy by membership. What must be asked before any organization is known
//! (whose token is this, whose e-mail) are functions that run as their definer with a fixed search path, each
//! answering about the one row asked for. So are the changes to a person that an organization may cause:
//! adding one, forgetting one who belongs nowhere, and a person changing their own password. No organization can
//! change a person who belongs to another one too.

mod actions;
pub mod model;
mod routes;
mod store;
mod wire;
mod workers;

use std::{sync::Arc, time::Duration};

use marquee_db::Db;
use marquee_types::Clock;

pub use actions::{
    bootstrap::{Bootstrapped, NewOrganization, bootstrap},
    credentials::{Credentials, Stranger},
    passwords::Passwords,
};
pub use routes::routes;
pub use workers::{CleanUp, tend_credentials};

use crate::{
    app::App,
    fault::Fault,
    http::{Actor, RequestMeta},
};

/// What identity keeps in memory. One per process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    credentials: Credentials,
    passwords: Passwords,
    throttle: Arc<actions::throttle::Throttle>,
}

impl Identity {
    /// Compiles the role policies and starts with nothing remembered.
    pub fn new(db: Db, clock: Clock) -> Result<Self, model::policy::PolicyError> {
        let credentials = Credentials::new(db, clock)?;
        Ok(Self { credentials, passwords: Passwords::default(), throttle: Arc::default() })
    }

    /// Recognizes callers.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Hashes and verifies passwords.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    fn throttle(&self) -> &actions::throttle::Throttle {
        &self.throttle
    }
}

/// Who the token's holder is, or 401. Costs no query while the answer is fresh.
pub async fn authenticate(app: &App, meta: &RequestMeta, token: &str) -> Result<Arc<Actor>, Fault> {
    let stranger = match app.identity.credentials.recognize(token).await {
        Ok(actor) => return Ok(actor),
        Err(stranger) => stranger,
    };
    match stranger {
        Stranger::NoToken => {
            Err(Fault::Unauthenticated("This is neither a session token nor an API key of Marquee."))
        }
        Stranger::Expired => Err(Fault::Unauthenticated("The session or API key has expired. Log in again.")),
        Stranger::Unknown => {
            app.security_events.note(&app.db, "credential.unknown", meta, None).await;
            Err(Fault::Unauthenticated("The session or API key is unknown, has ended or was revoked."))
        }
        Stranger::Unasked(error) => {
            tracing::warn!(%error, "a caller could not be looked up");
            Err(Fault::Unavailable {
                detail: "Who you are cannot be checked just now. Nothing was changed; ask again.".to_owned(),
                retry_after: Duration::from_secs(2),
            })
        }
    }
}
