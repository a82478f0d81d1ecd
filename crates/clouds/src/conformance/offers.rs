//! What offers must be, whatever the cloud.

#![expect(clippy::panic, reason = "a check fails by panicking: it is part of a test")]

use std::collections::BTreeSet;

use marquee_types::ResourceKind;

use crate::{
    Cloud, ErrorKind,
    offers::{Offer, Offers, SizeQuery},
};

/// What an endpoint can be asked for.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// A region that is there.
    pub region: &'static str,
    /// A size of instances that is there.
    pub size: &'static str,
    /// A size of PostgreSQL databases that is there; none where the endpoint has no catalogue of them.
    pub database: Option<&'static str>,
    /// Whether it tells prices.
    pub prices: bool,
    /// Whether it tells quotas.
    pub quotas: bool,
}

/// Looks at everything a cloud offers in a region.
///
/// # Panics
/// If a rule of [`offers`](crate::offers) is broken.
pub async fn check(cloud: &dyn Cloud, expected: Expected) {
    let offers = cloud.offers().unwrap_or_else(|| panic!("it offers nothing"));
    let quotas = if expected.quotas {
        offers.quotas(expected.region).await.unwrap_or_else(|error| panic!("{error}"))
    } else {
        Vec::new()
    };
    let mut codes = BTreeSet::new();
    for quota in &quotas {
        assert!(codes.insert(quota.code.as_str()), "{quota:?} comes twice");
        assert!(!quota.name.is_empty() && !quota.unit.is_empty(), "{quota:?}");
        assert!(quota.request.starts_with("https://"), "{quota:?}: where to ask for more");
    }
    let instances = of(offers, ResourceKind::ComputeInstance, None, expected).await;
    one(&instances, expected.size, expected, &codes);
    if let Some(size) = expected.database {
        let databases = of(offers, ResourceKind::Database, Some("postgres"), expected).await;
        one(&databases, size, Expected { quotas: false, ..expected }, &codes);
    }
    let nowhere =
        SizeQuery { kind: ResourceKind::ComputeInstance, region: "nowhere-9".to_owned(), engine: None };
    let error = match offers.sizes(&nowhere).await {
        Ok(found) => {
            assert_eq!(found, [], "a region that is not there offers something");
            return;
        }
        Err(error) => error,
    };
    let good = [ErrorKind::NotFound, ErrorKind::Invalid, ErrorKind::Unsupported];
    assert!(good.contains(&error.kind), "{error:?}");
}

async fn of(offers: &dyn Offers, kind: ResourceKind, engine: Option<&str>, expected: Expected) -> Vec<Offer> {
    let query = SizeQuery { kind, region: expected.region.to_owned(), engine: engine.map(str::to_owned) };
    let found = offers.sizes(&query).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(!found.is_empty(), "there is no {kind}");
    let mut sizes = BTreeSet::new();
    for offer in &found {
        assert!(sizes.insert(offer.size.as_str()), "{offer:?} comes twice");
        assert!(offer.vcpus > 0 && offer.memory_mib > 0 && !offer.family.is_empty(), "{offer:?}");
        if let Some(price) = &offer.price {
            assert!(price.hourly_micros > 0 && price.currency.len() == 3, "{offer:?}");
        }
    }
    found
}

/// One that is known has everything.
fn one(found: &[Offer], size: &str, expected: Expected, quotas: &BTreeSet<&str>) {
    let offer = found.iter().find(|offer| offer.size == size);
    let offer = offer.unwrap_or_else(|| {
        panic!("there is no {size}: {:?}", found.iter().map(|offer| &offer.size).collect::<Vec<_>>())
    });
    assert!(offer.current, "{offer:?}");
    assert_eq!(offer.price.is_some(), expected.prices, "{offer:?}");
    if expected.quotas {
        let counts = offer.counts.as_ref().unwrap_or_else(|| panic!("{offer:?} counts against nothing"));
        assert!(quotas.contains(counts.quota.as_str()) && counts.units > 0, "{counts:?} of {quotas:?}");
    }
}
