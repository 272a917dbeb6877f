//! Traces as a collector gets them; and that nothing private is in traces, metrics and logs.

use std::collections::{BTreeMap, BTreeSet};

use fleet_scripted::{Call, Ledger, Reply, Scripted, Settings};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tonic::Request;

use crate::support::{
    Client, Collector, Place, answers, attribute, council, deliberate, get, kind_of, series, until,
};

const KEY: &str = "canary-key-4b1d";
const PROMPT: &str = "canary-prompt-77f2";
const ANSWER: &str = "canary-answer-c093";
/// What the collector wants to be shown.
const TOKEN: &str = "canary-token-e8a1";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A model that wants the key, and says what must not turn up: in answers, in reviews that cannot be read, in
/// code that has faults, and in refusals.
async fn indiscreet() -> Scripted {
    let script = |call: &Call| match (call.number % 5, kind_of(&call.caller)) {
        (0, _) => Reply::error(500, "server_error", &format!("overloaded while working on {PROMPT}; {KEY}")),
        (1, "critique") => Reply::answer(call, &format!("{{\"score\": \"{ANSWER}\"}}"), 4),
        _ => Reply::answer(call, &format!("{ANSWER}\n\n```python\ndef f(:\n    return '{ANSWER}'\n```\n"), 4),
    };
    let settings =
        Settings { models: vec!["m".into()], api_key: Some(KEY.into()), ledger: Ledger::in_memory() };
    Scripted::with(settings, script).await.unwrap()
}

/// What a server lets out of one deliberation: its log, its metrics in both forms, its traces.
struct LetOut {
    log: String,
    metrics: String,
    traces: String,
}

async fn let_out(variables: &[(&str, &str)]) -> LetOut {
    let (model, collector, place) = (indiscreet().await, Collector::start().await, Place::new());
    let named = collector.named();
    let token = format!("authorization=Bearer%20{TOKEN}");
    let secrets = [("FLEET_API_KEY", KEY), ("OTEL_EXPORTER_OTLP_HEADERS", &*token)];
    let variables = [&named[..], &secrets, variables].concat();
    let server = place.serve_with(&["--url", &model.url()], &variables).await;
    let mut client = server.client().await;
    let mut request = deliberate(PROMPT);
    request.task_id = "quiet".into();
    let id = client.submit(request).await.unwrap();
    let result = client.ended(&id).await;
    assert!(result.event.contains(ANSWER), "{}", result.error_message);
    // What is refused is talked about, too.
    let long = fleet_api::v1::DeliberateRequest { rounds: Some(99), ..deliberate(PROMPT) };
    client.submit(long).await.unwrap_err();
    let open_metrics = "Accept: application/openmetrics-text\r\n";
    let metrics = get(&server.address, "/metrics", "").await.body
        + &get(&server.address, "/metrics", open_metrics).await.body;
    collector.workflow().await;
    let log = server.stop().await.stderr;
    assert!(log.contains("serves gRPC on "), "{log}");
    assert!(metrics.contains("fleet_deliberations_ended_total{"), "{metrics}");
    LetOut { log, metrics, traces: collector.text() }
}

fn silent(what: &str, text: &str, canaries: &[&str]) {
    for canary in canaries {
        assert!(!text.contains(canary), "{canary} is in {what}: {text}");
    }
}

#[tokio::test]
async fn a_prompt_an_answer_and_a_key_are_in_no_log_no_metric_and_no_trace() {
    for format in ["text", "json"] {
        for level in [&[][..], &[("FLEET_LOG", "debug")]] {
            let variables = [&[("FLEET_LOG_FORMAT", format)], level].concat();
            let LetOut { log, metrics, traces } = let_out(&variables).await;
            let debug = !level.is_empty();
            assert_eq!(log.contains("DEBUG"), debug, "{log}");
            let what = format!("{format}, debug {debug}");
            silent(&format!("the log ({what})"), &log, &[KEY, TOKEN, PROMPT, ANSWER]);
            let ids = ["quiet", "agent-dev"];
            silent(&format!("the metrics ({what})"), &metrics, &[KEY, TOKEN, PROMPT, ANSWER, ids[0], ids[1]]);
            silent(&format!("the traces ({what})"), &traces, &[KEY, PROMPT, ANSWER]);
        }
    }
}

#[tokio::test]
async fn prompts_and_answers_are_in_traces_where_that_is_asked_for_and_the_key_never_is() {
    let capture = [("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true"), ("FLEET_LOG", "debug")];
    let LetOut { log, metrics, traces } = let_out(&capture).await;
    assert!(traces.contains(PROMPT) && traces.contains(ANSWER), "{traces}");
    silent("the traces", &traces, &[KEY, TOKEN]);
    silent("the log", &log, &[KEY, TOKEN, PROMPT, ANSWER]);
    silent("the metrics", &metrics, &[KEY, TOKEN, PROMPT, ANSWER]);
}

/// Submits a task within a trace of the caller's.
async fn submit_within(client: &mut Client, header: &str) -> String {
    let mut request = Request::new(deliberate("Sort a list"));
    request.metadata_mut().insert("traceparent", header.parse().unwrap());
    client.calls.deliberate(request).await.unwrap().into_inner().task_id
}

#[tokio::test]
async fn a_deliberation_is_a_tree_within_the_trace_of_its_caller() {
    let (model, collector, place) = (answers(0).await, Collector::start().await, Place::new());
    let named = [&collector.named()[..], &[("OTEL_SERVICE_NAME", "council")]].concat();
    let server = place.serve_with(&["--url", &model.url()], &named).await;
    let mut client = server.client().await;
    let id = submit_within(&mut client, &format!("00-{TRACE_ID}-{PARENT_ID}-01")).await;
    client.ended(&id).await;
    let workflow = collector.workflow().await;
    assert_eq!(server.stop().await.code, 0);

    let spans = collector.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE_ID), "one trace");
    let ids: BTreeSet<&[u8]> = spans.iter().map(|span| &span.span_id[..]).collect();
    assert_eq!(ids.len(), spans.len(), "no span is there twice");
    assert_eq!(workflow.name, "invoke_workflow DEV");
    assert_eq!(hex(&workflow.parent_span_id), PARENT_ID);
    let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
    for span in spans.iter().filter(|span| span.parent_span_id == workflow.span_id) {
        *parts.entry(&span.name).or_default() += 1;
        assert_eq!(span.kind(), SpanKind::Internal);
        assert_eq!(attribute(span, "gen_ai.conversation.id").as_deref(), Some(&*id));
        assert!(span.start_time_unix_nano >= workflow.start_time_unix_nano, "{span:?}");
        assert!(span.end_time_unix_nano <= workflow.end_time_unix_nano, "{span:?}");
    }
    // Each agent proposes, reviews and revises; three proposals and three revisions are checked.
    let agents = ["invoke_agent agent-dev-001", "invoke_agent agent-dev-002", "invoke_agent agent-dev-003"];
    let expected = agents.map(|agent| (agent, 3)).into_iter().chain([("execute_tool check", 6)]);
    assert_eq!(parts, expected.collect());
    let chats: Vec<&Span> = spans.iter().filter(|span| span.name.starts_with("chat ")).collect();
    let jobs: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (&span.span_id[..], span)).collect();
    for chat in chats {
        let agent = jobs[&chat.parent_span_id[..]];
        assert!(agent.name.starts_with("invoke_agent "), "{agent:?}");
        assert_eq!(attribute(chat, "gen_ai.agent.id"), attribute(agent, "gen_ai.agent.id"));
    }
    assert!(collector.text().contains("council"), "the service has the name it was given");
}

#[tokio::test]
async fn a_caller_that_does_not_trace_is_not_traced_and_a_malformed_header_is_ignored() {
    let (model, collector, place) = (answers(0).await, Collector::start().await, Place::new());
    let server = place.serve_with(&["--url", &model.url()], &collector.named()).await;
    let mut client = server.client().await;
    let unsampled = submit_within(&mut client, &format!("00-{TRACE_ID}-{PARENT_ID}-00")).await;
    client.ended(&unsampled).await;
    let malformed = submit_within(&mut client, "00-not-a-trace-01").await;
    client.ended(&malformed).await;
    let workflow = collector.workflow().await;
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(
        attribute(&workflow, "gen_ai.conversation.id"),
        Some(malformed),
        "it is in a trace of its own"
    );
    assert!(workflow.parent_span_id.is_empty(), "{workflow:?}");
    assert!(!collector.text().contains(&unsampled));
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let (model, place) = (answers(0).await, Place::new());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*away), ("OTEL_BSP_SCHEDULE_DELAY", "20")];
    let server = place.serve_with(&["--url", &model.url()], &variables).await;
    let mut client = server.client().await;
    for _ in 0..3 {
        let id = client.submit(deliberate("Sort a list")).await.unwrap();
        client.ended(&id).await;
    }
    until("the loss is logged", || server.running.stderr().contains("spans were lost")).await;
    let page = get(&server.address, "/metrics", "").await.body;
    assert!(series(&page, "fleet_spans_total", &["outcome=\"failed\""]) > 0.0, "{page}");
    let ended = server.stop().await;
    assert_eq!(ended.code, 0);
    assert_eq!(ended.stderr.matches("spans were lost").count(), 1, "once in a while: {}", ended.stderr);
}

#[tokio::test]
async fn a_run_of_the_command_sends_its_trace_before_it_ends() {
    let (model, collector, place) = (answers(0).await, Collector::start().await, Place::new());
    let run = place.fleet(&["deliberate", "Sort a list", "--url", &model.url(), "--rounds", "0"]);
    let run = collector.named().iter().fold(run, |run, (name, value)| run.env(name, value));
    // The usual five seconds: what is there at the end does not wait for them.
    let run = run.env("OTEL_BSP_SCHEDULE_DELAY", "5000");
    let ended = run.env("TRACEPARENT", &format!("00-{TRACE_ID}-{PARENT_ID}-01")).end().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let spans = collector.spans();
    let workflow = spans.iter().find(|span| span.name.starts_with("invoke_workflow")).unwrap();
    assert_eq!((hex(&workflow.trace_id), hex(&workflow.parent_span_id)), (TRACE_ID.into(), PARENT_ID.into()));
    let agents = spans.iter().filter(|span| span.name.starts_with("invoke_agent")).count();
    assert_eq!(agents, 3);
    assert!(collector.text().contains("\"fleet\""), "the service has a name");
}

#[tokio::test]
async fn a_run_through_a_server_hands_its_trace_on() {
    let (model, collector, place) = (answers(0).await, Collector::start().await, Place::new());
    let server = place.serve_with(&["--url", &model.url()], &collector.named()).await;
    let run = place.fleet(&["deliberate", "Sort a list", "--server", &server.address]);
    let ended = run.env("TRACEPARENT", &format!("00-{TRACE_ID}-{PARENT_ID}-01")).end().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let workflow = collector.workflow().await;
    assert_eq!((hex(&workflow.trace_id), hex(&workflow.parent_span_id)), (TRACE_ID.into(), PARENT_ID.into()));
}

#[tokio::test]
async fn what_the_environment_asks_for_in_vain_is_refused_by_name() {
    let (model, place) = (Scripted::start(council(0)).await.unwrap(), Place::new());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    for (name, value) in [
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "perhaps"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "dice"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://[nowhere"),
    ] {
        let serve = place.fleet(&["serve", "--listen", "127.0.0.1:0", "--url", &model.url()]);
        let ended = serve.env(endpoint.0, endpoint.1).env(name, value).end().await;
        assert_eq!(ended.code, 2, "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(name) || ended.stderr.contains(value), "{name}: {}", ended.stderr);
    }
}
