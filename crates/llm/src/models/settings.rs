//! Which servers stand behind which profile, as plain values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use crate::openai::shown;
use crate::{AnswerKeys, BadServer, Limits, SimulatedSettings};

/// How often servers are looked at, unless said otherwise, in milliseconds.
pub const HEALTH_EVERY_MS: u64 = 15_000;

/// Everything there is to say of models.
#[derive(Debug, Clone)]
pub struct ModelsSettings {
    /// The profiles by name. `simulated` is taken: it is always there.
    pub profiles: BTreeMap<String, ProfileSettings>,
    /// The simulated model.
    pub simulated: SimulatedSettings,
    /// Right and wrong answers for its error model; only an evaluation has them.
    pub keys: Option<Arc<dyn AnswerKeys>>,
    /// How long an agent's own server may take.
    pub endpoint_limits: Limits,
    /// The most calls at once at an agent's own server; 0 is no limit.
    pub endpoint_calls_max: u32,
    /// How often each server is looked at, in milliseconds; at least 1,000.
    pub health_every_ms: u64,
}

impl Default for ModelsSettings {
    fn default() -> Self {
        ModelsSettings {
            profiles: BTreeMap::new(),
            simulated: SimulatedSettings::default(),
            keys: None,
            endpoint_limits: Limits::default(),
            endpoint_calls_max: 0,
            health_every_ms: HEALTH_EVERY_MS,
        }
    }
}

/// The servers of one profile.
#[derive(Debug, Clone, Default)]
pub struct ProfileSettings {
    /// At least one; each can answer every call of the profile.
    pub servers: Vec<ServerSettings>,
    /// After how long without a first token a second call is made beside a slow one, in milliseconds; 0 is never.
    pub hedge_after_ms: u64,
}

/// One server.
#[derive(Clone, Default)]
pub struct ServerSettings {
    /// Where it is: `http://host:8000`, with or without `/v1`.
    pub url: String,
    /// Its key, if it wants one.
    pub api_key: Option<SecretString>,
    /// How long it may take.
    pub limits: Limits,
    /// The most calls at once; 0 is no limit.
    pub calls_max: u32,
    /// The most tokens a minute, prompts and answers together; 0 is no limit.
    pub tokens_per_minute_max: u64,
}

impl fmt::Debug for ServerSettings {
    /// Without the key, and without what a URL may hold besides the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSettings")
            .field("url", &shown(&self.url))
            .field("has_key", &self.api_key.is_some())
            .field("limits", &self.limits)
            .field("calls_max", &self.calls_max)
            .field("tokens_per_minute_max", &self.tokens_per_minute_max)
            .finish()
    }
}

/// Why models cannot be set up as they were configured.
#[derive(Debug, thiserror::Error)]
pub enum BadModels {
    /// The name is taken.
    #[error("a profile cannot be named {0:?}: that is the built-in simulated model")]
    Reserved(String),
    /// A profile without servers.
    #[error("profile {0} names no server; give it at least one url")]
    NoServer(String),
    /// A profile that names a server twice.
    #[error("profile {profile} names {server} twice")]
    Twice {
        /// The profile.
        profile: String,
        /// The server.
        server: String,
    },
    /// Two profiles that do not agree on a server they share.
    #[error(
        "profiles {one} and {other} both name {server}, with different limits; a server has one calls_max, one \
         tokens_per_minute_max and one set of timeouts, whoever names it"
    )]
    Disagree {
        /// The first profile that names the server.
        one: String,
        /// The one that does not agree.
        other: String,
        /// The server.
        server: String,
    },
    /// A server that cannot be called as it is configured.
    #[error("profile {profile}")]
    Server {
        /// The profile.
        profile: String,
        /// Why.
        #[source]
        source: BadServer,
    },
}
