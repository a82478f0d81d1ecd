//! Tags of whatever has an id in EC2.

use serde_json::{Value, json};

use super::{
    ADDRESSES, GROUPS, IMAGES, INSTANCES, SNAPSHOTS, SUBNETS, TEMPLATES, VOLUMES, VPCS, done, paged, tag,
};
use crate::{
    aws::{
        ask::{Ask, tags_of},
        filters::{self, like},
        protocol::Refusal,
        service::Answered,
    },
    estate::Estate,
};

/// The kinds that have tags, with what their ids begin with and what `DescribeTags` calls them.
const KINDS: &[(&str, &str, &str)] = &[
    ("i-", INSTANCES, "instance"),
    ("vol-", VOLUMES, "volume"),
    ("snap-", SNAPSHOTS, "snapshot"),
    ("ami-", IMAGES, "image"),
    ("vpc-", VPCS, "vpc"),
    ("subnet-", SUBNETS, "subnet"),
    ("sg-", GROUPS, "security-group"),
    ("lt-", TEMPLATES, "launch-template"),
    ("eipalloc-", ADDRESSES, "elastic-ip"),
];

/// A thing has this many tags at most.
const MOST: usize = 50;

fn kind(ask: &Ask<'_>, estate: &Estate, id: &str) -> Result<&'static str, Refusal> {
    let kind = KINDS.iter().find(|(prefix, _, _)| id.starts_with(prefix)).map(|(_, kind, _)| *kind);
    let kind = kind.ok_or_else(|| Refusal::new("InvalidID", format!("The ID '{id}' is not valid")))?;
    ask.find(estate, kind, id)
        .map(|_| kind)
        .ok_or_else(|| Refusal::new("InvalidID", format!("The ID '{id}' does not exist")))
}

pub(super) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let given = tags_of(ask.list("Tags"));
    if let Some(key) = given.keys().find(|key| key.starts_with("aws:")) {
        let message = format!(
            "Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"
        );
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    for id in ask.texts("Resources") {
        let kind = kind(ask, estate, id)?;
        let thing = ask.find(estate, kind, id);
        let mut together = thing.map(|thing| thing.tags.clone()).unwrap_or_default();
        together.extend(given.clone());
        if together.len() > MOST {
            return Err(Refusal::new("TagLimitExceeded", "The maximum number of tags has been reached"));
        }
    }
    for id in ask.texts("Resources") {
        let kind = kind(ask, estate, id)?;
        if let Some(thing) = ask.find_mut(estate, kind, id) {
            tag(thing, given.clone());
        }
    }
    Ok(done().into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    for id in ask.texts("Resources") {
        kind(ask, estate, id)?;
    }
    for id in ask.texts("Resources") {
        let kind = kind(ask, estate, id)?;
        let Some(thing) = ask.find_mut(estate, kind, id) else { continue };
        if ask.get("Tags").is_none() {
            thing.tags.clear();
        }
        for wanted in ask.list("Tags") {
            let key = wanted["Key"].as_str().unwrap_or_default();
            // A tag with another value than the one that is named stays.
            let same = wanted
                .get("Value")
                .and_then(Value::as_str)
                .is_none_or(|value| thing.tags.get(key).is_some_and(|known| &**known == value));
            if same {
                thing.tags.remove(key);
            }
        }
        tag(thing, crate::estate::Tags::new());
    }
    Ok(done().into())
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    const KNOWN: &[&str] = &["resource-id", "resource-type", "key", "value"];
    let filters = filters::read(ask.list("Filters"));
    if let Some(filter) =
        filters.iter().find(|filter| !KNOWN.contains(&filter.name) && !filter.name.starts_with("tag:"))
    {
        return Err(Refusal::new(
            "InvalidParameterValue",
            format!("The filter '{}' is invalid", filter.name),
        ));
    }
    let mut rows = Vec::new();
    for (_, kind, name) in KINDS {
        for thing in ask.all(estate, kind) {
            for (key, value) in &thing.tags {
                let fits = filters.iter().all(|filter| {
                    let text: &str = match filter.name {
                        "resource-id" => &thing.id,
                        "resource-type" => name,
                        "key" => key,
                        "value" => value,
                        tag => match tag.strip_prefix("tag:") {
                            Some(wanted) if wanted == &**key => value,
                            _ => return false,
                        },
                    };
                    filter.values.iter().any(|pattern| like(pattern, text))
                });
                if fits {
                    rows.push(
                        json!({ "ResourceId": thing.id, "ResourceType": name, "Key": key, "Value": value }),
                    );
                }
            }
        }
    }
    let first = match ask.text("NextToken") {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .ok()
            .filter(|first| *first < rows.len())
            .ok_or_else(|| Refusal::new("InvalidNextToken", "The token is not valid"))?,
    };
    let until = rows.len().min(first + ask.limit("MaxResults", 1000));
    let next = (until < rows.len()).then(|| until.to_string());
    Ok(paged("Tags", (rows[first..until].to_vec(), next)).into())
}
