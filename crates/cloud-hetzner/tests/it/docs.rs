//! The tables in the documentation are those of the code. With `UPDATE_DOCS=1` they are written instead.

use marquee_cloud_hetzner::{
    inventory::{LISTINGS, mapping, states},
    permissions::CAPABILITIES,
};
use marquee_clouds::docs::{self, check, code, table};

/// One test, since writing is done to one file.
#[test]
fn tables_in_the_docs_are_those_of_the_code() {
    let rows = LISTINGS.iter().map(|listing| {
        let lists: Vec<_> = listing.of.iter().map(|of| code(&format!("GET /v1/{}", of.name))).collect();
        vec![code(listing.scope), code(listing.kind.as_str()), lists.join(", ")]
    });
    check("hetzner.md", "scopes", &table(&["scope", "kind", "lists by"], rows));
    check("hetzner.md", "states", &docs::states("Hetzner's words", states::STATES));
    check("hetzner.md", "attributes", &docs::attributes("Hetzner's member", mapping::ATTRIBUTES));
    check("hetzner.md", "relations", &docs::relations("Hetzner's member", mapping::RELATIONS));
    check("guides/connect-hetzner.md", "permissions", &docs::permissions(CAPABILITIES.permissions));
}
