//! What is to be run.

use std::collections::BTreeSet;

use fleet_deliberation::check_judges;
use fleet_evaluation::{Arm, Rates, Sweep, Task, Trial, Unscored, check_arms, read_tasks};
use fleet_orchestrator::{HandleError, Request};

use crate::cli::{Eval, in_flags};
use crate::config::{Loaded, Selection};
use crate::{Exit, Problem};

/// Who submits what an evaluation runs.
const SUBMITTER: &str = "cli.eval";

/// What is to be run.
pub(super) struct Plan {
    /// The file, as it was named.
    pub(super) file: String,
    /// All of it.
    pub(super) text: String,
    pub(super) tasks: Vec<Task>,
    pub(super) arms: Vec<Arm>,
    pub(super) repetitions: u32,
    pub(super) parallel: usize,
    pub(super) seed: u64,
    /// Whether the simulated model answers.
    pub(super) simulated: bool,
    rates: Option<Rates>,
    pub(super) sweep: Option<Sweep>,
    pub(super) agents: Option<u32>,
    pub(super) rounds: u32,
    judges: Option<u32>,
    /// How near ties are told apart in arm judged, in words.
    pub(super) selection: String,
    timeout_ms: Option<u64>,
}

/// A task that is run in every arm, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) rates: Option<Rates>,
    pub(super) task: usize,
    pub(super) repetition: u32,
}

impl Plan {
    pub(super) fn of(loaded: &Loaded, asked: &Eval) -> anyhow::Result<Plan> {
        let refused = |message: String| Problem::new(Exit::Refused, message);
        let file = asked.file.display().to_string();
        let text = std::fs::read_to_string(&asked.file)
            .map_err(|error| refused(format!("{file} cannot be read as text: {error}")))?;
        let mut tasks = read_tasks(&text).map_err(|error| refused(format!("{file}: {error}")))?;
        tasks.truncate(asked.limit.map_or(usize::MAX, |limit| limit as usize));
        if let Some(task) = tasks.iter().find(|task| asked.simulated.is_some() && task.key.is_none()) {
            let message = format!(
                "{file}: task {} has no solution and no wrong code, which --simulated answers with",
                task.id
            );
            return Err(refused(message).into());
        }
        let mut arms = asked.arms.clone();
        if arms.is_empty() {
            arms = Arm::ALL.to_vec();
        }
        check_arms(&arms).map_err(|error| refused(format!("--arms: {error}")))?;
        arms.sort();
        let malformed = |rejection| in_flags(HandleError::Rejected(rejection).into());
        asked.judges.map_or(Ok(()), |judges| check_judges("--judges", judges)).map_err(malformed)?;
        if arms.contains(&Arm::Judged) && asked.judges.unwrap_or(loaded.config.selection.judges) == 0 {
            let message =
                "arm judged has no judges: give --judges N, or leave it out with --arms one,best,council";
            return Err(refused(message.to_owned()).into());
        }
        let plan = Plan {
            file,
            text,
            tasks,
            arms,
            repetitions: asked.repeat,
            parallel: asked.parallel as usize,
            seed: asked.seed,
            simulated: asked.simulated.is_some(),
            rates: asked.simulated,
            sweep: asked.sweep,
            agents: asked.agents,
            rounds: asked.rounds.unwrap_or(1),
            judges: asked.judges,
            selection: {
                let Selection { judges, top_k, test_writers, architect } = &loaded.config.selection;
                let judges = asked.judges.unwrap_or(*judges);
                format!("{judges} judges, top_k {top_k}, test_writers {test_writers}, architect {architect}")
            },
            timeout_ms: asked.timeout.map(|seconds| seconds.saturating_mul(1000)),
        };
        for arm in &plan.arms {
            for task in &plan.tasks {
                plan.request(task, *arm).validate().map_err(malformed)?;
            }
        }
        Ok(plan)
    }

    /// The rates at which everything is run.
    pub(super) fn points(&self) -> Vec<Option<Rates>> {
        match (self.rates, self.sweep) {
            (Some(rates), Some(sweep)) => sweep.points(rates).into_iter().map(Some).collect(),
            (rates, _) => vec![rates],
        }
    }

    /// The roles of the tasks.
    pub(super) fn roles(&self) -> BTreeSet<&str> {
        self.tasks.iter().map(|task| task.role.as_str()).collect()
    }

    /// Every task, as often as it is run, but for those that cannot be scored.
    pub(super) fn units(&self, unscored: &[Unscored]) -> Vec<Unit> {
        let is_scored = |task: &usize| unscored.iter().all(|unscored| unscored.task != self.tasks[*task].id);
        let tasks: Vec<usize> = (0..self.tasks.len()).filter(is_scored).collect();
        let mut units = Vec::new();
        for rates in self.points() {
            for repetition in 1..=self.repetitions {
                units.extend(tasks.iter().map(|task| Unit { rates, task: *task, repetition }));
            }
        }
        units
    }

    /// What is asked in an arm. The other arms leave to the rule what judges tell apart in one of them.
    pub(super) fn request(&self, task: &Task, arm: Arm) -> Request {
        let request = Request {
            task: task.asked(),
            role: task.role.to_string(),
            timeout_ms: self.timeout_ms,
            submitter: SUBMITTER.into(),
            ..Request::default()
        };
        match arm {
            Arm::One | Arm::Best => Request {
                agents: Some(1),
                rounds: Some(0),
                judges: Some(0),
                architect: Some(false),
                ..request
            },
            Arm::Council => Request {
                agents: self.agents,
                rounds: Some(self.rounds),
                judges: Some(0),
                architect: Some(false),
                ..request
            },
            Arm::Judged => {
                Request { agents: self.agents, rounds: Some(self.rounds), judges: self.judges, ..request }
            }
        }
    }

    /// The deliberation of a unit in an arm.
    pub(super) fn trial(&self, unit: Unit, arm: Arm, sample: u32) -> Trial {
        let Unit { rates, task, repetition } = unit;
        Trial { task: self.tasks[task].id.clone(), rates, repetition, arm, sample, turn: 1 }
    }
}
