//! Launch templates: what a scaling group launches. Each has one version, since none can be added.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{TEMPLATES, given_tags, paged, set, tag, with_tags};
use crate::{
    aws::{
        ask::{Ask, stamp},
        filters::{self, Source},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Replay, Thing},
    face::FaceName,
};

/// What of a template's data is simulated.
const DATA: &[&str] = &[
    "BlockDeviceMappings",
    "EbsOptimized",
    "IamInstanceProfile",
    "ImageId",
    "InstanceType",
    "KeyName",
    "NetworkInterfaces",
    "SecurityGroupIds",
    "TagSpecifications",
    "UserData",
];

const FILTERS: &[(&str, Source)] = &[("launch-template-name", Source::Body(&["LaunchTemplateName"]))];

/// How long the token of a creation is kept.
const TOKEN_KEPT: TimeDelta = TimeDelta::hours(24);

fn missing(name: &str) -> Refusal {
    let message = format!("The specified launch template, with template name {name}, does not exist.");
    Refusal::new("InvalidLaunchTemplateName.NotFoundException", message)
}

/// The template of a name.
pub(crate) fn named<'e>(ask: &'e Ask<'_>, estate: &'e Estate, name: &str) -> Option<&'e Thing> {
    ask.all(estate, TEMPLATES).find(|template| template.body.get("LaunchTemplateName") == name)
}

/// What a template launches.
pub(crate) fn data(template: &Thing) -> Map<String, Value> {
    template.body.get("_Data").as_object().cloned().unwrap_or_default()
}

pub(super) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (name, request) = (ask.need("LaunchTemplateName"), ask.input.to_string());
    let scope = format!("CreateLaunchTemplate/{}/{}", ask.owner(), ask.place());
    if let Some(token) = ask.text("ClientToken") {
        match estate.replay(&scope, token, &request, ask.now) {
            Replay::Same(answer) => return Ok(answer.into()),
            Replay::Other => {
                let message = "The client token was used with other parameters.";
                return Err(Refusal::new("IdempotentParameterMismatch", message));
            }
            Replay::New => {}
        }
    }
    // Names that are taken are known at once, also where things are seen late.
    let later = Ask { now: ask.now + ask.effects.unseen, ..*ask };
    if named(&later, estate, name).is_some() {
        let message = "Launch template name already in use.";
        return Err(Refusal::new("InvalidLaunchTemplateName.AlreadyExistsException", message));
    }
    let data = ask.get("LaunchTemplateData").cloned().unwrap_or_default();
    check(ask, &data)?;
    let id = ask.new_id(estate, "lt-", 17);
    let mut template = Thing::new(&id, ask.place(), ask.now, "available");
    template.body = json!({
        "LaunchTemplateName": name, "CreatedBy": ask.caller.arn, "DefaultVersionNumber": 1,
        "LatestVersionNumber": 1, "_Data": data,
    })
    .into();
    tag(&mut template, given_tags(ask, "launch-template"));
    let answer = json!({ "LaunchTemplate": show(ask, &template) });
    ask.add(estate, TEMPLATES, template);
    if let Some(token) = ask.text("ClientToken") {
        let until = Some(ask.now + TOKEN_KEPT);
        estate.remember(&scope, token, &request, answer.clone(), (ask.now, until));
    }
    Ok(answer.into())
}

fn check(ask: &Ask<'_>, data: &Value) -> Result<(), Refusal> {
    let given = data.as_object().into_iter().flat_map(Map::keys);
    if let Some(name) = given.into_iter().find(|name| !DATA.contains(&name.as_str())) {
        let message = format!("The parameter LaunchTemplateData.{name} is not supported by the simulator.");
        return Err(Refusal::new("UnsupportedOperation", message));
    }
    if let Some(size) = data["InstanceType"].as_str()
        && ask.world.plan.size(FaceName::Aws, size).is_none_or(|size| size.database)
    {
        let message = format!("Invalid value '{size}' for InstanceType.");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    Ok(())
}

fn show(_: &Ask<'_>, template: &Thing) -> Value {
    let mut shown = with_tags(template);
    shown.shift_remove("_Data");
    set(&mut shown, "LaunchTemplateId", &*template.id);
    set(&mut shown, "CreateTime", stamp(template.born));
    Value::Object(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let (names, ids) = (ask.texts("LaunchTemplateNames"), ask.texts("LaunchTemplateIds"));
    if let Some(name) = names.iter().find(|name| named(ask, estate, name).is_none()) {
        return Err(missing(name));
    }
    if let Some(id) = ids.iter().find(|id| ask.find(estate, TEMPLATES, id).is_none()) {
        let message = format!("The specified launch template, with template ID {id}, does not exist.");
        return Err(Refusal::new("InvalidLaunchTemplateId.NotFound", message));
    }
    let filters = filters::read(ask.list("Filters"));
    if let Some(name) = filters::unknown(&filters, FILTERS) {
        return Err(Refusal::new("InvalidParameterValue", format!("The filter '{name}' is invalid")));
    }
    let wanted = |template: &Thing| {
        let name = template.body.get("LaunchTemplateName");
        (names.is_empty() || name.as_str().is_some_and(|name| names.contains(&name)))
            && (ids.is_empty() || ids.contains(&&*template.id))
            && filters::pass(template, "", ask.owner(), &filters, FILTERS)
    };
    let paging = (ask.limit("MaxResults", 200), ask.text("NextToken"));
    let page = ask.page(estate, TEMPLATES, paging, "InvalidNextToken", wanted)?;
    let shown = page.things.iter().map(|template| show(ask, template)).collect();
    Ok(paged("LaunchTemplates", (shown, page.next)).into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let found = match (ask.text("LaunchTemplateId"), ask.text("LaunchTemplateName")) {
        (Some(id), _) => ask.find(estate, TEMPLATES, id).ok_or_else(|| {
            let message = format!("The specified launch template, with template ID {id}, does not exist.");
            Refusal::new("InvalidLaunchTemplateId.NotFound", message)
        })?,
        (None, name) => {
            let name = name.unwrap_or_default();
            named(ask, estate, name).ok_or_else(|| missing(name))?
        }
    };
    let (id, shown) = (found.id.clone(), show(ask, found));
    ask.end(estate, TEMPLATES, &id, TimeDelta::zero());
    Ok(json!({ "LaunchTemplate": shown }).into())
}
