//! Scaling groups, each with a launch template of its own that is made before it and removed after it.
//!
//! Auto Scaling takes no tokens, but only one group of a region can have a name, and tags are given in the call that makes
//! it. The template's name is made of the token, and it carries the group's name as a tag: so it is found again
//! whatever was cut short, and a template that somebody else made for a group stays.

use marquee_clouds::{
    CloudError, ErrorKind, Observed, Progress, Retry, Ticket, Token,
    changes::{
        TOKEN_TAG,
        spec::{Scale, ScalingGroupSpec},
    },
};
use marquee_types::{ResourceKind, ResourceState};
use serde_json::{Value, json};

use super::{
    calls::{
        Calls, carries, conflict, done, extensions, invalid, marked, not_found, pairs, param, specification,
        taken, unseen, working,
    },
    compute::{Extensions, launch},
};
use crate::{
    error::CLOUD,
    query::{AUTOSCALING, EC2, Params, is_silent},
    xml::Node,
};

const KIND: ResourceKind = ResourceKind::ScalingGroup;

/// The tag of a launch template that names the group it was made for.
const GROUP_TAG: &str = "marquee-scaling-group";

/// How Auto Scaling says that it sees no such template. It has no code of its own for that.
const UNSEEN_TEMPLATE: &str = "The specified launch template";

fn template_name(token: &Token) -> String {
    format!("marquee-{token}")
}

/// Begins to make a group.
pub async fn create(calls: &Calls<'_>, spec: &ScalingGroupSpec, token: &Token) -> Result<Ticket, CloudError> {
    let own: Extensions = extensions(&spec.instance.extensions)?;
    let scale = sizes(spec)?;
    if let Some(ticket) = whose(calls, &spec.name, token).await? {
        return Ok(ticket);
    }
    let mut tags = marked(&spec.instance.tags, None, token)?;
    tags.retain(|(key, _)| key != TOKEN_TAG);
    let subnets = subnets(calls, spec, &own).await?;
    make_template(calls, spec, &own, token).await?;
    let mut params = vec![
        param("AutoScalingGroupName", &spec.name),
        param("LaunchTemplate.LaunchTemplateName", template_name(token)),
        param("LaunchTemplate.Version", "$Default"),
        param("VPCZoneIdentifier", subnets.join(",")),
    ];
    params.extend(scale);
    params.extend(group_tags(spec, tags, token)?);
    match calls.ask(&AUTOSCALING, "CreateAutoScalingGroup", params).await {
        Ok(_) => {}
        Err(error) if error.kind == ErrorKind::Conflict => {
            return match whose(calls, &spec.name, token).await {
                Ok(Some(ticket)) => Ok(ticket),
                Ok(None) => Err(unseen(&format!("the name {}", spec.name))),
                Err(error) if error.kind == ErrorKind::Conflict => {
                    drop_template(calls, &template_name(token)).await?;
                    Err(error)
                }
                Err(error) => Err(error),
            };
        }
        // Auto Scaling may not see for a while what EC2 has made: begun again, the template is there.
        Err(error) if error.message.contains(UNSEEN_TEMPLATE) => {
            return Err(CloudError { kind: ErrorKind::Unavailable, retry: Retry::Now, ..error });
        }
        Err(error) => {
            // What was made for it goes, unless the group may be there for all that.
            if !is_silent(error.kind) {
                drop_template(calls, &template_name(token)).await?;
            }
            return Err(error);
        }
    }
    let native_id = named(calls, &spec.name).await?.map(|(arn, _)| arn);
    Ok(Ticket::with(native_id, json!({ "name": spec.name })))
}

/// A group's sizes as parameters.
fn sizes(spec: &ScalingGroupSpec) -> Result<Params, CloudError> {
    let Scale { min, desired, max } = spec.scale;
    if spec.name.is_empty() {
        return Err(invalid("/name: a group needs a name"));
    }
    let least = min.or(desired).unwrap_or(0);
    let now = desired.unwrap_or(least);
    let most = max.unwrap_or(now);
    Ok(vec![
        param("MinSize", least.to_string()),
        param("DesiredCapacity", now.to_string()),
        param("MaxSize", most.to_string()),
    ])
}

/// The tags of a group: those of its own, those for its instances, and the token for itself alone.
fn group_tags(
    spec: &ScalingGroupSpec,
    for_instances: Vec<(String, String)>,
    token: &Token,
) -> Result<Params, CloudError> {
    let mut all = marked(&spec.tags, None, token)?;
    let more = |(key, _): &(String, String)| !spec.tags.contains_key(key);
    all.extend(for_instances.into_iter().filter(more));
    let mut params = pairs("Tags.member", &all);
    for (index, (key, _)) in all.iter().enumerate() {
        let propagated = (key != TOKEN_TAG).to_string();
        params.push(param(format!("Tags.member.{}.PropagateAtLaunch", index + 1), propagated));
    }
    Ok(params)
}

/// The subnets that a group's instances lie in: those that are named, or the account's default ones in its zones.
async fn subnets(
    calls: &Calls<'_>,
    spec: &ScalingGroupSpec,
    own: &Extensions,
) -> Result<Vec<String>, CloudError> {
    let named = spec.instance.subnet.iter().chain(&own.subnets);
    let named = named.map(|subnet| calls.id(ResourceKind::Subnet, subnet).map(str::to_owned));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    if !named.is_empty() {
        return Ok(named);
    }
    let mut params = vec![param("Filter.1.Name", "default-for-az"), param("Filter.1.Value.1", "true")];
    if !spec.zones.is_empty() {
        params.push(param("Filter.2.Name", "availability-zone"));
        let value = |(index, zone): (usize, &String)| param(format!("Filter.2.Value.{}", index + 1), zone);
        params.extend(spec.zones.iter().enumerate().map(value));
    }
    let answer = calls.ask(&EC2, "DescribeSubnets", params).await?;
    let id = |node: Node<'_, '_>| node.get("subnetId").map(str::to_owned);
    let found: Vec<String> = answer.read(|root| Some(root.list("subnetSet").filter_map(id).collect()))?;
    if found.is_empty() {
        let message = "the account has no default subnet there; name one in /instance/subnet, or several in \
            /instance/extensions/subnets";
        return Err(invalid(message));
    }
    Ok(found)
}

async fn make_template(
    calls: &Calls<'_>,
    spec: &ScalingGroupSpec,
    own: &Extensions,
    token: &Token,
) -> Result<(), CloudError> {
    let name = template_name(token);
    let mut tags = marked(&spec.tags, None, token)?;
    tags.push((GROUP_TAG.to_owned(), spec.name.clone()));
    let mut params = vec![param("LaunchTemplateName", &name), param("ClientToken", token.as_str())];
    params.extend(launch(calls, "LaunchTemplateData.", &spec.instance, own).await?);
    params.extend(specification("TagSpecification.1", "launch-template", &tags));
    match calls.ask(&EC2, "CreateLaunchTemplate", params).await {
        // The name is made of the token: it can only be this one's.
        Err(error) if error.kind != ErrorKind::Conflict => Err(error),
        _ => Ok(()),
    }
}

async fn drop_template(calls: &Calls<'_>, name: &str) -> Result<(), CloudError> {
    match calls.ask(&EC2, "DeleteLaunchTemplate", vec![param("LaunchTemplateName", name)]).await {
        Err(error) if error.kind != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The ARN of the group of a name, and its token if it has one.
async fn named(calls: &Calls<'_>, name: &str) -> Result<Option<(String, Option<String>)>, CloudError> {
    let params = vec![param("AutoScalingGroupNames.member.1", name)];
    let answer = calls.ask(&AUTOSCALING, "DescribeAutoScalingGroups", params).await?;
    let token = |node: Node<'_, '_>| {
        let tag = node.list("Tags").find(|tag| tag.get("Key") == Some(TOKEN_TAG))?;
        tag.get("Value").map(str::to_owned)
    };
    let read = |node: Node<'_, '_>| Some((node.get("AutoScalingGroupARN")?.to_owned(), token(node)));
    answer.read(|root| {
        let result = root.child("DescribeAutoScalingGroupsResult")?;
        Some(result.list("AutoScalingGroups").find_map(read))
    })
}

/// The keys of a group's tags that its instances do not get.
pub async fn kept_to_itself(calls: &Calls<'_>, name: &str) -> Result<Vec<String>, CloudError> {
    let params = vec![param("AutoScalingGroupNames.member.1", name)];
    let answer = calls.ask(&AUTOSCALING, "DescribeAutoScalingGroups", params).await?;
    let key = |tag: Node<'_, '_>| {
        let own = tag.get("PropagateAtLaunch") == Some("false");
        own.then(|| tag.get("Key").map(str::to_owned)).flatten()
    };
    answer.read(|root| {
        let groups = root.child("DescribeAutoScalingGroupsResult")?.list("AutoScalingGroups");
        Some(groups.flat_map(|group| group.list("Tags")).filter_map(key).collect())
    })
}

/// A ticket if there is a group of the name and it is this change's; an error if it is not.
async fn whose(calls: &Calls<'_>, name: &str, token: &Token) -> Result<Option<Ticket>, CloudError> {
    match named(calls, name).await? {
        None => Ok(None),
        Some((arn, Some(found))) if found == token.as_str() => {
            Ok(Some(Ticket::with(Some(arn), json!({ "name": name }))))
        }
        Some((arn, _)) => Err(taken(&arn)),
    }
}

/// The group that a token made.
pub async fn made(calls: &Calls<'_>, name: &str, token: &Token) -> Result<Option<String>, CloudError> {
    if name.is_empty() {
        return Ok(None);
    }
    let Some((arn, _)) = named(calls, name).await? else { return Ok(None) };
    let found = calls.see(KIND, &arn).await?;
    let lives = |found: &Observed| carries(found, token) && found.state != ResourceState::Deleting;
    Ok(found.filter(lives).map(|_| arn))
}

/// Whether a group that was made has its instances.
pub async fn look_made(
    calls: &Calls<'_>,
    spec: &ScalingGroupSpec,
    ticket: &Ticket,
) -> Result<Progress, CloudError> {
    let native_id = match &ticket.native_id {
        Some(native_id) => native_id.clone(),
        None => match named(calls, &spec.name).await? {
            Some((arn, _)) => arn,
            None => return Ok(working(None)),
        },
    };
    match calls.see(KIND, &native_id).await? {
        None => Ok(working(None)),
        Some(found) => filled(calls, &found, None).await,
    }
}

/// Whether a group has as many instances in service as it wants; an instance that cannot be launched is a failure.
async fn filled(calls: &Calls<'_>, found: &Observed, known: Option<&str>) -> Result<Progress, CloudError> {
    if found.state == ResourceState::Deleting {
        return Ok(Progress::Failed(conflict(format!("{} is being deleted", found.native_id))));
    }
    let raw = found.raw.to_value();
    let members = raw["Instances"].as_array().map_or(&[][..], Vec::as_slice);
    let serving = members.iter().filter(|member| member["LifecycleState"] == "InService").count() as u64;
    let wanted = found.attributes.get("desired_size").and_then(Value::as_u64).unwrap_or_default();
    if serving == wanted && members.len() as u64 == wanted {
        return Ok(done(&found.native_id));
    }
    if serving < wanted
        && let Some(activity) = last_activity(calls, &found.name).await?
        && Some(activity.id.as_str()) != known
        && activity.failed
    {
        return Ok(Progress::Failed(activity.error()));
    }
    Ok(Progress::Working(format!("{serving} of {wanted} instances in service")))
}

/// What a group did last.
struct Activity {
    id: String,
    failed: bool,
    message: String,
}

impl Activity {
    /// Why it failed. Auto Scaling has no code for it: the sentence is EC2's.
    fn error(self) -> CloudError {
        let has = |words: &[&str]| words.iter().any(|word| self.message.contains(word));
        let kind = if has(&["limit", "quota"]) {
            ErrorKind::QuotaExceeded
        } else if has(&["capacity"]) {
            ErrorKind::InsufficientCapacity
        } else {
            ErrorKind::Conflict
        };
        CloudError::new(CLOUD, "autoscaling:DescribeScalingActivities", kind, self.message)
    }
}

async fn last_activity(calls: &Calls<'_>, name: &str) -> Result<Option<Activity>, CloudError> {
    let params = vec![param("AutoScalingGroupName", name)];
    let answer = calls.ask(&AUTOSCALING, "DescribeScalingActivities", params).await?;
    let read = |node: Node<'_, '_>| {
        let text = |name: &str| node.get(name).unwrap_or_default().to_owned();
        let message =
            if text("StatusMessage").is_empty() { text("Description") } else { text("StatusMessage") };
        Activity { id: text("ActivityId"), failed: node.get("StatusCode") == Some("Failed"), message }
    };
    answer.read(|root| {
        let all = root.child("DescribeScalingActivitiesResult")?.list("Activities");
        Some(all.map(read).next())
    })
}

/// Sets how many instances a group has.
pub async fn set_scale(calls: &Calls<'_>, native_id: &str, to: Scale) -> Result<Ticket, CloudError> {
    let name = calls.id(KIND, native_id)?;
    let found = calls.sight(KIND, native_id).await?;
    if found.state == ResourceState::Deleting {
        return Err(conflict(format!("{native_id} is being deleted")));
    }
    // What failed before this change is not a failure of it.
    let known = last_activity(calls, name).await?.map(|activity| activity.id);
    let mut params = vec![param("AutoScalingGroupName", name)];
    for (member, size) in [("MinSize", to.min), ("DesiredCapacity", to.desired), ("MaxSize", to.max)] {
        params.extend(size.map(|size| param(member, size.to_string())));
    }
    calls.ask(&AUTOSCALING, "UpdateAutoScalingGroup", params).await?;
    Ok(Ticket::with(Some(native_id.to_owned()), json!({ "activity": known })))
}

/// Whether a group has its sizes, and its instances.
pub async fn look_scaled(
    calls: &Calls<'_>,
    native_id: &str,
    to: Scale,
    handle: &Value,
) -> Result<Progress, CloudError> {
    let Some(found) = calls.see(KIND, native_id).await? else {
        return Ok(Progress::Failed(not_found(&format!("{native_id} is gone"))));
    };
    let is = |name: &str, wanted: Option<u32>| {
        let has = found.attributes.get(name).and_then(Value::as_u64);
        wanted.is_none_or(|wanted| has == Some(u64::from(wanted)))
    };
    if is("min_size", to.min) && is("desired_size", to.desired) && is("max_size", to.max) {
        return filled(calls, &found, handle["activity"].as_str()).await;
    }
    Ok(working(Some(&found)))
}

/// Begins to delete a group with its instances and the template that was made for it.
pub async fn delete(calls: &Calls<'_>, native_id: &str) -> Result<Ticket, CloudError> {
    let name = calls.id(KIND, native_id)?;
    let now = named(calls, name).await?;
    match &now {
        Some((arn, _)) if arn == native_id => {
            let found = calls.see(KIND, native_id).await?;
            if found.is_some_and(|found| found.state != ResourceState::Deleting) {
                let params = vec![param("AutoScalingGroupName", name), param("ForceDelete", "true")];
                calls.ask(&AUTOSCALING, "DeleteAutoScalingGroup", params).await?;
            }
        }
        // Another group has the name by now, and its template with it.
        Some(_) => return Ok(Ticket::of(native_id)),
        None => {}
    }
    for template in templates(calls, name).await? {
        drop_template(calls, &template).await?;
    }
    Ok(Ticket::of(native_id))
}

/// The templates that were made for the group of a name.
async fn templates(calls: &Calls<'_>, group: &str) -> Result<Vec<String>, CloudError> {
    let params = vec![param("Filter.1.Name", format!("tag:{GROUP_TAG}")), param("Filter.1.Value.1", group)];
    let answer = calls.ask(&EC2, "DescribeLaunchTemplates", params).await?;
    let name = |node: Node<'_, '_>| node.get("launchTemplateName").map(str::to_owned);
    answer.read(|root| Some(root.list("launchTemplates").filter_map(name).collect()))
}
