//! Whole deliberations on llama.cpp's own server, which nobody of this project wrote.

use serde_json::Value;

use crate::support::{Ended, Llama, Place, Program};

const TASK: &str = "Write a Python function that returns n factorial";

/// A run on `url`, with answers short enough for a random model on a busy machine.
fn council(place: &Place, url: &str, more: &[&str]) -> Program {
    let run = place.fleet(&["deliberate", TASK, "--json", "--url", url]).also(more);
    run.env("FLEET__MODEL__TOKENS_MAX", "48")
}

/// Long answers, so that there is time to interfere.
fn long(place: &Place, url: &str) -> Program {
    council(place, url, &["--rounds", "0"]).env("FLEET__MODEL__TOKENS_MAX", "7000")
}

fn event(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}

fn kinds(event: &Value) -> Vec<&str> {
    event["failed_agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| agent["error_type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_council_without_review_reaches_its_verdict() {
    let llama = Llama::start(&[]);
    let place = Place::new();
    let ended = council(&place, &llama.url, &["--rounds", "0"]).end().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let event = event(&ended);
    for result in event["results"].as_array().unwrap() {
        assert_eq!(result["proposal"]["model"], "tiny-random-qwen3");
        assert!(!result["proposal"]["content"].as_str().unwrap().is_empty());
    }
    assert_eq!(event["usage"]["estimated"], false, "the server counts tokens itself: {event}");
}

#[tokio::test]
async fn a_whole_deliberation_ends_with_a_verdict_whatever_the_reviews_are_like() {
    let llama = Llama::start(&["--api-key", "right"]);
    let place = Place::new();
    let ended = council(&place, &llama.url, &[]).env("FLEET_API_KEY", "right").end().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let event = event(&ended);
    assert_eq!(event["status"], "completed");
    for result in event["results"].as_array().unwrap() {
        assert!(!result["basis"].as_str().unwrap().is_empty(), "{result}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_a_failure_that_says_so() {
    let llama = Llama::start(&["--api-key", "right"]);
    let place = Place::new();
    let run = council(&place, &llama.url, &["--model", "tiny-random-qwen3"]).env("FLEET_API_KEY", "wrong");
    let ended = run.end().await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let event = event(&ended);
    assert_eq!(kinds(&event), ["unauthorized"; 3], "{event}");
    assert!(event["error"].as_str().unwrap().contains("unauthorized"), "{event}");
    let unnamed = council(&place, &llama.url, &[]).env("FLEET_API_KEY", "wrong").end().await;
    assert_eq!((unnamed.code, unnamed.stdout.as_str()), (8, ""), "{}", unnamed.stderr);
}

#[tokio::test]
async fn a_server_that_dies_under_the_run_is_a_broken_connection() {
    let llama = Llama::start(&[]);
    let place = Place::new();
    let run = long(&place, &llama.url).start();
    run.says("using tiny-random-qwen3").await;
    llama.kill();
    let ended = run.ended().await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let event = event(&ended);
    assert_eq!(kinds(&event), ["connection"; 3], "{event}");
}

#[tokio::test]
async fn a_server_that_stands_still_is_noticed_within_the_limits() {
    let llama = Llama::start(&[]);
    let place = Place::new();
    let run = long(&place, &llama.url)
        .env("FLEET__MODEL__FIRST_TOKEN_TIMEOUT_S", "1")
        .env("FLEET__MODEL__BETWEEN_TOKENS_TIMEOUT_S", "1")
        .start();
    run.says("using tiny-random-qwen3").await;
    llama.stop();
    let ended = run.ended().await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    let event = event(&ended);
    assert_eq!(kinds(&event), ["timeout"; 3], "{event}");
}
