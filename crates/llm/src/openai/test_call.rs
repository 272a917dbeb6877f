//! One small call of one server, timed: for people who want to know how it does.

use std::sync::{Arc, Mutex, PoisonError};

use fleet_deliberation::{AgentId, DeliberationId, FailureKind, JobId, JobKind, Parameters, Priority};
use fleet_orchestrator::port::{Message, ModelError, ModelRequest, ResponseFormat, Speaker, Tokens};
use tokio::time::Instant;

use super::{OpenAi, check, error};

/// The most tokens a test call writes.
const TOKENS_MAX: u32 = 64;

/// What a test call showed.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCall {
    /// The model's name as the server gives it.
    pub model: String,
    /// Milliseconds from the call to the first token.
    pub first_token_ms: u64,
    /// Milliseconds in all.
    pub total_ms: u64,
    /// Tokens written, reasoning included.
    pub tokens: u64,
    /// Tokens a second once the first was there; `None` when they came too few or all at once.
    pub tokens_per_second: Option<f64>,
    /// What it answered; empty when all its tokens went into reasoning.
    pub text: String,
}

#[derive(Default)]
struct Clocked {
    first: Option<Instant>,
    last: Option<Instant>,
    tokens: u64,
}

impl OpenAi {
    /// Makes one small call to `model` with the parameters of its profile. Costs what such a call costs.
    pub async fn test_call(&self, model: &str, parameters: Arc<Parameters>) -> Result<TestCall, ModelError> {
        let request = request(model, parameters, self.limits.total_ms)?;
        check(&request)?;
        let clocked = Mutex::new(Clocked::default());
        let started = Instant::now();
        let heard = |tokens: Tokens<'_>| {
            let mut clocked = clocked.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            clocked.first.get_or_insert(now);
            clocked.last = Some(now);
            clocked.tokens = tokens.written;
        };
        let called = self.call(&request, 1, request.timeout_ms, &heard).await.map_err(|failed| failed.error);
        let ended = Instant::now();
        let clocked = clocked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (model, tokens, text) = match called {
            Ok(answer) => (answer.model, answer.usage.completion_tokens, answer.text),
            // All reasoning and no answer: the server does what it should, within so few tokens.
            Err(error) if error.kind == FailureKind::Empty && clocked.tokens > 0 => {
                (model.to_owned(), clocked.tokens, String::new())
            }
            Err(error) => return Err(error),
        };
        let ms = |until: Instant| u64::try_from((until - started).as_millis()).unwrap_or(u64::MAX);
        Ok(TestCall {
            model,
            first_token_ms: clocked.first.map_or_else(|| ms(ended), ms),
            total_ms: ms(ended),
            tokens,
            tokens_per_second: clocked.rate(tokens),
            text,
        })
    }
}

impl Clocked {
    fn rate(&self, tokens: u64) -> Option<f64> {
        let seconds = (self.last? - self.first?).as_secs_f64();
        let behind_the_first = tokens.checked_sub(1).filter(|tokens| *tokens > 0)?;
        (seconds > 0.001).then(|| behind_the_first as f64 / seconds)
    }
}

pub(super) fn request(
    model: &str,
    parameters: Arc<Parameters>,
    timeout_ms: u64,
) -> Result<ModelRequest, ModelError> {
    let name = |bad: fleet_deliberation::IdError| error(FailureKind::Internal, bad.to_string());
    let agent = AgentId::new("fleet-models").map_err(name)?;
    let message = |speaker, text: &str| Message { speaker, text: text.into() };
    Ok(ModelRequest {
        job: JobId {
            deliberation: DeliberationId::new("test-call").map_err(name)?,
            round: 0,
            kind: JobKind::Propose,
            subject: agent.clone(),
        },
        attempt: 1,
        agent,
        profile: "".into(),
        endpoint: None,
        model: model.into(),
        messages: vec![
            message(Speaker::System, "You answer in one line."),
            message(Speaker::User, "Count from one to twenty, in words."),
        ],
        temperature: 0.0,
        tokens_max: TOKENS_MAX,
        parameters,
        format: ResponseFormat::Text,
        priority: Priority::default(),
        trace: "".into(),
        timeout_ms,
    })
}
