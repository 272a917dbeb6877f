//! Which crate may know which: the table of the design, held against what Cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What each crate knows of the others: always, and besides in its tests only.
const ARROWS: [(&str, &[&str], &[&str]); 16] = [
    ("fleet-deliberation", &[], &[]),
    ("fleet-evaluation", &["fleet-deliberation"], &[]),
    ("fleet-orchestrator", &["fleet-deliberation"], &[]),
    ("fleet-worker", &["fleet-deliberation", "fleet-orchestrator"], &["fleet-scripted"]),
    ("fleet-checks", &["fleet-deliberation", "fleet-orchestrator", "fleet-sandbox"], &[]),
    ("fleet-sandbox", &[], &[]),
    ("fleet-embedded", &["fleet-deliberation", "fleet-orchestrator"], &[]),
    ("fleet-cluster", &["fleet-deliberation", "fleet-orchestrator"], &[]),
    ("fleet-llm", &["fleet-deliberation", "fleet-orchestrator"], &["fleet-scripted"]),
    ("fleet-telemetry", &["fleet-deliberation", "fleet-orchestrator"], &[]),
    ("fleet-api", &[], &[]),
    ("fleet-server", &["fleet-api", "fleet-deliberation", "fleet-orchestrator"], &[]),
    (
        "fleet",
        &[
            "fleet-api",
            "fleet-checks",
            "fleet-deliberation",
            "fleet-embedded",
            "fleet-evaluation",
            "fleet-llm",
            "fleet-orchestrator",
            "fleet-sandbox",
            "fleet-server",
            "fleet-telemetry",
            "fleet-worker",
        ],
        &["fleet-scripted"],
    ),
    // For tests and benchmarks only: nothing of the product stands on these.
    ("fleet-scripted", &["fleet-llm"], &[]),
    ("fleet-simulation", ANY, ANY),
    ("fleet-benches", ANY, ANY),
];
/// Whatever lies above everything else may know everything.
const ANY: &[&str] = &["*"];
/// Crates that no other may know, and who may use them in tests.
const ABOVE: [&str; 3] = ["fleet", "fleet-simulation", "fleet-benches"];

type Known = BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>;

/// The crates of this repository that each of them knows: always, and in tests only.
fn known() -> Known {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .expect("cargo can be started");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let text = |value: &Value| value.as_str().map(str::to_owned).expect("a text");
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let of = |package: &Value| {
        let (mut always, mut in_tests) = (BTreeSet::new(), BTreeSet::new());
        for dependency in package["dependencies"].as_array().expect("a list") {
            let name = text(&dependency["name"]);
            if names.contains(&name) {
                let kind = dependency["kind"].as_str();
                if kind == Some("dev") {
                    in_tests.insert(name)
                } else {
                    always.insert(name)
                };
            }
        }
        (text(&package["name"]), (always, in_tests))
    };
    packages.iter().map(of).collect()
}

#[test]
fn every_crate_knows_only_what_the_table_allows() {
    for (name, (always, in_tests)) in known() {
        let row = ARROWS.iter().find(|(crate_name, ..)| *crate_name == name);
        let (_, may, may_in_tests) =
            row.unwrap_or_else(|| panic!("{name} has no row in the table of arrows"));
        if *may == ANY {
            continue;
        }
        let listed: BTreeSet<String> = may.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(always, listed, "what {name} knows");
        for test in in_tests.difference(&listed) {
            assert!(may_in_tests.contains(&test.as_str()), "{name} may not know {test}, not even in tests");
        }
    }
}

#[test]
fn nothing_stands_on_what_lies_above() {
    for (name, (always, _)) in known() {
        for above in ABOVE.iter().chain(&["fleet-scripted"]) {
            let bench = ABOVE[1..].contains(&name.as_str());
            assert!(bench || !always.contains(*above), "{name} stands on {above}");
        }
    }
}

#[test]
fn the_rules_know_neither_time_nor_network() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../deliberation/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("the manifest of the rules");
    let dependencies = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next());
    let names: Vec<&str> = dependencies
        .expect("they have dependencies")
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next().filter(|name| !name.is_empty()))
        .collect();
    assert_eq!(names, ["serde", "serde_json", "sha2", "thiserror"]);
}
