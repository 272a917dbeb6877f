//! What the command prints, and where.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ended, Place, Scripted, answers};

/// The keys of the event `deliberation.completed`.
const COMPLETED: [&str; 10] = [
    "completed_at",
    "duration_ms",
    "failed_agents",
    "failed_responses",
    "results",
    "status",
    "successful_responses",
    "task_id",
    "total_agents",
    "winner_id",
];
const TASK: &str = "Write a Python function that returns n factorial";
const QUICK: [(&str, &str); 1] = [("FLEET__SIMULATED__LATENCY_MS", "0")];

async fn simulated(place: &Place, arguments: &[&str]) -> Ended {
    let fleet = place.fleet(arguments).also(&["--model", "simulated"]);
    QUICK.iter().fold(fleet, |fleet, (name, value)| fleet.env(name, value)).end().await
}

/// The one object on standard output.
fn object(ended: &Ended) -> Value {
    let value: Value =
        serde_json::from_str(&ended.stdout).expect("standard output holds JSON and nothing else");
    assert!(value.is_object(), "{value}");
    assert_eq!(ended.stdout.lines().count(), 1);
    value
}

#[tokio::test]
async fn a_verdict_is_a_ranking_with_its_grounds_then_the_winning_proposal() {
    let place = Place::new();
    // What the simulated model errs in hangs on the id.
    let ended = simulated(&place, &["deliberate", TASK, "--id", "sound"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("SIMULATED: "), "{}", ended.stdout);
    assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["RANK", "AGENT", "SCORE", "RESTS", "ON"]);
    for (rank, line) in (1..).zip(&lines[3..6]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], rank.to_string(), "{line}");
        assert!(words[1].starts_with("agent-dev-00"), "{line}");
        assert!((0.0..=1.0).contains(&words[2].parse::<f64>().unwrap()), "{line}");
        assert!(words.len() > 3, "the rank rests on something: {line}");
    }
    let winner = lines[3].split_whitespace().nth(1).unwrap();
    assert!(ended.stdout.contains(&format!("\nWinner: {winner}: it ")), "{}", ended.stdout);
    assert!(ended.stdout.contains("3 of 3 agents, about "), "{}", ended.stdout);
    assert!(ended.stdout.contains("_Written by the simulated model"), "{}", ended.stdout);
    assert!(ended.stdout.contains("```"), "the winning proposal comes with its code: {}", ended.stdout);
    assert!(ended.stderr.contains("using the SIMULATED model"), "{}", ended.stderr);
}

#[tokio::test]
async fn json_is_one_object_with_the_keys_of_the_event() {
    let model = answers(0).await;
    let place = Place::new();
    let ended = place.run(&["deliberate", TASK, "--json", "--url", &model.url(), "--id", "mine"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let event = object(&ended);
    let keys: BTreeSet<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let missing: Vec<_> = COMPLETED.into_iter().filter(|key| !keys.contains(key)).collect();
    assert_eq!(missing, [""; 0], "{event}");
    assert_eq!((&event["task_id"], &event["status"]), (&"mine".into(), &"completed".into()));
    assert_eq!((&event["total_agents"], &event["failed_responses"]), (&3.into(), &0.into()));
    let results = event["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert_eq!(event["winner_id"], results[0]["proposal"]["author_id"]);
    for (rank, result) in (1..).zip(results) {
        assert_eq!(result["rank"], rank);
        assert_eq!(result["proposal"]["model"], "scripted");
        assert_eq!(result["checks"]["all_passed"], false, "checks that did not run did not pass");
        assert_eq!(result["checks"]["lint"]["passed"], true, "the scripted answers hold sound Python");
        assert!(result["checks"]["dryrun"].is_null(), "nothing was run: {result}");
        assert_eq!(result["proposal"]["revisions"].as_array().unwrap().len(), 1);
    }
    assert!(!ended.stdout.contains("SIMULATED"), "{}", ended.stdout);
    assert_eq!(model.calls().len(), 9, "three agents propose, review and revise once each");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_verdict() {
    let mut verdicts = Vec::new();
    for place in [Place::new(), Place::new()] {
        let event = object(&simulated(&place, &["deliberate", TASK, "--json", "--id", "same"]).await);
        let scores: Vec<_> =
            event["results"].as_array().unwrap().iter().map(|r| r["score"].clone()).collect();
        verdicts.push((event["winner_id"].clone(), scores));
    }
    assert_eq!(verdicts[0], verdicts[1]);
}

#[tokio::test]
async fn a_task_comes_from_an_argument_a_file_or_standard_input() {
    let model = answers(0).await;
    let place = Place::new();
    let file = place.file("task.md", "Sort from a file");
    let url = model.url();
    let run = async |arguments: &[&str], input: &str| {
        let fleet = place.fleet(&["deliberate"]).also(arguments).also(&["--url", &url, "--rounds", "0"]);
        assert_eq!(fleet.reads(input).end().await.code, 0);
    };
    run(&["Sort from an argument"], "").await;
    run(&["--file", &file], "").await;
    run(&["-"], "Sort from standard input").await;
    let listed = place.run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let tasks: Vec<&str> =
        listed.as_array().unwrap().iter().map(|row| row["task_description"].as_str().unwrap()).collect();
    assert_eq!(tasks, ["Sort from standard input", "Sort from a file", "Sort from an argument"]);
}

#[tokio::test]
async fn flags_say_who_works_how_long_and_on_what_terms() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (kept, council) = (std::sync::Arc::clone(&asked), crate::support::council(0));
    let script = move |call: &fleet_scripted::Call| {
        kept.lock().unwrap().push(String::from_utf8_lossy(&call.body).into_owned());
        fleet_scripted::Script::reply(&council, call)
    };
    let model = Scripted::start(script).await.unwrap();
    let place = Place::new();
    let flags = [
        "--role",
        "QA",
        "--agents",
        "2",
        "--rounds",
        "2",
        "--rubric",
        "RUBRIC-TEXT",
        "--require",
        "REQUIRED-ONE",
        "--require",
        "REQUIRED-TWO",
        "--metadata",
        "ticket=META-VALUE",
        "--model",
        "some-model",
    ];
    let ended = place.fleet(&["deliberate", TASK, "--json", "--url", &model.url()]).also(&flags).end().await;
    let event = object(&ended);
    assert_eq!(event["total_agents"], 2);
    assert_eq!(event["results"][0]["proposal"]["author_role"], "QA");
    assert_eq!(event["results"][0]["proposal"]["revisions"].as_array().unwrap().len(), 2);
    assert_eq!(model.calls().len(), 2 + 2 * 2 * 2);
    assert!(model.calls().iter().all(|call| call.model == "some-model"));
    let proposals = asked.lock().unwrap()[..2].to_vec();
    for part in ["RUBRIC-TEXT", "REQUIRED-ONE", "REQUIRED-TWO", "ticket", "META-VALUE", TASK] {
        assert!(proposals.iter().all(|prompt| prompt.contains(part)), "{part} is in every prompt");
    }
}

#[tokio::test]
async fn more_agents_than_the_council_has_are_added_for_the_time() {
    let event = object(&simulated(&Place::new(), &["deliberate", TASK, "--json", "--agents", "5"]).await);
    assert_eq!((&event["total_agents"], &event["successful_responses"]), (&5.into(), &5.into()));
}

#[tokio::test]
async fn without_rounds_and_anything_checked_the_ranking_says_that_it_rests_on_nothing() {
    let plain = |call: &fleet_scripted::Call| fleet_scripted::Reply::answer(call, "Only words.", 2);
    let model = Scripted::start(plain).await.unwrap();
    let ended =
        Place::new().run(&["deliberate", TASK, "--json", "--rounds", "0", "--url", &model.url()]).await;
    let event = object(&ended);
    let bases: Vec<_> = event["results"].as_array().unwrap().iter().map(|result| &result["basis"]).collect();
    // All three say the same.
    let same = "nearly the same as agent-dev-001";
    assert_eq!(bases, ["none", same, same], "{event}");
}

#[tokio::test]
async fn results_are_found_again_without_a_server() {
    let place = Place::new();
    let first = simulated(&place, &["deliberate", TASK, "--json", "--id", "kept"]).await;
    for again in ["result", "watch"] {
        let ended = place.run(&[again, "kept", "--json"]).await;
        assert_eq!((ended.code, &ended.stdout), (0, &first.stdout), "{}", ended.stderr);
    }
    let text = place.run(&["result", "kept"]).await;
    assert!(text.stdout.contains("\nWinner: agent-dev-"), "{}", text.stdout);
    let listed = place.run(&["list"]).await;
    let line = listed.stdout.lines().nth(1).unwrap();
    assert!(
        line.starts_with("kept ") && line.contains(" COMPLETED ") && line.ends_with(&TASK[..40])
            || line.contains(TASK)
    );
    let cancelled = place.run(&["cancel", "kept"]).await;
    assert_eq!(cancelled.code, 0);
    assert!(cancelled.stderr.contains("had ended before; it stays as it was"), "{}", cancelled.stderr);
}

#[tokio::test]
async fn where_nothing_was_submitted_nothing_is_listed() {
    let place = Place::new();
    let listed = place.run(&["list", "--json"]).await;
    assert_eq!((listed.code, listed.stdout.as_str()), (0, "[]\n"));
    assert!(!place.state().exists(), "looking leaves nothing behind");
}

#[tokio::test]
async fn the_server_that_works_on_the_state_is_found_by_itself() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let asked = ["deliberate", TASK, "--json", "--id", "there", "--server", &server.address];
    let first = place.run(&asked).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(object(&first)["task_id"], "there");
    for again in ["result", "watch"] {
        let ended = place.run(&[again, "there", "--json"]).await;
        assert_eq!((ended.code, &ended.stdout), (0, &first.stdout), "{}", ended.stderr);
    }
    let listed = place.run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["task_id"], &listed[0]["status"]), (&"there".into(), &"COMPLETED".into()));
    let elsewhere = Place::new().run(&["result", "there", "--json", "--server", &server.address]).await;
    assert_eq!(elsewhere.stdout, first.stdout);
    let cancelled = place.run(&["cancel", "there"]).await;
    assert!(cancelled.stderr.contains("had ended before"), "{}", cancelled.stderr);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_fault() {
    let model = answers(0).await;
    let place = Place::new();
    let url = model.url();
    let mut run = place.fleet(&["deliberate", TASK, "--url", &url]).start();
    run.close_stdout();
    let ended = run.ended().await;
    assert_eq!((ended.code, ended.stderr.contains("panicked")), (0, false), "{}", ended.stderr);
    let mut list = place.fleet(&["list"]).start();
    list.close_stdout();
    assert_eq!(list.ended().await.code, 0);
    let mut deaf = place.fleet(&["deliberate", TASK, "--json", "--url", &url]).start();
    deaf.close_stderr();
    let ended = deaf.ended().await;
    assert_eq!(ended.code, 0);
    assert_eq!(object(&ended)["status"], "completed");
}

#[tokio::test]
async fn the_configuration_shows_values_and_where_they_came_from() {
    let place = Place::new();
    let file = place.file("fleet.toml", "[deliberation]\nrounds = 3\n");
    let fleet = place.fleet(&["config", "--config", &file]).env("FLEET__COUNCILS__DEV__AGENTS", "5");
    let shown = fleet.end().await;
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let line =
        |key: &str| shown.stdout.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("deliberation.rounds ").contains(" 3 ") && line("deliberation.rounds ").contains(&file));
    let agents = line("councils.DEV.agents ");
    assert!(agents.contains(" 5 ") && agents.contains("FLEET__COUNCILS__DEV__AGENTS"), "{agents}");
    assert!(line("State directory:").ends_with(place.state().to_str().unwrap()));
    let reference = place.run(&["config", "--reference"]).await;
    assert_eq!(reference.stdout, fleet::config::DEFAULTS);
}

#[tokio::test]
async fn the_help_of_a_command_keeps_its_own_options_apart_from_those_of_all() {
    let place = Place::new();
    for command in [&["deliberate"][..], &["list"], &["serve"], &["councils"], &["councils", "register"], &[]]
    {
        let help = place.fleet(command).also(&["--help"]).end().await.stdout;
        let (own, all) = help.split_once("\nOptions of every command:\n").expect("a heading of their own");
        let heading = |line: &&str| line.ends_with(':') && !line.starts_with(' ');
        assert_eq!(all.lines().find(heading), None, "{command:?}: {help}");
        for flag in ["--config <FILE>", "--state <DIR>", "-q, --quiet", "--no-color"] {
            assert!(all.contains(flag) && !own.contains(flag), "{command:?} {flag}: {help}");
        }
        assert!(own.contains("-h, --help"), "{help}");
    }
    let help = place.run(&["deliberate", "--help"]).await.stdout;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("another that has a council, by the configuration or by `fleet councils create`"),
        "{words}"
    );
}
