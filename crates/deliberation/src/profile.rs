//! The model an agent speaks through.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The model an agent speaks through, fixed when its deliberation opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The name of the profile in the configuration: it says which servers are asked.
    pub name: String,
    /// The model's name as its server knows it.
    pub model: String,
    /// The base URL of the agent's own server; the servers of the profile are not asked then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Sampling temperature of an agent that answers plainly.
    pub temperature: f64,
    /// The most tokens of one answer.
    pub tokens_max: u32,
    /// What is sent with every request besides, by the names the server knows: `top_p`, `seed` and so on.
    #[serde(default, skip_serializing_if = "none")]
    pub parameters: Arc<Parameters>,
}

/// Parameters of a request by name.
pub type Parameters = BTreeMap<String, Value>;

impl Profile {
    /// A profile without a server of its own and without further parameters.
    #[must_use]
    pub fn new(name: &str, model: &str, temperature: f64, tokens_max: u32) -> Profile {
        Profile {
            name: name.into(),
            model: model.into(),
            endpoint: None,
            temperature,
            tokens_max,
            parameters: Arc::default(),
        }
    }
}

/// Why a parameter cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must {bound}")]
pub struct BadParameter {
    /// The parameter.
    pub name: String,
    /// What would be right: "be a whole number".
    pub bound: String,
}

/// The most parameters of one profile or council.
pub const PARAMETERS_MAX: usize = 50;
/// The most bytes of one parameter, as JSON.
pub const PARAMETER_BYTES_MAX: usize = 16 * 1024;
/// The most texts at which an answer may be told to stop.
const STOPS_MAX: usize = 16;

/// Checks that parameters are none of those that are set otherwise, and that those that every server knows
/// are within their bounds. What else a server knows is for the server to judge.
pub fn check_parameters(parameters: &Parameters) -> Result<(), BadParameter> {
    let bad = |name: &str, bound: String| BadParameter { name: name.into(), bound };
    if parameters.len() > PARAMETERS_MAX {
        let bound = format!("be one of at most {PARAMETERS_MAX} parameters; there are {}", parameters.len());
        return Err(bad(parameters.keys().next_back().map_or("", String::as_str), bound));
    }
    for (name, value) in parameters {
        if let Some(instead) = set_otherwise(name) {
            return Err(bad(name, format!("be left out: {instead}")));
        }
        let bytes = value.to_string().len();
        if bytes > PARAMETER_BYTES_MAX {
            return Err(bad(name, format!("have at most {PARAMETER_BYTES_MAX} bytes; it has {bytes}")));
        }
        if let Some(bound) = broken(name, value) {
            return Err(bad(name, bound.to_owned()));
        }
    }
    Ok(())
}

/// What sets a parameter, if it cannot be passed through.
fn set_otherwise(name: &str) -> Option<&'static str> {
    Some(match name {
        "model" => "the profile names the model",
        "temperature" => "temperature is a setting of its own",
        "max_tokens" | "max_completion_tokens" => "the most tokens are a setting of their own",
        "n" | "best_of" => "each agent gives one answer",
        "messages" | "prompt" | "stream" | "stream_options" | "response_format" | "user" | "tools"
        | "tool_choice" | "functions" | "function_call" => "the program sets it itself",
        "" => "a parameter has a name",
        _ => return None,
    })
}

/// What a parameter that every server knows must be and is not.
fn broken(name: &str, value: &Value) -> Option<&'static str> {
    let number = |min: f64, max: f64| value.as_f64().is_some_and(|n| (min..=max).contains(&n));
    let (right, bound) = match name {
        "top_p" => (number(f64::MIN_POSITIVE, 1.0), "be a number above 0 and at most 1"),
        "presence_penalty" | "frequency_penalty" => (number(-2.0, 2.0), "be a number from -2 to 2"),
        "seed" => (value.is_i64() || value.is_u64(), "be a whole number"),
        "stop" => {
            let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
            let list =
                value.as_array().is_some_and(|stops| stops.len() <= STOPS_MAX && stops.iter().all(text));
            (text(value) || list, "be a text or a list of at most 16 texts, none of them empty")
        }
        _ => return None,
    };
    (!right).then_some(bound)
}

/// What the base URL of a server must be.
pub const BASE_URL_BOUND: &str = "begin with http:// or https:// and a host, without user, password, ? or #";

/// Whether a text is a base URL to which paths can be added, and which holds no secret: it is shown and
/// logged.
#[must_use]
pub fn is_base_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
    !host.is_empty() && !host.starts_with(':') && !rest.contains(odd)
}

fn none(parameters: &Arc<Parameters>) -> bool {
    parameters.is_empty()
}
