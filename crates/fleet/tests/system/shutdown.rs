//! A server that is told to stop says so first, and loses nothing.

use std::sync::atomic::Ordering;

use fleet_api::v1::{DeliberateRequest, DeliberationStatus};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Client, Kept, Place, answers, deliberate, held, kind_of, until};

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
    let server = place.serve(&["--url", &model.url()]).await;
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
    let server = place.serve(&["--url", &model.url()]).await;
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
