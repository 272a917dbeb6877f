//! Keys, prompts and answers are in no log, no error and no listing of values.

use fleet_scripted::{Call, Ledger, Reply, Scripted, Settings};

use crate::support::{Place, deliberate};

const KEY: &str = "canary-key-4b1d";
const PROMPT: &str = "canary-prompt-77f2";
const ANSWER: &str = "canary-answer-c093";

/// Wants the key, and answers with a text that must not turn up; every third call fails in a way that may
/// pass, every fourth cannot be read where a review is wanted.
async fn model(key: &str) -> Scripted {
    let script = |call: &Call| match call.number % 3 {
        0 => Reply::error(500, "server_error", "overloaded"),
        _ => Reply::answer(call, &format!("{ANSWER}\n\n```python\ndef f(:\n    return '{ANSWER}'\n```\n"), 4),
    };
    let settings =
        Settings { models: vec!["m".into()], api_key: Some(key.into()), ledger: Ledger::in_memory() };
    Scripted::with(settings, script).await.unwrap()
}

fn silent(what: &str, text: &str) {
    for canary in [KEY, PROMPT, ANSWER] {
        assert!(!text.contains(canary), "{canary} is in {what}: {text}");
    }
}

#[tokio::test]
async fn a_run_says_nothing_of_them() {
    let model = model(KEY).await;
    let place = Place::new();
    let run = place.fleet(&["deliberate", PROMPT, "--url", &model.url()]).env("FLEET_API_KEY", KEY);
    let ended = run.end().await;
    // No code of these answers parses.
    assert_eq!(ended.code, 11, "the key reached the server: {}", ended.stderr);
    assert!(ended.stdout.contains(ANSWER));
    assert!(!ended.stdout.contains(KEY));
    silent("standard error", &ended.stderr);
}

#[tokio::test]
async fn a_refused_key_is_not_repeated() {
    let model = model("another").await;
    let place = Place::new();
    let key = place.file("key", KEY);
    let run = place.fleet(&["deliberate", PROMPT, "--url", &model.url(), "--model", "m"]);
    let ended = run.env("FLEET__MODEL__API_KEY_FILE", &key).end().await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("unauthorized"), "{}", ended.stderr);
    silent("standard error", &ended.stderr);
    for file in std::fs::read_dir(place.state()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "the state holds no key");
    }
}

#[tokio::test]
async fn a_server_logs_nothing_of_them() {
    let model = model(KEY).await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &[("FLEET_API_KEY", KEY)]).await;
    let mut client = server.client().await;
    let mut request = deliberate(PROMPT);
    request.task_id = "quiet".into();
    let id = client.submit(request).await.unwrap();
    let result = client.ended(&id).await;
    assert!(result.event.contains(ANSWER), "{}", result.error_message);
    let other = client.submit(fleet_api::v1::DeliberateRequest { task_id: id, ..deliberate("other") }).await;
    silent("a refusal", other.unwrap_err().message());
    let ended = server.stop().await;
    silent("the log", &ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn the_values_in_effect_do_not_show_the_key() {
    let shown = Place::new().fleet(&["config"]).env("FLEET_API_KEY", KEY).end().await;
    assert!(shown.stdout.contains("Key of profile default: set"), "{}", shown.stdout);
    silent("the listing", &shown.stdout);
}
