//! Everything there is, and how it began.

use std::{
    sync::{
        Arc, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use chrono::{DateTime, TimeDelta, Utc};
use marquee_types::Clock;
use serde::{Deserialize, Serialize};

use crate::{
    calls::Calls,
    clock::{ClockError, SimClock},
    estate::Estate,
    face::{Face, FaceName},
    faults::{self, Effects, Faults, Refusal},
    limits::Limits,
    plan::{Account, Plan},
    seed::Seed,
};

/// The worlds that are built in, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("wedding-season", include_str!("../worlds/wedding-season.toml")),
    ("large", include_str!("../worlds/large.toml")),
    ("staging", include_str!("../worlds/staging.toml")),
];

/// What sizes there are and what things cost, for every world that does not say otherwise.
const CATALOG: &str = include_str!("../worlds/catalog.toml");

/// A world that is running.
#[derive(Debug)]
pub struct World {
    /// What it was made from.
    pub plan: Plan,
    /// Its time.
    pub clock: SimClock,
    /// What goes wrong in it.
    pub faults: Faults,
    /// How often may be called.
    pub limits: Limits,
    /// Who called what.
    pub calls: Calls,
    estate: RwLock<Estate>,
    /// When it was entered, in microseconds since 1970: everything is measured from there, so no one waits to read it.
    entered: AtomicI64,
}

/// A world that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// No such world is built in.
    #[error("no world is called `{0}`; there are: {1}")]
    Unknown(String, String),
    /// The world file is wrong.
    #[error("the world file is wrong: {0}")]
    Plan(#[from] toml::de::Error),
    /// A group cannot be made.
    #[error("{account}: {group}: {source}")]
    Grow {
        /// The account's id.
        account: Arc<str>,
        /// The group's name.
        group: String,
        /// Why.
        source: GrowError,
    },
    /// The clock's speed.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// An export that is none.
    #[error("this is no exported world: {0}")]
    Export(#[from] serde_json::Error),
    /// An export of another world.
    #[error("the export is of the world `{0}`, this is `{1}`")]
    OtherWorld(String, String),
}

/// A group that cannot be made, with the reason.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct GrowError(pub String);

/// A world's changing part, to be kept and taken up again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The world's name.
    pub world: String,
    /// Its time.
    pub now: DateTime<Utc>,
    /// When it was entered.
    pub entered: DateTime<Utc>,
    /// What exists.
    pub estate: Estate,
}

impl World {
    /// Makes a world as it is when it is entered at `now`.
    pub fn grow(
        mut plan: Plan,
        faces: &[Box<dyn Face>],
        real: Clock,
        now: DateTime<Utc>,
        speed: f64,
    ) -> Result<Self, WorldError> {
        let catalog: Plan = Plan::parse(CATALOG)?;
        plan.sizes.extend(catalog.sizes);
        plan.prices.extend(catalog.prices);
        let world = Self {
            faults: Faults::new(Seed(plan.seed)),
            plan,
            clock: SimClock::new(real, now, speed)?,
            entered: AtomicI64::new(now.timestamp_micros()),
            limits: Limits::default(),
            calls: Calls::default(),
            estate: RwLock::default(),
        };
        let mut estate = Estate::new();
        estate.ledger.silence(true);
        for account in &world.plan.accounts {
            let Some(face) = faces.iter().find(|face| face.name() == account.face) else { continue };
            for group in &account.groups {
                face.grow(&world, &mut estate, account, group).map_err(|source| WorldError::Grow {
                    account: account.id.clone(),
                    group: group.name.clone(),
                    source,
                })?;
            }
        }
        estate.ledger.silence(false);
        *world.write() = estate;
        Ok(world)
    }

    /// What exists, to be read.
    pub fn read(&self) -> RwLockReadGuard<'_, Estate> {
        self.estate.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What exists, to be changed.
    pub fn write(&self) -> RwLockWriteGuard<'_, Estate> {
        self.estate.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What happens to a call: what faults make of it, and whether it is one too many.
    pub fn happens(&self, call: faults::Call<'_>) -> Effects {
        let mut effects = self.faults.on(call, self.clock.now());
        if effects.refusal.is_none() && !self.limits.admit(call, Instant::now()) {
            effects.refusal = Some(Refusal::Throttled { retry_after: None });
        }
        effects
    }

    /// Where randomness comes from.
    pub fn seed(&self) -> Seed {
        Seed(self.plan.seed)
    }

    /// When it was entered: the end of its history.
    pub fn entered(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.entered.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// When its history began.
    pub fn began(&self) -> DateTime<Utc> {
        self.entered() - TimeDelta::days(i64::from(self.plan.history_days))
    }

    /// When the `n`th of `count` things with ages from `age_days[0]` to `age_days[1]` days was made: evenly spread, at
    /// an hour of its own.
    pub fn born(
        &self,
        account: &Account,
        name: &str,
        n: u32,
        count: u32,
        age_days: [u32; 2],
    ) -> DateTime<Utc> {
        let [oldest, youngest] = age_days.map(|days| f64::from(days.min(self.plan.history_days)));
        let share = if count > 1 { f64::from(n) / f64::from(count - 1) } else { 0.0 };
        let days = oldest - (oldest - youngest).max(0.0) * share;
        let hour = self.seed().share(&["born", &account.id, name]) / 2.0;
        #[expect(clippy::cast_possible_truncation, reason = "seconds of some years")]
        let seconds = ((days + hour) * 86_400.0) as i64;
        self.entered() - TimeDelta::seconds(seconds)
    }

    /// The region that a place (a region or a zone) belongs to, and what prices are multiplied by there.
    pub fn region_of(&self, face: FaceName, account: &str, place: &str) -> (Arc<str>, f64) {
        let account = self.plan.account(face, account);
        let region =
            account.and_then(|account| account.region(place).or_else(|| account.region_of_zone(place)));
        region.map_or_else(|| (place.into(), 1.0), |region| (region.id.clone(), region.price_factor))
    }

    /// The changing part, to be kept.
    pub fn export(&self) -> Export {
        Export {
            world: self.plan.name.clone(),
            now: self.clock.now(),
            entered: self.entered(),
            estate: self.read().clone(),
        }
    }

    /// Takes up what was exported, and when that was entered: loads grow from there. The clock goes on from now if that
    /// is later.
    pub fn import(&self, export: Export) -> Result<(), WorldError> {
        if export.world != self.plan.name {
            return Err(WorldError::OtherWorld(export.world, self.plan.name.clone()));
        }
        // First what can be refused.
        if export.now > self.clock.now() {
            self.clock.change(crate::clock::ClockChange { now: Some(export.now), ..Default::default() })?;
        }
        let mut estate = self.write();
        *estate = export.estate;
        self.entered.store(export.entered.timestamp_micros(), Ordering::Release);
        Ok(())
    }
}

/// The plan of a world that is built in.
pub fn built_in(name: &str) -> Result<Plan, WorldError> {
    let known = || BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    let (_, text) = found.ok_or_else(|| WorldError::Unknown(name.to_owned(), known()))?;
    Ok(Plan::parse(text)?)
}
