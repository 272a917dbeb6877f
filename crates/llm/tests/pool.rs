//! Several servers behind one profile: which one is called, and what is done when one cannot be.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fleet_deliberation::FailureKind;
use fleet_llm::{BreakerStatus, FAULTS_TO_OPEN, Limits, Models, ServerSettings};
use fleet_orchestrator::port::{LanguageModel, ModelError, ModelRequest};
use fleet_scripted::{Call, Reply, Scripted};
use futures_util::future::join_all;
use support::world::{models, models_told, profile, server, settings, status};
use support::{closed_url, request, request_of, review_request};

async fn start(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Scripted {
    Scripted::start(script).await.expect("a free port")
}

async fn answering() -> Scripted {
    start(|call: &Call| Reply::answer(call, "yes", 1)).await
}

async fn ask(models: &Models, request: &ModelRequest) -> Result<String, ModelError> {
    models.complete(request, &|_| {}).await.map(|generation| generation.text)
}

fn of_attempt(attempt: u32) -> ModelRequest {
    ModelRequest { attempt, ..request() }
}

#[tokio::test]
async fn a_deliberation_stays_with_one_server_and_others_go_to_others() {
    let servers = [answering().await, answering().await, answering().await];
    let (models, notes) = models_told(settings(profile(servers.iter().map(|at| server(&at.url())))));
    for n in 0..30 {
        let request = request_of(&format!("task-{n}"));
        let calls = notes.calls().len();
        for _ in 0..3 {
            ask(&models, &request).await.unwrap();
        }
        let used: BTreeSet<String> = notes.calls()[calls..].iter().map(|call| call.server.clone()).collect();
        assert_eq!(used.len(), 1);
    }
    assert!(servers.iter().all(|server| server.calls().len() >= 9), "each has its share");
}

#[tokio::test]
async fn the_next_attempt_begins_with_another_server() {
    let servers = [answering().await, answering().await, answering().await];
    let (models, notes) = models_told(settings(profile(servers.iter().map(|at| server(&at.url())))));
    for attempt in 1..=4 {
        ask(&models, &of_attempt(attempt)).await.unwrap();
    }
    let used: Vec<String> = notes.calls().into_iter().map(|call| call.server).collect();
    assert_eq!(used[..3].iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(used[3], used[0]);
}

#[tokio::test]
async fn where_a_server_cannot_be_reached_the_next_one_is_asked_at_once() {
    let here = answering().await;
    let (gone, no_tls) = (closed_url(), here.url().replace("http:", "https:"));
    let nowhere = "http://nowhere.invalid:8000";
    let servers = [gone.as_str(), &no_tls, nowhere, &here.url()].map(server);
    let (models, notes) = models_told(settings(profile(servers)));
    for n in 0..4 {
        assert_eq!(ask(&models, &of_attempt(n + 1)).await.unwrap(), "yes");
    }
    let calls = notes.calls();
    assert_eq!(here.calls().len(), 4);
    assert!(calls.len() > 4, "{calls:?}");
    for attempt in calls.split_inclusive(|call| call.came_of_it == Some(Ok(()))) {
        let nths: Vec<u32> = attempt.iter().map(|call| call.nth).collect();
        assert_eq!(nths, (1..=attempt.len() as u32).collect::<Vec<_>>());
        let used: BTreeSet<_> = attempt.iter().map(|call| &call.server).collect();
        assert_eq!(used.len(), attempt.len(), "each server at most once");
    }
    assert_eq!(status(&models).failovers as usize, calls.len() - 4);
}

#[tokio::test]
async fn a_server_that_does_not_accept_connections_is_passed_over_too() {
    // A listener whose row of waiting connections is full lets further ones wait for ever.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let deaf = socket.listen(1).unwrap();
    let address = deaf.local_addr().unwrap();
    let mut row = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address)).await
    {
        row.push(connected.unwrap());
    }
    let here = answering().await;
    let limits = Limits { connect_ms: 100, ..Limits::default() };
    let servers =
        [format!("http://{address}"), here.url()].map(|url| ServerSettings { limits, ..server(&url) });
    let (models, notes) = models_told(settings(profile(servers)));
    for attempt in 1..=2 {
        assert_eq!(ask(&models, &of_attempt(attempt)).await.unwrap(), "yes");
    }
    assert!(notes.calls().iter().any(|call| call.came_of_it == Some(Err(FailureKind::Timeout))));
}

#[tokio::test]
async fn when_none_can_be_reached_the_error_names_them_all() {
    let urls = [closed_url(), closed_url()];
    let failed = ask(&models(urls.iter().map(|url| server(url))), &request()).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Connection);
    assert!(failed.message.starts_with("no server of profile default can be used now"), "{failed}");
    assert!(urls.iter().all(|url| failed.message.contains(url)), "{failed}");
    // Where there is one, its own error says it best.
    let failed = ask(&models([server(&urls[0])]), &request()).await.unwrap_err();
    assert!(failed.message.starts_with(&format!("could not connect to {}", urls[0])), "{failed}");
}

#[tokio::test]
async fn every_other_fault_is_the_attempts_result() {
    for reply in [
        Reply::hang_up(),
        Reply::error(500, "x", "x"),
        Reply::error(429, "x", "x"),
        Reply::error(400, "x", "model"),
        Reply::events(["{\"choices\":[{\"delta\":{\"content\":\"ye\"}}]}"]).then_cut(),
        Reply::raw(200, "text/html", "<html>"),
    ] {
        let script = move |_: &Call| reply.clone();
        let servers = [start(script.clone()).await, start(script).await];
        let (models, notes) = models_told(settings(profile(servers.iter().map(|at| server(&at.url())))));
        assert!(ask(&models, &request()).await.is_err());
        assert_eq!(notes.calls().len(), 1);
        assert_eq!(servers.iter().map(|server| server.calls().len()).sum::<usize>(), 1);
    }
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() {
    let busy = start(|call: &Call| match call.number {
        1 => Reply::error(429, "x", "slow down").header("retry-after", "30"),
        _ => Reply::answer(call, "yes", 1),
    });
    let (busy, other) = (busy.await, answering().await);
    let both = models([server(&busy.url()), server(&other.url())]);
    let mut refused = 0;
    for n in 0..20 {
        match ask(&both, &request_of(&format!("task-{n}"))).await {
            Ok(_) => {}
            Err(failed) => {
                assert_eq!((failed.kind, failed.retry_after_ms), (FailureKind::RateLimited, Some(30_000)));
                refused += 1;
            }
        }
    }
    assert_eq!((refused, busy.calls().len()), (1, 1));
    assert!(status(&both).servers[0].left_alone_until.is_some());
    // Where there is no other, the attempt fails at once and says when to come again.
    let alone = start(|_: &Call| Reply::error(503, "x", "x").header("retry-after", "30")).await;
    let one = models([server(&alone.url())]);
    assert_eq!(ask(&one, &request()).await.unwrap_err().kind, FailureKind::Server);
    let failed = ask(&one, &request()).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::RateLimited);
    assert!((20_000..=30_000).contains(&failed.retry_after_ms.unwrap()), "{failed:?}");
    assert!(failed.message.contains(&alone.url()) && failed.message.contains("left alone"), "{failed}");
    assert_eq!(alone.calls().len(), 1);
}

#[tokio::test]
async fn a_broken_server_is_left_until_one_call_shows_that_it_is_back() {
    let broken = Arc::new(AtomicUsize::new(FAULTS_TO_OPEN as usize));
    let left = Arc::clone(&broken);
    let server_at = start(move |call: &Call| {
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => Reply::error(500, "x", "engine dead"),
            Err(_) => Reply::answer(call, "yes", 1),
        }
    });
    let server_at = server_at.await;
    let models = models([server(&server_at.url())]);
    for _ in 0..FAULTS_TO_OPEN {
        assert_eq!(ask(&models, &request()).await.unwrap_err().kind, FailureKind::Server);
    }
    assert!(matches!(status(&models).servers[0].breaker, BreakerStatus::Open { .. }));
    let failed = ask(&models, &request()).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Server);
    assert!(failed.message.contains("failed 5 times in a row"), "{failed}");
    assert!(failed.retry_after_ms.is_some_and(|ms| ms <= 1_500), "{failed:?}");
    assert_eq!(server_at.calls().len(), FAULTS_TO_OPEN as usize);
    while ask(&models, &request()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(status(&models).servers[0].breaker, BreakerStatus::Closed { faults: 0 });
    assert_eq!(server_at.calls().len(), FAULTS_TO_OPEN as usize + 1, "one call tried it");
}

#[tokio::test]
async fn refusals_of_requests_break_nothing() {
    let picky = start(|_: &Call| Reply::error(400, "x", "model")).await;
    let models = models([server(&picky.url())]);
    for _ in 0..3 * FAULTS_TO_OPEN {
        assert_eq!(ask(&models, &request()).await.unwrap_err().kind, FailureKind::BadRequest);
    }
    assert_eq!(status(&models).servers[0].breaker, BreakerStatus::Closed { faults: 0 });
}

#[tokio::test]
async fn a_job_without_time_is_no_fault_of_its_server() {
    let slow = start(|_: &Call| Reply::silence()).await;
    let models = models([server(&slow.url())]);
    let hasty = ModelRequest { timeout_ms: 5, ..request() };
    for _ in 0..2 * FAULTS_TO_OPEN {
        assert_eq!(ask(&models, &hasty).await.unwrap_err().kind, FailureKind::Timeout);
    }
    assert_eq!(status(&models).servers[0].breaker, BreakerStatus::Closed { faults: 0 });
}

#[tokio::test]
async fn no_server_gets_more_calls_at_once_than_it_may() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let script = {
        let (now, most) = (now.clone(), most.clone());
        move |call: &Call| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            Reply::answer(call, "yes", 4).between_ms(1)
        }
    };
    let server_at = start(script).await;
    let models = models([ServerSettings { calls_max: 3, ..server(&server_at.url()) }]);
    let calls = (0..40).map(|n| {
        let (models, now) = (&models, &now);
        async move {
            let request = request_of(&format!("task-{}", n % 5));
            let answer = models.complete(&request, &|_| {}).await;
            now.fetch_sub(1, Ordering::SeqCst);
            answer
        }
    });
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert!(most.load(Ordering::SeqCst) <= 3, "{most:?}");
    assert_eq!((status(&models).servers[0].under_way, status(&models).servers[0].waiting), (0, 0));
}

#[tokio::test]
async fn when_one_server_is_full_the_others_are_used() {
    let servers = [answering().await, answering().await];
    let bounded = servers.iter().map(|at| ServerSettings { calls_max: 2, ..server(&at.url()) });
    let models = models(bounded);
    let request = request();
    let calls = join_all((0..4).map(|_| models.complete(&request, &|_| {}))).await;
    assert!(calls.iter().all(Result::is_ok));
    assert_eq!(servers.each_ref().map(|server| server.calls().len()), [2, 2]);
}

#[tokio::test]
async fn faults_of_a_request_do_not_open_a_breaker() {
    let at = start(|call: &Call| match call.format.is_some() {
        true => Reply::error(500, "server_error", "boom"),
        false => Reply::answer(call, "7", 1),
    });
    let at = at.await;
    let models = models([server(&at.url())]);
    for _ in 0..=FAULTS_TO_OPEN {
        assert_eq!(ask(&models, &review_request()).await.unwrap(), "7");
    }
    assert_eq!(status(&models).servers[0].breaker, BreakerStatus::Closed { faults: 0 });
    // Also where the answer, not the request, has not the form that the server wants.
    let words = "The model produced output that does not match the expected peg-native format";
    for stream in [false, true] {
        let error = format!(r#"{{"error":{{"code":500,"message":"{words}","type":"server_error"}}}}"#);
        let at = start(move |_: &Call| match stream {
            true => Reply::events([r#"{"choices":[{"delta":{"content":"x"}}]}"#, &error]),
            false => Reply::error(500, "server_error", words),
        });
        let at = at.await;
        let models = support::world::models([server(&at.url())]);
        for _ in 0..=FAULTS_TO_OPEN {
            let failed = ask(&models, &request()).await.unwrap_err();
            assert!(failed.message.contains(words), "{failed}");
            assert_eq!(failed.kind, FailureKind::Server, "another attempt may do better");
        }
        assert_eq!(status(&models).servers[0].breaker, BreakerStatus::Closed { faults: 0 });
    }
}

#[tokio::test]
async fn tokens_are_counted_by_what_was_really_used() {
    let server_at = answering().await;
    let bounded = ServerSettings { tokens_per_minute_max: 1_000, ..server(&server_at.url()) };
    let models = models([bounded]);
    let left = || status(&models).servers[0].tokens_left.unwrap();
    ask(&models, &request()).await.unwrap();
    // The scripted server says 100 tokens of prompt and one of answer; time adds some.
    assert!((899..=1_000).contains(&left()), "{}", left());
    let large = ModelRequest { tokens_max: 1_000, ..request() };
    let failed = ask(&models, &large).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::BadRequest);
    assert!(failed.message.contains("tokens_per_minute_max"), "{failed}");
    let soon = ModelRequest { tokens_max: 950, timeout_ms: 20, ..request() };
    let failed = ask(&models, &soon).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Timeout);
    assert!(failed.message.contains("of 1000 tokens a minute are left"), "{failed}");
    assert_eq!(server_at.calls().len(), 1);
}
