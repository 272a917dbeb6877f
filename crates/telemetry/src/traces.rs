//! Tells the collector what happens.

use std::sync::Arc;

use fleet_deliberation::{Deliberation, DeliberationId};
use fleet_orchestrator::TraceContext;
use fleet_orchestrator::port::{Attempted, Called, Observer};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, InstrumentationScope, Key, KeyValue, Value};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Config, SamplingDecision, ShouldSample, SpanExporter as _};

use crate::export::Export;
use crate::queue::{Queue, Spans};
use crate::settings::TraceSettings;
use crate::span;

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names")]
pub struct CannotExport(#[source] ExporterBuildError);

/// Makes spans of what it is told.
#[derive(Debug)]
pub struct Traces {
    queue: Arc<Queue>,
    sampler: Box<dyn ShouldSample>,
    scope: InstrumentationScope,
    content: bool,
}

/// Traces to the collector that the environment names (`OTEL_EXPORTER_OTLP_*`), and what sends them there.
/// Nothing is sent yet.
pub fn export(settings: &TraceSettings) -> Result<(Traces, Export<SpanExporter>), CannotExport> {
    let mut builder = SpanExporter::builder().with_tonic();
    if settings.tls {
        builder = builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let mut exporter = builder.build().map_err(CannotExport)?;
    exporter.set_resource(&resource());
    // The sampler that OTEL_TRACES_SAMPLER names.
    Ok(Traces::to(exporter, Config::default().sampler, settings))
}

impl Traces {
    /// Traces to `exporter` of what `sampler` takes.
    pub(crate) fn to<E: opentelemetry_sdk::trace::SpanExporter>(
        exporter: E,
        sampler: Box<dyn ShouldSample>,
        settings: &TraceSettings,
    ) -> (Traces, Export<E>) {
        let queue = Arc::new(Queue::new(settings.waiting_max, settings.batch_max));
        let export = Export::new(exporter, Arc::clone(&queue), settings);
        (Traces { queue, sampler, scope: span::scope(), content: settings.content }, export)
    }

    /// What became of spans so far.
    #[must_use]
    pub fn spans(&self) -> Spans {
        self.queue.spans()
    }

    /// Whether a deliberation is traced. It is decided on what all its spans know, so that a trace is whole
    /// or not there.
    fn samples(&self, id: &DeliberationId, submitted_in: &str) -> bool {
        let context = match submitted_in.parse::<TraceContext>() {
            Ok(parent) => {
                let flags = TraceFlags::default().with_sampled(parent.sampled);
                let (trace_id, span_id) = (TraceId::from(parent.trace_id), SpanId::from(parent.span_id));
                let parent = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
                Context::new().with_remote_span_context(parent)
            }
            Err(_) => Context::new(),
        };
        let trace_id = TraceId::from(TraceContext::of_deliberation(id, submitted_in).trace_id);
        let (name, kind) = ("invoke_workflow", SpanKind::Internal);
        let asked = self.sampler.should_sample(Some(&context), trace_id, name, &kind, &[], &[]);
        asked.decision == SamplingDecision::RecordAndSample
    }
}

impl Observer for Traces {
    fn ended(&self, state: &Deliberation) {
        if self.samples(state.id(), &state.submission().trace)
            && let Some(span) = span::workflow(state, &self.scope, self.content)
        {
            self.queue.put(span);
        }
    }

    fn attempted(&self, attempted: &Attempted<'_>) {
        if self.samples(attempted.state.id(), &attempted.state.submission().trace) {
            self.queue.put(span::attempt(attempted, &self.scope, self.content));
        }
    }

    fn called(&self, called: &Called<'_>) {
        if self.samples(&called.request.job.deliberation, &called.request.trace) {
            self.queue.put(span::chat(called, &self.scope, self.content));
        }
    }
}

/// Who we are, by `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` where they say so.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let name = said.get(&Key::from_static_str("service.name"));
    let unknown = name.is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let name = unknown.then(|| KeyValue::new("service.name", "fleet"));
    let version = said.get(&Key::from_static_str("service.version"));
    let version = version.unwrap_or_else(|| Value::from(env!("CARGO_PKG_VERSION")));
    let version = KeyValue::new("service.version", version);
    Resource::builder().with_attributes(name.into_iter().chain([version])).build()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use fleet_deliberation::{AgentId, CheckReport, Ending, FailureKind, Outcome};
    use opentelemetry::trace::Status;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, SpanData};

    use super::*;
    use crate::sample::{self, ANSWER, PARENT, PROMPT};

    /// Keeps what it is given.
    #[derive(Debug, Clone, Default)]
    struct Collector(Arc<Mutex<Vec<SpanData>>>);

    impl opentelemetry_sdk::trace::SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    fn settings(content: bool) -> TraceSettings {
        let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://c:4317".to_owned());
        TraceSettings { content, ..TraceSettings::read(get).unwrap().unwrap() }
    }

    fn traces(content: bool, sampler: Sampler) -> Traces {
        Traces::to(Collector::default(), Box::new(sampler), &settings(content)).0
    }

    /// Tells of a deliberation with an attempt, its two calls and a check.
    fn tell(traces: &Traces, trace: &str) {
        let (state, agent) = (sample::open(trace), AgentId::new("a").unwrap());
        let text = Outcome::Text(sample::generation());
        let request = sample::request("task-1/0/propose/a", 1, trace);
        let fault = sample::fault(FailureKind::Connection);
        traces.called(&sample::called(&request, 1, Some(Err(&fault))));
        traces.called(&sample::called(&request, 2, Some(Ok(&sample::generation()))));
        traces.attempted(&sample::attempted(&state, &request.job, &agent, Ok(&text)));
        let (check, report) = (sample::job("task-1/0/check/a"), Outcome::Checks(CheckReport::default()));
        traces.attempted(&sample::attempted(&state, &check, &agent, Ok(&report)));
        traces.ended(&sample::completed(trace, 2_000));
    }

    fn text(span: &SpanData, key: &str) -> Option<String> {
        let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
        Some(attribute.value.to_string())
    }

    fn ids(span: &SpanData) -> (String, String) {
        (span.span_context.span_id().to_string(), span.parent_span_id.to_string())
    }

    #[test]
    fn a_deliberation_its_attempts_and_their_calls_are_one_tree() {
        let traces = traces(false, Sampler::AlwaysOn);
        tell(&traces, PARENT);
        let spans = traces.queue.batch();
        let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
        assert_eq!(
            names,
            [
                "chat some-model",
                "chat some-model",
                "invoke_agent a",
                "execute_tool check",
                "invoke_workflow DEV"
            ]
        );
        let [first, second, agent, check, workflow] = &spans[..] else { panic!("{names:?}") };
        for span in &spans {
            assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(text(span, "gen_ai.conversation.id").as_deref(), Some("task-1"));
        }
        assert_eq!(ids(workflow).1, "00f067aa0ba902b7", "the span it was submitted in");
        assert!(workflow.parent_span_is_remote);
        assert_eq!([ids(agent).1, ids(check).1], [ids(workflow).0, ids(workflow).0]);
        assert_eq!([ids(first).1, ids(second).1], [ids(agent).0, ids(agent).0]);
        assert_ne!(ids(first).0, ids(second).0);
        let of = TraceContext::of_deliberation(&sample::submission("").id, PARENT);
        assert_eq!(ids(workflow).0, format!("{:016x}", of.span_id), "as every process names it");
        let (from, to) = (workflow.start_time, workflow.end_time);
        assert_eq!(to.duration_since(from).unwrap().as_millis(), 2_000);
    }

    #[test]
    fn a_deliberation_that_was_submitted_in_no_trace_begins_one() {
        let traces = traces(false, Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
        tell(&traces, "");
        let spans = traces.queue.batch();
        let workflow = spans.last().unwrap();
        assert_eq!(spans.len(), 5);
        assert_eq!((workflow.parent_span_id, workflow.parent_span_is_remote), (SpanId::INVALID, false));
        assert!(workflow.span_context.is_valid());
    }

    #[test]
    fn a_call_says_what_was_asked_of_whom_and_what_came_of_it() {
        let traces = traces(false, Sampler::AlwaysOn);
        tell(&traces, "");
        let spans = traces.queue.batch();
        let [failed, answered, ..] = &spans[..] else { panic!() };
        let expected = [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "some-model"),
            ("gen_ai.request.temperature", "0.91"),
            ("gen_ai.request.max_tokens", "100"),
            ("gen_ai.request.top_p", "0.9"),
            ("gen_ai.request.seed", "7"),
            ("gen_ai.request.stream", "true"),
            ("gen_ai.output.type", "text"),
            ("gen_ai.agent.id", "a"),
            ("server.address", "gpu"),
            ("server.port", "8000"),
        ];
        for span in [failed, answered] {
            assert_eq!(span.span_kind, SpanKind::Client);
            for (key, value) in expected {
                assert_eq!(text(span, key).as_deref(), Some(value), "{key}");
            }
        }
        for (key, value) in [
            ("gen_ai.response.model", "some-model-0613"),
            ("gen_ai.response.finish_reasons", "[\"stop\"]"),
            ("gen_ai.response.time_to_first_chunk", "0.25"),
            ("gen_ai.usage.input_tokens", "20"),
            ("gen_ai.usage.output_tokens", "5"),
            ("fleet.call.hedge", "true"),
        ] {
            assert_eq!(text(answered, key).as_deref(), Some(value), "{key}");
        }
        assert_eq!((text(answered, "error.type"), &answered.status), (None, &Status::Unset));
        assert_eq!(text(failed, "error.type").as_deref(), Some("connection"));
        assert_eq!(failed.status, Status::error(""), "a server's words may be those of the prompt");
        assert_eq!(text(failed, "gen_ai.usage.input_tokens"), None);
    }

    #[test]
    fn a_call_that_was_given_up_is_no_failure_and_has_no_answer() {
        let traces = traces(true, Sampler::AlwaysOn);
        traces.called(&sample::called(&sample::request("task-1/0/propose/a", 1, ""), 1, None));
        let spans = traces.queue.batch();
        assert_eq!(text(&spans[0], "error.type").as_deref(), Some("given_up"));
        assert_eq!(spans[0].status, Status::Unset);
        assert_eq!(text(&spans[0], "gen_ai.output.messages"), None);
    }

    #[test]
    fn a_deliberation_without_a_verdict_says_why_and_a_cancelled_one_is_no_failure() {
        let traces = traces(false, Sampler::AlwaysOn);
        let reason = "because of a secret".to_owned();
        for (ending, failure) in [
            (Ending::TimedOut, Some("timeout")),
            (Ending::NoQuorum { answered: 0, quorum: 1 }, Some("no_quorum")),
            (Ending::Cancelled { reason }, None),
        ] {
            traces.ended(&sample::ended("", 5, ending));
            let span = traces.queue.batch().remove(0);
            assert_eq!(text(&span, "error.type").as_deref(), failure);
            assert_eq!(span.status != Status::Unset, failure.is_some());
            assert!(!format!("{span:?}").contains("secret"));
        }
    }

    #[test]
    fn prompts_and_answers_are_in_spans_only_where_that_is_asked_for() {
        let quiet = traces(false, Sampler::AlwaysOn);
        tell(&quiet, "");
        let spans = format!("{:?}", quiet.queue.batch());
        assert!(!spans.contains(PROMPT) && !spans.contains(ANSWER));

        let open = traces(true, Sampler::AlwaysOn);
        tell(&open, "");
        let spans = open.queue.batch();
        let [failed, answered, agent, check, workflow] = &spans[..] else { panic!() };
        let has = |span, key: &str, what: &str| text(span, key).is_some_and(|text| text.contains(what));
        for chat in [failed, answered] {
            assert!(has(chat, "gen_ai.input.messages", PROMPT), "{chat:?}");
        }
        assert!(has(answered, "gen_ai.input.messages", "\"role\":\"system\""));
        assert!(has(answered, "gen_ai.output.messages", ANSWER));
        assert!(has(agent, "gen_ai.output.messages", ANSWER));
        assert!(has(workflow, "gen_ai.input.messages", PROMPT));
        assert_eq!(failed.status, Status::error("it is down"));
        assert!(!format!("{check:?}").contains("secret"));
    }

    #[test]
    fn a_trace_is_there_whole_or_not_at_all() {
        let kept = |sampler, trace: &str| {
            let traces = traces(false, sampler);
            tell(&traces, trace);
            traces.queue.batch().len()
        };
        let by_parent = || Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
        let unsampled = format!("{}00", &PARENT[..PARENT.len() - 2]);
        assert_eq!(kept(by_parent(), PARENT), 5);
        assert_eq!(kept(by_parent(), &unsampled), 0, "who began the trace does not want it");
        assert_eq!(kept(Sampler::AlwaysOn, &unsampled), 5);
        assert_eq!(kept(Sampler::AlwaysOff, PARENT), 0);
        let some: Vec<usize> = (0..20_u128)
            .map(|n| format!("00-{:032x}-00f067aa0ba902b7-01", (n * 997 + 1) << 49))
            .map(|trace| kept(Sampler::TraceIdRatioBased(0.5), &trace))
            .collect();
        assert!(some.iter().all(|n| [0, 5].contains(n)), "{some:?}");
        assert!(some.contains(&0) && some.contains(&5), "{some:?}");
    }

    #[tokio::test]
    async fn everything_told_before_the_stop_arrives() {
        let collector = Collector::default();
        let (traces, export) = Traces::to(collector.clone(), Box::new(Sampler::AlwaysOn), &settings(false));
        let stop = tokio_util::sync::CancellationToken::new();
        for _ in 0..1_000 {
            tell(&traces, "");
        }
        stop.cancel();
        export.run(stop).await;
        assert_eq!(collector.0.lock().unwrap().len(), 5_000);
        assert_eq!(traces.spans(), Spans { sent: 5_000, failed: 0, dropped: 0 });
    }
}
