//! `fleet councils`: who sits in which council.

use std::collections::HashMap;
use std::sync::Arc;

use fleet_api::v1 as wire;
use fleet_deliberation::{Agent, Council};
use fleet_embedded::SystemClock;
use fleet_orchestrator::{AtWork, Coordinator, HandleError};
use fleet_server::councils;
use serde::Serialize;

use crate::cli::{
    AgentType, Councils, CouncilsCommand, CreateCouncil, ListCouncils, RegisterAgent, in_flags,
};
use crate::config::Loaded;
use crate::remote::{AGAIN, Remote};
use crate::show::{print, say};
use crate::state::{self, Source, source};
use crate::{Exit, Problem, model, running};

#[derive(Serialize)]
struct Row {
    role: String,
    status: String,
    model_profile: String,
    model: String,
    origin: &'static str,
    agents: Vec<AgentRow>,
}

#[derive(Serialize)]
struct AgentRow {
    agent_id: String,
    status: String,
    model_profile: String,
    /// Its own, or that of its profile; empty is the first that its server lists.
    model: String,
    endpoint: Option<String>,
}

/// What is to be done when it is not known whether a council was changed.
const CHANGED: &str = "see with `fleet councils` whether it was done once it is back";

/// Has the server do it, or, where nobody serves, takes the state for a moment and does it here.
macro_rules! change {
    ($loaded:expr, $server:expr, $call:ident, $here:ident, $request:expr $(, $with:expr)?) => {
        match doer($loaded, $server).await? {
            Doer::Server(remote) => {
                let done = remote.calls().$call($request).await;
                done.map_err(|status| in_flags(remote.failed(status, CHANGED)))?.into_inner()
            }
            Doer::Here(embedded, coordinator) => {
                let done = councils::$here(coordinator.councils(), $request $(, $with)?).await;
                embedded.close().await;
                done.map_err(|status| in_flags_here(status))?
            }
        }
    };
}
pub(super) async fn run(loaded: &Loaded, asked: Councils) -> anyhow::Result<Exit> {
    let server = asked.server.as_deref();
    match asked.command {
        None => list(loaded, server, &ListCouncils::default()).await,
        Some(CouncilsCommand::List(asked)) => list(loaded, server, &asked).await,
        Some(CouncilsCommand::Create(asked)) => {
            let request = create(asked)?;
            let role = request.role.clone();
            let made = change!(loaded, server, create_council, create, request);
            say(format_args!("the council of role {role} has {} agents", made.agents_created));
            print(&lines(&made.agent_ids))?;
            Ok(Exit::Done)
        }
        Some(CouncilsCommand::Delete { role }) => {
            let request = wire::DeleteCouncilRequest { role };
            say(change!(loaded, server, delete_council, delete, request).message);
            Ok(Exit::Done)
        }
        Some(CouncilsCommand::Register(asked)) => {
            let request = register(asked)?;
            let models = model::endpoints_only(loaded)?;
            say(change!(loaded, server, register_agent, register, request, &models).message);
            Ok(Exit::Done)
        }
        Some(CouncilsCommand::Unregister { role, agent }) => {
            let request = wire::UnregisterAgentRequest { agent_id: agent, role };
            say(change!(loaded, server, unregister_agent, unregister, request).message);
            Ok(Exit::Done)
        }
    }
}

/// What this process refused, in the words of the command line.
fn in_flags_here(status: tonic::Status) -> anyhow::Error {
    let plain = crate::exit::refused(&status);
    match in_flags(status.into()) {
        // Nothing of what it is about was said on the command line.
        error if error.downcast_ref::<tonic::Status>().is_some() => plain.into(),
        error => error,
    }
}

enum Doer {
    Server(Remote),
    Here(Box<fleet_embedded::Embedded>, Box<Coordinator>),
}

async fn doer(loaded: &Loaded, server: Option<&str>) -> anyhow::Result<Doer> {
    let address = match server {
        Some(address) => Some(address.to_owned()),
        None => state::server(loaded)?,
    };
    if let Some(address) = address {
        return Ok(Doer::Server(Remote::connect(&address).await?));
    }
    let embedded = running::open(loaded, Arc::new(SystemClock)).await?;
    let (events, answers) = (Arc::clone(&embedded.events), Arc::clone(&embedded.answers));
    let coordinator = running::reader(loaded, events, answers).await?;
    Ok(Doer::Here(Box::new(embedded), Box::new(coordinator)))
}

async fn list(loaded: &Loaded, server: Option<&str>, asked: &ListCouncils) -> anyhow::Result<Exit> {
    let request = wire::ListCouncilsRequest {
        role_filter: asked.role.clone().unwrap_or_default(),
        include_agents: true,
    };
    let rows: Vec<Row> = match source(loaded, server).await {
        Ok(Source::Server(remote)) => {
            let listed = remote.calls().list_councils(request).await;
            let listed = listed.map_err(|status| remote.failed(status, AGAIN))?.into_inner();
            listed.councils.into_iter().map(Row::of).collect()
        }
        Ok(Source::Files(coordinator)) => {
            // Nobody works here, so nobody knows which servers answer: fleet doctor asks them.
            let at_work = match state::at_work(loaded) {
                true => coordinator.at_work().await?,
                // What was left keeps nobody busy.
                false => AtWork::default(),
            };
            let listed = councils::list(coordinator.councils(), &at_work, &|_| true, &request);
            let listed = listed.map_err(|status| crate::exit::refused(&status))?;
            listed.councils.into_iter().map(Row::of).collect()
        }
        // Where nothing was ever kept, the councils are those of the configuration.
        Err(error) if Problem::report(&error).0 == Exit::NotFound => configured(loaded, &asked.role)?,
        Err(error) => return Err(error),
    };
    if asked.json {
        print(&(serde_json::to_string(&rows)? + "\n"))?;
        return Ok(Exit::Done);
    }
    print(&text(&rows, asked.agents || asked.role.is_some()))?;
    Ok(Exit::Done)
}

fn configured(loaded: &Loaded, role: &Option<String>) -> anyhow::Result<Vec<Row>> {
    let wanted = |council: &Council| {
        role.as_deref().is_none_or(|role| council.role.as_str().eq_ignore_ascii_case(role))
    };
    let councils = running::configured(&loaded.config)?;
    let profiles = model::profiles(loaded);
    let rows: Vec<Row> = councils
        .iter()
        .filter(|council| wanted(council))
        .map(|council| {
            let profile = profiles.iter().find(|profile| profile.name == council.settings.profile);
            let agent = |agent: &Agent| AgentRow {
                agent_id: agent.id.to_string(),
                status: "ready".into(),
                model_profile: council.settings.profile.clone(),
                model: profile.map(|profile| profile.model.clone()).unwrap_or_default(),
                endpoint: None,
            };
            Row {
                role: council.role.to_string(),
                status: "idle".into(),
                model_profile: council.settings.profile.clone(),
                model: profile.map(|profile| profile.model.clone()).unwrap_or_default(),
                origin: "configuration",
                agents: council.agents.iter().map(agent).collect(),
            }
        })
        .collect();
    match role {
        Some(role) if rows.is_empty() => {
            let existing = councils.iter().map(|council| council.role.clone()).collect();
            Err(HandleError::NoCouncil { role: role.clone(), existing }.into())
        }
        _ => Ok(rows),
    }
}

fn create(asked: CreateCouncil) -> anyhow::Result<wire::CreateCouncilRequest> {
    let number = |n: Option<u32>| i32::try_from(n.unwrap_or(0)).unwrap_or(i32::MAX);
    // What the wire cannot tell from "not said" is said by the other field.
    let review = !asked.no_review && asked.rounds != Some(0);
    let mut custom_params: HashMap<String, String> = HashMap::new();
    for (name, value) in asked.parameter {
        if custom_params.insert(name.clone(), value).is_some() {
            return Err(Problem::new(Exit::Refused, format!("--parameter {name} is given twice")).into());
        }
    }
    let config = wire::CouncilConfig {
        deliberation_rounds: if review { number(asked.rounds) } else { 0 },
        enable_peer_review: review,
        model_profile: asked.profile.unwrap_or_default(),
        custom_params,
        agent_type: match asked.r#type {
            None => String::new(),
            Some(AgentType::Mock) => "MOCK".into(),
            Some(AgentType::Vllm) => "VLLM".into(),
        },
    };
    Ok(wire::CreateCouncilRequest {
        role: asked.role,
        num_agents: number(asked.agents),
        config: Some(config),
    })
}

fn register(asked: RegisterAgent) -> anyhow::Result<wire::RegisterAgentRequest> {
    if asked.endpoint.is_none() && asked.profile.is_none() {
        let message = "say where the agent's model is: --endpoint URL --model NAME, or --profile NAME";
        return Err(Problem::new(Exit::Refused, message).into());
    }
    let capabilities = wire::AgentCapabilities {
        supported_tasks: asked.task,
        model_profile: asked.profile.unwrap_or_default(),
        max_concurrent_tasks: asked.concurrent.map_or(0, |n| i32::try_from(n).unwrap_or(i32::MAX)),
        languages: asked.language,
    };
    Ok(wire::RegisterAgentRequest {
        agent_id: asked.agent,
        role: asked.role,
        capabilities: Some(capabilities),
        endpoint: asked.endpoint.unwrap_or_default(),
        metadata: asked.model.map(|model| ("model".to_owned(), model)).into_iter().collect(),
    })
}

impl Row {
    fn of(council: wire::CouncilInfo) -> Row {
        let agent = |agent: wire::AgentInfo| AgentRow {
            agent_id: agent.agent_id,
            status: agent.status,
            model_profile: agent.capabilities.unwrap_or_default().model_profile,
            model: agent.model,
            endpoint: Some(agent.endpoint).filter(|endpoint| !endpoint.is_empty()),
        };
        // On the wire a council is idle, active or busy; here it matters more that nobody can work.
        let offline = !council.agents.is_empty() && council.agents.iter().all(|a| a.status == "offline");
        Row {
            role: council.role,
            status: if offline { "offline".into() } else { council.status },
            model_profile: council.model_profile,
            model: council.model,
            origin: if council.by_call { "call" } else { "configuration" },
            agents: council.agents.into_iter().map(agent).collect(),
        }
    }
}

fn text(rows: &[Row], with_agents: bool) -> String {
    let widest = |of: fn(&Row) -> usize, head: usize| rows.iter().map(of).max().unwrap_or(0).max(head);
    let roles = widest(|row| row.role.chars().count(), 4);
    let profiles = widest(|row| row.model_profile.chars().count(), 7);
    let mut text =
        format!("{:roles$}  AGENTS  STATUS   {:profiles$}  {:13}  MODEL\n", "ROLE", "PROFILE", "FROM");
    for row in rows {
        let Row { role, status, model_profile, model, origin, agents } = row;
        let model = if model.is_empty() { "(the first its server lists)" } else { model };
        let count = agents.len();
        text += &format!(
            "{role:roles$}  {count:6}  {status:7}  {model_profile:profiles$}  {origin:13}  {model}\n"
        );
        let names = agents.iter().map(|agent| agent.agent_id.chars().count()).max().unwrap_or(0);
        for agent in agents.iter().filter(|_| with_agents) {
            let AgentRow { agent_id, status, model_profile: own, model, endpoint } = agent;
            let profile = if own == model_profile { String::new() } else { format!("  profile {own}") };
            let speaks = match endpoint {
                Some(endpoint) => format!("  model {model} at {endpoint}{profile}"),
                None => profile,
            };
            text += &format!("  {agent_id:names$}  {status:7}{speaks}\n");
        }
    }
    text
}

fn lines(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text}\n")).collect()
}
