//! Managed instance groups, in one zone.
//!
//! A group is made of a template, the group itself and, where it has bounds, an autoscaler that is switched off (`mode` `OFF`): it keeps
//! the least and the most, and moves nothing. A group that has none has no bounds to set. Where somebody's autoscaler is on,
//! its bounds can be set and the size is its own affair.
//!
//! Each look finds out how far a change is and makes the next call. A group goes with its autoscaler and with the template that was made
//! for it; whoever begins its deletion again after it is gone, without the ticket, leaves that template.

use marquee_clouds::{
    Action, ActionName, Change, CloudError, ErrorKind, Progress, Ticket, Token,
    changes::spec::{Scale, ScalingGroupSpec},
    layers::Tally,
};
use marquee_types::{ResourceKind, ResourceState};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    calls,
    compute::{plain, taken},
    conflict, invalid, native, not_found,
    restores::ended,
    text,
    token::{description, is_described, is_ours, number_of},
    unsupported,
    work::{Handle, Work},
};
use crate::{
    cloud::Google,
    inventory::{compute_name, last},
};

const KIND: ResourceKind = ResourceKind::ScalingGroup;

/// A group that is to be made.
struct Plan<'a> {
    name: ActionName,
    spec: &'a ScalingGroupSpec,
    zone: String,
    desired: u32,
    bounds: Option<(u32, u32)>,
    token: &'a Token,
}

impl Plan<'_> {
    fn place(&self) -> String {
        format!("zones/{}", self.zone)
    }

    fn path(&self) -> String {
        format!("zones/{}/instanceGroupManagers/{}", self.zone, self.spec.name)
    }

    /// The name of its template: with a number of the token's, since a group of this name may have had another.
    fn template(&self) -> String {
        let short: String = self.spec.name.chars().take(50).collect();
        format!("{short}-t{:010x}", number_of(self.token.as_str()) & 0xff_ffff_ffff)
    }

    fn manager(&self) -> Value {
        json!({ "name": self.spec.name, "description": description("", self.token),
            "baseInstanceName": self.spec.name.chars().take(58).collect::<String>(),
            "instanceTemplate": format!("global/instanceTemplates/{}", self.template()),
            "targetSize": self.desired })
    }
}

/// What is to be done next.
enum Step {
    /// This works.
    Begun(Work),
    /// Everything is done.
    Over,
}

impl Google {
    async fn plan<'a>(
        &self,
        change: &Change,
        spec: &'a ScalingGroupSpec,
        token: &'a Token,
    ) -> Result<Plan<'a>, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        let zone = match &spec.zones[..] {
            [] => self.zone_of(name, None, &change.region, token).await?,
            [zone] => self.zone_of(name, Some(zone), &change.region, token).await?,
            _ => return Err(unsupported(name, "zones: Marquee makes groups of one zone at Google Cloud")),
        };
        let Scale { min, desired, max } = spec.scale;
        let desired = desired.or(min).unwrap_or(0);
        let bounds = (min.is_some() || max.is_some()).then(|| {
            let least = min.unwrap_or(0);
            (least, max.unwrap_or_else(|| desired.max(least)))
        });
        check_bounds(name, bounds, Some(desired))?;
        Ok(Plan { name, spec, zone, desired, bounds, token })
    }

    pub(super) async fn made_group(
        &self,
        change: &Change,
        spec: &ScalingGroupSpec,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let path = self.plan(change, spec, token).await?.path();
        let found = self.raw(KIND, &path).await?;
        let ours = found.is_some_and(|item| is_described(&item["description"], token));
        Ok(ours.then(|| native(&self.client.project, &path)))
    }

    pub(super) async fn create_group(
        &self,
        change: &Change,
        spec: &ScalingGroupSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let plan = self.plan(change, spec, token).await?;
        let (path, manager) = (plan.path(), plan.manager());
        let id = native(&self.client.project, &path);
        let earlier = self.earlier(&calls::INSERT_GROUP, &plan.place(), Some(&manager), token).await?;
        let there = self.raw(KIND, &path).await?;
        if there.as_ref().is_some_and(|item| !is_described(&item["description"], token)) {
            return Err(taken(plan.name, &path));
        }
        let work = match (earlier, &there) {
            (Some(work), _) => Some(work),
            (None, Some(_)) => None,
            (None, None) => match self.next_of_making(&plan).await? {
                Step::Begun(work) => Some(work),
                Step::Over => None,
            },
        };
        let handle = Handle { token: Some(token.clone()), seen: there.is_some(), ..Handle::of(work) };
        Ok(handle.ticket(id))
    }

    /// Makes the next of template, group and autoscaler.
    async fn next_of_making(&self, plan: &Plan<'_>) -> Result<Step, CloudError> {
        let (place, template) = (plan.place(), plan.template());
        let found =
            self.client.find(&calls::GET_TEMPLATE, &format!("global/instanceTemplates/{template}")).await?;
        if found.is_none() {
            let mut instance = plan.spec.instance.clone();
            instance.tags.extend(plan.spec.tags.clone());
            let properties = self.properties(plan.name, &instance, None, plan.token).await?;
            let body = json!({ "name": template, "description": description(&plan.spec.name, plan.token),
                "properties": properties });
            let work = self.post_compute(&calls::INSERT_TEMPLATE, "global", Some(&body), plan.token).await?;
            return Ok(Step::Begun(work));
        }
        let path = plan.path();
        match self.raw(KIND, &path).await? {
            None => {
                let body = plan.manager();
                let work = self.post_compute(&calls::INSERT_GROUP, &place, Some(&body), plan.token).await?;
                return Ok(Step::Begun(work));
            }
            Some(item) if !is_described(&item["description"], plan.token) => {
                return Err(taken(plan.name, &path));
            }
            Some(_) => {}
        }
        let Some((least, most)) = plan.bounds else { return Ok(Step::Over) };
        if self.autoscaler(&path).await?.is_some() {
            return Ok(Step::Over);
        }
        let body = json!({ "name": plan.spec.name, "description": description("", plan.token),
            "target": format!("projects/{}/{path}", self.client.project),
            "autoscalingPolicy": { "mode": "OFF", "minNumReplicas": least, "maxNumReplicas": most } });
        let work = self.post_compute(&calls::INSERT_AUTOSCALER, &place, Some(&body), plan.token).await?;
        Ok(Step::Begun(work))
    }

    pub(super) async fn look_at_group(
        &self,
        change: &Change,
        spec: &ScalingGroupSpec,
        handle: &Handle,
    ) -> Result<Progress, CloudError> {
        let token = token_of(change, handle)?;
        let plan = self.plan(change, spec, token).await?;
        let path = plan.path();
        // Made before, and not there any more: it is not made again.
        if handle.seen && self.raw(KIND, &path).await?.is_none() {
            return self.unseen(plan.name, handle).await;
        }
        if let Some(progress) = self.step(self.next_of_making(&plan).await).await? {
            return Ok(progress);
        }
        self.settled_group(&path, None).await
    }

    /// Takes the template away of a group that could not be made.
    pub(super) async fn clear_template(
        &self,
        change: &Change,
        spec: &ScalingGroupSpec,
        handle: &Handle,
    ) -> Result<(), CloudError> {
        let plan = self.plan(change, spec, token_of(change, handle)?).await?;
        let there = self.raw(KIND, &plan.path()).await?;
        if there.is_some_and(|item| is_described(&item["description"], plan.token)) {
            return Ok(());
        }
        let own = format!("global/instanceTemplates/{}", plan.template());
        if self.client.find(&calls::GET_TEMPLATE, &own).await?.is_none() {
            return Ok(());
        }
        match self.delete_compute(&calls::DELETE_TEMPLATE, &own, plan.token).await {
            Err(error) if !matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) => Err(error),
            _ => Ok(()),
        }
    }

    /// How far a step is; none once it is over and nothing is left to do.
    async fn step(&self, step: Result<Step, CloudError>) -> Result<Option<Progress>, CloudError> {
        match step {
            Ok(Step::Over) => Ok(None),
            Ok(Step::Begun(work)) => {
                let progress = self.poll(&work).await?;
                Ok(Some(progress.unwrap_or_else(|| Progress::Working("not to be seen yet".to_owned()))))
            }
            Err(error) => ended(error).map(Some),
        }
    }

    /// Whether a group has settled, at a size if one is wanted.
    async fn settled_group(&self, path: &str, desired: Option<u32>) -> Result<Progress, CloudError> {
        let id = native(&self.client.project, path);
        let seen = self.sight(KIND, &id).await?;
        let size = seen.as_ref().and_then(|seen| seen.attributes.get("desired_size")).and_then(Value::as_u64);
        let as_wanted = desired.is_none_or(|wanted| size == Some(wanted.into()));
        match seen.map(|seen| seen.state) {
            Some(ResourceState::Available) if as_wanted => Ok(Progress::Done { native_id: id }),
            Some(_) => Ok(Progress::Working("the group makes or ends instances".to_owned())),
            None => Ok(Progress::Working("not to be seen yet".to_owned())),
        }
    }

    /// The autoscaler of a group.
    async fn autoscaler(&self, path: &str) -> Result<Option<Value>, CloudError> {
        let place = path.split("/instanceGroupManagers/").next().unwrap_or_default();
        let listed = self.client.all(&calls::LIST_AUTOSCALERS, place, &Tally::default()).await?;
        let id = native(&self.client.project, path);
        Ok(listed.into_iter().find(|one| compute_name(&one["target"]).as_deref() == Some(id.as_str())))
    }

    /// The path of a group that is changed, which lies in one zone.
    fn group<'c>(&self, change: &'c Change) -> Result<&'c str, CloudError> {
        let path = self.target(change, &[KIND])?;
        if path.starts_with("zones/") {
            Ok(path)
        } else {
            Err(unsupported(change.action.name(), "Marquee changes groups of one zone at Google Cloud"))
        }
    }

    pub(super) async fn scale_stands(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        let path = self.group(change)?;
        let found = self.raw(KIND, path).await?;
        let found = found.ok_or_else(|| not_found(change.action.name(), change.native_id()))?;
        let scaler = self.autoscaler(path).await?;
        let bounds = scaler.as_ref().map(bounds_of);
        let own_size = scaler.as_ref().is_none_or(is_off);
        let desired = found["targetSize"].as_u64().and_then(|size| u32::try_from(size).ok());
        Ok(Some(Action::SetScale(Scale {
            min: bounds.map(|(least, _)| least),
            desired: desired.filter(|_| own_size),
            max: bounds.map(|(_, most)| most),
        })))
    }

    pub(super) async fn begin_scale(
        &self,
        change: &Change,
        scale: &Scale,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let work = match self.next_of_scaling(change, scale, token).await? {
            Step::Begun(work) => Some(work),
            Step::Over => None,
        };
        let handle = Handle { token: Some(token.clone()), ..Handle::of(work) };
        Ok(handle.ticket(change.native_id()))
    }

    /// Sets the bounds first, then the size.
    async fn next_of_scaling(
        &self,
        change: &Change,
        scale: &Scale,
        token: &Token,
    ) -> Result<Step, CloudError> {
        let name = change.action.name();
        let path = self.group(change)?;
        let found = self.raw(KIND, path).await?.ok_or_else(|| not_found(name, change.native_id()))?;
        let scaler = self.autoscaler(path).await?;
        let Some(scaler) = scaler else {
            if scale.min.is_some() || scale.max.is_some() {
                return Err(unsupported(
                    name,
                    "the group has no autoscaler, and so no bounds: only its size can be set",
                ));
            }
            return self.resize_group(path, &found, scale.desired, token).await;
        };
        if scale.desired.is_some() && !is_off(&scaler) {
            return Err(conflict(
                name,
                "an autoscaler says how many instances the group has: only its bounds can be set",
            ));
        }
        let (least, most) = bounds_of(&scaler);
        let wanted = (scale.min.unwrap_or(least), scale.max.unwrap_or(most));
        check_bounds(name, Some(wanted), scale.desired)?;
        if wanted == (least, most) {
            return self.resize_group(path, &found, scale.desired, token).await;
        }
        let place = path.split("/instanceGroupManagers/").next().unwrap_or_default();
        let body = json!({ "autoscalingPolicy": { "minNumReplicas": wanted.0, "maxNumReplicas": wanted.1 } });
        let call = (&calls::PATCH_AUTOSCALER, Method::PATCH);
        let query = [("autoscaler", text(&scaler, "name"))];
        Ok(Step::Begun(self.compute(call, place, &query, Some(&body), token).await?))
    }

    async fn resize_group(
        &self,
        path: &str,
        found: &Value,
        desired: Option<u32>,
        token: &Token,
    ) -> Result<Step, CloudError> {
        let Some(desired) = desired.filter(|desired| found["targetSize"] != *desired) else {
            return Ok(Step::Over);
        };
        let (call, size) = ((&calls::RESIZE_GROUP, Method::POST), desired.to_string());
        Ok(Step::Begun(self.compute(call, path, &[("size", &size)], None, token).await?))
    }

    pub(super) async fn look_at_scale(
        &self,
        change: &Change,
        scale: &Scale,
        handle: &Handle,
    ) -> Result<Progress, CloudError> {
        let token = token_of(change, handle)?;
        if let Some(progress) = self.step(self.next_of_scaling(change, scale, token).await).await? {
            return Ok(progress);
        }
        self.settled_group(self.group(change)?, scale.desired).await
    }

    pub(super) async fn begin_delete_group(
        &self,
        change: &Change,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let id = change.native_id();
        let path = self.group(change)?;
        let Some(found) = self.raw(KIND, path).await? else { return Ok(Ticket::of(id)) };
        let template = last(&found["instanceTemplate"]).map(str::to_owned);
        let work = match self.next_of_deleting(path, template.as_deref(), token).await? {
            Step::Begun(work) => Some(work),
            Step::Over => None,
        };
        let handle = Handle { token: Some(token.clone()), template, ..Handle::of(work) };
        Ok(handle.ticket(id))
    }

    /// Deletes the next of autoscaler, group and template.
    async fn next_of_deleting(
        &self,
        path: &str,
        template: Option<&str>,
        token: &Token,
    ) -> Result<Step, CloudError> {
        if let Some(scaler) = self.autoscaler(path).await? {
            let place = path.split("/instanceGroupManagers/").next().unwrap_or_default();
            let own = format!("{place}/autoscalers/{}", text(&scaler, "name"));
            return self.deleting(&calls::DELETE_AUTOSCALER, &own, token).await;
        }
        if self.raw(KIND, path).await?.is_some() {
            return self.deleting(&calls::DELETE_GROUP, path, token).await;
        }
        let Some(template) = template else { return Ok(Step::Over) };
        let own = format!("global/instanceTemplates/{template}");
        let found = self.client.find(&calls::GET_TEMPLATE, &own).await?;
        if found.is_none_or(|found| !is_ours(&found["description"])) {
            return Ok(Step::Over);
        }
        match self.deleting(&calls::DELETE_TEMPLATE, &own, token).await {
            // Another group was made of it since.
            Err(used) if used.kind == ErrorKind::Conflict => Ok(Step::Over),
            step => step,
        }
    }

    async fn deleting(
        &self,
        call: &'static crate::api::Call,
        path: &str,
        token: &Token,
    ) -> Result<Step, CloudError> {
        self.delete_compute(call, path, token).await.map(Step::Begun)
    }

    pub(super) async fn look_at_end_of_group(
        &self,
        change: &Change,
        handle: &Handle,
    ) -> Result<Progress, CloudError> {
        let id = change.native_id().to_owned();
        // It was gone when this was begun.
        let Some(token) = &handle.token else { return Ok(Progress::Done { native_id: id }) };
        let path = self.group(change)?;
        let template = handle.template.as_deref();
        if let Some(template) = template {
            plain(change.action.name(), "template", template)?;
        }
        let step = self.next_of_deleting(path, template, token).await;
        Ok(self.step(step).await?.unwrap_or(Progress::Done { native_id: id }))
    }
}

fn token_of<'h>(change: &Change, handle: &'h Handle) -> Result<&'h Token, CloudError> {
    handle.token.as_ref().ok_or_else(|| invalid(change.action.name(), "the ticket has no token"))
}

/// The least and the most that an autoscaler keeps.
fn bounds_of(scaler: &Value) -> (u32, u32) {
    let policy = &scaler["autoscalingPolicy"];
    let number = |member: &str| policy[member].as_u64().and_then(|number| u32::try_from(number).ok());
    (number("minNumReplicas").unwrap_or(0), number("maxNumReplicas").unwrap_or(0))
}

fn is_off(scaler: &Value) -> bool {
    scaler["autoscalingPolicy"]["mode"] == "OFF"
}

fn check_bounds(
    name: ActionName,
    bounds: Option<(u32, u32)>,
    desired: Option<u32>,
) -> Result<(), CloudError> {
    let Some((least, most)) = bounds else { return Ok(()) };
    if least > most {
        return Err(invalid(name, &format!("scale: at least {least} is more than at most {most}")));
    }
    match desired {
        Some(desired) if !(least..=most).contains(&desired) => {
            Err(invalid(name, &format!("scale: {desired} is not between {least} and {most}")))
        }
        _ => Ok(()),
    }
}
