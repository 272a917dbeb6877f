//! Looking back: a verdict is explained, replayed, held against what is stored, and exported.

use std::path::Path;

use fleet_api::v1 as wire;
use rusqlite::Connection;
use serde_json::Value;
use tonic::Code;

use crate::support::{Client, Ended, Place, answers, deliberate, eventually, field_of, held, until};

const TASK: &str = "Write a Python function that returns n factorial";

fn done(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).expect("standard output holds JSON and nothing else")
}

async fn simulated(place: &Place, id: &str, more: &[&str]) {
    let asked = ["deliberate", TASK, "--id", id, "--model", "simulated"];
    let ended = place.fleet(&asked).also(more).env("FLEET__SIMULATED__LATENCY_MS", "0").end().await;
    assert!([0, 11].contains(&ended.code), "{}", ended.stderr);
}

fn change(state: &Path, sql: &str) {
    let connection = Connection::open(state.join("fleet.db")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql} changes something");
}

const LAST: &str = "history = (SELECT key FROM histories WHERE id = 'deliberation:one') AND ends = 1";

#[tokio::test]
async fn a_verdict_is_explained_and_replayed_from_what_was_recorded() {
    let place = Place::new();
    simulated(&place, "one", &[]).await;
    let explained = place.run(&["explain", "one"]).await;
    done(&explained);
    for section in ["WHY", "RANKING (rule ", "CHECKS", "REVIEWS", "REVISIONS", "DISSENT", "COST", "MODELS"] {
        assert!(explained.stdout.contains(section), "{section}: {}", explained.stdout);
    }
    assert!(explained.stdout.contains("SIMULATED"), "{}", explained.stdout);
    let wide = explained.stdout.lines().find(|line| line.chars().count() > 100);
    assert_eq!(wide, None);

    let result = json(&place.run(&["result", "one", "--json"]).await);
    let explained = json(&place.run(&["explain", "one", "--json"]).await);
    assert_eq!(explained["verdict"]["winner_id"], result["winner_id"]);
    assert_eq!(explained["verdict"]["why"], result["why"]);
    assert_eq!(explained["cost"]["tokens"], result["usage"]);
    assert_eq!(explained["missing_answers"], serde_json::json!([]));

    let replayed = place.run(&["replay", "one"]).await;
    done(&replayed);
    assert!(replayed.stdout.contains("The two agree."), "{}", replayed.stdout);
    let replayed = json(&place.run(&["replay", "one", "--json"]).await);
    assert_eq!(replayed["agrees"], true);
    let last = replayed["events"].as_u64().unwrap();

    let events = place.run(&["replay", "one", "--events"]).await;
    done(&events);
    assert_eq!(events.stdout.lines().count() as u64, last);
    let watched = place.run(&["watch", "one", "--events"]).await;
    let steps: Vec<Value> = watched.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events = json(&place.run(&["replay", "one", "--events", "--json"]).await);
    for (event, step) in events["events"].as_array().unwrap().iter().zip(&steps) {
        assert_eq!(event["sequence"], step["sequence"], "as watchers are told it");
        assert_eq!(event["told"], step["current_step"]);
    }

    let first = json(&place.run(&["replay", "one", "--until", "1", "--json"]).await);
    assert_eq!(first["awaited"].as_array().unwrap().len(), 3, "{first}");
    assert_eq!(first["ranking"], serde_json::json!([]));
    let late = place.run(&["replay", "one", "--until", &last.to_string()]).await;
    assert!(late.stdout.contains("COMPLETED (complete)"), "{}", late.stdout);
    let beyond = place.run(&["replay", "one", "--until", &(last + 1).to_string()]).await;
    assert_eq!((beyond.code, beyond.stdout.as_str()), (2, ""));
    assert!(beyond.stderr.contains(&format!("at most {last}")), "{}", beyond.stderr);
    assert_eq!(place.run(&["replay", "one", "--until", "0"]).await.code, 2);
    for command in ["explain", "replay"] {
        assert_eq!(place.run(&[command, "nobody"]).await.code, 6);
    }
}

#[tokio::test]
async fn a_verdict_that_its_history_does_not_give_ends_with_12() {
    let place = Place::new();
    simulated(&place, "one", &[]).await;
    // The last record is not chained to any, so it can still be read.
    let forged = format!(
        "UPDATE records SET body = CAST(replace(body, '\"rank\":1,', '\"rank\":7,') AS BLOB) WHERE {LAST}"
    );
    change(&place.state(), &forged);
    let replayed = place.run(&["replay", "one"]).await;
    assert_eq!(replayed.code, 12, "{}", replayed.stderr);
    assert!(
        replayed.stdout.contains("DIFFER") && replayed.stdout.contains("recorded:   7"),
        "{}",
        replayed.stdout
    );
    assert!(replayed.stderr.contains("fleet verify"), "{}", replayed.stderr);
    assert_eq!(json(&place.run(&["replay", "one", "--json"]).await)["agrees"], false);
    let verified = place.run(&["verify"]).await;
    assert_eq!(verified.code, 13, "{}", verified.stdout);
}

#[tokio::test]
async fn each_change_of_the_state_is_found_and_named() {
    let one = "history = (SELECT key FROM histories WHERE id = 'deliberation:one')";
    let flip = |table: &str, at: &str| {
        format!("UPDATE {table} SET body = CAST(replace(body, ':', ';') AS BLOB) WHERE {at}")
    };
    let cases = [
        (flip("records", &format!("{one} AND sequence = 2")), vec!["deliberation:one, record 2: UNREADABLE"]),
        (
            format!(
                "UPDATE records SET body = CAST(replace(body, '\"schema\":4', '\"schema\":2') AS BLOB) WHERE {one} AND sequence = 2"
            ),
            vec!["deliberation:one, record 2: ALTERED"],
        ),
        (
            "UPDATE answers SET body = CAST(replace(body, 'Analysis', 'Analysys') AS BLOB)
             WHERE job = 'one/0/propose/agent-dev-001'"
                .into(),
            vec!["deliberation:one, answer to one/0/propose/agent-dev-001: ALTERED"],
        ),
        (format!("DELETE FROM records WHERE {LAST}"), vec!["deliberation:one, record", "CUT_OFF"]),
        (
            "DELETE FROM histories WHERE id = 'deliberation:one'".into(),
            vec!["deliberation:one: MISSING", "which no history has"],
        ),
    ];
    let place = Place::new();
    simulated(&place, "one", &[]).await;
    simulated(&place, "two", &[]).await;
    done(&place.run(&["councils", "create", "AUDIT"]).await);
    let verified = place.run(&["verify"]).await;
    done(&verified);
    assert!(
        verified.stdout.contains("3 histories") && verified.stdout.contains("sound"),
        "{}",
        verified.stdout
    );
    let backup = place.path("backup.db");
    let backup = backup.to_str().unwrap();
    done(&place.run(&["backup", backup]).await);
    done(&place.run(&["verify", "--file", backup]).await);
    for (n, (sql, names)) in cases.iter().enumerate() {
        let state = place.path(&format!("state-{n}"));
        let state_text = state.to_str().unwrap();
        done(&place.run(&["restore", backup, "--state", state_text]).await);
        change(&state, sql);
        let verified = place.run(&["verify", "--state", state_text]).await;
        assert_eq!(verified.code, 13, "{sql}: {}", verified.stdout);
        for name in names {
            assert!(verified.stdout.contains(name), "{name}: {}", verified.stdout);
        }
        assert!(!verified.stdout.contains("deliberation:two"), "{}", verified.stdout);
        let verified = json(&place.run(&["verify", "--json", "--state", state_text]).await);
        assert_eq!(verified["sound"], false);
        let about =
            |finding: &Value| finding["history"] == "deliberation:one" || finding["history"].is_null();
        assert!(verified["findings"].as_array().unwrap().iter().all(about), "{verified}");
    }
    let state = place.path("swapped");
    let state_text = state.to_str().unwrap();
    done(&place.run(&["restore", backup, "--state", state_text]).await);
    let connection = Connection::open(state.join("fleet.db")).unwrap();
    let body = |sequence: u64| -> Vec<u8> {
        let sql = format!("SELECT body FROM records WHERE {one} AND sequence = {sequence}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    for (sequence, body) in [(2, body(3)), (3, body(2))] {
        let sql = format!("UPDATE records SET body = ?1 WHERE {one} AND sequence = {sequence}");
        connection.execute(&sql, [body]).unwrap();
    }
    drop(connection);
    let verified = place.run(&["verify", "--state", state_text]).await;
    assert_eq!(verified.code, 13, "{}", verified.stdout);
    for sequence in [2, 3] {
        let named = format!("deliberation:one, record {sequence}: REORDERED");
        assert!(verified.stdout.contains(&named), "{}", verified.stdout);
    }
    let wrong = flip("records", &format!("{one} AND sequence = 3"));
    let connection = Connection::open(backup).unwrap();
    connection.execute(&wrong, []).unwrap();
    drop(connection);
    let verified = place.run(&["verify", "--file", backup]).await;
    assert_eq!(verified.code, 13, "{}", verified.stdout);
    assert!(verified.stderr.contains(backup), "{}", verified.stderr);
    assert_eq!(place.run(&["verify", "--file", "/nowhere/b.db"]).await.code, 6);
    let text = place.file("diary.txt", &"Dear diary, this is none of your business. ".repeat(9));
    assert_eq!(place.run(&["verify", "--file", &text]).await.code, 2);
    assert_eq!(place.run(&["verify", "--state", place.path("empty").to_str().unwrap()]).await.code, 6);
}

#[tokio::test]
async fn a_server_gives_the_same_past_as_its_files_and_is_verified_at_work() {
    let model = answers(0).await;
    let place = Place::new();
    // What is not served any more is still explained.
    let server = place.serve_with(&["--url", &model.url()], &[("FLEET__STATE__RESULTS_SERVED_S", "1")]).await;
    let mut client = server.client().await;
    let request = wire::DeliberateRequest { task_id: "one".into(), wait: Some(true), ..deliberate(TASK) };
    client.submit(request).await.unwrap();
    let found = place.run(&["explain", "one", "--json"]).await;
    done(&found);
    let named = place.run(&["explain", "one", "--json", "--server", &server.address]).await;
    assert_eq!(named.stdout, found.stdout);
    eventually("it is not served any more", || async {
        (place.run(&["result", "one"]).await.code == 6).then_some(())
    })
    .await;
    let late = place.run(&["explain", "one", "--json"]).await;
    assert_eq!(late.stdout, found.stdout);
    let replayed = place.run(&["replay", "one"]).await;
    done(&replayed);
    let exported = place.run(&["export", "--format", "jsonl"]).await;
    done(&exported);
    let verified = place.run(&["verify"]).await;
    done(&verified);

    let none = history(&mut client, "nobody").await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound, "{none}");
    let none = history(&mut client, "two words").await.unwrap_err();
    assert_eq!((none.code(), field_of(&none).as_str()), (Code::InvalidArgument, "task_id"));
    let early = wire::ListHistoriesRequest { since_ms: -1, until_ms: 0 };
    let early = client.calls.list_histories(early).await.unwrap_err();
    assert_eq!((early.code(), field_of(&early).as_str()), (Code::InvalidArgument, "since_ms"));
    let (records, jobs) = history(&mut client, "one").await.unwrap();
    assert_eq!(records, (1..=records.len() as u64).collect::<Vec<_>>());
    assert!(jobs.contains(&"one/0/propose/agent-dev-001".to_owned()), "{jobs:?}");
    server.stop().await;

    let files = place.run(&["explain", "one", "--json"]).await;
    assert_eq!(files.stdout, found.stdout);
    assert_eq!(place.run(&["replay", "one"]).await.stdout, replayed.stdout);
    assert_eq!(place.run(&["export", "--format", "jsonl"]).await.stdout, exported.stdout);
}

async fn history(client: &mut Client, id: &str) -> Result<(Vec<u64>, Vec<String>), tonic::Status> {
    let request = wire::GetDeliberationHistoryRequest { task_id: id.into() };
    let mut parts = client.calls.get_deliberation_history(request).await?.into_inner();
    let (mut records, mut jobs) = (Vec::new(), Vec::new());
    while let Some(part) = parts.message().await? {
        match part.part.unwrap() {
            wire::deliberation_history_part::Part::Record(record) => records.push(record.sequence),
            wire::deliberation_history_part::Part::Answer(answer) => jobs.push(answer.job_id),
        }
    }
    Ok((records, jobs))
}

#[tokio::test]
async fn one_that_runs_is_explained_as_far_as_it_has_come() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let request = wire::DeliberateRequest { task_id: "one".into(), ..deliberate(TASK) };
    client.submit(request).await.unwrap();
    until("reviews are asked for", || {
        model.calls().iter().filter(|call| call.caller.contains("/critique/")).count() == 3
    })
    .await;
    let explained = place.run(&["explain", "one"]).await;
    done(&explained);
    for what in ["IN_PROGRESS", "It has not ended. 3 of 3 proposals are in", "critique"] {
        assert!(explained.stdout.contains(what), "{what}: {}", explained.stdout);
    }
    let replayed = place.run(&["replay", "one"]).await;
    done(&replayed);
    assert!(replayed.stdout.contains("No verdict was recorded."), "{}", replayed.stdout);
    done(&place.run(&["cancel", "one", "--reason", "enough"]).await);
    let explained = place.run(&["explain", "one"]).await;
    assert!(explained.stdout.contains("No verdict: cancelled: enough."), "{}", explained.stdout);
    let_go.store(true, std::sync::atomic::Ordering::SeqCst);
    server.stop().await;
}

#[tokio::test]
async fn past_deliberations_are_exported_as_tools_read_them() {
    let place = Place::new();
    // What the simulated model errs in hangs on the id; one of these proposals fails its checks.
    simulated(&place, "one", &[]).await;
    simulated(&place, "two", &["--role", "QA", "--agents", "1", "--rounds", "0"]).await;
    let export = async |more: &[&str]| place.fleet(&["export", "--format"]).also(more).end().await;
    let lines = |ended: &Ended| -> Vec<Value> {
        done(ended);
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let roles = |messages: &Value| -> Vec<String> {
        messages.as_array().unwrap().iter().map(|said| said["role"].as_str().unwrap().to_owned()).collect()
    };
    let result = json(&place.run(&["result", "one", "--json"]).await);
    let winner = &result["results"][0]["proposal"]["content"];

    let sft = export(&["sft", "--role", "dev"]).await;
    assert!(
        sft.stderr.contains("1 line of 1 deliberation") && sft.stderr.contains("SIMULATED"),
        "{}",
        sft.stderr
    );
    let sft = lines(&sft);
    assert_eq!(roles(&sft[0]["messages"]), ["system", "user", "assistant"]);
    assert_eq!(sft[0]["messages"][2]["content"], *winner);
    assert!(sft[0]["messages"][1]["content"].as_str().unwrap().contains(TASK));
    assert_eq!(sft[0].as_object().unwrap().len(), 1, "no key that a tool does not know");

    let dpo = lines(&export(&["dpo"]).await);
    assert!(!dpo.is_empty());
    for pair in &dpo {
        assert_eq!(roles(&pair["prompt"]), ["system", "user"]);
        assert_eq!(
            (roles(&pair["chosen"]), roles(&pair["rejected"])),
            (vec!["assistant".into()], vec!["assistant".into()])
        );
        assert_eq!(pair["chosen"][0]["content"], *winner);
        assert_ne!(pair["rejected"][0]["content"], *winner);
        assert_eq!(pair.as_object().unwrap().len(), 3);
    }
    let by_checks = lines(&export(&["dpo", "--decided-by", "checks"]).await);
    assert_eq!(by_checks.len(), 1, "only the proposal that failed its checks lost by them");

    let whole = lines(&export(&["jsonl"]).await);
    let ids: Vec<&str> = whole.iter().map(|one| one["task_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["two", "one"], "the newest first");
    assert!(whole[1]["texts"].as_array().unwrap().len() >= 3);
    assert_eq!(lines(&export(&["jsonl", "--limit", "1"]).await).len(), 1);
    assert_eq!(lines(&export(&["jsonl", "--until", "2020-01-01"]).await).len(), 0);
    assert_eq!(lines(&export(&["jsonl", "--since", "2020-01-01T00:00:00Z"]).await).len(), 2);
    assert_eq!(export(&["jsonl", "--since", "yesterday"]).await.code, 2);
    assert_eq!(export(&["parquet"]).await.code, 2);

    let file = place.path("data.jsonl");
    let file_text = file.to_str().unwrap();
    done(&export(&["jsonl", "--output", file_text]).await);
    let first = std::fs::read_to_string(&file).unwrap();
    assert_eq!(first.lines().count(), 2);
    let again = export(&["sft", "--output", file_text]).await;
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    done(&export(&["sft", "--role", "DEV", "--output", file_text, "--force"]).await);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1);
    let left: Vec<_> =
        std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
    assert_eq!(export(&["sft", "--output", "/nowhere/data.jsonl"]).await.code, 8);

    change(&place.state(), "DELETE FROM answers WHERE job LIKE 'one/0/propose/%'");
    let forgotten = export(&["sft", "--role", "DEV"]).await;
    done(&forgotten);
    assert!(
        forgotten.stderr.contains("left out 1: texts that are not kept any more"),
        "{}",
        forgotten.stderr
    );
    let explained = place.run(&["explain", "one"]).await;
    done(&explained);
    assert!(explained.stdout.contains("Not kept: 3 answers"), "{}", explained.stdout);

    // One that is damaged does not keep the others back.
    change(
        &place.state(),
        "UPDATE records SET body = x'00' WHERE history = (SELECT min(key) FROM histories) AND sequence = 1",
    );
    let damaged = export(&["jsonl"]).await;
    assert_eq!((damaged.code, damaged.stdout.lines().count()), (8, 1), "{}", damaged.stderr);
    assert!(
        damaged.stderr.contains("one cannot be read") && damaged.stderr.contains("fleet verify"),
        "{}",
        damaged.stderr
    );
}
