//! What the error model of the simulated model is told of an evaluation.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use fleet_deliberation::DeliberationId;
use fleet_evaluation::{Arm, Rate, Trial};
use fleet_llm::{AnswerKey, AnswerKeys, ErrorRates, ErrorTrial};

use super::plan::Plan;

/// The answers to the tasks, by their ids.
#[derive(Debug)]
pub(super) struct Keys {
    tasks: BTreeMap<String, Arc<AnswerKey>>,
}

impl Keys {
    pub(super) fn of(plan: &Plan) -> anyhow::Result<Keys> {
        let mut tasks = BTreeMap::new();
        for task in &plan.tasks {
            let key = task.key.as_ref().with_context(|| format!("task {} has no key", task.id))?;
            let key = AnswerKey {
                language: task.language.clone(),
                solution: key.solution.clone(),
                wrong: key.wrong.clone(),
                requirements: task.requirements.clone(),
            };
            tasks.insert(task.id.clone(), Arc::new(key));
        }
        Ok(Keys { tasks })
    }
}

impl AnswerKeys for Keys {
    fn trial(&self, deliberation: &DeliberationId) -> Option<ErrorTrial> {
        let Trial { task, rates, repetition, arm, sample, .. } = Trial::of(deliberation)?;
        let rates = rates?;
        let [p, rho, q] = Rate::ALL.map(|rate| rates.get(rate));
        Some(ErrorTrial {
            key: Arc::clone(self.tasks.get(&task)?),
            rates: ErrorRates { p, rho, q },
            // Neither the arm nor the rates: arms, and points of a sweep, meet the same attempts.
            name: format!("{task} {repetition}"),
            attempt: match arm {
                Arm::One | Arm::Best => Some(sample),
                Arm::Council | Arm::Judged => None,
            },
        })
    }
}
