//! What an evaluation found, as values, as JSON and as Markdown.

mod arm;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Arm, Cell, Estimate, Outcome, Rate, Rates, Task, estimate};
pub use arm::{ArmReport, Share};
pub use words::{markdown, sweep_markdown};

/// Which share of distinct proposals is wanted, at least.
pub const DISTINCT_WANTED: f64 = 0.7;
/// Which share of a task's keywords is wanted in the winner, at least.
pub const KEYWORDS_WANTED: f64 = 0.8;

/// How an evaluation was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setup {
    /// The file of the tasks, as it was named.
    pub file: String,
    /// The models, for people.
    pub models: String,
    /// How the error model errs; `None` with a real model.
    pub simulated: Option<Rates>,
    /// Of what intervals, and what the error model does, depend on.
    pub seed: u64,
    /// How often each task was run in each arm.
    pub repetitions: u32,
    /// The arms, in the order in which they are reported.
    pub arms: Vec<Arm>,
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How it was run.
    pub setup: Setup,
    /// How many tasks count in what follows.
    pub tasks: usize,
    /// Tasks that do not count, as hidden tests could not be run.
    pub unscored: Vec<Unscored>,
    /// What each arm gave.
    pub arms: Vec<ArmReport>,
    /// How the shares solved of two arms differ.
    pub differences: Vec<Difference>,
    /// The share of its repetitions in which each arm solved each task, by the tasks' ids.
    pub solved: BTreeMap<String, BTreeMap<&'static str, f64>>,
}

/// A task that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unscored {
    /// Its id.
    pub task: String,
    /// Why.
    pub reason: String,
}

/// By how much one arm's share solved is above another's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The arm whose share is taken.
    pub arm: Arm,
    /// The arm whose share is taken from it.
    pub minus: Arm,
    /// The difference of their shares, with its interval by the paired bootstrap.
    pub solved: Estimate,
}

/// What an evaluation found at each point of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepReport {
    /// The rate that was varied.
    pub over: Rate,
    /// What was found at each of its values, in ascending order.
    pub points: Vec<Report>,
}

impl Report {
    /// What follows from outcomes. Those of other rates than the setup's do not count. A task counts only if
    /// every outcome of it does, so that arms are compared on the same tasks.
    #[must_use]
    pub fn of(setup: Setup, tasks: &[Task], outcomes: &BTreeMap<Cell, Outcome>) -> Report {
        let of_these = |cell: &Cell| cell.rates == setup.simulated && setup.arms.contains(&cell.arm);
        let mut by_task: BTreeMap<usize, Vec<(Arm, &Outcome)>> = BTreeMap::new();
        for (cell, outcome) in outcomes.iter().filter(|(cell, _)| of_these(cell)) {
            by_task.entry(cell.task).or_default().push((cell.arm, outcome));
        }
        let mut unscored = Vec::new();
        by_task.retain(|task, outcomes| {
            let Some(task) = tasks.get(*task) else { return false };
            let why =
                outcomes.iter().find_map(|(_, outcome)| outcome.solved().and(outcome.available()).err());
            if let Some(reason) = why {
                unscored.push(Unscored { task: task.id.clone(), reason: reason.to_owned() });
            }
            why.is_none()
        });
        let arms: Vec<ArmReport> = setup
            .arms
            .iter()
            .filter_map(|arm| {
                let of_arm: Vec<(&Task, Vec<&Outcome>)> = by_task
                    .iter()
                    .map(|(task, outcomes)| {
                        let of_arm =
                            outcomes.iter().filter(|(other, _)| other == arm).map(|(_, outcome)| *outcome);
                        (&tasks[*task], of_arm.collect())
                    })
                    .collect();
                ArmReport::of(*arm, &of_arm, setup.seed)
            })
            .collect();
        let differences = differences(&arms, setup.seed);
        let mut solved: BTreeMap<String, BTreeMap<&'static str, f64>> = BTreeMap::new();
        for arm in &arms {
            for (task, share) in by_task.keys().zip(&arm.solved_by_task) {
                solved.entry(tasks[*task].id.clone()).or_default().insert(arm.arm.name(), *share);
            }
        }
        Report { setup, tasks: by_task.len(), unscored, arms, differences, solved }
    }
}

/// Each arm over each that is reported before it.
fn differences(arms: &[ArmReport], seed: u64) -> Vec<Difference> {
    let mut found = Vec::new();
    for (nth, arm) in arms.iter().enumerate() {
        for minus in &arms[..nth] {
            let pairs = arm.solved_by_task.iter().zip(&minus.solved_by_task);
            let by_task: Vec<f64> = pairs.map(|(one, other)| one - other).collect();
            found.extend(estimate(&by_task, seed).map(|solved| Difference {
                arm: arm.arm,
                minus: minus.arm,
                solved,
            }));
        }
    }
    found
}
