//! `fleet eval`: arms over tasks with hidden tests, with the error model and with a model server.

use std::collections::BTreeMap;
use std::path::Path;

use fleet_scripted::{Call, Reply};
use serde_json::{Value, json};

use crate::support::{Ended, PATIENCE, Place, Scripted, held, kind_of, root, until};

/// The tasks that come with fleet.
fn forty() -> String {
    std::fs::read_to_string(root().join("crates/evaluation/tasks/forty.jsonl")).unwrap()
}

/// Some of them, by their ids.
fn some(place: &Place, ids: &[&str]) -> String {
    let is_wanted = |line: &&str| {
        let task: Value = serde_json::from_str(line).unwrap();
        ids.iter().any(|id| task["id"] == *id)
    };
    let lines: Vec<String> = forty().lines().filter(is_wanted).map(|line| format!("{line}\n")).collect();
    assert_eq!(lines.len(), ids.len());
    place.file("tasks.jsonl", &lines.concat())
}

const QUICK: [&str; 3] = ["py-shelf-gaps", "py-duration", "sh-minutes-until"];

fn report(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("standard output holds JSON and nothing else")
}

/// A figure of each arm, by its name.
fn of_arms(report: &Value, figure: &str) -> BTreeMap<String, f64> {
    let arms = report["arms"].as_array().expect("a list of arms");
    let figure = |arm: &Value| match &arm[figure] {
        Value::Object(estimate) => estimate["mean"].as_f64(),
        number => number.as_f64(),
    };
    let named = |arm: &Value| (arm["arm"].as_str().unwrap().to_owned(), figure(arm).expect("a figure"));
    arms.iter().map(named).collect()
}

#[tokio::test]
async fn the_forty_tasks_are_solved_by_their_solutions_and_by_none_of_their_wrong_codes() {
    // Before anything else it refuses a file whose solution fails a hidden test, or whose wrong code passes all.
    let place = Place::that_runs_code();
    let file = root().join("crates/evaluation/tasks/forty.jsonl");
    let file = file.to_str().unwrap();
    let evaluation = place.fleet(&["eval", file, "--simulated", "p=1", "--arms", "one", "--json"]).start();
    // Two hundred codes are built and run.
    let ended = evaluation.ended_within(4 * PATIENCE).await;
    let report = report(&ended);
    assert_eq!((&report["tasks"], &report["unscored"]), (&json!(40), &json!([])));
    // No check stands in a solution's way either.
    assert_eq!(of_arms(&report, "solved")["one"], 1.0, "{}", report["solved"]);
}

#[tokio::test]
async fn four_arms_are_compared_at_equal_tokens_and_reported_in_three_files() {
    let place = Place::that_runs_code();
    let (file, out) = (some(&place, &QUICK), place.path("out"));
    let out = out.to_str().unwrap();
    let ended = place
        .run(&[
            "eval",
            &file,
            "--simulated",
            "p=0.5,rho=0.2,q=0.9",
            "--repeat",
            "3",
            "--judges",
            "3",
            "--json",
            "--out",
            out,
        ])
        .await;
    let report = report(&ended);
    assert_eq!((report["tasks"].as_u64(), report["setup"]["repetitions"].as_u64()), (Some(3), Some(3)));
    let tokens = of_arms(&report, "tokens");
    // The dearest is the measure; best of n goes beyond it by less than a sample, which one call is.
    let dearest = tokens["council"].max(tokens["judged"]);
    assert!(tokens["best"] >= dearest && tokens["best"] < dearest + 1.5 * tokens["one"], "{tokens:?}");
    assert!(tokens["one"] < tokens["council"], "{tokens:?}");
    let (solved, available) = (of_arms(&report, "solved"), of_arms(&report, "available"));
    for arm in ["one", "best", "council", "judged"] {
        assert!(solved[arm] <= available[arm], "{arm}");
    }
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(6));
    let read = |name: &str| std::fs::read_to_string(Path::new(out).join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("report.json")).unwrap(), report);
    assert!(read("report.md").contains("SIMULATED with p=0.5,rho=0.2,q=0.9"));
    assert!(read("plot.svg").starts_with("<svg "));
    assert!(ended.stderr.contains("9/9 "), "{}", ended.stderr);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_report_and_rates_of_0_and_1_what_they_say() {
    let place = Place::that_runs_code();
    let file = some(&place, &QUICK);
    let run = |rates: &'static str, seed: &'static str| {
        let file = file.clone();
        let place = &place;
        async move {
            let arms = ["--arms", "one,best,council", "--seed", seed, "--json"];
            place.run(&[&["eval", &file, "--simulated", rates][..], &arms].concat()).await
        }
    };
    let (one, same, other) = (run("p=0.5", "3").await, run("p=0.5", "3").await, run("p=0.5", "4").await);
    assert_eq!(one.stdout, same.stdout);
    assert_ne!(report(&one)["solved"], Value::Null);
    assert_ne!(one.stdout, other.stdout);
    for share in of_arms(&report(&run("p=1,q=1", "1").await), "solved").values() {
        assert_eq!(*share, 1.0);
    }
    for share in of_arms(&report(&run("p=0", "1").await), "available").values() {
        assert_eq!(*share, 0.0);
    }
}

#[tokio::test]
async fn a_sweep_draws_shares_over_what_it_varies() {
    let place = Place::that_runs_code();
    let (file, out) = (some(&place, &QUICK[..1]), place.path("out"));
    let out = out.to_str().unwrap();
    let sweep = ["--simulated", "--sweep", "p=0..1/3", "--arms", "one,council", "--json", "--out", out];
    let ended = place.run(&[&["eval", &file][..], &sweep].concat()).await;
    let report = report(&ended);
    let points = report["points"].as_array().unwrap();
    assert_eq!((report["over"].as_str(), points.len()), (Some("p"), 3));
    assert_eq!(of_arms(&points[0], "solved")["one"], 0.0);
    assert_eq!(of_arms(&points[2], "solved")["one"], 1.0);
    let plot = std::fs::read_to_string(Path::new(out).join("plot.svg")).unwrap();
    assert!(plot.contains("p: how likely an attempt is right"));
}

#[tokio::test]
async fn an_evaluation_with_a_state_goes_on_where_it_was_and_only_with_what_it_was_begun_with() {
    let place = Place::that_runs_code();
    let (file, state) = (some(&place, &QUICK), place.path("eval"));
    let state = state.to_str().unwrap();
    let arms = ["--arms", "one,council", "--json", "--state", state];
    let run = |more: &[&'static str]| {
        place.fleet(&[&["eval", &file, "--simulated", "p=0.5"][..], &arms, more].concat()).end()
    };
    let first = run(&["--limit", "2"]).await;
    assert_eq!(report(&first)["tasks"], 2);
    let listed =
        |ended: Ended| serde_json::from_str::<Value>(&ended.stdout).unwrap().as_array().unwrap().len();
    let list = || place.fleet(&["list", "--json", "--limit", "1000", "--state", state]).end();
    assert_eq!(listed(list().await), 4);
    let whole = run(&[]).await;
    assert_eq!((report(&whole)["tasks"].as_u64(), listed(list().await)), (Some(3), 6));
    let again = run(&[]).await;
    assert_eq!((&again.stdout, listed(list().await)), (&whole.stdout, 6));
    let other = run(&["--seed", "2"]).await;
    assert_eq!((other.code, other.stdout.as_str()), (9, ""), "{}", other.stderr);
    assert!(other.stderr.contains("--seed differ"), "{}", other.stderr);
}

/// A model server that answers every proposal with a code.
async fn writes(code: String) -> Scripted {
    let script = move |call: &Call| match kind_of(&call.caller) {
        "critique" => Reply::answer(call, "{\"findings\": [], \"score\": 7, \"summary\": \"fine\"}", 3),
        "judge" => Reply::answer(call, "{\"reason\": \"alike\", \"better\": \"neither\"}", 3),
        _ => Reply::answer(call, &format!("## Implementation\n\n```python\n{code}\n```\n"), 3),
    };
    Scripted::start(script).await.unwrap()
}

#[tokio::test]
async fn a_model_server_is_evaluated_by_what_its_code_does() {
    let place = Place::that_runs_code();
    let file = some(&place, &QUICK[..1]);
    let task: Value = serde_json::from_str(forty().lines().next().unwrap()).unwrap();
    assert_eq!(task["id"], QUICK[0]);
    for (code, share) in [(&task["solution"], 1.0), (&task["wrong"][0], 0.0)] {
        let model = writes(code.as_str().unwrap().to_owned()).await;
        let arms = ["--arms", "one,council", "--json"];
        let ended = place.run(&[&["eval", &file, "--url", &model.url()][..], &arms].concat()).await;
        let report = report(&ended);
        let solved = of_arms(&report, "solved");
        assert_eq!((solved["one"], solved["council"]), (share, share), "{report}");
        assert!(report["arms"][0]["seconds"].is_number() && report["setup"]["simulated"].is_null());
    }
}

async fn refused(place: &Place, arguments: &[&str], code: i32, says: &[&str]) {
    // These places have no judges unless they are asked for.
    let judges: &[&str] = if arguments.contains(&"--judges") { &[] } else { &["--judges", "1"] };
    let ended = place.run(&[&["eval"], arguments, judges].concat()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{arguments:?}: {}", ended.stderr);
    for what in says {
        assert!(ended.stderr.contains(what), "{arguments:?} says {what:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_evaluated_is_refused_with_line_and_field() {
    let place = Place::that_runs_code();
    let line = |field: &str, value: Value| {
        let mut task: Value = serde_json::from_str(forty().lines().next().unwrap()).unwrap();
        task[field] = value;
        task.to_string()
    };
    let good = line("id", json!("other"));
    let bad = place.file("bad.jsonl", &format!("{good}\n{}\n", line("wrong", json!(["one"]))));
    refused(&place, &[&bad, "--simulated"], 2, &["bad.jsonl: line 2: wrong must have at least two"]).await;
    let unknown = place.file("unknown.jsonl", &line("hints", json!([])));
    refused(&place, &[&unknown, "--simulated"], 2, &["line 1: hints is not a field"]).await;
    let mut bare: Value = serde_json::from_str(&good).unwrap();
    bare.as_object_mut().unwrap().retain(|field, _| field != "solution" && field != "wrong");
    let bare = place.file("bare.jsonl", &bare.to_string());
    refused(&place, &[&bare, "--simulated"], 2, &["task other has no solution"]).await;
    refused(&place, &["nowhere.jsonl"], 2, &["nowhere.jsonl cannot be read"]).await;
    let nobody = place.file("nobody.jsonl", &line("role", json!("NOBODY")));
    refused(&place, &[&nobody, "--simulated"], 6, &["NOBODY"]).await;
}

#[tokio::test]
async fn a_key_that_the_hidden_tests_contradict_is_refused_before_anything_is_spent() {
    let place = Place::that_runs_code();
    let mut task: Value = serde_json::from_str(forty().lines().next().unwrap()).unwrap();
    let (solution, wrong) = (task["solution"].clone(), task["wrong"][0].clone());
    task["wrong"][0] = json!(format!("{}# the same\n", solution.as_str().unwrap()));
    let passes = place.file("passes.jsonl", &task.to_string());
    refused(&place, &[&passes, "--simulated"], 2, &["task py-shelf-gaps: wrong[0] passes its hidden_tests"])
        .await;
    task["wrong"][0] = json!("def other(): pass");
    task["solution"] = wrong;
    let fails = place.file("fails.jsonl", &task.to_string());
    refused(&place, &[&fails, "--simulated"], 2, &["solution does not pass its hidden_tests"]).await;
}

#[tokio::test]
async fn flags_that_make_no_sense_together_are_refused() {
    let place = Place::that_runs_code();
    let file = some(&place, &QUICK[..1]);
    let of = |more: &[&'static str]| [&[file.as_str()][..], more].concat();
    refused(&place, &of(&["--simulated", "--arms", "one,best"]), 2, &["--arms: arm best spends what"]).await;
    refused(&place, &of(&["--simulated", "--arms", "two"]), 2, &["there is no arm \"two\""]).await;
    refused(&place, &of(&["--simulated", "--arms", "one,one"]), 2, &["arm one is named twice"]).await;
    refused(&place, &of(&["--simulated", "p=2"]), 2, &["a number from 0 to 1"]).await;
    refused(&place, &of(&["--simulated", "--sweep", "p=1..0/3"]), 2, &["must go up"]).await;
    refused(&place, &of(&["--sweep", "p=0..1/3"]), 2, &["--simulated"]).await;
    refused(&place, &of(&["--simulated", "--url", "http://h"]), 2, &["--url"]).await;
    refused(&place, &of(&["--simulated", "--judges", "2"]), 2, &["--judges", "odd"]).await;
    refused(&place, &of(&["--simulated", "--judges", "0"]), 2, &["arm judged has no judges"]).await;
    refused(&place, &of(&["--simulated", "--agents", "65"]), 2, &["--agents"]).await;
    refused(&place, &of(&["--simulated", "--timeout", "0"]), 2, &["--timeout"]).await;
    refused(&place, &of(&["--model", "simulated"]), 8, &["no model to evaluate", "--simulated"]).await;
    let taken = place.path("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("thesis.txt"), "x").unwrap();
    let taken = [&of(&["--simulated", "--state"])[..], &[taken.to_str().unwrap()]].concat();
    refused(&place, &taken, 2, &["holds something else than an evaluation"]).await;
}

#[tokio::test]
async fn an_evaluation_that_is_left_goes_on_with_what_it_began() {
    let (model, let_go) = held("propose").await;
    let place = Place::that_runs_code();
    let (file, state) = (some(&place, &QUICK[..1]), place.path("eval"));
    let (url, state) = (model.url(), state.to_str().unwrap().to_owned());
    let evaluate = || {
        let arms = ["--arms", "one", "--json", "--state", &state];
        place.fleet(&[&["eval", &file, "--url", &url][..], &arms].concat())
    };
    let running = evaluate().start();
    until("it asks the model", || !model.calls().is_empty()).await;
    running.signal("-INT");
    let left = running.ended().await;
    assert_eq!((left.code, left.stdout.as_str()), (130, ""), "{}", left.stderr);
    assert!(left.stderr.contains("the same command goes on"), "{}", left.stderr);
    let_go.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(report(&evaluate().end().await)["tasks"], 1);
    let listed = place.fleet(&["list", "--json", "--state", &state]).end().await;
    assert_eq!(serde_json::from_str::<Value>(&listed.stdout).unwrap().as_array().map(Vec::len), Some(1));
}
