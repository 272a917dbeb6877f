//! What a deliberation took, and what failed in it.

use std::collections::BTreeMap;

use fleet_deliberation::{AgentId, Deliberation, Event, Failure, JobKind, Usage, jobs_after};
use serde::Serialize;

use crate::past::Past;

/// What it took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Cost {
    /// Tokens of all answers.
    pub tokens: Usage,
    /// By kind of job, in the order in which they are done.
    pub by_kind: Vec<Spent>,
    /// By agent, in the order of the seats. Checks are done by machines and count for nobody.
    pub by_agent: Vec<Spent>,
    /// Each answer that is kept, in the order in which the jobs were asked for.
    pub steps: Vec<StepTime>,
}

/// What one kind of job, or one agent, took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// `propose`, `check`, `critique` or `revise`; or the agent.
    pub name: String,
    /// Jobs that came to an end.
    pub jobs: u32,
    /// How many of them failed.
    pub failed: u32,
    /// Tokens read and written.
    pub tokens: Usage,
    /// Milliseconds of all answers together.
    pub busy_ms: u64,
    /// Milliseconds of the longest one.
    pub longest_ms: u64,
}

/// The time of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepTime {
    /// The job.
    pub job_id: String,
    /// `propose`, `check`, `critique` or `revise`.
    pub kind: &'static str,
    /// Who did it; the author, where a machine did.
    pub agent_id: String,
    /// Whose proposal it is about.
    pub author_id: String,
    /// The round it belongs to; 0 is the first proposal.
    pub round: u32,
    /// Milliseconds from the submission to the beginning of the attempt that gave the answer.
    pub after_ms: u64,
    /// Milliseconds that attempt took.
    pub took_ms: u64,
    /// Which attempt gave the answer; the first is 1.
    pub attempt: u32,
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Who failed; the author, where a machine did.
    pub agent_id: String,
    /// `propose`, `check`, `critique` or `revise`.
    pub kind: &'static str,
    /// Whose proposal it is about.
    pub author_id: String,
    /// The round it belongs to; 0 is the first proposal.
    pub round: u32,
    /// What happened.
    pub error: String,
    /// What kind of fault it was.
    pub error_type: &'static str,
    /// How many attempts were made; 0 when none was begun.
    pub attempts: u32,
}

/// A job that came to its end, by the event that says so.
struct End<'a> {
    kind: JobKind,
    agent: &'a AgentId,
    author: &'a AgentId,
    round: u32,
    usage: Usage,
    failure: Option<&'a Failure>,
}

fn end(event: &Event) -> Option<End<'_>> {
    use JobKind::{Check, Critique, Judge, Propose, Revise, Select, Test, Trial};
    let none = Usage::default();
    let (kind, agent, author, round, usage, failure) = match event {
        Event::Proposed { author, usage, .. } => (Propose, author, author, 0, *usage, None),
        Event::AuthorFailed { author, failure } => (Propose, author, author, 0, failure.usage, Some(failure)),
        Event::Checked { author, round, .. } => (Check, author, author, *round, none, None),
        Event::CheckFailed { author, round, failure } => {
            (Check, author, author, *round, failure.usage, Some(failure))
        }
        Event::Reviewed { round, author, reviewer, usage, .. } => {
            (Critique, reviewer, author, *round, *usage, None)
        }
        Event::ReviewFailed { round, author, reviewer, failure } => {
            (Critique, reviewer, author, *round, failure.usage, Some(failure))
        }
        Event::Revised { round, author, usage, .. } => (Revise, author, author, *round, *usage, None),
        Event::RevisionFailed { round, author, failure } => {
            (Revise, author, author, *round, failure.usage, Some(failure))
        }
        Event::TestsWritten { writer, usage } => (Test, writer, writer, 0, *usage, None),
        Event::TestsFailed { writer, failure } => (Test, writer, writer, 0, failure.usage, Some(failure)),
        Event::Tried { author, .. } => (Trial, author, author, 0, none, None),
        Event::TrialFailed { author, failure } => (Trial, author, author, 0, none, Some(failure)),
        Event::Judged { comparison, judge, usage, .. } => (Judge, judge, judge, *comparison, *usage, None),
        Event::JudgementFailed { comparison, judge, failure } => {
            (Judge, judge, judge, *comparison, failure.usage, Some(failure))
        }
        Event::Selected { architect, usage, .. } => (Select, architect, architect, 0, *usage, None),
        Event::SelectionFailed { architect, failure } => {
            (Select, architect, architect, 0, failure.usage, Some(failure))
        }
        Event::Opened(_)
        | Event::RingFormed { .. }
        | Event::ReviewRequested { .. }
        | Event::RevisionRequested { .. }
        | Event::NothingToRevise { .. }
        | Event::RevisionAccepted { .. }
        | Event::RevisionRefused { .. }
        | Event::TestsRequested { .. }
        | Event::TestsSkipped { .. }
        | Event::TrialsRequested { .. }
        | Event::JudgingOpened { .. }
        | Event::SelectionRequested { .. }
        | Event::Settled { .. }
        | Event::Dropped { .. }
        | Event::Renewed { .. }
        | Event::Ended { .. } => return None,
    };
    Some(End { kind, agent, author, round, usage, failure })
}

pub(super) fn of(past: &Past) -> Cost {
    let steps = steps(past);
    let mut by_kind: BTreeMap<JobKind, Spent> = BTreeMap::new();
    let mut by_agent: Vec<Spent> =
        past.state.lanes.iter().map(|lane| Spent::of(lane.author.as_str())).collect();
    if let Some(choosing) = past.state.choosing.as_deref()
        && past.state.seat(&choosing.architect).is_none()
    {
        by_agent.push(Spent::of(choosing.architect.as_str()));
    }
    for end in past.events().filter_map(|past| end(past.event)) {
        let kind = end.kind.as_str();
        by_kind.entry(end.kind).or_insert_with(|| Spent::of(kind)).count(&end);
        let agent = by_agent.iter_mut().find(|spent| spent.name == end.agent.as_str());
        if let Some(agent) = agent.filter(|_| !is_machine(end.kind.as_str())) {
            agent.count(&end);
        }
    }
    let mut by_kind: Vec<Spent> = by_kind.into_values().collect();
    for step in &steps {
        by_kind.iter_mut().filter(|spent| spent.name == step.kind).for_each(|spent| spent.took(step));
        let agents = by_agent.iter_mut().filter(|spent| spent.name == step.agent_id);
        agents.filter(|_| !is_machine(step.kind)).for_each(|spent| spent.took(step));
    }
    Cost { tokens: past.state.usage, by_kind, by_agent, steps }
}

/// Whether a machine does it, and no agent.
fn is_machine(kind: &str) -> bool {
    kind == JobKind::Check.as_str() || kind == JobKind::Trial.as_str()
}

impl Spent {
    fn of(name: &str) -> Spent {
        Spent { name: name.into(), jobs: 0, failed: 0, tokens: Usage::default(), busy_ms: 0, longest_ms: 0 }
    }

    fn count(&mut self, end: &End<'_>) {
        self.jobs += 1;
        self.failed += u32::from(end.failure.is_some());
        self.tokens = self.tokens.plus(end.usage);
    }

    fn took(&mut self, step: &StepTime) {
        self.busy_ms = self.busy_ms.saturating_add(step.took_ms);
        self.longest_ms = self.longest_ms.max(step.took_ms);
    }
}

fn steps(past: &Past) -> Vec<StepTime> {
    let asked = past.events().flat_map(|asked| jobs_after(past.id(), asked.event));
    let mut steps: Vec<StepTime> = Vec::new();
    for job in asked {
        let Some(answer) = past.answer(&job) else { continue };
        let job_id = job.to_string();
        // A job may be asked for again, and is answered once.
        if steps.iter().any(|step| step.job_id == job_id) {
            continue;
        }
        steps.push(StepTime {
            job_id,
            kind: job.kind.as_str(),
            agent_id: doer(&past.state, job.kind, &job.subject).to_string(),
            author_id: job.subject.to_string(),
            round: job.round,
            after_ms: answer.started_at.ms_since(past.state.opened.at),
            took_ms: answer.ended_at.ms_since(answer.started_at),
            attempt: answer.attempt,
        });
    }
    steps
}

/// Who does a job about the proposal of `author`; the author, where a machine does.
pub(super) fn doer<'a>(state: &'a Deliberation, kind: JobKind, author: &'a AgentId) -> &'a AgentId {
    match kind {
        JobKind::Critique => {
            let seat = state.seat(author).and_then(|seat| state.reviewer_of(seat));
            seat.map_or(author, |seat| &state.lanes[seat].author)
        }
        JobKind::Propose
        | JobKind::Check
        | JobKind::Revise
        | JobKind::Test
        | JobKind::Trial
        | JobKind::Judge
        | JobKind::Select => author,
    }
}

pub(super) fn failures(past: &Past) -> Vec<Failed> {
    let failed = |end: End<'_>| {
        let failure = end.failure?;
        Some(Failed {
            agent_id: end.agent.to_string(),
            kind: end.kind.as_str(),
            author_id: end.author.to_string(),
            round: end.round,
            error: failure.message.clone(),
            error_type: failure.kind.as_str(),
            attempts: failure.attempts,
        })
    };
    past.events().filter_map(|past| end(past.event)).filter_map(failed).collect()
}
