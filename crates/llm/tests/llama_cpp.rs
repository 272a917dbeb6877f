//! The client against llama.cpp's own server: a peer that nobody of this project wrote.

mod support;

use std::sync::Mutex;

use fleet_deliberation::FailureKind;
use fleet_llm::{Condition, Limits, OpenAi};
use fleet_orchestrator::port::{LanguageModel, ModelRequest, Tokens};
use support::llama::Llama;
use support::world::{models, server, status};
use support::{client, client_with, limits};

/// A request whose answer is the same each time: by chance a random model may also say nothing.
fn request() -> ModelRequest {
    ModelRequest { temperature: 0.0, ..support::request() }
}

/// A request whose answer takes long enough to be interfered with.
fn long_request() -> ModelRequest {
    ModelRequest { tokens_max: 7_000, ..request() }
}

#[tokio::test]
async fn an_answer_is_streamed_and_counted() {
    let llama = Llama::start(&[]);
    let heard = Mutex::new(0);
    let request = ModelRequest { tokens_max: 40, ..request() };
    let generation = client(&llama.url)
        .complete(&request, &|tokens: Tokens<'_>| *heard.lock().unwrap() = tokens.written)
        .await
        .unwrap();
    assert!(!generation.text.is_empty());
    assert!(!generation.usage.estimated && generation.usage.prompt_tokens > 10, "{:?}", generation.usage);
    assert_eq!((generation.usage.completion_tokens, generation.truncated), (40, true));
    assert!((20..=40).contains(&*heard.lock().unwrap()));
    assert_eq!(generation.model, "tiny-random-qwen3");
}

#[tokio::test]
async fn an_answer_follows_its_schema() {
    let llama = Llama::start(&[]);
    let request = ModelRequest { temperature: 0.0, ..support::review_request() };
    let generation = client(&llama.url).complete(&request, &|_| {}).await.unwrap();
    let review: serde_json::Value = serde_json::from_str(&generation.text).unwrap();
    assert!(review["score"].as_u64().unwrap() <= 10, "{review}");
}

#[tokio::test]
async fn models_are_listed() {
    let llama = Llama::start(&["--api-key", "right"]);
    let with = |key| OpenAi::new(support::config(&llama.url, key, Limits::default())).unwrap();
    assert_eq!(with(Some("right")).models().await.unwrap(), ["tiny-random-qwen3"]);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let llama = Llama::start(&["--api-key", "right"]);
    let with = |key| OpenAi::new(support::config(&llama.url, key, Limits::default())).unwrap();
    for key in [Some("wrong"), None] {
        let failed = with(key).complete(&request(), &|_| {}).await.unwrap_err();
        assert_eq!(failed.kind, FailureKind::Unauthorized, "{failed}");
    }
    assert!(with(Some("right")).complete(&request(), &|_| {}).await.is_ok());
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_an_answer_is_a_broken_connection() {
    let llama = Llama::start(&[]);
    let failed = client(&llama.url).complete(&long_request(), &|_| llama.kill()).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Connection, "{failed}");
    let failed = client(&llama.url).complete(&long_request(), &|_| {}).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Connection, "{failed}");
}

#[tokio::test]
async fn a_stopped_server_is_noticed_within_the_limits() {
    let llama = Llama::start(&[]);
    let model = client_with(&llama.url, limits(20_000, 200, 60_000));
    let once = std::sync::Once::new();
    let stop = |_: Tokens<'_>| once.call_once(|| llama.stop());
    let failed = model.complete(&long_request(), &stop).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Timeout, "{failed}");
    assert!(failed.message.contains("model.between_tokens_timeout_s"), "{failed}");
    let model = client_with(&llama.url, limits(200, 20_000, 60_000));
    let failed = model.complete(&long_request(), &|_| {}).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Timeout, "{failed}");
    assert!(failed.message.contains("model.first_token_timeout_s"), "{failed}");
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_told_from_other_refusals() {
    let llama = Llama::start(&["--parallel", "1", "--context", "256"]);
    let mut request = request();
    request.messages[1].text = "Write a function. ".repeat(300);
    let failed = client(&llama.url).complete(&request, &|_| {}).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::ContextTooLong, "{failed}");
    assert!(!failed.message.contains("Write a function"), "{failed}");
}

#[tokio::test]
async fn calls_queue_behind_one_slot_and_all_end() {
    let llama = Llama::start(&["--parallel", "1"]);
    let model = client(&llama.url);
    let request = ModelRequest { tokens_max: 200, ..request() };
    let (one, other) = tokio::join!(model.complete(&request, &|_| {}), model.complete(&request, &|_| {}));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
}

#[tokio::test]
async fn a_pool_of_real_servers_is_looked_at_and_goes_on_when_one_dies() {
    let llamas = [Llama::start(&[]), Llama::start(&[])];
    let models = models(llamas.each_ref().map(|llama| server(&llama.url)));
    models.look().await;
    for server in status(&models).servers {
        assert_eq!(server.health.condition, Condition::Up);
        assert_eq!(server.health.lists("tiny-random-qwen3"), Some(true));
    }
    llamas[0].kill();
    // A call may still go into one of the two connections that the look left open, and is broken with it.
    // Further ones are refused, for nobody listens any more, and go to the other server.
    let mut broken = 0;
    for attempt in 1..=8 {
        let request = ModelRequest { attempt, ..request() };
        match models.complete(&request, &|_| {}).await {
            Ok(answer) => assert!(!answer.text.is_empty()),
            Err(failed) => {
                assert_eq!(failed.kind, FailureKind::Connection, "{failed}");
                broken += 1;
            }
        }
    }
    assert!(broken <= 2 && status(&models).failovers > 0, "{broken} broken");
    models.look().await;
    let conditions = status(&models).servers.into_iter().map(|server| server.health.condition);
    assert_eq!(conditions.collect::<Vec<_>>(), [Condition::Down, Condition::Up]);
    let tried = models.servers("default")[1].test_call("tiny", std::sync::Arc::default()).await.unwrap();
    assert!(tried.tokens > 0 && tried.total_ms >= tried.first_token_ms, "{tried:?}");
}

#[tokio::test]
async fn parameters_are_taken() {
    let llama = Llama::start(&[]);
    let with = async |parameters: serde_json::Value| {
        let parameters: std::collections::BTreeMap<_, _> = serde_json::from_value(parameters).unwrap();
        let request = ModelRequest {
            temperature: 1.5,
            tokens_max: 30,
            parameters: std::sync::Arc::new(parameters),
            ..request()
        };
        client(&llama.url).complete(&request, &|_| {}).await
    };
    let seeded = async |seed: u64| with(serde_json::json!({"seed": seed, "top_p": 0.9})).await.unwrap().text;
    assert_eq!(seeded(7).await, seeded(7).await);
    assert_ne!(seeded(7).await, seeded(8).await);
    assert_eq!(with(serde_json::json!({"model": "x"})).await.unwrap_err().kind, FailureKind::BadRequest);
}
