//! The body of a request, and the parts of it that some servers refuse.

use bytes::Bytes;
use fleet_deliberation::Parameters;
use fleet_orchestrator::port::{ModelRequest, ResponseFormat, Speaker};
use reqwest::StatusCode;
use serde::Serialize;

use super::fault::Refusal;
use crate::wire::{ChatMessage, ChatRequest, Format, StreamOptions, Text};

/// Parts of a request that a call can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extras {
    /// `response_format` with a JSON schema.
    schema: bool,
    /// `stream_options`.
    stream_options: bool,
    /// `max_tokens` under its older name.
    max_tokens: bool,
}

impl Extras {
    /// Everything a request would like to hold.
    pub(super) fn for_request(request: &ModelRequest) -> Extras {
        let schema = matches!(request.format, ResponseFormat::Json { .. });
        Extras { schema, stream_options: true, max_tokens: true }
    }

    pub(super) const fn with(self, other: Extras) -> Extras {
        Extras {
            schema: self.schema || other.schema,
            stream_options: self.stream_options || other.stream_options,
            max_tokens: self.max_tokens || other.max_tokens,
        }
    }

    pub(super) const fn without(self, other: Extras) -> Extras {
        Extras {
            schema: self.schema && !other.schema,
            stream_options: self.stream_options && !other.stream_options,
            max_tokens: self.max_tokens && !other.max_tokens,
        }
    }

    /// Those of these parts that a refusal may be about: the ones it names, or, when it names none,
    /// every one that is not common to all servers. A refusal of one of the `parameters` is about that.
    pub(super) fn unwanted_by(self, refusal: &Refusal, parameters: &Parameters) -> Extras {
        if refusal.fault.is_context_too_long() {
            return Extras::default();
        }
        match refusal.status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {}
            // What llama.cpp says of a schema that it cannot take, as of everything else that goes wrong.
            StatusCode::INTERNAL_SERVER_ERROR => return Extras { schema: self.schema, ..Extras::default() },
            _ => return Extras::default(),
        }
        let text = refusal.fault.message.to_ascii_lowercase();
        let about = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let named = Extras {
            schema: self.schema
                && about(&["response_format", "json_schema", "schema", "grammar", "guided", "structured"]),
            stream_options: self.stream_options && about(&["stream_options", "include_usage"]),
            max_tokens: self.max_tokens && about(&["max_completion_tokens"]),
        };
        let about_parameter = parameters.keys().any(|name| about(&[&name.to_ascii_lowercase()]));
        if named != Extras::default() || about_parameter || about(&["model", "temperature", "messages"]) {
            return named;
        }
        Extras { max_tokens: false, ..self }
    }
}

/// The request with what is sent besides; no name is in both, as `check_parameters` sees to.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    request: ChatRequest<'a>,
    #[serde(flatten)]
    parameters: &'a Parameters,
}

/// The request as the server gets it.
pub(super) fn write(request: &ModelRequest, extras: Extras) -> Bytes {
    let user = request.job.to_string();
    let message = |message: &'_ fleet_orchestrator::port::Message| {
        let role = match message.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
        };
        (role, message.text.len())
    };
    let size: usize = request.messages.iter().map(|m| message(m).1 + 64).sum();
    let body = ChatRequest {
        model: (&*request.model).into(),
        messages: request
            .messages
            .iter()
            .map(|m| ChatMessage { role: message(m).0.into(), content: m.text.as_str().into() })
            .collect(),
        temperature: Some(request.temperature),
        max_tokens: extras.max_tokens.then_some(request.tokens_max),
        max_completion_tokens: (!extras.max_tokens).then_some(request.tokens_max),
        stream: true,
        stream_options: extras.stream_options.then_some(StreamOptions { include_usage: true }),
        response_format: match &request.format {
            ResponseFormat::Json { name, schema } if extras.schema => Some(Format::json_schema(name, schema)),
            ResponseFormat::Json { .. } | ResponseFormat::Text => None,
        },
        user: Some(Text::from(user.as_str())),
    };
    let mut bytes = Vec::with_capacity(size + size / 8 + 512);
    // Neither the types above nor a Vec can fail to be written.
    let _ = serde_json::to_writer(&mut bytes, &Body { request: body, parameters: &request.parameters });
    bytes.into()
}
