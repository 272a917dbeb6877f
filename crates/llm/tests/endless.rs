//! Servers that never stop: what they send has bounds in bytes, in tokens and in time.

mod support;

use std::time::Duration;

use fleet_deliberation::FailureKind;
use fleet_llm::Limits;
use fleet_orchestrator::port::{LanguageModel, ModelError};
use fleet_scripted::{Call, Reply, Scripted};
use serde_json::json;
use support::{client_with, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What takes longer than this has no bound.
const HANG: Duration = Duration::from_secs(60);

/// Limits that no test here waits for.
const PATIENT: Limits =
    Limits { connect_ms: 5_000, first_token_ms: 300_000, between_tokens_ms: 300_000, total_ms: 300_000 };

async fn fails(url: &str, limits: Limits) -> ModelError {
    let (client, request) = (client_with(url, limits), request());
    let called = client.complete(&request, &|_| {});
    tokio::time::timeout(HANG, called).await.expect("it has an end").expect_err("it is no answer")
}

async fn endless(reply: Reply, limits: Limits) -> ModelError {
    let server = Scripted::start(move |_: &Call| reply.clone().then_again()).await.expect("a free port");
    fails(&server.url(), limits).await
}

fn delta(field: &str, text: &str) -> String {
    json!({"choices": [{"index": 0, "delta": {field: text}}]}).to_string()
}

/// A reply that sends `piece` again and again, many at a time.
fn flood(piece: &str) -> Reply {
    let times = (32 << 10) / piece.len() + 1;
    Reply::raw(200, "text/event-stream", piece.repeat(times))
}

#[tokio::test]
async fn tokens_without_end_are_given_up_by_their_number() {
    for field in ["content", "reasoning_content"] {
        let failed = endless(Reply::events([delta(field, "la ")]), PATIENT).await;
        assert_eq!(failed.kind, FailureKind::Unreadable);
        assert!(failed.message.contains("tokens and no end, though 300 were allowed"), "{failed}");
    }
}

#[tokio::test]
async fn bytes_without_end_are_given_up_by_their_number() {
    let one_line = "data: la la ";
    for (piece, bound) in [
        (": a comment\n\n", "67108864 bytes for one answer"),
        ("data: {\"choices\":[]}\n\n", "67108864 bytes for one answer"),
        (" \n", "67108864 bytes for one answer"),
        (one_line, "4194304 bytes of answer"),
        ("{\"choices\": 1, ", "4194304 bytes of answer"),
    ] {
        let failed = endless(flood(piece), PATIENT).await;
        assert_eq!(failed.kind, FailureKind::Unreadable, "{piece:?}: {failed}");
        assert!(failed.message.contains(bound), "{piece:?}: {failed}");
    }
}

#[tokio::test]
async fn a_flood_does_not_keep_the_time_from_being_up() {
    let limits = Limits { first_token_ms: 50, ..PATIENT };
    let failed = endless(flood(": a comment\n\n"), limits).await;
    assert_eq!(failed.kind, FailureKind::Timeout, "{failed}");
    let limits = Limits { total_ms: 50, ..PATIENT };
    let failed = endless(flood("data: {\"choices\":[]}\n\n"), limits).await;
    assert_eq!(failed.kind, FailureKind::Timeout, "{failed}");
}

#[tokio::test]
async fn slow_tokens_without_end_are_given_up_by_their_time() {
    let limits = Limits { total_ms: 200, ..PATIENT };
    let failed = endless(Reply::events([delta("content", "la ")]).between_ms(20), limits).await;
    assert_eq!(failed.kind, FailureKind::Timeout);
    assert!(failed.message.contains("had not finished after 200 ms"), "{failed}");
    // Signs of life that say nothing are not tokens, until there is one.
    let limits = Limits { first_token_ms: 200, ..PATIENT };
    let failed = endless(Reply::events([delta("content", "")]).between_ms(20), limits).await;
    assert!(failed.message.contains("wrote no token within 200 ms"), "{failed}");
}

#[tokio::test]
async fn refusals_and_lists_without_end_are_cut_short() {
    let refusal = Reply::raw(400, "text/plain", "model ".repeat(4 << 10));
    let failed = endless(refusal, PATIENT).await;
    assert_eq!(failed.kind, FailureKind::BadRequest);
    assert!(failed.message.len() < 600, "{}", failed.message.len());
    let server = Scripted::start(|call: &Call| Reply::answer(call, "yes", 1)).await.unwrap();
    server.answer_models(flood("{\"data\": [").then_again());
    let listed = client_with(&server.url(), PATIENT);
    let listed = tokio::time::timeout(HANG, listed.models()).await.expect("it has an end");
    assert_eq!(listed.unwrap_err().kind, FailureKind::Unreadable);
}

/// What comes of a call to a server that sends `begin` and then `piece` over and over.
async fn raw(begin: &str, piece: &str, limits: Limits) -> ModelError {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(begin.as_bytes()).await;
        let pieces = piece.repeat(4 << 10);
        while stream.write_all(pieces.as_bytes()).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        failed = fails(&url, limits) => failed,
        () = serve => unreachable!("it never stops"),
    }
}

#[tokio::test]
async fn heads_without_end_are_broken_connections_or_too_slow() {
    for (begin, piece) in
        [("HTTP/1.1 200 OK\r\n", "x: y\r\n"), ("HTTP/1.1 200 ", "a"), ("", "a"), ("", "\r\n")]
    {
        let failed = raw(begin, piece, PATIENT).await;
        assert_eq!(failed.kind, FailureKind::Connection, "{piece:?}: {failed}");
    }
    let limits = Limits { first_token_ms: 200, ..PATIENT };
    let failed = raw("", "HTTP/1.1 100 Continue\r\n\r\n", limits).await;
    assert_eq!(failed.kind, FailureKind::Timeout, "{failed}");
}
