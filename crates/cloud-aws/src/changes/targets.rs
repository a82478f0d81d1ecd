//! Instances that target groups send traffic to. Both calls may be repeated.

use marquee_clouds::{CloudError, Progress, Ticket, changes::spec::InstanceRef};
use marquee_types::ResourceKind;

use super::calls::{Calls, done, not_found, param};
use crate::{
    query::{ELB, Params},
    xml::Node,
};

fn params(calls: &Calls<'_>, group: &str, target: &InstanceRef) -> Result<Params, CloudError> {
    let instance = calls.id(ResourceKind::ComputeInstance, &target.instance)?;
    let mut params = vec![param("TargetGroupArn", group), param("Targets.member.1.Id", instance)];
    params.extend(target.port.map(|port| param("Targets.member.1.Port", port.to_string())));
    Ok(params)
}

/// Begins to send traffic to an instance.
pub async fn register(calls: &Calls<'_>, group: &str, target: &InstanceRef) -> Result<Ticket, CloudError> {
    calls.ask(&ELB, "RegisterTargets", params(calls, group, target)?).await?;
    Ok(Ticket::of(group))
}

/// Begins to send none to it any more.
pub async fn deregister(calls: &Calls<'_>, group: &str, target: &InstanceRef) -> Result<Ticket, CloudError> {
    calls.ask(&ELB, "DeregisterTargets", params(calls, group, target)?).await?;
    Ok(Ticket::of(group))
}

/// Whether an instance is registered, or no longer. Requests that it has are let end first: it is there until then.
pub async fn look(
    calls: &Calls<'_>,
    group: &str,
    target: &InstanceRef,
    wanted: bool,
) -> Result<Progress, CloudError> {
    let Some(seen) = calls.see(ResourceKind::TargetGroup, group).await? else {
        return Ok(Progress::Failed(not_found(&format!("{group} is gone"))));
    };
    let instance = calls.id(ResourceKind::ComputeInstance, &target.instance)?;
    let usual = seen.attributes.get("port").map(ToString::to_string).unwrap_or_default();
    let port = target.port.map_or(usual, |port| port.to_string());
    let answer = calls.ask(&ELB, "DescribeTargetHealth", vec![param("TargetGroupArn", group)]).await?;
    let is = |node: Node<'_, '_>| {
        node.get_in("Target", "Id") == Some(instance) && node.get_in("Target", "Port") == Some(&port)
    };
    let found = answer.read(|root| {
        let all = root.child("DescribeTargetHealthResult")?.list("TargetHealthDescriptions");
        Some(
            all.filter(|node| is(*node))
                .map(|node| node.get_in("TargetHealth", "State").unwrap_or_default().to_owned())
                .next(),
        )
    })?;
    Ok(match found {
        Some(state) if state == "draining" => Progress::Working(state),
        Some(_) if wanted => done(group),
        None if !wanted => done(group),
        other => Progress::Working(other.unwrap_or_else(|| "not seen yet".to_owned())),
    })
}
