//! The vendors' own Python clients against the simulator: `tests/clients`, a session of pytest a vendor.
//!
//! They run in a virtual environment of their own (`.venv-clients`, made by `scripts/setup test`), each against a
//! simulator of its own in this process.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
};

use marquee_clouds::docs::{check, code, table};
use marquee_simulator::{Simulator, faces};

use super::bed::simulator;

/// Runs the tests of one vendor, against a world with an account of it.
async fn pytest(vendor: &str, world: &str) {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = crate_folder.join("../../.venv-clients/bin/python");
    assert!(python.exists(), "run `scripts/setup test` first: it makes .venv-clients");
    let folder = crate_folder.join("tests/clients");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let prefix = format!("test_{vendor}_");
    let mut files: Vec<_> =
        files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix)).collect();
    files.sort();
    assert!(!files.is_empty(), "no tests of {vendor}");

    let simulator = simulator(world).await;
    let output = tokio::process::Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"])
        .args(files)
        .current_dir(folder)
        .env("MARQUEE_SIMULATOR", &simulator.addresses().control)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    if let Some(face) = faces().iter().find(|face| face.name().as_str() == vendor) {
        check("simulator.md", &format!("{vendor} routes"), &proven(&simulator, &face.routes()));
    }
    simulator.stop().await;
}

/// Every route, by service, with the clients that called it with success. A route that none has called is none.
fn proven(simulator: &Simulator, routes: &[String]) -> String {
    let rows = simulator.world().calls.rows();
    let mut services: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for route in routes {
        let judges: BTreeSet<String> = rows
            .iter()
            .filter(|row| &row.operation == route && row.count.succeeded > 0 && row.client != "Python-urllib")
            .map(|row| match row.client.as_str() {
                // All that this client says of itself.
                "(gzip)" => "google-api-python-client".to_owned(),
                other => other.to_owned(),
            })
            .collect();
        assert!(!judges.is_empty(), "no client of the vendor's has called {route}");
        let (service, operation) =
            route.split_once([':', '/']).or_else(|| route.split_once('.')).unwrap_or((route, route));
        let service = services.entry(service.to_owned()).or_default();
        service.0.insert(operation.to_owned());
        service.1.extend(judges);
    }
    let rows = services.into_iter().map(|(service, (operations, judges))| {
        let list =
            |words: BTreeSet<String>| words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", ");
        vec![code(&service), operations.len().to_string(), list(operations), list(judges)]
    });
    table(&["service", "routes", "which", "judged by"], rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_from_python() {
    pytest("control", "wedding-season").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_from_python() {
    pytest("azure", "wedding-season").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_from_boto3() {
    pytest("aws", "wedding-season").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_from_python() {
    pytest("google", "wedding-season").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hetzner_from_python() {
    pytest("hetzner", "staging").await;
}
