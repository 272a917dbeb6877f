//! Requests and clients that the tests have in common.

#![allow(dead_code, clippy::allow_attributes, reason = "not every test uses everything")]

pub(crate) mod llama;
pub(crate) mod world;

use std::sync::{Arc, Once};

use fleet_deliberation::{AgentId, DeliberationId, JobId, JobKind, Priority};
use fleet_llm::{Limits, OpenAi, ServerConfig};
use fleet_orchestrator::port::{Message, ModelRequest, ResponseFormat, Speaker};
use serde_json::json;

/// What the requests of these tests ask.
pub(crate) const PROMPT: &str = "Plan a riverbank for the spring floods.";

pub(crate) fn limits(first_token_ms: u64, between_tokens_ms: u64, total_ms: u64) -> Limits {
    Limits { first_token_ms, between_tokens_ms, total_ms, ..Limits::default() }
}

/// Sets up what every client needs.
pub(crate) fn ring() {
    static RING: Once = Once::new();
    RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

pub(crate) fn config(url: &str, key: Option<&str>, limits: Limits) -> ServerConfig {
    ring();
    ServerConfig { url: url.into(), api_key: key.map(Into::into), limits }
}

pub(crate) fn client(url: &str) -> OpenAi {
    client_with(url, Limits::default())
}

pub(crate) fn client_with(url: &str, limits: Limits) -> OpenAi {
    OpenAi::new(config(url, None, limits)).expect("a valid setting")
}

pub(crate) fn request() -> ModelRequest {
    let agent = AgentId::new("agent-dev-001").expect("a valid setting");
    let message = |speaker, text: &str| Message { speaker, text: text.into() };
    ModelRequest {
        job: JobId {
            deliberation: DeliberationId::new("task-1").expect("a valid setting"),
            round: 0,
            kind: JobKind::Propose,
            subject: agent.clone(),
        },
        attempt: 1,
        agent,
        profile: "default".into(),
        endpoint: None,
        model: "tiny".into(),
        messages: vec![message(Speaker::System, "Be brief."), message(Speaker::User, PROMPT)],
        temperature: 0.91,
        tokens_max: 300,
        parameters: Arc::default(),
        format: ResponseFormat::Text,
        priority: Priority::default(),
        trace: "".into(),
        timeout_ms: 60_000,
    }
}

/// A request for a job of another deliberation.
pub(crate) fn request_of(deliberation: &str) -> ModelRequest {
    let mut request = request();
    request.job.deliberation = DeliberationId::new(deliberation).expect("a name");
    request
}

/// A port on which nothing listens.
pub(crate) fn closed_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

pub(crate) fn review_request() -> ModelRequest {
    let mut request = request();
    request.job.kind = JobKind::Critique;
    request.job.round = 1;
    let schema = json!({
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 10}},
        "required": ["score"],
        "additionalProperties": false,
    });
    request.format = ResponseFormat::Json { name: "review", schema: Arc::new(schema) };
    request
}
