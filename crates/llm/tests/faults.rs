//! Spoilt connections between a call and its server: every outcome is typed, in bounded time, and an answer
//! is whole or none.

mod support;

use std::time::Duration;

use fleet_deliberation::{FailureKind, Generation};
use fleet_llm::{Limits, Models};
use fleet_orchestrator::port::{LanguageModel, ModelError, ModelRequest, Tokens};
use fleet_scripted::{Call, Fault, Proxy, Reply, Scripted};
use futures_util::future::join_all;
use support::world::{models, server, server_within, status};
use support::{client_with, request};

/// What nothing here takes unless it hangs.
const PATIENT: Limits = within(20_000);
/// What takes longer than this hangs.
const HANG: Duration = Duration::from_secs(30);
/// An answer, head and all, is shorter than this.
const REPLY_BYTES: usize = 2_600;

const WHOLE: &str = "Grüße aus dem Norden: def f(n):\n    return 1 if n < 2 else n * f(n - 1)";

type Outcome = Result<Generation, ModelError>;

async fn ask(model: &dyn LanguageModel) -> Outcome {
    let request = request();
    let outcome =
        tokio::time::timeout(HANG, model.complete(&request, &|_| {})).await.expect("it ends in bounded time");
    if let Ok(generation) = &outcome {
        assert_eq!(generation.text, WHOLE, "an answer is whole or none");
    }
    outcome
}

/// Servers of the same answer: in one piece of known length, and in chunks.
async fn servers() -> [Scripted; 2] {
    let at_once = Scripted::start(|call: &Call| Reply::answer(call, WHOLE, 8)).await.expect("a free port");
    let chunked = Scripted::start(|call: &Call| Reply::answer(call, WHOLE, 8).between_ms(1));
    [at_once, chunked.await.expect("a free port")]
}

const fn within(ms: u64) -> Limits {
    Limits { connect_ms: ms, first_token_ms: ms, between_tokens_ms: ms, total_ms: 20_000 }
}

/// How long a server may take behind `fault`: where it stalls, so long that it is not only slow.
const fn limits(fault: Fault) -> Limits {
    match fault {
        Fault::Stall { .. } => within(1_000),
        _ => PATIENT,
    }
}

/// What comes of a call at each of `servers`, each behind a proxy with `fault`.
async fn behind(servers: &[Scripted], fault: Fault) -> Vec<Outcome> {
    let ask = async |server: &Scripted| {
        let proxy = Proxy::start(server.port(), fault).await.expect("a free port");
        ask(&client_with(&proxy.url(), limits(fault))).await
    };
    join_all(servers.iter().map(ask)).await
}

/// What comes of a call for a fault after each of some counts of bytes, up to the whole reply and beyond.
async fn wherever(fault: impl Fn(usize) -> Fault) -> Vec<(usize, Outcome)> {
    let servers = servers().await;
    let places: Vec<usize> = (0..REPLY_BYTES).step_by(37).chain([1, 16, 17, 18]).collect();
    let mut outcomes = Vec::new();
    for some in places.chunks(25) {
        let asked = some.iter().map(|after| behind(&servers, fault(*after)));
        let came = join_all(asked).await;
        outcomes
            .extend(some.iter().zip(came).flat_map(|(after, two)| two.into_iter().map(|one| (*after, one))));
    }
    assert!(outcomes.iter().any(|(_, outcome)| outcome.is_ok()), "what comes behind an answer does no harm");
    outcomes
}

fn check(outcomes: &[(usize, Outcome)], kinds: &[FailureKind]) {
    let failed: Vec<_> =
        outcomes.iter().filter_map(|(after, one)| Some((after, one.as_ref().err()?))).collect();
    assert!(failed.len() > 20, "{}", failed.len());
    for (after, error) in failed {
        assert!(kinds.contains(&error.kind), "after {after} bytes: {:?} {error}", error.kind);
        assert!(error.message.contains("http://127.0.0.1:"), "{error}");
    }
}

#[tokio::test]
async fn a_slow_connection_does_no_harm() {
    for outcome in behind(&servers().await, Fault::Delay { ms: 10 }).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_cut_connection_is_a_broken_connection_wherever_it_is_cut() {
    check(&wherever(|after| Fault::Cut { after }).await, &[FailureKind::Connection]);
}

#[tokio::test]
async fn a_half_closed_connection_is_a_broken_connection() {
    check(&wherever(|after| Fault::HalfClose { after }).await, &[FailureKind::Connection]);
}

#[tokio::test]
async fn a_stalled_connection_is_too_slow() {
    check(&wherever(|after| Fault::Stall { after }).await, &[FailureKind::Timeout]);
}

#[tokio::test]
async fn noise_is_never_taken_for_an_answer() {
    for seed in [1, 77] {
        let outcomes =
            wherever(|after| Fault::Garbage { after, seed: seed + after as u64, bytes: 5_000 }).await;
        check(&outcomes, &[FailureKind::Connection, FailureKind::Unreadable]);
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_broken_connection() {
    for outcome in behind(&servers().await, Fault::Refuse).await {
        let failed = outcome.unwrap_err();
        assert_eq!(failed.kind, FailureKind::Connection);
        assert!(failed.message.contains("could not connect"), "{failed}");
    }
}

fn idle(models: &Models) -> bool {
    status(models).servers.iter().all(|server| server.under_way == 0 && server.waiting == 0)
}

#[tokio::test]
async fn a_pool_gets_over_every_fault_of_one_of_its_servers() {
    let [spoilt, sound] = servers().await;
    let proxy = Proxy::start(spoilt.port(), Fault::None).await.unwrap();
    for fault in [
        Fault::Refuse,
        Fault::Cut { after: 0 },
        Fault::Cut { after: 900 },
        Fault::HalfClose { after: 900 },
        Fault::Stall { after: 0 },
        Fault::Stall { after: 900 },
        Fault::Garbage { after: 300, seed: 5, bytes: 900 },
    ] {
        proxy.set(fault).await;
        let models =
            models([server_within(&proxy.url(), limits(fault)), server_within(&sound.url(), PATIENT)]);
        let mut faults = 0;
        for attempt in 1..=2 {
            let request = ModelRequest { attempt, ..request() };
            match tokio::time::timeout(HANG, models.complete(&request, &|_| {}))
                .await
                .expect("it ends in bounded time")
            {
                Ok(answer) => assert_eq!(answer.text, WHOLE),
                Err(_) => faults += 1,
            }
        }
        // One of two attempts begins at the spoilt server. Refused, it costs nothing.
        assert_eq!(faults, usize::from(fault != Fault::Refuse), "{fault:?}");
        assert!(idle(&models));
    }
}

#[tokio::test]
async fn a_server_that_dies_while_it_answers_breaks_its_calls_and_no_others() {
    let long = |call: &Call| Reply::answer(call, WHOLE, 40).between_ms(5);
    let (dying, sound) = (Scripted::start(long).await.unwrap(), Scripted::start(long).await.unwrap());
    let models = models([server(&dying.url()), server(&sound.url())]);
    let dying = std::sync::Mutex::new(Some(dying));
    let mut failed = Vec::new();
    for attempt in 1..=2 {
        let request = ModelRequest { attempt, ..request() };
        let heard = |tokens: Tokens<'_>| {
            // Once an answer is on its way from the one that is to die, it does.
            let mut dying = dying.lock().expect("no panic");
            if tokens.written > 3 && dying.as_ref().is_some_and(|server| !server.calls().is_empty()) {
                *dying = None;
            }
        };
        failed.extend(models.complete(&request, &heard).await.err());
    }
    let kinds: Vec<FailureKind> = failed.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [FailureKind::Connection], "{failed:?}");
    assert!(failed[0].message.contains("tokens"), "{failed:?}");
    assert!(idle(&models));
    for attempt in 1..=2 {
        let again = ModelRequest { attempt, ..request() };
        assert_eq!(models.complete(&again, &|_| {}).await.unwrap().text, WHOLE);
    }
}
