//! Looking for a model server on this machine.

mod support;

use fleet_deliberation::FailureKind;
use fleet_llm::{Found, Limits, OpenAi, discover};
use fleet_scripted::{Call, Reply, Scripted, Settings};
use support::config;

const LONG_MS: u64 = 10_000;

async fn server(models: &[&str]) -> Scripted {
    let settings = Settings { models: models.iter().map(|&id| id.into()).collect(), ..Settings::default() };
    Scripted::with(settings, |call: &Call| Reply::answer(call, "yes", 1)).await.expect("a free port")
}

/// A port on which nothing listens.
async fn closed() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

async fn found(ports: &[u16], timeout_ms: u64) -> Option<Found> {
    let _ = config("http://h", None, Limits::default());
    discover(ports, timeout_ms).await.expect("local URLs are good")
}

#[tokio::test]
async fn the_first_in_the_lists_order_that_has_a_model_is_taken() {
    let (none, empty) = (closed().await, server(&[]).await);
    let (first, second) = (server(&["a", "b"]).await, server(&["c"]).await);
    let ports = [none, empty.port(), first.port(), second.port()];
    let expected = Found { url: first.url(), models: vec!["a".into(), "b".into()] };
    assert_eq!(found(&ports, LONG_MS).await, Some(expected));
    let expected = Found { url: second.url(), models: vec!["c".into()] };
    assert_eq!(found(&[second.port(), first.port()], LONG_MS).await, Some(expected));
}

#[tokio::test]
async fn where_nothing_answers_nothing_is_found() {
    assert_eq!(found(&[closed().await, server(&[]).await.port()], LONG_MS).await, None);
    assert_eq!(found(&[], LONG_MS).await, None);
}

#[tokio::test]
async fn a_port_that_accepts_and_says_nothing_is_passed_over() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    assert_eq!(found(&[port], 30).await, None);
    let other = server(&["a"]).await;
    assert!(found(&[port, other.port()], 1_000).await.is_some());
}

#[tokio::test]
async fn why_a_server_lists_no_models_is_told() {
    let settings = Settings { api_key: Some("right".into()), ..Settings::default() };
    let server = Scripted::with(settings, |call: &Call| Reply::answer(call, "yes", 1)).await.unwrap();
    let ask = |url: String, key| async move {
        OpenAi::new(config(&url, key, Limits::default())).unwrap().models().await
    };
    assert_eq!(ask(server.url(), Some("right")).await.unwrap(), ["scripted"]);
    assert_eq!(ask(server.url(), None).await.unwrap_err().kind, FailureKind::Unauthorized);
    let elsewhere = format!("{}/elsewhere", server.url());
    assert_eq!(ask(elsewhere, Some("right")).await.unwrap_err().kind, FailureKind::NotFound);
    let nowhere = format!("http://127.0.0.1:{}", closed().await);
    assert_eq!(ask(nowhere, None).await.unwrap_err().kind, FailureKind::Connection);
}
