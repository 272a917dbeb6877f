//! The configuration: what can be said, where it was said, and whether it makes sense.
//!
//! `fleet.toml` beside this crate is both the reference and the defaults. [`Loaded::load`] lays a file,
//! the environment and flags over it, checks every value, and keeps where each came from.

mod environment;
mod error;
mod key;
mod load;
mod paths;
mod profiles;
mod rules;
mod sources;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use fleet_deliberation::{Parameters, Role};
use fleet_sandbox::Choice;
use serde::{Deserialize, Serialize};

pub use environment::Environment;
pub use error::ConfigError;
pub(crate) use key::DEFAULT_PROFILE;
pub use load::{ApiKey, Loaded, Sources};
pub(crate) use profiles::SIMULATED_PROFILE;
pub use sources::{DEFAULTS, Flag};
pub use value::{Origin, Scalar, Setting};

/// Every value in effect. `fleet.toml` says what each means; there are no defaults but there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What outlives the process.
    pub state: State,
    /// The gRPC server.
    pub server: Server,
    /// What holds for a task that does not say otherwise.
    pub deliberation: Deliberation,
    /// How near ties are told apart.
    pub selection: Selection,
    /// What deliberations may cost; 0 is no bound.
    pub budget: Budget,
    /// The councils by role; none has no agents.
    pub councils: BTreeMap<Role, Council>,
    /// The model agents speak through where nothing else is said: the profile named default.
    pub model: Model,
    /// Further model profiles by name. What one does not say is as in `model`.
    #[serde(default)]
    pub profiles: BTreeMap<String, Model>,
    /// The simulated model.
    pub simulated: Simulated,
    /// The worker in this process.
    pub worker: Worker,
    /// What proposals are checked by.
    pub checks: Checks,
    /// What is logged.
    pub log: Log,
}

/// What outlives the process. Where it is kept is [`Loaded::state_dir`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct State {
    pub dir: String,
    pub results_served_s: u64,
    pub history_days: u64,
    pub history_bytes_max: u64,
}

/// The gRPC server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Server {
    pub listen: SocketAddr,
    pub wait_by_default: bool,
    pub message_bytes_max: usize,
    pub in_flight_max: usize,
    pub shutdown_grace_s: u64,
    pub streams_max: usize,
}

/// What holds for a task that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Deliberation {
    pub rounds: u32,
    pub timeout_s: u64,
    pub quorum: u32,
}

/// How near ties are told apart where a task does not say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Selection {
    pub judges: u32,
    pub top_k: u32,
    pub test_writers: u32,
    pub architect: bool,
}

/// What deliberations may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Budget {
    pub tokens: u64,
    pub money: f64,
    pub tokens_per_hour: u64,
    pub money_per_hour: f64,
}

/// The council of one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Council {
    #[serde(default)]
    pub agents: usize,
    pub profile: Option<String>,
    pub rounds: Option<u32>,
    pub budget_tokens: Option<u64>,
    pub budget_money: Option<f64>,
    pub budget_tokens_per_hour: Option<u64>,
    pub budget_money_per_hour: Option<f64>,
}

/// A model profile. Its key is [`Loaded::api_key`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Model {
    pub kind: ModelKind,
    pub url: Vec<String>,
    pub name: String,
    pub api_key_file: String,
    pub api_key_env: String,
    pub temperature: f64,
    pub tokens_max: u32,
    pub connect_timeout_s: u64,
    pub first_token_timeout_s: u64,
    pub between_tokens_timeout_s: u64,
    pub request_timeout_s: u64,
    pub calls_max: usize,
    pub tokens_per_minute_max: u64,
    pub hedge_after_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_prompt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_completion: Option<f64>,
    #[serde(default)]
    pub parameters: Parameters,
}

/// Which models may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A server that is configured or found, else the simulated model.
    Auto,
    /// Only a server that is configured or found.
    Openai,
    /// Only the simulated model.
    Simulated,
}

/// The simulated model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Simulated {
    pub seed: u64,
    pub latency_ms: u64,
    pub failure_rate: f64,
    pub malformed_rate: f64,
}

/// The worker in this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Worker {
    pub slots: usize,
    pub lease_s: u64,
}

/// What proposals are checked by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Checks {
    pub policies: String,
    pub sandbox: Choice,
    pub tools: bool,
    pub run_at_once: usize,
    pub dry_run_timeout_s: u64,
    pub tests_timeout_s: u64,
    pub kubeconfig: String,
    pub kube_context: String,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fleet.toml is the reference")]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// For whom logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
