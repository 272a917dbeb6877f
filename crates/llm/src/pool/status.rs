//! How pools and their servers stand, for whoever shows or counts it.

use fleet_deliberation::Timestamp;

use super::health::Health;

/// How a pool stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// The profile it serves; `None` for the pool of an agent's own server.
    pub profile: Option<String>,
    /// After how long without a first token a second call is made beside a slow one, in milliseconds; 0 is never.
    pub hedge_after_ms: u64,
    /// Calls made beside a slow one so far.
    pub hedges: u64,
    /// Those of them that began to answer first.
    pub hedges_won: u64,
    /// Calls made elsewhere because a server could not be reached, so far.
    pub failovers: u64,
    /// Its servers, in the order of the configuration.
    pub servers: Vec<ServerStatus>,
}

/// How a server stands. One that several profiles name is one server, and stands in the pool of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// The server as messages name it, without anything secret.
    pub server: String,
    /// Its breaker.
    pub breaker: BreakerStatus,
    /// What the last look at it found.
    pub health: Health,
    /// Whether it would be called now, a place and tokens given.
    pub usable: bool,
    /// Until when it asked to be left alone.
    pub left_alone_until: Option<Timestamp>,
    /// Calls under way.
    pub under_way: u32,
    /// Calls that wait for a place and would take one here.
    pub waiting: usize,
    /// The most calls at once; 0 is no limit.
    pub calls_max: u32,
    /// The most tokens a minute; 0 is no limit.
    pub tokens_per_minute_max: u64,
    /// What is left of them now; below 0 when calls took more than was set aside. `None` without a limit.
    pub tokens_left: Option<i64>,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerStatus {
    /// Calls are made.
    Closed {
        /// Faults since the last answer.
        faults: u32,
    },
    /// No calls are made.
    Open {
        /// Until when; then one call tries.
        until: Timestamp,
    },
    /// One call tries whether the server is back.
    Trying,
}

impl BreakerStatus {
    /// The state in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BreakerStatus::Closed { .. } => "closed",
            BreakerStatus::Open { .. } => "open",
            BreakerStatus::Trying => "half_open",
        }
    }
}
