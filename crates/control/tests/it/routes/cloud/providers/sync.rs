//! `POST /api/cloud/providers/{id}/sync`: what the cloud has, what changed, and what is gone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    ledgers::fixtures::id,
    support::{Account, Client, World},
};

const ESTATE: &str = "
for region in ['eu-west-1', 'us-east-1']:
    ec2 = client('ec2', region)
    image = ec2.describe_images(Owners=['amazon'])['Images'][0]['ImageId']
    ec2.run_instances(ImageId=image, MinCount=5, MaxCount=5, InstanceType='m5.large',
        TagSpecifications=[{'ResourceType': 'instance', 'Tags': [{'Key': 'venue', 'Value': 'orangery'}]}])
    ec2.allocate_address(Domain='vpc')
    ec2.create_volume(AvailabilityZone=region + 'a', Size=8)
client('s3').create_bucket(Bucket='sync-test-' + client('sts').get_caller_identity()['Account'],
                           CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
client('rds').create_db_instance(DBInstanceIdentifier='guests', Engine='postgres', DBInstanceClass='db.m5.large',
                                 AllocatedStorage=20, MasterUsername='a', MasterUserPassword='bbbbbbbbbb')
";

const COUNTS: &str = "
counts = {}
for region in ['eu-west-1', 'us-east-1']:
    ec2, rds = client('ec2', region), client('rds', region)
    counts[region] = {
        'compute_instance': sum(len(r['Instances']) for p in ec2.get_paginator('describe_instances').paginate() for r in p['Reservations']),
        'disk': len(ec2.describe_volumes()['Volumes']),
        'network': len(ec2.describe_vpcs()['Vpcs']),
        'subnet': len(ec2.describe_subnets()['Subnets']),
        'security_group': len(ec2.describe_security_groups()['SecurityGroups']),
        'public_ip': len(ec2.describe_addresses()['Addresses']),
        'database': len(rds.describe_db_instances()['DBInstances']),
    }
print(json.dumps(counts))
";

async fn summary(client: &Client) -> Value {
    let groups = client.get("/api/cloud/resources/summary?group_by=kind,region").await.expect(200);
    let mut counts = json!({});
    for group in groups["groups"].as_array().unwrap() {
        let (kind, region) = (group["by"]["kind"].as_str().unwrap(), group["by"]["region"].as_str().unwrap());
        counts[region][kind] = group["count"].clone();
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_is_what_the_cloud_lists_and_history_keeps_what_was() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    account.boto3(ESTATE);
    let body = account.provider("production", &["eu-west-1", "us-east-1"]);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    let operation = owner.sync(&provider).await;
    assert_eq!(operation["state"], "succeeded", "{operation:#}");
    let (expected, found) = (account.boto3(COUNTS), summary(&owner).await);
    for (region, kinds) in expected.as_object().unwrap() {
        for (kind, count) in kinds.as_object().unwrap() {
            let found = found[region].get(kind).cloned().unwrap_or_else(|| json!(0));
            assert_eq!(&found, count, "{kind} in {region}");
        }
    }
    let before = chrono_now(&world);

    // One tag changes and one instance is terminated behind Marquee's back.
    let changed = account.boto3(
        "
ec2 = client('ec2')
found = [i['InstanceId'] for r in ec2.describe_instances()['Reservations'] for i in r['Instances']]
ec2.create_tags(Resources=[found[0]], Tags=[{'Key': 'venue', 'Value': 'lakeside'}])
ec2.terminate_instances(InstanceIds=[found[1]])
print(json.dumps(found[:2]))
",
    );
    let second = owner.sync(&provider).await;
    assert_eq!(second["progress"]["resources_created"], 0, "{second:#}");
    let tagged = owner.all("/api/cloud/resources?filter=tags.venue%3Dlakeside").await;
    assert_eq!(tagged.len(), 1, "{tagged:#?}");
    assert!(tagged[0]["native_id"].as_str().unwrap().ends_with(changed[0].as_str().unwrap()));
    let path = format!("/api/cloud/resources/{}/history", id(&tagged[0]));
    let history = owner.get(&path).await.expect(200);
    let changes = &history["items"][0]["changes"];
    assert!(
        changes
            .as_array()
            .unwrap()
            .contains(&json!({ "field": "tags.venue", "before": "orangery", "after": "lakeside" })),
        "{history:#}"
    );
    let gone = owner.all("/api/cloud/resources?filter=kind%3Dcompute_instance%20state%3Ddeleted").await;
    assert_eq!(gone.len(), 1, "{gone:#?}");

    // As of before, both are as they were.
    let filter = "kind%3Dcompute_instance%20tags.venue%3Dorangery%20state%3Drunning";
    let as_of = owner.all(&format!("/api/cloud/resources?as_of={before}&filter={filter}")).await;
    assert_eq!(as_of.len(), 10);
    let now = owner.all(&format!("/api/cloud/resources?filter={filter}")).await;
    assert_eq!(now.len(), 8);

    let third = owner.sync(&provider).await;
    for count in ["resources_created", "resources_changed", "resources_deleted"] {
        assert_eq!(third["progress"][count], 0, "{third:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_leaves_the_inventory_and_what_comes_back_is_the_same() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    account.boto3(
        "
for i in range(3):
    client('ec2').create_volume(AvailabilityZone='eu-west-1a', Size=8 + i)
",
    );
    let body = account.provider("production", &["eu-west-1"]);
    let provider = id(&owner.post("/api/cloud/providers", body.clone()).await.expect(201));
    owner.sync(&provider).await;
    let disks = owner.all("/api/cloud/resources?filter=kind%3Ddisk").await;
    assert_eq!(disks.len(), 3);
    let before = chrono_now(&world);
    account.boto3(
        "ec2 = client('ec2'); ec2.delete_volume(VolumeId=ec2.describe_volumes()['Volumes'][0]['VolumeId'])",
    );
    let operation = owner.sync(&provider).await;
    assert_eq!(operation["progress"]["resources_deleted"], 1, "{operation:#}");
    let left = owner.all("/api/cloud/resources?filter=kind%3Ddisk").await;
    assert_eq!(left.len(), 2);
    let gone = disks.iter().find(|disk| !left.iter().any(|other| other["id"] == disk["id"])).unwrap();
    let history = owner.get(&format!("/api/cloud/resources/{}/history", id(gone))).await.expect(200);
    assert_eq!(history["items"][0]["ended"], "deleted");
    assert!(
        owner.get(&format!("/api/cloud/resources/{}", id(gone))).await.expect(200)["deleted_at"].is_string()
    );

    // Disconnected, the rest leaves the inventory too, and the history stays.
    owner.delete(&format!("/api/cloud/providers/{provider}")).await.expect(204);
    assert_eq!(owner.all("/api/cloud/resources").await.len(), 0);
    let history = owner.get(&format!("/api/cloud/resources/{}/history", id(&left[0]))).await.expect(200);
    assert_eq!(history["items"][0]["ended"], "deleted");
    let then = owner.all(&format!("/api/cloud/resources?as_of={before}&filter=kind%3Ddisk")).await;
    assert_eq!(then.len(), 3, "as of then each is there once: {then:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sync_joins_the_first() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut body = Account::take().provider("silent", &["eu-west-1"]);
    body["settings"]["endpoint_url"] = Value::from(format!("http://{}", silent.local_addr().unwrap()));
    body["verify"] = Value::from(false);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    let path = format!("/api/cloud/providers/{provider}/sync");
    let first = owner.post_empty(&path).await.expect(202);
    let second = owner.post_empty(&path).await.expect(202);
    assert_eq!((&first["joined"], &second["joined"]), (&json!(false), &json!(true)));
    assert_eq!(first["operation"]["id"], second["operation"]["id"]);
    let operation = format!("/api/operations/{}", id(&first["operation"]));
    owner.post_empty(&format!("{operation}/cancel")).await.expect(202);
    drop(silent);
    let ended = owner.ended(&id(&first["operation"])).await;
    assert!(["cancelled", "failed"].contains(&ended["state"].as_str().unwrap()), "{ended:#}");
    assert_eq!(owner.post_empty(&format!("{operation}/cancel")).await.problem(409), "operation_done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_permission_gets_the_rest() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let key = account.boto3(
        "
iam = client('iam')
iam.create_user(UserName='limited')
policy = {'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Action': '*', 'Resource': '*'}, {'Effect': 'Deny', 'Action': 'rds:Describe*', 'Resource': '*'}]}
iam.put_user_policy(UserName='limited', PolicyName='limited', PolicyDocument=json.dumps(policy))
print(json.dumps(iam.create_access_key(UserName='limited')['AccessKey'], default=str))
",
    );
    let mut body = account.provider("limited", &["eu-west-1"]);
    body["credentials"]["access_key_id"] = key["AccessKeyId"].clone();
    body["credentials"]["secret_access_key"] = key["SecretAccessKey"].clone();
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    // On a busy machine the emulator may take longer than a test may: then a permission is unknown, and asked again.
    let mut missing = BTreeSet::new();
    for _ in 0..10 {
        let path = format!("/api/cloud/providers/{provider}/test-connection");
        let report = owner.post_empty(&path).await.expect(200);
        for permission in report["permissions"].as_array().unwrap() {
            let name = permission["permission"].as_str().unwrap();
            let rds = name.starts_with("rds:");
            assert_ne!(permission["status"], if rds { "granted" } else { "missing" }, "{permission}");
            if permission["status"] == "missing" {
                missing.insert(name.to_owned());
            }
        }
        if missing.contains("rds:DescribeDBInstances") {
            break;
        }
    }
    assert!(missing.contains("rds:DescribeDBInstances"), "{missing:?}");
    let operation = owner.sync(&provider).await;
    assert_eq!(operation["state"], "partially_succeeded", "{operation:#}");
    let scopes = owner.get(&format!("/api/cloud/providers/{provider}/scopes")).await.expect(200);
    for scope in scopes["items"].as_array().unwrap() {
        let rds = scope["service"].as_str().unwrap().starts_with("rds/");
        assert_eq!(scope["complete_at"].is_null(), rds, "{scope}");
        if rds {
            assert_eq!(scope["error"]["code"], "permission_denied", "{scope}");
        }
    }
}

fn chrono_now(world: &World) -> String {
    world.app.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
