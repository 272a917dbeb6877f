//! A language model behind whatever server runs it.

use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{AgentId, Failure, FailureKind, Generation, JobId, Parameters, Priority, Profile};

/// One call of a model.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// The job it is for.
    pub job: JobId,
    /// Which attempt at that job it is; the first is 1.
    pub attempt: u32,
    /// The agent that speaks.
    pub agent: AgentId,
    /// The name of the profile that says which servers to ask.
    pub profile: Arc<str>,
    /// The base URL of the agent's own server; the profile's servers are not asked then.
    pub endpoint: Option<Arc<str>>,
    /// The model's name as its server knows it.
    pub model: Arc<str>,
    /// What is said, in order.
    pub messages: Vec<Message>,
    /// Sampling temperature.
    pub temperature: f64,
    /// The most tokens the model may write.
    pub tokens_max: u32,
    /// What is sent besides, by the names the server knows.
    pub parameters: Arc<Parameters>,
    /// What the answer must look like.
    pub format: ResponseFormat,
    /// Who goes first where not all can be served at once.
    pub priority: Priority,
    /// The trace that the deliberation was submitted in, as the header `traceparent` writes it; may be empty.
    pub trace: Arc<str>,
    /// Milliseconds until the answer is of no use any more.
    pub timeout_ms: u64,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub speaker: Speaker,
    /// What is said.
    pub text: String,
}

/// The roles of the chat dialect that prompts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Says how the model is to behave.
    System,
    /// Asks.
    User,
}

/// What the answer must look like.
#[derive(Debug, Clone, Default)]
pub enum ResponseFormat {
    /// Text of any form.
    #[default]
    Text,
    /// JSON of a schema, where the server can be told so; where it cannot, the prompt alone asks for it.
    Json {
        /// The schema's name.
        name: &'static str,
        /// The JSON schema.
        schema: Arc<serde_json::Value>,
    },
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens<'a> {
    /// Tokens written so far, as far as can be told while they come (one per delta of the stream).
    pub written: u64,
    /// True while the model is still reasoning before its answer.
    pub reasoning: bool,
    /// What has come since the last time, of the answer or of the reasoning before it.
    pub text: &'a str,
}

/// Who is told of tokens as they come.
pub type Heard<'a> = &'a (dyn for<'t> Fn(Tokens<'t>) + Send + Sync);

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What kind of fault it was; says whether trying again may help.
    pub kind: FailureKind,
    /// What happened and what it was about, in a sentence, without prompts, answers or keys.
    pub message: String,
    /// How long the server asked to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl ModelError {
    /// The error as the failure of a job after `attempts` attempts.
    #[must_use]
    pub fn into_failure(self, attempts: u32) -> Failure {
        Failure::new(self.kind, self.message, attempts)
    }
}

/// Calls models.
#[async_trait]
pub trait LanguageModel: Send + Sync {
    /// Calls the model once; never tries again by itself, for a job's attempts are counted elsewhere.
    /// `heard` is told of tokens as they come. Dropping the future ends the call at the server.
    /// A generation's text is never empty.
    async fn complete(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError>;

    /// Whether a call with `profile` has somewhere to go, as far as is known without asking.
    fn reachable(&self, profile: &Profile) -> bool {
        let _ = profile;
        true
    }

    /// Looks at the server of its own that a profile names, if it names one, and keeps an eye on it from then
    /// on. Gives what speaks against calling it now, in words.
    async fn look(&self, profile: &Profile) -> Option<String> {
        let _ = profile;
        None
    }
}
