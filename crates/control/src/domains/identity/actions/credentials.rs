//! Recognizing a caller by their token, tens of thousands of times a second.
//!
//! A token is looked up once in [`FRESH`]; between, it is answered from memory without a query. What ends a
//! credential (log-out, a revoked key, a removed member, a changed role) also tells every process over the
//! notices of the database, which drop it at once. A notice may be lost: then the credential ends when its entry
//! is no longer fresh. So nobody is recognized longer than [`FRESH`] after their end, whatever happens.
//!
//! Callers of one token that arrive while it is being looked up wait for that one look-up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_db::{Db, DbError, Notice};
use marquee_types::{Clock, OrganizationId, UserId};
use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use crate::{
    domains::{
        audit::SecurityEvents,
        identity::{
            model::{Presented, RolePolicies, TokenHash, policy::PolicyError},
            store,
        },
    },
    fault::Fault,
    http::{Actor, Credential, Principal, RequestMeta},
};

/// How long an answer of the database is believed.
pub const FRESH: TimeDelta = TimeDelta::seconds(5);
/// The most tokens remembered; beyond, the least used are looked up each time.
const REMEMBERED: u64 = 50_000;
/// The channel on which processes tell each other of ended credentials.
const CHANNEL: &str = "credentials";

/// Recognizes callers. One per process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Credentials(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    policies: RolePolicies,
    known: Cache<TokenHash, Known>,
    seen: Mutex<HashMap<Credential, (OrganizationId, DateTime<Utc>)>>,
    unknown_callers: SecurityEvents,
}

/// What the database said of a token, and when.
#[derive(Debug, Clone)]
struct Known {
    at: DateTime<Utc>,
    answer: Answer,
}

#[derive(Debug, Clone)]
enum Answer {
    /// It is this actor's, until then.
    Actor(Arc<Actor>, DateTime<Utc>),
    /// It is nobody's.
    Nobody,
    /// The database did not say; not remembered.
    Failed(Arc<DbError>),
}

/// A credential that ended, as processes tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// One session or key.
    Token(TokenHash),
    /// All of one member, or what they may do has changed.
    Member(OrganizationId, UserId),
}

impl Credentials {
    /// Compiles the role policies and starts with nothing remembered.
    pub fn new(db: Db, clock: Clock) -> Result<Self, PolicyError> {
        let known = Cache::builder().max_capacity(REMEMBERED).support_invalidation_closures().build();
        let policies = RolePolicies::load()?;
        let (seen, unknown_callers) = (Mutex::default(), SecurityEvents::default());
        Ok(Self(Arc::new(Inner { db, clock, policies, known, seen, unknown_callers })))
    }

    /// What each role may do.
    pub fn policies(&self) -> &RolePolicies {
        &self.0.policies
    }

    /// Refusals of callers whom nobody knows.
    pub fn unknown_callers(&self) -> &SecurityEvents {
        &self.0.unknown_callers
    }

    /// Who the token's holder is, or 401.
    pub async fn authenticate(&self, meta: &RequestMeta, token: &str) -> Result<Arc<Actor>, Fault> {
        let inner = &self.0;
        let Some(presented) = Presented::parse(token) else {
            return Err(Fault::Unauthenticated("This is neither a session token nor an API key of Marquee."));
        };
        let now = inner.clock.now();
        let known = match inner.known.get(presented.hash()).await {
            Some(known) if known.is_fresh(now) => known,
            _ => self.look_up(presented, now).await,
        };
        match known.answer {
            Answer::Actor(actor, ends_at) if now < ends_at => Ok(actor),
            Answer::Actor(..) => {
                Err(Fault::Unauthenticated("The session or API key has expired. Log in again."))
            }
            Answer::Nobody => {
                self.0.unknown_callers.note(&inner.db, "credentials.unknown", meta, None).await;
                Err(Fault::Unauthenticated("The session or API key is unknown, has ended or was revoked."))
            }
            Answer::Failed(error) => Err(unavailable(&error)),
        }
    }

    /// Forgets what ended in this process, and tells the others. Call it after the commit.
    pub fn end(&self, ended: Ended) {
        self.0.db.notices().publish(CHANNEL, &ended.to_string());
    }

    /// Drops what other processes (and this one) say has ended, until told to stop.
    pub async fn listen(self, stop: CancellationToken) {
        let mut notices = self.0.db.notices().subscribe(CHANNEL);
        loop {
            let notice = tokio::select! {
                () = stop.cancelled() => return,
                notice = notices.recv() => notice,
            };
            match notice {
                Notice::Message(message) => self.forget(&message).await,
                Notice::Gap => self.0.known.invalidate_all(),
            }
        }
    }

    /// Writes down when sessions and keys were last used. To be called about once a minute and at the end.
    pub async fn write_last_used(&self) -> Result<u64, DbError> {
        let seen = std::mem::take(&mut *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.is_empty() {
            return Ok(0);
        }
        let written = store::credentials::write_last_used(&self.0.db, &seen).await;
        if written.is_err() {
            let mut current = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (credential, last) in seen {
                current.entry(credential).or_insert(last);
            }
        }
        written
    }

    async fn forget(&self, message: &str) {
        match message.parse() {
            Ok(Ended::Token(hash)) => self.0.known.invalidate(&hash).await,
            Ok(Ended::Member(organization, user)) => {
                let is_theirs = move |_: &TokenHash, known: &Known| match &known.answer {
                    Answer::Actor(actor, _) => actor.organization == organization && actor.user() == user,
                    _ => false,
                };
                if self.0.known.invalidate_entries_if(is_theirs).is_err() {
                    self.0.known.invalidate_all();
                }
            }
            Err(()) => {
                tracing::warn!("a notice about credentials cannot be read; forgetting all of them");
                self.0.known.invalidate_all();
            }
        }
    }

    async fn look_up(&self, presented: Presented, now: DateTime<Utc>) -> Known {
        let inner = &self.0;
        let ask = async {
            let answer = match inner.find(presented).await {
                Ok(Some((actor, ends_at))) => Answer::Actor(Arc::new(actor), ends_at),
                Ok(None) => Answer::Nobody,
                Err(error) => Answer::Failed(Arc::new(error)),
            };
            Known { at: now, answer }
        };
        let entry =
            inner.known.entry(*presented.hash()).or_insert_with_if(ask, |known| !known.is_fresh(now)).await;
        let known = entry.into_value();
        if let Answer::Actor(actor, _) = &known.answer {
            let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(actor.credential, (actor.organization, now));
        }
        known
    }
}

impl Inner {
    async fn find(&self, presented: Presented) -> Result<Option<(Actor, DateTime<Utc>)>, DbError> {
        let tx = self.db.anonymous().await?;
        match presented {
            Presented::Session(hash) => {
                let Some(found) = store::credentials::find_session(tx, &hash).await? else { return Ok(None) };
                let actor = Actor {
                    organization: found.organization,
                    principal: Principal::User { id: found.user },
                    credential: Credential::Session(found.id),
                    role: found.role,
                    permissions: self.policies.of(found.role),
                };
                Ok(Some((actor, found.ends_at)))
            }
            Presented::ApiKey(id, hash) => {
                let found = store::credentials::find_api_key(tx, id).await?;
                let Some(found) = found.filter(|found| hash.matches(&found.secret_hash)) else {
                    return Ok(None);
                };
                let actor = Actor {
                    organization: found.organization,
                    principal: Principal::ApiKey { id, creator: found.creator },
                    credential: Credential::ApiKey(id),
                    role: found.role,
                    permissions: self.policies.of_key(found.role, found.scopes),
                };
                Ok(Some((actor, found.expires_at)))
            }
        }
    }
}

impl Known {
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let age = now - self.at;
        age < FRESH && age > -FRESH && !matches!(self.answer, Answer::Failed(_))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(hash) => write!(f, "token {hash}"),
            Self::Member(organization, user) => write!(f, "member {organization} {user}"),
        }
    }
}

impl std::str::FromStr for Ended {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<_> = text.split(' ').collect();
        match words.as_slice() {
            ["token", hash] => {
                let bytes = hex::decode(hash).map_err(|_| ())?;
                TokenHash::from_bytes(&bytes).map(Self::Token).ok_or(())
            }
            ["member", organization, user] => {
                Ok(Self::Member(organization.parse().map_err(|_| ())?, user.parse().map_err(|_| ())?))
            }
            _ => Err(()),
        }
    }
}

/// Several callers may have waited for the one look-up that failed, so its error is shared.
fn unavailable(error: &DbError) -> Fault {
    tracing::warn!(%error, "a caller could not be looked up");
    Fault::Unavailable {
        detail: "Who you are cannot be checked just now. Nothing was changed; ask again.".to_owned(),
        retry_after: std::time::Duration::from_secs(2),
    }
}

#[cfg(test)]
mod tests {
    use crate::domains::identity::model::Minted;

    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let token = Ended::Token(Minted::session().hash);
        let member = Ended::Member(OrganizationId::new(), UserId::new());
        for ended in [token, member] {
            assert_eq!(ended.to_string().parse(), Ok(ended));
        }
        for text in ["", "token", "token 00", "member org_1 usr_2", "all"] {
            assert_eq!(text.parse::<Ended>(), Err(()), "{text}");
        }
    }
}
