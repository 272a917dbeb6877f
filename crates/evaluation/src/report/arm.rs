//! What one arm gave.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Arm, Estimate, Outcome, Task, estimate, mean};

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Share {
    /// How many.
    pub n: u32,
    /// Of how many.
    pub of: u32,
}

impl Share {
    /// The share; `None` of nothing.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.n) / f64::from(self.of))
    }
}

/// What one arm gave, as means over tasks; each task counts alike, however often it was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmReport {
    /// The arm.
    pub arm: Arm,
    /// The share of tasks whose winner passes every hidden test.
    pub solved: Estimate,
    /// The same share if always the best of its own proposals had won.
    pub available: f64,
    /// What the choice cost: `available` less `solved`.
    pub regret: Estimate,
    /// Tokens read and written for a task.
    pub tokens: f64,
    /// Whether a part of them is estimated.
    pub tokens_estimated: bool,
    /// Deliberations for a task.
    pub samples: f64,
    /// Seconds for a task, samples one after another; `None` where that says nothing.
    pub seconds: Option<f64>,
    /// The share of proposals in force that differ in their text; `None` where no task has two.
    pub distinct_texts: Option<f64>,
    /// The share of them that differ in which hidden tests they pass.
    pub distinct_behaviours: Option<f64>,
    /// Revisions that were accepted, of those that were written.
    pub revisions: Share,
    /// Pairs that judges judged alike in both orders, of those they saw in both; `None` without judges.
    pub judges_consistent: Option<Share>,
    /// The share of the tasks' keywords that winners have; `None` where none has any.
    pub keywords: Option<f64>,
    /// Runs in which no proposal was acceptable.
    pub none_acceptable: u32,
    /// Runs without a verdict, by the reason.
    pub failures: BTreeMap<String, u32>,
    /// The share solved of each task, in their order.
    #[serde(skip)]
    pub(super) solved_by_task: Vec<f64>,
}

impl ArmReport {
    /// What follows from the outcomes of every task; `None` without a task, or where one has no outcome.
    pub(super) fn of(arm: Arm, tasks: &[(&Task, Vec<&Outcome>)], seed: u64) -> Option<ArmReport> {
        let by_task = |of: &dyn Fn(&Task, &Outcome) -> Option<f64>| -> Vec<f64> {
            let of_task = |(task, outcomes): &(&Task, Vec<&Outcome>)| {
                mean(&outcomes.iter().filter_map(|outcome| of(task, outcome)).collect::<Vec<_>>())
            };
            tasks.iter().filter_map(of_task).collect()
        };
        let one = |is: bool| f64::from(u8::from(is));
        let solved = by_task(&|_, outcome| outcome.solved().ok().map(one));
        if solved.len() != tasks.len() {
            return None;
        }
        let available = by_task(&|_, outcome| outcome.available().ok().map(one));
        let regrets: Vec<f64> = available.iter().zip(&solved).map(|(best, won)| best - won).collect();
        let all = || tasks.iter().flat_map(|(_, outcomes)| outcomes);
        let mut report = ArmReport {
            arm,
            solved: estimate(&solved, seed)?,
            available: mean(&available)?,
            regret: estimate(&regrets, seed)?,
            tokens: mean(&by_task(&|_, outcome| Some(outcome.tokens as f64)))?,
            tokens_estimated: all().any(|outcome| outcome.estimated),
            samples: mean(&by_task(&|_, outcome| Some(f64::from(outcome.samples))))?,
            seconds: mean(&by_task(&|_, outcome| outcome.seconds)),
            distinct_texts: mean(&by_task(&|_, outcome| outcome.distinct_texts())),
            distinct_behaviours: mean(&by_task(&|_, outcome| outcome.distinct_behaviours())),
            revisions: Share::default(),
            judges_consistent: None,
            keywords: mean(&by_task(&|task, outcome| task.keywords_in(outcome.winner_text()?))),
            none_acceptable: 0,
            failures: BTreeMap::new(),
            solved_by_task: solved,
        };
        for outcome in all() {
            report.count(outcome);
        }
        Some(report)
    }

    fn count(&mut self, outcome: &Outcome) {
        self.revisions.n += outcome.revisions.accepted;
        self.revisions.of += outcome.revisions.written;
        if let Some((alike, pairs)) = outcome.judged {
            let judged = self.judges_consistent.get_or_insert_default();
            judged.n += alike;
            judged.of += pairs;
        }
        match &outcome.failure {
            Some(reason) => *self.failures.entry(reason.clone()).or_default() += 1,
            None => self.none_acceptable += u32::from(outcome.winner.is_none()),
        }
    }
}
