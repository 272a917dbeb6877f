//! Near ties as their user meets them: judged, chosen among, and told.

use fleet_api::v1::{OrchestrateRequest, OrchestratorOptions};
use serde_json::Value;
use tonic::Code;

use crate::support::Place;

/// Draws of the simulated model: what they err in hangs on the id.
const IDS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

/// What the event of a task says when near ties are told apart.
async fn told(place: &Place, id: &str, variables: &[(&str, &str)], flags: &[&str]) -> Value {
    let arguments = ["deliberate", "Return n factorial", "--id", id, "--json"];
    let program = place.fleet(&[&arguments[..], flags].concat());
    let program = program.env("FLEET__MODEL__KIND", "simulated").env("FLEET__SIMULATED__LATENCY_MS", "0");
    let ended = variables.iter().fold(program, |program, (name, value)| program.env(name, value)).end().await;
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[tokio::test]
async fn near_ties_are_judged_by_a_panel_and_an_architect_chooses_by_evidence() {
    let place = Place::new();
    let mut judged = 0;
    let mut chosen = 0;
    for id in IDS {
        let event =
            told(&place, id, &[("FLEET__SELECTION__ARCHITECT", "true")], &["--judges", "1", "--top-k", "3"])
                .await;
        let near = &event["near_ties"];
        if near.is_null() {
            continue;
        }
        judged += 1;
        let first = event["winner_id"].as_str().unwrap();
        assert!(near["votes"]["asked"].as_u64().unwrap() >= 2, "{near}");
        match near["choice"].as_object() {
            Some(choice) => {
                chosen += 1;
                assert_eq!(choice["author"], first);
                assert_eq!(near["architect"], "agent-architect-001");
                assert!(event["why"].as_str().unwrap().contains("agent-architect-001 chose it"), "{event}");
                let cites = choice["cites"].as_array().unwrap();
                assert!(cites.iter().all(|cite| cite.as_str().unwrap().starts_with("agent-dev-")), "{near}");
            }
            None => assert_eq!(near["computed"][0], first),
        }
    }
    assert!(judged > 0 && chosen > 0, "{judged} judged, {chosen} chosen");
}

#[tokio::test]
async fn whoever_wants_neither_judges_nor_an_architect_pays_for_none() {
    let place = Place::new();
    for id in IDS {
        let variables = [("FLEET__SELECTION__ARCHITECT", "true"), ("FLEET__SELECTION__JUDGES", "3")];
        let event = told(&place, id, &variables, &["--judges", "0", "--no-architect"]).await;
        assert!(event["near_ties"].is_null(), "{event}");
    }
}

#[tokio::test]
async fn an_even_panel_is_refused_wherever_it_is_asked_for() {
    let place = Place::new();
    let ended = place.run(&["deliberate", "x", "--judges", "2"]).await;
    assert!(ended.stderr.contains("--judges is 2; it must be 0, or an odd number up to 9"), "{ended:?}");
    let ended = place.fleet(&["config"]).env("FLEET__SELECTION__JUDGES", "4").end().await;
    assert!(ended.stderr.contains("be 0 or an odd number"), "{ended:?}");
}

fn orchestration(id: &str) -> OrchestrateRequest {
    OrchestrateRequest {
        task_id: id.into(),
        task_description: "Return n factorial".into(),
        role: "DEV".into(),
        ..OrchestrateRequest::default()
    }
}

#[tokio::test]
async fn orchestrate_waits_for_the_winner_and_honours_its_options() {
    let place = Place::new();
    let variables = [("FLEET__MODEL__KIND", "simulated"), ("FLEET__SIMULATED__LATENCY_MS", "0")];
    let server = place.serve_with(&[], &variables).await;
    let mut calls = server.client().await.calls;
    let mut request = orchestration("whole");
    request.story_id = "story-7".into();
    request.options = Some(OrchestratorOptions {
        enable_peer_review: true,
        deliberation_rounds: 2,
        enable_architect_selection: true,
        custom_params: [("judges".to_owned(), "1".to_owned()), ("num_agents".to_owned(), "4".to_owned())]
            .into(),
    });
    let answer = calls.orchestrate(request).await.unwrap().into_inner();
    assert_eq!((answer.execution_id.as_str(), answer.candidates.len()), ("whole", 3));
    let winner = answer.winner.unwrap();
    assert_eq!(winner.rank, 1);
    assert!(answer.candidates.iter().map(|one| one.rank).eq(2..=4));

    let mut plain = orchestration("plain");
    plain.options = Some(OrchestratorOptions::default());
    let answer = calls.orchestrate(plain).await.unwrap().into_inner();
    let bases = answer.candidates.iter().chain(&answer.winner).map(|one| one.basis.clone());
    assert!(
        bases.into_iter().all(|basis| !basis.contains("peer")),
        "nobody reviews: {:?}",
        answer.candidates
    );
}

#[tokio::test]
async fn orchestrate_refuses_what_it_does_not_know_and_names_it() {
    let place = Place::new();
    let server = place.serve_with(&[], &[("FLEET__MODEL__KIND", "simulated")]).await;
    let mut calls = server.client().await.calls;
    let with =
        |options: OrchestratorOptions| OrchestrateRequest { options: Some(options), ..orchestration("x") };
    let parameter = |name: &str, value: &str| {
        let custom_params = [(name.to_owned(), value.to_owned())].into();
        with(OrchestratorOptions { custom_params, ..OrchestratorOptions::default() })
    };
    let rounds = OrchestratorOptions { deliberation_rounds: 2, ..OrchestratorOptions::default() };
    for (request, said) in [
        (
            parameter("warp", "9"),
            "options.custom_params.warp is not known; known are budget_money, budget_tokens, judges, num_agents, priority, test_writers, top_k",
        ),
        (
            parameter("judges", "many"),
            "options.custom_params.judges is \"many\"; it must be a number from 0 to 9",
        ),
        (parameter("judges", "2"), "judges is 2; it must be 0, or an odd number up to 9"),
        (parameter("priority", "URGENT"), "it must be LOW, MEDIUM or HIGH"),
        (with(rounds), "options.deliberation_rounds is 2, but options.enable_peer_review is false"),
    ] {
        let status = calls.orchestrate(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(said), "{status:?}");
    }
}
