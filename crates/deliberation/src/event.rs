//! What has happened in a deliberation. Facts do not fail, and are never changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, Budget, CheckSummary, Chosen, Comparison, Cost, Cut, Failure, FindingCounts, JobKind,
    Preference, Sketch, Submission, Timestamp, Trial, Usage, Verdict,
};

/// The time a job may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// When the job was asked for.
    pub from: Timestamp,
    /// When the deliberation goes on without its answer.
    pub until: Timestamp,
}

/// The opening of a deliberation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// Everything that is fixed from here on.
    pub submission: Submission,
    /// When it was accepted.
    pub at: Timestamp,
    /// When it ends, whatever has happened by then.
    pub deadline_at: Timestamp,
    /// The time its agents have for their proposals.
    pub window: Window,
}

/// A fact in the history of a deliberation.
///
/// A `round` of 0 is the first proposal; a version of a proposal has the number of the round in which
/// it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// It was accepted; every agent is asked for a proposal.
    Opened(Arc<Opened>),
    /// An author proposed; its proposal is to be checked.
    Proposed {
        /// Who proposed.
        author: AgentId,
        /// What it took.
        usage: Usage,
        /// The time its check has.
        window: Window,
    },
    /// An agent gave no proposal, and is out.
    AuthorFailed {
        /// Which agent.
        author: AgentId,
        /// Why.
        failure: Failure,
    },
    /// A version's check suite came to its end.
    Checked {
        /// Whose proposal.
        author: AgentId,
        /// Which version.
        round: u32,
        /// How it came out.
        summary: CheckSummary,
        /// What tells whether another proposal is nearly the same.
        #[serde(default, skip_serializing_if = "Sketch::is_empty")]
        sketch: Sketch,
    },
    /// A version's check suite gave no result; the version counts as unchecked.
    CheckFailed {
        /// Whose proposal.
        author: AgentId,
        /// Which version.
        round: u32,
        /// Why.
        failure: Failure,
    },
    /// All proposals are in: each of these agents reviews the next one's, the last one the first's.
    RingFormed {
        /// The authors in the order of their seats.
        order: Vec<AgentId>,
    },
    /// A peer is asked for a review.
    ReviewRequested {
        /// In which round.
        round: u32,
        /// Whose proposal.
        author: AgentId,
        /// Which version of it.
        version: u32,
        /// Who is asked.
        reviewer: AgentId,
        /// The time it has.
        window: Window,
    },
    /// A peer reviewed a proposal.
    Reviewed {
        /// In which round.
        round: u32,
        /// Whose proposal.
        author: AgentId,
        /// The version that was judged.
        version: u32,
        /// Who judged.
        reviewer: AgentId,
        /// The score, from 0 to 1.
        score: f64,
        /// How many findings the review has.
        findings: u32,
        /// What they weigh; `None` in records of the first forms.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts: Option<FindingCounts>,
        /// What it took.
        usage: Usage,
    },
    /// A peer gave no review.
    ReviewFailed {
        /// In which round.
        round: u32,
        /// Whose proposal.
        author: AgentId,
        /// Who was asked.
        reviewer: AgentId,
        /// Why.
        failure: Failure,
    },
    /// An author is asked to revise its proposal.
    RevisionRequested {
        /// In which round.
        round: u32,
        /// Which author.
        author: AgentId,
        /// The version to start from.
        version: u32,
        /// The time it has.
        window: Window,
    },
    /// There is no feedback for an author in this round, so nothing is revised and nothing spent.
    NothingToRevise {
        /// In which round.
        round: u32,
        /// Which author.
        author: AgentId,
    },
    /// An author revised its proposal; the new version is to be checked.
    Revised {
        /// In which round; the new version's number.
        round: u32,
        /// Which author.
        author: AgentId,
        /// What it took.
        usage: Usage,
        /// The time its check has.
        window: Window,
    },
    /// An author gave no revision; its proposal stays as it was.
    RevisionFailed {
        /// In which round.
        round: u32,
        /// Which author.
        author: AgentId,
        /// Why.
        failure: Failure,
    },
    /// A revision's checks are not worse: it replaces the version before.
    RevisionAccepted {
        /// In which round.
        round: u32,
        /// Which author.
        author: AgentId,
    },
    /// A revision's checks are worse: the version before stays.
    RevisionRefused {
        /// In which round.
        round: u32,
        /// Which author.
        author: AgentId,
    },
    /// The task brings no tests: agents are asked to write some for each other's proposals.
    TestsRequested {
        /// Who is asked.
        writers: Vec<AgentId>,
        /// Whose proposals are tested.
        authors: Vec<AgentId>,
        /// The writers' time.
        window: Window,
    },
    /// Nobody is asked for tests, as none could be run: no code of any proposal was.
    TestsSkipped {
        /// How many agents would have been asked.
        asked_for: u32,
    },
    /// An agent wrote tests.
    TestsWritten {
        /// Who wrote.
        writer: AgentId,
        /// What it took.
        usage: Usage,
    },
    /// An agent gave no tests.
    TestsFailed {
        /// Who was asked.
        writer: AgentId,
        /// Why.
        failure: Failure,
    },
    /// The tests that were written are run against every proposal that is tested.
    TrialsRequested {
        /// Whose proposals are tested.
        authors: Vec<AgentId>,
        /// The time of the trials.
        window: Window,
    },
    /// The tests by others came out against a proposal.
    Tried {
        /// Whose proposal.
        author: AgentId,
        /// How each came out.
        trial: Trial,
    },
    /// The tests by others gave no result against a proposal.
    TrialFailed {
        /// Whose proposal.
        author: AgentId,
        /// Why.
        failure: Failure,
    },
    /// Evidence leaves near ties: judges are asked to compare them, pair by pair.
    JudgingOpened {
        /// Who is compared with whom, by whom; the place in the list is the number of a comparison.
        comparisons: Vec<Comparison>,
        /// The judges' time.
        window: Window,
    },
    /// A judge compared two proposals.
    Judged {
        /// The number of the comparison.
        comparison: u32,
        /// Who judged.
        judge: AgentId,
        /// What it prefers.
        preference: Preference,
        /// What it took.
        usage: Usage,
    },
    /// A judge gave no judgement.
    JudgementFailed {
        /// The number of the comparison.
        comparison: u32,
        /// Who was asked.
        judge: AgentId,
        /// Why.
        failure: Failure,
    },
    /// An architect is asked to choose among the near ties that are left.
    SelectionRequested {
        /// Who is asked.
        architect: AgentId,
        /// Among whose proposals, best first.
        candidates: Vec<AgentId>,
        /// The time it has.
        window: Window,
    },
    /// The architect chose.
    Selected {
        /// Who chose.
        architect: AgentId,
        /// What it chose, and by which evidence.
        chosen: Chosen,
        /// What it took.
        usage: Usage,
    },
    /// The architect did not choose; the computed order stands.
    SelectionFailed {
        /// Who was asked.
        architect: AgentId,
        /// Why.
        failure: Failure,
    },
    /// A step's time was over while nobody worked; it gets a share of what is left.
    Renewed {
        /// Whose lane; of a judgement the judge, of a choice the architect.
        author: AgentId,
        /// In which round; of a judgement the number of the comparison.
        round: u32,
        /// What it waits for.
        kind: JobKind,
        /// Its new time.
        window: Window,
    },
    /// What came of a job counts against the budget.
    Settled {
        /// Whose lane; of a judgement the judge, of a choice the architect.
        author: AgentId,
        /// In which round; of a judgement the number of the comparison.
        round: u32,
        /// What it was.
        kind: JobKind,
        /// What it counts: what it took as far as that is known, else the most that it may have taken.
        #[serde(default, skip_serializing_if = "Cost::is_none")]
        cost: Cost,
        /// The bytes it takes up in prompts from here on; 0 when there is nothing.
        #[serde(default, skip_serializing_if = "zero")]
        bytes: u64,
    },
    /// Something is left out, for the budget does not allow for it.
    Dropped {
        /// What.
        what: Cut,
        /// What it might have cost at most.
        needed: Cost,
        /// What there was for it.
        left: Budget,
    },
    /// It is over.
    Ended {
        /// When.
        at: Timestamp,
        /// How.
        ending: Ending,
    },
}

/// How a deliberation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a verdict.
    Completed(Arc<Verdict>),
    /// Fewer agents answered than the quorum asks for.
    NoQuorum {
        /// How many answered.
        answered: u32,
        /// How many had to.
        quorum: u32,
    },
    /// Its time was up.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled {
        /// Why, in their words.
        reason: String,
    },
}

const fn zero(n: &u64) -> bool {
    *n == 0
}

impl Event {
    /// The name of the event's kind, as it is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Event::Opened(_) => "opened",
            Event::Proposed { .. } => "proposed",
            Event::AuthorFailed { .. } => "author_failed",
            Event::Checked { .. } => "checked",
            Event::CheckFailed { .. } => "check_failed",
            Event::RingFormed { .. } => "ring_formed",
            Event::ReviewRequested { .. } => "review_requested",
            Event::Reviewed { .. } => "reviewed",
            Event::ReviewFailed { .. } => "review_failed",
            Event::RevisionRequested { .. } => "revision_requested",
            Event::NothingToRevise { .. } => "nothing_to_revise",
            Event::Revised { .. } => "revised",
            Event::RevisionFailed { .. } => "revision_failed",
            Event::RevisionAccepted { .. } => "revision_accepted",
            Event::RevisionRefused { .. } => "revision_refused",
            Event::TestsRequested { .. } => "tests_requested",
            Event::TestsSkipped { .. } => "tests_skipped",
            Event::TestsWritten { .. } => "tests_written",
            Event::TestsFailed { .. } => "tests_failed",
            Event::TrialsRequested { .. } => "trials_requested",
            Event::Tried { .. } => "tried",
            Event::TrialFailed { .. } => "trial_failed",
            Event::JudgingOpened { .. } => "judging_opened",
            Event::Judged { .. } => "judged",
            Event::JudgementFailed { .. } => "judgement_failed",
            Event::SelectionRequested { .. } => "selection_requested",
            Event::Selected { .. } => "selected",
            Event::SelectionFailed { .. } => "selection_failed",
            Event::Renewed { .. } => "renewed",
            Event::Settled { .. } => "settled",
            Event::Dropped { .. } => "dropped",
            Event::Ended { .. } => "ended",
        }
    }
}
