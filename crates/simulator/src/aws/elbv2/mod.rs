//! Elastic Load Balancing v2: load balancers, listeners, target groups, and how their targets are.

mod balancers;
mod groups;
mod health;
mod tags;

use serde_json::{Map, Value};

use super::{
    ask::Ask,
    protocol::Refusal,
    service::{Answered, Handler, Row},
};
use crate::estate::{Estate, Thing};

pub(super) use balancers::{create as create_balancer, create_listener};
pub(super) use groups::{create as create_group, deregister_instances, register_instances};
pub(super) use health::unhealthy;

/// The kinds of things, as shelves are named. Their ids are their ARNs.
pub const BALANCERS: &str = "elbv2/loadbalancer";
pub const LISTENERS: &str = "elbv2/listener";
pub const GROUPS: &str = "elbv2/targetgroup";

/// All of the operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("AddTags", Handler::Write(tags::add)),
    ("CreateListener", Handler::Write(balancers::create_listener)),
    ("CreateLoadBalancer", Handler::Write(balancers::create)),
    ("CreateTargetGroup", Handler::Write(groups::create)),
    ("DeleteListener", Handler::Write(balancers::delete_listener)),
    ("DeleteLoadBalancer", Handler::Write(balancers::delete)),
    ("DeleteTargetGroup", Handler::Write(groups::delete)),
    ("DeregisterTargets", Handler::Write(groups::deregister)),
    ("DescribeListeners", Handler::Read(balancers::describe_listeners)),
    ("DescribeLoadBalancers", Handler::Read(balancers::describe)),
    ("DescribeTags", Handler::Read(tags::describe)),
    ("DescribeTargetGroups", Handler::Read(groups::describe)),
    ("DescribeTargetHealth", Handler::Read(health::describe)),
    ("RegisterTargets", Handler::Write(groups::register)),
    ("RemoveTags", Handler::Write(tags::remove)),
];

/// The thing of an ARN.
fn one<'e>(ask: &Ask<'_>, estate: &'e Estate, kind: &str, arn: &str) -> Result<&'e Thing, Refusal> {
    ask.find(estate, kind, arn).ok_or_else(|| not_found(kind, arn))
}

fn not_found(kind: &str, arn: &str) -> Refusal {
    let (code, noun) = match kind {
        BALANCERS => ("LoadBalancerNotFound", "load balancers"),
        LISTENERS => ("ListenerNotFound", "listeners"),
        _ => ("TargetGroupNotFound", "target groups"),
    };
    Refusal::new(code, format!("One or more {noun} not found: {arn}"))
}

/// A page of things, by ARNs or names or all.
fn page(
    ask: &Ask<'_>,
    estate: &Estate,
    kind: &str,
    (list, arns): (&str, &str),
    also: impl Fn(&Thing) -> bool,
    show: impl Fn(&Thing) -> Value,
) -> Answered {
    let (arns, names) = (ask.texts(arns), ask.texts("Names"));
    for arn in &arns {
        one(ask, estate, kind, arn)?;
    }
    for name in &names {
        if !ask.all(estate, kind).any(|thing| &*thing.name == *name) {
            return Err(not_found(kind, name));
        }
    }
    let wanted = |thing: &Thing| {
        (arns.is_empty() || arns.contains(&&*thing.id))
            && (names.is_empty() || names.contains(&&*thing.name))
            && also(thing)
    };
    let paging = (ask.limit("PageSize", 400), ask.text("Marker"));
    let page = ask.page(estate, kind, paging, "ValidationError", wanted)?;
    let mut output = Map::new();
    output.insert(list.to_owned(), page.things.iter().map(|thing| show(thing)).collect());
    if let Some(next) = page.next {
        output.insert("NextMarker".to_owned(), next.into());
    }
    Ok(Value::Object(output).into())
}

fn set(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}

/// What is answered where only success matters.
fn done() -> Value {
    Value::Null
}
