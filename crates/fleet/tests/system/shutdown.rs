//! A server that is told to stop says so first, and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fleet_api::v1::{DeliberateRequest, DeliberationStatus, GetStatusRequest};
use fleet_scripted::{Call, Script as _, Scripted};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{
    Client, HELD, Kept, Place, Server, answers, council, deliberate, eventually, get, held, kind_of,
    retry_of, until,
};

/// A server that waits for no job.
const AT_ONCE: [(&str, &str); 1] = [("FLEET__SERVER__SHUTDOWN_GRACE_S", "0")];

#[tokio::test]
async fn health_says_that_it_stops_before_it_does() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    for service in ["", "orchestrator.v1.OrchestratorService"] {
        let request = HealthCheckRequest { service: service.into() };
        let mut health = HealthClient::new(client.channel.clone());
        assert_eq!(health.check(request).await.unwrap().into_inner().status(), ServingStatus::Serving);
    }
    let request = HealthCheckRequest { service: "orchestrator.v1.OrchestratorService".into() };
    let mut watch = HealthClient::new(client.channel.clone()).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let address = server.address.clone();
    server.running.signal("-TERM");
    // It is told on a connection that still works.
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    let ended = server.running.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(Client::connect(format!("http://{address}")).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn what_was_under_way_goes_on_at_the_next_start() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &AT_ONCE).await;
    let mut client = server.client().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(client.submit(deliberate("Sort a list")).await.unwrap());
    }
    let of_kind = |kind| model.calls().iter().filter(|call| kind_of(&call.caller) == kind).count();
    until("all reviews are asked for", || of_kind("critique") == 15).await;
    let ended = server.stop().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("what is under way goes on at the next start"), "{}", ended.stderr);

    let_go.store(true, Ordering::SeqCst);
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    for id in &ids {
        assert_eq!(client.ended(id).await.status(), DeliberationStatus::Completed);
    }
    assert!(server.stop().await.stderr.contains("5 deliberations open"));
    assert_eq!([of_kind("propose"), of_kind("revise")], [15, 15], "what was answered is not asked again");
    let kept = Kept::of(&place.state()).await;
    for id in &ids {
        assert_eq!((kept.ends[id], kept.announced[id]), (1, 1));
    }
}

#[tokio::test]
async fn who_waits_is_answered_with_the_status_so_far() {
    let (model, _) = held("critique").await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &AT_ONCE).await;
    let mut client = server.client().await;
    let request = DeliberateRequest { wait: Some(true), ..deliberate("Sort a list") };
    let waits = tokio::spawn(async move { client.calls.deliberate(request).await });
    until("the reviews are asked for", || {
        model.calls().iter().filter(|call| kind_of(&call.caller) == "critique").count() == 3
    })
    .await;
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.stderr);
    let answer = waits.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.status, "IN_PROGRESS");
    assert_eq!(place.run(&["result", &answer.task_id]).await.code, 10);
}

/// A model that holds the first developer's proposal until it is let go, and takes a moment for the others.
async fn one_held() -> (Scripted, Arc<AtomicBool>) {
    let let_go = Arc::new(AtomicBool::new(false));
    let (council, open) = (council(0), Arc::clone(&let_go));
    let script = move |call: &Call| match call.caller.ends_with("propose/agent-dev-001") {
        true if !open.load(Ordering::SeqCst) => council.reply(call).after_ms(HELD),
        _ => council.reply(call).after_ms(300),
    };
    (Scripted::start(script).await.unwrap(), let_go)
}

async fn health(client: &Client) -> ServingStatus {
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(client.channel.clone()).check(request).await.unwrap().into_inner().status()
}

/// A server that was told to stop while three proposals are under way, two of which will come.
async fn stopping(place: &Place, model: &Scripted) -> (Server, Client, String) {
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let id = client.submit(deliberate("Sort a list")).await.unwrap();
    until("the proposals are asked for", || model.calls().len() == 3).await;
    server.running.signal("-TERM");
    server.running.says("waiting up to 30 s for 3 jobs under way").await;
    (server, client, id)
}

#[tokio::test]
async fn a_server_that_stops_takes_nothing_new_and_still_answers() {
    let ((model, _), place) = (one_held().await, Place::new());
    let (server, mut client, id) = stopping(&place, &model).await;
    let refused = client.submit(deliberate("Something new")).await.unwrap_err();
    assert_eq!((refused.code(), retry_of(&refused).is_some()), (Code::Unavailable, true), "{refused}");
    let again = DeliberateRequest { task_id: id.clone(), ..deliberate("Sort a list") };
    assert_eq!(client.submit(again).await.unwrap(), id, "what was accepted is accepted again");
    assert_eq!(health(&client).await, ServingStatus::NotServing);
    // Whoever balances the load over HTTP turns elsewhere, and nobody has it killed for that.
    let ready = get(&server.address, "/health/ready", "").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "stopping\n"));
    let live = get(&server.address, "/health/live", "").await;
    assert_eq!((live.status, live.body.as_str()), (200, "live\n"));
    let request = GetStatusRequest { include_stats: false };
    assert_eq!(client.calls.get_status(request).await.unwrap().into_inner().status, "degraded");
    assert!(client.result(&id).await.unwrap().status <= DeliberationStatus::InProgress as i32);
    let new = place.run(&["deliberate", "Something new", "--server", &server.address]).await;
    assert_eq!(new.code, 8, "{}", new.stderr);
    assert!(new.stderr.contains("is stopping") && new.stderr.contains("try again in 1 s"), "{}", new.stderr);
    server.kill().await;
}

#[tokio::test]
async fn a_second_signal_leaves_at_once_with_what_was_answered_by_then() {
    for signal in ["-TERM", "-INT"] {
        let ((model, let_go), place) = (one_held().await, Place::new());
        let (server, client, id) = stopping(&place, &model).await;
        let recorded = eventually("two proposals are recorded", async || {
            let recorded = Kept::of(&place.state()).await.answered;
            (recorded.len() == 2).then_some(recorded)
        })
        .await;
        server.running.signal(signal);
        let ended = server.running.ended().await;
        assert_eq!(ended.code, 130, "{}", ended.stderr);
        assert_eq!(model.calls().len(), 3, "no other job was begun");
        drop(client);

        let_go.store(true, Ordering::SeqCst);
        let server = place.serve(&["--url", &model.url()]).await;
        let result = server.client().await.ended(&id).await;
        assert_eq!((result.status(), result.results.len()), (DeliberationStatus::Completed, 3));
        let calls = model.calls();
        let again: Vec<&str> = calls[3..].iter().map(|call| call.caller.as_str()).collect();
        assert!(again.iter().all(|caller| !recorded.contains(*caller)), "{again:?} {recorded:?}");
        assert!(again.iter().any(|caller| kind_of(caller) == "propose"), "what did not come is asked again");
    }
}

#[tokio::test]
async fn jobs_that_end_in_time_end_the_server() {
    let council = council(0);
    let script = move |call: &Call| council.reply(call).after_ms(1_000);
    let (model, place) = (Scripted::start(script).await.unwrap(), Place::new());
    let server = place.serve(&["--url", &model.url()]).await;
    let id = server.client().await.submit(deliberate("Sort a list")).await.unwrap();
    until("the proposals are asked for", || model.calls().len() == 3).await;
    let ended = server.stop().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("for 3 jobs under way"), "{}", ended.stderr);
    let answered = Kept::of(&place.state()).await.answered;
    assert_eq!(answered.iter().filter(|job| kind_of(job) == "propose").count(), 3, "{answered:?}");
    assert_eq!(model.calls().len(), 3, "nothing new was begun");
    let server = place.serve(&["--url", &model.url()]).await;
    assert_eq!(server.client().await.ended(&id).await.status(), DeliberationStatus::Completed);
    let asked = model.calls().iter().filter(|call| kind_of(&call.caller) == "propose").count();
    assert_eq!(asked, 3, "what was answered is not asked again");
}

#[tokio::test]
async fn a_server_whose_grace_is_over_leaves_by_itself() {
    let ((model, _), place) = (held("propose").await, Place::new());
    let server =
        place.serve_with(&["--url", &model.url()], &[("FLEET__SERVER__SHUTDOWN_GRACE_S", "1")]).await;
    let mut client = server.client().await;
    let request = DeliberateRequest { wait: Some(true), ..deliberate("Sort a list") };
    let waits = tokio::spawn(async move { client.calls.deliberate(request).await });
    until("the proposals are asked for", || model.calls().len() == 3).await;
    let ended = server.stop().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(waits.await.unwrap().unwrap().into_inner().status, "PENDING", "who waits is answered");
    assert!(ended.stderr.contains("waiting up to 1 s for 3 jobs under way"), "{}", ended.stderr);
    assert!(ended.stderr.contains("what is under way goes on at the next start"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_server_with_nothing_under_way_waits_for_nothing() {
    let (model, place) = (answers(0).await, Place::new());
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let request = DeliberateRequest { wait: Some(true), ..deliberate("Sort a list") };
    let answer = client.calls.deliberate(request).await.unwrap().into_inner();
    assert_eq!(answer.status, "COMPLETED");
    let ended = server.stop().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("waiting up to"), "nothing is under way: {}", ended.stderr);
}
