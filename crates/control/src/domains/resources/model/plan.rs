//! Plans: what has to be done, step by step, for a change that somebody wishes, what each step disturbs and what takes it
//! back. Pure: it is made from what a cloud is able to and from how a thing stands.

use marquee_clouds::{
    Ability, Action, ActionName, Capabilities, Change, Disturbance, Observed, Undo, changes::undo,
};
use marquee_types::{ProviderId, ResourceId, ResourceState};
use serde::{Deserialize, Serialize};

/// One change that somebody wishes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// The provider it is at.
    pub provider_id: ProviderId,
    /// What is changed; none where something is made out of nothing.
    pub resource_id: Option<ResourceId>,
    /// The name of what is changed or made, for people.
    pub name: String,
    /// The part of the inventory that what is changed was listed by: `ec2/instances@eu-west-1`.
    pub scope: Option<String>,
    /// What is to be done.
    pub change: Change,
    /// Sizes to be tried, in their order, where something is made and the cloud has none of the size it is to have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
}

impl Wish {
    /// The wish with each size that may be tried, the first one first.
    pub fn attempts(&self) -> impl Iterator<Item = Self> {
        (0..=self.fallbacks.len()).map(|after| {
            let size = after.checked_sub(1).and_then(|index| self.fallbacks.get(index));
            let mut wish = self.clone();
            if let Some(size) = size {
                give_size(&mut wish.change, size);
            }
            wish
        })
    }
}

/// Gives what a change makes another size.
fn give_size(change: &mut Change, size: &str) {
    match &mut change.action {
        Action::CreateInstance(spec) => size.clone_into(&mut spec.size),
        Action::CreateDatabase(spec) => size.clone_into(&mut spec.size),
        _ => {}
    }
}

/// One step of a plan; also the input of the operation's step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The provider it is at.
    pub provider_id: ProviderId,
    /// What is changed.
    pub resource_id: Option<ResourceId>,
    /// The name of what is changed or made.
    pub name: String,
    /// The part of the inventory that what is changed was listed by.
    pub scope: Option<String>,
    /// What is done.
    pub change: Change,
    /// What takes it back.
    pub undo: Undo,
    /// What it does to whoever uses the thing.
    pub disturbs: Disturbance,
    /// Sizes to be tried, in their order, where the cloud has none of the size it is to have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl PlannedStep {
    /// What the step is called: `stop_instance web-1`.
    pub fn title(&self) -> String {
        format!("{} {}", self.change.action.name(), self.name)
    }

    /// The size that is made or given, where there is one.
    pub fn size(&self) -> Option<&str> {
        Some(match &self.change.action {
            Action::CreateInstance(spec) => &spec.size,
            Action::CreateDatabase(spec) => &spec.size,
            Action::ResizeInstance(to) | Action::ResizeDatabase(to) => &to.size,
            _ => return None,
        })
    }

    /// The size that is tried after so many others.
    pub fn attempted(&self, after: usize) -> Option<&str> {
        match after.checked_sub(1) {
            Some(index) => self.fallbacks.get(index).map(String::as_str),
            None => self.size(),
        }
    }

    /// The size that it was in the end, and those before.
    pub fn sizes_after(&self, after: usize) -> (Option<String>, Vec<String>) {
        let before = (0..after).filter_map(|after| self.attempted(after)).map(str::to_owned);
        (self.attempted(after).map(str::to_owned), before.collect())
    }

    /// The change with the size that is tried after so many others.
    pub fn attempt(&self, after: usize) -> Change {
        let mut change = self.change.clone();
        if let Some(size) = self.attempted(after).filter(|_| after > 0) {
            give_size(&mut change, size);
        }
        change
    }
}

/// The steps that a wish takes.
pub fn plan(
    wish: &Wish,
    capabilities: &Capabilities,
    before: Option<&Observed>,
    standing: Option<&Action>,
) -> Result<Vec<PlannedStep>, Refusal> {
    let action = wish.change.action.name();
    let ability = ability(capabilities, action)?;
    if let Some(before) = before {
        check(wish, before)?;
    }
    let step = |change: Change, before: Option<&Observed>, disturbs| PlannedStep {
        provider_id: wish.provider_id,
        resource_id: wish.resource_id,
        name: wish.name.clone(),
        scope: wish.scope.clone(),
        undo: undo(&change, before, standing),
        change,
        disturbs,
        fallbacks: Vec::new(),
    };
    let mut main = step(wish.change.clone(), before, disturbs(&wish.change.action, ability, before));
    main.fallbacks.clone_from(&wish.fallbacks);
    let runs = before.is_some_and(|before| before.state == ResourceState::Running);
    if !(ability.needs_stopped && runs) {
        return Ok(vec![main]);
    }
    let other = |action: Action| Change { action, ..wish.change.clone() };
    let stopped = before.map(|before| Observed { state: ResourceState::Stopped, ..before.clone() });
    let mut steps = Vec::with_capacity(3);
    for (action, before) in [(Action::StopInstance, before), (Action::StartInstance, stopped.as_ref())] {
        let ability = self::ability(capabilities, action.name())?;
        steps.push(step(other(action), before, ability.disturbs));
    }
    steps.insert(1, main);
    Ok(steps)
}

/// What an action does to whoever uses the thing, as the thing stands: instances that a smaller scaling group ends are gone, and
/// those that are started in their place are others.
fn disturbs(action: &Action, ability: &Ability, before: Option<&Observed>) -> Disturbance {
    let Action::SetScale(scale) = action else { return ability.disturbs };
    let number = |name: &str| before?.attributes.get(name)?.as_u64();
    let now = number("desired_size").or_else(|| number("instances"));
    let then = scale.desired.or(scale.max);
    let fewer = then.is_some_and(|then| now.is_none_or(|now| u64::from(then) < now));
    if fewer { Disturbance::DataLoss } else { Disturbance::None }
}

/// The worst that a plan does to whoever uses the things: an instance that is stopped and started again is away for a while.
pub fn worst(steps: &[PlannedStep]) -> Disturbance {
    let worst = steps.iter().map(|step| step.disturbs).max().unwrap_or(Disturbance::None);
    let comes_back = steps.len() > 1
        && steps.last().is_some_and(|last| last.change.action.name() == ActionName::StartInstance);
    if comes_back { worst.min(Disturbance::Restart) } else { worst }
}

fn ability(capabilities: &Capabilities, action: ActionName) -> Result<&'static Ability, Refusal> {
    let abilities: &'static [Ability] = capabilities.abilities;
    abilities.iter().find(|ability| ability.action == action).ok_or_else(|| Refusal {
        code: "unsupported_action",
        detail: format!("Marquee cannot do `{action}` at this cloud ({}).", capabilities.cloud),
    })
}

/// Refuses what cannot be, as the thing stands.
fn check(wish: &Wish, before: &Observed) -> Result<(), Refusal> {
    let on_its_way = matches!(before.state, ResourceState::Deleting | ResourceState::Deleted);
    if on_its_way {
        let detail = format!("{} is {}: it cannot be changed.", wish.name, before.state);
        return Err(Refusal { code: "resource_gone", detail });
    }
    if let Action::GrowDisk(growth) = &wish.change.action {
        let now = before.attributes.get("size_gib").and_then(serde_json::Value::as_u64);
        if let Some(now) = now.filter(|now| *now > u64::from(growth.size_gib)) {
            let detail = format!("{} has {now} GiB, and disks cannot be made smaller.", wish.name);
            return Err(Refusal { code: "cannot_shrink", detail });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use marquee_clouds::{RawJson, changes::spec::Size};
    use marquee_types::ResourceKind;
    use serde_json::Map;

    use super::*;

    const fn able(action: ActionName, disturbs: Disturbance, needs_stopped: bool) -> Ability {
        Ability { action, disturbs, needs_stopped, source: "https://example.com" }
    }

    static ABLE: Capabilities = Capabilities {
        cloud: "test",
        inventory: &[],
        abilities: &[
            able(ActionName::StopInstance, Disturbance::Outage, false),
            able(ActionName::StartInstance, Disturbance::None, false),
            able(ActionName::ResizeInstance, Disturbance::None, true),
        ],
        permissions: &[],
        rate_limits: &[],
    };

    fn instance(state: ResourceState) -> Observed {
        Observed {
            kind: ResourceKind::ComputeInstance,
            native_id: "i-1".to_owned(),
            name: "web".to_owned(),
            region: "here".to_owned(),
            zone: None,
            state,
            native_state: None,
            size: Some("small".to_owned()),
            tags: Vec::new(),
            created_at: None,
            attributes: Map::new(),
            raw: RawJson::default(),
            relations: Vec::new(),
        }
    }

    fn wish(action: Action) -> Wish {
        Wish {
            provider_id: ProviderId::new(),
            resource_id: None,
            name: "web".to_owned(),
            scope: None,
            change: Change::of("here", ResourceKind::ComputeInstance, "i-1", action),
            fallbacks: Vec::new(),
        }
    }

    fn resize() -> Wish {
        wish(Action::ResizeInstance(Size { size: "large".to_owned() }))
    }

    #[test]
    fn what_runs_is_stopped_resized_and_started_and_each_step_can_be_taken_back() {
        let steps = plan(&resize(), &ABLE, Some(&instance(ResourceState::Running)), None).unwrap();
        let names: Vec<_> = steps.iter().map(PlannedStep::title).collect();
        assert_eq!(names, ["stop_instance web", "resize_instance web", "start_instance web"]);
        let back: Vec<_> = steps
            .iter()
            .map(|step| match &step.undo {
                Undo::Change { change } => change.action.name().as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(back, ["start_instance", "resize_instance", "stop_instance"]);
        assert_eq!(worst(&steps), Disturbance::Restart);
    }

    #[test]
    fn what_is_stopped_stays_stopped() {
        let steps = plan(&resize(), &ABLE, Some(&instance(ResourceState::Stopped)), None).unwrap();
        assert_eq!(steps.len(), 1);
        assert_eq!(worst(&steps), Disturbance::None);
    }

    #[test]
    fn what_a_cloud_cannot_do_and_what_is_gone_is_refused() {
        let refused = plan(&wish(Action::TerminateInstance), &ABLE, None, None).unwrap_err();
        assert_eq!(refused.code, "unsupported_action");
        let refused = plan(&resize(), &ABLE, Some(&instance(ResourceState::Deleting)), None).unwrap_err();
        assert_eq!(refused.code, "resource_gone");
    }
}
