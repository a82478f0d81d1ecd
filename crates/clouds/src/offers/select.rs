//! Which offer is the best for a wish: those that do not fulfil it fall out, each with the reasons, and the others are put in
//! an order that is the same for every cloud.
//!
//! The order, the first difference deciding: what the vendor lately had none of comes after what it had; what the quota has
//! no room for after what it has; what has no price after what has one; then the cheaper, the smaller (processors, then memory), the
//! newer, and the name.

use std::{
    cmp::{Ordering, Reverse},
    collections::BTreeMap,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Architecture, Offer, Quota};

/// What somebody wants of a size. What is left out is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wish {
    /// Virtual processors, at least.
    pub vcpus: Option<u32>,
    /// Virtual processors, at most.
    pub most_vcpus: Option<u32>,
    /// Memory in MiB, at least.
    pub memory_mib: Option<u64>,
    /// Any of these; of any architecture, if empty.
    pub architectures: Vec<Architecture>,
    /// Former generations as well.
    pub former: bool,
    /// Sizes that compute at full speed for a while only, as well.
    pub burstable: bool,
    /// Any of these families; of any family, if empty.
    pub families: Vec<String>,
    /// In this zone.
    pub zone: Option<String>,
    /// Accelerators, at least; sizes that have some are left out where none are asked for.
    pub accelerators: u32,
    /// At most so much for a month, in millionths of the vendor's currency.
    pub most_monthly_micros: Option<i64>,
}

marquee_types::words! {
    /// Why an offer does not fulfil a wish.
    pub enum Reason {
        /// It has fewer processors.
        TooFewVcpus = "too_few_vcpus",
        /// It has more processors.
        TooManyVcpus = "too_many_vcpus",
        /// It has less memory.
        TooLittleMemory = "too_little_memory",
        /// Its processors are others.
        OtherArchitecture = "other_architecture",
        /// The vendor counts it among its former ones.
        Former = "former",
        /// It computes at full speed for a while only.
        Burstable = "burstable",
        /// It is of another family.
        OtherFamily = "other_family",
        /// The zone does not have it.
        NotInZone = "not_in_zone",
        /// It has accelerators, or too few.
        Accelerators = "accelerators",
        /// It costs more.
        TooExpensive = "too_expensive",
        /// What it costs is not known, and there is a limit.
        PriceUnknown = "price_unknown",
    }
}

/// An offer that fulfils a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The offer.
    pub offer: Offer,
    /// How many of it the quota has room for; none where that is not known.
    pub room: Option<u64>,
    /// When the vendor last had none of it, if that is lately.
    pub no_capacity_at: Option<DateTime<Utc>>,
}

/// What came of a wish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// What fulfils it, the best first.
    pub ranked: Vec<Ranked>,
    /// How many did not, for each reason; one that has several counts for each.
    pub refused: BTreeMap<Reason, usize>,
}

impl Wish {
    /// Why an offer does not fulfil it; empty if it does.
    pub fn refuses(&self, offer: &Offer) -> Vec<Reason> {
        let price = offer.price.as_ref().map(super::Price::monthly_micros);
        let architecture = offer.architecture.is_some_and(|known| self.architectures.contains(&known));
        let zone = |zone: &String| offer.zones.is_empty() || offer.zones.contains(zone);
        let accelerators = if self.accelerators == 0 {
            offer.accelerators > 0
        } else {
            offer.accelerators < self.accelerators
        };
        let rules = [
            (self.vcpus.is_some_and(|least| offer.vcpus < least), Reason::TooFewVcpus),
            (self.most_vcpus.is_some_and(|most| offer.vcpus > most), Reason::TooManyVcpus),
            (self.memory_mib.is_some_and(|least| offer.memory_mib < least), Reason::TooLittleMemory),
            (!self.architectures.is_empty() && !architecture, Reason::OtherArchitecture),
            (!self.former && !offer.current, Reason::Former),
            (!self.burstable && offer.burstable, Reason::Burstable),
            (!self.families.is_empty() && !self.families.contains(&offer.family), Reason::OtherFamily),
            (self.zone.as_ref().is_some_and(|wanted| !zone(wanted)), Reason::NotInZone),
            (accelerators, Reason::Accelerators),
            (
                self.most_monthly_micros.is_some_and(|most| price.is_some_and(|price| price > most)),
                Reason::TooExpensive,
            ),
            (self.most_monthly_micros.is_some() && price.is_none(), Reason::PriceUnknown),
        ];
        rules.into_iter().filter_map(|(broken, reason)| broken.then_some(reason)).collect()
    }
}

/// Puts what fulfils a wish into the order of the module's head. `trouble` says when the vendor last had none of a size.
pub fn select(
    offers: Vec<Offer>,
    wish: &Wish,
    quotas: &[Quota],
    trouble: &BTreeMap<String, DateTime<Utc>>,
) -> Selection {
    let mut selection = Selection::default();
    for offer in offers {
        let reasons = wish.refuses(&offer);
        if reasons.is_empty() {
            let no_capacity_at = trouble.get(&offer.size).copied();
            selection.ranked.push(Ranked { room: room(&offer, quotas), no_capacity_at, offer });
        }
        for reason in reasons {
            *selection.refused.entry(reason).or_default() += 1;
        }
    }
    selection.ranked.sort_by(order);
    selection
}

/// How many of an offer the quota has room for; none where that is not known.
pub fn room(offer: &Offer, quotas: &[Quota]) -> Option<u64> {
    let counts = offer.counts.as_ref()?;
    let quota = quotas.iter().find(|quota| quota.code == counts.quota)?;
    quota.left()?.checked_div(counts.units)
}

/// Which of two offers is the better: `Less` if the first is. Prices in different currencies are compared as numbers.
pub fn order(one: &Ranked, other: &Ranked) -> Ordering {
    let key = |ranked: &Ranked| {
        let price = ranked.offer.price.as_ref();
        (
            ranked.no_capacity_at.is_some(),
            ranked.room == Some(0),
            price.is_none(),
            price.map(|price| price.hourly_micros),
            ranked.offer.vcpus,
            ranked.offer.memory_mib,
            Reverse(ranked.offer.generation),
        )
    };
    key(one).cmp(&key(other)).then_with(|| one.offer.size.cmp(&other.offer.size))
}

marquee_types::words! {
    /// Which way to go within a family.
    pub enum Direction {
        /// To the next larger size.
        Up = "up",
        /// To the next smaller size.
        Down = "down",
    }
}

/// The next size of the same family and architecture; none if there is none, or the size is not among the offers.
pub fn next_size<'a>(offers: &'a [Offer], size: &str, direction: Direction) -> Option<&'a Offer> {
    let now = offers.iter().find(|offer| offer.size == size)?;
    let measure = |offer: &Offer| (offer.vcpus, offer.memory_mib);
    let alike = offers.iter().filter(|offer| {
        offer.family == now.family
            && offer.architecture == now.architecture
            && (offer.accelerators > 0) == (now.accelerators > 0)
    });
    match direction {
        Direction::Up => alike
            .filter(|offer| measure(offer) > measure(now))
            .min_by(|one, other| (measure(one), &one.size).cmp(&(measure(other), &other.size))),
        Direction::Down => alike
            .filter(|offer| measure(offer) < measure(now))
            .max_by(|one, other| (measure(one), &other.size).cmp(&(measure(other), &one.size))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::offers::{Counts, Price};

    fn offer(size: &str, vcpus: u32, gib: u64, hourly: Option<&str>) -> Offer {
        let family = size.split('.').next().unwrap().to_owned();
        Offer {
            size: size.to_owned(),
            generation: family.chars().find_map(|c| c.to_digit(10)),
            architecture: Some(if family.ends_with('g') {
                Architecture::Arm64
            } else {
                Architecture::X86_64
            }),
            burstable: family.starts_with('t'),
            current: family != "m3",
            family,
            vcpus,
            memory_mib: gib * 1024,
            accelerators: 0,
            zones: vec!["a".to_owned(), "b".to_owned()],
            price: hourly.and_then(|hourly| Price::hourly(hourly, "USD", "a list")),
            counts: Some(Counts { quota: "vcpus".to_owned(), units: u64::from(vcpus) }),
        }
    }

    fn shop() -> Vec<Offer> {
        vec![
            offer("m7i.2xlarge", 8, 32, Some("0.4032")),
            offer("m7g.2xlarge", 8, 32, Some("0.3264")),
            offer("m6i.2xlarge", 8, 32, Some("0.384")),
            offer("m3.2xlarge", 8, 30, Some("0.532")),
            offer("r7g.2xlarge", 8, 64, None),
            offer("m7g.xlarge", 4, 16, Some("0.1632")),
            offer("m7g.4xlarge", 16, 64, Some("0.6528")),
            offer("t3.2xlarge", 8, 32, Some("0.3328")),
        ]
    }

    fn wish() -> Wish {
        Wish { vcpus: Some(8), memory_mib: Some(32 * 1024), ..Wish::default() }
    }

    fn sizes(selection: &Selection) -> Vec<&str> {
        selection.ranked.iter().map(|ranked| ranked.offer.size.as_str()).collect()
    }

    fn quota(limit: u64, used: u64) -> Quota {
        let text = |text: &str| text.to_owned();
        Quota {
            code: text("vcpus"),
            name: text("vCPUs"),
            unit: text("vcpus"),
            limit,
            used: Some(used),
            request: text("there"),
        }
    }

    #[test]
    fn the_cheapest_that_fulfils_it_comes_first_and_what_has_no_price_last() {
        let selection = select(shop(), &wish(), &[], &BTreeMap::new());
        assert_eq!(
            sizes(&selection),
            ["m7g.2xlarge", "m6i.2xlarge", "m7i.2xlarge", "m7g.4xlarge", "r7g.2xlarge"]
        );
        let refused = [
            (Reason::TooFewVcpus, 1),
            (Reason::TooLittleMemory, 2),
            (Reason::Former, 1),
            (Reason::Burstable, 1),
        ];
        assert_eq!(selection.refused, BTreeMap::from(refused));
    }

    #[test]
    fn what_was_not_to_be_had_and_what_the_quota_has_no_room_for_comes_later() {
        let when: DateTime<Utc> = "2026-06-20T12:00:00Z".parse().unwrap();
        let trouble = BTreeMap::from([("m7g.2xlarge".to_owned(), when)]);
        let selection = select(shop(), &wish(), &[quota(20, 10)], &trouble);
        assert_eq!(
            sizes(&selection),
            ["m6i.2xlarge", "m7i.2xlarge", "r7g.2xlarge", "m7g.4xlarge", "m7g.2xlarge"]
        );
        let rooms: Vec<_> = selection.ranked.iter().map(|ranked| ranked.room).collect();
        assert_eq!(rooms, [Some(1), Some(1), Some(1), Some(0), Some(1)]);
        assert_eq!(selection.ranked[4].no_capacity_at, Some(when));
    }

    #[test]
    fn limits_hold() {
        let arm = Wish { architectures: vec![Architecture::Arm64], most_vcpus: Some(8), ..wish() };
        assert_eq!(sizes(&select(shop(), &arm, &[], &BTreeMap::new())), ["m7g.2xlarge", "r7g.2xlarge"]);
        let cheap = Wish { most_monthly_micros: Some(280_320_000), ..wish() };
        let selection = select(shop(), &cheap, &[], &BTreeMap::new());
        assert_eq!(sizes(&selection), ["m7g.2xlarge", "m6i.2xlarge"]);
        assert_eq!(selection.refused[&Reason::PriceUnknown], 1);
        let elsewhere = Wish { zone: Some("c".to_owned()), ..wish() };
        assert!(select(shop(), &elsewhere, &[], &BTreeMap::new()).ranked.is_empty());
    }

    #[test]
    fn the_next_size_is_of_the_same_family() {
        let shop = shop();
        let next = |size, direction| next_size(&shop, size, direction).map(|offer| offer.size.as_str());
        assert_eq!(next("m7g.2xlarge", Direction::Up), Some("m7g.4xlarge"));
        assert_eq!(next("m7g.2xlarge", Direction::Down), Some("m7g.xlarge"));
        assert_eq!(next("m7g.4xlarge", Direction::Up), None);
        assert_eq!(next("m7g.xlarge", Direction::Down), None);
        assert_eq!(next("x9.large", Direction::Up), None);
    }

    fn any_offer() -> impl Strategy<Value = Offer> {
        let family = prop::sample::select(vec!["m3", "m6i", "m7i", "m7g", "t3", "c7g"]);
        (family, 1_u32..64, 1_u64..256, prop::option::of(1_i64..2_000_000), 0_u32..2).prop_map(
            |(family, vcpus, gib, micros, accelerators)| {
                let price = micros.map(|hourly_micros| Price {
                    hourly_micros,
                    currency: "USD".to_owned(),
                    source: "a list".to_owned(),
                });
                let size = format!("{family}.{vcpus}x{gib}x{accelerators}");
                Offer { accelerators, price, ..offer(&size, vcpus, gib, None) }
            },
        )
    }

    fn any_wish() -> impl Strategy<Value = Wish> {
        (
            prop::option::of(1_u32..32),
            prop::option::of(1_u64..131_072),
            any::<bool>(),
            any::<bool>(),
            prop::option::of(0_i64..1_000_000_000),
        )
            .prop_map(|(vcpus, memory_mib, former, burstable, most_monthly_micros)| Wish {
                vcpus,
                memory_mib,
                former,
                burstable,
                most_monthly_micros,
                ..Wish::default()
            })
    }

    proptest! {
        #[test]
        fn what_is_ranked_fulfils_the_wish_and_nothing_else_is_lost(
            offers in prop::collection::vec(any_offer(), 0..40), wish in any_wish(), used in 0_u64..100
        ) {
            let quotas = [quota(64, used)];
            let selection = select(offers.clone(), &wish, &quotas, &BTreeMap::new());
            for ranked in &selection.ranked {
                prop_assert!(wish.refuses(&ranked.offer).is_empty());
            }
            let fulfil = offers.iter().filter(|offer| wish.refuses(offer).is_empty()).count();
            prop_assert_eq!(selection.ranked.len(), fulfil);
            for pair in selection.ranked.windows(2) {
                prop_assert!(order(&pair[0], &pair[1]) != Ordering::Greater);
            }
            let mut shuffled = offers;
            shuffled.reverse();
            let again = select(shuffled, &wish, &quotas, &BTreeMap::new());
            let names = |selection: &Selection| sizes(selection).iter().map(|size| (*size).to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(names(&selection), names(&again));
        }

        #[test]
        fn up_and_down_again_is_where_it_began(offers in prop::collection::vec(any_offer(), 1..40)) {
            for offer in &offers {
                let Some(up) = next_size(&offers, &offer.size, Direction::Up) else { continue };
                prop_assert!((up.vcpus, up.memory_mib) > (offer.vcpus, offer.memory_mib));
                prop_assert_eq!(&up.family, &offer.family);
                let down = next_size(&offers, &up.size, Direction::Down).unwrap();
                prop_assert!((down.vcpus, down.memory_mib) >= (offer.vcpus, offer.memory_mib));
            }
        }
    }
}
