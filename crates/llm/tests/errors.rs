//! The error model of the simulated model, by counting.

mod support;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use fleet_deliberation::{AgentId, DeliberationId, JobKind, Timestamp};
use fleet_llm::{
    AnswerKey, AnswerKeys, Attempt, ErrorRates, ErrorTrial, LABEL, SIMULATED, SimulatedModel,
    SimulatedSettings,
};
use fleet_orchestrator::port::{Clock, LanguageModel, ModelRequest};
use serde_json::Value;

/// How many trials are counted.
const TRIALS: usize = 20_000;
/// Five standard deviations of a share of so many.
const NEAR: f64 = 0.018;

fn trial(nth: usize, p: f64, rho: f64, q: f64) -> ErrorTrial {
    let key = AnswerKey {
        language: "python".into(),
        solution: "right = 1".into(),
        wrong: vec!["wrong = 0".into(), "wrong = 1".into(), "wrong = 2".into()],
        requirements: vec!["Be right".into()],
    };
    let rates = ErrorRates { p, rho, q };
    ErrorTrial { key: Arc::new(key), rates, name: format!("trial {nth}"), attempt: None }
}

fn share(count: impl Fn(usize) -> bool) -> f64 {
    (0..TRIALS).filter(|nth| count(*nth)).count() as f64 / TRIALS as f64
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < NEAR, "{found} instead of {expected}");
}

#[test]
fn attempts_are_right_with_p_whoever_makes_them_and_whatever_rho_is() {
    for (p, rho) in [(0.6, 0.0), (0.6, 0.3), (0.6, 1.0), (0.1, 0.5), (0.95, 0.5)] {
        for (who, round) in [("1", 0), ("2", 0), ("1", 1)] {
            near(share(|nth| trial(nth, p, rho, 0.5).attempt(1, who, round) == Attempt::Right), p);
        }
    }
    assert!((0..500).all(|nth| trial(nth, 1.0, 0.3, 0.5).attempt(1, "1", 0) == Attempt::Right));
    assert!((0..500).all(|nth| trial(nth, 0.0, 0.3, 0.5).attempt(1, "1", 0) != Attempt::Right));
}

#[test]
fn any_two_attempts_are_correlated_by_rho() {
    for (p, rho) in [(0.6, 0.0), (0.6, 0.3), (0.5, 0.7), (0.8, 0.5), (0.6, 1.0)] {
        for (one, other) in [(("1", 0), ("2", 0)), (("1", 0), ("1", 1)), (("7", 0), ("9", 0))] {
            let right = |nth, (who, round): (&str, u32)| {
                trial(nth, p, rho, 0.5).attempt(1, who, round) == Attempt::Right
            };
            let both = share(|nth| right(nth, one) && right(nth, other));
            let (a, b) = (share(|nth| right(nth, one)), share(|nth| right(nth, other)));
            let correlation = (both - a * b) / (a * (1.0 - a) * b * (1.0 - b)).sqrt();
            assert!((correlation - rho).abs() < 0.04, "p={p}: {correlation} instead of {rho}");
        }
    }
}

#[test]
fn attempts_that_err_in_common_err_alike_and_others_by_chance() {
    let alike = |rho| {
        let both = |nth| {
            let trial = trial(nth, 0.0, rho, 0.5);
            trial.attempt(1, "1", 0) == trial.attempt(1, "2", 0)
        };
        share(both)
    };
    near(alike(0.0), 1.0 / 3.0);
    near(alike(0.49), 0.49 + 0.51 / 3.0);
    near(alike(1.0), 1.0);
    for wrong in 0..3 {
        near(share(|nth| trial(nth, 0.0, 0.2, 0.5).attempt(1, "1", 0) == Attempt::Wrong(wrong)), 1.0 / 3.0);
    }
}

#[test]
fn what_is_right_at_some_p_is_so_at_every_larger_one() {
    for nth in 0..2_000 {
        let right = |p| trial(nth, p, 0.4, 0.5).attempt(3, "2", 0) == Attempt::Right;
        assert!(!right(0.3) || right(0.5));
        assert!(!right(0.5) || right(0.9));
    }
}

#[test]
fn reviewers_find_faults_where_they_are_with_q_and_where_they_are_not_with_the_rest() {
    let found = |seen| share(|nth| trial(nth, 0.6, 0.3, 0.7).finds_fault(1, "1", 1, seen));
    near(found(Attempt::Wrong(1)), 0.7);
    near(found(Attempt::Right), 0.3);
}

#[test]
fn a_revision_of_a_wrong_one_is_another_attempt_and_a_right_one_survives_with_q() {
    let right = |before, found_fault| {
        let revised = |nth| trial(nth, 0.6, 0.3, 0.7).revised(1, "1", 1, before, found_fault);
        share(|nth| revised(nth) == Attempt::Right)
    };
    near(right(Attempt::Wrong(0), true), 0.6);
    near(right(Attempt::Right, true), 0.7);
    near(right(Attempt::Right, false), 1.0);
}

#[test]
fn judges_prefer_the_right_one_with_q_in_either_order_and_else_anyone() {
    let (right, wrong) = (Attempt::Right, Attempt::Wrong(2));
    let first =
        |one, other| share(|nth| trial(nth, 0.6, 0.3, 0.8).prefers_first(1, "judge 1, a b", one, other));
    near(first(right, wrong), 0.8);
    near(first(wrong, right), 0.2);
    near(first(right, right), 0.5);
    near(first(wrong, wrong), 0.5);
}

#[test]
fn architects_choose_a_right_one_with_q_where_there_are_both_and_each_place_alike() {
    let (right, wrong) = (Attempt::Right, Attempt::Wrong(0));
    let of = |shown: &[Attempt], place| share(|nth| trial(nth, 0.6, 0.3, 0.8).chooses(1, shown) == place);
    near(of(&[wrong, right, right], 0), 0.2);
    near(of(&[wrong, right, right], 1), 0.4);
    near(of(&[right, right], 0), 0.5);
    near(of(&[wrong, wrong], 1), 0.5);
    assert_eq!(trial(1, 0.6, 0.3, 0.8).chooses(1, &[]), 0);
}

#[test]
fn another_seed_and_another_name_draw_anew_and_the_same_ones_the_same() {
    let attempts =
        |seed| (0..50).map(|nth| trial(nth, 0.5, 0.3, 0.5).attempt(seed, "1", 0)).collect::<Vec<_>>();
    assert_eq!(attempts(1), attempts(1));
    assert_ne!(attempts(1), attempts(2));
}

struct NoTime;

#[async_trait]
impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    async fn sleep_until(&self, _: Timestamp) {}
}

/// Knows the deliberations whose names begin with `trial`.
#[derive(Debug)]
struct Keys(ErrorRates);

impl AnswerKeys for Keys {
    fn trial(&self, deliberation: &DeliberationId) -> Option<ErrorTrial> {
        let name = deliberation.as_str().strip_prefix("trial-")?;
        let ErrorRates { p, rho, q } = self.0;
        Some(ErrorTrial { name: name.into(), ..trial(0, p, rho, q) })
    }
}

fn request(deliberation: &str, kind: JobKind, agent: &str, prompt: &str) -> ModelRequest {
    let mut request = support::request();
    request.model = SIMULATED.into();
    request.agent = AgentId::new(agent).expect("a name");
    request.job.subject = request.agent.clone();
    request.job.kind = kind;
    request.job.round = u32::from(kind != JobKind::Propose);
    request.job.deliberation = DeliberationId::new(deliberation).expect("a name");
    request.messages[1].text = prompt.into();
    request
}

fn answer(rates: ErrorRates, request: &ModelRequest) -> String {
    let settings = SimulatedSettings { latency_ms: 0, ..SimulatedSettings::default() };
    let model = SimulatedModel::new(settings, Arc::new(NoTime)).with_keys(Some(Arc::new(Keys(rates))));
    let mut call = pin!(model.complete(request, &|_| {}));
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.expect("no faults were asked for").text,
        Poll::Pending => panic!("it waits"),
    }
}

const PERFECT: ErrorRates = ErrorRates { p: 1.0, rho: 0.0, q: 1.0 };
const HOPELESS: ErrorRates = ErrorRates { p: 0.0, rho: 0.0, q: 0.0 };

/// A prompt that shows a proposal, as those of reviewers and authors do.
fn shows(proposal: &str) -> String {
    format!(
        "# Task\n\nx\n\n# A colleague's proposal\n\n<proposal>\n{proposal}\n</proposal>\n\n# Check results\n"
    )
}

#[test]
fn what_it_writes_is_read_by_it_again() {
    let propose = |rates| answer(rates, &request("trial-1", JobKind::Propose, "agent-dev-001", "x"));
    let review = |rates, text: &str| {
        let text = answer(rates, &request("trial-1", JobKind::Critique, "agent-dev-001", &shows(text)));
        serde_json::from_str::<Value>(&text).expect("a review is JSON")
    };
    let findings = |review: &Value| review["findings"].as_array().map_or(0, Vec::len);
    let (right, wrong) = (propose(PERFECT), propose(HOPELESS));
    assert!(right.contains("```python\nright = 1\n```") && wrong.contains("```python\nwrong = "));
    assert!(right.contains(LABEL) && wrong.contains(LABEL));
    assert_eq!([review(PERFECT, &right), review(PERFECT, &wrong)].each_ref().map(findings), [0, 1]);
    assert_eq!([review(HOPELESS, &right), review(HOPELESS, &wrong)].each_ref().map(findings), [1, 0]);
    assert!(!review(PERFECT, &wrong)["findings"][0]["evidence"].as_str().unwrap_or_default().is_empty());
    let unknown = review(PERFECT, "```python\nsomething_else\n```");
    assert_eq!((findings(&unknown), unknown["score"].as_u64()), (0, Some(5)));
}

#[test]
fn a_revision_goes_by_the_proposal_and_the_review_it_is_shown() {
    let propose = |rates| answer(rates, &request("trial-1", JobKind::Propose, "agent-dev-001", "x"));
    let revise = |rates, text: &str, review: &str| {
        let prompt = format!("{}\n# A colleague's review\n\n{review}\n", shows(text));
        answer(rates, &request("trial-1", JobKind::Revise, "agent-dev-001", &prompt))
    };
    let finding = "- [high] Implementation: wrong (evidence: an input)";
    let (right, wrong) = (propose(PERFECT), propose(HOPELESS));
    assert!(revise(PERFECT, &wrong, finding).contains("right = 1"));
    assert!(revise(HOPELESS, &wrong, finding).contains("wrong = "));
    assert!(revise(HOPELESS, &right, finding).contains("wrong = "));
    assert!(revise(HOPELESS, &right, "- [low] Challenges: could say more").contains("right = 1"));
}

#[test]
fn judges_and_architects_go_by_the_code_they_are_shown() {
    let propose = |rates| answer(rates, &request("trial-1", JobKind::Propose, "agent-dev-001", "x"));
    let (right, wrong) = (propose(PERFECT), propose(HOPELESS));
    let ask = |rates, kind, texts: [&str; 2]| {
        let ids = "Cite at least one and at most 16 of these ids: A/lint, A/policy, B/lint. Answer so";
        let prompt = format!("{}{}{ids}", shows(texts[0]), shows(texts[1]));
        let text = answer(rates, &request("trial-1", kind, "agent-architect-001", &prompt));
        serde_json::from_str::<Value>(&text).expect("it is JSON")
    };
    assert_eq!(ask(PERFECT, JobKind::Judge, [&right, &wrong])["better"], "A");
    assert_eq!(ask(PERFECT, JobKind::Judge, [&wrong, &right])["better"], "B");
    assert_eq!(ask(HOPELESS, JobKind::Judge, [&right, &wrong])["better"], "B");
    assert_eq!(ask(PERFECT, JobKind::Judge, [&right, "no code"])["better"], "neither");
    let choice = ask(PERFECT, JobKind::Select, [&wrong, &right]);
    assert_eq!((&choice["choice"], &choice["cites"]), (&Value::from("B"), &serde_json::json!(["B/lint"])));
    assert_eq!(
        ask(PERFECT, JobKind::Select, [&right, &wrong])["cites"],
        serde_json::json!(["A/lint", "A/policy"])
    );
}

#[test]
fn a_sample_of_its_own_makes_the_attempt_of_the_agent_of_its_number() {
    let trial = ErrorTrial { attempt: Some(3), ..trial(1, 0.5, 0.0, 0.5) };
    #[derive(Debug)]
    struct Only(ErrorTrial);
    impl AnswerKeys for Only {
        fn trial(&self, _: &DeliberationId) -> Option<ErrorTrial> {
            Some(self.0.clone())
        }
    }
    let ask = |trial: ErrorTrial, agent| {
        let settings = SimulatedSettings { latency_ms: 0, ..SimulatedSettings::default() };
        let model = SimulatedModel::new(settings, Arc::new(NoTime)).with_keys(Some(Arc::new(Only(trial))));
        let request = request("any", JobKind::Propose, agent, "x");
        let mut call = pin!(model.complete(&request, &|_| {}));
        let Poll::Ready(Ok(answer)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("no answer")
        };
        answer.text
    };
    let alone = ask(trial.clone(), "agent-dev-001");
    assert_eq!(alone, ask(ErrorTrial { attempt: None, ..trial }, "agent-dev-003"));
}

#[test]
fn of_other_deliberations_it_is_the_ordinary_simulated_model() {
    let settings = SimulatedSettings { latency_ms: 0, ..SimulatedSettings::default() };
    let ask = |model: SimulatedModel| {
        let request = request("task-1", JobKind::Propose, "agent-dev-001", "Sort a list.");
        let mut call = pin!(model.complete(&request, &|_| {}));
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.expect("an answer"),
            Poll::Pending => panic!("it waits"),
        }
    };
    let plain = SimulatedModel::new(settings, Arc::new(NoTime));
    let keyed = SimulatedModel::new(settings, Arc::new(NoTime)).with_keys(Some(Arc::new(Keys(PERFECT))));
    assert_eq!(ask(plain), ask(keyed));
}
