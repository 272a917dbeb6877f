//! Which events a command on a council leads to.

use super::{Agent, Council, CouncilEvent, CouncilSettings, malformed};
use crate::{
    AGENTS_MAX, AgentId, BASE_URL_BOUND, ID_BYTES_MAX, ROUNDS_MAX, Rejection, Role, Timestamp,
    check_parameters, is_base_url,
};

/// The most texts in one list of what an agent says of itself.
pub const AGENT_TEXTS_MAX: usize = 100;
/// The longest of these texts, in bytes; also the longest URL.
pub const AGENT_TEXT_BYTES_MAX: usize = 2048;
/// The most tokens one answer may be allowed.
const TOKENS_MAX: u32 = 1_000_000;
/// The longest part of an agent's name around its role: `agent-`, `-` and a number.
const NAME_BYTES: usize = 24;

/// Something that is asked of a council.
#[derive(Debug, Clone, PartialEq)]
pub enum CouncilCommand {
    /// Make it.
    Create {
        /// How it is to work.
        settings: CouncilSettings,
    },
    /// Take it away. Deliberations under way keep their agents.
    Delete,
    /// Add an agent. One that is there in the same words changes nothing.
    Register {
        /// The agent.
        agent: Agent,
    },
    /// Take an agent out. Deliberations under way keep it.
    Unregister {
        /// Which agent.
        agent: AgentId,
    },
}

/// The event that `command` leads to; `None` when it changes nothing.
pub fn decide_council(
    council: Option<&Council>,
    role: &Role,
    command: CouncilCommand,
    at: Timestamp,
) -> Result<Option<CouncilEvent>, Rejection> {
    match command {
        CouncilCommand::Create { settings } => {
            if let Some(council) = council {
                let agents = council.agents.len();
                let taken =
                    format!("the council of role {role} is there, with {agents} agents; delete it first");
                return Err(Rejection::Taken(taken));
            }
            check_settings(role, &settings)?;
            Ok(Some(CouncilEvent::CouncilCreated { settings, at }))
        }
        CouncilCommand::Delete => {
            there(council, role)?;
            Ok(Some(CouncilEvent::CouncilDeleted { at }))
        }
        CouncilCommand::Register { agent } => register(there(council, role)?, agent, at),
        CouncilCommand::Unregister { agent } => {
            let council = there(council, role)?;
            if council.agents.iter().all(|known| known.id != agent) {
                let known: Vec<&str> = council.agents.iter().map(|agent| agent.id.as_str()).collect();
                let known = known.join(", ");
                let message =
                    format!("there is no agent {agent} in the council of role {role}; it has {known}");
                return Err(Rejection::NotThere(message));
            }
            if council.agents.len() == 1 {
                let message = format!("{agent} is the last agent of role {role}; delete the council instead");
                return Err(Rejection::NotNow(message));
            }
            Ok(Some(CouncilEvent::AgentUnregistered { agent, at }))
        }
    }
}

fn there<'a>(council: Option<&'a Council>, role: &Role) -> Result<&'a Council, Rejection> {
    council.ok_or_else(|| Rejection::NotThere(format!("there is no council of role {role}")))
}

fn register(council: &Council, agent: Agent, at: Timestamp) -> Result<Option<CouncilEvent>, Rejection> {
    if let Some(known) = council.agents.iter().find(|known| known.id == agent.id) {
        if *known == agent {
            return Ok(None);
        }
        let message = format!(
            "agent {} is registered for role {} with other content; unregister it first",
            agent.id, council.role
        );
        return Err(Rejection::Taken(message));
    }
    if council.agents.len() >= AGENTS_MAX {
        let message =
            format!("the council of role {} has {AGENTS_MAX} agents, the most it may have", council.role);
        return Err(Rejection::NotNow(message));
    }
    let said = &agent.capabilities;
    texts("capabilities.supported_tasks", &said.supported_tasks)?;
    texts("capabilities.languages", &said.languages)?;
    if agent.endpoint.as_deref().is_some_and(|endpoint| !is_base_url(endpoint)) {
        return Err(malformed("endpoint", format!("must {BASE_URL_BOUND}")));
    }
    for (field, text) in [
        ("capabilities.model_profile", &agent.profile),
        ("endpoint", &agent.endpoint),
        ("metadata.model", &agent.model),
    ] {
        if let Some(text) = text {
            self::text(field, text)?;
        }
    }
    Ok(Some(CouncilEvent::AgentRegistered { agent, at }))
}

fn check_settings(role: &Role, settings: &CouncilSettings) -> Result<(), Rejection> {
    let named_max = ID_BYTES_MAX - NAME_BYTES;
    if role.as_str().len() > named_max {
        let reason = format!(
            "has {} bytes; at most {named_max} leave room for its agents' names",
            role.as_str().len()
        );
        return Err(malformed("role", reason));
    }
    if !(1..=AGENTS_MAX).contains(&(settings.agents as usize)) {
        let reason = format!("is {}; it must lie between 1 and {AGENTS_MAX}", settings.agents);
        return Err(malformed("num_agents", reason));
    }
    if let Some(rounds) = settings.rounds.filter(|rounds| *rounds > ROUNDS_MAX) {
        let reason = format!("is {rounds}; it must lie between 0 and {ROUNDS_MAX}");
        return Err(malformed("config.deliberation_rounds", reason));
    }
    if let Some(heat) = settings.temperature.filter(|heat| !(0.0..=2.0).contains(heat)) {
        let reason = format!("is {heat}; it must lie between 0 and 2");
        return Err(malformed("config.custom_params.temperature", reason));
    }
    if let Some(tokens) = settings.tokens_max.filter(|tokens| !(1..=TOKENS_MAX).contains(tokens)) {
        let reason = format!("is {tokens}; it must lie between 1 and {TOKENS_MAX}");
        return Err(malformed("config.custom_params.max_tokens", reason));
    }
    check_parameters(&settings.parameters).map_err(|bad| {
        let field = format!("config.custom_params.{}", bad.name());
        malformed(field.trim_end_matches('.'), format!("must {}", bad.must()))
    })?;
    text("config.model_profile", &settings.profile)
}

fn texts(field: &str, texts: &[String]) -> Result<(), Rejection> {
    if texts.len() > AGENT_TEXTS_MAX {
        let reason = format!("has {} entries; at most {AGENT_TEXTS_MAX} are accepted", texts.len());
        return Err(malformed(field, reason));
    }
    texts.iter().try_for_each(|text| self::text(field, text))
}

fn text(field: &str, text: &str) -> Result<(), Rejection> {
    if text.len() > AGENT_TEXT_BYTES_MAX {
        let reason = format!("has {} bytes; at most {AGENT_TEXT_BYTES_MAX} bytes are accepted", text.len());
        return Err(malformed(field, reason));
    }
    if text.chars().any(char::is_control) {
        return Err(malformed(field, "holds control characters"));
    }
    Ok(())
}
