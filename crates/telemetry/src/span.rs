//! Spans in the words of the conventions: a workflow for a deliberation, an agent or a tool for an attempt at a
//! job, a chat for a call of a model.

use std::time::{Duration, SystemTime};

use fleet_deliberation::{CheckKind, CheckOutcome, Deliberation, Generation, JobKind, Outcome, Timestamp};
use fleet_orchestrator::TraceContext;
use fleet_orchestrator::port::{Attempted, Called, ModelError, ModelRequest, ResponseFormat};
use fleet_orchestrator::stats::End;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::{address, content};

/// The dialect that is spoken with models, whoever serves them.
pub(crate) const PROVIDER: &str = "openai";
/// What a call that nobody wanted any more ended with.
pub(crate) const GIVEN_UP: &str = "given_up";
/// What checks are called, as a tool.
const CHECK: &str = "check";

/// Who writes the spans.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("fleet")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url("https://opentelemetry.io/schemas/1.41.0")
        .build()
}

/// The span of a deliberation that has ended, within the one it was submitted in.
pub(crate) fn workflow(
    state: &Deliberation,
    scope: &InstrumentationScope,
    with_content: bool,
) -> Option<SpanData> {
    let (submission, ended) = (state.submission(), state.ended.as_ref()?);
    let parent = submission.trace.parse::<TraceContext>().ok();
    let context = TraceContext::of_deliberation(&submission.id, &submission.trace);
    let role = submission.role.as_str();
    let mut span = Span::new("invoke_workflow", role, SpanKind::Internal);
    span.text("gen_ai.workflow.name", role);
    span.text("gen_ai.conversation.id", submission.id.as_str());
    span.number("fleet.agents", submission.members.len());
    span.number("fleet.agents.answered", state.answered());
    span.number("fleet.rounds", submission.rounds);
    span.number("fleet.jobs.completed", state.jobs.completed);
    span.number("fleet.jobs.failed", state.jobs.failed);
    // Not as `gen_ai.usage`: the calls below have it, and who adds up a trace would count twice.
    span.number("fleet.usage.input_tokens", state.usage.prompt_tokens);
    span.number("fleet.usage.output_tokens", state.usage.completion_tokens);
    let end = End::of(&ended.ending);
    span.text("fleet.ending", end.as_str());
    match end {
        End::Completed => {
            if let Some(winner) = state.winner() {
                span.text("fleet.winner", winner.as_str());
            }
        }
        // Somebody wanted it so.
        End::Cancelled => {}
        End::NoQuorum => span.fail(end.as_str(), "too few agents answered", true),
        End::TimedOut => span.fail(end.as_str(), "its time was up", true),
    }
    if with_content {
        span.text("gen_ai.input.messages", content::task(&submission.task.description));
    }
    let mut data = span.done(context, (state.opened.at, ended.at), scope);
    if let Some(parent) = parent {
        data.parent_span_id = SpanId::from(parent.span_id);
        data.parent_span_is_remote = true;
    }
    Some(data)
}

/// The span of an attempt at a job, within its deliberation's.
pub(crate) fn attempt(
    attempted: &Attempted<'_>,
    scope: &InstrumentationScope,
    with_content: bool,
) -> SpanData {
    let Attempted { state, job, attempt, agent, .. } = *attempted;
    let submission = state.submission();
    let parent = TraceContext::of_deliberation(&submission.id, &submission.trace);
    let mut span = match job.kind {
        JobKind::Check => {
            let mut span = Span::new("execute_tool", CHECK, SpanKind::Internal);
            span.text("gen_ai.tool.name", CHECK);
            span.text("gen_ai.tool.type", "function");
            span
        }
        JobKind::Propose | JobKind::Critique | JobKind::Revise | JobKind::Judge | JobKind::Select => {
            let mut span = Span::new("invoke_agent", agent.as_str(), SpanKind::Internal);
            span.text("gen_ai.provider.name", PROVIDER);
            span.text("gen_ai.agent.id", agent.as_str());
            span.text("gen_ai.agent.name", agent.as_str());
            if let Some(member) = submission.members.iter().find(|member| member.agent == *agent) {
                span.text("gen_ai.request.model", member.profile.model.as_str());
            }
            span
        }
    };
    span.text("gen_ai.conversation.id", submission.id.as_str());
    span.text("fleet.role", submission.role.as_str());
    span.text("fleet.job.id", job.to_string());
    span.text("fleet.job.kind", job.kind.as_str());
    span.number("fleet.job.round", job.round);
    span.number("fleet.job.attempt", attempt);
    match attempted.came_of_it {
        Ok(
            Outcome::Text(generation)
            | Outcome::Review { generation, .. }
            | Outcome::Judgement { generation, .. }
            | Outcome::Choice { generation, .. },
        ) => {
            span.generation(generation, with_content);
        }
        Ok(Outcome::Checks(report)) => {
            for (kind, result) in &report.checks {
                let key = match kind {
                    CheckKind::Policy => "fleet.check.policy",
                    CheckKind::Lint => "fleet.check.lint",
                    CheckKind::DryRun => "fleet.check.dry_run",
                    CheckKind::Tests => "fleet.check.tests",
                };
                let outcome = match result.outcome {
                    CheckOutcome::Pass => "pass",
                    CheckOutcome::Fail => "fail",
                    CheckOutcome::Error => "error",
                    CheckOutcome::Skipped => "skipped",
                };
                span.add(key, outcome);
            }
        }
        Ok(Outcome::Failed(failure)) => span.fail(failure.kind.as_str(), &failure.message, with_content),
        Err(ModelError { kind, message, .. }) => span.fail(kind.as_str(), message, with_content),
    }
    let times = (attempted.started_at, attempted.ended_at);
    let mut data = span.done(parent.of_attempt(job, attempt), times, scope);
    data.parent_span_id = SpanId::from(parent.span_id);
    data
}

/// The span of a call of a model, within the attempt it is made for.
pub(crate) fn chat(called: &Called<'_>, scope: &InstrumentationScope, with_content: bool) -> SpanData {
    let request = called.request;
    let workflow = TraceContext::of_deliberation(&request.job.deliberation, &request.trace);
    let parent = workflow.of_attempt(&request.job, request.attempt);
    let mut span = Span::new("chat", &request.model, SpanKind::Client);
    span.text("gen_ai.provider.name", PROVIDER);
    span.text("gen_ai.conversation.id", request.job.deliberation.as_str());
    span.text("gen_ai.agent.id", request.agent.as_str());
    span.text("gen_ai.agent.name", request.agent.as_str());
    span.request(request);
    match address::of(called.server) {
        Some((host, port)) => {
            span.text("server.address", host.to_owned());
            span.number("server.port", port);
        }
        None => span.text("server.address", called.server.to_owned()),
    }
    span.number("fleet.call.nth", called.nth);
    span.add("fleet.call.hedge", called.hedge);
    if with_content {
        span.text("gen_ai.input.messages", content::input(&request.messages));
    }
    match called.came_of_it {
        Some(Ok(generation)) => {
            span.generation(generation, with_content);
            span.add("gen_ai.response.time_to_first_chunk", generation.first_token_ms as f64 / 1000.0);
        }
        Some(Err(error)) => span.fail(error.kind.as_str(), &error.message, with_content),
        // No error: somebody else answered first, or nobody wanted to know any more.
        None => span.text("error.type", GIVEN_UP),
    }
    let times = (called.started_at, called.ended_at);
    let mut data = span.done(workflow.of_call(&request.job, request.attempt, called.nth), times, scope);
    data.parent_span_id = SpanId::from(parent.span_id);
    data
}

/// A span that is being written.
struct Span {
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
    status: Status,
}

impl Span {
    /// The span of an operation on something.
    fn new(operation: &'static str, on: &str, kind: SpanKind) -> Span {
        let attributes = vec![KeyValue::new("gen_ai.operation.name", operation)];
        Span { name: format!("{operation} {on}"), kind, attributes, status: Status::Unset }
    }

    fn add(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    fn text(&mut self, key: impl Into<Key>, value: impl Into<String>) {
        self.add(key, Value::from(value.into()));
    }

    fn number(&mut self, key: &'static str, n: impl TryInto<i64>) {
        self.add(key, n.try_into().unwrap_or(i64::MAX));
    }

    /// The message is left out unless it may be told: that of a model's failure repeats the words of its
    /// server, which may be those of the prompt.
    fn fail(&mut self, kind: &'static str, message: &str, may_be_told: bool) {
        self.add("error.type", kind);
        self.status = Status::error(if may_be_told { message.to_owned() } else { String::new() });
    }

    fn request(&mut self, request: &ModelRequest) {
        self.text("gen_ai.request.model", &*request.model);
        self.add("gen_ai.request.temperature", request.temperature);
        self.number("gen_ai.request.max_tokens", request.tokens_max);
        self.add("gen_ai.request.stream", true);
        let output = match request.format {
            ResponseFormat::Text => "text",
            ResponseFormat::Json { .. } => "json",
        };
        self.add("gen_ai.output.type", output);
        let parameter = |name| request.parameters.get(name);
        for (name, key) in [
            ("top_p", "gen_ai.request.top_p"),
            ("top_k", "gen_ai.request.top_k"),
            ("frequency_penalty", "gen_ai.request.frequency_penalty"),
            ("presence_penalty", "gen_ai.request.presence_penalty"),
        ] {
            if let Some(value) = parameter(name).and_then(serde_json::Value::as_f64) {
                self.add(key, value);
            }
        }
        if let Some(seed) = parameter("seed").and_then(serde_json::Value::as_i64) {
            self.add("gen_ai.request.seed", seed);
        }
    }

    fn generation(&mut self, generation: &Generation, with_content: bool) {
        if !generation.model.is_empty() {
            self.text("gen_ai.response.model", generation.model.as_str());
        }
        let reasons = vec![StringValue::from(content::finish_reason(generation))];
        self.add("gen_ai.response.finish_reasons", Value::Array(Array::String(reasons)));
        self.number("gen_ai.usage.input_tokens", generation.usage.prompt_tokens);
        self.number("gen_ai.usage.output_tokens", generation.usage.completion_tokens);
        if generation.usage.estimated {
            self.add("fleet.usage.estimated", true);
        }
        if with_content {
            self.text("gen_ai.output.messages", content::output(generation));
        }
    }

    /// The span as it is sent; it still has no parent.
    fn done(
        self,
        context: TraceContext,
        (from, to): (Timestamp, Timestamp),
        scope: &InstrumentationScope,
    ) -> SpanData {
        let (trace_id, span_id) = (TraceId::from(context.trace_id), SpanId::from(context.span_id));
        SpanData {
            span_context: SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: self.kind,
            name: self.name.into(),
            start_time: time(from),
            end_time: time(to.max(from)),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.status,
            instrumentation_scope: scope.clone(),
        }
    }
}

fn time(moment: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(moment.0)
}
