//! Tags of load balancers, target groups and listeners.

use serde_json::{Value, json};

use super::{BALANCERS, GROUPS, LISTENERS, done, not_found};
use crate::{
    aws::{
        ask::{Ask, tag_list, tags_of},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
};

fn kind(arn: &str) -> &'static str {
    match arn.split(':').nth(5).and_then(|resource| resource.split('/').next()) {
        Some("loadbalancer") => BALANCERS,
        Some("listener") => LISTENERS,
        _ => GROUPS,
    }
}

fn change(ask: &Ask<'_>, estate: &mut Estate, change: impl Fn(&mut Thing)) -> Result<(), Refusal> {
    let arns = ask.texts("ResourceArns");
    if let Some(arn) = arns.iter().find(|arn| ask.find(estate, kind(arn), arn).is_none()) {
        return Err(not_found(kind(arn), arn));
    }
    for arn in arns {
        if let Some(thing) = ask.find_mut(estate, kind(arn), arn) {
            change(thing);
        }
    }
    Ok(())
}

pub(super) fn add(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let tags = tags_of(ask.list("Tags"));
    change(ask, estate, |thing| thing.tags.extend(tags.clone()))?;
    Ok(done().into())
}

pub(super) fn remove(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    change(ask, estate, |thing| {
        for key in ask.texts("TagKeys") {
            thing.tags.remove(key);
        }
    })?;
    Ok(done().into())
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let arns = ask.texts("ResourceArns");
    if arns.len() > 20 {
        return Err(
            Refusal::new("ValidationError", "At most 20 resources can be described at once").status(400)
        );
    }
    let described = arns.into_iter().map(|arn| {
        let thing = ask.find(estate, kind(arn), arn).ok_or_else(|| not_found(kind(arn), arn))?;
        Ok(json!({ "ResourceArn": arn, "Tags": tag_list(&thing.tags) }))
    });
    let described: Vec<Value> = described.collect::<Result<_, Refusal>>()?;
    Ok(json!({ "TagDescriptions": described }).into())
}
