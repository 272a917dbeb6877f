//! Councils and agents as operators and other systems change them.

use std::collections::HashMap;

use fleet_api::v1::{self as wire, DeliberateRequest};
use fleet_scripted::Reply;
use serde_json::Value;
use tonic::Code;

use crate::support::{Client, Ended, Place, answers, deliberate, eventually, field_of, held};

async fn listed(client: &Client, role: &str) -> Result<Vec<wire::CouncilInfo>, tonic::Status> {
    let request = wire::ListCouncilsRequest { role_filter: role.into(), include_agents: true };
    Ok(client.calls.clone().list_councils(request).await?.into_inner().councils)
}

fn roles(councils: &[wire::CouncilInfo]) -> Vec<&str> {
    councils.iter().map(|council| council.role.as_str()).collect()
}

fn agents(council: &wire::CouncilInfo) -> Vec<&str> {
    council.agents.iter().map(|agent| agent.agent_id.as_str()).collect()
}

fn create(role: &str, agents: i32) -> wire::CreateCouncilRequest {
    wire::CreateCouncilRequest { role: role.into(), num_agents: agents, config: None }
}

fn with_profile(agent: &str, role: &str) -> wire::RegisterAgentRequest {
    wire::RegisterAgentRequest {
        agent_id: agent.into(),
        role: role.into(),
        capabilities: Some(wire::AgentCapabilities {
            model_profile: "default".into(),
            supported_tasks: vec!["coding".into()],
            ..wire::AgentCapabilities::default()
        }),
        ..wire::RegisterAgentRequest::default()
    }
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("one JSON value")
}

#[tokio::test]
async fn councils_are_changed_by_call_and_stay_so_over_restarts_and_kills() {
    let model = answers(0).await;
    let place = Place::new();
    let flags = ["--url", &model.url()];
    let server = place.serve(&flags).await;
    let client = server.client().await;
    let mut calls = client.calls.clone();
    assert_eq!(roles(&listed(&client, "").await.unwrap()), ["ARCHITECT", "DATA", "DEV", "DEVOPS", "QA"]);

    let made = calls.create_council(create("SECURITY", 2)).await.unwrap().into_inner();
    assert_eq!((made.council_id.as_str(), made.agents_created), ("council-security", 2));
    assert_eq!(made.agent_ids, ["agent-security-001", "agent-security-002"]);
    let registered = calls.register_agent(with_profile("guest", "dev")).await.unwrap().into_inner();
    assert!(registered.success && registered.council_id == "council-dev", "{}", registered.message);
    let again = calls.register_agent(with_profile("guest", "DEV")).await.unwrap().into_inner();
    assert!(again.success, "the same words again change nothing");
    let request = wire::UnregisterAgentRequest { agent_id: "agent-dev-002".into(), role: "DEV".into() };
    assert!(calls.unregister_agent(request).await.unwrap().into_inner().success);
    let deleted = calls.delete_council(wire::DeleteCouncilRequest { role: "QA".into() }).await.unwrap();
    assert_eq!(deleted.into_inner().agents_removed, 3);
    server.kill().await;

    let server = place.serve(&flags).await;
    let client = server.client().await;
    let councils = listed(&client, "").await.unwrap();
    assert_eq!(roles(&councils), ["ARCHITECT", "DATA", "DEV", "DEVOPS", "SECURITY"]);
    assert_eq!(agents(&councils[2]), ["agent-dev-001", "agent-dev-003", "guest"]);
    assert_eq!(councils[2].agents[2].capabilities.as_ref().unwrap().supported_tasks, ["coding"]);
    assert_eq!((councils[2].by_call, councils[4].by_call), (false, true));

    let request =
        DeliberateRequest { role: "SECURITY".into(), wait: Some(true), ..deliberate("Find the flaw") };
    let verdict = client.calls.clone().deliberate(request).await.unwrap().into_inner();
    assert_eq!((verdict.status.as_str(), verdict.results.len()), ("COMPLETED", 2));
    let request = DeliberateRequest { role: "QA".into(), ..deliberate("Find the flaw") };
    let gone = client.calls.clone().deliberate(request).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert!(gone.message().contains("ARCHITECT, DATA, DEV, DEVOPS, SECURITY"), "{gone}");
    let mut calls = client.calls.clone();
    calls.create_council(create("qa", 1)).await.unwrap();
    assert_eq!(agents(&listed(&client, "QA").await.unwrap()[0]), ["agent-qa-001"]);
}

#[tokio::test]
async fn how_councils_and_agents_stand_follows_from_what_is_under_way() {
    let (model, let_go) = held("propose").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let standing = |council: &wire::CouncilInfo| {
        let agents: Vec<String> = council.agents.iter().map(|agent| agent.status.clone()).collect();
        (council.status.clone(), agents.join(" "))
    };
    let dev = async |client: &Client| standing(&listed(client, "DEV").await.unwrap()[0]);
    assert_eq!(dev(&client).await, ("idle".into(), "ready ready ready".into()));
    let mut calls = client.clone();
    let request = DeliberateRequest { num_agents: 2, task_id: "two".into(), ..deliberate("Sort a list") };
    calls.submit(request).await.unwrap();
    assert_eq!(dev(&client).await, ("active".into(), "busy busy ready".into()));
    let request = DeliberateRequest { task_id: "three".into(), ..deliberate("Sort a list") };
    calls.submit(request).await.unwrap();
    assert_eq!(dev(&client).await, ("busy".into(), "busy busy busy".into()));
    assert_eq!(standing(&listed(&client, "QA").await.unwrap()[0]).0, "idle");
    for id in ["two", "three"] {
        let request = wire::CancelDeliberationRequest { task_id: id.into(), reason: String::new() };
        calls.calls.cancel_deliberation(request).await.unwrap();
    }
    assert_eq!(dev(&client).await, ("idle".into(), "ready ready ready".into()));
    drop(let_go);
}

#[tokio::test]
async fn a_task_that_asks_for_more_agents_than_there_are_gets_temporary_ones() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    client.calls.register_agent(with_profile("agent-dev-005", "DEV")).await.unwrap();
    let request = DeliberateRequest { num_agents: 6, wait: Some(true), ..deliberate("Sort a list") };
    let verdict = client.calls.deliberate(request).await.unwrap().into_inner();
    let expected = [
        "agent-dev-001",
        "agent-dev-002",
        "agent-dev-003",
        "agent-dev-005",
        "agent-dev-006",
        "agent-dev-007",
    ];
    assert_eq!(verdict.agent_ids, expected);
    assert_eq!(listed(&client, "DEV").await.unwrap()[0].num_agents, 4, "they are gone again");
}

#[tokio::test]
async fn a_council_works_as_it_was_made_to() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let config = wire::CouncilConfig {
        agent_type: "MOCK".into(),
        custom_params: HashMap::from([("max_tokens".to_owned(), "77".to_owned())]),
        ..wire::CouncilConfig::default()
    };
    let request = wire::CreateCouncilRequest { config: Some(config), ..create("MOCKED", 2) };
    client.calls.clone().create_council(request).await.unwrap();
    let request = DeliberateRequest { role: "MOCKED".into(), wait: Some(true), ..deliberate("Sort a list") };
    let verdict = client.calls.clone().deliberate(request).await.unwrap().into_inner();
    assert_eq!(verdict.status, "COMPLETED");
    assert_eq!(model.calls().len(), 0, "mock agents ask no server");
    let proposal = verdict.results[0].proposal.as_ref().unwrap();
    assert!(proposal.content.contains("simulated model") && proposal.revisions.is_empty(), "{proposal:?}");
    assert_eq!(listed(&client, "MOCKED").await.unwrap()[0].model_profile, "simulated");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_has_changed() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let before = listed(&client, "").await.unwrap();
    let mut calls = client.calls.clone();
    let config = |config| Some(wire::CouncilConfig { enable_peer_review: true, ..config });
    let custom = |name: &str, value: &str| {
        let custom_params = HashMap::from([(name.to_owned(), value.to_owned())]);
        config(wire::CouncilConfig { custom_params, ..wire::CouncilConfig::default() })
    };
    let profile =
        |name: &str| config(wire::CouncilConfig { model_profile: name.into(), ..Default::default() });
    let kind = |name: &str| config(wire::CouncilConfig { agent_type: name.into(), ..Default::default() });
    let rounds = |n| config(wire::CouncilConfig { deliberation_rounds: n, ..Default::default() });
    for (request, field) in [
        (create("", 1), "role"),
        (create("a b", 1), "role"),
        (create(&"R".repeat(190), 1), "role"),
        (create("NEW", -1), "num_agents"),
        (create("NEW", 65), "num_agents"),
        (wire::CreateCouncilRequest { config: rounds(11), ..create("NEW", 1) }, "config.deliberation_rounds"),
        (wire::CreateCouncilRequest { config: rounds(-1), ..create("NEW", 1) }, "config.deliberation_rounds"),
        (wire::CreateCouncilRequest { config: profile("none"), ..create("NEW", 1) }, "config.model_profile"),
        (wire::CreateCouncilRequest { config: kind("ROBOT"), ..create("NEW", 1) }, "config.agent_type"),
        (
            wire::CreateCouncilRequest { config: custom("temperature", "hot"), ..create("NEW", 1) },
            "config.custom_params.temperature",
        ),
        (
            wire::CreateCouncilRequest { config: custom("stream", "true"), ..create("NEW", 1) },
            "config.custom_params.stream",
        ),
    ] {
        let refused = calls.create_council(request).await.unwrap_err();
        assert_eq!(
            (refused.code(), field_of(&refused).as_str()),
            (Code::InvalidArgument, field),
            "{refused}"
        );
    }
    let there = calls.create_council(create("dev", 1)).await.unwrap_err();
    assert_eq!(there.code(), Code::AlreadyExists, "{there}");

    let guest = |change: fn(&mut wire::RegisterAgentRequest)| {
        let mut request = with_profile("guest", "DEV");
        change(&mut request);
        request
    };
    let refusals = [
        (guest(|r| r.role = "NONE".into()), Code::NotFound),
        (guest(|r| r.agent_id = "two words".into()), Code::InvalidArgument),
        (guest(|r| r.endpoint = "gpu:8000".into()), Code::InvalidArgument),
        (guest(|r| r.endpoint = "http://me:secret@gpu".into()), Code::InvalidArgument),
        (guest(|r| r.capabilities = None), Code::FailedPrecondition),
        (guest(|r| r.capabilities.as_mut().unwrap().model_profile = "none".into()), Code::InvalidArgument),
        (guest(|r| r.capabilities.as_mut().unwrap().max_concurrent_tasks = -1), Code::InvalidArgument),
        (guest(|r| r.agent_id = "agent-dev-001".into()), Code::AlreadyExists),
    ];
    for (request, code) in refusals {
        let refused = calls.register_agent(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    let request = wire::UnregisterAgentRequest { agent_id: "nobody".into(), role: "DEV".into() };
    assert_eq!(calls.unregister_agent(request).await.unwrap_err().code(), Code::NotFound);
    let request = wire::DeleteCouncilRequest { role: "NONE".into() };
    assert_eq!(calls.delete_council(request).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(listed(&client, "").await.unwrap(), before);
}

#[tokio::test]
async fn the_command_changes_councils_with_a_server_and_without_one() {
    let place = Place::new();
    let configured = json(&place.run(&["councils", "list", "--json"]).await);
    assert_eq!(configured.as_array().unwrap().len(), 5);
    assert!(!place.state().exists(), "looking keeps nothing");

    let made = place.run(&["councils", "create", "SECURITY", "--agents", "2", "--no-review"]).await;
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (0, "agent-security-001\nagent-security-002\n"),
        "{}",
        made.stderr
    );
    let registered = place.run(&[
        "councils",
        "register",
        "SECURITY",
        "guest",
        "--endpoint",
        "http://gpu:8000",
        "--model",
        "m",
    ]);
    assert_eq!(registered.await.code, 0);
    let refused = place.run(&["councils", "create", "security"]).await;
    assert_eq!(refused.code, 9, "{}", refused.stderr);
    assert!(refused.stderr.contains("delete it first"), "{}", refused.stderr);

    let model = answers(0).await;
    let server = place.serve(&["--url", &model.url()]).await;
    let there = json(&place.run(&["councils", "list", "SECURITY", "--json"]).await);
    let guest = &there[0]["agents"][2];
    assert_eq!((&guest["endpoint"], &guest["model"]), (&"http://gpu:8000".into(), &"m".into()));
    assert_eq!(guest["model_profile"], "default", "what it does not say itself is as there");
    assert_eq!(there[0]["agents"][0]["model"], "scripted");
    let table = place.run(&["councils", "list", "SECURITY"]).await.stdout;
    assert!(table.contains("model m at http://gpu:8000\n"), "{table}");
    assert_eq!(there[0]["origin"], "call");
    assert_eq!(place.run(&["councils", "unregister", "SECURITY", "guest"]).await.code, 0);
    assert_eq!(place.run(&["councils", "delete", "QA"]).await.code, 0);
    let table = place.run(&["councils"]).await.stdout;
    assert!(table.contains("SECURITY") && !table.contains("QA"), "{table}");
    server.stop().await;
    let table = place.run(&["councils", "list", "--agents"]).await.stdout;
    assert!(
        table.contains("agent-security-002") && !table.contains("guest") && !table.contains("QA"),
        "{table}"
    );
    let unknown = place.run(&["councils", "list", "NONE"]).await;
    assert_eq!(unknown.code, 6, "{}", unknown.stderr);
}

#[tokio::test]
async fn an_agent_whose_own_server_is_away_is_registered_with_a_warning_and_is_offline_until_it_answers() {
    let (model, own) = (answers(0).await, answers(0).await);
    let place = Place::new();
    let config = place.file("fleet.toml", "");
    let register = |agent: &'static str, url: String| {
        let flags = ["--config", &config, "councils", "register", "DEV", agent];
        place.fleet(&flags).also(&["--endpoint", &url, "--model", "scripted"]).end()
    };
    let away = "http://127.0.0.1:9";
    // Without a server it is looked at from here.
    let said = register("first", away.into()).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("warning: the agent is offline") && said.stderr.contains(away), "{said:?}");

    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let stands = async |agent: &str| {
        let council = listed(&client, "DEV").await.unwrap().remove(0);
        council.agents.into_iter().find(|info| info.agent_id == agent).unwrap().status
    };
    // It is looked at from the start, before anybody has called it.
    eventually("it was looked at", || async { (stands("first").await == "offline").then_some(()) }).await;
    own.set_health(Reply::error(503, "unavailable", "down for today"));
    let said = register("second", own.url()).await;
    assert!(said.stderr.contains("warning: the agent is offline until it answers"), "{}", said.stderr);
    assert!(said.stderr.contains("/health says 503"), "{}", said.stderr);
    assert_eq!(stands("second").await, "offline", "at once, without a call");
    own.set_health(Reply::raw(200, "text/plain", ""));
    let said = register("third", own.url()).await;
    assert!(said.code == 0 && !said.stderr.contains("warning"), "{}", said.stderr);
    assert_eq!((stands("second").await.as_str(), stands("third").await.as_str()), ("ready", "ready"));
    own.set_models(&["another"]);
    let said = register("fourth", own.url()).await;
    assert!(
        said.stderr.contains("warning") && said.stderr.contains("does not list the model scripted"),
        "{said:?}"
    );
    assert_eq!(stands("fourth").await, "ready", "servers know names that they do not list");
}

#[tokio::test]
async fn a_list_names_only_what_is_asked_for() {
    let (model, let_go) = held("propose").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    for (id, role) in [("a", "DEV"), ("b", "QA"), ("c", "DEV")] {
        let request =
            DeliberateRequest { task_id: id.into(), role: role.into(), ..deliberate("Sort a list") };
        client.submit(request).await.unwrap();
    }
    assert_eq!(place.run(&["cancel", "a"]).await.code, 0);
    let ids = async |flags: &[&str]| -> Vec<String> {
        let listed = json(&place.run(&[&["list", "--json"], flags].concat()).await);
        listed.as_array().unwrap().iter().map(|row| row["task_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]).await, ["c", "b", "a"]);
    assert_eq!(ids(&["--role", "dev"]).await, ["c", "a"]);
    assert_eq!(ids(&["--status", "failed"]).await, ["a"]);
    assert_eq!(ids(&["--status", "cancelled"]).await, ["a"]);
    assert_eq!(ids(&["--status", "cancelled", "--role", "QA"]).await, [""; 0]);
    assert_eq!(ids(&["--status", "left"]).await, [""; 0], "a server works on them");
    assert_eq!(ids(&["--status", "pending", "--role", "QA"]).await, ["b"]);
    assert_eq!(ids(&["--status", "pending", "--limit", "1"]).await, ["c"]);
    let table = place.run(&["list"]).await.stdout;
    assert!(table.contains("CANCELLED"));
    let submitted = table.lines().nth(1).unwrap().split_whitespace().nth(3).unwrap();
    assert!(submitted.len() == 20 && submitted.ends_with('Z'), "with its zone: {table}");
    let_go.store(true, std::sync::atomic::Ordering::SeqCst);
    drop(server);
    // Without a server the files say the same.
    let left = eventually("the state is free", || async {
        let listed = place.run(&["list", "--json", "--role", "QA"]).await;
        (listed.code == 0).then_some(listed)
    });
    assert_eq!(json(&left.await)[0]["task_id"], "b");
}
