//! The suite of changes against moto: a second judge, which no one here wrote.

use marquee_clouds::{
    changes::spec::{DatabaseSpec, InstanceSpec},
    conformance::changes::Stage,
};
use serde_json::Value;

use crate::{bed, changes::REGION, gaps::MOTO_CHANGES};

/// What the stage needs to be there: an image of moto's and a zone.
const PREPARED: &str = r#"
ec2, dns = client("ec2"), client("route53")
images = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"]
zone = dns.create_hosted_zone(Name="suite.example", CallerReference="suite")["HostedZone"]["Id"].split("/")[-1]
print(json.dumps({"image": images[0]["ImageId"], "zone": zone}))
"#;

fn stage() -> Stage {
    let (account, moto) = (bed::claim(), bed::moto());
    let prepared: Value = serde_json::from_slice(&bed::python(&account, REGION, PREPARED)).unwrap();
    let text = |name: &str| prepared[name].as_str().unwrap().to_owned();
    Stage {
        cloud: bed::connect(&account, &moto, &[REGION]),
        region: REGION.to_owned(),
        zone: Some(format!("{REGION}a")),
        instance: InstanceSpec {
            size: "m5.large".to_owned(),
            image: text("image"),
            // moto wants the size of every disk that is named.
            boot_disk_gib: Some(20),
            ..InstanceSpec::default()
        },
        other_size: "m5.xlarge".to_owned(),
        database: DatabaseSpec {
            engine: "postgres".to_owned(),
            size: "db.m5.large".to_owned(),
            storage_gib: 50,
            admin_name: "planner".to_owned(),
            backup_retention_days: Some(7),
            ..DatabaseSpec::default()
        },
        other_database_size: "db.m5.xlarge".to_owned(),
        bucket: format!("marquee-changes-{}", account.id),
        dns: (format!("arn:aws:route53:::hostedzone/{}", text("zone")), "suite.example".to_owned()),
        target_group: None,
        // moto has no time between.
        let_time_pass: Box::new(|| {}),
        gaps: MOTO_CHANGES,
        keep: Box::new(()),
    }
}

// Three are left out, for what `MOTO_CHANGES` says: buckets, targets, and what is not there.
marquee_clouds::changes_conformance!(
    @each std::future::ready(stage()), an_instance_lives, tags_are_set_and_come_back, an_image_is_made, a_disk_lives, a_database_lives,
    a_database_is_restored, a_scaling_group_lives, records_are_set_and_come_back,
    a_name_that_is_taken_is_left_alone, what_a_cloud_cannot_do_it_says
);
