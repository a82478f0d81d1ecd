//! The routes of offers and quotas: what could be made, what it costs, and how much of it there may be.

use std::time::Duration;

use marquee_types::Permission;

use super::super::{
    actions::offers,
    wire::{ListOffers, ListQuotas, OfferList, QuotaList},
};
use crate::{
    fault::Fault,
    http::{Call, Endpoint, Reply},
};

/// A vendor's whole price list of a region is several pages.
const TIME: Duration = Duration::from_mins(1);

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    let read = Permission::ResourcesRead;
    vec![
        Endpoint::get("offers.list", "/api/cloud/offers", read, list)
            .summary("Rank the sizes that fulfil a wish, with price, quota and known shortages")
            .calls_cloud()
            .time_limit(TIME),
        Endpoint::get("quotas.list", "/api/cloud/quotas", read, quotas)
            .summary("Show how much of what sizes count against is left, and where to ask for more")
            .calls_cloud(),
    ]
}

async fn list(call: Call, query: ListOffers) -> Result<Reply<OfferList>, Fault> {
    Ok(Reply::new(offers::list(&call, query).await?))
}

async fn quotas(call: Call, query: ListQuotas) -> Result<Reply<QuotaList>, Fault> {
    Ok(Reply::new(offers::quotas(&call, query).await?))
}
