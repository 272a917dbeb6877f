//! The model an agent speaks through.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Parameters, Prices};

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
    /// What its tokens cost; `None` where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// Whether a second call may be made beside a slow one, and both are paid for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hedged: bool,
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
            prices: None,
            hedged: false,
        }
    }

    /// What its model's name begins with, as far as it tells its family: `qwen` of `Qwen/Qwen3-0.6B`.
    #[must_use]
    pub fn family(&self) -> String {
        let name = self.model.rsplit('/').next().unwrap_or_default();
        name.chars().take_while(|c| c.is_alphabetic()).collect::<String>().to_lowercase()
    }
}

/// What the base URL of a server must be.
pub const BASE_URL_BOUND: &str = "begin with http:// or https:// and a host, with a port from 1 to 65535 or none, without user, password, ? or #";

/// Whether a text is a base URL to which paths can be added, and which holds no secret: it is shown and
/// logged.
#[must_use]
pub fn is_base_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
    let (name, port) = split_port(host);
    let right_port = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    !name.is_empty() && right_port && !rest.contains(odd)
}

/// A host and its port, if there is one. The colons in the brackets of an IPv6 address begin none.
fn split_port(host: &str) -> (&str, Option<&str>) {
    let after = host.rfind(']').map_or(0, |bracket| bracket + 1);
    match host[after..].find(':') {
        Some(colon) => (&host[..after + colon], Some(&host[after + colon + 1..])),
        None => (host, None),
    }
}

fn none(parameters: &Arc<Parameters>) -> bool {
    parameters.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_has_a_host_and_a_port_that_is_one_and_no_secret() {
        for right in [
            "http://h",
            "https://h/v1/",
            "http://h:1",
            "http://h:65535/openai/v1",
            "http://[::1]",
            "http://[::1]:8000/v1",
            "http://127.0.0.1:8000",
        ] {
            assert!(is_base_url(right), "{right}");
        }
        for wrong in [
            "",
            "h:8000",
            "ftp://h",
            "http://",
            "http://:8000",
            "http://h:",
            "http://h:0",
            "http://h:65536",
            "http://h:99999/v1",
            "http://h:+80",
            "http://h:8000x",
            "http://[::1]:x",
            "http://me:secret@h",
            "http://h?key=s",
            "http://h h",
        ] {
            assert!(!is_base_url(wrong), "{wrong}");
        }
    }
}
