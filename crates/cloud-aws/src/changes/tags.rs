//! Tags of whatever has them: each service has its own calls for them, and all may be repeated.

use aws_sdk_route53::types::{Tag, TagResourceType};
use marquee_clouds::{
    CloudError, Progress, Ticket,
    changes::{Target, spec::Tags},
};
use marquee_types::ResourceKind;

use super::{
    buckets,
    calls::{Calls, done, invalid, keep_off, pairs, param, tagged},
    scaling,
};
use crate::query::{AUTOSCALING, EC2, ELB, Params, RDS};

/// Sets and removes tags.
pub async fn set(calls: &Calls<'_>, target: &Target, tags: &Tags) -> Result<Ticket, CloudError> {
    keep_off(tags.set.keys().chain(&tags.remove))?;
    let (kind, id) = (target.kind, target.native_id.as_str());
    let set: Vec<(String, String)> =
        tags.set.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    // What is set and removed at once is set.
    let remove: Vec<String> =
        tags.remove.iter().filter(|key| !tags.set.contains_key(*key)).cloned().collect();
    match kind {
        ResourceKind::Bucket => return buckets::set_tags(calls, id, tags).await,
        ResourceKind::DnsZone => of_zone(calls, id, set, remove).await?,
        ResourceKind::Database | ResourceKind::DatabaseCluster | ResourceKind::DatabaseSnapshot => {
            of_database(calls, id, &set, &remove).await?;
        }
        ResourceKind::LoadBalancer | ResourceKind::TargetGroup => {
            of_balancer(calls, id, &set, &remove).await?;
        }
        ResourceKind::ScalingGroup => {
            of_group(calls, calls.id(kind, id)?, &set, &remove).await?;
        }
        _ => of_ec2(calls, calls.id(kind, id)?, &set, &remove).await?,
    }
    Ok(Ticket::of(id))
}

fn numbered(name: &str, values: &[String]) -> Params {
    values.iter().enumerate().map(|(index, value)| param(format!("{name}.{}", index + 1), value)).collect()
}

async fn of_ec2(
    calls: &Calls<'_>,
    id: &str,
    set: &[(String, String)],
    remove: &[String],
) -> Result<(), CloudError> {
    if !set.is_empty() {
        let mut params = vec![param("ResourceId.1", id)];
        params.extend(pairs("Tag", set));
        calls.ask(&EC2, "CreateTags", params).await?;
    }
    if !remove.is_empty() {
        let mut params = vec![param("ResourceId.1", id)];
        let key = |(index, key): (usize, &String)| param(format!("Tag.{}.Key", index + 1), key);
        params.extend(remove.iter().enumerate().map(key));
        calls.ask(&EC2, "DeleteTags", params).await?;
    }
    Ok(())
}

async fn of_database(
    calls: &Calls<'_>,
    arn: &str,
    set: &[(String, String)],
    remove: &[String],
) -> Result<(), CloudError> {
    if !set.is_empty() {
        let mut params = vec![param("ResourceName", arn)];
        params.extend(pairs("Tags.Tag", set));
        calls.ask(&RDS, "AddTagsToResource", params).await?;
    }
    if !remove.is_empty() {
        let mut params = vec![param("ResourceName", arn)];
        params.extend(numbered("TagKeys.member", remove));
        calls.ask(&RDS, "RemoveTagsFromResource", params).await?;
    }
    Ok(())
}

async fn of_balancer(
    calls: &Calls<'_>,
    arn: &str,
    set: &[(String, String)],
    remove: &[String],
) -> Result<(), CloudError> {
    if !set.is_empty() {
        let mut params = vec![param("ResourceArns.member.1", arn)];
        params.extend(pairs("Tags.member", set));
        calls.ask(&ELB, "AddTags", params).await?;
    }
    if !remove.is_empty() {
        let mut params = vec![param("ResourceArns.member.1", arn)];
        params.extend(numbered("TagKeys.member", remove));
        calls.ask(&ELB, "RemoveTags", params).await?;
    }
    Ok(())
}

async fn of_group(
    calls: &Calls<'_>,
    name: &str,
    set: &[(String, String)],
    remove: &[String],
) -> Result<(), CloudError> {
    let of = |index: usize| {
        let at = format!("Tags.member.{}", index + 1);
        [param(format!("{at}.ResourceId"), name), param(format!("{at}.ResourceType"), "auto-scaling-group")]
    };
    if !set.is_empty() {
        let kept = scaling::kept_to_itself(calls, name).await?;
        let mut params = pairs("Tags.member", set);
        for (index, (key, _)) in set.iter().enumerate() {
            params.extend(of(index));
            // The instances that come later get a new tag too, and one that they did not get before they do not get now.
            let propagated = (!kept.contains(key)).to_string();
            params.push(param(format!("Tags.member.{}.PropagateAtLaunch", index + 1), propagated));
        }
        calls.ask(&AUTOSCALING, "CreateOrUpdateTags", params).await?;
    }
    if !remove.is_empty() {
        let mut params = Params::new();
        for (index, key) in remove.iter().enumerate() {
            params.extend(of(index));
            params.push(param(format!("Tags.member.{}.Key", index + 1), key));
        }
        calls.ask(&AUTOSCALING, "DeleteTags", params).await?;
    }
    Ok(())
}

async fn of_zone(
    calls: &Calls<'_>,
    native_id: &str,
    set: Vec<(String, String)>,
    remove: Vec<String>,
) -> Result<(), CloudError> {
    let id = calls.id(ResourceKind::DnsZone, native_id)?;
    if set.is_empty() && remove.is_empty() {
        return Err(invalid("no tags are to be set or removed"));
    }
    let (client, caller) = (calls.aws.route53(), calls.aws.sdk_caller());
    let add: Vec<Tag> =
        set.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    caller
        .call("route53", "ChangeTagsForResource", None, || {
            let call = client.change_tags_for_resource();
            call.resource_type(TagResourceType::Hostedzone)
                .resource_id(id)
                .set_add_tags((!add.is_empty()).then(|| add.clone()))
                .set_remove_tag_keys((!remove.is_empty()).then(|| remove.clone()))
                .send()
        })
        .await?;
    Ok(())
}

/// Whether a thing has its tags.
pub async fn look(calls: &Calls<'_>, target: &Target, tags: &Tags) -> Result<Progress, CloudError> {
    let id = &target.native_id;
    calls
        .turned(target.kind, id, |found| {
            Some(if tagged(found, tags) {
                done(id)
            } else {
                Progress::Working("not seen on it yet".to_owned())
            })
        })
        .await
}
