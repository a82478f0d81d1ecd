//! What could be made: the offers of several places in one order, quotas, and the size that a wish comes to.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use marquee_clouds::{
    CloudError,
    offers::{
        self, Architecture, Direction, Quota, Ranked, Selection, SizeQuery, Wish, decimal_micros, next_size,
        order, select,
    },
};
use marquee_types::{ProviderId, ResourceKind};

use super::super::{
    store::shortages,
    wire::{
        ListOffers, ListQuotas, Money, Offer, OfferList, OfferPlace, QuotaList, RefusedOffers, Resource,
        SizeWish,
    },
};
use crate::{
    app::App,
    clouds::Stock,
    domains::providers::{self, Connected},
    fault::Fault,
    http::Call,
};

/// The most places that one request asks.
const MOST_PLACES: usize = 10;
/// How many offers are shown if the caller does not say, and at most.
const SHOWN: (u16, u16) = (20, 200);
/// How long a shortage counts.
const SHORTAGE: TimeDelta = TimeDelta::hours(1);
/// How many further offers are tried where the cloud has none, if the caller does not say, and at most.
const FALLBACKS: (u8, u8) = (3, 5);

/// A region of a provider.
struct Place {
    connected: Connected,
    region: String,
    shortages: BTreeMap<String, DateTime<Utc>>,
}

/// What a place answered.
struct Answer {
    stock: Arc<Stock>,
    selection: Selection,
}

/// Ranks what fulfils a wish, over all places.
pub async fn list(call: &Call, query: ListOffers) -> Result<OfferList, Fault> {
    let limit = query.limit.unwrap_or(SHOWN.0);
    if limit == 0 || limit > SHOWN.1 {
        return Err(Fault::invalid("?limit", format!("must be 1 to {}", SHOWN.1)));
    }
    let sizes = asked_for(&query)?;
    let wish = listed_wish(&query)?;
    let mut places = Vec::new();
    for (provider, region) in places_of(&query.places)? {
        places.push(place(call, provider, region, "?places").await?);
    }
    let app = &call.app;
    let asked = places.iter().map(|place| {
        let query = SizeQuery { region: place.region.clone(), ..sizes.clone() };
        let wish = &wish;
        async move { (place, ask(app, place, &query, wish).await) }
    });
    let (mut ranked, mut reports, mut failure, mut answered) = (Vec::new(), Vec::new(), None, false);
    for (place, answer) in join_all(asked).await {
        match answer {
            Ok(answer) => {
                answered = true;
                reports.push(report(place, Some(&answer), None));
                ranked.extend(answer.selection.ranked.into_iter().map(|ranked| (place, ranked)));
            }
            Err(error) => {
                reports.push(report(place, None, Some(error.to_string())));
                failure.get_or_insert(error);
            }
        }
    }
    if let (false, Some(error)) = (answered, failure) {
        return Err(Fault::Cloud(error));
    }
    ranked.sort_by(|(_, one), (_, other)| order(one, other));
    let items = ranked.into_iter().take(usize::from(limit)).map(|(place, ranked)| shown(place, ranked));
    Ok(OfferList { items: items.collect(), places: reports })
}

/// The quotas of a region.
pub async fn quotas(call: &Call, query: ListQuotas) -> Result<QuotaList, Fault> {
    let place = place(call, query.provider_id, query.region, "?region").await?;
    let found = quotas_of(&call.app, &place.connected, &place.region).await.map_err(Fault::Cloud)?;
    let mut items: Vec<_> = found.iter().cloned().map(super::super::wire::Quota::from).collect();
    items.sort_by(|one, other| one.code.cmp(&other.code));
    Ok(QuotaList { items })
}

/// The size that a wish comes to, and those to be tried where the cloud has none of it, in their order.
pub async fn chosen(
    call: &Call,
    provider: ProviderId,
    region: &str,
    kind: ResourceKind,
    spec: &serde_json::Value,
    wanted: &SizeWish,
) -> Result<(String, Vec<String>), Fault> {
    let text = |name: &str| spec.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let fallbacks = wanted.fallbacks.unwrap_or(FALLBACKS.0);
    if fallbacks > FALLBACKS.1 {
        return Err(Fault::invalid("/size/fallbacks", format!("must be at most {}", FALLBACKS.1)));
    }
    let mut wish = Wish { zone: text("zone"), ..wished(wanted, "/size")? };
    if wish.architectures.is_empty() {
        // What it starts from was built for one architecture: another than the usual one has to be asked for.
        wish.architectures.push(Architecture::X86_64);
    }
    let place = place(call, provider, region.to_owned(), "/region").await?;
    let query = size_query(kind, region, text("engine").as_deref())
        .ok_or_else(|| Fault::invalid("/size", "can be chosen for compute_instance and database"))?;
    let answer = ask(&call.app, &place, &query, &wish).await.map_err(Fault::Cloud)?;
    let offered = answer.stock.offers.len();
    let mut sizes = answer.selection.ranked.into_iter().map(|ranked| ranked.offer.size);
    let Some(first) = sizes.next() else {
        let reasons: Vec<_> =
            answer.selection.refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let detail =
            format!("None of the {offered} sizes of {region} fulfils the wish: {}.", reasons.join(", "));
        return Err(Fault::Unprocessable { code: "no_such_offer", detail });
    };
    Ok((first, sizes.take(usize::from(fallbacks)).collect()))
}

/// The next size of a resource's family.
pub async fn stepped(call: &Call, resource: &Resource, direction: Direction) -> Result<String, Fault> {
    let none = |detail: String| Fault::Unprocessable { code: "no_such_offer", detail };
    let attributes: serde_json::Value =
        serde_json::from_str(resource.attributes.get()).map_err(|error| Fault::Internal(error.into()))?;
    let engine = attributes["engine"].as_str();
    let query = size_query(resource.kind, &resource.region, engine)
        .ok_or_else(|| none(format!("A {} has no sizes.", resource.kind)))?;
    let now = resource.size.as_deref().ok_or_else(|| none("The size it has now is not known.".to_owned()))?;
    let place = place(call, resource.provider_id, resource.region.clone(), "").await?;
    let app = &call.app;
    let stock = stock_of(app, &place.connected, &query).await.map_err(Fault::Cloud)?;
    let next = next_size(&stock.offers, now, direction);
    next.map(|offer| offer.size.clone()).ok_or_else(|| {
        none(format!("{} has no size of the family of {now} that is one {direction}.", resource.region))
    })
}

/// What is asked of a cloud for sizes of a kind.
pub fn size_query(kind: ResourceKind, region: &str, engine: Option<&str>) -> Option<SizeQuery> {
    let region = region.to_owned();
    match kind {
        ResourceKind::ComputeInstance => Some(SizeQuery { kind, region, engine: None }),
        ResourceKind::Database => {
            let engine =
                if engine.is_some_and(|engine| engine.contains("mysql")) { "mysql" } else { "postgres" };
            Some(SizeQuery { kind, region, engine: Some(engine.to_owned()) })
        }
        _ => None,
    }
}

/// What a connected cloud offers.
pub async fn stock_of(app: &App, connected: &Connected, query: &SizeQuery) -> Result<Arc<Stock>, CloudError> {
    let version = (connected.id, connected.version);
    app.clouds.sizes(version, &*connected.cloud, query, app.clock.now()).await
}

/// The quotas of a connected cloud.
pub async fn quotas_of(
    app: &App,
    connected: &Connected,
    region: &str,
) -> Result<Arc<Vec<Quota>>, CloudError> {
    app.clouds.quotas((connected.id, connected.version), &*connected.cloud, region).await
}

/// Asks a place. Quotas that cannot be read are not known, and nothing is refused for that.
async fn ask(app: &App, place: &Place, query: &SizeQuery, wish: &Wish) -> Result<Answer, CloudError> {
    let sizes = stock_of(app, &place.connected, query);
    let (stock, quotas) = futures::join!(sizes, quotas_of(app, &place.connected, &place.region));
    let quotas = quotas.unwrap_or_else(|error| {
        tracing::info!(provider = %place.connected.id, %error, "quotas are not known");
        Arc::default()
    });
    let stock = stock?;
    let selection = select(stock.offers.clone(), wish, &quotas, &place.shortages);
    Ok(Answer { stock, selection })
}

async fn place(call: &Call, provider: ProviderId, region: String, pointer: &str) -> Result<Place, Fault> {
    if region.is_empty() || region.len() > 100 {
        return Err(Fault::invalid(pointer, "a region has 1 to 100 characters"));
    }
    let mut tx = call.look()?;
    let connected = providers::open(&call.app, &mut tx, provider).await?;
    let since = call.app.clock.now() - SHORTAGE;
    let shortages = shortages::since(&mut tx, provider, &region, since).await?;
    tx.commit().await?;
    Ok(Place { connected, region, shortages })
}

fn places_of(text: &str) -> Result<Vec<(ProviderId, String)>, Fault> {
    let wrong = |detail: &str| Fault::invalid("?places", detail);
    let mut places = Vec::new();
    for one in text.split(',').map(str::trim) {
        let (provider, region) =
            one.split_once('@').ok_or_else(|| wrong("must be providers with regions: prv_…@eu-west-1"))?;
        let provider = ProviderId::from_str(provider).map_err(|error| wrong(&error.to_string()))?;
        if !places.contains(&(provider, region.to_owned())) {
            places.push((provider, region.to_owned()));
        }
    }
    if places.len() > MOST_PLACES {
        return Err(wrong(&format!("must be at most {MOST_PLACES}")));
    }
    Ok(places)
}

fn asked_for(query: &ListOffers) -> Result<SizeQuery, Fault> {
    let kind = query.kind.unwrap_or(ResourceKind::ComputeInstance);
    if let Some(engine) = query.engine.as_deref().filter(|engine| !["postgres", "mysql"].contains(engine)) {
        return Err(Fault::invalid("?engine", format!("can be postgres or mysql, not {engine}")));
    }
    size_query(kind, "", query.engine.as_deref())
        .ok_or_else(|| Fault::invalid("?kind", "can be compute_instance or database"))
}

fn listed_wish(query: &ListOffers) -> Result<Wish, Fault> {
    let list = |text: &Option<String>| -> Vec<String> {
        let parts = text.as_deref().unwrap_or_default().split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let architectures = list(&query.architectures).iter().map(|word| word.parse()).collect::<Result<_, _>>();
    let wanted = SizeWish {
        vcpus: query.vcpus,
        most_vcpus: query.most_vcpus,
        memory_gib: query.memory_gib,
        architectures: architectures
            .map_err(|_| Fault::invalid("?architectures", "can be x86_64 or arm64, separated by commas"))?,
        families: list(&query.families),
        former: query.former.unwrap_or(false),
        burstable: query.burstable.unwrap_or(false),
        accelerators: query.accelerators.unwrap_or(0),
        most_monthly: query.most_monthly.clone(),
        fallbacks: None,
    };
    Ok(Wish { zone: query.zone.clone(), ..wished(&wanted, "?")? })
}

/// The wish in the words of the contract; `place` is where the request says it.
fn wished(wanted: &SizeWish, place: &str) -> Result<Wish, Fault> {
    let pointer = |name: &str| if place == "?" { format!("?{name}") } else { format!("{place}/{name}") };
    let most = wanted.most_monthly.as_deref().map(|text| {
        let micros = decimal_micros(text).filter(|micros| *micros >= 0);
        micros.ok_or_else(|| Fault::invalid(pointer("most_monthly"), "must be an amount, such as 300.00"))
    });
    if let (Some(least), Some(most)) = (wanted.vcpus, wanted.most_vcpus)
        && least > most
    {
        return Err(Fault::invalid(pointer("most_vcpus"), "must not be below vcpus"));
    }
    Ok(Wish {
        vcpus: wanted.vcpus,
        most_vcpus: wanted.most_vcpus,
        memory_mib: wanted.memory_gib.map(|gib| u64::from(gib) * 1024),
        architectures: wanted.architectures.clone(),
        former: wanted.former,
        burstable: wanted.burstable,
        families: wanted.families.clone(),
        zone: None,
        accelerators: wanted.accelerators,
        most_monthly_micros: most.transpose()?,
    })
}

fn report(place: &Place, answer: Option<&Answer>, error: Option<String>) -> OfferPlace {
    let refused = answer.map(|answer| &answer.selection.refused).into_iter().flatten();
    OfferPlace {
        provider_id: place.connected.id,
        region: place.region.clone(),
        offered: answer.map_or(0, |answer| answer.stock.offers.len()),
        fulfil: answer.map_or(0, |answer| answer.selection.ranked.len()),
        refused: refused.map(|(reason, count)| RefusedOffers { reason: *reason, count: *count }).collect(),
        as_of: answer.map(|answer| answer.stock.as_of),
        error,
    }
}

fn shown(place: &Place, ranked: Ranked) -> Offer {
    let Ranked { offer, room, no_capacity_at } = ranked;
    let offers::Offer { price, counts, .. } = offer;
    let money = |micros: fn(&offers::Price) -> i64| {
        price.as_ref().map(|price| Money::micros(micros(price), &price.currency))
    };
    Offer {
        provider_id: place.connected.id,
        region: place.region.clone(),
        hourly: money(|price| price.hourly_micros),
        monthly: money(offers::Price::monthly_micros),
        size: offer.size,
        family: offer.family,
        generation: offer.generation,
        current: offer.current,
        vcpus: offer.vcpus,
        memory_mib: offer.memory_mib,
        architecture: offer.architecture,
        burstable: offer.burstable,
        accelerators: offer.accelerators,
        zones: offer.zones,
        quota_room: room,
        quota: counts.map(|counts| counts.quota),
        no_capacity_at,
    }
}

/// Refuses what the quota has no room for; `needed` is what is needed of each quota, by its code.
pub fn short_of(quotas: &[Quota], needed: &BTreeMap<String, u64>, region: &str) -> Option<String> {
    quotas.iter().find_map(|quota| {
        let (needed, left) = (*needed.get(&quota.code)?, quota.left()?);
        (needed > left).then(|| {
            format!(
                "The quota {} ({}) of {region} has {left} of {} {} left, and {needed} are needed. Ask for more at {}.",
                quota.name, quota.code, quota.limit, quota.unit, quota.request
            )
        })
    })
}
