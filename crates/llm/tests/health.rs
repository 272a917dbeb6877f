//! Looks at servers, and what follows from them.

mod support;

use std::sync::Arc;

use fleet_deliberation::FailureKind;
use fleet_llm::{Condition, Health, Limits, Models, ServerSettings};
use fleet_orchestrator::port::{LanguageModel, ModelRequest};
use fleet_scripted::{Call, Fault, Proxy, Reply, Scripted, Settings};
use support::world::{models, server, status};
use support::{closed_url, request};
use tokio_util::sync::CancellationToken;

async fn answering() -> Scripted {
    Scripted::start(|call: &Call| Reply::answer(call, "yes", 1)).await.expect("a free port")
}

async fn seen(models: &Models) -> Health {
    models.look().await;
    status(models).servers[0].health.clone()
}

#[tokio::test]
async fn a_server_is_up_when_it_lists_its_models() {
    let server_at = answering().await;
    let models = models([server(&server_at.url())]);
    assert_eq!(status(&models).servers[0].health, Health::default());
    let health = seen(&models).await;
    assert_eq!(
        (health.condition, health.models.as_deref()),
        (Condition::Up, Some(&["scripted".to_owned()][..]))
    );
    assert!(health.looked_at.is_some());
    assert_eq!((health.lists("scripted"), health.lists("tiny")), (Some(true), Some(false)));
}

#[tokio::test]
async fn a_server_without_health_or_without_a_list_is_up_all_the_same() {
    let server_at = answering().await;
    let models = models([server(&server_at.url())]);
    for status in [404, 405, 401, 400] {
        server_at.set_health(Reply::error(status, "x", "x"));
        assert_eq!(seen(&models).await.condition, Condition::Up, "{status}");
    }
    for reply in
        [Reply::error(404, "x", "x"), Reply::raw(200, "text/html", "<html>"), Reply::error(429, "x", "x")]
    {
        server_at.answer_models(reply);
        let health = seen(&models).await;
        assert_eq!((health.condition, health.models), (Condition::Up, None));
    }
}

#[tokio::test]
async fn loading_and_failing_are_told_apart_and_keep_calls_off() {
    let server_at = answering().await;
    let models = models([server(&server_at.url())]);
    server_at.set_health(Reply::error(503, "unavailable_error", "Loading model"));
    assert_eq!(seen(&models).await.condition, Condition::Loading);
    let failed = models.complete(&request(), &|_| {}).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Connection);
    assert!(failed.message.contains("is loading its model") && failed.retry_after_ms.is_some(), "{failed:?}");
    server_at.set_health(Reply::error(500, "x", "engine died"));
    assert_eq!(seen(&models).await.condition, Condition::Down);
    let failed = models.complete(&request(), &|_| {}).await.unwrap_err();
    assert!(failed.message.contains("is down (/health says 500)"), "{failed}");
    assert!(server_at.calls().is_empty(), "nothing was sent");
    server_at.set_health(Reply::raw(200, "text/plain", ""));
    assert_eq!(seen(&models).await.condition, Condition::Up);
    assert!(models.complete(&request(), &|_| {}).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_gone_is_down_and_one_that_is_silent_soon_is() {
    let models_gone = models([server(&closed_url())]);
    assert_eq!(seen(&models_gone).await.condition, Condition::Down);
    let server_at = answering().await;
    let proxy = Proxy::start(server_at.port(), Fault::Stall { after: 0 }).await.unwrap();
    let limits = Limits { total_ms: 500, ..Limits::default() };
    let silent = models([ServerSettings { limits, ..server(&proxy.url()) }]);
    server_at.set_health(Reply::silence());
    assert_eq!(seen(&silent).await.condition, Condition::Unknown, "it may only be busy");
    assert_eq!(seen(&silent).await.condition, Condition::Down);
    proxy.set(Fault::None).await;
    server_at.set_health(Reply::raw(200, "text/plain", ""));
    assert_eq!(seen(&silent).await.condition, Condition::Up);
}

#[tokio::test]
async fn a_server_that_does_not_list_the_model_is_asked_last() {
    let (without, with) = (answering().await, answering().await);
    with.set_models(&["other", "tiny"]);
    let models = models([server(&without.url()), server(&with.url())]);
    models.look().await;
    for attempt in 1..=6 {
        models.complete(&ModelRequest { attempt, ..request() }, &|_| {}).await.unwrap();
    }
    assert_eq!((without.calls().len(), with.calls().len()), (0, 6));
    // It may know the name all the same, and is asked where there is no other.
    with.set_health(Reply::error(500, "x", "x"));
    models.look().await;
    models.complete(&request(), &|_| {}).await.unwrap();
    assert_eq!(without.calls().len(), 1);
}

#[tokio::test]
async fn a_refused_key_is_told_and_the_key_is_not_sent_for_health() {
    let settings = Settings { api_key: Some("right".into()), ..Settings::default() };
    let picky = Scripted::with(settings, |call: &Call| Reply::answer(call, "yes", 1)).await.unwrap();
    let with = |key: &str| models([ServerSettings { api_key: Some(key.into()), ..server(&picky.url()) }]);
    let health = seen(&with("wrong")).await;
    assert_eq!((health.condition, health.why.as_str()), (Condition::Up, "it refuses the key"));
    let health = seen(&with("right")).await;
    assert_eq!((health.condition, health.why.as_str()), (Condition::Up, ""));
}

#[tokio::test]
async fn servers_are_watched_until_told_to_stop_and_agents_own_ones_too() {
    let (configured, own) = (answering().await, answering().await);
    let models = models([server(&configured.url())]);
    let to_own = ModelRequest { endpoint: Some(own.url().into()), ..request() };
    models.complete(&to_own, &|_| {}).await.unwrap();
    let stop = CancellationToken::new();
    let watching = tokio::spawn(Arc::clone(&models).watch_health(stop.clone()));
    let all_up = || {
        let pools = models.status();
        pools.len() == 2 && pools.iter().all(|pool| pool.servers[0].health.condition == Condition::Up)
    };
    while !all_up() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    watching.await.unwrap();
}
