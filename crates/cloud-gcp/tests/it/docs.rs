//! The tables in the documentation are those of the code. With `UPDATE_DOCS=1` they are written instead.

use marquee_cloud_gcp::{
    GoogleConnector,
    inventory::{LISTINGS, mapping, states},
    permissions::{CAPABILITIES, CHANGE_PERMISSIONS, OBJECT_PERMISSIONS},
};
use marquee_clouds::docs::{self, check, code, table};

use crate::objects::drongo::DRONGO;

/// One test, since writing is done to one file.
#[test]
fn tables_in_the_docs_are_those_of_the_code() {
    let rows = LISTINGS
        .iter()
        .map(|listing| vec![code(listing.scope), code(listing.kind.as_str()), code(listing.list.method)]);
    check("google-cloud.md", "scopes", &table(&["scope", "kind", "lists by"], rows));
    check("google-cloud.md", "states", &docs::states("Google's words", states::STATES));
    check("google-cloud.md", "attributes", &docs::attributes("Google's member", mapping::ATTRIBUTES));
    check("google-cloud.md", "relations", &docs::relations("Google's member", mapping::RELATIONS));
    check("google-cloud.md", "abilities", &docs::abilities(CAPABILITIES.abilities));
    check("guides/connect-gcp.md", "permissions", &docs::permissions(CAPABILITIES.permissions));
    drop(rustls::crypto::ring::default_provider().install_default());
    let connector = GoogleConnector::new().unwrap();
    check("guides/connect-gcp.md", "role", &docs::policy(&connector));
    check("guides/connect-gcp.md", "commands", &docs::commands(&connector));
    check("guides/connect-gcp.md", "object permissions", &docs::permissions(OBJECT_PERMISSIONS));
    check("guides/connect-gcp.md", "change permissions", &docs::permissions(CHANGE_PERMISSIONS));
    let gaps = DRONGO.iter().map(|gap| vec![code(gap.check), gap.scope.to_owned(), gap.what.to_owned()]);
    check("google-cloud.md", "drongo gaps", &table(&["check", "part", "what drongo 0.8 does"], gaps));
}
