//! The client against a scripted server: each thing a server can do, and what comes of it.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fleet_deliberation::{FailureKind, Generation, Usage};
use fleet_llm::{Limits, OpenAi};
use fleet_orchestrator::port::{LanguageModel, ModelError, Tokens};
use fleet_scripted::{Call, Outcome, Reply, Scripted, Settings};
use serde_json::json;
use support::{PROMPT, client, client_with, limits, request, review_request};

async fn ask(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Result<Generation, ModelError> {
    ask_within(Limits::default(), script).await
}

async fn ask_within(
    limits: Limits,
    script: impl Fn(&Call) -> Reply + Send + Sync + 'static,
) -> Result<Generation, ModelError> {
    let server = Scripted::start(script).await.expect("a free port");
    client_with(&server.url(), limits).complete(&request(), &|_| {}).await
}

async fn error(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> ModelError {
    ask(script).await.expect_err("the call cannot succeed")
}

fn delta(content: &str) -> String {
    json!({"choices": [{"index": 0, "delta": {"content": content}}]}).to_string()
}

fn finish(reason: &str) -> String {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).to_string()
}

const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}"#;
const DONE: &str = "[DONE]";

#[tokio::test]
async fn an_answer_is_put_together_from_its_stream() {
    let server = Scripted::start(|call: &Call| Reply::answer(call, "Grüße,\n\"world\"", 5)).await.unwrap();
    let heard = Mutex::new(Vec::new());
    let generation = client(&server.url())
        .complete(&request(), &|tokens: Tokens<'_>| heard.lock().unwrap().push(tokens.written))
        .await
        .unwrap();
    assert_eq!(generation.text, "Grüße,\n\"world\"");
    assert_eq!(generation.reasoning, "");
    assert_eq!(generation.model, "tiny");
    assert_eq!(generation.temperature, 0.91);
    assert_eq!(generation.usage, Usage { prompt_tokens: 100, completion_tokens: 4, estimated: false });
    assert!(!generation.truncated);
    assert_eq!(*heard.lock().unwrap(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_request_names_its_job_and_says_what_it_wants() {
    let generation = ask(|call: &Call| {
        let request = call.request().unwrap();
        let said: Vec<String> =
            request.messages.iter().map(|message| format!("{}:{}", message.role, message.content)).collect();
        let max = request.max_tokens.unwrap();
        let text = format!("{} {} {} {:?}", call.caller, max, request.temperature.unwrap(), said);
        Reply::answer(call, &text, 1)
    });
    let said = ["system:Be brief.".to_owned(), format!("user:{PROMPT}")];
    let expected = format!("task-1/0/propose/agent-dev-001 300 0.91 {said:?}");
    assert_eq!(generation.await.unwrap().text, expected);
}

#[tokio::test]
async fn calls_share_connections() {
    let server = Scripted::start(|call: &Call| Reply::answer(call, "yes", 3).between_ms(1)).await.unwrap();
    let model = client(&server.url());
    for _ in 0..20 {
        model.complete(&request(), &|_| {}).await.unwrap();
    }
    assert_eq!(server.calls().len(), 20);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_stream_may_end_without_done_once_it_gave_its_reason() {
    let whole = || Reply::events([delta("yes"), finish("stop")]);
    assert_eq!(ask(move |_| whole()).await.unwrap().text, "yes");
    assert_eq!(ask(move |_| whole().then_cut()).await.unwrap().text, "yes");
    let generation = ask(move |_| whole().then_silence()).await.unwrap();
    assert_eq!(generation.text, "yes");
    assert_eq!(generation.usage, Usage { prompt_tokens: 12, completion_tokens: 1, estimated: true });
    assert_eq!(ask(|_| Reply::events([delta("yes").as_str(), DONE])).await.unwrap().text, "yes");
}

#[tokio::test]
async fn the_last_chunk_may_hold_figures_and_no_choices() {
    let generation = ask(|_| Reply::events([&delta("yes"), &finish("stop"), USAGE])).await.unwrap();
    assert_eq!(generation.usage, Usage { prompt_tokens: 12, completion_tokens: 3, estimated: false });
}

#[tokio::test]
async fn an_answer_at_its_limit_is_truncated() {
    let generation = ask(|_| Reply::events([&delta("yes"), &finish("length"), DONE])).await.unwrap();
    assert!(generation.truncated);
}

#[tokio::test]
async fn reasoning_is_kept_apart() {
    let blocks = ask(|call: &Call| Reply::answer(call, "<think>\nhm\n</think>\n\nyes", 7)).await.unwrap();
    assert_eq!((blocks.reasoning.as_str(), blocks.text.as_str()), ("hm", "yes"));
    for field in ["reasoning_content", "reasoning"] {
        let thought = json!({"choices": [{"delta": {field: "hm", "content": null}}]}).to_string();
        let heard = Mutex::new(Vec::new());
        let server = Scripted::start(move |_: &Call| {
            Reply::events([thought.clone(), delta("yes"), finish("stop"), DONE.into()])
        });
        let server = server.await.unwrap();
        let generation = client(&server.url())
            .complete(&request(), &|tokens| heard.lock().unwrap().push(tokens.reasoning))
            .await
            .unwrap();
        assert_eq!((generation.reasoning.as_str(), generation.text.as_str()), ("hm", "yes"));
        assert_eq!(*heard.lock().unwrap(), [true, false]);
    }
}

#[tokio::test]
async fn nothing_but_reasoning_is_no_answer() {
    let failed = error(|_| Reply::events([&delta("<think>on and on"), &finish("length"), DONE])).await;
    assert_eq!(failed.kind, FailureKind::Empty);
    assert!(failed.message.contains("spent all 300 tokens on its reasoning"), "{failed}");
    let failed = error(|_| Reply::events([&delta(" \n"), &finish("stop"), DONE])).await;
    assert_eq!(failed.kind, FailureKind::Empty);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = json!({"model": "m", "choices": [{"message": {"role": "assistant", "content": "yes"},
        "finish_reason": "stop"}], "usage": {"prompt_tokens": 4, "completion_tokens": 2}});
    let generation = ask(move |_| Reply::json(200, &body)).await.unwrap();
    assert_eq!((generation.text.as_str(), generation.model.as_str()), ("yes", "m"));
    assert_eq!(generation.usage, Usage { prompt_tokens: 4, completion_tokens: 2, estimated: false });
    let failed = error(|_| Reply::json(200, &json!({"choices": []}))).await;
    assert_eq!(failed.kind, FailureKind::Unreadable);
    let failed = error(|_| Reply::json(200, &json!({"error": {"message": "overloaded", "code": 503}}))).await;
    assert_eq!(failed.kind, FailureKind::Server);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_broken_connection() {
    let begun = || Reply::events([delta("ye"), delta("s")]);
    for reply in [begun(), begun().then_cut(), Reply::hang_up()] {
        let failed = error(move |_| reply.clone()).await;
        assert_eq!(failed.kind, FailureKind::Connection, "{failed}");
    }
    let failed = error(move |_| begun().then_cut()).await;
    assert!(failed.message.contains("after 2 tokens"), "{failed}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failed = client(&url).complete(&request(), &|_| {}).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Connection);
    assert!(failed.message.contains(&url) && failed.message.contains("is the server running?"), "{failed}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_broken_connection() {
    let server = Scripted::start(|call: &Call| Reply::answer(call, "yes", 1)).await.unwrap();
    let url = server.url().replace("http:", "https:");
    let failed = client(&url).complete(&request(), &|_| {}).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Connection, "{failed}");
}

#[tokio::test]
async fn each_limit_says_that_it_was_passed() {
    let slow = |reply: fn() -> Reply, limits| async move {
        let failed = ask_within(limits, move |_| reply()).await.unwrap_err();
        assert_eq!(failed.kind, FailureKind::Timeout, "{failed}");
        failed.message
    };
    let first = slow(Reply::silence, limits(30, 9_000, 9_000)).await;
    assert!(first.contains("no token within 30 ms; the limit is model.first_token_timeout_s"), "{first}");
    let first = slow(
        || Reply::raw(200, "text/event-stream", ": a note\n\n").then_silence(),
        limits(30, 9_000, 9_000),
    )
    .await;
    assert!(first.contains("model.first_token_timeout_s"), "{first}");
    let between = slow(|| Reply::events([delta("ye")]).then_silence(), limits(9_000, 30, 9_000)).await;
    assert!(between.contains("fell silent for 30 ms after 1 tokens"), "{between}");
    let tokens = || Reply::events(vec![delta("la"); 9_000]).between_ms(5);
    let in_all = slow(tokens, limits(9_000, 9_000, 60)).await;
    assert!(in_all.contains("after 60 ms in all") && in_all.contains("model.request_timeout_s"), "{in_all}");

    let server = Scripted::start(|_: &Call| Reply::silence()).await.unwrap();
    let mut request = request();
    request.timeout_ms = 20;
    let failed = client(&server.url()).complete(&request, &|_| {}).await.unwrap_err();
    assert!(failed.message.contains("no more time was left for the job"), "{failed}");
}

#[tokio::test]
async fn a_server_that_does_not_accept_is_not_waited_for() {
    // Nothing answers at an address that is kept for documentation (RFC 5737), or there is no way there.
    let limits = Limits { connect_ms: 50, ..Limits::default() };
    let failed = client_with("http://192.0.2.1:9", limits).complete(&request(), &|_| {}).await.unwrap_err();
    assert!(matches!(failed.kind, FailureKind::Timeout | FailureKind::Connection), "{failed}");
}

#[tokio::test]
async fn a_refusal_is_told_by_its_status_and_its_words() {
    use FailureKind::{BadRequest, ContextTooLong, NotFound, RateLimited, Server, Unauthorized};
    let long = "This model's maximum context length is 2048 tokens. However, you requested 4000 tokens.";
    let cases: [(u16, serde_json::Value, FailureKind); 17] = [
        (
            400,
            json!({"error": {"message": "model is bad", "code": 400, "type": "BadRequestError"}}),
            BadRequest,
        ),
        (422, json!({"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}), BadRequest),
        (405, json!({"detail": "Method Not Allowed"}), BadRequest),
        (400, json!({"error": {"message": long, "code": "400"}}), ContextTooLong),
        (400, json!({"object": "error", "message": long, "code": 40303}), ContextTooLong),
        (
            400,
            json!({"error": {"code": 400, "message": "…", "type": "exceed_context_size_error"}}),
            ContextTooLong,
        ),
        (400, json!({"error": {"message": "…", "code": "context_length_exceeded"}}), ContextTooLong),
        (413, json!({"error": "prompt is too long: 9 > 8"}), ContextTooLong),
        (401, json!({"error": {"message": "Invalid API Key", "code": 401}}), Unauthorized),
        (403, json!({"message": "no"}), Unauthorized),
        (404, json!({"error": {"message": "The model `x` does not exist.", "code": 404}}), NotFound),
        (404, json!({"detail": "Not Found"}), NotFound),
        (408, json!(null), RateLimited),
        (429, json!({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}), RateLimited),
        (500, json!({"error": "boom"}), Server),
        (502, json!("<html>bad gateway</html>"), Server),
        (503, json!([{"error": {"message": "loading", "status": "UNAVAILABLE"}}]), Server),
    ];
    for (status, body, kind) in cases {
        let failed = error(move |_| Reply::json(status, &body)).await;
        assert_eq!(failed.kind, kind, "{failed}");
        assert!(failed.message.contains("http://127.0.0.1:"), "{failed}");
    }
    let failed = error(|_| Reply::raw(302, "text/html", "").header("location", "https://h/v1?key=s")).await;
    assert_eq!(failed.kind, NotFound);
    assert!(failed.message.contains("to https://h/v1 (302)"), "{failed}");
}

#[tokio::test]
async fn a_server_may_ask_to_be_left_alone_for_a_while() {
    for status in [408, 429, 503] {
        let failed = error(move |_| Reply::error(status, "busy", "wait").header("retry-after", "3")).await;
        assert_eq!(failed.retry_after_ms, Some(3_000));
    }
}

#[tokio::test]
async fn a_fault_in_the_middle_of_a_stream_is_told_by_its_own_words() {
    let fault = |body: serde_json::Value| {
        error(move |_| Reply::events([delta("ye"), json!({"error": body.clone()}).to_string()]))
    };
    let failed = fault(json!({"message": "engine died", "code": 500})).await;
    assert_eq!(failed.kind, FailureKind::Server);
    assert!(failed.message.contains("engine died"), "{failed}");
    let failed = fault(json!({"message": "too much", "code": 429})).await;
    assert_eq!(failed.kind, FailureKind::RateLimited);
    let failed =
        error(|_| Reply::raw(200, "text/event-stream", "error: {\"code\":503,\"message\":\"x\"}\n\n"));
    assert_eq!(failed.await.kind, FailureKind::Server);
    let failed = error(|_| Reply::events([&delta("ye"), &finish("abort"), DONE])).await;
    assert_eq!(failed.kind, FailureKind::Server);
}

#[tokio::test]
async fn what_is_no_completion_is_unreadable() {
    for garbage in
        ["<html>hello</html>", "", "data: {not json}\n\n", "data: 7\n\n", "{\"choices\"", "\0\u{1}"]
    {
        let failed = error(move |_| Reply::raw(200, "text/html", garbage)).await;
        assert_eq!(failed.kind, FailureKind::Unreadable, "{garbage:?}: {failed}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let piece = delta(&"x".repeat(1 << 20));
    let failed = error(move |_| Reply::events(vec![piece.clone(); 6]).then_silence()).await;
    assert_eq!(failed.kind, FailureKind::Unreadable);
    assert!(failed.message.contains("4194304 bytes"), "{failed}");
}

#[tokio::test]
async fn messages_hold_neither_prompt_nor_key_and_little_of_the_servers_words() {
    let settings = Settings { api_key: Some("sk-secret".into()), ..Settings::default() };
    let server = Scripted::with(settings, |call: &Call| match call.number {
        1 => Reply::error(400, "x", &format!("cannot take model input {PROMPT}")),
        2 => Reply::error(400, "x", "wrong model for the key sk-secret"),
        _ => Reply::error(400, "x", &"model ".repeat(1_000)),
    });
    let server = server.await.unwrap();
    let model = OpenAi::new(support::config(&server.url(), Some("sk-secret"), Limits::default())).unwrap();
    let said = || async { model.complete(&request(), &|_| {}).await.unwrap_err().message };
    let first = said().await;
    assert!(first.contains("repeat the prompt") && !first.contains("riverbank"), "{first}");
    let second = said().await;
    assert!(second.contains("[key]") && !second.contains("sk-secret"), "{second}");
    assert!(said().await.chars().count() < 450);
}

#[tokio::test]
async fn the_key_is_sent_and_a_wrong_one_is_refused() {
    let settings = || Settings { api_key: Some("right".into()), ..Settings::default() };
    let server = Scripted::with(settings(), |call: &Call| Reply::answer(call, "yes", 1)).await.unwrap();
    let call = |key: Option<&'static str>| {
        let model = OpenAi::new(support::config(&server.url(), key, Limits::default())).unwrap();
        async move { model.complete(&request(), &|_| {}).await }
    };
    assert_eq!(call(Some("right")).await.unwrap().text, "yes");
    for wrong in [Some("wrong"), Some(""), None] {
        assert_eq!(call(wrong).await.unwrap_err().kind, FailureKind::Unauthorized);
    }
    let newline = support::config("http://h", Some("a\nb"), Limits::default());
    assert!(OpenAi::new(newline).is_err());
    let shown = format!("{:?}", support::config("http://h", Some("sk-secret"), Limits::default()));
    assert!(!shown.contains("sk-secret"));
}

#[tokio::test]
async fn what_a_server_refuses_to_take_is_left_out_and_not_sent_again() {
    let picky = |words: &'static str, refuse: fn(&Call) -> bool| async move {
        let server = Scripted::start(move |call: &Call| match refuse(call) {
            true => Reply::error(400, "invalid_request_error", words),
            false => Reply::answer(call, r#"{"score": 7}"#, 2),
        });
        let server = server.await.unwrap();
        let model = client(&server.url());
        for _ in 0..3 {
            assert_eq!(model.complete(&review_request(), &|_| {}).await.unwrap().text, r#"{"score": 7}"#);
        }
        server.calls().len()
    };
    let schema = |call: &Call| call.format.is_some();
    assert_eq!(picky("response_format json_schema is not supported", schema).await, 4);
    assert_eq!(picky("Unknown field", schema).await, 4);
    let options = |call: &Call| call.include_usage;
    assert_eq!(picky("stream_options is not allowed", options).await, 4);
    assert_eq!(picky("extra inputs are not permitted", options).await, 4);
    let old_name = |call: &Call| call.request().unwrap().max_tokens.is_some();
    assert_eq!(picky("Use 'max_completion_tokens' instead of max_tokens.", old_name).await, 4);
}

#[tokio::test]
async fn a_failure_over_a_schema_is_tried_once_without_it_and_learnt_only_where_it_is_named() {
    let failing = |words: &'static str, fails: fn(&Call) -> bool| async move {
        let server = Scripted::start(move |call: &Call| match fails(call) {
            true => Reply::error(500, "server_error", words),
            false => Reply::answer(call, r#"{"score": 7}"#, 2),
        });
        let server = server.await.unwrap();
        let model = client(&server.url());
        let mut came = Vec::new();
        for _ in 0..3 {
            came.push(model.complete(&review_request(), &|_| {}).await.map(|answer| answer.text));
        }
        (came, server.calls().len())
    };
    let with_schema = |call: &Call| call.format.is_some();
    let answers = vec![Ok(r#"{"score": 7}"#.to_owned()); 3];
    assert_eq!(failing("failed to parse grammar", with_schema).await, (answers.clone(), 4));
    assert_eq!(failing("boom", with_schema).await, (answers, 6), "the next one may well succeed");
    let (came, calls) = failing("boom", |_| true).await;
    assert!(came.iter().all(|came| came.as_ref().unwrap_err().kind == FailureKind::Server), "{came:?}");
    assert_eq!(calls, 6);
}

#[tokio::test]
async fn a_refusal_that_stays_is_reported_and_nothing_is_learnt_from_it() {
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = tries.clone();
    let server = Scripted::start(move |call: &Call| {
        seen.fetch_add(1, Ordering::Relaxed);
        match call.number {
            1 | 2 => Reply::error(422, "x", "no"),
            _ => Reply::answer(call, call.format.as_deref().unwrap_or("none"), 1),
        }
    });
    let server = server.await.unwrap();
    let model = client(&server.url());
    let failed = model.complete(&review_request(), &|_| {}).await.unwrap_err();
    assert_eq!((failed.kind, tries.load(Ordering::Relaxed)), (FailureKind::BadRequest, 2));
    assert_eq!(model.complete(&review_request(), &|_| {}).await.unwrap().text, "json_schema");
}

#[tokio::test]
async fn dropping_a_call_ends_it_at_the_server() {
    let server = Scripted::start(|_: &Call| Reply::events([delta("ye")]).then_silence()).await.unwrap();
    let model = client(&server.url());
    let begun = tokio::sync::Notify::new();
    let (request, tell) = (request(), |_: Tokens<'_>| begun.notify_one());
    tokio::select! {
        _ = model.complete(&request, &tell) => panic!("it has no end"),
        () = begun.notified() => {}
    }
    while server.calls()[0].outcome != Outcome::Abandoned {
        tokio::task::yield_now().await;
    }
}
