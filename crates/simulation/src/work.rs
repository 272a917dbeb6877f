//! What the worker works with: the simulated model, watched, and a checker of chance.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{
    CheckKind, CheckOutcome, CheckReport, CheckResult, Fault, Generation, Severity, Sketch, TestOutcome,
};
use fleet_llm::SimulatedModel;
use fleet_orchestrator::port::{
    CheckRequest, Checker, Heard, LanguageModel, ModelError, ModelRequest, NoProgress,
};
use fleet_orchestrator::{Coordinator, Ports};
use fleet_worker::{Parts, Settings, Worker};

use crate::invariants;
use crate::link::Link;

/// A worker over `ports` that speaks through `model`.
pub(crate) fn worker(
    ports: &Ports,
    coordinator: &Coordinator,
    model: Arc<dyn LanguageModel>,
    settings: Settings,
) -> Worker {
    let parts = Parts {
        histories: Arc::clone(coordinator.histories()),
        answers: Arc::clone(&ports.answers),
        queue: Arc::clone(&ports.queue),
        model,
        checker: Arc::new(SimChecker),
        progress: Arc::new(NoProgress),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        observer: Arc::clone(&ports.observer),
    };
    Worker::new(parts, settings)
}

/// The simulated model, watched.
pub(crate) struct WatchedModel {
    pub(crate) link: Link,
    pub(crate) model: SimulatedModel,
}

#[async_trait]
impl LanguageModel for WatchedModel {
    async fn complete(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError> {
        let worst = worst(request);
        let counts = chance_of(&request.job.to_string()) % 4 != 1;
        let hangs = {
            let mut state = self.link.world.lock();
            invariants::called(&mut state, self.link.process, &request.job);
            invariants::took(&mut state, &request.job, |took| took + worst);
            let hangs = chance_of(&request.job.to_string()).is_multiple_of(40);
            if hangs {
                state.hung.insert(request.job.clone());
            }
            hangs
        };
        if hangs {
            pending::<()>().await;
        }
        let mut answer = self.model.complete(request, heard).await;
        if let Ok(generation) = &mut answer {
            // Some servers count tokens, and some do not.
            generation.usage.estimated = !counts;
        }
        let dead = {
            let mut state = self.link.world.lock();
            if let Some(generation) = answer.as_ref().ok().filter(|known| !known.usage.estimated) {
                let used = generation.usage.prompt_tokens + generation.usage.completion_tokens;
                invariants::took(&mut state, &request.job, |took| took - worst + used);
            }
            if answer.is_ok() && !state.by_job.contains_key(&request.job) {
                state.paid.insert(request.job.clone(), (self.link.process, self.link.life));
            }
            !self.link.alive(&state)
        };
        if dead {
            pending::<()>().await;
        }
        answer
    }
}

/// The most tokens that a call can take.
fn worst(request: &ModelRequest) -> u64 {
    let bytes: usize = request.messages.iter().map(|message| message.text.len()).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(request.tokens_max.into())
}

/// A checker that finds what chance, fixed by the text, tells it to.
pub(crate) struct SimChecker;

#[async_trait]
impl Checker for SimChecker {
    async fn check(&self, request: CheckRequest<'_>) -> CheckReport {
        let chance = chance_of(request.proposal);
        let outcome = match chance % 8 {
            0 => CheckOutcome::Skipped,
            1 => CheckOutcome::Error,
            2..=4 => CheckOutcome::Fail,
            _ => CheckOutcome::Pass,
        };
        let fault = Fault {
            rule: "chance".into(),
            severity: Severity::High,
            language: "simulated".into(),
            line: 1,
            column: 1,
            message: "a fault of chance".into(),
            excerpt: String::new(),
        };
        let faults =
            if outcome == CheckOutcome::Fail { vec![fault; 1 + (chance / 8 % 3) as usize] } else { vec![] };
        let lint = CheckResult { faults, ..CheckResult::new(outcome, "simulated") };
        let mut checks: BTreeMap<CheckKind, CheckResult> = [(CheckKind::Lint, lint)].into();
        if let Some(tests) = request.task.tests() {
            let test = |n: u64| TestOutcome {
                name: format!("test_{n}"),
                passed: !chance_of(&format!("{chance} {n} {tests}")).is_multiple_of(3),
            };
            let tests: Vec<TestOutcome> = (0..chance_of(tests) % 4).map(test).collect();
            let outcome = match tests.iter().all(|test| test.passed) {
                _ if tests.is_empty() => CheckOutcome::Skipped,
                true => CheckOutcome::Pass,
                false => CheckOutcome::Fail,
            };
            checks.insert(CheckKind::Tests, CheckResult { tests, ..CheckResult::new(outcome, "simulated") });
        }
        CheckReport { checks, sketch: Sketch::of([chance % 16]).of_whole((chance % 16).into()) }
    }
}

/// A number that is always the same for the same text.
fn chance_of(text: &str) -> u64 {
    text.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
}
