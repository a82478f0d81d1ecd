//! The tables in the documentation are those of the code. With `UPDATE_DOCS=1` they are written instead.

use marquee_cloud_azure::{
    AzureConnector,
    inventory::{LISTINGS, mapping, states},
    permissions::{CAPABILITIES, CHANGE_PERMISSIONS, OBJECT_PERMISSIONS},
};
use marquee_clouds::docs::{self, check, code, table};
use marquee_types::Clock;

use crate::objects::AZURITE;

/// One test, since writing is done to one file.
#[test]
fn tables_in_the_docs_are_those_of_the_code() {
    let rows = LISTINGS.iter().map(|listing| {
        let kinds: Vec<_> = listing.kinds.iter().map(|kind| code(kind.as_str())).collect();
        vec![code(listing.scope), kinds.join(", "), code(listing.list.operation), code(listing.list.version)]
    });
    check("azure.md", "scopes", &table(&["scope", "kinds", "lists by", "version"], rows));
    check("azure.md", "states", &docs::states("Azure's words", states::STATES));
    check("azure.md", "attributes", &docs::attributes("Azure's member", mapping::ATTRIBUTES));
    check("azure.md", "relations", &docs::relations("Azure's member", mapping::RELATIONS));
    check("azure.md", "abilities", &docs::abilities(CAPABILITIES.abilities));
    check("guides/connect-azure.md", "permissions", &docs::permissions(CAPABILITIES.permissions));
    drop(rustls::crypto::ring::default_provider().install_default());
    let connector = AzureConnector::new(Clock::system()).unwrap();
    check("guides/connect-azure.md", "role", &docs::policy(&connector));
    check("guides/connect-azure.md", "commands", &docs::commands(&connector));
    check("guides/connect-azure.md", "object permissions", &docs::permissions(OBJECT_PERMISSIONS));
    check("guides/connect-azure.md", "change permissions", &docs::permissions(CHANGE_PERMISSIONS));
    let gaps = AZURITE.iter().map(|gap| vec![code(gap.check), gap.scope.to_owned(), gap.what.to_owned()]);
    check("azure.md", "azurite gaps", &table(&["check", "part", "what Azurite 3.37 does"], gaps));
}
