//! The rules of councils: who sits in the council of a role, and how it works.
//!
//! A council may come from the configuration; what was asked for by call is kept as a history and laid
//! over it, so that it outlives restarts and changes of the configuration.

mod decide;
mod event;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use decide::{AGENT_TEXT_BYTES_MAX, AGENT_TEXTS_MAX, CouncilCommand, decide_council};
pub use event::CouncilEvent;

use crate::{AgentId, IdError, Member, Parameters, Profile, Rejection, Role};

/// How a council works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CouncilSettings {
    /// How many agents it is made with; at least 1. Registered ones come on top.
    pub agents: u32,
    /// Rounds of review unless a task says otherwise; 0 is none. `None` as the server is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// The model profile its agents speak through.
    pub profile: String,
    /// Sampling temperature instead of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The most tokens of one answer instead of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<u32>,
    /// What is sent with every request besides, over the profile's own.
    #[serde(default, skip_serializing_if = "none")]
    pub parameters: Arc<Parameters>,
}

/// What an agent says of itself when it registers. Kept and shown; nothing is decided on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Kinds of tasks it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_tasks: Vec<String>,
    /// Languages it is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// How many jobs at once make it busy; 0 is one.
    pub concurrent_max: u32,
}

/// An agent of a council.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub id: AgentId,
    /// The model profile it speaks through, if it is not the council's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The base URL of its own server, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The model's name as its server knows it, if it is not the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it says of itself.
    #[serde(default)]
    pub capabilities: Capabilities,
}

impl Agent {
    /// The `n`th agent of a role, from 1: `agent-dev-001`.
    pub fn numbered(role: &Role, n: usize) -> Result<Agent, IdError> {
        let id = AgentId::new(&format!("agent-{}-{n:03}", role.as_str().to_lowercase()))?;
        Ok(Agent { id, profile: None, endpoint: None, model: None, capabilities: Capabilities::default() })
    }
}

/// Who sits in the council of a role.
#[derive(Debug, Clone, PartialEq)]
pub struct Council {
    /// The role.
    pub role: Role,
    /// How it works.
    pub settings: CouncilSettings,
    /// Its agents, in the order of their seats.
    pub agents: Vec<Agent>,
    /// Whether it was made by a call; else it comes from the configuration.
    pub by_call: bool,
}

impl Council {
    /// The council that the configuration asks for. None of its agents has registered.
    pub fn configured(role: Role, settings: CouncilSettings) -> Result<Council, IdError> {
        let agents = (1..=settings.agents as usize).map(|n| Agent::numbered(&role, n));
        Ok(Council { agents: agents.collect::<Result<_, _>>()?, role, settings, by_call: false })
    }

    /// The first `n` agents as members of a deliberation; beyond the council's size temporary ones are
    /// added. `profile` knows the profiles by name.
    pub fn members<'a>(
        &self,
        n: usize,
        profile: impl Fn(&str) -> Option<&'a Profile>,
    ) -> Result<Vec<Member>, Rejection> {
        let temporary = |n: usize| {
            let free = |agent: &Agent| self.agents.iter().all(|other| other.id != agent.id);
            // A registered agent may have a number's name.
            (n..).map(|n| Agent::numbered(&self.role, n)).find(|agent| agent.as_ref().is_ok_and(free))
        };
        let mut members = Vec::with_capacity(n);
        let mut next = self.agents.len() + 1;
        for seat in 0..n {
            let agent = match self.agents.get(seat) {
                Some(agent) => agent.clone(),
                None => {
                    let agent = temporary(next).and_then(Result::ok);
                    let reason = "is too long to name temporary agents after it";
                    let agent = agent.ok_or_else(|| malformed("role", reason))?;
                    next = number(&agent.id).map_or(next, |n| n) + 1;
                    agent
                }
            };
            let profile = self.profile(&agent, &profile)?;
            members.push(Member { agent: agent.id, profile });
        }
        Ok(members)
    }

    /// The profile an agent of this council speaks through.
    pub fn profile<'a>(
        &self,
        agent: &Agent,
        known: impl Fn(&str) -> Option<&'a Profile>,
    ) -> Result<Profile, Rejection> {
        let name = agent.profile.as_deref().unwrap_or(&self.settings.profile);
        let Some(known) = known(name) else {
            let reason = format!(
                "{} speaks through model profile {name:?}, which is not configured any more; \
                 configure [profiles.{name}], or unregister the agent or delete the council",
                agent.id
            );
            return Err(Rejection::NotNow(reason));
        };
        let mut profile = known.clone();
        profile.endpoint.clone_from(&agent.endpoint);
        // A server of its own is called once at a time.
        profile.hedged &= agent.endpoint.is_none();
        if let Some(model) = &agent.model {
            profile.model.clone_from(model);
        }
        // What another model costs, or the same one elsewhere, nobody has said.
        if (&profile.endpoint, &profile.model) != (&known.endpoint, &known.model) {
            profile.prices = None;
        }
        profile.temperature = self.settings.temperature.unwrap_or(profile.temperature);
        profile.tokens_max = self.settings.tokens_max.unwrap_or(profile.tokens_max);
        if !self.settings.parameters.is_empty() {
            let own = self.settings.parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
            Arc::make_mut(&mut profile.parameters).extend(own);
        }
        Ok(profile)
    }
}

/// Where a council stands after an event; `None` when there is none.
#[must_use]
pub fn evolve_council(council: Option<Council>, role: &Role, event: &CouncilEvent) -> Option<Council> {
    match event {
        CouncilEvent::CouncilCreated { settings, .. } => {
            let made = Council::configured(role.clone(), settings.clone()).ok()?;
            Some(Council { by_call: true, ..made })
        }
        CouncilEvent::CouncilDeleted { .. } => None,
        CouncilEvent::AgentRegistered { agent, .. } => {
            let mut council = council?;
            // A configuration that grew may have an agent of the same name meanwhile; the registered counts.
            council.agents.retain(|other| other.id != agent.id);
            council.agents.push(agent.clone());
            Some(council)
        }
        CouncilEvent::AgentUnregistered { agent, .. } => {
            let mut council = council?;
            council.agents.retain(|other| other.id != *agent);
            Some(council)
        }
    }
}

/// The number at the end of a numbered agent's name.
fn number(id: &AgentId) -> Option<usize> {
    id.as_str().rsplit('-').next()?.parse().ok()
}

fn malformed(field: &str, reason: impl Into<String>) -> Rejection {
    Rejection::Malformed { field: field.into(), reason: reason.into() }
}

fn none(parameters: &Arc<Parameters>) -> bool {
    parameters.is_empty()
}
