//! Storage accounts: Azure's unit of location, encryption and cost, and so what a bucket is elsewhere.

use marquee_clouds::{CloudError, ErrorKind, Observed, Page, PageSink, layers::Tally, paging::take};
use marquee_types::ResourceKind;
use serde_json::Value;

use super::{Known, Listing, SAID, With, draft, states::STATES, whole};
use crate::{arm::Read, cloud::Azure, error::CLOUD};

/// The version of the API.
pub const VERSION: &str = "2023-05-01";

const fn read(operation: &'static str, path: &'static str) -> Read {
    Read { service: "Microsoft.Storage", operation, path, query: "", version: VERSION }
}

/// Storage accounts.
pub static ACCOUNTS: Listing = Listing {
    scope: "storage/accounts",
    kinds: &[ResourceKind::Bucket],
    list: read("StorageAccounts_List", "/providers/Microsoft.Storage/storageAccounts"),
    get: read("StorageAccounts_GetProperties", "{id}"),
    with: With::BlobServices,
    read: account,
};

/// How blobs of one account are kept.
pub static BLOB_SERVICE: Read = read("BlobServices_GetServiceProperties", "{id}/blobServices/default");

fn account(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::Bucket, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.size(&item["sku"]["name"]);
    draft.created(&properties["creationTime"]);
    let own_key = properties["encryption"]["keySource"] == "Microsoft.Keyvault";
    draft.set("encryption", if own_key { "sse-kms" } else { "sse-platform" });
    if let Some(public) = properties["allowBlobPublicAccess"].as_bool() {
        draft.set("public", public);
    }
    let omit = ["properties.creationTime", "properties.keyCreationTime", "properties.geoReplicationStats"];
    vec![draft.finish(item, &[SAID, &omit].concat())]
}

impl Azure {
    pub(super) async fn list_accounts(
        &self,
        tally: &Tally,
        sink: &mut dyn PageSink,
    ) -> Result<(), CloudError> {
        // An account more is a rare thing: 250 a location is the most there can be.
        let accounts = self.arm.all(&ACCOUNTS.list, "", tally).await?;
        let mut resources = Vec::with_capacity(accounts.len());
        for item in accounts {
            let read = whole(account(item, &Known::default()));
            resources.extend(read.map_err(|why| self.arm.wrong(&ACCOUNTS.list, why))?);
        }
        resources.retain(|observed| self.is_included(&observed.region));
        for chunk in resources.chunks_mut(50) {
            self.with_blob_services(chunk, tally).await?;
        }
        let page = Page { resources, throttled: tally.take_throttled() };
        take(CLOUD, ACCOUNTS.list.operation, sink, page).await
    }

    /// Adds whether blobs keep their versions. Accounts without blobs, and those that went away, say nothing.
    pub(super) async fn with_blob_services(
        &self,
        found: &mut [Observed],
        tally: &Tally,
    ) -> Result<(), CloudError> {
        let questions = found.iter().map(|observed| self.arm.get(&BLOB_SERVICE, &observed.native_id, tally));
        let answers = futures::future::join_all(questions).await;
        for (observed, answer) in found.iter_mut().zip(answers) {
            match answer {
                Ok(service) => {
                    let on = service["properties"]["isVersioningEnabled"].as_bool().unwrap_or(false);
                    let word = if on { "enabled" } else { "disabled" };
                    observed.attributes.insert("versioning".to_owned(), word.into());
                }
                Err(error) if error.kind == ErrorKind::PermissionDenied => {
                    observed.attributes.insert("unread".to_owned(), "blobServices".into());
                }
                Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unsupported) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
