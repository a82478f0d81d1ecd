//! The vendors' own Python clients against the simulator: `tests/clients`, a session of pytest a vendor.
//!
//! They run in a virtual environment of their own (`.venv-clients`, made by `scripts/setup test`), each against a
//! simulator of its own in this process.

use std::{path::Path, process::Stdio};

use super::bed::simulator;

/// Runs the tests of one vendor.
async fn pytest(vendor: &str) {
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

    let simulator = simulator("wedding-season").await;
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
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_from_python() {
    pytest("control").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_from_python() {
    pytest("azure").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_from_boto3() {
    pytest("aws").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_from_python() {
    pytest("google").await;
}
