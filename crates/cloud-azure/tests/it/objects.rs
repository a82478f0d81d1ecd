//! Blobs, against Azurite: over TLS, with storage tokens of the simulator's Entra.

use std::{env, fs, sync::Arc};

use marquee_cloud_azure::AzureConnector;
use marquee_clouds::{
    Cloud, Connection, Connector as _, ErrorKind, ServerRules,
    conformance::{
        Collected, Gap,
        front::{Front, Tls},
        objects::ObjectRig,
    },
    objects::{Bucket, Put},
    rest,
};
use marquee_simulator::{FaceName, Simulator};
use marquee_types::{Clock, ResourceKind};
use serde_json::{Value, json};

use crate::bed::{SUBSCRIPTION, cloud, connection, simulator};

/// The account of the world that Azurite has too, and the container that the simulator knows in it.
const ACCOUNT: &str = "orangeryazuremediawesteu";
const CONTAINER: &str = "data";

fn variable(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test bed is found through the environment")]
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with cargo nextest"))
}

fn file(name: &str) -> String {
    fs::read_to_string(variable(name)).unwrap()
}

/// A front before any address, that speaks TLS with the certificate of the test bed.
pub async fn front(upstream: &str) -> Front {
    let (certificate, key) = (file("MARQUEE_TEST_AZURITE_CERTIFICATE"), file("MARQUEE_TEST_AZURITE_KEY"));
    Front::before(upstream, Some(Tls { certificate: &certificate, key: &key })).await
}

/// A front before a simulator, which is trusted by it.
pub async fn front_of(simulator: &Simulator) -> Front {
    // The first of the certificates is its own.
    let (own, key) = (file("MARQUEE_TEST_AZURITE_CERTIFICATE"), file("MARQUEE_TEST_AZURITE_KEY"));
    let certificate = format!("{own}{}", simulator.addresses().certificate);
    Front::before(&simulator.addresses().azure, Some(Tls { certificate: &certificate, key: &key })).await
}

/// Both authorities: the simulator's, and the test bed's.
pub fn trusted(simulator: &Simulator) -> String {
    format!("{}{}", simulator.addresses().certificate, file("MARQUEE_TEST_AZURITE_CERTIFICATE"))
}

/// A connection whose blobs are elsewhere; both authorities are trusted.
fn with_blobs(simulator: &Simulator, blobs: &str, change: impl FnOnce(&mut Value)) -> Connection {
    let mut made = connection(simulator, change);
    made.settings["blob_endpoint_url"] = json!(blobs);
    made.settings["ca_certificate"] = json!(trusted(simulator));
    made
}

/// The account as the inventory gives it, and a container of it.
async fn bucket(cloud: &dyn Cloud, container: &str) -> Bucket {
    let inventory = cloud.inventory().unwrap();
    let scopes = inventory.scopes(&[]).await.unwrap();
    let scope = scopes.iter().find(|scope| scope.kinds == [ResourceKind::Bucket]).unwrap();
    let mut listed = Collected::default();
    inventory.list(scope, &mut listed).await.unwrap();
    let account = listed.resources.into_iter().find(|one| one.name == ACCOUNT).unwrap();
    Bucket { native_id: account.native_id, region: account.region, container: Some(container.to_owned()) }
}

/// A token as Entra gives it to anyone who asks, for what is no part of the adapter.
async fn token(simulator: &Simulator) -> String {
    let said = simulator.credentials(FaceName::Azure, SUBSCRIPTION).unwrap();
    let (at, tenant) = (&simulator.addresses().azure, said["tenant_id"].as_str().unwrap());
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", said["client_id"].as_str().unwrap()),
        ("client_secret", said["client_secret"].as_str().unwrap()),
        ("scope", "https://storage.azure.com/.default"),
    ];
    let http = rest::clients("test", Some(&simulator.addresses().certificate)).unwrap().json;
    let sent = http.post(format!("{at}/{tenant}/oauth2/v2.0/token")).form(&form).send().await.unwrap();
    sent.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

/// Makes the container at Azurite; another test may have been quicker.
async fn make_container(simulator: &Simulator) {
    let http = rest::clients("test", Some(&file("MARQUEE_TEST_AZURITE_CERTIFICATE"))).unwrap().bytes;
    let url = format!("{}/{ACCOUNT}/{CONTAINER}?restype=container", variable("MARQUEE_TEST_AZURITE"));
    let put = http.put(url).bearer_auth(token(simulator).await).header("x-ms-version", "2025-01-05");
    let made = put.header("content-length", "0").send().await.unwrap();
    assert!([201, 409].contains(&made.status().as_u16()), "{made:?}");
}

async fn rig() -> ObjectRig {
    let simulator = simulator().await;
    make_container(&simulator).await;
    let azurite = variable("MARQUEE_TEST_AZURITE");
    let front = front(&azurite).await;
    let wrong = |credentials: &mut Value| credentials["client_secret"] = json!("not-the-secret");
    let good = cloud(&with_blobs(&simulator, &azurite, |_| {}));
    ObjectRig {
        bucket: bucket(&*good, CONTAINER).await,
        no_bucket: bucket(&*good, "no-such-container").await,
        cloud: good,
        lossy: (cloud(&with_blobs(&simulator, &front.url, |_| {})), Arc::clone(&front.to_lose)),
        wrong_secret: Some(cloud(&with_blobs(&simulator, &azurite, wrong))),
        largest: true,
        gaps: AZURITE,
        keep: Box::new((simulator, front)),
    }
}

/// What Azurite gets wrong.
pub const AZURITE: &[Gap] = &[
    gap(
        "listings_go_to_the_end",
        "delimiter //",
        "knows of a delimiter its first character alone; Azure takes a string",
    ),
    gap("listings_go_to_the_end", "delimiter lder", "the same"),
    gap(
        "ranges_are_parts",
        "at the end",
        "gives no bytes of a range that begins at the end; Azure answers 416",
    ),
];

const fn gap(check: &'static str, scope: &'static str, what: &'static str) -> Gap {
    Gap { check, scope, what }
}

marquee_clouds::object_conformance!(rig());

#[tokio::test]
async fn a_storage_token_goes_to_no_host_but_microsofts_and_the_named_one() {
    let simulator = simulator().await;
    let good = cloud(&connection(&simulator, |_| {}));
    let bucket = bucket(&*good, CONTAINER).await;
    // What the simulator says is an address of Microsoft's, which cannot be reached from a test, or must not be.
    let elsewhere = with_blobs(&simulator, "https://blobs.example", |_| {});
    let connector = AzureConnector::new(Clock::system()).unwrap();
    let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
    let refused = connector.check(&elsewhere, &rules).unwrap_err().to_string();
    assert!(refused.contains("/settings/blob_endpoint_url"), "{refused}");
    // The account is asked for first: without it there is no host at all.
    simulator.fault(json!({ "kind": "failing", "service": "Microsoft.Storage" })).unwrap();
    let put = good.objects().unwrap().put(&bucket, "x", &Put::new("x")).await;
    let error = put.unwrap_err();
    assert_eq!(
        (error.kind, error.operation.as_str()),
        (ErrorKind::Unavailable, "Microsoft.Storage:StorageAccounts_GetProperties")
    );
}
