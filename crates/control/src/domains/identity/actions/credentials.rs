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
use tokio_util::sync::CancellationToken;

use super::recent::Recent;
use crate::{
    domains::identity::{
        model::{Presented, RolePolicies, TokenHash, policy::PolicyError},
        store,
    },
    http::{Actor, Credential, Principal},
};

/// How long an answer of the database is believed.
pub const FRESH: TimeDelta = TimeDelta::seconds(5);
/// The most tokens remembered, some hundred bytes each.
const REMEMBERED: usize = 50_000;
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
    known: Recent<TokenHash, Answer>,
    seen: Mutex<HashMap<Credential, (OrganizationId, DateTime<Utc>)>>,
}

/// What the database said of a token.
#[derive(Debug, Clone)]
enum Answer {
    /// It is this actor's, until then.
    Actor(Arc<Actor>, DateTime<Utc>),
    /// It is nobody's.
    Nobody,
    /// The database did not say; those who waited are told, and it is asked again.
    Failed(Arc<DbError>),
}

/// Why somebody is not recognized.
#[derive(Debug, Clone)]
pub enum Stranger {
    /// The text is not a token.
    NoToken,
    /// A token that is nobody's, not or no longer.
    Unknown,
    /// A token that was somebody's until it expired.
    Expired,
    /// The database cannot say.
    Unasked(Arc<DbError>),
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
        let known = Recent::new(FRESH, REMEMBERED);
        let policies = RolePolicies::load()?;
        Ok(Self(Arc::new(Inner { db, clock, policies, known, seen: Mutex::default() })))
    }

    /// What each role may do.
    pub fn policies(&self) -> &RolePolicies {
        &self.0.policies
    }

    /// Who the token's holder is. Costs no query while the answer is fresh.
    pub async fn recognize(&self, token: &str) -> Result<Arc<Actor>, Stranger> {
        let presented = Presented::parse(token).ok_or(Stranger::NoToken)?;
        let now = self.0.clock.now();
        let answer = if let Some(answer) = self.0.known.get(presented.hash(), now) {
            answer
        } else {
            // Boxed, so that the many who need not ask do not carry the future of asking about.
            let ask = Box::pin(self.look_up(presented, now));
            self.0.known.get_or_ask(presented.hash(), now, ask, Answer::is_known).await
        };
        match answer {
            Answer::Actor(actor, ends_at) if now < ends_at => Ok(actor),
            Answer::Actor(..) => Err(Stranger::Expired),
            Answer::Nobody => Err(Stranger::Unknown),
            Answer::Failed(error) => Err(Stranger::Unasked(error)),
        }
    }

    /// Forgets what ended in this process, and tells the others. Call it after the commit.
    pub fn end(&self, ended: Ended) {
        self.0.forget(ended);
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
                Notice::Message(message) => match message.parse() {
                    Ok(ended) => self.0.forget(ended),
                    Err(()) => self.0.known.forget_all(),
                },
                Notice::Gap => self.0.known.forget_all(),
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

    async fn look_up(&self, presented: Presented, now: DateTime<Utc>) -> Answer {
        match self.0.find(presented).await {
            Ok(Some((actor, ends_at))) => {
                let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(actor.credential, (actor.organization, now));
                Answer::Actor(Arc::new(actor), ends_at)
            }
            Ok(None) => Answer::Nobody,
            Err(error) => Answer::Failed(Arc::new(error)),
        }
    }
}

impl Inner {
    fn forget(&self, ended: Ended) {
        match ended {
            Ended::Token(hash) => self.known.forget(&hash),
            Ended::Member(organization, user) => self.known.forget_if(|answer| match answer {
                Answer::Actor(actor, _) => actor.organization == organization && actor.user() == user,
                _ => false,
            }),
        }
    }

    async fn find(&self, presented: Presented) -> Result<Option<(Actor, DateTime<Utc>)>, DbError> {
        let tx = self.db.anonymous();
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

impl Answer {
    fn is_known(&self) -> bool {
        !matches!(self, Self::Failed(_))
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
