//! Rate limits: GCRA per credential and per organization, for each class of routes.
//!
//! A request counts against its credential and against its organization; a caller not yet known counts by
//! address. The answer's `RateLimit` headers speak of the limit nearest to being reached.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, QuantaClock, QuantaInstant},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::{
    actor::{Actor, Credential},
    endpoint::RateClass,
};
use crate::fault::Fault;

type Keyed = RateLimiter<Key, DashMapStateStore<Key>, QuantaClock, StateInformationMiddleware>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Credential(Uuid),
    Organization(Uuid),
    Address(IpAddr),
}

/// Requests a minute, per class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Rates {
    /// Reads of Marquee's own data.
    pub read: NonZeroU32,
    /// Changes to Marquee's own data.
    pub write: NonZeroU32,
    /// Requests that call a cloud before they are answered.
    pub cloud: NonZeroU32,
    /// Attempts to log in, per address.
    pub login: NonZeroU32,
}

impl Rates {
    fn of(&self, class: RateClass) -> NonZeroU32 {
        match class {
            RateClass::Read => self.read,
            RateClass::Write => self.write,
            RateClass::Cloud => self.cloud,
            RateClass::Login => self.login,
        }
    }
}

/// An organization may send this many times what one of its credentials may.
pub const ORGANIZATION_FACTOR: u32 = 4;

/// The limiters of this process.
#[derive(Clone)]
pub struct Limits {
    classes: Arc<[Class; 4]>,
    clock: QuantaClock,
}

struct Class {
    name: &'static str,
    per_minute: NonZeroU32,
    each: Keyed,
    organizations: Keyed,
}

/// What the answer says of the limit.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    class: &'static str,
    per_minute: u32,
    remaining: u32,
}

impl Limits {
    /// Limiters with these rates.
    pub fn new(rates: &Rates) -> Self {
        let clock = QuantaClock::default();
        let classes = RateClass::ALL.map(|class| {
            let per_minute = rates.of(class);
            let whole = per_minute.saturating_mul(NonZeroU32::MIN.saturating_add(ORGANIZATION_FACTOR - 1));
            Class {
                name: class.as_str(),
                per_minute,
                each: keyed(per_minute, &clock),
                organizations: keyed(whole, &clock),
            }
        });
        Self { classes: Arc::new(classes), clock }
    }

    /// Counts one request of a known caller.
    pub fn check(&self, class: RateClass, actor: &Actor) -> Result<Standing, Fault> {
        let class = self.class(class);
        let credential = match actor.credential {
            Credential::Session(id) => id.uuid(),
            Credential::ApiKey(id) => id.uuid(),
        };
        let own = self.count(&class.each, Key::Credential(credential))?;
        let whole = self.count(&class.organizations, Key::Organization(actor.organization.uuid()))?;
        Ok(Standing { class: class.name, per_minute: class.per_minute.get(), remaining: own.min(whole) })
    }

    /// Counts one request of somebody unknown.
    pub fn check_address(&self, class: RateClass, address: Option<IpAddr>) -> Result<Standing, Fault> {
        let class = self.class(class);
        let address = address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let remaining = self.count(&class.each, Key::Address(address))?;
        Ok(Standing { class: class.name, per_minute: class.per_minute.get(), remaining })
    }

    /// Forgets callers whose limits are full again; called now and then so that memory stays bounded.
    pub fn forget_idle(&self) {
        for class in self.classes.iter() {
            class.each.retain_recent();
            class.organizations.retain_recent();
        }
    }

    fn class(&self, class: RateClass) -> &Class {
        &self.classes[class as usize]
    }

    fn count(&self, limiter: &Keyed, key: Key) -> Result<u32, Fault> {
        match limiter.check_key(&key) {
            Ok(snapshot) => Ok(snapshot.remaining_burst_capacity()),
            Err(not_until) => {
                let now: QuantaInstant = self.clock.now();
                Err(Fault::Limited {
                    retry_after: not_until.wait_time_from(now).max(Duration::from_millis(1)),
                })
            }
        }
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").finish_non_exhaustive()
    }
}

impl Standing {
    /// Writes `RateLimit` and `RateLimit-Policy` (IETF draft 10).
    pub fn write(&self, headers: &mut HeaderMap) {
        let policy = format!("\"{}\";q={};w=60", self.class, self.per_minute);
        let state = format!("\"{}\";r={};t=60", self.class, self.remaining);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

fn keyed(per_minute: NonZeroU32, clock: &QuantaClock) -> Keyed {
    RateLimiter::dashmap_with_clock(Quota::per_minute(per_minute), clock.clone())
        .with_middleware::<StateInformationMiddleware>()
}
