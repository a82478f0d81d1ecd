//! Where things lie and what they are called: resource groups, ids, names, and the extensions that say them.

use marquee_clouds::CloudError;
use serde_json::{Map, Value};

use super::invalid;
use crate::inventory::canonical;

/// The extension that names a resource group.
pub const RESOURCE_GROUP: &str = "resource_group";

/// Refuses extensions that are not among those known.
pub fn refuse_unknown(extensions: &Map<String, Value>, known: &[&str]) -> Result<(), CloudError> {
    match extensions.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            Err(invalid(format!("extensions/{name}: Azure's extensions here are {}", known.join(", "))))
        }
    }
}

/// An extension that is a text.
pub fn text<'a>(extensions: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, CloudError> {
    match extensions.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(invalid(format!("extensions/{name}: expected a text"))),
    }
}

/// The resource group of the extension, or else that of something named.
pub fn group<'a>(extensions: &'a Map<String, Value>, of: Option<&'a str>) -> Result<&'a str, CloudError> {
    match (text(extensions, RESOURCE_GROUP)?, of) {
        (Some(group), _) => Ok(group),
        (None, Some(id)) => group_of(id),
        (None, None) => Err(invalid(format!("extensions/{RESOURCE_GROUP}: required here"))),
    }
}

/// The resource group in an id.
pub fn group_of(id: &str) -> Result<&str, CloudError> {
    refuse_id(id)?;
    let mut parts = id.trim_start_matches('/').split('/');
    let found = parts.nth(2).filter(|word| word.eq_ignore_ascii_case("resourceGroups")).and(parts.next());
    found.ok_or_else(|| invalid(format!("{id} names no resource group")))
}

/// The last part of an id.
pub fn name_of(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// Refuses what cannot be an id: it becomes part of an address.
pub fn refuse_id(id: &str) -> Result<(), CloudError> {
    let fits = id.strip_prefix("/subscriptions/").is_some_and(|rest| rest.split('/').all(is_name));
    if fits { Ok(()) } else { Err(invalid(format!("{id} is no resource's id"))) }
}

/// Refuses an id of another type than the wanted one.
pub fn refuse_other(id: &str, kind: &str) -> Result<(), CloudError> {
    let id_in_small = canonical(id);
    let tail = id_in_small.rsplit_once("/providers/").map_or("", |(_, tail)| tail);
    let mut parts = tail.split('/');
    let namespace = parts.next().unwrap_or_default().to_owned();
    let types = parts.step_by(2).fold(namespace, |kind, part| format!("{kind}/{part}"));
    if types == canonical(kind) { Ok(()) } else { Err(invalid(format!("{id} is not of the type {kind}"))) }
}

/// Refuses what cannot be a name, whatever the type: it becomes part of an address. What else a type demands, Azure says.
pub fn refuse_name(name: &str) -> Result<(), CloudError> {
    if is_name(name) { Ok(()) } else { Err(invalid(format!("name: {name:?} cannot be a name of Azure's"))) }
}

fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || "-_.()*@".contains(letter);
    !name.is_empty() && !name.chars().all(|letter| letter == '.') && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: &str = "/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/disks/d";

    #[test]
    fn an_id_says_its_group_and_type() {
        assert_eq!(group_of(DISK).unwrap(), "rg");
        assert!(refuse_other(DISK, "Microsoft.Compute/disks").is_ok());
        assert!(refuse_other(DISK, "Microsoft.Compute/virtualMachines").is_err());
        assert!(group_of("/subscriptions/s/providers/x/y").is_err());
    }

    #[test]
    fn what_leads_elsewhere_is_no_id() {
        let up = "/subscriptions/s/resourceGroups/../../x";
        for wrong in ["", "x", up, "/subscriptions/s?x", "/subscriptions/s#x", "/subscriptions//s"] {
            assert!(refuse_id(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", ".", "..", "a/b", "a b", "a?b", "a%2fb"] {
            assert!(refuse_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_extension_that_is_misspelt_is_named() {
        let given = serde_json::from_str(r#"{"resource_grup": "x"}"#).unwrap();
        let error = refuse_unknown(&given, &[RESOURCE_GROUP]).unwrap_err();
        assert!(error.message.contains("resource_grup"), "{error}");
        let given = serde_json::from_str(r#"{"resource_group": 7}"#).unwrap();
        assert!(group(&given, None).unwrap_err().message.contains("resource_group"));
    }
}
