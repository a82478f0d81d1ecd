//! What things cost: a function of their lives, their meters and the prices; nothing is stored.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    estate::{Meter, Thing},
    face::FaceName,
    plan::{Price, Unit},
    world::World,
};

/// Hours that vendors reckon a month to have.
const MONTH_HOURS: f64 = 730.0;

/// What one thing cost in one span, for one sku.
#[derive(Debug, Clone)]
pub struct Charge<'a> {
    /// The beginning of the span.
    pub from: DateTime<Utc>,
    /// Its end.
    pub until: DateTime<Utc>,
    /// The thing's kind.
    pub kind: &'a str,
    /// The thing.
    pub thing: &'a Thing,
    /// The region it was in.
    pub region: Arc<str>,
    /// The price it was charged at.
    pub price: &'a Price,
    /// Units used.
    pub quantity: f64,
    /// US dollars.
    pub usd: f64,
}

/// The charges of an account in consecutive spans (days, months), each given by its beginning and end. Nothing is
/// charged for the future.
pub fn charges<'a>(
    world: &'a World,
    estate: &'a crate::estate::Estate,
    face: FaceName,
    account: &'a str,
    spans: &'a [(DateTime<Utc>, DateTime<Utc>)],
) -> impl Iterator<Item = Charge<'a>> {
    let now = world.clock.now();
    estate.ever(account).flat_map(move |(kind, thing)| {
        thing.meters.iter().flat_map(move |meter| {
            let price = world.plan.price(face, &meter.sku);
            let (region, factor) = world.region_of(face, account, &thing.place);
            price.into_iter().flat_map(move |price| {
                let region = region.clone();
                spans.iter().filter_map(move |(from, until)| {
                    let used = used(thing, meter, *from, (*until).min(now));
                    let quantity =
                        used * meter.amount / if price.unit == Unit::Hour { 1.0 } else { MONTH_HOURS };
                    #[expect(clippy::cast_precision_loss, reason = "millionths of a price")]
                    let usd = quantity * price.usd_micros as f64 / 1e6 * factor;
                    let (from, until, region) = (*from, *until, region.clone());
                    (quantity > 0.0).then_some(Charge {
                        from,
                        until,
                        kind,
                        thing,
                        region,
                        price,
                        quantity,
                        usd,
                    })
                })
            })
        })
    })
}

/// Hours of a span in which a meter ran.
fn used(thing: &Thing, meter: &Meter, from: DateTime<Utc>, until: DateTime<Utc>) -> f64 {
    let from = from.max(meter.from).max(thing.born);
    let until = meter.until.map_or(until, |ended| ended.min(until));
    if until <= from {
        return 0.0;
    }
    let time = if meter.only_in.is_empty() {
        until - from
    } else {
        let states: Vec<&str> = meter.only_in.iter().map(AsRef::as_ref).collect();
        thing.life.time_in(&states, from, until)
    };
    hours(time)
}

fn hours(time: TimeDelta) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
    let hours = time.num_seconds() as f64 / 3600.0;
    hours
}
