//! A second call beside one that is slow to begin.

mod support;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet_deliberation::FailureKind;
use fleet_llm::{Models, ProfileSettings, ServerSettings};
use fleet_orchestrator::port::{LanguageModel, ModelError, Tokens};
use fleet_scripted::{Call, Outcome, Reply, Scripted};
use support::world::{Notes, models_told, profile, server, settings, status};
use support::{closed_url, request};

/// Long enough for an idle server to answer, in most cases.
const HEDGE_AFTER_MS: u64 = 400;

/// Two servers of which the one that is called first answers with `first`, the other with `second`.
struct Pair {
    servers: [Scripted; 2],
    models: Arc<Models>,
    notes: Arc<Notes>,
}

type Script = fn(&Call) -> Reply;

impl Pair {
    async fn new(first: Script, second: Script) -> Pair {
        let turns = Arc::new(Mutex::new(0));
        let script = move |call: &Call| {
            let mut turns = turns.lock().expect("no panic");
            *turns += 1;
            if *turns == 1 { first(call) } else { second(call) }
        };
        let servers = [
            Scripted::start(script.clone()).await.expect("a free port"),
            Scripted::start(script).await.expect("a free port"),
        ];
        let hedged = ProfileSettings {
            hedge_after_ms: HEDGE_AFTER_MS,
            ..profile(servers.iter().map(|at| server(&at.url())))
        };
        let (models, notes) = models_told(settings(hedged));
        Pair { servers, models, notes }
    }

    async fn ask(&self) -> Result<String, ModelError> {
        self.models.complete(&request(), &|_| {}).await.map(|generation| generation.text)
    }

    fn calls(&self) -> usize {
        self.servers.iter().map(|server| server.calls().len()).sum()
    }
}

fn slow(_: &Call) -> Reply {
    Reply::silence()
}

fn quick(call: &Call) -> Reply {
    Reply::answer(call, "quick", 3)
}

fn failing(_: &Call) -> Reply {
    Reply::error(500, "x", "no")
}

#[tokio::test]
async fn the_second_call_answers_for_a_slow_one_which_is_given_up() {
    let pair = Pair::new(slow, quick).await;
    assert_eq!(pair.ask().await.unwrap(), "quick");
    let mut calls = pair.notes.calls();
    calls.sort_by_key(|call| call.nth);
    let told: Vec<_> = calls.iter().map(|call| (call.nth, call.hedge, call.came_of_it)).collect();
    assert_eq!(told, [(1, false, None), (2, true, Some(Ok(())))]);
    assert_ne!(calls[0].server, calls[1].server);
    let pool = status(&pair.models);
    assert_eq!((pool.hedges, pool.hedges_won), (1, 1));
    assert!(pool.servers.iter().all(|server| server.under_way == 0));
    let abandoned = |server: &Scripted| server.calls().iter().any(|call| call.outcome == Outcome::Abandoned);
    while !pair.servers.iter().any(abandoned) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_call_that_has_begun_its_answer_is_not_hedged() {
    let pair = Pair::new(|call| Reply::answer(call, "slowly but surely", 6).between_ms(100), quick).await;
    assert_eq!(pair.ask().await.unwrap(), "slowly but surely");
    assert_eq!((pair.calls(), status(&pair.models).hedges), (1, 0));
}

#[tokio::test]
async fn of_two_calls_only_the_one_that_begins_first_is_heard() {
    let pair = Pair::new(
        |call| Reply::answer(call, "first", 5).after_ms(HEDGE_AFTER_MS + 100).between_ms(5),
        |call| Reply::answer(call, "other", 5).after_ms(10_000),
    )
    .await;
    let heard = Mutex::new(String::new());
    let tell = |tokens: Tokens<'_>| heard.lock().unwrap().push_str(tokens.text);
    let answer = pair.models.complete(&request(), &tell).await.unwrap();
    assert_eq!((answer.text.as_str(), heard.lock().unwrap().as_str()), ("first", "first"));
    let told: Vec<_> = pair.notes.calls().iter().map(|call| (call.nth, call.came_of_it)).collect();
    assert_eq!(told, [(2, None), (1, Some(Ok(())))]);
    assert_eq!((status(&pair.models).hedges, status(&pair.models).hedges_won), (1, 0));
}

#[tokio::test]
async fn the_slow_call_is_given_up_as_soon_as_the_other_begins() {
    let pair = Pair::new(slow, |call| Reply::answer(call, "on and on and on", 8).between_ms(2_000)).await;
    let given_up = async {
        let abandoned =
            |server: &Scripted| server.calls().iter().any(|call| call.outcome == Outcome::Abandoned);
        while !pair.servers.iter().any(abandoned) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = pair.ask() => panic!("it was not given up before the other had ended"),
        () = given_up => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_both_have_begun_at_once_one_is_heard() {
    let pair = Pair::new(
        |call| Reply::answer(call, "first", 5).after_ms(HEDGE_AFTER_MS + 200).between_ms(400),
        |call| Reply::answer(call, "other", 5).after_ms(100),
    )
    .await;
    let heard = Mutex::new(String::new());
    let tell = |tokens: Tokens<'_>| heard.lock().unwrap().push_str(tokens.text);
    let request = request();
    let mut asking = pin!(pair.models.complete(&request, &tell));
    let both_sent = async {
        while pair.calls() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        biased;
        _ = &mut asking => panic!("it has not been answered yet"),
        () = both_sent => {}
    }
    // Not looked at until both answers are there: the servers and the connections have threads of their own.
    std::thread::sleep(Duration::from_millis(500));
    let answer = asking.await.unwrap();
    assert_eq!(*heard.lock().unwrap(), answer.text);
}

#[tokio::test]
async fn a_call_that_fails_leaves_it_to_the_other() {
    let pair = Pair::new(|call| Reply::answer(call, "late", 2).after_ms(HEDGE_AFTER_MS + 200), failing).await;
    assert_eq!(pair.ask().await.unwrap(), "late");
    let pair = Pair::new(
        |call| failing(call).after_ms(HEDGE_AFTER_MS + 50),
        |call| Reply::answer(call, "later", 2).after_ms(150),
    )
    .await;
    assert_eq!(pair.ask().await.unwrap(), "later");
    assert_eq!(status(&pair.models).hedges_won, 1);
    let pair = Pair::new(|call| failing(call).after_ms(HEDGE_AFTER_MS + 50), failing).await;
    assert_eq!(pair.ask().await.unwrap_err().kind, FailureKind::Server);
    assert_eq!(pair.calls(), 2);
}

#[tokio::test]
async fn a_fault_before_it_is_slow_is_not_hedged() {
    let pair = Pair::new(failing, quick).await;
    assert_eq!(pair.ask().await.unwrap_err().kind, FailureKind::Server);
    assert_eq!(pair.calls(), 1);
}

#[tokio::test]
async fn there_is_no_hedge_without_another_server_a_free_place_and_the_wish() {
    let lonely = Scripted::start(|call: &Call| Reply::answer(call, "slow", 1).after_ms(2 * HEDGE_AFTER_MS));
    let lonely = lonely.await.unwrap();
    let gone = closed_url();
    for (servers, hedge_after_ms) in [
        (vec![server(&lonely.url())], HEDGE_AFTER_MS),
        (vec![server(&lonely.url()), server(&gone)], 0),
        (
            vec![server(&lonely.url()), ServerSettings { tokens_per_minute_max: 10, ..server(&gone) }],
            HEDGE_AFTER_MS,
        ),
    ] {
        let calls = lonely.calls().len();
        let (models, _) = models_told(settings(ProfileSettings { servers, hedge_after_ms }));
        models.complete(&request(), &|_| {}).await.unwrap();
        assert_eq!(status(&models).hedges, 0);
        assert_eq!(lonely.calls().len(), calls + 1);
    }
}

#[tokio::test]
async fn an_attempt_has_one_hedge_and_no_more() {
    let servers = [
        Scripted::start(slow).await.unwrap(),
        Scripted::start(slow).await.unwrap(),
        Scripted::start(slow).await.unwrap(),
    ];
    let hedged =
        ProfileSettings { hedge_after_ms: 20, ..profile(servers.iter().map(|at| server(&at.url()))) };
    let (models, notes) = models_told(settings(hedged));
    let mut request = request();
    request.timeout_ms = 400;
    assert_eq!(models.complete(&request, &|_| {}).await.unwrap_err().kind, FailureKind::Timeout);
    assert_eq!(notes.calls().iter().filter(|call| call.hedge).count(), 1);
    assert_eq!(notes.calls().len(), 2);
}
