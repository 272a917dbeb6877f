//! A Python client made from the contract without its additions works with this server.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Place, Server, answers, root, tool};

/// Generates the client, lets it talk to `server`, and gives what it saw.
async fn saw(place: &Place, server: &Server) -> Value {
    let python = tool(root().join(".venv/bin/python"));
    let compat = root().join("tests/compat");
    let generated = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (into, from) = (generated.path().to_str().unwrap(), compat.to_str().unwrap());
    let out = |what: &str| format!("--{what}={into}");
    let (messages, stubs) = (out("python_out"), out("grpc_python_out"));
    let protoc = ["-m", "grpc_tools.protoc", "-I", from, &messages, &stubs, "orchestrator_spec.proto"];
    let made = place.program(&python, &protoc).end().await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let client: PathBuf = compat.join("client.py");
    // Nothing is written beside the source.
    let arguments = ["-B", client.to_str().unwrap(), &server.address, into];
    let talked = place.program(&python, &arguments).end().await;
    assert_eq!(talked.code, 0, "{}", talked.stderr);
    serde_json::from_str(&talked.stdout).unwrap()
}

fn verdict(results: &Value) {
    let results = results.as_array().unwrap();
    assert_eq!(results.iter().map(|result| result["rank"].clone()).collect::<Vec<_>>(), [1, 2, 3]);
    for result in results {
        assert_eq!(result["author_role"], "DEV");
        assert!(result["content"].as_str().unwrap().contains("```python"), "{result}");
        assert!(result["created_at_ms"].as_u64().unwrap() > 0);
        assert_eq!((&result["ran"], &result["lint_passed"]), (&json!(["policy", "lint"]), &true.into()));
        assert_eq!((&result["all_passed"], &result["revisions"]), (&false.into(), &1.into()));
    }
}

fn streamed(updates: &[Value]) {
    let progress: Vec<u64> = updates.iter().map(|update| update["progress"].as_u64().unwrap()).collect();
    assert!(progress.is_sorted() && progress.iter().filter(|percent| **percent == 100).count() == 1);
    let mut statuses: Vec<&str> = updates.iter().map(|update| update["status"].as_str().unwrap()).collect();
    statuses.dedup();
    assert_eq!(statuses, ["generating", "reviewing", "scoring", "complete"]);
    let proposed = |update: &&Value| update["step"].as_str().unwrap().ends_with(" has proposed");
    for update in updates.iter().filter(proposed) {
        assert!(update["content"].as_str().unwrap().contains("```python"), "{update}");
    }
    assert_eq!(updates.iter().filter(proposed).count(), 3);
    assert_eq!(updates.last().unwrap()["rank"], 1);
}

#[tokio::test]
async fn it_submits_polls_streams_and_asks_what_there_is() {
    let model = answers(20).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let saw = saw(&place, &server).await;
    let (submitted, result) = (&saw["submitted"], &saw["result"]);
    assert_eq!(
        (&submitted["results"], &submitted["winner_id"]),
        (&json!([]), &"".into()),
        "it does not wait"
    );
    assert_eq!((&result["task_id"], &result["error_message"]), (&submitted["task_id"], &"".into()));
    assert_eq!(result["status"], "DELIBERATION_STATUS_COMPLETED");
    assert_eq!(result["winner_id"], result["results"][0]["author_id"]);
    assert_eq!((&result["tags"]["pending"], &result["tags"]["failed"]), (&"0".into(), &"0".into()));
    verdict(&result["results"]);
    streamed(saw["updates"].as_array().unwrap());
    assert_eq!(saw["councils"].as_object().unwrap().len(), 5);
    assert_eq!(saw["councils"]["QA"], json!(["agent-qa-001", "agent-qa-002", "agent-qa-003"]));
    assert_eq!((&saw["status"], &saw["role_counts"]), (&"healthy".into(), &json!({"DEV": 2})));
    assert_eq!(saw["health"]["DEV"], "healthy");
    assert_eq!(saw["unknown"]["code"], "NOT_FOUND");
    assert_eq!(saw["empty"]["code"], "INVALID_ARGUMENT");
    assert!(saw["empty"]["details"].as_str().unwrap().contains("task_description"), "{saw}");
    assert_eq!(saw["not_yet"]["code"], "UNIMPLEMENTED");
}

#[tokio::test]
async fn a_server_may_wait_for_clients_that_cannot_ask_for_it() {
    let model = answers(20).await;
    let place = Place::new();
    let variables = [("FLEET__SERVER__WAIT_BY_DEFAULT", "true")];
    let server = place.serve_with(&["--url", &model.url()], &variables).await;
    let saw = saw(&place, &server).await;
    let submitted = &saw["submitted"];
    assert_eq!(submitted["winner_id"], submitted["results"][0]["author_id"]);
    verdict(&submitted["results"]);
    assert_eq!(submitted["results"], saw["result"]["results"], "polling later gives the same");
}
