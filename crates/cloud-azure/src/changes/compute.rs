//! Virtual machines.
//!
//! Azure demands a key or a password of a Linux machine. Marquee makes no passwords, so `ssh_key` is required; Windows machines,
//! which know passwords only, are not made. Its name is the computer's, as far as that can be one.

use marquee_clouds::{
    Action, Change, CloudError, Ticket, Token,
    changes::spec::{InstanceSpec, Size},
};
use marquee_types::ResourceKind;
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
    inventory::compute::{COMPUTE, MACHINES},
};

/// The version of the networking API that interfaces are made with beside a machine, as the compute API names it.
const NETWORK: &str = "2022-11-01";

/// Who may log in unless the extension names someone else.
const ADMIN: &str = "marquee";

/// Machines.
pub static MACHINE: Noun = Noun {
    kind: "Microsoft.Compute/virtualMachines",
    get: &MACHINES.get,
    put: &write(Method::PUT, "VirtualMachines_CreateOrUpdate", "{id}"),
    delete: &write(Method::DELETE, "VirtualMachines_Delete", "{id}"),
    conditional: true,
    tagged: true,
};

pub static UPDATE: Write = write(Method::PATCH, "VirtualMachines_Update", "{id}");
static START: Write = write(Method::POST, "VirtualMachines_Start", "{id}/start");
static DEALLOCATE: Write = write(Method::POST, "VirtualMachines_Deallocate", "{id}/deallocate");
static RESTART: Write = write(Method::POST, "VirtualMachines_Restart", "{id}/restart");

/// A change of the compute provider's.
pub const fn write(method: Method, operation: &'static str, path: &'static str) -> Write {
    let at = Read { service: "Microsoft.Compute", operation, path, query: "", version: COMPUTE };
    Write { method, at }
}

/// What only Azure has.
const EXTENSIONS: &[&str] = &[RESOURCE_GROUP, "admin_username", "storage_account_type"];

/// What a new machine is to be.
pub fn body(region: &str, spec: &InstanceSpec, token: &Token) -> Result<Value, CloudError> {
    let mut properties = Map::new();
    properties.insert("hardwareProfile".to_owned(), json!({ "vmSize": spec.size }));
    let mut storage = storage(spec)?;
    storage["osDisk"]["deleteOption"] = json!("Delete");
    properties.insert("storageProfile".to_owned(), storage);
    let mut login = login(spec)?;
    login["computerName"] = json!(computer(&spec.name));
    properties.insert("osProfile".to_owned(), login);
    let mut interface = interface(spec)?;
    interface["properties"]["deleteOption"] = json!("Delete");
    let address = &mut interface["properties"]["ipConfigurations"][0]["properties"];
    if spec.public_ip {
        address["publicIPAddressConfiguration"] = json!({
            "name": format!("{}-ip", spec.name), "sku": { "name": "Standard" },
            "properties": { "deleteOption": "Delete", "publicIPAllocationMethod": "Static" },
        });
    }
    properties.insert(
        "networkProfile".to_owned(),
        json!({ "networkApiVersion": NETWORK, "networkInterfaceConfigurations": [interface] }),
    );
    let mut body = json!({ "location": region, "tags": tagged(&spec.tags, token), "properties": properties });
    if let Some(zone) = &spec.zone {
        body["zones"] = json!([zone]);
    }
    Ok(body)
}

/// What it starts from, and its boot disk.
pub fn storage(spec: &InstanceSpec) -> Result<Value, CloudError> {
    place::refuse_unknown(&spec.extensions, EXTENSIONS)?;
    let mut disk = json!({ "createOption": "FromImage" });
    if let Some(gib) = spec.boot_disk_gib {
        disk["diskSizeGB"] = json!(gib);
    }
    if let Some(kind) = place::text(&spec.extensions, "storage_account_type")? {
        disk["managedDisk"] = json!({ "storageAccountType": kind });
    }
    Ok(json!({ "imageReference": image(&spec.image)?, "osDisk": disk }))
}

/// An image's id, or a URN of the marketplace: `publisher:offer:sku:version`.
fn image(image: &str) -> Result<Value, CloudError> {
    if image.starts_with('/') {
        return Ok(json!({ "id": image }));
    }
    let parts: Vec<&str> = image.split(':').collect();
    match parts.as_slice() {
        [publisher, offer, sku, version] if parts.iter().all(|part| !part.is_empty()) => {
            Ok(json!({ "publisher": publisher, "offer": offer, "sku": sku, "version": version }))
        }
        _ => Err(invalid(format!(
            "image: expected an image's id or a URN, publisher:offer:sku:version, not {image:?}"
        ))),
    }
}

/// Who may log in, and with which key.
pub fn login(spec: &InstanceSpec) -> Result<Value, CloudError> {
    let admin = place::text(&spec.extensions, "admin_username")?.unwrap_or(ADMIN);
    let key = spec.ssh_key.as_deref().filter(|key| !key.is_empty()).ok_or_else(|| {
        invalid("ssh_key: Azure demands a key or a password, and Marquee makes no passwords: give a key")
    })?;
    let keys = json!([{ "path": format!("/home/{admin}/.ssh/authorized_keys"), "keyData": key }]);
    Ok(json!({
        "adminUsername": admin,
        "linuxConfiguration": { "disablePasswordAuthentication": true, "ssh": { "publicKeys": keys } },
    }))
}

/// The one interface.
pub fn interface(spec: &InstanceSpec) -> Result<Value, CloudError> {
    let Some(subnet) = &spec.subnet else {
        return Err(invalid("subnet: Azure has no default network: name a subnet"));
    };
    let mut properties = json!({
        "primary": true,
        "ipConfigurations": [{ "name": "primary", "properties": { "primary": true, "subnet": { "id": subnet } } }],
    });
    match spec.security_groups.as_slice() {
        [] => {}
        [group] => properties["networkSecurityGroup"] = json!({ "id": group }),
        _ => return Err(invalid("security_groups: an interface of Azure's has one at most")),
    }
    Ok(json!({ "name": format!("{}-nic", spec.name), "properties": properties }))
}

/// A name as a Linux computer can have it.
fn computer(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let fits: String = name.chars().take(63).map(letter).collect();
    fits.trim_matches('-').to_owned()
}

impl Azure {
    /// Starts, stops or restarts a machine.
    pub(super) async fn switch_machine(&self, change: &Change) -> Result<Ticket, CloudError> {
        let id = change.native_id();
        let machine = self.target(&MACHINES.get, change).await?;
        let seen = self.see(ResourceKind::ComputeInstance, id).await?;
        let power = seen.as_ref().and_then(|seen| seen.native_state.as_deref()).unwrap_or_default();
        let changes = machine["properties"]["provisioningState"] == "Updating";
        let (write, there) = match &change.action {
            Action::StartInstance => (&START, ["running", "starting"].contains(&power)),
            // One that is `stopped` only keeps its place, and is paid for.
            Action::StopInstance => (&DEALLOCATE, ["deallocated", "deallocating"].contains(&power)),
            // A restart that is begun again while it goes on.
            _ => (&RESTART, changes && power == "running"),
        };
        if there {
            return Ok(Ticket::of(id));
        }
        self.ask(write, id, None).await
    }

    /// Gives a machine another size: one that runs is restarted, if its hardware has the size.
    pub(super) async fn resize_machine(&self, change: &Change, size: &Size) -> Result<Ticket, CloudError> {
        let id = change.native_id();
        let machine = self.target(&MACHINES.get, change).await?;
        let now = machine["properties"]["hardwareProfile"]["vmSize"].as_str().unwrap_or_default();
        if now.eq_ignore_ascii_case(&size.size) {
            return Ok(Ticket::of(id));
        }
        let body = json!({ "properties": { "hardwareProfile": { "vmSize": size.size } } });
        self.ask(&UPDATE, id, Some(&body)).await
    }
}

/// Refuses to do to a machine that runs what is done to one that stands.
pub fn refuse_running(power: Option<&str>) -> Result<(), CloudError> {
    match power {
        Some("deallocated" | "stopped") => Ok(()),
        other => Err(conflict(format!(
            "the instance has to be stopped first; it is {}",
            other.unwrap_or("unknown")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> InstanceSpec {
        InstanceSpec {
            name: "web_1".to_owned(),
            image: "Canonical:ubuntu-24_04-lts:server:latest".to_owned(),
            subnet: Some("/subscriptions/s/resourceGroups/g/x/y".to_owned()),
            ssh_key: Some("ssh-ed25519 AAAA".to_owned()),
            public_ip: true,
            ..InstanceSpec::default()
        }
    }

    #[test]
    fn what_comes_along_goes_along() {
        let body = body("westeurope", &spec(), &Token::new("t").unwrap()).unwrap();
        let properties = &body["properties"];
        assert_eq!(properties["storageProfile"]["osDisk"]["deleteOption"], "Delete");
        let interface = &properties["networkProfile"]["networkInterfaceConfigurations"][0]["properties"];
        assert_eq!(interface["deleteOption"], "Delete");
        let address =
            &interface["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"]["properties"];
        assert_eq!(address["deleteOption"], "Delete");
        assert_eq!(properties["osProfile"]["computerName"], "web-1");
    }

    #[test]
    fn what_azure_demands_is_demanded_before_it_is_asked() {
        let said =
            |spec: InstanceSpec| body("westeurope", &spec, &Token::new("t").unwrap()).unwrap_err().message;
        assert!(said(InstanceSpec { ssh_key: None, ..spec() }).starts_with("ssh_key"));
        assert!(said(InstanceSpec { subnet: None, ..spec() }).starts_with("subnet"));
        assert!(said(InstanceSpec { image: "ubuntu".to_owned(), ..spec() }).starts_with("image"));
        let groups = vec!["/a".to_owned(), "/b".to_owned()];
        assert!(said(InstanceSpec { security_groups: groups, ..spec() }).starts_with("security_groups"));
    }
}
