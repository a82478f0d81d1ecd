//! Resource ids: paths whose letters are kept as they were written and compared without regard to capitals.

use crate::estate::{Estate, Thing};

use super::{
    call::Call,
    error::{Outcome, Refused},
};

/// The type of resource groups, which are resources of the resource manager itself.
pub const GROUP: &str = "Microsoft.Resources/resourceGroups";

/// A resource that a path names.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its type: `Microsoft.Compute/disks`.
    pub kind: &'static str,
    /// Its id as it is shown.
    pub id: String,
    /// Its id as it is compared: in small letters.
    pub key: String,
    /// The resource group's name as it is shown.
    pub group: String,
    /// Its name; of a resource within another, the last part.
    pub name: String,
}

impl Target {
    /// The resource of a type and names in the call's resource group, which must be there.
    pub fn of(call: &Call<'_>, estate: &Estate, kind: &'static str, names: &[&str]) -> Outcome<Self> {
        let group = group(call, estate, call.group())?;
        Ok(Self::in_group(call.subscription(), &group.name, kind, names))
    }

    /// The same, of a resource group whose name is known.
    pub fn in_group(subscription: &str, group: &str, kind: &'static str, names: &[&str]) -> Self {
        let mut id = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/");
        let mut parts = kind.split('/');
        id.push_str(parts.next().unwrap_or_default());
        for (part, name) in parts.zip(names) {
            id.push('/');
            id.push_str(part);
            id.push('/');
            id.push_str(name);
        }
        let name = names.last().copied().unwrap_or_default().to_owned();
        Self { kind, key: id.to_lowercase(), id, group: group.to_owned(), name }
    }

    /// With the letters of the thing that is there: whoever made it chose them.
    #[must_use]
    pub fn with_letters_of(mut self, thing: &Thing) -> Self {
        if let Some(id) = thing.body.get("id").as_str() {
            id.clone_into(&mut self.id);
            self.name = thing.name.to_string();
        }
        self
    }

    /// The thing, if it is there.
    pub fn find<'e>(&self, call: &Call<'_>, estate: &'e Estate) -> Option<&'e Thing> {
        find(call, estate, self.kind, &self.key)
    }

    /// The thing, or that it is not there.
    pub fn need<'e>(&self, call: &Call<'_>, estate: &'e Estate) -> Outcome<&'e Thing> {
        self.find(call, estate).ok_or_else(|| self.missing())
    }

    /// That it is not there.
    pub fn missing(&self) -> Refused {
        Refused::no_resource(self.kind, &self.name, &self.group)
    }
}

/// Where things are: in the regions, and nowhere.
pub fn places<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a str> {
    call.account.regions.iter().map(|region| region.id.as_ref()).chain(["global"])
}

/// A thing by its type and id in small letters.
pub fn find<'e>(call: &Call<'_>, estate: &'e Estate, kind: &str, key: &str) -> Option<&'e Thing> {
    places(call).find_map(|place| estate.get(&call.account.id, kind, place, key, call.now))
}

/// The same, to be changed.
pub fn find_mut<'e>(call: &Call<'_>, estate: &'e mut Estate, kind: &str, key: &str) -> Option<&'e mut Thing> {
    let place = find(call, estate, kind, key)?.place.clone();
    estate.get_mut(&call.account.id, kind, &place, key, call.now)
}

/// A thing that a member of a request refers to by its id.
pub fn referred<'e>(call: &Call<'_>, estate: &'e Estate, kind: &str, id: &str) -> Option<&'e Thing> {
    find(call, estate, kind, &id.to_lowercase())
}

/// A resource group.
pub fn group<'e>(call: &Call<'_>, estate: &'e Estate, name: &str) -> Outcome<&'e Thing> {
    find(call, estate, GROUP, &group_key(call.subscription(), name)).ok_or_else(|| Refused::no_group(name))
}

/// The id of a resource group in small letters.
pub fn group_key(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/resourcegroups/{name}").to_lowercase()
}

/// The segments after the last `providers`, and the resource group: of an id that a client wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// The resource group; empty if the id is of the subscription itself.
    pub group: &'a str,
    /// Namespace and types: `Microsoft.Compute/disks`; empty for groups and subscriptions.
    pub kind: String,
    /// The last name.
    pub name: &'a str,
}

/// Takes an id apart; none if it is no id.
pub fn parse(id: &str) -> Option<Parsed<'_>> {
    let segments: Vec<&str> = id.trim_matches('/').split('/').collect();
    let [head, subscription, rest @ ..] = segments.as_slice() else { return None };
    if !head.eq_ignore_ascii_case("subscriptions") {
        return None;
    }
    let (group, rest) = match rest {
        [word, group, rest @ ..] if word.eq_ignore_ascii_case("resourceGroups") => (*group, rest),
        rest => ("", rest),
    };
    let [word, namespace, pairs @ ..] = rest else {
        let name = if group.is_empty() { *subscription } else { group };
        return rest.is_empty().then_some(Parsed { subscription, group, kind: String::new(), name });
    };
    if !word.eq_ignore_ascii_case("providers") || pairs.is_empty() || pairs.len() % 2 == 1 {
        return None;
    }
    let types = pairs.iter().step_by(2).fold((*namespace).to_owned(), |kind, part| format!("{kind}/{part}"));
    Some(Parsed { subscription, group, kind: types, name: pairs.last()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_apart() {
        let disk = "/subscriptions/s/resourceGroups/G/providers/Microsoft.Compute/disks/d";
        let parsed = parse(disk).unwrap();
        assert_eq!((parsed.group, parsed.kind.as_str(), parsed.name), ("G", "Microsoft.Compute/disks", "d"));
        assert_eq!(parse("/subscriptions/s/resourcegroups/g").unwrap().name, "g");
        assert_eq!(parse("/subscriptions/s").unwrap().name, "s");
        for wrong in ["", "/x", "/subscriptions/s/providers/Microsoft.Compute/disks", "/subscriptions/s/foo"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_target_keeps_letters_and_compares_without() {
        let kind = "Microsoft.Network/virtualNetworks/subnets";
        let target = Target::in_group("s", "Rg", kind, &["Net", "A"]);
        assert_eq!(
            target.id,
            "/subscriptions/s/resourceGroups/Rg/providers/Microsoft.Network/virtualNetworks/Net/subnets/A"
        );
        assert_eq!(target.key, target.id.to_lowercase());
        assert_eq!(target.name, "A");
    }
}
