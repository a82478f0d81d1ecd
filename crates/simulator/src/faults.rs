//! What goes wrong: faults that are switched on and off, by the control API or the command line, and what they do to a
//! call.
//!
//! A [`Fault`] says what happens, where, how often and until when. A face asks [`Faults::on`] before it answers, once it
//! knows the call's account, region and operation, and says what happened in its vendor's words.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    face::FaceName,
    seed::{Seed, unit},
};

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Refused as too many calls, with or without a word on when to come again.
    Throttled {
        /// Seconds, for `Retry-After`.
        retry_after_seconds: Option<u64>,
    },
    /// Answered late, in real time.
    Slow {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// Never answered.
    Hanging,
    /// Answered with an error of the vendor's own making.
    Failing {
        /// 500 to 599.
        #[serde(default = "internal_error")]
        status: u16,
    },
    /// The connection ends in the middle of the answer.
    CutOff,
    /// Pages after the first fail.
    FailingPage,
    /// A page begins with the last item of the page before.
    DoubledItems,
    /// An item slips out between two pages.
    MissingItems,
    /// Pages are shorter than asked for, as vendors reserve for themselves.
    ShortPages {
        /// Items on a page, at most.
        items: usize,
    },
    /// What is made is not seen for a while: eventual consistency.
    Unseen {
        /// Seconds of simulated time.
        seconds: u64,
    },
    /// There is no capacity left for instances.
    NoCapacity {
        /// Only of this size.
        size: Option<String>,
    },
    /// A quota is used up.
    Quota {
        /// What may be had, in the vendor's unit (vCPUs, instances).
        #[serde(default)]
        limit: u64,
    },
    /// The credentials are not known any more.
    RevokedCredentials,
    /// The credentials are too old.
    ExpiredCredentials,
    /// The caller lacks permissions: these, or all but those excepted.
    Denied {
        /// What is denied, in the vendor's spelling; empty for everything.
        #[serde(default)]
        permissions: Vec<String>,
        /// What is not: with these alone, a caller has exactly one role.
        #[serde(default)]
        except: Vec<String>,
    },
    /// The region is lost: nothing in it answers.
    RegionLost,
    /// What runs there is not healthy.
    Unhealthy,
}

/// A fault, where it happens, how often and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub kind: Kind,
    /// Only to this vendor.
    pub face: Option<FaceName>,
    /// Only in this account.
    pub account: Option<String>,
    /// Only in this region.
    pub region: Option<String>,
    /// Only in this zone.
    pub zone: Option<String>,
    /// Only to this service.
    pub service: Option<String>,
    /// Only to this operation.
    pub operation: Option<String>,
    /// The share of calls it happens to; 1 unless said.
    #[serde(default = "always")]
    pub share: f64,
    /// How many calls it happens to before it is over.
    pub times: Option<u64>,
    /// When it is over, in simulated time.
    pub until: Option<DateTime<Utc>>,
}

/// A fault that is switched on.
#[derive(Debug, Clone, Serialize)]
pub struct Active {
    /// Its number.
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// To how many calls it has happened.
    pub happened: u64,
    /// How many calls it could have happened to.
    pub asked: u64,
}

/// Who calls what, as far as faults tell calls apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call<'a> {
    /// The vendor.
    pub face: Option<FaceName>,
    /// The account.
    pub account: &'a str,
    /// The region; empty or `global` for what lies in none.
    pub region: &'a str,
    /// The zone, if the call names one.
    pub zone: &'a str,
    /// The service: `ec2`, `Microsoft.Compute`, `compute`.
    pub service: &'a str,
    /// The operation: `RunInstances`, `virtualMachines_createOrUpdate`, `compute.instances.insert`.
    pub operation: &'a str,
    /// The permission it needs, in the vendor's spelling; empty for none.
    pub permission: &'a str,
    /// Whether it asks for a page after the first.
    pub later_page: bool,
}

/// What faults do to one call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// Answer later.
    pub delay: Duration,
    /// Never answer.
    pub hangs: bool,
    /// End the connection in the middle of the answer.
    pub cut: bool,
    /// Refuse.
    pub refusal: Option<Refusal>,
    /// What listings get wrong.
    pub lens: Lens,
    /// What is made is not seen before.
    pub unseen: TimeDelta,
    /// Zones and sizes without capacity.
    pub no_capacity: Vec<NoCapacity>,
    /// The quota there is.
    pub quota: Option<u64>,
    /// Where what runs is not healthy.
    pub unhealthy: bool,
}

/// Why a call is refused, whatever it asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// Too many calls.
    Throttled {
        /// Seconds until the next may come, if that is said.
        retry_after: Option<u64>,
    },
    /// An internal error, with its status.
    Failing(u16),
    /// The credentials are not known.
    Revoked,
    /// The credentials are too old.
    Expired,
    /// The caller lacks this permission.
    Denied(String),
    /// The region does not answer.
    RegionLost,
}

/// What a listing gets wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lens {
    /// Items come twice.
    pub doubles: bool,
    /// Items are left out.
    pub misses: bool,
    /// The most items on a page, whatever was asked for.
    pub most: Option<usize>,
}

/// Where there is no capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCapacity {
    /// In this zone, or in all.
    pub zone: Option<String>,
    /// Of this size, or of all.
    pub size: Option<String>,
}

/// A fault that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultError {
    /// A share that is none.
    #[error("share must be from 0 to 1")]
    Share,
    /// A status that is no failure of a server.
    #[error("status must be from 500 to 599")]
    Status,
    /// A time that is longer than a year.
    #[error("seconds and milliseconds must be at most a year")]
    Time,
    /// More than anyone switches on.
    #[error("at most {MOST} faults can be switched on")]
    TooMany,
}

/// A year in seconds.
const YEAR: u64 = 31_536_000;

/// Faults that can be on at once.
const MOST: usize = 1_000;

/// All faults that are switched on.
#[derive(Debug)]
pub struct Faults {
    seed: Seed,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    active: Vec<Active>,
}

impl Faults {
    /// None yet. Which calls a share of them hits follows from the seed.
    pub fn new(seed: Seed) -> Self {
        Self { seed, inner: Mutex::default() }
    }

    /// Switches a fault on and gives its number.
    pub fn add(&self, fault: Fault) -> Result<u64, FaultError> {
        if !(0.0..=1.0).contains(&fault.share) {
            return Err(FaultError::Share);
        }
        if matches!(fault.kind, Kind::Failing { status } if !(500..600).contains(&status)) {
            return Err(FaultError::Status);
        }
        let seconds = match fault.kind {
            Kind::Unseen { seconds } => seconds,
            Kind::Slow { milliseconds } => milliseconds / 1_000,
            Kind::Throttled { retry_after_seconds } => retry_after_seconds.unwrap_or(0),
            _ => 0,
        };
        if seconds > YEAR {
            return Err(FaultError::Time);
        }
        let mut inner = self.lock();
        if inner.active.len() >= MOST {
            return Err(FaultError::TooMany);
        }
        inner.last += 1;
        let id = inner.last;
        inner.active.push(Active { id, fault, happened: 0, asked: 0 });
        Ok(id)
    }

    /// Switches one off; false if it is not on.
    pub fn remove(&self, id: u64) -> bool {
        let mut inner = self.lock();
        let before = inner.active.len();
        inner.active.retain(|active| active.id != id);
        inner.active.len() < before
    }

    /// Switches all off.
    pub fn clear(&self) {
        self.lock().active.clear();
    }

    /// Those that are on.
    pub fn list(&self) -> Vec<Active> {
        self.lock().active.clone()
    }

    /// What happens to a call.
    pub fn on(&self, call: Call<'_>, now: DateTime<Utc>) -> Effects {
        let mut effects = Effects::default();
        let mut inner = self.lock();
        for active in &mut inner.active {
            if !active.concerns(call, now) {
                continue;
            }
            active.asked += 1;
            let roll = unit(self.seed.number(&["fault", &active.id.to_string(), &active.asked.to_string()]));
            if roll < active.fault.share {
                active.happened += 1;
                effects.add(&active.fault, call.permission);
            }
        }
        effects
    }

    /// Whether a permission is denied to callers of an account, for calls that tell what a caller may do.
    pub fn denies(&self, face: FaceName, account: &str, permission: &str, now: DateTime<Utc>) -> bool {
        let call = Call { face: Some(face), account, permission, ..Call::default() };
        self.denials(call, now).iter().any(|kind| kind.denies(permission) == Some(true))
    }

    /// What is denied to callers of an account in all of it: faults of the kind [`Kind::Denied`].
    pub fn denials(&self, of: Call<'_>, now: DateTime<Utc>) -> Vec<Kind> {
        let inner = self.lock();
        let denials = inner.active.iter().filter(|active| {
            let fault = &active.fault;
            let anywhere = [&fault.region, &fault.zone, &fault.service, &fault.operation]
                .iter()
                .all(|limit| limit.is_none());
            matches!(fault.kind, Kind::Denied { .. }) && anywhere && active.is_on(of, now)
        });
        denials.map(|active| active.fault.kind.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn concerns(&self, call: Call<'_>, now: DateTime<Utc>) -> bool {
        self.is_on(call, now) && self.fault.kind.denies(call.permission).unwrap_or(true)
    }

    /// Whether it is on for a call, whatever permission that needs.
    fn is_on(&self, call: Call<'_>, now: DateTime<Utc>) -> bool {
        let fault = &self.fault;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        // The zone of a lack of capacity is looked at by the face: a call may leave the choice of zone to the vendor.
        let zone = matches!(fault.kind, Kind::NoCapacity { .. }) || is(&fault.zone, call.zone);
        (fault.face.is_none() || fault.face == call.face)
            && is(&fault.account, call.account)
            && is(&fault.region, call.region)
            && zone
            && is(&fault.service, call.service)
            && is(&fault.operation, call.operation)
            && fault.until.is_none_or(|until| now < until)
            && fault.times.is_none_or(|times| self.happened < times)
            && (call.later_page || fault.kind != Kind::FailingPage)
    }
}

impl Kind {
    /// Whether a permission is denied; `None` for what denies nothing.
    fn denies(&self, permission: &str) -> Option<bool> {
        let Self::Denied { permissions, except } = self else { return None };
        let among = |listed: &[String]| listed.iter().any(|one| one.eq_ignore_ascii_case(permission));
        Some(!permission.is_empty() && (permissions.is_empty() || among(permissions)) && !among(except))
    }
}

impl Effects {
    fn add(&mut self, fault: &Fault, permission: &str) {
        match &fault.kind {
            Kind::Throttled { retry_after_seconds } => {
                self.refuse(Refusal::Throttled { retry_after: *retry_after_seconds });
            }
            Kind::Slow { milliseconds } => self.delay += Duration::from_millis(*milliseconds),
            Kind::Hanging => self.hangs = true,
            Kind::Failing { status } => self.refuse(Refusal::Failing(*status)),
            Kind::FailingPage => self.refuse(Refusal::Failing(500)),
            Kind::CutOff => self.cut = true,
            Kind::DoubledItems => self.lens.doubles = true,
            Kind::MissingItems => self.lens.misses = true,
            Kind::ShortPages { items } => {
                let items = (*items).max(1);
                self.lens.most = Some(self.lens.most.map_or(items, |other| other.min(items)));
            }
            Kind::Unseen { seconds } => {
                self.unseen = TimeDelta::seconds(i64::try_from(*seconds).unwrap_or(i64::MAX / 1_000));
            }
            Kind::NoCapacity { size } => {
                self.no_capacity.push(NoCapacity { zone: fault.zone.clone(), size: size.clone() });
            }
            Kind::Quota { limit } => {
                self.quota = Some(self.quota.map_or(*limit, |other| other.min(*limit)));
            }
            Kind::RevokedCredentials => self.refuse(Refusal::Revoked),
            Kind::ExpiredCredentials => self.refuse(Refusal::Expired),
            Kind::Denied { .. } => self.refuse(Refusal::Denied(permission.to_owned())),
            Kind::RegionLost => self.refuse(Refusal::RegionLost),
            Kind::Unhealthy => self.unhealthy = true,
        }
    }

    /// The first fault that was switched on decides.
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    /// Whether an instance of a size can be had in a zone.
    pub fn has_capacity(&self, zone: &str, size: &str) -> bool {
        !self.no_capacity.iter().any(|lack| {
            lack.zone.as_deref().is_none_or(|z| z == zone) && lack.size.as_deref().is_none_or(|s| s == size)
        })
    }
}

fn internal_error() -> u16 {
    500
}
fn always() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(fault: serde_json::Value) -> Faults {
        let faults = Faults::new(Seed(3));
        faults.add(serde_json::from_value(fault).unwrap()).unwrap();
        faults
    }

    fn call() -> Call<'static> {
        Call {
            face: Some(FaceName::Aws),
            account: "1",
            region: "eu-west-1",
            service: "ec2",
            ..Call::default()
        }
    }

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn a_fault_happens_only_where_and_as_often_as_it_says() {
        let faults = faults(json!({ "kind": "failing", "face": "aws", "region": "eu-west-1", "times": 2 }));
        assert_eq!(faults.on(Call { region: "us-east-1", ..call() }, NOW), Effects::default());
        assert_eq!(faults.on(call(), NOW).refusal, Some(Refusal::Failing(500)));
        assert_eq!(faults.on(call(), NOW).refusal, Some(Refusal::Failing(500)));
        assert_eq!(faults.on(call(), NOW).refusal, None);
    }

    #[test]
    fn a_share_of_calls_is_that_share() {
        let faults = faults(json!({ "kind": "throttled", "share": 0.1 }));
        let hit = (0..10_000).filter(|_| faults.on(call(), NOW).refusal.is_some()).count();
        assert!((900..1100).contains(&hit), "{hit}");
    }

    #[test]
    fn a_failing_page_spares_the_first() {
        let faults = faults(json!({ "kind": "failing_page" }));
        assert_eq!(faults.on(call(), NOW).refusal, None);
        assert!(faults.on(Call { later_page: true, ..call() }, NOW).refusal.is_some());
    }

    #[test]
    fn what_is_denied_is_denied_alone_or_all_but_what_is_excepted() {
        let denied = |fault: serde_json::Value, permission: &str| {
            let faults = faults(fault);
            let refusal = faults.on(Call { permission, ..call() }, NOW).refusal;
            assert_eq!(refusal.is_some(), faults.denies(FaceName::Aws, "1", permission, NOW), "{permission}");
            refusal.is_some()
        };
        let one = json!({ "kind": "denied", "permissions": ["ec2:DescribeVpcs"] });
        assert!(denied(one.clone(), "ec2:describevpcs") && !denied(one, "ec2:DescribeVolumes"));
        let role = json!({ "kind": "denied", "except": ["ec2:DescribeVpcs"] });
        assert!(!denied(role.clone(), "ec2:DescribeVpcs") && denied(role.clone(), "ec2:DescribeVolumes"));
        assert!(!denied(role, ""), "what needs no permission cannot lack one");
    }

    #[test]
    fn it_is_over_when_it_says() {
        let faults = faults(json!({ "kind": "hanging", "until": "1970-01-01T00:01:00Z" }));
        assert!(faults.on(call(), NOW).hangs);
        assert!(!faults.on(call(), NOW + TimeDelta::seconds(60)).hangs);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let faults = Faults::new(Seed(0));
        let fault = |value| serde_json::from_value::<Fault>(value).unwrap();
        assert_eq!(faults.add(fault(json!({ "kind": "hanging", "share": 1.5 }))), Err(FaultError::Share));
        assert_eq!(faults.add(fault(json!({ "kind": "failing", "status": 404 }))), Err(FaultError::Status));
        let long = json!({ "kind": "unseen", "seconds": u64::MAX });
        assert_eq!(faults.add(fault(long)), Err(FaultError::Time));
        assert!(serde_json::from_value::<Fault>(json!({ "kind": "exploding" })).is_err());
    }
}
