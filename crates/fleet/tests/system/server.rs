//! The server as gRPC clients meet it.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet_api::v1::{self as wire, DeliberateRequest, DeliberationStatus, TaskConstraints};
use tonic::{Code, Request, Status};

use crate::support::{
    Client, HELD, Place, Server, answers, deliberate, eventually, field_of, held, reflected, retry_of,
    service_of,
};

const SERVICE: &str = "orchestrator.v1.OrchestratorService";

fn named(id: &str, task: &str) -> DeliberateRequest {
    DeliberateRequest { task_id: id.into(), ..deliberate(task) }
}

async fn serving(place: &Place, latency_ms: u64) -> (fleet_scripted::Scripted, Server, Client) {
    let model = answers(latency_ms).await;
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    (model, server, client)
}

#[tokio::test]
async fn a_task_is_answered_at_once_and_its_result_can_be_polled() {
    let place = Place::new();
    let (_model, _server, mut client) = serving(&place, 0).await;
    let submitted = client.calls.deliberate(deliberate("Sort a list")).await.unwrap().into_inner();
    assert_eq!(submitted.status, "SUBMITTED");
    assert_eq!(submitted.agent_ids, ["agent-dev-001", "agent-dev-002", "agent-dev-003"]);
    let metadata = submitted.metadata.unwrap();
    assert_eq!(metadata.execution_id, submitted.task_id, "clients that know no task_id find it here");
    let result = client.ended(&submitted.task_id).await;
    assert_eq!(result.status(), DeliberationStatus::Completed);
    assert_eq!(result.results.iter().map(|r| r.rank).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(result.results.is_sorted_by(|a, b| a.score >= b.score));
    let first = &result.results[0];
    assert_eq!(first.proposal.as_ref().unwrap().author_id, result.winner_id);
    let checks = first.checks.as_ref().unwrap();
    assert!(checks.lint.as_ref().is_some_and(|lint| lint.passed));
    assert!(checks.policy.as_ref().is_some_and(|policy| policy.passed));
    assert_eq!((&checks.dryrun, checks.all_passed), (&None, false));
    assert_eq!((result.error_message.as_str(), first.basis.is_empty()), ("", false));
    let tags = result.metadata.unwrap().tags;
    // Nine calls of the model, and the checks of three proposals and three revisions.
    assert_eq!(["pending", "completed", "failed"].map(|tag| tags[tag].as_str()), ["0", "15", "0"]);
}

#[tokio::test]
async fn a_call_that_waits_is_answered_with_the_verdict() {
    let place = Place::new();
    let (_model, _server, mut client) = serving(&place, 0).await;
    let request = DeliberateRequest { wait: Some(true), ..deliberate("Sort a list") };
    let answer = client.calls.deliberate(request).await.unwrap().into_inner();
    assert_eq!((answer.status.as_str(), answer.results.len()), ("COMPLETED", 3));
    assert_eq!(answer.winner_id, answer.results[0].proposal.as_ref().unwrap().author_id);
}

#[tokio::test]
async fn a_call_that_waits_is_answered_before_its_deadline_with_the_status_so_far() {
    let (model, _) = held("critique").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let answer = eventually("an answer before the deadline", || {
        let mut client = client.clone();
        async move {
            let request = DeliberateRequest { wait: Some(true), ..named("slow", "Sort a list") };
            let mut request = Request::new(request);
            request.set_timeout(Duration::from_secs(1));
            // On a machine that is busy with other things the way back may take longer than was kept for
            // it, once or twice; if nothing were kept, no try would ever succeed.
            client.calls.deliberate(request).await.ok()
        }
    })
    .await
    .into_inner();
    assert_eq!((answer.task_id.as_str(), answer.results.len()), ("slow", 0));
    assert!(["PENDING", "IN_PROGRESS"].contains(&answer.status.as_str()), "{}", answer.status);
}

#[tokio::test]
async fn the_same_task_under_the_same_id_is_one_deliberation() {
    let place = Place::new();
    let (model, _server, mut client) = serving(&place, 20).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..16 {
        let mut client = client.clone();
        let request = DeliberateRequest { wait: (n % 2 == 0).then_some(true), ..named("one", "Sort a list") };
        calls.spawn(async move { client.submit(request).await });
    }
    while let Some(id) = calls.join_next().await {
        assert_eq!(id.unwrap().unwrap(), "one");
    }
    client.ended("one").await;
    assert_eq!(client.submit(named("one", "Sort a list")).await.unwrap(), "one", "after its end, too");
    assert_eq!(model.calls().len(), 9);
    for other in [
        named("one", "Sort a set"),
        DeliberateRequest { rounds: Some(2), ..named("one", "Sort a list") },
        DeliberateRequest { num_agents: 2, ..named("one", "Sort a list") },
        DeliberateRequest { role: "QA".into(), ..named("one", "Sort a list") },
    ] {
        let refused = client.submit(other).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
        assert!(
            refused.message().contains("one") && refused.message().contains("other content"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn every_bound_is_named_when_it_is_passed() {
    let place = Place::new();
    let (model, _server, mut client) = serving(&place, 0).await;
    let with =
        |constraints| DeliberateRequest { constraints: Some(constraints), ..deliberate("Sort a list") };
    let text = |bytes: usize| "x".repeat(bytes);
    let many = |n: usize| (0..n).map(|n| (n.to_string(), String::new())).collect();
    let requests = [
        ("task_description", "empty", deliberate(" \n")),
        ("task_description", "262144", deliberate(&text(262_145))),
        ("rounds", "between 0 and 10", DeliberateRequest { rounds: Some(-1), ..deliberate("x") }),
        ("rounds", "between 0 and 10", DeliberateRequest { rounds: Some(11), ..deliberate("x") }),
        ("num_agents", "between 1 and 64", DeliberateRequest { num_agents: -1, ..deliberate("x") }),
        ("num_agents", "between 1 and 64", DeliberateRequest { num_agents: 65, ..deliberate("x") }),
        ("num_agents", "between 1 and 64", DeliberateRequest { num_agents: i32::MAX, ..deliberate("x") }),
        ("task_id", "white space", named("two words", "x")),
        ("task_id", "200 bytes", named(&text(201), "x")),
        (
            "constraints.rubric",
            "65536",
            with(TaskConstraints { rubric: text(65_537), ..TaskConstraints::default() }),
        ),
        (
            "constraints.requirements",
            "200",
            with(TaskConstraints { requirements: vec![text(1); 201], ..TaskConstraints::default() }),
        ),
        (
            "constraints.requirements",
            "16384",
            with(TaskConstraints { requirements: vec![text(16_385)], ..TaskConstraints::default() }),
        ),
        (
            "constraints.metadata",
            "100",
            with(TaskConstraints { metadata: many(101), ..TaskConstraints::default() }),
        ),
        (
            "constraints.metadata",
            "65536",
            with(TaskConstraints {
                metadata: [(text(1), text(65_537))].into(),
                ..TaskConstraints::default()
            }),
        ),
        (
            "constraints.max_iterations",
            "at least 1",
            with(TaskConstraints { max_iterations: -1, ..TaskConstraints::default() }),
        ),
        (
            "constraints.timeout_seconds",
            "between 1 and 86400",
            with(TaskConstraints { timeout_seconds: -1, ..TaskConstraints::default() }),
        ),
        (
            "constraints.timeout_seconds",
            "between 1 s and 86400 s",
            with(TaskConstraints { timeout_seconds: 86_401, ..TaskConstraints::default() }),
        ),
    ];
    for (field, bound, request) in requests {
        malformed(&client.submit(request).await.unwrap_err(), field, bound);
    }
    let cancel = wire::CancelDeliberationRequest { task_id: "x".into(), reason: text(4097) };
    malformed(&client.calls.cancel_deliberation(cancel).await.unwrap_err(), "reason", "4096");
    let list = wire::ListDeliberationsRequest { limit: 1001, ..Default::default() };
    malformed(&client.calls.list_deliberations(list).await.unwrap_err(), "limit", "between 1 and 1000");
    malformed(&client.result("").await.unwrap_err(), "task_id", "empty");
    assert_eq!(model.calls(), [], "nothing that is refused costs a call");
}

fn malformed(refused: &Status, field: &str, bound: &str) {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert_eq!(field_of(refused), field, "{refused}");
    assert!(refused.message().starts_with(field) && refused.message().contains(bound), "{bound}: {refused}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let place = Place::new();
    let (_model, _server, mut client) = serving(&place, 0).await;
    let nobody =
        client.submit(DeliberateRequest { role: "SAGE".into(), ..deliberate("x") }).await.unwrap_err();
    assert_eq!(nobody.code(), Code::NotFound);
    assert!(nobody.message().contains("ARCHITECT, DATA, DEV, DEVOPS, QA"), "{nobody}");
    let list = wire::ListCouncilsRequest { role_filter: "SAGE".into(), include_agents: false };
    assert_eq!(client.calls.list_councils(list).await.unwrap_err().code(), Code::NotFound);
    let unknown = client.result("nothing").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(unknown.message().contains("nothing"), "{unknown}");
    let cancel = wire::CancelDeliberationRequest { task_id: "nothing".into(), reason: String::new() };
    assert_eq!(client.calls.cancel_deliberation(cancel).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_full_server_refuses_says_when_to_come_back_and_takes_the_next_once_one_has_ended() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &[("FLEET__SERVER__IN_FLIGHT_MAX", "2")]).await;
    let mut client = server.client().await;
    assert_eq!(standing(&mut client).await.0, "healthy");
    for id in ["one", "two"] {
        client.submit(named(id, "Sort a list")).await.unwrap();
    }
    let refused = client.submit(named("three", "Sort a list")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(retry_of(&refused).is_some_and(|delay| delay > Duration::ZERO), "{refused:?}");
    assert!(refused.message().contains("2 deliberations") && refused.message().contains("in_flight_max"));
    assert_eq!(standing(&mut client).await.0, "degraded");
    assert_eq!(client.submit(named("one", "Sort a list")).await.unwrap(), "one", "what is in is in");

    let cancel = wire::CancelDeliberationRequest { task_id: "one".into(), reason: "enough".into() };
    let cancelled = client.calls.cancel_deliberation(cancel.clone()).await.unwrap().into_inner();
    assert_eq!(cancelled.status(), DeliberationStatus::Failed);
    assert!(cancelled.message.contains("is cancelled"), "{}", cancelled.message);
    let result = client.result("one").await.unwrap();
    assert_eq!(
        (result.status(), result.error_message.as_str()),
        (DeliberationStatus::Failed, "cancelled: enough")
    );
    assert_eq!(client.calls.cancel_deliberation(cancel).await.unwrap().into_inner(), cancelled);
    client.submit(named("three", "Sort a list")).await.unwrap();
    let request = wire::ListDeliberationsRequest { limit: 2, ..Default::default() };
    let listed = client.calls.list_deliberations(request).await.unwrap().into_inner().deliberations;
    assert_eq!(listed.iter().map(|info| info.task_id.as_str()).collect::<Vec<_>>(), ["three", "two"]);
}

async fn standing(client: &mut Client) -> (String, wire::OrchestratorStats) {
    let request = wire::GetStatusRequest { include_stats: true };
    let status = client.calls.get_status(request).await.unwrap().into_inner();
    assert!(status.uptime_seconds >= 0);
    (status.status, status.stats.unwrap())
}

#[tokio::test]
async fn the_status_counts_what_was_done() {
    let place = Place::new();
    let (_model, _server, mut client) = serving(&place, 5).await;
    for role in ["DEV", "DEV", "DATA"] {
        let request = DeliberateRequest { wait: Some(true), role: role.into(), ..deliberate("Sort a list") };
        client.submit(request).await.unwrap();
    }
    let (status, stats) = standing(&mut client).await;
    assert_eq!((status.as_str(), stats.total_deliberations, stats.active_councils), ("healthy", 3, 0));
    assert_eq!(stats.role_counts, [("DEV".to_owned(), 2), ("DATA".to_owned(), 1)].into());
    assert!(stats.avg_deliberation_time_ms >= 15.0, "three phases of 5 ms each: {stats:?}");
    let bare = client.calls.get_status(wire::GetStatusRequest { include_stats: false }).await.unwrap();
    assert_eq!(bare.into_inner().stats, None);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let model = answers(0).await;
    let place = Place::new();
    let variables = [("FLEET__SERVER__MESSAGE_BYTES_MAX", "65536")];
    let server = place.serve_with(&["--url", &model.url()], &variables).await;
    let mut client = server.client().await;
    let refused = client.submit(deliberate(&"x".repeat(70_000))).await.unwrap_err();
    assert!([Code::OutOfRange, Code::ResourceExhausted].contains(&refused.code()), "{refused}");
    assert!(refused.message().contains("65536"), "{refused}");
    client.submit(deliberate(&"x".repeat(60_000))).await.unwrap();
}

#[tokio::test]
async fn there_are_five_councils_of_three_and_the_one_at_work_is_busy() {
    let place = Place::new();
    let (_model, _server, mut client) = serving(&place, HELD).await;
    client.submit(DeliberateRequest { role: "QA".into(), ..deliberate("x") }).await.unwrap();
    let all = wire::ListCouncilsRequest { role_filter: String::new(), include_agents: true };
    let councils = client.calls.list_councils(all).await.unwrap().into_inner().councils;
    let roles: Vec<&str> = councils.iter().map(|council| council.role.as_str()).collect();
    assert_eq!(roles, ["ARCHITECT", "DATA", "DEV", "DEVOPS", "QA"]);
    let agents: BTreeSet<&str> =
        councils.iter().flat_map(|council| &council.agents).map(|agent| agent.agent_id.as_str()).collect();
    assert_eq!(agents.len(), 15);
    for council in &councils {
        let at_work = council.role == "QA";
        assert_eq!((council.num_agents, council.model.as_str()), (3, "scripted"));
        assert_eq!(council.status, if at_work { "busy" } else { "idle" });
        let status = if at_work { "busy" } else { "ready" };
        assert!(council.agents.iter().all(|agent| agent.status == status && agent.role == council.role));
    }
    let one = wire::ListCouncilsRequest { role_filter: "DEV".into(), include_agents: false };
    let councils = client.calls.list_councils(one).await.unwrap().into_inner().councils;
    assert_eq!((councils.len(), councils[0].agents.len(), councils[0].num_agents), (1, 0, 3));
}

#[tokio::test]
async fn what_is_not_served_yet_says_so_in_a_sentence() {
    let place = Place::new();
    let (_model, _server, client) = serving(&place, 0).await;
    let mut calls = client.calls;
    let refusals = [
        calls.process_planning_event(wire::PlanningEventRequest::default()).await.unwrap_err(),
        calls.derive_subtasks(wire::DeriveSubtasksRequest::default()).await.unwrap_err(),
        calls.get_task_context(wire::GetTaskContextRequest::default()).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::Unimplemented, "{refusal}");
        assert!(refusal.message().split(' ').count() > 5, "{refusal}");
    }
}

#[tokio::test]
async fn a_client_without_the_proto_can_ask_what_there_is() {
    let place = Place::new();
    let (_model, _server, client) = serving(&place, 0).await;
    let services = reflected(&client).await;
    assert!(
        services.contains(&SERVICE.into()) && services.contains(&"grpc.health.v1.Health".into()),
        "{services:?}"
    );
    assert_eq!(service_of(&client, SERVICE).await, 1);
}

#[tokio::test]
async fn results_are_served_for_a_while_after_the_end() {
    let model = answers(0).await;
    let place = Place::new();
    let served = [("FLEET__STATE__RESULTS_SERVED_S", "1")];
    let server = place.serve_with(&["--url", &model.url()], &served).await;
    let mut client = server.client().await;
    let request = DeliberateRequest { wait: Some(true), ..named("brief", "Sort a list") };
    client.submit(request).await.unwrap();
    let gone = eventually("the result is not served any more", || {
        let mut client = client.clone();
        async move { client.result("brief").await.err() }
    })
    .await;
    assert_eq!(gone.code(), Code::NotFound);
    assert!(gone.message().contains("was served for 1 s"), "{gone}");
    assert_eq!(model.calls().len(), 9);
}
