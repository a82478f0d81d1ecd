//! Quotas, looked at before anything is made: what all steps of a plan need together must be left. Where a cloud does not tell what it
//! offers, or its quotas, nothing is refused for that: the vendor will say so itself.

use std::collections::BTreeMap;

use marquee_clouds::Observed;
use marquee_jobs::StepError;
use marquee_types::ProviderId;

use super::super::{
    actions::offers::{quotas_of, short_of, size_query, stock_of},
    model::{
        cost::{needs, sized},
        plan::PlannedStep,
    },
};
use crate::{app::App, domains::providers::Connected};

/// What is needed of each quota, by provider and region.
#[derive(Default)]
pub(super) struct Needed(BTreeMap<(ProviderId, String), (Connected, BTreeMap<String, u64>)>);

impl Needed {
    /// Adds what some steps need.
    pub async fn add(
        &mut self,
        app: &App,
        connected: Connected,
        steps: &[PlannedStep],
        before: Option<&Observed>,
    ) {
        let query = steps.iter().find_map(|step| {
            let (kind, engine) = sized(&step.change.action, before)?;
            size_query(kind, &step.change.region, engine.as_deref())
        });
        let Some(query) = query else { return };
        let stock = match stock_of(app, &connected, &query).await {
            Ok(stock) => stock,
            Err(error) => {
                tracing::info!(provider = %connected.id, %error, "what sizes count against is not known");
                return;
            }
        };
        let needed = needs(steps, before, &stock.offers);
        if needed.is_empty() {
            return;
        }
        let (_, known) =
            self.0.entry((connected.id, query.region)).or_insert_with(|| (connected, BTreeMap::new()));
        for (code, units) in needed {
            *known.entry(code).or_default() += units;
        }
    }

    /// Refuses what a quota has no room for.
    pub async fn check(self, app: &App) -> Result<(), StepError> {
        for ((provider, region), (connected, needed)) in self.0 {
            match quotas_of(app, &connected, &region).await {
                Ok(quotas) => {
                    if let Some(detail) = short_of(&quotas, &needed, &region) {
                        return Err(StepError::permanent("quota_exceeded", detail));
                    }
                }
                Err(error) => tracing::info!(%provider, %error, "quotas are not known"),
            }
        }
        Ok(())
    }
}
