//! What servers say when they refuse or fail, in all the forms they say it in.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub(super) fn null_as_default<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// An error as this project serves it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A sentence.
    pub message: String,
    /// What kind of error it is.
    pub r#type: String,
    /// The HTTP status.
    pub code: u16,
}

impl ErrorBody {
    /// An error of a kind.
    #[must_use]
    pub fn new(code: u16, kind: &str, message: &str) -> ErrorBody {
        ErrorBody { error: ErrorDetail { message: message.into(), r#type: kind.into(), code } }
    }
}

/// An error as some server wrote it, whatever its form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFault {
    /// The server's own words; empty when it had none.
    pub message: String,
    /// Its `type`.
    pub kind: String,
    /// Its `code`, which is a number at some servers and a word at others.
    pub code: String,
}

impl ServerFault {
    /// Reads an error from a body of any form: `{"error": {...}}`, `{"error": "..."}`,
    /// `{"detail": "..."}`, `{"detail": [{"msg": ...}]}`, `{"message": ...}`, or plain text.
    #[must_use]
    pub fn read(body: &[u8]) -> ServerFault {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => ServerFault::from_value(&value),
            Err(_) => ServerFault { message: plain(&String::from_utf8_lossy(body)), ..Self::default() },
        }
    }

    /// Reads an error from JSON, with or without the `error` object around it.
    #[must_use]
    pub fn from_value(value: &Value) -> ServerFault {
        let inner = match value {
            // A gateway may wrap the error in a list of one.
            Value::Array(list) => return list.first().map(Self::from_value).unwrap_or_default(),
            Value::Object(map) => map.get("error").filter(|error| !error.is_null()).unwrap_or(value),
            _ => value,
        };
        let words = |keys: &[&str]| {
            keys.iter().map(|key| text(inner.get(key))).find(|text| !text.is_empty()).unwrap_or_default()
        };
        match inner {
            Value::Object(_) => {
                let mut fault = ServerFault {
                    message: words(&["message", "detail", "msg", "title"]),
                    kind: words(&["type"]),
                    code: words(&["code", "status"]),
                };
                if fault.message.is_empty() {
                    fault.message = text(value.get("message"));
                }
                fault
            }
            other => ServerFault { message: text(Some(other)), ..Self::default() },
        }
    }

    /// The HTTP status the error names itself, if it does.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.code.parse().ok().filter(|code| (400..600).contains(code))
    }

    /// Whether the prompt did not fit the model's context.
    #[must_use]
    pub fn is_context_too_long(&self) -> bool {
        const KINDS: [&str; 2] = ["exceed_context_size_error", "context_length_exceeded"];
        const WORDS: [&str; 9] = [
            "maximum context length",
            "context length exceeded",
            "exceeds the available context size",
            "exceeds the context",
            "context window",
            "maximum model length",
            "max_model_len",
            "prompt is too long",
            "longer than the model's context",
        ];
        let message = self.message.to_ascii_lowercase();
        KINDS.contains(&self.kind.as_str())
            || KINDS.contains(&self.code.as_str())
            || WORDS.iter().any(|words| message.contains(words))
    }

    /// Whether it was about the form the answer must have, which says nothing of the server's health:
    /// llama.cpp says so with the status 500.
    #[must_use]
    pub fn is_about_format(&self) -> bool {
        const WORDS: [&str; 6] = [
            "response_format",
            "json_schema",
            "json schema",
            "grammar",
            "peg-native format",
            "does not match the expected",
        ];
        let message = self.message.to_ascii_lowercase();
        WORDS.iter().any(|words| message.contains(words))
    }
}

/// The text of a value; of a validation error only what is said and where, for it repeats the input.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => plain(text),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(list)) => {
            let said: Vec<String> = list.iter().take(5).map(|item| text(Some(item))).collect();
            said.join("; ")
        }
        Some(Value::Object(map)) => {
            let message = text(map.get("msg").or_else(|| map.get("message")));
            match map.get("loc") {
                Some(Value::Array(path)) => {
                    let path: Vec<String> = path.iter().take(8).map(|part| text(Some(part))).collect();
                    format!("{}: {message}", path.join("."))
                }
                _ => message,
            }
        }
        Some(Value::Null | Value::Bool(_)) | None => String::new(),
    }
}

/// Text in one line; of a page only that it is one.
fn plain(text: &str) -> String {
    let trimmed = text.trim_start();
    if trimmed.get(..1) == Some("<") {
        return "(an HTML page)".into();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
