//! The most that jobs may cost: by the lengths of what their prompts hold, which the log knows.

use std::sync::Arc;

use super::{ATTEMPTS_MAX, Cost, Prices, Purse};
use crate::prompts::{Exhibit, RESULTS_BYTES_MAX, REVIEW_BYTES_MAX, approach};
use crate::{
    AgentId, CheckReport, Deliberation, JobId, JobKind, Lane, Opened, Profile, Review, Step, prompts,
};

/// What a server may add to a prompt: the marks around its messages.
const MARKS_TOKENS: u64 = 256;
/// What a server may add to it that is told the form of the answer: the schema, without the ids in it.
pub const SCHEMA_TOKENS: u64 = 1024;
/// What ids take at most, in prompt and schema, beyond twice the lines that they are the ids of; of each proposal.
const IDS_BYTES: u64 = 256;

/// How many bytes prompts have without what is not known when a deliberation opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    propose: u64,
    critique: u64,
    revise: u64,
    tests: u64,
    /// What each proposal adds to the prompt for tests.
    tested: u64,
    judge: u64,
    select: u64,
    /// What each further proposal adds to the prompt of a choice.
    exhibit: u64,
}

/// The worst case of one call, and how many of them an attempt may make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) prices: Option<Prices>,
    pub(super) of_attempt: u32,
}

impl Call {
    fn by(profile: &Profile, prompt_bytes: u64, has_schema: bool) -> Call {
        let hedged = if profile.hedged { 2 } else { 1 };
        // A server that fails over a schema is asked again without it.
        let of_attempt = if has_schema { 2 * hedged } else { hedged };
        let added = if has_schema { MARKS_TOKENS + SCHEMA_TOKENS } else { MARKS_TOKENS };
        Call {
            prompt_tokens: prompt_bytes.saturating_add(added),
            completion_tokens: profile.tokens_max.into(),
            prices: profile.prices,
            of_attempt,
        }
    }

    /// What so many of these calls cost at most.
    pub(super) fn times(self, calls: u32) -> Cost {
        let calls = u64::from(calls);
        let prompt = self.prompt_tokens.saturating_mul(calls);
        Cost::of(prompt, self.completion_tokens.saturating_mul(calls), self.prices)
    }

    /// What all attempts at its job cost at most.
    pub(super) fn job(self) -> Cost {
        self.times(ATTEMPTS_MAX * self.of_attempt)
    }
}

impl Purse {
    /// The purse of a deliberation that opens; `None` if it has no budget.
    pub(crate) fn of(opened: &Arc<Opened>) -> Option<Purse> {
        if opened.submission.budget.is_none() {
            return None;
        }
        Some(Purse { spent: Cost::default(), dropped: Vec::new(), bounds: Bounds::of(opened) })
    }
}

impl Bounds {
    /// Taken from the prompts themselves, so that nothing is forgotten when their words change.
    pub(crate) fn of(opened: &Opened) -> Bounds {
        let (checks, review) = (CheckReport::default(), Review::default());
        let exhibit = Exhibit { text: "", checks: &checks, review: Some(&review) };
        let blind = Exhibit { review: None, ..exhibit };
        let tests = bytes(prompts::write_tests(opened, &[]).bytes());
        let select = bytes(prompts::select(opened, &[exhibit]).bytes());
        Bounds {
            propose: bytes(prompts::propose(opened, 0).bytes()),
            critique: bytes(prompts::critique(opened, "", &checks).bytes()),
            revise: bytes(prompts::revise(opened, "", &checks, Some(&review)).bytes()),
            tests,
            tested: bytes(prompts::write_tests(opened, &[blind]).bytes()).saturating_sub(tests),
            judge: bytes(prompts::judge(opened, [blind, blind]).bytes()),
            select,
            exhibit: bytes(prompts::select(opened, &[exhibit, exhibit]).bytes()).saturating_sub(select),
        }
    }

    /// The first proposal of the agent in `seat`.
    pub(super) fn propose(&self, profile: &Profile, seat: usize) -> Call {
        Call::by(profile, self.propose.saturating_add(bytes(approach(seat).len())), false)
    }
}

/// The most that a job which is awaited may cost; `None` where no model does it.
pub(super) fn call(state: &Deliberation, job: &JobId) -> Option<Call> {
    let bounds = state.purse.as_ref()?.bounds;
    match job.kind {
        JobKind::Check | JobKind::Trial => None,
        JobKind::Test => writing(state, &bounds, &job.subject, &state.testing.as_ref()?.authors),
        JobKind::Judge => {
            let comparison = state.judging.as_ref()?.comparison(job.round)?;
            judgement(state, &bounds, &job.subject, [&comparison.first, &comparison.second])
        }
        JobKind::Select => choice(state, &bounds, &state.choosing.as_ref()?.candidates),
        JobKind::Propose | JobKind::Critique | JobKind::Revise => {
            let seat = state.seat(&job.subject)?;
            match state.lanes[seat].step {
                Step::Proposing(_) => Some(bounds.propose(&state.submission().members[seat].profile, seat)),
                Step::Reviewing { reviewer, .. } => critique(state, &bounds, seat, reviewer),
                Step::Revising { round, .. } => revision(state, &bounds, seat, Some(round)),
                Step::Checking { .. }
                | Step::Checked { .. }
                | Step::Reviewed { .. }
                | Step::RoundOver { .. }
                | Step::Out => None,
            }
        }
    }
}

/// The most that a job which is awaited may cost.
pub(crate) fn job(state: &Deliberation, job: &JobId) -> Cost {
    call(state, job).map_or_else(Cost::default, Call::job)
}

/// The most that what was begun may still cost: all jobs that are awaited, and what a lane does next in its round.
pub(crate) fn committed(state: &Deliberation) -> Cost {
    let Some(purse) = &state.purse else { return Cost::default() };
    let lanes = (0..state.lanes.len()).map(|seat| match state.lanes[seat].step {
        Step::Proposing(_) => purse.bounds.propose(&state.submission().members[seat].profile, seat).job(),
        Step::Checking { round: 0, .. } | Step::Checked { round: 0 } => match (&state.ring, state.rounds()) {
            (Some(_), 1..) => round(state, seat),
            _ => Cost::default(),
        },
        Step::Reviewing { .. } => round(state, seat),
        Step::Reviewed { round, .. } | Step::Revising { round, .. } => {
            revision(state, &purse.bounds, seat, Some(round)).map_or_else(Cost::default, Call::job)
        }
        Step::Checking { .. } | Step::Checked { .. } | Step::RoundOver { .. } | Step::Out => Cost::default(),
    });
    let lanes: Cost = lanes.sum();
    let awaited: Cost = crate::decide::closing_jobs(state).map(|closing| job(state, &closing)).sum();
    // Judges must not use up what is meant for the architect.
    let planned = match (&state.judging, &state.choosing) {
        (Some(_), None) if !purse.no_choice() => choice_among(state, &crate::verdict::candidates(state)),
        _ => Cost::default(),
    };
    lanes.plus(awaited).plus(planned)
}

/// The most that a round of review and revision of the proposal in `seat` may cost from its review on.
pub(crate) fn round(state: &Deliberation, seat: usize) -> Cost {
    let Some(purse) = &state.purse else { return Cost::default() };
    let reviewer = state.reviewer_of(seat);
    let review = reviewer.and_then(|reviewer| critique(state, &purse.bounds, seat, reviewer));
    let revision = revision(state, &purse.bounds, seat, None);
    review.into_iter().chain(revision).map(Call::job).sum()
}

/// The most that tests of the proposals of `authors` by `writer` may cost.
pub(super) fn tests_by(state: &Deliberation, writer: &AgentId, authors: &[AgentId]) -> Cost {
    let Some(purse) = &state.purse else { return Cost::default() };
    writing(state, &purse.bounds, writer, authors).map_or_else(Cost::default, Call::job)
}

/// The most that a comparison of two proposals by `judge` may cost.
pub(super) fn judgement_of(state: &Deliberation, judge: &AgentId, pair: [&AgentId; 2]) -> Cost {
    let Some(purse) = &state.purse else { return Cost::default() };
    judgement(state, &purse.bounds, judge, pair).map_or_else(Cost::default, Call::job)
}

/// The most that the architect's choice among `candidates` may cost; nothing where there is none.
pub(super) fn choice_among(state: &Deliberation, candidates: &[AgentId]) -> Cost {
    let Some(purse) = &state.purse else { return Cost::default() };
    choice(state, &purse.bounds, candidates).map_or_else(Cost::default, Call::job)
}

fn critique(state: &Deliberation, bounds: &Bounds, seat: usize, reviewer: usize) -> Option<Call> {
    let prompt = bounds.critique.saturating_add(proposal(&state.lanes[seat]));
    Some(Call::by(&state.submission().members.get(reviewer)?.profile, prompt, true))
}

/// A revision of the proposal in `seat`, after the review of a round; `None` where it is not there yet.
fn revision(state: &Deliberation, bounds: &Bounds, seat: usize, after: Option<u32>) -> Option<Call> {
    let lane = &state.lanes[seat];
    let review = lane.scores.iter().find(|score| Some(score.round) == after).and_then(|score| score.bytes);
    let review = match state.reviewer_of(seat) {
        // One that came too late to count is shown all the same.
        Some(_) => review.unwrap_or(bytes(REVIEW_BYTES_MAX)),
        None => 0,
    };
    let prompt = bounds.revise.saturating_add(proposal(lane)).saturating_add(review);
    Some(Call::by(&state.submission().members.get(seat)?.profile, prompt, false))
}

fn writing(state: &Deliberation, bounds: &Bounds, writer: &AgentId, authors: &[AgentId]) -> Option<Call> {
    let writer = &state.submission().members.get(state.seat(writer)?)?.profile;
    let lanes = authors.iter().filter_map(|author| state.lane(author));
    let shown: u64 = lanes.map(|lane| bounds.tested.saturating_add(proposal(lane))).sum();
    Some(Call::by(writer, bounds.tests.saturating_add(shown), false))
}

fn judgement(state: &Deliberation, bounds: &Bounds, judge: &AgentId, pair: [&AgentId; 2]) -> Option<Call> {
    let judge = &state.submission().members.get(state.seat(judge)?)?.profile;
    let shown: u64 = pair.into_iter().filter_map(|author| state.lane(author)).map(proposal).sum();
    Some(Call::by(judge, bounds.judge.saturating_add(shown), true))
}

fn choice(state: &Deliberation, bounds: &Bounds, candidates: &[AgentId]) -> Option<Call> {
    let architect = state.submission().selection.architect.as_ref()?;
    let exhibit = |lane: &Lane| {
        let review = lane.scores.last().map_or(0, |score| score.bytes.unwrap_or(bytes(REVIEW_BYTES_MAX)));
        let results = results(lane);
        // All of it once, and the ids in it once more in the words and once in the form that is asked for.
        let ids = results.saturating_add(review).saturating_mul(2).saturating_add(IDS_BYTES);
        bounds.exhibit.saturating_add(proposal(lane)).saturating_add(review).saturating_add(ids)
    };
    let shown: u64 = candidates.iter().filter_map(|author| state.lane(author)).map(exhibit).sum();
    Some(Call::by(&architect.profile, bounds.select.saturating_add(shown), true))
}

/// The bytes of a proposal's version in force and its check results.
fn proposal(lane: &Lane) -> u64 {
    lane.current().map_or(0, |version| version.text_bytes).saturating_add(results(lane))
}

fn results(lane: &Lane) -> u64 {
    let known = lane.current().and_then(|version| version.results_bytes);
    known.unwrap_or(bytes(RESULTS_BYTES_MAX))
}

fn bytes(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
