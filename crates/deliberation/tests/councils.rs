//! The rules of councils: history, command, then event.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

use std::sync::Arc;

use fleet_deliberation::{
    Agent, AgentId, Capabilities, Council, CouncilCommand, CouncilEvent, CouncilSettings, Digest, Member,
    Profile, Record, Rejection, Role, Timestamp, decide_council, evolve_council,
};
use serde_json::json;

const AT: Timestamp = Timestamp(1_000_000);

fn role() -> Role {
    Role::new("DEV").unwrap()
}

fn settings(agents: u32) -> CouncilSettings {
    CouncilSettings {
        agents,
        rounds: None,
        profile: "default".into(),
        temperature: None,
        tokens_max: None,
        parameters: Arc::default(),
    }
}

fn configured(agents: u32) -> Council {
    Council::configured(role(), settings(agents)).unwrap()
}

fn agent(name: &str) -> Agent {
    let id = AgentId::new(name).unwrap();
    Agent { id, profile: None, endpoint: None, model: None, capabilities: Capabilities::default() }
}

fn create(settings: CouncilSettings) -> CouncilCommand {
    CouncilCommand::Create { settings }
}

fn register(agent: Agent) -> CouncilCommand {
    CouncilCommand::Register { agent }
}

fn unregister(name: &str) -> CouncilCommand {
    CouncilCommand::Unregister { agent: AgentId::new(name).unwrap() }
}

/// What a command does: the kind of the event and where the council stands, or the refusal in a word.
fn check(
    council: Option<&Council>,
    command: CouncilCommand,
    expected: Result<&str, &str>,
) -> Option<Council> {
    let decided = decide_council(council, &role(), command, AT);
    let said = match &decided {
        Ok(event) => Ok(event.as_ref().map_or("nothing", CouncilEvent::kind)),
        Err(Rejection::Taken(_)) => Err("taken"),
        Err(Rejection::NotThere(_)) => Err("not there"),
        Err(Rejection::NotNow(_)) => Err("not now"),
        Err(Rejection::Malformed { field, .. }) => Err(field.as_str()),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(said, expected);
    match decided {
        Ok(Some(event)) => evolve_council(council.cloned(), &role(), &event),
        _ => council.cloned(),
    }
}

fn names(council: &Council) -> Vec<&str> {
    council.agents.iter().map(|agent| agent.id.as_str()).collect()
}

#[test]
fn a_council_is_made_once_and_can_be_made_again_when_it_was_deleted() {
    let made = check(None, create(settings(2)), Ok("council_created")).unwrap();
    assert_eq!(names(&made), ["agent-dev-001", "agent-dev-002"]);
    assert!(made.by_call && !configured(2).by_call);
    check(Some(&made), create(settings(2)), Err("taken"));
    let gone = check(Some(&made), CouncilCommand::Delete, Ok("council_deleted"));
    assert_eq!(gone, None);
    check(None, CouncilCommand::Delete, Err("not there"));
    check(None, create(settings(1)), Ok("council_created"));
}

#[test]
fn a_council_of_the_configuration_can_be_deleted_and_stays_so() {
    assert_eq!(check(Some(&configured(3)), CouncilCommand::Delete, Ok("council_deleted")), None);
}

#[test]
fn an_agent_registers_once_and_in_the_same_words_again() {
    let council = check(Some(&configured(1)), register(agent("x")), Ok("agent_registered")).unwrap();
    assert_eq!(names(&council), ["agent-dev-001", "x"]);
    check(Some(&council), register(agent("x")), Ok("nothing"));
    let other = Agent { endpoint: Some("http://gpu:8000".into()), ..agent("x") };
    check(Some(&council), register(other), Err("taken"));
    check(None, register(agent("x")), Err("not there"));
    let full = configured(64);
    check(Some(&full), register(agent("x")), Err("not now"));
}

#[test]
fn an_agent_is_unregistered_unless_it_is_the_last_one() {
    let two = configured(2);
    check(Some(&two), unregister("x"), Err("not there"));
    let one = check(Some(&two), unregister("agent-dev-001"), Ok("agent_unregistered")).unwrap();
    assert_eq!(names(&one), ["agent-dev-002"]);
    check(Some(&one), unregister("agent-dev-002"), Err("not now"));
}

#[test]
fn what_was_registered_stays_when_the_configuration_changes() {
    let event = CouncilEvent::AgentRegistered { agent: agent("agent-dev-003"), at: AT };
    let grown = evolve_council(Some(configured(4)), &role(), &event).unwrap();
    assert_eq!(names(&grown), ["agent-dev-001", "agent-dev-002", "agent-dev-004", "agent-dev-003"]);
    assert_eq!(evolve_council(None, &role(), &event), None, "without a council there is no seat");
}

#[test]
fn settings_out_of_bounds_name_their_field() {
    let with = |change: fn(&mut CouncilSettings)| {
        let mut settings = settings(3);
        change(&mut settings);
        create(settings)
    };
    let cases: [(CouncilCommand, &str); 8] = [
        (create(settings(0)), "num_agents"),
        (create(settings(65)), "num_agents"),
        (with(|s| s.rounds = Some(11)), "config.deliberation_rounds"),
        (with(|s| s.temperature = Some(2.1)), "config.custom_params.temperature"),
        (with(|s| s.temperature = Some(f64::NAN)), "config.custom_params.temperature"),
        (with(|s| s.tokens_max = Some(0)), "config.custom_params.max_tokens"),
        (
            with(|s| s.parameters = Arc::new([("top_p".into(), json!(1.5))].into())),
            "config.custom_params.top_p",
        ),
        (with(|s| s.profile = "a\u{7}".into()), "config.model_profile"),
    ];
    for (command, field) in cases {
        check(None, command, Err(field));
    }
}

#[test]
fn members_are_the_first_agents_and_then_temporary_ones() {
    let profile = Profile::new("default", "m", 0.7, 100);
    let known = |name: &str| (name == "default").then_some(&profile);
    let ids = |members: Vec<Member>| members.iter().map(|m| m.agent.to_string()).collect::<Vec<_>>();
    let council =
        check(Some(&configured(2)), register(agent("agent-dev-004")), Ok("agent_registered")).unwrap();
    assert_eq!(ids(council.members(1, known).unwrap()), ["agent-dev-001"]);
    assert_eq!(
        ids(council.members(6, known).unwrap()),
        [
            "agent-dev-001",
            "agent-dev-002",
            "agent-dev-004",
            "agent-dev-005",
            "agent-dev-006",
            "agent-dev-007"
        ]
    );
    let lost =
        Council { settings: CouncilSettings { profile: "gone".into(), ..settings(2) }, ..configured(2) };
    assert!(matches!(lost.members(1, known), Err(Rejection::NotNow(why)) if why.contains("[profiles.gone]")));
}

#[test]
fn an_agent_speaks_through_its_own_server_and_the_council_s_parameters() {
    let mut profile = Profile::new("default", "m", 0.7, 100);
    profile.parameters = Arc::new([("top_p".to_owned(), json!(0.5)), ("seed".to_owned(), json!(1))].into());
    let own = CouncilSettings {
        temperature: Some(0.1),
        tokens_max: Some(7),
        parameters: Arc::new([("seed".to_owned(), json!(2))].into()),
        ..settings(1)
    };
    let council = Council::configured(role(), own).unwrap();
    let guest = Agent { endpoint: Some("http://gpu:8000".into()), model: Some("big".into()), ..agent("x") };
    let council = check(Some(&council), register(guest), Ok("agent_registered")).unwrap();
    let members = council.members(2, |_| Some(&profile)).unwrap();
    let [plain, guest] = members.as_slice() else { panic!("{members:?}") };
    assert_eq!((plain.profile.temperature, plain.profile.tokens_max), (0.1, 7));
    assert_eq!(*plain.profile.parameters, [("seed".into(), json!(2)), ("top_p".into(), json!(0.5))].into());
    assert_eq!(plain.profile.endpoint, None);
    assert_eq!(guest.profile.endpoint.as_deref(), Some("http://gpu:8000"));
    assert_eq!((guest.profile.name.as_str(), guest.profile.model.as_str()), ("default", "big"));
}

#[test]
fn every_event_of_a_council_is_stored_in_this_form() {
    let full = CouncilSettings {
        rounds: Some(0),
        temperature: Some(0.5),
        tokens_max: Some(10),
        parameters: Arc::new([("top_p".to_owned(), json!(0.5))].into()),
        ..settings(2)
    };
    let guest = Agent {
        profile: Some("big".into()),
        endpoint: Some("http://gpu:8000".into()),
        model: Some("m".into()),
        capabilities: Capabilities {
            supported_tasks: vec!["coding".into()],
            languages: vec!["rust".into()],
            concurrent_max: 4,
        },
        ..agent("x")
    };
    let events = vec![
        CouncilEvent::CouncilCreated { settings: full, at: AT },
        CouncilEvent::AgentRegistered { agent: guest, at: AT },
        CouncilEvent::AgentRegistered { agent: agent("y"), at: AT },
        CouncilEvent::AgentUnregistered { agent: AgentId::new("y").unwrap(), at: AT },
        CouncilEvent::CouncilDeleted { at: AT },
    ];
    let record = Record::new(AT, Digest::of(b"the record before"), events);
    let stored = record.encode();
    assert_eq!(Record::<CouncilEvent>::decode(&stored).unwrap(), record);
    let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    insta::assert_json_snapshot!("council_record_v4", stored);
}
