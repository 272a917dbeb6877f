//! Councils and agents: made, listed, taken away, in the words of the wire.

use std::sync::Arc;

use fleet_api::v1 as wire;
use fleet_deliberation::{
    Agent, AgentId, BASE_URL_BOUND, Capabilities, Council, CouncilCommand, Profile, Rejection, is_base_url,
};
use fleet_orchestrator::port::LanguageModel;
use fleet_orchestrator::{AgentStatus, AtWork, CouncilStatus, Councils, HandleError};
use tonic::Status;

use super::ask;
use super::council_settings::{settings, unknown_profile};
use super::status::{malformed, status};

/// How many agents a council has when nobody says.
const AGENTS_DEFAULT: u32 = 3;
/// The most jobs at once that an agent may say it does.
const CONCURRENT_MAX: usize = 100_000;

/// Whether a server that speaks for a profile can be reached.
pub type Reachable<'a> = &'a (dyn Fn(&Profile) -> bool + Sync);

/// Makes a council.
pub async fn create(
    councils: &Councils,
    request: wire::CreateCouncilRequest,
) -> Result<wire::CreateCouncilResponse, Status> {
    let wire::CreateCouncilRequest { role, num_agents, config } = request;
    named("role", &role)?;
    let agents = ask::number("num_agents", num_agents, i32::MAX as usize)?;
    let agents = agents.map_or(AGENTS_DEFAULT, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let settings = settings(councils, agents, config)?;
    let (role, council) =
        councils.handle(&role, CouncilCommand::Create { settings }).await.map_err(status)?;
    let agents = council.iter().flat_map(|council| &council.agents);
    let agent_ids: Vec<String> = agents.map(|agent| agent.id.to_string()).collect();
    let agents_created = i32::try_from(agent_ids.len()).unwrap_or(i32::MAX);
    Ok(wire::CreateCouncilResponse { council_id: id(role.as_str()), agents_created, agent_ids })
}

/// Takes a council away.
pub async fn delete(
    councils: &Councils,
    request: wire::DeleteCouncilRequest,
) -> Result<wire::DeleteCouncilResponse, Status> {
    named("role", &request.role)?;
    let agents = councils.get(&request.role).map_err(status)?.agents.len();
    let (role, _) = councils.handle(&request.role, CouncilCommand::Delete).await.map_err(status)?;
    Ok(wire::DeleteCouncilResponse {
        success: true,
        message: format!("the council of role {role} is deleted; what it has under way goes on"),
        agents_removed: i32::try_from(agents).unwrap_or(i32::MAX),
    })
}

/// Adds an agent to a council, also while its server is away: then that is said.
pub async fn register(
    councils: &Councils,
    request: wire::RegisterAgentRequest,
    model: &dyn LanguageModel,
) -> Result<wire::RegisterAgentResponse, Status> {
    named("role", &request.role)?;
    let role = request.role.clone();
    let agent = agent(councils, request)?;
    let name = agent.id.clone();
    let (role, council) = councils.handle(&role, CouncilCommand::Register { agent }).await.map_err(status)?;
    let agents = council.as_ref().map_or(0, |council| council.agents.len());
    let warning = match &council {
        Some(council) => warning(councils, council, &name, model).await.unwrap_or_default(),
        None => String::new(),
    };
    Ok(wire::RegisterAgentResponse {
        success: true,
        message: format!("{name} sits in the council of role {role}, which has {agents} agents now{warning}"),
        council_id: id(role.as_str()),
    })
}

/// What speaks against calling an agent's own server now.
async fn warning(
    councils: &Councils,
    council: &Council,
    name: &AgentId,
    model: &dyn LanguageModel,
) -> Option<String> {
    let agent = council.agents.iter().find(|agent| agent.id == *name)?;
    let profile = councils.profile(council, agent).ok()?;
    let why = model.look(&profile).await?;
    let offline = if model.reachable(&profile) { "" } else { "the agent is offline until it answers; " };
    Some(format!("; warning: {offline}{why}"))
}

/// Takes an agent out of a council.
pub async fn unregister(
    councils: &Councils,
    request: wire::UnregisterAgentRequest,
) -> Result<wire::UnregisterAgentResponse, Status> {
    named("role", &request.role)?;
    let agent = agent_id(&request.agent_id)?;
    let command = CouncilCommand::Unregister { agent: agent.clone() };
    let (role, council) = councils.handle(&request.role, command).await.map_err(status)?;
    let agents = council.map_or(0, |council| council.agents.len());
    Ok(wire::UnregisterAgentResponse {
        success: true,
        message: format!("{agent} is out of the council of role {role}, which has {agents} agents now"),
    })
}

/// The councils there are, or the one that is asked for.
pub fn list(
    councils: &Councils,
    at_work: &AtWork,
    reachable: Reachable<'_>,
    request: &wire::ListCouncilsRequest,
) -> Result<wire::ListCouncilsResponse, Status> {
    let chosen: Vec<Arc<Council>> = match request.role_filter.as_str() {
        "" => councils.all(),
        role => vec![councils.get(role).map_err(status)?],
    };
    let info = |council: &Arc<Council>| info(councils, at_work, reachable, council, request.include_agents);
    Ok(wire::ListCouncilsResponse { councils: chosen.iter().map(info).collect() })
}

/// How the agents of a council stand, in the order of their seats.
pub(super) fn standing(
    councils: &Councils,
    at_work: &AtWork,
    reachable: Reachable<'_>,
    council: &Council,
) -> Vec<AgentStatus> {
    let stands = |agent: &Agent| {
        let reachable = councils.profile(council, agent).is_ok_and(|profile| reachable(&profile));
        at_work.agent(&council.role, agent, reachable)
    };
    council.agents.iter().map(stands).collect()
}

fn info(
    councils: &Councils,
    at_work: &AtWork,
    reachable: Reachable<'_>,
    council: &Council,
    with_agents: bool,
) -> wire::CouncilInfo {
    let standing = standing(councils, at_work, reachable, council);
    let agents = council.agents.iter().zip(&standing);
    let agents = agents.map(|(agent, standing)| agent_info(councils, council, agent, *standing));
    let profile = councils.profiles().find(|profile| profile.name == council.settings.profile);
    wire::CouncilInfo {
        council_id: id(council.role.as_str()),
        role: council.role.to_string(),
        num_agents: i32::try_from(council.agents.len()).unwrap_or(i32::MAX),
        agents: if with_agents { agents.collect() } else { Vec::new() },
        status: match at_work.council(council, &standing) {
            CouncilStatus::Idle => "idle",
            CouncilStatus::Active => "active",
            CouncilStatus::Busy => "busy",
        }
        .into(),
        model: profile.map(|profile| profile.model.clone()).unwrap_or_default(),
        model_profile: council.settings.profile.clone(),
        by_call: council.by_call,
    }
}

fn agent_info(
    councils: &Councils,
    council: &Council,
    agent: &Agent,
    standing: AgentStatus,
) -> wire::AgentInfo {
    let model = agent.model.clone().or_else(|| Some(councils.profile(council, agent).ok()?.model));
    wire::AgentInfo {
        agent_id: agent.id.to_string(),
        role: council.role.to_string(),
        status: match standing {
            AgentStatus::Ready => "ready",
            AgentStatus::Busy => "busy",
            AgentStatus::Offline => "offline",
        }
        .into(),
        capabilities: Some(wire::AgentCapabilities {
            supported_tasks: agent.capabilities.supported_tasks.clone(),
            model_profile: agent.profile.clone().unwrap_or_else(|| council.settings.profile.clone()),
            max_concurrent_tasks: i32::try_from(agent.capabilities.concurrent_max).unwrap_or(i32::MAX),
            languages: agent.capabilities.languages.clone(),
        }),
        endpoint: agent.endpoint.clone().unwrap_or_default(),
        model: model.unwrap_or_default(),
    }
}

/// An agent, from the words of the wire.
fn agent(councils: &Councils, request: wire::RegisterAgentRequest) -> Result<Agent, Status> {
    let wire::RegisterAgentRequest { agent_id, role: _, capabilities, endpoint, mut metadata } = request;
    let id = self::agent_id(&agent_id)?;
    let said = capabilities.unwrap_or_default();
    let field = "capabilities.max_concurrent_tasks";
    let concurrent_max = ask::number(field, said.max_concurrent_tasks, CONCURRENT_MAX)?;
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let (profile, endpoint) = (text(said.model_profile), text(endpoint));
    let model = metadata.remove("model").and_then(text);
    if endpoint.as_deref().is_some_and(|endpoint| !is_base_url(endpoint)) {
        return Err(malformed("endpoint", format!("must {BASE_URL_BOUND}")));
    }
    if let Some(name) = &profile
        && councils.profiles().all(|profile| profile.name != *name)
    {
        return Err(malformed("capabilities.model_profile", unknown_profile(councils, name)));
    }
    match (&endpoint, &profile, &model) {
        (None, None, _) => {
            let message = format!(
                "agent {id} has no endpoint, so its tasks would go out on agent.cmd.execute, and this server \
                 is not connected to NATS; give endpoint (an OpenAI base URL) or capabilities.model_profile"
            );
            return Err(status(HandleError::Rejected(Rejection::NotNow(message))));
        }
        (Some(_), None, None) => {
            let reason = "is not there; name the model that the endpoint serves, or in \
                          capabilities.model_profile a profile that does";
            return Err(malformed("metadata.model", reason));
        }
        _ => {}
    }
    let capabilities = Capabilities {
        supported_tasks: said.supported_tasks,
        languages: said.languages,
        concurrent_max: concurrent_max.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
    };
    Ok(Agent { id, profile, endpoint, model, capabilities })
}

fn agent_id(text: &str) -> Result<AgentId, Status> {
    AgentId::new(text).map_err(|error| malformed("agent_id", error.to_string()))
}

fn named(field: &str, text: &str) -> Result<(), Status> {
    if text.is_empty() { Err(malformed(field, "is empty; name the council's role")) } else { Ok(()) }
}

fn id(role: &str) -> String {
    format!("council-{}", role.to_lowercase())
}
