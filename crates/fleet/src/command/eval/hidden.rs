//! Hidden tests: run on proposals by the checker that runs given ones, in its sandbox.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use fleet_deliberation::{CheckKind, CheckOutcome, CheckReport};
use fleet_evaluation::{Score, Task, Unscored};
use fleet_orchestrator::port::{CheckRequest, Checker};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;

use super::plan::Plan;
use crate::show::say;
use crate::{Exit, Problem};

/// The longest the hidden tests of one proposal may take, in milliseconds.
const TIMEOUT_MS: u64 = 120_000;

/// Scores by the task's id and the code.
type Known = BTreeMap<(String, String), Arc<OnceCell<Score>>>;

/// Scores of proposals. The same code is scored once.
#[derive(Clone)]
pub(super) struct Hidden {
    checker: Arc<dyn Checker>,
    known: Arc<Mutex<Known>>,
    at_once: Arc<Semaphore>,
}

impl Hidden {
    pub(super) fn new(checker: Arc<dyn Checker>) -> Hidden {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        Hidden { checker, known: Arc::default(), at_once: Arc::new(Semaphore::new(cores)) }
    }

    /// How a proposal does in the hidden tests of a task.
    pub(super) async fn score(&self, task: &Task, proposal: &str) -> Score {
        let code = code(proposal);
        if code.is_empty() {
            // There is nothing that could be tested.
            return Score::Ran(Vec::new());
        }
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry((task.id.clone(), code)).or_default())
        };
        cell.get_or_init(|| self.run(task, proposal)).await.clone()
    }

    async fn run(&self, task: &Task, proposal: &str) -> Score {
        let Ok(_permit) = self.at_once.acquire().await else {
            return Score::NotRun("the evaluation is ending".into());
        };
        let scored = task.scored();
        let request = CheckRequest { proposal, task: &scored, role: &task.role, timeout_ms: TIMEOUT_MS };
        score(&self.checker.check(request).await)
    }

    /// Runs the hidden tests of each task that has a key on its solution, and for the error model on its wrong codes as
    /// well, before anything is spent. Gives the tasks whose tests do not run here; refuses a file whose key is wrong.
    pub(super) async fn rehearse(&self, plan: &Arc<Plan>) -> anyhow::Result<Vec<Unscored>> {
        say("looking whether the hidden tests run here, and hold for the solutions");
        let mut at_work = JoinSet::new();
        for task in 0..plan.tasks.len() {
            let (hidden, plan) = (self.clone(), Arc::clone(plan));
            at_work.spawn(async move { (task, hidden.rehearse_one(&plan, &plan.tasks[task]).await) });
        }
        let mut unscored = BTreeMap::new();
        while let Some(ended) = at_work.join_next().await {
            let (task, rehearsed) = ended?;
            if let Some(reason) = rehearsed? {
                unscored.insert(task, Unscored { task: plan.tasks[task].id.clone(), reason });
            }
        }
        Ok(unscored.into_values().collect())
    }

    async fn rehearse_one(&self, plan: &Plan, task: &Task) -> Result<Option<String>, Problem> {
        let Some(key) = &task.key else { return Ok(None) };
        let refused = |what: &str| {
            let message = format!("{}: task {}: {what}", plan.file, task.id);
            Problem::new(Exit::Refused, message)
        };
        let solution = self.score(task, &shown(&task.language, &key.solution)).await;
        match (&solution, solution.solved()) {
            (Score::NotRun(reason), _) => return Ok(Some(reason.clone())),
            (_, Some(true)) => {}
            _ => return Err(refused("solution does not pass its hidden_tests")),
        }
        for (nth, wrong) in key.wrong.iter().enumerate().filter(|_| plan.simulated) {
            match self.score(task, &shown(&task.language, wrong)).await {
                Score::NotRun(reason) => return Ok(Some(reason)),
                score if score.solved() == Some(true) => {
                    return Err(refused(&format!("wrong[{nth}] passes its hidden_tests")));
                }
                Score::Ran(_) => {}
            }
        }
        Ok(None)
    }
}

/// A code as the proposals of the error model show it.
fn shown(language: &str, code: &str) -> String {
    format!("## Implementation\n\n```{language}\n{}\n```\n", code.trim_end())
}

/// What a report says of the tests.
fn score(report: &CheckReport) -> Score {
    let Some(result) = report.checks.get(&CheckKind::Tests) else {
        return Score::NotRun("this version runs no tests".into());
    };
    let mut passed: Vec<bool> = result.tests.iter().map(|test| test.passed).collect();
    match result.outcome {
        CheckOutcome::Skipped | CheckOutcome::Error => Score::NotRun(result.message.clone()),
        CheckOutcome::Pass => Score::Ran(passed),
        CheckOutcome::Fail => {
            // Of very many tests a report lists only the first.
            if passed.iter().all(|passed| *passed) {
                passed.push(false);
            }
            Score::Ran(passed)
        }
    }
}

/// The fenced blocks of a proposal, each with the line before it, which may name its file: what tests depend on. The
/// whole of a proposal with longer fences, in which others may stand.
fn code(proposal: &str) -> String {
    if proposal.contains("````") || proposal.contains("~~~~") {
        return proposal.to_owned();
    }
    let mut code = String::new();
    let (mut before, mut fence): (&str, Option<&str>) = ("", None);
    for line in proposal.lines() {
        let text = line.trim_start();
        match fence {
            Some(mark) => {
                code.push_str(line);
                code.push('\n');
                if text.starts_with(mark) && text.trim_end().chars().all(|c| mark.starts_with(c)) {
                    fence = None;
                }
            }
            None => {
                fence = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark));
                if fence.is_some() {
                    code.extend([before, "\n", line, "\n"]);
                } else if !text.is_empty() {
                    before = line;
                }
            }
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::{CheckResult, TestOutcome};

    use super::*;

    fn report(outcome: CheckOutcome, passed: &[bool]) -> CheckReport {
        let test = |passed: &bool| TestOutcome { name: "t".into(), passed: *passed };
        let tests = passed.iter().map(test).collect();
        let result = CheckResult { tests, ..CheckResult::new(outcome, "why") };
        CheckReport { checks: [(CheckKind::Tests, result)].into(), ..CheckReport::default() }
    }

    #[test]
    fn only_tests_that_ran_and_passed_solve_a_task() {
        let solved = |outcome, passed: &[bool]| score(&report(outcome, passed)).solved();
        assert_eq!(solved(CheckOutcome::Pass, &[true, true]), Some(true));
        assert_eq!(solved(CheckOutcome::Fail, &[true, false]), Some(false));
        assert_eq!(solved(CheckOutcome::Fail, &[]), Some(false));
        assert_eq!(solved(CheckOutcome::Fail, &[true]), Some(false));
        assert_eq!(solved(CheckOutcome::Skipped, &[]), None);
        assert_eq!(solved(CheckOutcome::Error, &[true]), None);
        assert_eq!(score(&CheckReport::default()).solved(), None);
    }

    #[test]
    fn what_tests_depend_on_are_the_blocks_and_the_lines_before_them() {
        let one = code("Words.\n\n## a.py\n\n```python\nx = 1\n```\nMore words.");
        assert_eq!(one, code("Other words.\n\n## a.py\n```python\nx = 1\n```\n"));
        assert_ne!(one, code("## b.py\n```python\nx = 1\n```\n"));
        assert_ne!(one, code("## a.py\n```python\nx = 2\n```\n"));
        assert_ne!(one, code("## a.py\n```bash\nx = 1\n```\n"));
        assert_eq!(code("no code at all"), "");
    }
}
