//! What a plan does to costs and quotas: each step's part in a month's costs, and what the whole needs of each quota. Pure: made
//! from the steps, how the thing stands, and what the cloud offers.

use std::collections::BTreeMap;

use marquee_clouds::{Action, Observed, offers::Offer};
use marquee_types::{ResourceKind, ResourceState};

use super::plan::PlannedStep;

/// What a step does to a month's costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cost {
    /// It has no part in what is paid for.
    None,
    /// It has, and how much is not known.
    Unknown,
    /// So many millionths more, or less, for a month.
    Monthly {
        /// Millionths of the currency's unit.
        micros: i64,
        /// ISO 4217.
        currency: String,
    },
}

/// What is paid for, as it stands between two steps.
#[derive(Debug, Clone, Default)]
struct Stand {
    size: Option<String>,
    runs: bool,
}

impl Stand {
    fn of(before: Option<&Observed>) -> Self {
        let runs =
            |before: &Observed| matches!(before.state, ResourceState::Running | ResourceState::Available);
        let one_zone =
            |before: &Observed| before.attributes.get("multi_zone") != Some(&serde_json::Value::Bool(true));
        before.map_or_else(Self::default, |before| Self {
            size: before.size.clone().filter(|_| one_zone(before)),
            runs: runs(before),
        })
    }

    /// As it stands after an action; none if the action has no part in what a size costs.
    fn after(&self, action: &Action) -> Option<Self> {
        let made = |size: &str| Self { size: Some(size.to_owned()), runs: true };
        Some(match action {
            Action::CreateInstance(spec) => made(&spec.size),
            // The list's price is for one zone, and with a standby it is another that is not known.
            Action::CreateDatabase(spec) if spec.multi_zone => Self { size: None, runs: true },
            Action::CreateDatabase(spec) => made(&spec.size),
            Action::StartInstance | Action::StartDatabase => Self { runs: true, ..self.clone() },
            Action::StopInstance | Action::StopDatabase => Self { runs: false, ..self.clone() },
            Action::ResizeInstance(to) | Action::ResizeDatabase(to) => {
                Self { size: Some(to.size.clone()), ..self.clone() }
            }
            Action::TerminateInstance | Action::DeleteDatabase => Self::default(),
            _ => return None,
        })
    }

    fn offer<'a>(&self, offers: &'a [Offer]) -> Option<&'a Offer> {
        let size = self.size.as_deref()?;
        offers.iter().find(|offer| offer.size == size)
    }

    /// For a month, in millionths; none if that is not known.
    fn monthly(&self, offers: &[Offer]) -> Option<(i64, Option<String>)> {
        if !self.runs {
            return Some((0, None));
        }
        let price = self.offer(offers)?.price.as_ref()?;
        Some((price.monthly_micros(), Some(price.currency.clone())))
    }
}

/// Each step's part in a month's costs.
pub fn costs(steps: &[PlannedStep], before: Option<&Observed>, offers: &[Offer]) -> Vec<Cost> {
    let mut stand = Stand::of(before);
    steps
        .iter()
        .map(|step| {
            let action = &step.change.action;
            let Some(then) = stand.after(action) else {
                return if is_free(action) { Cost::None } else { Cost::Unknown };
            };
            let both = stand.monthly(offers).zip(then.monthly(offers));
            stand = then;
            match both {
                Some(((now, old), (later, new))) => match new.or(old) {
                    Some(currency) => Cost::Monthly { micros: later - now, currency },
                    None => Cost::None,
                },
                None => Cost::Unknown,
            }
        })
        .collect()
}

/// What all of it adds to a month; none where a part is not known, or it is in several currencies.
pub fn total(costs: &[Cost]) -> Option<(i64, String)> {
    let mut sum: Option<(i64, String)> = None;
    for cost in costs {
        match (cost, &mut sum) {
            (Cost::None, _) => {}
            (Cost::Monthly { micros, currency }, None) => sum = Some((*micros, currency.clone())),
            (Cost::Monthly { micros, currency }, Some((total, known))) if known == currency => {
                *total = total.saturating_add(*micros);
            }
            (Cost::Unknown, _) | (Cost::Monthly { .. }, Some(_)) => return None,
        }
    }
    sum
}

/// What the steps together need of each quota, by its code; what they free is taken off.
pub fn needs(steps: &[PlannedStep], before: Option<&Observed>, offers: &[Offer]) -> BTreeMap<String, u64> {
    let mut stand = Stand::of(before);
    let mut net = BTreeMap::<String, i128>::new();
    let mut count = |stand: &Stand, sign: i128| {
        let counted =
            stand.runs.then(|| stand.offer(offers)).flatten().and_then(|offer| offer.counts.as_ref());
        if let Some(counts) = counted {
            *net.entry(counts.quota.clone()).or_default() += sign * i128::from(counts.units);
        }
    };
    for step in steps {
        // A database counts as long as it is there, whether it runs or not.
        let stays = matches!(step.change.action, Action::StartDatabase | Action::StopDatabase);
        let Some(then) = stand.after(&step.change.action) else { continue };
        if !stays {
            count(&stand, -1);
            count(&then, 1);
        }
        stand = then;
    }
    net.into_iter()
        .filter_map(|(code, units)| Some((code, u64::try_from(units).ok().filter(|units| *units > 0)?)))
        .collect()
}

/// Whether an action has no part in what is paid for.
fn is_free(action: &Action) -> bool {
    matches!(
        action,
        Action::RebootInstance
            | Action::AttachDisk(_)
            | Action::DetachDisk(_)
            | Action::PromoteReplica
            | Action::SetPublicAccess(_)
            | Action::SetEncryption(_)
            | Action::RegisterTarget(_)
            | Action::DeregisterTarget(_)
            | Action::SetRecords(_)
            | Action::RemoveRecords(_)
            | Action::SetTags(_)
    )
}

/// The kind whose sizes decide what an action costs, and for databases their engine; none if no size does.
pub fn sized(action: &Action, before: Option<&Observed>) -> Option<(ResourceKind, Option<String>)> {
    let engine = || before?.attributes.get("engine")?.as_str().map(str::to_owned);
    Some(match action {
        Action::CreateInstance(_)
        | Action::StartInstance
        | Action::StopInstance
        | Action::ResizeInstance(_)
        | Action::TerminateInstance => (ResourceKind::ComputeInstance, None),
        Action::CreateDatabase(spec) => (ResourceKind::Database, Some(spec.engine.clone())),
        Action::StartDatabase | Action::StopDatabase | Action::ResizeDatabase(_) | Action::DeleteDatabase => {
            (ResourceKind::Database, engine())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use marquee_clouds::{
        Change, Disturbance, RawJson, Undo,
        changes::spec::{DatabaseSpec, InstanceSpec, Size, Tags},
        offers::{Counts, Price},
    };
    use marquee_types::ProviderId;
    use serde_json::Map;

    use super::*;

    fn offer(size: &str, vcpus: u32, hourly: Option<&str>) -> Offer {
        Offer {
            size: size.to_owned(),
            family: "m".to_owned(),
            generation: None,
            current: true,
            vcpus,
            memory_mib: 1024,
            architecture: None,
            burstable: false,
            accelerators: 0,
            zones: Vec::new(),
            price: hourly.and_then(|hourly| Price::hourly(hourly, "USD", "a list")),
            counts: Some(Counts { quota: "vcpus".to_owned(), units: u64::from(vcpus) }),
        }
    }

    fn offers() -> Vec<Offer> {
        vec![offer("small", 2, Some("0.1")), offer("large", 8, Some("0.4")), offer("odd", 4, None)]
    }

    fn instance(size: &str, state: ResourceState) -> Observed {
        Observed {
            kind: ResourceKind::ComputeInstance,
            native_id: "i-1".to_owned(),
            name: "web".to_owned(),
            region: "here".to_owned(),
            zone: None,
            state,
            native_state: None,
            size: Some(size.to_owned()),
            tags: Vec::new(),
            created_at: None,
            attributes: Map::new(),
            raw: RawJson::default(),
            relations: Vec::new(),
        }
    }

    fn step(action: Action) -> PlannedStep {
        PlannedStep {
            provider_id: ProviderId::new(),
            resource_id: None,
            name: "web".to_owned(),
            scope: None,
            change: Change::make("here", action),
            undo: Undo::Nothing,
            disturbs: Disturbance::None,
            fallbacks: Vec::new(),
        }
    }

    fn to(size: &str) -> Action {
        Action::ResizeInstance(Size { size: size.to_owned() })
    }

    fn made(size: &str) -> Action {
        Action::CreateInstance(InstanceSpec { size: size.to_owned(), ..InstanceSpec::default() })
    }

    fn monthly(micros: i64) -> Cost {
        Cost::Monthly { micros, currency: "USD".to_owned() }
    }

    #[test]
    fn a_resize_of_what_runs_costs_the_difference() {
        let steps = [step(Action::StopInstance), step(to("large")), step(Action::StartInstance)];
        let before = instance("small", ResourceState::Running);
        let costs = costs(&steps, Some(&before), &offers());
        assert_eq!(costs, [monthly(-73_000_000), Cost::None, monthly(292_000_000)]);
        assert_eq!(total(&costs), Some((219_000_000, "USD".to_owned())));
        assert_eq!(needs(&steps, Some(&before), &offers()), BTreeMap::from([("vcpus".to_owned(), 6)]));
    }

    #[test]
    fn what_is_made_costs_its_price_and_what_ends_saves_it() {
        let costs_of =
            |action, before: Option<Observed>| costs(&[step(action)], before.as_ref(), &offers()).remove(0);
        assert_eq!(costs_of(made("large"), None), monthly(292_000_000));
        assert_eq!(costs_of(made("odd"), None), Cost::Unknown);
        let standby = DatabaseSpec { size: "small".to_owned(), multi_zone: true, ..DatabaseSpec::default() };
        assert_eq!(costs_of(Action::CreateDatabase(standby), None), Cost::Unknown);
        assert_eq!(costs_of(made("unheard of"), None), Cost::Unknown);
        let running = Some(instance("small", ResourceState::Running));
        assert_eq!(costs_of(Action::TerminateInstance, running.clone()), monthly(-73_000_000));
        assert_eq!(costs_of(Action::SetTags(Tags::default()), running), Cost::None);
        let stopped = Some(instance("small", ResourceState::Stopped));
        assert_eq!(costs_of(to("large"), stopped), Cost::None);
        assert_eq!(total(&[monthly(1), Cost::Unknown]), None);
        assert_eq!(total(&[Cost::None]), None);
    }

    #[test]
    fn what_frees_as_much_as_it_takes_needs_nothing() {
        let running = instance("large", ResourceState::Running);
        let smaller = [step(Action::StopInstance), step(to("small")), step(Action::StartInstance)];
        assert!(needs(&smaller, Some(&running), &offers()).is_empty());
        assert_eq!(needs(&[step(made("large"))], None, &offers()), BTreeMap::from([("vcpus".to_owned(), 8)]));
        assert!(needs(&[step(made("unheard of"))], None, &offers()).is_empty());
    }
}
