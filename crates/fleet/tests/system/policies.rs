//! Policies of one's own, from the folder that the configuration names.

use std::fs;

use serde_json::Value;

use crate::support::{Place, answers};

const TASK: &str = "Write a Python function that returns n factorial";
const HOUSE: &str = r#"package fleet.policy.house

rules := {"house/no-python": {"severity": "medium", "title": "Python"}}

deny contains fault if {
    some i, part in input.parts
    part.language == "python"
    fault := {"id": "house/no-python", "message": "no Python in this house", "part": i, "line": 0}
}
"#;

fn folder(place: &Place, policy: &str) -> String {
    let folder = place.path("policies");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("house.rego"), policy).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_policy_of_one_s_own_is_held_against_proposals() {
    let model = answers(0).await;
    let place = Place::new();
    let folder = folder(&place, HOUSE);
    let run = place.fleet(&["deliberate", TASK, "--json", "--url", &model.url(), "--rounds", "0"]);
    let ended = run.env("FLEET__CHECKS__POLICIES", &folder).end().await;
    let event: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let results = event["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let policy = &result["checks"]["policy"];
        assert_eq!(policy["passed"], false, "{result}");
        assert!(policy.to_string().contains("no Python in this house"), "{policy}");
    }
}

#[tokio::test]
async fn a_broken_policy_ends_the_command_at_start_and_names_file_and_line() {
    let place = Place::new();
    let folder = folder(&place, &HOUSE.replace("    some i, part", "    sme i, part"));
    let config = place.file("fleet.toml", &format!("[checks]\npolicies = {folder:?}\n"));
    for command in [&["deliberate", TASK, "--model", "simulated"][..], &["serve", "--listen", "127.0.0.1:0"]]
    {
        let ended = place.fleet(command).also(&["--config", &config]).end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{command:?}: {}", ended.stderr);
        for what in [format!("{folder}/house.rego:6: "), format!("checks.policies names ({config}:2)")] {
            assert!(ended.stderr.contains(&what), "{command:?} says {what:?}: {}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_ends_the_command_at_start() {
    let place = Place::new();
    let run = place.fleet(&["deliberate", TASK, "--model", "simulated"]);
    let ended = run.env("FLEET__CHECKS__POLICIES", "/nowhere/at/all").end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot read /nowhere/at/all"), "{}", ended.stderr);
    assert!(ended.stderr.contains("environment FLEET__CHECKS__POLICIES"), "{}", ended.stderr);
}
