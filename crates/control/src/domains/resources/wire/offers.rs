//! What the routes of offers and quotas take and answer.

use chrono::{DateTime, Utc};
use marquee_clouds::offers::{self, Architecture, Direction, Reason};
use marquee_types::{ProviderId, ResourceKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Money {
    /// Decimal, in the currency's unit: `238.272`.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

/// Which offers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListOffers {
    /// Where: providers with regions, at most 10: `prv_…@eu-west-1,prv_…@westeurope`.
    pub places: String,
    /// `compute_instance` (if left out) or `database`.
    pub kind: Option<ResourceKind>,
    /// Of databases: `postgres` (if left out) or `mysql`.
    pub engine: Option<String>,
    /// Virtual processors, at least.
    pub vcpus: Option<u32>,
    /// Virtual processors, at most.
    pub most_vcpus: Option<u32>,
    /// Memory in GiB, at least.
    pub memory_gib: Option<u32>,
    /// Processor architectures, separated by commas; any, if left out.
    #[param(example = "x86_64,arm64")]
    pub architectures: Option<String>,
    /// The vendors' families, separated by commas; any, if left out.
    pub families: Option<String>,
    /// Former generations as well.
    pub former: Option<bool>,
    /// Sizes that compute at full speed for a while only, as well.
    pub burstable: Option<bool>,
    /// In this zone.
    pub zone: Option<String>,
    /// Accelerators, at least.
    pub accelerators: Option<u32>,
    /// At most so much for a month, in the vendor's currency: `300.00`.
    pub most_monthly: Option<String>,
    /// How many to show: 1 to 200; 20 if left out.
    pub limit: Option<u16>,
}

/// What a size has to have; what is left out is not asked.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SizeWish {
    /// Virtual processors, at least.
    pub vcpus: Option<u32>,
    /// Virtual processors, at most.
    pub most_vcpus: Option<u32>,
    /// Memory in GiB, at least.
    pub memory_gib: Option<u32>,
    /// Any of these processor architectures; `x86_64`, if empty.
    pub architectures: Vec<Architecture>,
    /// The vendor's families; any, if empty.
    pub families: Vec<String>,
    /// Former generations as well.
    pub former: bool,
    /// Sizes that compute at full speed for a while only, as well.
    pub burstable: bool,
    /// Accelerators, at least.
    pub accelerators: u32,
    /// At most so much for a month, in the vendor's currency: `300.00`.
    pub most_monthly: Option<String>,
    /// How many further offers are tried, in their order, where the cloud has none of the one before: 0 to 5; 3 if left out.
    #[schema(maximum = 5)]
    pub fallbacks: Option<u8>,
}

/// Another size: by name, or the next of its family.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizeResource {
    /// The vendor's size: `m7g.large`.
    #[serde(default)]
    pub size: Option<String>,
    /// In place of `size`: `up` or `down`, to the next size of the same family.
    #[serde(default)]
    pub step: Option<Direction>,
}

/// What fulfils a wish, the best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferList {
    /// Over all places: what is to be had before what lately was not, what the quota has room for before what not, then the cheaper.
    pub items: Vec<Offer>,
    /// Each place that was asked.
    pub places: Vec<OfferPlace>,
}

/// One size at one place.
#[derive(Debug, Serialize, ToSchema)]
pub struct Offer {
    /// The provider.
    pub provider_id: ProviderId,
    /// The region.
    pub region: String,
    /// The vendor's size.
    pub size: String,
    /// The vendor's family.
    pub family: String,
    /// The generation of the family, where its name tells.
    pub generation: Option<u32>,
    /// Whether the vendor does not count it among its former ones.
    pub current: bool,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Of its processors, where the vendor tells.
    pub architecture: Option<Architecture>,
    /// Whether it computes at full speed for a while only.
    pub burstable: bool,
    /// Graphics or other accelerators.
    pub accelerators: u32,
    /// The zones that have it, where the vendor tells.
    pub zones: Vec<String>,
    /// For an hour, by the vendor's list, without discounts; absent where the vendor does not tell.
    pub hourly: Option<Money>,
    /// The same for a month of 730 hours.
    pub monthly: Option<Money>,
    /// How many of it the quota has room for; absent where that is not known.
    pub quota_room: Option<u64>,
    /// The quota it counts against.
    pub quota: Option<String>,
    /// When the cloud had none of it, if that was in the last hour.
    #[serde(serialize_with = "marquee_types::rfc3339::option")]
    pub no_capacity_at: Option<DateTime<Utc>>,
}

/// What one place has.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfferPlace {
    /// The provider.
    pub provider_id: ProviderId,
    /// The region.
    pub region: String,
    /// How many sizes can be ordered there.
    pub offered: usize,
    /// How many fulfil the wish.
    pub fulfil: usize,
    /// How many do not, for each reason; one that has several counts for each.
    pub refused: Vec<RefusedOffers>,
    /// When the vendor was asked; absent if it did not answer.
    #[serde(serialize_with = "marquee_types::rfc3339::option")]
    pub as_of: Option<DateTime<Utc>>,
    /// Why nothing of it is shown, if the cloud could not be asked.
    pub error: Option<String>,
}

/// Offers that do not fulfil a wish.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedOffers {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: usize,
}

/// Which quotas.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuotas {
    /// The provider.
    pub provider_id: ProviderId,
    /// The region.
    pub region: String,
}

/// The quotas of a region that sizes count against.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaList {
    /// By code.
    pub items: Vec<Quota>,
}

/// How much of something an account may have in a region.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quota {
    /// The vendor's code.
    pub code: String,
    /// The vendor's name.
    pub name: String,
    /// What is counted.
    pub unit: String,
    /// At most.
    pub limit: u64,
    /// Now, where the vendor tells.
    pub used: Option<u64>,
    /// What is left, where that is known.
    pub left: Option<u64>,
    /// Where to ask the vendor for more.
    pub request: String,
}

impl Money {
    /// So many millionths.
    pub fn micros(micros: i64, currency: &str) -> Self {
        Self { amount: offers::decimal(micros), currency: currency.to_owned() }
    }
}

impl From<offers::Quota> for Quota {
    fn from(quota: offers::Quota) -> Self {
        let left = quota.left();
        let offers::Quota { code, name, unit, limit, used, request } = quota;
        Self { code, name, unit, limit, used, left, request }
    }
}
