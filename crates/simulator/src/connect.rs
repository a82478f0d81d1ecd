//! How Marquee is told of a simulated account: the body that connects it.

use serde_json::{Value, json};

use crate::{Simulator, face::FaceName, plan::Account};

impl Simulator {
    /// What connects an account, as `POST /api/cloud/providers` takes it: kind, credentials and settings, limited to the
    /// account's regions where the vendor's settings have them.
    pub fn provider(&self, account: &Account) -> Option<Value> {
        let at = self.addresses();
        let mut keys = self.credentials(account.face, &account.id)?;
        let regions: Vec<_> = account.regions.iter().map(|region| region.id.clone()).collect();
        let mut body = match account.face {
            FaceName::Aws => json!({ "kind": "aws",
                "credentials": { "type": "static", "access_key_id": keys["access_key_id"],
                    "secret_access_key": keys["secret_access_key"] },
                "settings": { "regions": regions, "endpoint_url": at.aws } }),
            FaceName::Azure => json!({ "kind": "azure",
                "credentials": { "type": "client_secret", "tenant_id": keys["tenant_id"],
                    "client_id": keys["client_id"], "client_secret": keys["client_secret"] },
                "settings": { "subscription_id": account.id, "endpoint_url": at.azure, "authority_url": at.azure,
                    "ca_certificate": at.certificate } }),
            FaceName::Google => {
                // Beside the key there is what federation needs.
                keys.as_object_mut()?.remove("workload_identity");
                json!({ "kind": "gcp", "credentials": keys,
                    "settings": { "project_id": account.id, "endpoint_url": at.google } })
            }
            FaceName::Hetzner => json!({ "kind": "hetzner",
                "credentials": { "type": "api_token", "token": keys["token"] },
                "settings": { "project_id": account.id, "endpoint_url": at.hetzner } }),
        };
        body["name"] = json!(account.name);
        Some(body)
    }
}
