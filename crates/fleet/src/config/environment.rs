//! What the environment says: `FLEET__SECTION__KEY`, and the names of earlier days.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::sources::Said;
use super::{ConfigError, Origin};

/// The environment, as it was when the command began. Not `Debug`, for it may hold secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Environment {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Environment(std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
    }

    /// The value of a variable; nothing if it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What the variables in our own form say. One that is set and empty says an empty text.
    pub(super) fn said(&self) -> Vec<Said> {
        let ours = |(name, value): (&String, &String)| {
            let key = key(name.strip_prefix("FLEET__")?);
            Some(Said { key, text: value.clone(), origin: Origin::Environment(name.clone()) })
        };
        self.0.iter().filter_map(ours).collect()
    }

    /// What the variables of earlier days say, over a `listen` address that was said elsewhere.
    pub(super) fn said_in_earlier_names(&self, listen: &str) -> Result<Vec<Said>, ConfigError> {
        let mut all = Vec::new();
        let mut say = |name: &str, key: &str, text: String| {
            all.push(Said { key: key.into(), text, origin: Origin::Environment(name.into()) });
        };
        for (name, key) in [
            ("VLLM_URL", "model.url"),
            ("VLLM_MODEL", "model.name"),
            ("DELIBERATION_TIMEOUT", "deliberation.timeout_s"),
            ("DELIBERATION_CLEANUP", "state.results_served_s"),
            // Not of earlier days, but short.
            ("FLEET_LOG", "log.filter"),
            ("FLEET_LOG_FORMAT", "log.format"),
        ] {
            if let Some(text) = self.get(name) {
                say(name, key, text.to_owned());
            }
        }
        if let Some(text) = self.get("GRPC_PORT") {
            let port: u16 =
                text.trim().parse().map_err(|_| wrong("GRPC_PORT", text, "a port from 0 to 65535"))?;
            // An address that cannot be read is found and named where it was said.
            if let Ok(address) = listen.parse::<SocketAddr>() {
                say("GRPC_PORT", "server.listen", SocketAddr::new(address.ip(), port).to_string());
            }
        }
        if let Some(text) = self.get("AGENT_TYPE") {
            let kind = match text.trim().to_ascii_uppercase().as_str() {
                "MOCK" => "simulated",
                "VLLM" | "RAY_VLLM" => "openai",
                _ => return Err(wrong("AGENT_TYPE", text, "MOCK, VLLM or RAY_VLLM")),
            };
            say("AGENT_TYPE", "model.kind", kind.to_owned());
        }
        Ok(all)
    }

    /// What is said in vain, in sentences; an error where going on would do something else than was asked.
    pub(super) fn said_in_vain(&self) -> Result<Vec<String>, ConfigError> {
        let mut warnings = Vec::new();
        match self.get("ENABLE_NATS").map(|text| text.trim().to_ascii_lowercase()).as_deref() {
            Some("true" | "1" | "yes" | "on") => {
                return Err(ConfigError::NotBuilt {
                    name: "ENABLE_NATS",
                    what: "NATS",
                    instead: "unset it to keep everything in this process",
                });
            }
            None | Some("false" | "0" | "no" | "off") => {}
            Some(other) => return Err(wrong("ENABLE_NATS", other, "true or false")),
        }
        for (name, what) in [("NATS_URL", "NATS"), ("RAY_ADDRESS", "Ray")] {
            if self.get(name).is_some() {
                warnings.push(format!(
                    "{name} is set, but this version does not use {what}; everything runs in this process"
                ));
            }
        }
        if self.get("AGENT_TYPE").is_some_and(|text| text.trim().eq_ignore_ascii_case("RAY_VLLM")) {
            warnings.push(
                "AGENT_TYPE is RAY_VLLM, but this version does not use Ray; agents run in this process"
                    .to_owned(),
            );
        }
        Ok(warnings)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Environment {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// `DELIBERATION__ROUNDS` as `deliberation.rounds`; a role keeps its letters: `councils.DEV.agents`.
fn key(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let role = lower.strip_prefix("councils__").and_then(|rest| rest.rsplit_once("__"));
    match role {
        Some((role, what)) => {
            let begin = "councils__".len();
            format!("councils.{}.{what}", &name[begin..begin + role.len()])
        }
        None => lower.replace("__", "."),
    }
}

fn wrong(name: &str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::WrongKind {
        key: name.to_owned(),
        value: format!("{value:?}"),
        origin: Origin::Environment(name.to_owned()),
        expected,
    }
}
