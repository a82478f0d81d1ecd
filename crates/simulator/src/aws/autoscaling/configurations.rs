//! Launch configurations: what a group launches.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{CONFIGURATIONS, GROUPS, set, validation};
use crate::{
    aws::{
        ask::{Ask, copied, stamp},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
    face::FaceName,
};

const KEPT: &[&str] = &[
    "ImageId",
    "KeyName",
    "SecurityGroups",
    "InstanceType",
    "BlockDeviceMappings",
    "EbsOptimized",
    "AssociatePublicIpAddress",
    "InstanceMonitoring",
    "IamInstanceProfile",
    "UserData",
];

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("LaunchConfigurationName");
    if ask.find(estate, CONFIGURATIONS, name).is_some() {
        let message = "Launch Configuration by this name already exists - A launch configuration already exists with the name";
        return Err(Refusal::new("AlreadyExists", format!("{message} {name}")));
    }
    let size = ask.text("InstanceType").ok_or_else(|| validation("An instance type must be specified."))?;
    if ask.world.plan.size(FaceName::Aws, size).is_none_or(|size| size.database) {
        return Err(validation(format!("Invalid instance type: {size}")));
    }
    if ask.text("ImageId").is_none() {
        return Err(validation("An image id must be specified."));
    }
    let mut configuration = Thing::new(name, ask.place(), ask.now, "available");
    configuration.name = name.into();
    configuration.body = (&copied(ask.input, KEPT)).into();
    ask.add(estate, CONFIGURATIONS, configuration);
    Ok(Value::Null.into())
}

fn show(ask: &Ask<'_>, configuration: &Thing) -> Value {
    let mut shown = configuration.body.read();
    for (name, empty) in [
        ("KeyName", json!("")),
        ("UserData", json!("")),
        ("SecurityGroups", json!([])),
        ("BlockDeviceMappings", json!([])),
        ("EbsOptimized", json!(false)),
    ] {
        shown.entry(name).or_insert(empty);
    }
    set(&mut shown, "LaunchConfigurationName", &*configuration.id);
    let number =
        ask.world.seed().uuid(&["launch-configuration", ask.owner(), ask.place(), &configuration.id]);
    let resource = format!("launchConfiguration:{number}:launchConfigurationName/{}", configuration.id);
    set(&mut shown, "LaunchConfigurationARN", ask.arn("autoscaling", &resource));
    set(&mut shown, "CreatedTime", stamp(configuration.born));
    Value::Object(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let names = ask.texts("LaunchConfigurationNames");
    let wanted = |configuration: &Thing| names.is_empty() || names.contains(&&*configuration.id);
    let paging = (ask.limit("MaxRecords", 100), ask.text("NextToken"));
    let page = ask.page(estate, CONFIGURATIONS, paging, "InvalidNextToken", wanted)?;
    let mut output = Map::new();
    set(
        &mut output,
        "LaunchConfigurations",
        page.things.iter().map(|thing| show(ask, thing)).collect::<Vec<_>>(),
    );
    if let Some(next) = page.next {
        set(&mut output, "NextToken", next);
    }
    Ok(Value::Object(output).into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("LaunchConfigurationName");
    if ask.find(estate, CONFIGURATIONS, name).is_none() {
        return Err(validation(format!(
            "Launch configuration name not found - Launch configuration {name} not found"
        )));
    }
    if ask.all(estate, GROUPS).any(|group| group.body.get("LaunchConfigurationName") == name) {
        let message =
            format!("Cannot delete launch configuration {name} because it is attached to AutoScalingGroup");
        return Err(Refusal::new("ResourceInUse", message));
    }
    ask.end(estate, CONFIGURATIONS, name, TimeDelta::zero());
    Ok(Value::Null.into())
}
