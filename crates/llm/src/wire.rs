//! The chat-completions dialect as types of our own, to call it and to serve it.

mod error;
mod first;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use error::{ErrorBody, ServerFault};

/// `POST /v1/chat/completions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChatRequest<'a> {
    /// The model's name as the server knows it.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// What is said, in order.
    #[serde(borrow)]
    pub messages: Vec<ChatMessage<'a>>,
    /// Sampling temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The most tokens to write, as most servers call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The most tokens to write, as newer servers call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// Whether the answer is to come as a stream of chunks.
    #[serde(default)]
    pub stream: bool,
    /// What the stream is to hold besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// What the answer must look like.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<Format<'a>>,
    /// Whom the call is made for.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Text<'a>>,
}

/// One message of a prompt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChatMessage<'a> {
    /// `system`, `user` or `assistant`.
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    /// What is said.
    #[serde(borrow)]
    pub content: Cow<'a, str>,
}

/// What a stream is to hold besides the answer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct StreamOptions {
    /// Whether the last chunk is to say how many tokens were used.
    #[serde(default)]
    pub include_usage: bool,
}

/// What an answer must look like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Format<'a> {
    /// `text`, `json_object` or `json_schema`.
    #[serde(borrow)]
    pub r#type: Cow<'a, str>,
    /// The schema, for the last of these.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<NamedSchema<'a>>,
}

impl<'a> Format<'a> {
    /// JSON of a schema.
    #[must_use]
    pub fn json_schema(name: &'a str, schema: &'a serde_json::Value) -> Format<'a> {
        let schema = NamedSchema { name: name.into(), strict: true, schema: Cow::Borrowed(schema) };
        Format { r#type: "json_schema".into(), json_schema: Some(schema) }
    }
}

/// A schema and its name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamedSchema<'a> {
    /// The schema's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Whether the server must refuse schemas it cannot hold an answer to.
    #[serde(default)]
    pub strict: bool,
    /// The JSON schema.
    pub schema: Cow<'a, serde_json::Value>,
}

/// Text that borrows from what it was read from, also within an `Option`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Text<'_> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

/// One event of a streamed answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Chunk<'a> {
    /// The model's name as the server gives it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text<'a>>,
    /// What was added. A list on the wire, of which only the first counts: no more were asked for.
    #[serde(borrow, default, rename = "choices", with = "first")]
    pub choice: Option<ChunkChoice<'a>>,
    /// Tokens used; with the last chunk, if at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<WireUsage>,
    /// A fault in the middle of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<serde_json::Value>,
}

/// What a chunk adds to the answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ChunkChoice<'a> {
    /// The place among the answers asked for.
    #[serde(default)]
    pub index: u32,
    /// What is added.
    #[serde(borrow, default)]
    pub delta: Said<'a>,
    /// Why the answer ends here, if it does.
    #[serde(borrow, default)]
    pub finish_reason: Option<Text<'a>>,
}

/// An answer in one piece.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Completion<'a> {
    /// The model's name as the server gives it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text<'a>>,
    /// The answer. A list on the wire, of which only the first counts: no more were asked for.
    #[serde(borrow, default, rename = "choices", with = "first")]
    pub choice: Option<CompletionChoice<'a>>,
    /// Tokens used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<WireUsage>,
    /// A fault that the status did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<serde_json::Value>,
}

/// The answer of a completion.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CompletionChoice<'a> {
    /// The place among the answers asked for.
    #[serde(default)]
    pub index: u32,
    /// What was said.
    #[serde(borrow, default)]
    pub message: Said<'a>,
    /// Why the answer ended.
    #[serde(borrow, default)]
    pub finish_reason: Option<Text<'a>>,
}

/// What a model said: of a whole answer, or what a chunk adds to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Said<'a> {
    /// Who says it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text<'a>>,
    /// The answer.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Text<'a>>,
    /// The reasoning before it, as llama.cpp, DeepSeek and older vLLM call it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<Text<'a>>,
    /// The reasoning before it, as OpenRouter, Ollama and newer vLLM call it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Text<'a>>,
}

impl Said<'_> {
    /// What was added to the answer.
    #[must_use]
    pub fn content(&self) -> &str {
        self.content.as_ref().map_or("", Text::as_str)
    }

    /// What was added to the reasoning, under whichever name. Servers that send both send the same.
    #[must_use]
    pub fn reasoning(&self) -> &str {
        let said = |text: &'_ Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.0.is_empty());
        let field = if said(&self.reasoning_content) { &self.reasoning_content } else { &self.reasoning };
        field.as_ref().map_or("", Text::as_str)
    }
}

/// Tokens used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireUsage {
    /// Tokens of the prompt.
    #[serde(default)]
    pub prompt_tokens: Option<u64>,
    /// Tokens written, reasoning included.
    #[serde(default)]
    pub completion_tokens: Option<u64>,
    /// Both together.
    #[serde(default)]
    pub total_tokens: Option<u64>,
}

/// `GET /v1/models`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ModelList {
    /// The models a server has.
    #[serde(default, deserialize_with = "error::null_as_default")]
    pub data: Vec<ModelEntry>,
}

/// One model of a server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelEntry {
    /// The model's name.
    pub id: String,
}
