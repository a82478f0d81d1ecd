//! Auto Scaling: groups that launch and terminate instances when their size is changed.
//!
//! A group acts when it is changed, and only then: what it could not launch it tries again with the next change, and an
//! instance that someone else terminated is shown as unhealthy and not replaced.

mod configurations;
mod groups;
mod scaling;

use serde_json::{Map, Value};

use super::{
    ask::Ask,
    protocol::Refusal,
    service::{Handler, Row},
};
use crate::estate::{Estate, Thing};

pub(super) use configurations::create as create_configuration;
pub(super) use groups::create as create_group;

/// The kinds of things, as shelves are named. Their ids are their names.
pub const GROUPS: &str = "autoscaling/group";
pub const CONFIGURATIONS: &str = "autoscaling/launch-configuration";

/// All of the operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("CreateAutoScalingGroup", Handler::Write(groups::create)),
    ("CreateLaunchConfiguration", Handler::Write(configurations::create)),
    ("CreateOrUpdateTags", Handler::Write(groups::tag)),
    ("DeleteAutoScalingGroup", Handler::Write(groups::delete)),
    ("DeleteLaunchConfiguration", Handler::Write(configurations::delete)),
    ("DeleteTags", Handler::Write(groups::untag)),
    ("DescribeAutoScalingGroups", Handler::Read(groups::describe)),
    ("DescribeLaunchConfigurations", Handler::Read(configurations::describe)),
    ("DescribeScalingActivities", Handler::Read(scaling::activities)),
    ("SetDesiredCapacity", Handler::Write(scaling::set_desired)),
    ("TerminateInstanceInAutoScalingGroup", Handler::Write(scaling::terminate)),
    ("UpdateAutoScalingGroup", Handler::Write(groups::update)),
];

fn validation(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message).status(400)
}

fn group<'e>(ask: &Ask<'_>, estate: &'e Estate, name: &str) -> Result<&'e Thing, Refusal> {
    let missing =
        || validation(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"));
    ask.find(estate, GROUPS, name).ok_or_else(missing)
}

fn set(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}
