//! Runs tasks in arms.

use std::sync::Arc;

use fleet_deliberation::{AgentId, Deliberation, Lane, Timestamp};
use fleet_evaluation::{Arm, Cell, Outcome, Task, draws_another};
use fleet_orchestrator::Coordinator;
use fleet_orchestrator::port::Answers;

use super::deliberations::{failure, in_words, revisions, seconds, tokens, verdict};
use super::hidden::Hidden;
use super::plan::{Plan, Unit};
use crate::running::Running;

/// After how many samples in a row that gave neither a proposal nor cost a token no further ones are drawn.
const IN_VAIN_MAX: usize = 3;

/// Runs tasks in arms.
pub(super) struct Runs {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) answers: Arc<dyn Answers>,
    pub(super) hidden: Hidden,
    /// When this process began.
    pub(super) began: Timestamp,
    plan: Arc<Plan>,
}

impl Runs {
    pub(super) fn new(running: &Running, plan: Arc<Plan>, hidden: Hidden) -> Runs {
        Runs {
            coordinator: Arc::clone(&running.coordinator),
            answers: Arc::clone(&running.answers),
            began: running.clock.now(),
            hidden,
            plan,
        }
    }

    /// Runs a task in every arm, the dearest first.
    pub(super) async fn unit(self: Arc<Self>, unit: Unit) -> anyhow::Result<Vec<(Cell, Outcome)>> {
        let Unit { rates, task, repetition } = unit;
        let mut outcomes = Vec::new();
        let mut budget = 0;
        for arm in Arm::DEAREST_FIRST.into_iter().filter(|arm| self.plan.arms.contains(arm)) {
            let outcome = match arm {
                Arm::One | Arm::Council | Arm::Judged => self.once(unit, arm).await?,
                Arm::Best => self.best(unit, budget).await?,
            };
            budget = budget.max(outcome.tokens);
            outcomes.push((Cell { rates, task, repetition, arm }, outcome));
        }
        Ok(outcomes)
    }

    /// An arm that is one deliberation.
    async fn once(&self, unit: Unit, arm: Arm) -> anyhow::Result<Outcome> {
        let task = &self.plan.tasks[unit.task];
        let state = self.ended(&self.plan.request(task, arm), self.plan.trial(unit, arm, 1)).await?;
        let winner = verdict(&state).and_then(|verdict| verdict.winner());
        let winner = winner.map(|ranked| (&ranked.author, ranked.version));
        let (proposals, winner) = self.proposals(task, &state, winner).await?;
        let votes = verdict(&state).and_then(|verdict| verdict.tiebreak.as_ref()?.votes);
        Ok(Outcome {
            proposals,
            winner,
            tokens: tokens(&state),
            estimated: state.usage.estimated,
            samples: 1,
            seconds: self.seconds([&state]),
            revisions: revisions(&state),
            // Where there was nothing to judge, nobody was inconsistent.
            judged: (arm == Arm::Judged).then(|| {
                votes.map_or((0, 0), |votes| (votes.seen.saturating_sub(votes.inconsistent), votes.seen))
            }),
            failure: failure(&state),
        })
    }

    /// Samples until they have used `budget`; the rule ranks them as it ranks the proposals of one council.
    async fn best(&self, unit: Unit, budget: u64) -> anyhow::Result<Outcome> {
        let task = &self.plan.tasks[unit.task];
        let request = self.plan.request(task, Arm::Best);
        let (mut samples, mut spent) = (Vec::new(), 0);
        while draws_another(count(samples.len()), spent, budget) && !in_vain(&samples) {
            let trial = self.plan.trial(unit, Arm::Best, count(samples.len() + 1));
            let state = self.ended(&request, trial).await?;
            spent += tokens(&state);
            samples.push(state);
        }
        let winner = chosen(&samples);
        let mut outcome = Outcome {
            tokens: spent,
            estimated: samples.iter().any(|state| state.usage.estimated),
            samples: count(samples.len()),
            seconds: self.seconds(&samples),
            failure: samples.iter().filter_map(failure).next_back(),
            ..Outcome::default()
        };
        for (nth, state) in samples.iter().enumerate() {
            self.take_in(&mut outcome, task, state, winner == Some(nth)).await?;
        }
        if !outcome.proposals.is_empty() {
            outcome.failure = None;
        }
        Ok(outcome)
    }

    async fn take_in(
        &self,
        outcome: &mut Outcome,
        task: &Task,
        state: &Deliberation,
        won: bool,
    ) -> anyhow::Result<()> {
        let (proposals, _) = self.proposals(task, state, None).await?;
        if won {
            outcome.winner = Some(outcome.proposals.len());
        }
        outcome.proposals.extend(proposals);
        Ok(())
    }

    /// How long deliberations took one after another; the simulated model's time says nothing.
    fn seconds<'a>(&self, states: impl IntoIterator<Item = &'a Deliberation>) -> Option<f64> {
        (!self.plan.simulated).then(|| states.into_iter().map(seconds).sum())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Whether the last samples gave nothing and cost nothing, as where the model's server is away.
fn in_vain(samples: &[Deliberation]) -> bool {
    let nothing = |state: &&Deliberation| tokens(state) == 0 && verdict(state).is_none();
    samples.iter().rev().take_while(nothing).count() >= IN_VAIN_MAX
}

/// Which of several deliberations of a single agent has the best proposal: they are ranked as if one council had
/// made them, each in a lane of its own.
fn chosen(samples: &[Deliberation]) -> Option<usize> {
    let mut all = samples.first()?.clone();
    let name = |nth: usize| format!("sample-{}", nth + 1);
    let lane = |(nth, state): (usize, &Deliberation)| {
        let lane = state.lanes.first()?;
        Some(Lane { author: AgentId::new(&name(nth)).ok()?, ..lane.clone() })
    };
    all.lanes = samples.iter().enumerate().filter_map(lane).collect();
    let verdict = all.verdict();
    let winner = verdict.winner()?;
    (0..samples.len()).find(|nth| name(*nth) == winner.author.as_str())
}

/// What came of a unit, in a line.
pub(super) fn line(plan: &Plan, done: usize, all: usize, outcomes: &[(Cell, Outcome)]) -> String {
    let of_arm = |arm: &Arm| {
        let (_, outcome) = outcomes.iter().find(|(cell, _)| cell.arm == *arm)?;
        let why = outcome.failure.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        let solved = in_words(outcome.solved());
        Some(format!("{arm} {solved}{why}, {} tokens", outcome.tokens))
    };
    let arms: Vec<String> = plan.arms.iter().filter_map(of_arm).collect();
    let cell = outcomes.first().map(|(cell, _)| cell);
    let name = cell.map_or("", |cell| plan.tasks[cell.task].id.as_str());
    let rates = cell.and_then(|cell| cell.rates).filter(|_| plan.sweep.is_some());
    let rates = rates.map(|rates| format!(" at {rates}")).unwrap_or_default();
    format!("{done}/{all} {name}{rates}: {}", arms.join("; "))
}
