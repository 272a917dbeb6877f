//! What is told of deliberations, councils and agents while they work, in a world without faults.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{
    Agent, Capabilities, Council, CouncilCommand, CouncilSettings, DeliberationId, Generation, Rejection,
    Role, Status, Task,
};
use fleet_orchestrator::port::{Heard, LanguageModel, ModelError, ModelRequest};
use fleet_orchestrator::{AgentStatus, Coordinator, CouncilStatus, Filter, HandleError, Request};
use fleet_simulation::calm::{Calm, settings};

/// Answers QA, and never DEV.
struct AnswersQa;

#[async_trait]
impl LanguageModel for AnswersQa {
    async fn complete(&self, request: &ModelRequest, _: Heard<'_>) -> Result<Generation, ModelError> {
        match request.agent.as_str().starts_with("agent-qa") {
            true => Ok(Generation { text: "an answer".into(), ..Generation::default() }),
            false => pending().await,
        }
    }
}

fn begun() -> (Calm, Arc<Coordinator>) {
    let calm = Calm::new();
    let coordinator = calm.start(settings(), Arc::new(AnswersQa));
    (calm, coordinator)
}

fn submit(calm: &Calm, coordinator: &Arc<Coordinator>, id: &str, role: &str, agents: u32) {
    let request = Request {
        id: DeliberationId::new(id).ok(),
        task: Task { description: "sort".into(), ..Task::default() },
        role: role.into(),
        agents: Some(agents),
        rounds: Some(0),
        ..Request::default()
    };
    let coordinator = Arc::clone(coordinator);
    calm.run(async move { coordinator.submit(request).await.unwrap() });
    calm.pass_ms(1_000);
}

fn newest(calm: &Calm, coordinator: &Arc<Coordinator>, limit: usize, filter: Filter) -> Vec<String> {
    let coordinator = Arc::clone(coordinator);
    let found = calm.run(async move { coordinator.newest(limit, &filter).await.unwrap() });
    found.iter().map(|loaded| loaded.state.id().to_string()).collect()
}

fn handled(
    calm: &Calm,
    coordinator: &Arc<Coordinator>,
    role: &str,
    command: CouncilCommand,
) -> Result<Option<Arc<Council>>, HandleError> {
    let (coordinator, role) = (Arc::clone(coordinator), role.to_owned());
    calm.run(async move { coordinator.councils().handle(&role, command).await.map(|(_, council)| council) })
}

fn create(profile: &str) -> CouncilCommand {
    let settings = CouncilSettings {
        agents: 1,
        rounds: None,
        profile: profile.into(),
        temperature: Some(0.1),
        tokens_max: None,
        parameters: Arc::default(),
    };
    CouncilCommand::Create { settings }
}

#[test]
fn the_newest_come_first_and_a_filter_leaves_out_the_others() {
    let (calm, coordinator) = begun();
    for (id, role) in [("a", "DEV"), ("b", "QA"), ("c", "DEV")] {
        submit(&calm, &coordinator, id, role, 1);
    }
    let of =
        |status, role: Option<&str>| Filter { status, role: role.map(str::to_owned), ..Filter::default() };
    assert_eq!(newest(&calm, &coordinator, 10, Filter::default()), ["c", "b", "a"]);
    assert_eq!(newest(&calm, &coordinator, 2, Filter::default()), ["c", "b"]);
    assert_eq!(newest(&calm, &coordinator, 10, of(Some(Status::Completed), None)), ["b"]);
    assert_eq!(newest(&calm, &coordinator, 10, of(Some(Status::Pending), None)), ["c", "a"]);
    assert_eq!(newest(&calm, &coordinator, 1, of(None, Some("dev"))), ["c"]);
    assert!(newest(&calm, &coordinator, 10, of(Some(Status::Completed), Some("DEV"))).is_empty());
    let (cancelled, id) = (Arc::clone(&coordinator), DeliberationId::new("a").unwrap());
    calm.run(async move { cancelled.cancel(&id, "enough".into()).await.unwrap() });
    let of_end = |kind: &str| Filter { error_type: Some(kind.into()), ..Filter::default() };
    assert_eq!(newest(&calm, &coordinator, 10, of_end("cancelled")), ["a"]);
    assert!(newest(&calm, &coordinator, 10, of_end("timeout")).is_empty());
}

#[test]
fn agents_are_busy_while_a_job_waits_for_them_and_offline_when_their_server_is() {
    let (calm, coordinator) = begun();
    submit(&calm, &coordinator, "a", "DEV", 2);
    submit(&calm, &coordinator, "b", "QA", 2);
    let asked = Arc::clone(&coordinator);
    let at_work = calm.run(async move { asked.at_work().await.unwrap() });
    let council = |role: &str| coordinator.councils().get(role).unwrap();
    let status = |council: &Council, reachable| -> Vec<AgentStatus> {
        council.agents.iter().map(|agent| at_work.agent(&council.role, agent, reachable)).collect()
    };

    let dev = council("DEV");
    let agents = status(&dev, true);
    assert_eq!(agents, [AgentStatus::Busy, AgentStatus::Busy, AgentStatus::Ready]);
    assert_eq!(at_work.council(&dev, &agents), CouncilStatus::Active);
    assert_eq!(at_work.council(&dev, &agents[..2]), CouncilStatus::Busy);
    assert!(status(&dev, false).iter().all(|status| *status == AgentStatus::Offline));

    let qa = council("QA");
    let agents = status(&qa, true);
    assert_eq!(agents, [AgentStatus::Ready, AgentStatus::Ready]);
    assert_eq!(at_work.council(&qa, &agents), CouncilStatus::Idle);
    assert_eq!((at_work.roles(), at_work.deliberations(&dev.role)), (1, 1));
}

#[test]
fn councils_by_call_stand_beside_the_configured_ones_until_they_are_deleted() {
    let (calm, coordinator) = begun();
    let made = handled(&calm, &coordinator, "OPS", create("default")).unwrap().unwrap();
    let councils = coordinator.councils();
    let profile = councils.profile(&made, &made.agents[0]).unwrap();
    assert_eq!((profile.model.as_str(), profile.temperature), ("simulated", 0.1));
    let roles = || councils.all().iter().map(|council| council.role.to_string()).collect::<Vec<_>>();
    assert_eq!(roles(), ["ARCHITECT", "DEV", "OPS", "QA"]);
    let names: Vec<&str> = councils.profiles().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["default"]);

    handled(&calm, &coordinator, "ops", CouncilCommand::Delete).unwrap();
    assert_eq!(roles(), ["ARCHITECT", "DEV", "QA"]);
    let again = handled(&calm, &coordinator, "OPS", CouncilCommand::Delete);
    assert!(matches!(again, Err(HandleError::NoCouncil { .. })), "{again:?}");
    let unnamed = handled(&calm, &coordinator, "a\nb", create("default"));
    assert!(matches!(unnamed, Err(HandleError::Rejected(Rejection::Malformed { .. }))), "{unnamed:?}");
}

#[test]
fn an_agent_whose_profile_is_gone_says_so_and_the_others_work_on() {
    let (calm, coordinator) = begun();
    let agent = Agent {
        profile: Some("gone".into()),
        capabilities: Capabilities::default(),
        ..Agent::numbered(&Role::new("DEV").unwrap(), 9).unwrap()
    };
    let council = handled(&calm, &coordinator, "DEV", CouncilCommand::Register { agent }).unwrap().unwrap();
    let councils = coordinator.councils();
    let refused = councils.profile(&council, &council.agents[3]).unwrap_err();
    assert!(refused.to_string().contains("\"gone\""), "{refused}");
    assert!(councils.members(&council, 3).is_ok());
    assert!(councils.members(&council, 4).is_err());
}
