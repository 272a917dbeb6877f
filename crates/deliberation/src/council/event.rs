//! What has happened to a council.

use serde::{Deserialize, Serialize};

use super::{Agent, CouncilSettings};
use crate::{AgentId, Timestamp};

/// A fact in the history of a role's council.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CouncilEvent {
    /// It was made by a call; whatever the configuration says does not count any more.
    CouncilCreated {
        /// How it works.
        settings: CouncilSettings,
        /// When.
        at: Timestamp,
    },
    /// It was taken away by a call, also if the configuration asks for it.
    CouncilDeleted {
        /// When.
        at: Timestamp,
    },
    /// An agent was added.
    AgentRegistered {
        /// The agent.
        agent: Agent,
        /// When.
        at: Timestamp,
    },
    /// An agent was taken out.
    AgentUnregistered {
        /// Which agent.
        agent: AgentId,
        /// When.
        at: Timestamp,
    },
}

impl CouncilEvent {
    /// The name of the event's kind, as it is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            CouncilEvent::CouncilCreated { .. } => "council_created",
            CouncilEvent::CouncilDeleted { .. } => "council_deleted",
            CouncilEvent::AgentRegistered { .. } => "agent_registered",
            CouncilEvent::AgentUnregistered { .. } => "agent_unregistered",
        }
    }
}
