//! The model an agent speaks through.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Parameters;

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
