//! Calls that are dropped at each point at which they wait: their places are free again.

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use fleet_llm::{Models, ProfileSettings, ServerSettings};
use fleet_orchestrator::port::{LanguageModel, ModelRequest};
use fleet_scripted::{Call, Fault, Proxy, Reply, Scripted};
use support::world::{models_told, profile, server, settings, status};
use support::{closed_url, request};

/// A limit that is never reached here, and fills up slowly.
const TOKENS: u64 = 100_000;

/// Polls a call until it has had to wait `times` times, then drops it; true if it came to its end before.
async fn ends_within(models: &Models, request: &ModelRequest, times: usize) -> bool {
    let mut call = pin!(models.complete(request, &|_| {}));
    let mut waits = 0;
    poll_fn(|context| {
        if call.as_mut().poll(context).is_ready() {
            return Poll::Ready(true);
        }
        waits += 1;
        if waits > times { Poll::Ready(false) } else { Poll::Pending }
    })
    .await
}

fn is_free(models: &Models) -> bool {
    models
        .status()
        .iter()
        .flat_map(|pool| &pool.servers)
        .all(|server| server.under_way == 0 && server.waiting == 0)
}

/// Drops a call after ever more waits, until it is not dropped any more.
async fn drop_everywhere(models: &Models, request: &ModelRequest) -> usize {
    for times in 0..500 {
        let ended = ends_within(models, request, times).await;
        assert!(is_free(models), "after {times} waits: {:?}", models.status());
        if ended {
            return times;
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn a_call_may_be_dropped_wherever_it_waits() {
    let streaming = Scripted::start(|call: &Call| Reply::answer(call, "one two three", 5).between_ms(2));
    let streaming = streaming.await.unwrap();
    let bounded = ServerSettings { calls_max: 1, tokens_per_minute_max: TOKENS, ..server(&streaming.url()) };
    let (models, notes) = models_told(settings(profile([bounded])));
    let waits = drop_everywhere(&models, &request()).await;
    assert!(waits > 4, "{waits}");
    assert!(notes.calls().iter().filter(|call| call.came_of_it.is_none()).count() > 2);
    // What was begun and dropped counts as used, for nobody knows.
    assert!(status(&models).servers[0].tokens_left.unwrap() < TOKENS as i64 - 600);
}

#[tokio::test]
async fn a_call_may_be_dropped_while_it_goes_elsewhere_and_while_two_are_under_way() {
    let stalled = Scripted::start(|call: &Call| Reply::answer(call, "slow", 3).after_ms(60)).await.unwrap();
    let other = Scripted::start(|call: &Call| Reply::answer(call, "quick", 3).after_ms(40)).await.unwrap();
    let urls = [closed_url(), stalled.url(), other.url()];
    let hedged = ProfileSettings {
        hedge_after_ms: 10,
        servers: urls.iter().map(|url| ServerSettings { calls_max: 1, ..server(url) }).collect(),
    };
    for attempt in 1..=3 {
        let (models, notes) = models_told(settings(hedged.clone()));
        drop_everywhere(&models, &ModelRequest { attempt, ..request() }).await;
        let calls = notes.calls();
        assert!(calls.iter().any(|call| call.hedge), "{calls:?}");
    }
}

#[tokio::test]
async fn one_who_waits_for_a_place_may_go_and_the_place_goes_to_another() {
    let slow = Scripted::start(|call: &Call| Reply::answer(call, "yes", 1).after_ms(30)).await.unwrap();
    let proxy = Proxy::start(slow.port(), Fault::Delay { ms: 1 }).await.unwrap();
    let (models, _) =
        models_told(settings(profile([ServerSettings { calls_max: 1, ..server(&proxy.url()) }])));
    for times in 0..4 {
        let held = request();
        let (first, dropped, last) = tokio::join!(
            models.complete(&held, &|_| {}),
            ends_within(&models, &held, times),
            models.complete(&held, &|_| {})
        );
        assert!(first.is_ok() && last.is_ok());
        let _ = dropped;
        assert!(is_free(&models));
    }
}
