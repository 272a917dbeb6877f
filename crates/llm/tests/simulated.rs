//! The simulated model, on a clock that only moves when it is waited for.

mod support;

use std::io::Write;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use fleet_deliberation::{AgentId, FailureKind, Generation, JobKind, Timestamp};
use fleet_llm::{LABEL, SIMULATED, SimulatedModel, SimulatedSettings};
use fleet_orchestrator::port::{Clock, Heard, LanguageModel, ModelError, ModelRequest, Tokens};
use serde_json::{Value, json};

#[derive(Default)]
struct VirtualClock(AtomicU64);

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        self.0.fetch_max(moment.0, Ordering::Relaxed);
    }
}

const QUIET: SimulatedSettings = SimulatedSettings {
    seed: 7,
    latency_ms: 0,
    latency_spread: 0.5,
    tokens_per_second: 0,
    failure_rate: 0.0,
    malformed_rate: 0.0,
};

/// Runs a call to its end; it never waits for anything but the clock.
fn call(
    settings: SimulatedSettings,
    request: &ModelRequest,
    heard: Heard<'_>,
) -> Result<Generation, ModelError> {
    let model = SimulatedModel::new(settings, Arc::new(VirtualClock::default()));
    let mut call = pin!(model.complete(request, heard));
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits for something else than its clock"),
    }
}

fn request(kind: JobKind, agent: usize, prompt: &str) -> ModelRequest {
    let mut request = support::request();
    request.model = fleet_llm::SIMULATED.into();
    request.agent = AgentId::new(&format!("agent-dev-{agent:03}")).expect("a name");
    request.job.subject = request.agent.clone();
    request.job.kind = kind;
    request.messages[1].text = prompt.into();
    request
}

fn text(kind: JobKind, agent: usize, prompt: &str) -> String {
    call(QUIET, &request(kind, agent, prompt), &|_| {}).expect("no faults were asked for").text
}

fn score(review: &str) -> u64 {
    let review: Value = serde_json::from_str(review).expect("a review is JSON");
    review["score"].as_u64().expect("a score")
}

#[test]
fn the_same_call_gives_the_same_answer_and_another_agent_another() {
    let settings = SimulatedSettings { latency_ms: 300, failure_rate: 0.3, malformed_rate: 0.3, ..QUIET };
    let ask = |seed, agent| {
        let request = request(JobKind::Propose, agent, "Sort a list.");
        call(SimulatedSettings { seed, ..settings }, &request, &|_| {})
    };
    for agent in 0..50 {
        assert_eq!(ask(1, agent), ask(1, agent));
    }
    assert_ne!(text(JobKind::Propose, 1, "Sort a list."), text(JobKind::Propose, 2, "Sort a list."));
    assert_ne!((0..9).map(|a| ask(1, a)).collect::<Vec<_>>(), (0..9).map(|a| ask(2, a)).collect::<Vec<_>>());
}

#[test]
fn every_text_says_that_it_is_no_real_answer() {
    let settings = SimulatedSettings { malformed_rate: 0.2, ..QUIET };
    for agent in 0..100 {
        for kind in [JobKind::Propose, JobKind::Revise] {
            let request = request(kind, agent, "# Task\nKeep an inventory of spare parts");
            let Ok(generation) = call(settings, &request, &|_| {}) else { continue };
            assert!(generation.text.contains(LABEL), "{}", generation.text);
            assert_eq!(generation.model, SIMULATED);
            if !generation.truncated {
                for part in ["inventory", "## Analysis", "## Approach", "```python", "## Challenges"] {
                    assert!(generation.text.contains(part), "{part}: {}", generation.text);
                }
            }
        }
        let review: Value = serde_json::from_str(&text(JobKind::Critique, agent, "x")).expect("JSON");
        assert!(review["summary"].as_str().expect("a text").ends_with(LABEL));
    }
    assert!(text(JobKind::Propose, 1, "Sort a list in Rust").contains("```rust\n"));
}

#[test]
fn reviews_tell_good_from_bad_and_revisions_mostly_help() {
    let (mut broken, mut sound, mut better, mut worse) = (Vec::new(), Vec::new(), 0, 0);
    for agent in 0..300 {
        let proposal = text(JobKind::Propose, agent, "Write a function that returns n factorial");
        let review = text(JobKind::Critique, agent, &proposal);
        let findings = serde_json::from_str::<Value>(&review).expect("JSON")["findings"].clone();
        assert!(!findings.as_array().expect("a list").is_empty());
        if review.contains("does not parse") { &mut broken } else { &mut sound }.push(score(&review));
        let revision = text(JobKind::Revise, agent, &format!("Task: factorial\n\n{proposal}\n\n{review}"));
        match score(&text(JobKind::Critique, agent, &revision)).cmp(&score(&review)) {
            std::cmp::Ordering::Greater => better += 1,
            std::cmp::Ordering::Less => worse += 1,
            std::cmp::Ordering::Equal => {}
        }
    }
    let mean = |scores: &[u64]| scores.iter().sum::<u64>() as f64 / scores.len() as f64;
    assert!(broken.len() > 30 && sound.len() > 100, "{} {}", broken.len(), sound.len());
    assert!(mean(&broken) + 2.0 < mean(&sound), "{} {}", mean(&broken), mean(&sound));
    assert!(better > 3 * worse && worse > 5, "{better} better, {worse} worse");
}

#[test]
fn known_tasks_get_code_that_fits_and_code_that_does_not() {
    const CASES: [(&str, &str); 6] = [
        ("Return n factorial", "f = factorial; assert [f(0), f(1), f(5)] == [1, 1, 120]"),
        ("The Fibonacci numbers", "f = fibonacci; assert [f(0), f(1), f(10)] == [0, 1, 55]"),
        ("Sort a list", "f = sort_items; assert f([3, 1, 2, 3]) == [1, 2, 3, 3] and f([]) == []"),
        (
            "Is it a palindrome?",
            "f = is_palindrome; assert f('A man, a plan, a canal: Panama') and not f('ab')",
        ),
        (
            "Is it a prime number?",
            "assert [n for n in range(30) if is_prime(n)] == [2,3,5,7,11,13,17,19,23,29]",
        ),
        ("Parse CSV", r#"assert parse_csv('a,b\n1,"x, y"\n') == [{'a': '1', 'b': 'x, y'}]"#),
    ];
    let cases: Vec<Value> = CASES
        .iter()
        .map(|(task, check)| {
            let codes: Vec<String> =
                (0..60).map(|agent| code(&text(JobKind::Propose, agent, task))).collect();
            json!({"check": check, "codes": codes})
        })
        .collect();
    for (counts, (task, _)) in judged(&json!(cases)).iter().zip(CASES) {
        let count = |what: &str| counts[what].as_u64().unwrap_or(0);
        let all = [count("fits"), count("fails"), count("does not parse")];
        assert!(all[0] > 15 && all[1] > 3 && all[2] > 3, "{task}: {counts}");
    }
}

/// The first block of code of a proposal.
fn code(proposal: &str) -> String {
    let (_, behind) = proposal.split_once("```python\n").expect("a block of code");
    behind.split("```").next().expect("a part").to_owned()
}

/// How many of each case's codes fit, fail and do not parse, by Python's own judgement.
fn judged(cases: &Value) -> Vec<Value> {
    const JUDGE: &str = "
import collections, json, sys
def judge(code, check):
    try:
        program = compile(code, 'code', 'exec')
    except SyntaxError:
        return 'does not parse'
    try:
        names = {'__name__': 'code'}
        exec(program, names)
        exec(check, names)
        return 'fits'
    except Exception:
        return 'fails'
print(json.dumps([collections.Counter(judge(code, case['check']) for code in case['codes'])
                  for case in json.load(sys.stdin)]))";
    let mut child = Command::new("python3")
        .args(["-I", "-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is missing: run make test");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(cases.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("it judges")
}

#[test]
fn progress_comes_along_with_the_latency() {
    let settings = SimulatedSettings { latency_ms: 600, latency_spread: 0.0, ..QUIET };
    let heard = Mutex::new(Vec::new());
    let request = request(JobKind::Propose, 1, "x");
    let tell = |tokens: Tokens<'_>| heard.lock().expect("no panic").push(tokens.written);
    let generation = call(settings, &request, &tell).expect("an answer");
    let heard = heard.into_inner().expect("no panic");
    assert_eq!((generation.first_token_ms, heard.len()), (100, 6));
    assert!(heard.is_sorted() && heard.last() == Some(&generation.usage.completion_tokens), "{heard:?}");
    let slow = SimulatedSettings { tokens_per_second: 10, ..settings };
    let mut short = request.clone();
    short.timeout_ms = 5_000;
    assert_eq!(call(slow, &short, &|_| {}).unwrap_err().kind, FailureKind::Timeout);
}

#[test]
fn faults_come_at_the_rate_asked_for() {
    let settings = SimulatedSettings { failure_rate: 0.25, ..QUIET };
    let failed: Vec<ModelError> = (0..999)
        .filter_map(|agent| call(settings, &request(JobKind::Propose, agent, "x"), &|_| {}).err())
        .collect();
    assert!((200..300).contains(&failed.len()), "{}", failed.len());
    let lasting = failed.iter().filter(|error| !error.kind.may_pass()).count();
    assert!((20..90).contains(&lasting), "{lasting}");
    assert!(failed.iter().any(|error| error.retry_after_ms.is_some()));
    let mut again = request(JobKind::Propose, 1, "x");
    let passed = (1..20).filter(|attempt| {
        again.attempt = *attempt;
        call(settings, &again, &|_| {}).is_ok()
    });
    assert!(passed.count() > 9);
}

#[test]
fn answers_are_spoilt_at_the_rate_asked_for() {
    let settings = SimulatedSettings { malformed_rate: 0.5, ..QUIET };
    let (mut empty, mut unreadable) = (0, 0);
    for agent in 0..400 {
        match call(settings, &request(JobKind::Critique, agent, "x"), &|_| {}) {
            Err(error) => {
                assert_eq!(error.kind, FailureKind::Empty);
                empty += 1;
            }
            Ok(generation) => {
                let review = serde_json::from_str::<Value>(&generation.text).unwrap_or_default();
                unreadable += usize::from(review["score"].as_u64().is_none());
            }
        }
    }
    assert!((40..130).contains(&empty) && (70..180).contains(&unreadable), "{empty} {unreadable}");
}
