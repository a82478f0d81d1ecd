//! Storage accounts, which are what a bucket is elsewhere.
//!
//! Their blobs are always encrypted, by Azure's key unless another is named, and a new account lets nobody make them public.
//! Prefixes of lifecycle rules begin with a container's name. Deleting an account deletes whatever is in it: so
//! one with a container, a file share, a queue or a table is refused; between that look and the end there is a moment.

use marquee_clouds::{
    Action, Change, CloudError, ErrorKind, Ticket, Token,
    changes::spec::{BucketSpec, Encryption, Lifecycle, LifecycleRule, PublicAccess, Versioning},
    layers::Tally,
};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Noun, conflict, invalid,
    place::{self, RESOURCE_GROUP},
    tagged,
};
use crate::{
    arm::{Read, Write},
    cloud::Azure,
    inventory::storage::{ACCOUNTS, BLOB_SERVICE, VERSION},
};

/// Accounts.
pub static ACCOUNT: Noun = Noun {
    kind: "Microsoft.Storage/storageAccounts",
    get: &ACCOUNTS.get,
    put: &write(Method::PUT, "StorageAccounts_Create", "{id}"),
    delete: &write(Method::DELETE, "StorageAccounts_Delete", "{id}"),
    conditional: false,
    tagged: true,
};

static UPDATE: Write = write(Method::PATCH, "StorageAccounts_Update", "{id}");
static SET_SERVICE: Write =
    write(Method::PUT, "BlobServices_SetServiceProperties", "{id}/blobServices/default");

const POLICY_PATH: &str = "{id}/managementPolicies/default";
static POLICY: Read = read("ManagementPolicies_Get", POLICY_PATH);
static SET_POLICY: Write = write(Method::PUT, "ManagementPolicies_CreateOrUpdate", POLICY_PATH);
static NO_POLICY: Write = write(Method::DELETE, "ManagementPolicies_Delete", POLICY_PATH);

/// What an account may hold, and how people call it.
static HELD: [(&str, Read); 4] = [
    ("containers", read("BlobContainers_List", "{id}/blobServices/default/containers")),
    ("file shares", read("FileShares_List", "{id}/fileServices/default/shares")),
    ("queues", read("Queue_List", "{id}/queueServices/default/queues")),
    ("tables", read("Table_List", "{id}/tableServices/default/tables")),
];

const fn read(operation: &'static str, path: &'static str) -> Read {
    Read { service: "Microsoft.Storage", operation, path, query: "", version: VERSION }
}

const fn write(method: Method, operation: &'static str, path: &'static str) -> Write {
    Write { method, at: read(operation, path) }
}

/// What a new account is to be.
pub fn body(region: &str, spec: &BucketSpec, token: &Token) -> Result<Value, CloudError> {
    place::refuse_unknown(&spec.extensions, &[RESOURCE_GROUP, "sku"])?;
    let sku = place::text(&spec.extensions, "sku")?.unwrap_or("Standard_LRS");
    Ok(json!({
        "location": region, "kind": "StorageV2", "sku": { "name": sku }, "tags": tagged(&spec.tags, token),
        "properties": {
            "allowBlobPublicAccess": false, "minimumTlsVersion": "TLS1_2", "supportsHttpsTrafficOnly": true,
        },
    }))
}

impl Azure {
    /// Asks that blobs keep their former versions, or do not any more. What else is set stays as it was read.
    pub(super) async fn set_versioning(
        &self,
        change: &Change,
        wanted: Versioning,
    ) -> Result<Ticket, CloudError> {
        self.versions(change.native_id(), wanted.enabled).await
    }

    /// The same for an account of an id.
    pub(super) async fn versions(&self, id: &str, enabled: bool) -> Result<Ticket, CloudError> {
        let service = self.arm.get(&BLOB_SERVICE, id, &Tally::default()).await?;
        let mut properties = service["properties"].as_object().cloned().unwrap_or_default();
        if properties.get("isVersioningEnabled").and_then(Value::as_bool).unwrap_or(false) == enabled {
            return Ok(Ticket::of(id));
        }
        properties.insert("isVersioningEnabled".to_owned(), json!(enabled));
        self.ask(&SET_SERVICE, id, Some(&json!({ "properties": properties }))).await
    }

    pub(super) async fn set_lifecycle(
        &self,
        change: &Change,
        wanted: &Lifecycle,
    ) -> Result<Ticket, CloudError> {
        // Without rules there is no policy; deleting none is no error.
        if wanted.rules.is_empty() {
            let deleted = self.ask(&NO_POLICY, change.native_id(), None).await;
            return deleted.or_else(|error| match error.kind {
                ErrorKind::NotFound => Ok(Ticket::of(change.native_id())),
                _ => Err(error),
            });
        }
        let rules: Result<Vec<Value>, CloudError> = wanted.rules.iter().enumerate().map(rule).collect();
        let body = json!({ "properties": { "policy": { "rules": rules? } } });
        self.ask(&SET_POLICY, change.native_id(), Some(&body)).await
    }

    /// The rules there are. Those that say more than we can are not told: they could not be brought back.
    pub(super) async fn lifecycle_of(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        self.target(&ACCOUNTS.get, change).await?;
        let Some(policy) = self.there(&POLICY, change.native_id()).await? else {
            return Ok(Some(Action::SetLifecycle(Lifecycle::default())));
        };
        let rules = policy["properties"]["policy"]["rules"].as_array();
        let rules: Option<Vec<LifecycleRule>> = rules.into_iter().flatten().map(told).collect();
        Ok(rules.map(|rules| Action::SetLifecycle(Lifecycle { rules })))
    }

    pub(super) async fn set_encryption(
        &self,
        change: &Change,
        wanted: &Encryption,
    ) -> Result<Ticket, CloudError> {
        let encryption = match &wanted.key {
            None => json!({ "keySource": "Microsoft.Storage" }),
            Some(key) => json!({ "keySource": "Microsoft.Keyvault", "keyvaultproperties": vault(key)? }),
        };
        self.set(change, json!({ "encryption": encryption })).await
    }

    pub(super) async fn encryption_of(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        let account = self.target(&ACCOUNTS.get, change).await?;
        let encryption = &account["properties"]["encryption"];
        let key = if encryption["keySource"] == "Microsoft.Keyvault" {
            let part = |name: &str| encryption["keyvaultproperties"][name].as_str().unwrap_or_default();
            let uri = part("keyvaulturi").trim_end_matches('/');
            let key = format!("{uri}/keys/{}/{}", part("keyname"), part("keyversion"));
            Some(key.trim_end_matches('/').to_owned())
        } else {
            None
        };
        Ok(Some(Action::SetEncryption(Encryption { key })))
    }

    pub(super) async fn set_public_access(
        &self,
        change: &Change,
        wanted: PublicAccess,
    ) -> Result<Ticket, CloudError> {
        self.set(change, json!({ "allowBlobPublicAccess": !wanted.blocked })).await
    }

    pub(super) async fn public_access_of(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        let account = self.target(&ACCOUNTS.get, change).await?;
        let open = account["properties"]["allowBlobPublicAccess"].as_bool();
        // Of an account that never said so it depends on its age what that means.
        Ok(open.map(|open| Action::SetPublicAccess(PublicAccess { blocked: !open })))
    }

    async fn set(&self, change: &Change, properties: Value) -> Result<Ticket, CloudError> {
        self.ask(&UPDATE, change.native_id(), Some(&json!({ "properties": properties }))).await
    }

    /// Ends an account that holds nothing.
    pub(super) async fn remove_empty(&self, change: &Change) -> Result<Ticket, CloudError> {
        if self.there(&ACCOUNTS.get, change.native_id()).await?.is_none() {
            return Ok(Ticket::of(change.native_id()));
        }
        for (what, list) in &HELD {
            match self.arm.get(list, change.native_id(), &Tally::default()).await {
                // Some have nothing on their first page, and more to come.
                Ok(page) if is_empty(&page) => {}
                Ok(_) => return Err(conflict(format!("the account has {what}: it is not empty"))),
                // Some kinds of accounts have blobs only, or files only.
                Err(error) if error.kind == ErrorKind::Unsupported => {}
                Err(error) => return Err(error),
            }
        }
        self.remove(change).await
    }
}

fn is_empty(page: &Value) -> bool {
    let none = page["value"].as_array().is_some_and(Vec::is_empty);
    none && page["nextLink"].as_str().is_none_or(str::is_empty)
}

/// A rule in Azure's words.
fn rule((index, rule): (usize, &LifecycleRule)) -> Result<Value, CloudError> {
    let mut actions = Map::new();
    if let Some(days) = rule.delete_after_days {
        actions
            .insert("baseBlob".to_owned(), json!({ "delete": { "daysAfterModificationGreaterThan": days } }));
    }
    if let Some(days) = rule.delete_former_after_days {
        actions.insert("version".to_owned(), json!({ "delete": { "daysAfterCreationGreaterThan": days } }));
    }
    if actions.is_empty() {
        return Err(invalid(format!("rules/{index}: a rule has to delete something after some days")));
    }
    let mut filters = json!({ "blobTypes": ["blockBlob"] });
    if !rule.prefix.is_empty() {
        filters["prefixMatch"] = json!([rule.prefix]);
    }
    Ok(json!({
        "enabled": true, "name": format!("marquee-{}", index + 1), "type": "Lifecycle",
        "definition": { "filters": filters, "actions": actions },
    }))
}

/// A rule in our words, if they say all of it.
fn told(rule: &Value) -> Option<LifecycleRule> {
    let definition = &rule["definition"];
    let prefix = definition["filters"]["prefixMatch"].as_array();
    let prefix = match prefix.map_or(&[][..], Vec::as_slice) {
        [] => String::new(),
        [one] => one.as_str()?.to_owned(),
        _ => return None,
    };
    let days = |which: &str, what: &str| {
        let days = definition["actions"][which]["delete"][what].as_f64()?;
        let whole = (0.0..4_294_967_296.0).contains(&days) && days.fract() == 0.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "just looked at")]
        whole.then_some(days as u32)
    };
    let told = LifecycleRule {
        prefix,
        delete_after_days: days("baseBlob", "daysAfterModificationGreaterThan"),
        delete_former_after_days: days("version", "daysAfterCreationGreaterThan"),
    };
    let again = self::rule((0, &told)).ok()?;
    let same = says(&again["definition"]["actions"], &definition["actions"])
        && definition["filters"]["blobTypes"] == again["definition"]["filters"]["blobTypes"]
        && definition["filters"]["blobIndexMatch"].is_null()
        && rule["enabled"].as_bool().unwrap_or(true);
    same.then_some(told)
}

/// Whether two say the same: numbers by their value, and what is null not at all.
fn says(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let told = |map: &Map<String, Value>| map.values().filter(|value| !value.is_null()).count();
            told(one) == told(other) && one.iter().all(|(name, value)| says(value, &other[name.as_str()]))
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// A key as a vault names it: `https://name.vault.azure.net/keys/key/version`; without a version always the newest.
fn vault(key: &str) -> Result<Value, CloudError> {
    let wrong = || invalid("key: expected a key's address, https://VAULT/keys/NAME or …/NAME/VERSION");
    let rest = key.strip_prefix("https://").ok_or_else(wrong)?;
    match rest.split('/').collect::<Vec<_>>().as_slice() {
        [host, "keys", name] if !host.is_empty() && !name.is_empty() => {
            Ok(json!({ "keyvaulturi": format!("https://{host}"), "keyname": name }))
        }
        [host, "keys", name, version] if !host.is_empty() && !name.is_empty() => Ok(json!({
            "keyvaulturi": format!("https://{host}"), "keyname": name, "keyversion": version,
        })),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_goes_there_and_back() {
        for (prefix, days, former) in [("", Some(30), None), ("a/", None, Some(7)), ("b", Some(1), Some(2))] {
            let rule = LifecycleRule {
                prefix: prefix.to_owned(),
                delete_after_days: days,
                delete_former_after_days: former,
            };
            assert_eq!(told(&super::rule((0, &rule)).unwrap()), Some(rule));
        }
    }

    #[test]
    fn a_rule_that_says_more_than_we_can_is_not_told() {
        let plain = LifecycleRule {
            prefix: String::new(),
            delete_after_days: Some(30),
            delete_former_after_days: None,
        };
        let plain = rule((0, &plain)).unwrap();
        let mut tiers = plain.clone();
        tiers["definition"]["actions"]["baseBlob"]["tierToCool"] =
            json!({ "daysAfterModificationGreaterThan": 10.0 });
        let mut off = plain.clone();
        off["enabled"] = json!(false);
        let mut appended = plain.clone();
        appended["definition"]["filters"]["blobTypes"] = json!(["blockBlob", "appendBlob"]);
        for more in [tiers, off, appended] {
            assert_eq!(told(&more), None, "{more}");
        }
        let mut decimal = plain;
        decimal["definition"]["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"] =
            json!(30.0);
        assert!(told(&decimal).is_some());
    }

    #[test]
    fn a_key_is_taken_apart() {
        let key = vault("https://v.vault.azure.net/keys/k/1").unwrap();
        assert_eq!(
            key,
            json!({ "keyvaulturi": "https://v.vault.azure.net", "keyname": "k", "keyversion": "1" })
        );
        assert!(vault("k").is_err() && vault("https://v/k").is_err());
    }
}
