//! What a cloud would sell now: the sizes that instances and databases can have in a region, what each costs, and how much of
//! it the account may still have.
//!
//! A cloud that can be asked has [`Offers`]. An adapter answers with facts only; which offer is the best for somebody's wish is
//! decided here, the same for every cloud, by [`select`]: pure, so that the order can be explained and tested.
//!
//! The rules that every adapter keeps, and [`check`](crate::conformance::offers::check) looks at:
//!
//! 1. **An offer is what can be ordered in that region**, not what the vendor's catalogue knows: with the zones that have it.
//! 2. **A price is the vendor's own, read from the vendor**, for what nobody has reserved or committed to, without discounts: Linux
//!    on shared machines, a database in one zone. What the vendor does not tell is no price, never zero.
//! 3. **Money is exact**: decimal text becomes [`Price`] without a float on the way. It is kept in millionths of the currency's unit.
//! 4. **A quota is named as the vendor names it**, with how much of it is used now, and where to ask for more.
//! 5. **Prices may be missing, sizes may not**: where prices cannot be read, for want of a permission or because the price list is
//!    away, there are offers without them.
//!
//! Reading order: this page (the facts), [`select`] (wish and ranking).

pub mod select;

use async_trait::async_trait;
use marquee_types::ResourceKind;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

pub use select::{Direction, Ranked, Reason, Selection, Wish, next_size, order, room, select};

use crate::CloudError;

/// The hours of a month, as the vendors' calculators have it: 365 days of 24 hours in 12 months.
pub const HOURS_OF_A_MONTH: i64 = 730;
/// Millionths in one.
const MICROS: i64 = 1_000_000;

/// What sizes are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SizeQuery {
    /// `compute_instance` or `database`.
    pub kind: ResourceKind,
    /// Where.
    pub region: String,
    /// For databases: `postgres` or `mysql`.
    pub engine: Option<String>,
}

/// One size that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The vendor's size: `m7g.2xlarge`.
    pub size: String,
    /// What the vendor calls the sizes that differ from it in number only: `m7g`, `n2-standard`, `Standard_Dsv5`.
    pub family: String,
    /// The generation of the family, where its name tells: 7 of `m7g`.
    pub generation: Option<u32>,
    /// Whether the vendor does not count it among its former ones.
    pub current: bool,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Of its processors; none where the vendor does not tell.
    pub architecture: Option<Architecture>,
    /// Whether it computes at full speed for a while only.
    pub burstable: bool,
    /// Graphics or other accelerators.
    pub accelerators: u32,
    /// The zones that have it; empty where the vendor does not tell, or has none.
    pub zones: Vec<String>,
    /// What it costs, if the vendor told.
    pub price: Option<Price>,
    /// Which quota it counts against, and how much.
    pub counts: Option<Counts>,
}

marquee_types::words! {
    /// What programs have to be built for.
    pub enum Architecture {
        /// 64-bit x86.
        X86_64 = "x86_64",
        /// 64-bit Arm.
        Arm64 = "arm64",
    }
}

/// What something costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// For an hour, in millionths of the currency's unit.
    pub hourly_micros: i64,
    /// ISO 4217: `USD`.
    pub currency: String,
    /// Where the vendor says so: `AWS Price List`.
    pub source: String,
}

/// How much of a quota one of a size takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The quota's code ([`Quota::code`]).
    pub quota: String,
    /// How much one takes.
    pub units: u64,
}

/// How much of something an account may have in a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The vendor's code: `L-1216C47A`, `standardDSv5Family`, `CPUS`.
    pub code: String,
    /// The vendor's name.
    pub name: String,
    /// What is counted: `vcpus`, `instances`.
    pub unit: String,
    /// At most.
    pub limit: u64,
    /// Now; none where the vendor does not tell.
    pub used: Option<u64>,
    /// How to ask for more: the page of the vendor's console.
    pub request: String,
}

/// A cloud that can be asked what it would sell.
#[async_trait]
pub trait Offers: Send + Sync {
    /// Every size that can be ordered, in no order.
    async fn sizes(&self, query: &SizeQuery) -> Result<Vec<Offer>, CloudError>;

    /// The quotas of a region that offers count against.
    async fn quotas(&self, region: &str) -> Result<Vec<Quota>, CloudError>;
}

impl Price {
    /// A price an hour from the vendor's decimal text: `0.3264`. None if it is no number, negative, or beyond all measure.
    pub fn hourly(decimal: &str, currency: impl Into<String>, source: impl Into<String>) -> Option<Self> {
        Self::of(parsed(decimal)?, currency, source)
    }

    /// A price an hour, rounded to a millionth. None if it is negative or beyond all measure.
    pub fn of(hourly: Decimal, currency: impl Into<String>, source: impl Into<String>) -> Option<Self> {
        let micros = hourly.checked_mul(Decimal::from(MICROS))?.round().to_i64()?;
        let most = i64::MAX / HOURS_OF_A_MONTH;
        let price = Self { hourly_micros: micros, currency: currency.into(), source: source.into() };
        (0..=most).contains(&micros).then_some(price)
    }

    /// For a month of [`HOURS_OF_A_MONTH`], in millionths.
    pub fn monthly_micros(&self) -> i64 {
        self.hourly_micros.saturating_mul(HOURS_OF_A_MONTH)
    }
}

fn parsed(decimal: &str) -> Option<Decimal> {
    Decimal::from_str_exact(decimal.trim()).ok()
}

/// Decimal text as millionths, rounded. None if it is no number, or beyond all measure.
pub fn decimal_micros(decimal: &str) -> Option<i64> {
    parsed(decimal)?.checked_mul(Decimal::from(MICROS))?.round().to_i64()
}

/// Millionths as decimal text with two places at least: `238.272` of 238,272,000.
pub fn decimal(micros: i64) -> String {
    let exact = Decimal::new(micros, 6).normalize();
    if exact.scale() < 2 { format!("{exact:.2}") } else { exact.to_string() }
}

impl Quota {
    /// How much is left; none where the vendor does not tell what is used.
    pub fn left(&self) -> Option<u64> {
        self.used.map(|used| self.limit.saturating_sub(used))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Option<i64> {
        Price::hourly(text, "USD", "a list").map(|price| price.hourly_micros)
    }

    #[test]
    fn text_becomes_money_exactly() {
        assert_eq!(micros("0.3264000000"), Some(326_400));
        assert_eq!(micros("0.0000116"), Some(12));
        assert_eq!(micros(" 12 "), Some(12_000_000));
        assert_eq!(micros("0"), Some(0));
        for wrong in ["", "-0.1", "free", "NaN", "1e3", "99999999999999999999"] {
            assert_eq!(micros(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_month_has_730_hours() {
        let price = Price::hourly("0.3264", "USD", "a list").unwrap();
        assert_eq!(price.monthly_micros(), 238_272_000);
        assert_eq!(decimal(price.monthly_micros()), "238.272");
        assert_eq!(
            (decimal(0), decimal(5_000_000), decimal(1)),
            ("0.00".into(), "5.00".into(), "0.000001".into())
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(micros_of in 0_i64..i64::MAX / HOURS_OF_A_MONTH) {
            prop_assert_eq!(micros(&decimal(micros_of)), Some(micros_of));
        }
    }
}
