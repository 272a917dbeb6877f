//! How an event changes a deliberation. Facts do not fail: an event that fits nothing changes nothing.

use std::sync::Arc;

use crate::state::{Deliberation, Ended, JobCounts, Lane, PeerScore, Step, Version};
use crate::{
    AgentId, CheckSummary, Choosing, Chosen, Cut, Dropped, Event, Failure, FindingCounts, JobKind, Judging,
    Opened, Preference, Purse, Sketch, Testing, Trial, Usage, Vote,
};

/// The deliberation after `event`.
#[must_use]
pub fn evolve(state: Option<Deliberation>, event: &Event) -> Option<Deliberation> {
    if let Event::Opened(opened) = event {
        return Some(state.unwrap_or_else(|| begin(opened)));
    }
    let mut state = state?;
    apply(&mut state, event);
    Some(state)
}

/// The deliberation that `events` lead to.
#[must_use]
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<Deliberation> {
    events.into_iter().fold(None, evolve)
}

fn begin(opened: &Arc<Opened>) -> Deliberation {
    let lane = |author: &AgentId| Lane {
        author: author.clone(),
        step: Step::Proposing(opened.window),
        versions: Vec::new(),
        scores: Vec::new(),
        failures: Vec::new(),
    };
    Deliberation {
        opened: Arc::clone(opened),
        lanes: opened.submission.members.iter().map(|member| lane(&member.agent)).collect(),
        ring: None,
        testing: None,
        judging: None,
        choosing: None,
        ended: None,
        usage: Usage::default(),
        jobs: JobCounts::default(),
        purse: Purse::of(opened).map(Box::new),
    }
}

pub(crate) fn apply(state: &mut Deliberation, event: &Event) {
    match event {
        Event::Opened(_) => {}
        Event::Proposed { author, usage, window } => {
            state.done(*usage);
            state.at(author, |lane| lane.wrote(0, Step::Checking { round: 0, window: *window }));
        }
        Event::AuthorFailed { author, failure } => {
            state.failed(author, JobKind::Propose, failure, Step::Out);
        }
        Event::Checked { author, round, summary, sketch } => {
            state.done(Usage::default());
            state.at(author, |lane| lane.checked(*round, summary.clone(), sketch.clone()));
        }
        Event::CheckFailed { author, round, failure } => {
            state.failed(author, JobKind::Check, failure, Step::Checked { round: *round });
            state.at(author, |lane| lane.checked(*round, CheckSummary::default(), Sketch::default()));
        }
        Event::RingFormed { order } => {
            state.ring = Some(order.iter().filter_map(|agent| state.seat(agent)).collect());
        }
        Event::ReviewRequested { round, author, version, reviewer, window } => {
            let Some(reviewer) = state.seat(reviewer) else { return };
            let step = Step::Reviewing { round: *round, reviewer, version: *version, window: *window };
            state.at(author, |lane| lane.step = step);
        }
        Event::Reviewed { round, author, version, reviewer, score, findings, counts, usage } => {
            state.done(*usage);
            let unweighed = FindingCounts { medium: *findings, ..FindingCounts::default() };
            let findings = counts.unwrap_or(unweighed);
            state.at(author, |lane| {
                lane.step = Step::Reviewed { round: *round, findings: findings.with_evidence() };
                lane.scores.push(PeerScore {
                    reviewer: reviewer.clone(),
                    round: *round,
                    version: *version,
                    score: *score,
                    findings,
                    bytes: None,
                });
            });
        }
        Event::ReviewFailed { round, author, failure, .. } => {
            let step = Step::Reviewed { round: *round, findings: 0 };
            state.failed(author, JobKind::Critique, failure, step);
        }
        Event::RevisionRequested { round, author, version, window } => {
            let step = Step::Revising { round: *round, version: *version, window: *window };
            state.at(author, |lane| lane.step = step);
        }
        Event::NothingToRevise { round, author } => {
            state.at(author, |lane| lane.step = Step::RoundOver { round: *round });
        }
        Event::Revised { round, author, usage, window } => {
            state.done(*usage);
            let step = Step::Checking { round: *round, window: *window };
            state.at(author, |lane| lane.wrote(*round, step));
        }
        Event::RevisionFailed { round, author, failure } => {
            let step = Step::RoundOver { round: *round };
            state.failed(author, JobKind::Revise, failure, step);
        }
        Event::RevisionAccepted { round, author } => state.at(author, |lane| lane.settled(*round, true)),
        Event::RevisionRefused { round, author } => state.at(author, |lane| lane.settled(*round, false)),
        Event::TestsRequested { writers, authors, window } => {
            let (writers, authors, window) = (writers.clone(), authors.clone(), *window);
            let (written, tried) = (Vec::new(), Vec::new());
            let testing = Testing { writers, authors, window, written, trial_window: None, tried };
            state.testing = Some(Box::new(testing));
        }
        Event::TestsSkipped { .. } => state.testing = Some(Box::default()),
        Event::TestsWritten { writer, usage } => {
            state.done(*usage);
            state.wrote_tests(writer, Ok(()));
        }
        Event::TestsFailed { writer, failure } => {
            state.missed(failure);
            state.wrote_tests(writer, Err(failure.clone()));
        }
        Event::TrialsRequested { window, .. } => {
            state.testing.iter_mut().for_each(|testing| testing.trial_window = Some(*window));
        }
        Event::Tried { author, trial } => {
            state.done(Usage::default());
            state.tried(author, Ok(trial.clone()));
        }
        Event::TrialFailed { author, failure } => {
            state.missed(failure);
            state.tried(author, Err(failure.clone()));
        }
        Event::JudgingOpened { comparisons, window } => {
            let (comparisons, window) = (comparisons.clone(), *window);
            state.judging = Some(Box::new(Judging { comparisons, votes: Vec::new(), window }));
        }
        Event::Judged { comparison, judge, preference, usage } => {
            state.done(*usage);
            state.voted(*comparison, judge, Ok(*preference));
        }
        Event::JudgementFailed { comparison, judge, failure } => {
            state.missed(failure);
            state.voted(*comparison, judge, Err(failure.clone()));
        }
        Event::SelectionRequested { architect, candidates, window } => {
            let (architect, candidates) = (architect.clone(), candidates.clone());
            let choosing = Choosing { architect, candidates, window: *window, outcome: None };
            state.choosing = Some(Box::new(choosing));
        }
        Event::Selected { chosen, usage, .. } => {
            state.done(*usage);
            state.chosen(Ok(chosen.clone()));
        }
        Event::SelectionFailed { failure, .. } => {
            state.missed(failure);
            state.chosen(Err(failure.clone()));
        }
        Event::Renewed { author, kind, window, .. } => match kind {
            JobKind::Test => state.testing.iter_mut().for_each(|testing| testing.window = *window),
            JobKind::Trial => {
                state.testing.iter_mut().for_each(|testing| testing.trial_window = Some(*window))
            }
            JobKind::Judge => state.judging.iter_mut().for_each(|judging| judging.window = *window),
            JobKind::Select => state.choosing.iter_mut().for_each(|choosing| choosing.window = *window),
            JobKind::Propose | JobKind::Check | JobKind::Critique | JobKind::Revise => {
                state.at(author, |lane| lane.step.renew(*window));
            }
        },
        Event::Settled { author, round, kind, cost, bytes } => {
            let Some(purse) = &mut state.purse else { return };
            purse.spent = purse.spent.plus(*cost);
            state.at(author, |lane| lane.takes_up(*round, *kind, *bytes));
        }
        Event::Dropped { what, needed, left } => {
            let rounds = state.submission().rounds;
            if let Cut::Review { author: Some(author), .. } = what {
                state.at(author, |lane| lane.step = Step::RoundOver { round: rounds });
            }
            let Some(purse) = &mut state.purse else { return };
            purse.dropped.push(Dropped { what: what.clone(), needed: *needed, left: *left });
        }
        Event::Ended { at, ending } => state.ended = Some(Ended { at: *at, ending: ending.clone() }),
    }
}

impl Deliberation {
    fn at(&mut self, author: &AgentId, change: impl FnOnce(&mut Lane)) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.author == *author) {
            change(lane);
        }
    }

    fn done(&mut self, usage: Usage) {
        self.jobs.completed += 1;
        self.usage = self.usage.plus(usage);
    }

    fn missed(&mut self, failure: &Failure) {
        self.jobs.failed += 1;
        self.usage = self.usage.plus(failure.usage);
    }

    fn wrote_tests(&mut self, writer: &AgentId, outcome: Result<(), Failure>) {
        if let Some(testing) = &mut self.testing {
            testing.written.push((writer.clone(), outcome));
        }
    }

    fn tried(&mut self, author: &AgentId, outcome: Result<Trial, Failure>) {
        if let Some(testing) = &mut self.testing {
            testing.tried.push((author.clone(), outcome));
        }
    }

    fn voted(&mut self, comparison: u32, judge: &AgentId, outcome: Result<Preference, Failure>) {
        if let Some(judging) = &mut self.judging {
            judging.votes.push(Vote { comparison, judge: judge.clone(), outcome });
        }
    }

    fn chosen(&mut self, outcome: Result<Chosen, Failure>) {
        if let Some(choosing) = &mut self.choosing {
            choosing.outcome = Some(outcome);
        }
    }

    fn failed(&mut self, author: &AgentId, kind: JobKind, failure: &Failure, step: Step) {
        self.missed(failure);
        self.at(author, |lane| {
            lane.failures.push((kind, failure.clone()));
            lane.step = step;
        });
    }
}

impl Lane {
    fn wrote(&mut self, round: u32, step: Step) {
        self.versions.push(Version {
            round,
            checks: None,
            sketch: Sketch::default(),
            accepted: round == 0,
            text_bytes: 0,
            results_bytes: None,
        });
        self.step = step;
    }

    fn checked(&mut self, round: u32, summary: CheckSummary, sketch: Sketch) {
        if let Some(version) = self.versions.iter_mut().find(|version| version.round == round) {
            version.checks = Some(summary);
            version.sketch = sketch;
        }
        self.step = Step::Checked { round };
    }

    /// What came of a job takes up room in prompts. What failed takes up none that is known: it may come late.
    fn takes_up(&mut self, round: u32, kind: JobKind, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let version = self.versions.iter_mut().find(|version| version.round == round);
        match kind {
            JobKind::Propose | JobKind::Revise => {
                version.into_iter().for_each(|version| version.text_bytes = bytes);
            }
            JobKind::Check => version.into_iter().for_each(|version| version.results_bytes = Some(bytes)),
            JobKind::Critique => {
                let score = self.scores.iter_mut().find(|score| score.round == round);
                score.into_iter().for_each(|score| score.bytes = Some(bytes));
            }
            JobKind::Test | JobKind::Trial | JobKind::Judge | JobKind::Select => {}
        }
    }

    fn settled(&mut self, round: u32, accepted: bool) {
        if let Some(version) = self.versions.iter_mut().find(|version| version.round == round) {
            version.accepted = accepted;
        }
        self.step = Step::RoundOver { round };
    }
}
