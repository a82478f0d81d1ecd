//! The tables in the documentation are those of the code. With `UPDATE_DOCS=1` they are written instead.

use marquee_cloud_aws::{
    inventory::{GLOBAL, SCOPES, Source, ec2, mapping, rds, states},
    permissions::{CAPABILITIES, CHANGE_PERMISSIONS, OBJECT_PERMISSIONS},
};
use marquee_clouds::docs::{self, check, code, table};

use crate::{
    bed,
    gaps::{MOTO, MOTO_CHANGES},
};

/// One test, since writing is done to one file.
#[test]
fn tables_in_the_docs_are_those_of_the_code() {
    scopes();
    attributes();
    gaps();
    permissions();
}

fn scopes() {
    let rows = SCOPES.iter().map(|scope| {
        let kinds = scope.kinds.iter().map(|kind| code(kind.as_str())).collect::<Vec<_>>().join(", ");
        let (region, calls) = match &scope.source {
            Source::Regional(listings) => {
                let calls = listings.iter().map(|l| code(&format!("{}:{}", l.api.name, l.shape.action)));
                ("each".to_owned(), calls.collect::<Vec<_>>().join(", "))
            }
            Source::Buckets => (code(GLOBAL), "`s3:ListBuckets` and three reads a bucket".to_owned()),
            Source::Zones => (code(GLOBAL), "`route53:ListHostedZones`".to_owned()),
        };
        vec![code(scope.service), kinds, region, calls]
    });
    check("clouds.md", "aws scopes", &table(&["scope", "kinds", "region", "lists by"], rows));
}

fn attributes() {
    check("clouds.md", "attributes", &docs::meanings());
    check("clouds.md", "aws attributes", &docs::attributes("AWS's member", mapping::ATTRIBUTES));
    check("clouds.md", "aws abilities", &docs::abilities(CAPABILITIES.abilities));
    check("clouds.md", "aws relations", &docs::relations("AWS's member", mapping::RELATIONS));
    let volatile: Vec<_> = ec2::VOLATILE.iter().chain(rds::VOLATILE).map(|name| code(name)).collect();
    check("clouds.md", "aws volatile", &format!("{}.\n", volatile.join(", ")));
    check("clouds.md", "aws states", &docs::states("AWS's words", states::STATES));
}

fn gaps() {
    let rows = MOTO
        .iter()
        .chain(MOTO_CHANGES)
        .map(|gap| vec![code(gap.scope), gap.what.split_whitespace().collect::<Vec<_>>().join(" ")]);
    check("clouds.md", "moto gaps", &table(&["where", "what moto 5.2 does"], rows));
}

fn permissions() {
    check("guides/connect-aws.md", "permissions", &docs::permissions(CAPABILITIES.permissions));
    let connector = bed::connector(bed::policy());
    check("guides/connect-aws.md", "policy", &docs::policy(&connector));
    check("guides/connect-aws.md", "commands", &docs::commands(&connector));
    check("guides/connect-aws.md", "change permissions", &docs::permissions(CHANGE_PERMISSIONS));
    check("guides/connect-aws.md", "object permissions", &docs::permissions(OBJECT_PERMISSIONS));
}
