//! Why a deliberation came out as it did, or where it stands: one object made of what was recorded, with the
//! keys that programs read. Putting it into words is left to whoever shows it.

mod checks;
mod cost;
mod decided;
mod dissent;
mod models;
mod near_ties;
mod talk;
mod trials;

use std::collections::BTreeMap;

use fleet_deliberation::{Deliberation, Ranked, Status, Verdict};
use serde::Serialize;

pub use checks::{CheckCell, CheckRow, FaultShown, InForce};
pub use cost::{Cost, Failed, Spent, StepTime};
pub use decided::{Decided, Rung, decided};
pub use dissent::{Dissent, NearlySame, ScoredHigher};
pub use models::{Diversity, ModelShown};
pub use near_ties::{JudgementShown, NearTiesShown};
pub use talk::{FindingShown, ReviewShown, RevisionOutcome, RevisionShown};

pub use trials::TrialShown;

use crate::announcement::{Spending, error_message, error_type, spending};
use crate::past::Past;
use crate::rfc3339;

/// Everything there is to say about how a deliberation came out. What was written by models, and what quotes
/// them, is as they wrote it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Its id.
    pub task_id: String,
    /// The council's role.
    pub role: String,
    /// What was asked.
    pub task_description: String,
    /// `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED` or `TIMEOUT`.
    pub status: &'static str,
    /// What kind of end it was, if it gave no verdict: `no_quorum`, `timeout` or `cancelled`.
    pub error_type: Option<&'static str>,
    /// Why there is no verdict, or no winner in it; empty otherwise, and while it is open.
    pub error: String,
    /// When it was submitted, as RFC 3339.
    pub submitted_at: String,
    /// When it ended, as RFC 3339; `None` while it is open.
    pub ended_at: Option<String>,
    /// From submission to end, in milliseconds; up to the last record while it is open.
    pub duration_ms: u64,
    /// Rounds of review and revision.
    pub rounds: u32,
    /// How many agents had to answer.
    pub quorum: u32,
    /// Who won and what decided it; `None` where there is no verdict.
    pub verdict: Option<VerdictShown>,
    /// What is waited for; nothing once it has ended.
    pub awaited: Vec<Awaited>,
    /// How the checks of every version came out, by seat and version.
    pub checks: Vec<CheckRow>,
    /// The reviews that came, in the order they did.
    pub reviews: Vec<ReviewShown>,
    /// What became of each revision that was asked for, or was not needed, in that order.
    pub revisions: Vec<RevisionShown>,
    /// How the tests that agents wrote came out, in the order in which they did; none where none were written.
    pub trials: Vec<TrialShown>,
    /// How many agents were to write tests, of whom none was asked as no code of the proposals was run; `None`
    /// elsewhere.
    pub tests_skipped: Option<u32>,
    /// How near ties were told apart; `None` where there were none.
    pub near_ties: Option<NearTiesShown>,
    /// What speaks against the order.
    pub dissent: Dissent,
    /// What it took.
    pub cost: Cost,
    /// What it was allowed, and what that did not allow for; `None` where there was no budget.
    pub budget: Option<Box<Spending>>,
    /// Who spoke through which model, by seat.
    pub models: Vec<ModelShown>,
    /// How different the proposals are.
    pub diversity: Option<Diversity>,
    /// What failed, in the order it did.
    pub failures: Vec<Failed>,
    /// What code was shut in by where it was run, with how many runs each.
    pub sandboxes: BTreeMap<String, u32>,
    /// Answers that its events rest on and that are not kept.
    pub missing_answers: Vec<String>,
}

/// A verdict and what decided it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerdictShown {
    /// The version of the rule that gave it.
    pub rule: u32,
    /// The agent whose proposal won; `None` if no proposal is acceptable.
    pub winner_id: Option<String>,
    /// Why, in the sentence of the verdict.
    pub why: String,
    /// Every proposal, best first, as the verdict has it.
    pub ranking: Vec<Ranked>,
    /// What tells each proposal from the next one, best first; one fewer than there are proposals.
    pub decided: Vec<Decided>,
}

/// An answer that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Awaited {
    /// The job.
    pub job_id: String,
    /// `propose`, `check`, `critique` or `revise`.
    pub kind: &'static str,
    /// Who does it; the author, where a machine does.
    pub agent_id: String,
    /// Whose proposal it is about.
    pub author_id: String,
    /// The round it belongs to; 0 is the first proposal.
    pub round: u32,
    /// When it is given up, as RFC 3339.
    pub until: String,
}

/// The explanation of what was recorded.
#[must_use]
pub fn explain(past: &Past) -> Explanation {
    let state = &past.state;
    let submission = state.submission();
    let last = past.records.last().map_or(state.opened.at, |record| record.at);
    Explanation {
        task_id: state.id().to_string(),
        role: submission.role.to_string(),
        task_description: submission.task.description.clone(),
        status: status(state),
        error_type: error_type(state),
        error: error_message(state),
        submitted_at: rfc3339(state.opened.at),
        ended_at: state.ended.as_ref().map(|ended| rfc3339(ended.at)),
        duration_ms: state.ended.as_ref().map_or(last, |ended| ended.at).ms_since(state.opened.at),
        rounds: submission.rounds,
        quorum: submission.quorum,
        verdict: past.verdict().map(verdict),
        awaited: awaited(state),
        checks: checks::rows(past),
        reviews: talk::reviews(past),
        revisions: talk::revisions(past),
        trials: trials::of(past),
        tests_skipped: trials::skipped(past),
        near_ties: near_ties::of(past),
        dissent: dissent::of(past),
        cost: cost::of(past),
        budget: spending(state),
        models: models::of(past),
        diversity: models::diversity(state),
        failures: cost::failures(past),
        sandboxes: checks::sandboxes(past),
        missing_answers: past.missing().iter().map(ToString::to_string).collect(),
    }
}

/// How a deliberation stands, in the word of the wire.
#[must_use]
pub fn status(state: &Deliberation) -> &'static str {
    match state.status() {
        Status::Pending => "PENDING",
        Status::InProgress => "IN_PROGRESS",
        Status::Completed => "COMPLETED",
        Status::Failed => "FAILED",
        Status::TimedOut => "TIMEOUT",
    }
}

fn verdict(verdict: &Verdict) -> VerdictShown {
    VerdictShown {
        rule: verdict.rule,
        winner_id: verdict.winner().map(|winner| winner.author.to_string()),
        why: verdict.why.clone(),
        ranking: verdict.ranking.clone(),
        decided: verdict.ranking.windows(2).map(|pair| decided(verdict, &pair[0], &pair[1])).collect(),
    }
}

/// What is waited for where a deliberation stands so.
#[must_use]
pub fn awaited(state: &Deliberation) -> Vec<Awaited> {
    let awaited = state.outstanding().map(|(job, window)| {
        let agent = cost::doer(state, job.kind, &job.subject);
        Awaited {
            job_id: job.to_string(),
            kind: job.kind.as_str(),
            agent_id: agent.to_string(),
            author_id: job.subject.to_string(),
            round: job.round,
            until: rfc3339(window.until),
        }
    });
    awaited.collect()
}
