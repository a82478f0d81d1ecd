//! Finding a thing by the name that people gave it: exactly, whatever its capitals, or else the names that are near.

use crate::{
    failure::Failure,
    http::{Http, Request},
    nouns::ByName,
    spec::Api,
    surroundings::Surroundings,
};

/// Names that are this much alike are told as near: 1 is the same.
const NEAR: f64 = 0.6;
/// At most so many names are told.
const TOLD: usize = 5;

/// Something that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    id: String,
    name: String,
}

/// The id of what is called `given`, which may be an id already. `singular` is what such a thing is called, `command`
/// what lists them.
pub async fn resolve(
    api: &Api,
    http: &Http,
    by_name: ByName,
    (given, singular, command): (&str, &str, &str),
    surroundings: &mut Surroundings,
) -> Result<String, Failure> {
    if given.starts_with(by_name.prefix) {
        return Ok(given.to_owned());
    }
    let Some(list) = api.by_id(by_name.list) else { return Ok(given.to_owned()) };
    let mut all = Vec::new();
    let mut query = vec![("limit".to_owned(), "200".to_owned())];
    loop {
        let answer = http.send(&Request::get(list.path.clone(), query.clone()), surroundings).await?.body;
        let items = answer["items"].as_array().into_iter().flatten();
        all.extend(items.filter_map(|item| {
            let text = |key: &str| item[key].as_str().map(str::to_owned);
            Some(Named { id: text("id")?, name: text("name")? })
        }));
        let Some(cursor) = answer["next_cursor"].as_str() else { break };
        query.truncate(1);
        query.push(("cursor".to_owned(), cursor.to_owned()));
    }
    choose(&all, given).map_err(|near| refusal(given, singular, command, &all, &near))
}

/// The one that is meant, or those that come near.
fn choose(all: &[Named], given: &str) -> Result<String, Vec<Named>> {
    if let Some(exact) = all.iter().find(|named| named.name == given) {
        return Ok(exact.id.clone());
    }
    let small = given.to_lowercase();
    let same: Vec<&Named> = all.iter().filter(|named| named.name.to_lowercase() == small).collect();
    if let [only] = same.as_slice() {
        return Ok(only.id.clone());
    }
    if !same.is_empty() {
        return Err(same.into_iter().cloned().collect());
    }
    let likeness = |named: &Named| {
        let name = named.name.to_lowercase();
        let within = !small.is_empty() && name.contains(&small);
        if within { 1.0 } else { strsim::normalized_damerau_levenshtein(&name, &small) }
    };
    let mut near: Vec<(f64, &Named)> =
        all.iter().map(|named| (likeness(named), named)).filter(|(like, _)| *like >= NEAR).collect();
    near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.name.cmp(&other.name)));
    Err(near.into_iter().map(|(_, named)| named.clone()).collect())
}

fn refusal(given: &str, singular: &str, command: &str, all: &[Named], near: &[Named]) -> Failure {
    let told = |named: &[Named]| {
        let shown = named.iter().take(TOLD).map(|named| format!("{} ({})", named.name, named.id));
        let more = if named.len() > TOLD { ", …" } else { "" };
        format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
    };
    let same = near.len() > 1 && near.iter().all(|one| one.name.to_lowercase() == given.to_lowercase());
    if same {
        let what = format!("more than one {singular} is called “{given}”, but for capitals: {}", told(near));
        return Failure::Usage(what);
    }
    let hint = match (near, all) {
        ([_, ..], _) => format!("did you mean {}? `{command}` shows all", told(near)),
        ([], []) => format!("there is no {singular} yet"),
        ([], _) => format!("`{command}` shows those there are: {}", told(all)),
    };
    Failure::NoSuchName { what: format!("no {singular} is called “{given}”"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[&str]) -> Vec<Named> {
        names.iter().map(|name| Named { id: format!("prv_{name}"), name: (*name).to_owned() }).collect()
    }

    #[test]
    fn an_exact_name_wins_over_one_that_differs_in_capitals() {
        let all = all(&["Production", "production", "staging"]);
        assert_eq!(choose(&all, "production"), Ok("prv_production".to_owned()));
        assert_eq!(choose(&all, "STAGING"), Ok("prv_staging".to_owned()));
        assert_eq!(choose(&all, "PRODUCTION").map_err(|near| near.len()), Err(2));
    }

    #[test]
    fn what_comes_near_is_told_the_nearest_first() {
        let all = all(&["production", "production-eu", "staging"]);
        let near = |given: &str| {
            choose(&all, given).unwrap_err().into_iter().map(|named| named.name).collect::<Vec<_>>()
        };
        assert_eq!(near("prodution"), ["production", "production-eu"]);
        assert_eq!(near("eu"), ["production-eu"]);
        assert!(near("lakeside").is_empty());
    }
}
