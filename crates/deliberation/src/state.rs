//! Where a deliberation stands: the fold of its history.

use std::sync::Arc;

use crate::{
    AgentId, CheckSummary, Choosing, DeliberationId, Ending, Failure, FindingCounts, JobId, JobKind, Judging,
    Member, Opened, Purse, Sketch, Submission, Testing, Timestamp, Usage, Window,
};

/// A deliberation as its history leaves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deliberation {
    /// How it was opened.
    pub opened: Arc<Opened>,
    /// One lane a member, in the order of the seats. Lanes advance by themselves; they meet once, when
    /// the ring is formed, and at the end.
    pub lanes: Vec<Lane>,
    /// The seats of those who review each other, once it is known.
    pub ring: Option<Vec<usize>>,
    /// The tests that agents write, once they are asked to.
    pub testing: Option<Box<Testing>>,
    /// How near ties are judged, once they are.
    pub judging: Option<Box<Judging>>,
    /// How the architect chooses, once it is asked.
    pub choosing: Option<Box<Choosing>>,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
    /// Tokens of all answers so far.
    pub usage: Usage,
    /// Jobs that have come to an end so far.
    pub jobs: JobCounts,
    /// What is left of its budget; `None` where it has none.
    pub purse: Option<Box<Purse>>,
}

/// The end of a deliberation.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
}

/// How jobs came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// Jobs that gave what was asked.
    pub completed: u32,
    /// Jobs that failed or whose time ran out.
    pub failed: u32,
}

/// The way of one author's proposal through the deliberation.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// The author.
    pub author: AgentId,
    /// What the lane waits for.
    pub step: Step,
    /// The versions written so far, oldest first, those that were refused included.
    pub versions: Vec<Version>,
    /// What peers said of the proposal, in the order of the rounds.
    pub scores: Vec<PeerScore>,
    /// What went wrong on the way, oldest first.
    pub failures: Vec<(JobKind, Failure)>,
}

/// What a lane waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its author's first proposal.
    Proposing(Window),
    /// The check of the version written in `round`.
    Checking {
        /// The version.
        round: u32,
        /// The check's time.
        window: Window,
    },
    /// The rules' word on the version checked in `round`.
    Checked {
        /// The version.
        round: u32,
    },
    /// A peer's review.
    Reviewing {
        /// In which round.
        round: u32,
        /// The reviewer's seat.
        reviewer: usize,
        /// The version under review.
        version: u32,
        /// The reviewer's time.
        window: Window,
    },
    /// The rules' word on whether there is something to revise.
    Reviewed {
        /// In which round.
        round: u32,
        /// How many findings with evidence there are; 0 when the review failed.
        findings: u32,
    },
    /// Its author's revision.
    Revising {
        /// In which round.
        round: u32,
        /// The version it starts from.
        version: u32,
        /// The author's time.
        window: Window,
    },
    /// The next round, or the other lanes.
    RoundOver {
        /// The round that is over.
        round: u32,
    },
    /// Nothing any more: its author gave no proposal.
    Out,
}

/// One version of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The round in which it was written; its number.
    pub round: u32,
    /// How its checks came out; `None` while they run, empty when they gave no result.
    pub checks: Option<CheckSummary>,
    /// What tells whether another proposal is nearly the same; empty while the checks run.
    pub sketch: Sketch,
    /// Whether it was taken in place of the version before. The first one is.
    pub accepted: bool,
    /// The bytes of its text; 0 where there is no budget.
    pub text_bytes: u64,
    /// The bytes that its check results take up in prompts; `None` where that is not known.
    pub results_bytes: Option<u64>,
}

/// A peer's score. It names the version it judged.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerScore {
    /// Who judged.
    pub reviewer: AgentId,
    /// In which round.
    pub round: u32,
    /// The version that was judged.
    pub version: u32,
    /// From 0 to 1.
    pub score: f64,
    /// The findings that came with it.
    pub findings: FindingCounts,
    /// The bytes that the review takes up in prompts; `None` where that is not known.
    pub bytes: Option<u64>,
}

/// What a caller is told of a deliberation's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Recorded, nothing back yet.
    Pending,
    /// Under way.
    InProgress,
    /// Ended with a verdict.
    Completed,
    /// Ended without one.
    Failed,
    /// Ended because its time was up.
    TimedOut,
}

/// What a deliberation is busy with, in the words of the wire. It never goes back to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Agents propose.
    Generating,
    /// Agents review and revise.
    Reviewing,
    /// Nothing is written any more; what was written last is checked, and then ranked.
    Scoring,
    /// It has ended.
    Complete,
}

impl Deliberation {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &DeliberationId {
        &self.opened.submission.id
    }

    /// What was submitted.
    #[must_use]
    pub fn submission(&self) -> &Submission {
        &self.opened.submission
    }

    /// Rounds of review and revision: what was asked for, unless the budget does not allow for any.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        match &self.purse {
            Some(purse) if purse.no_review() => 0,
            _ => self.submission().rounds,
        }
    }

    /// What a caller is told.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.ended {
            None if self.jobs == JobCounts::default() => Status::Pending,
            None => Status::InProgress,
            Some(Ended { ending: Ending::Completed(_), .. }) => Status::Completed,
            Some(Ended { ending: Ending::NoQuorum { .. } | Ending::Cancelled { .. }, .. }) => Status::Failed,
            Some(Ended { ending: Ending::TimedOut, .. }) => Status::TimedOut,
        }
    }

    /// What it is busy with.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let rounds = self.rounds();
        match (&self.ended, &self.ring) {
            (Some(_), _) => Phase::Complete,
            (None, None) => Phase::Generating,
            (None, Some(_)) if self.lanes.iter().all(|lane| lane.step.is_written(rounds)) => Phase::Scoring,
            (None, Some(_)) => Phase::Reviewing,
        }
    }

    /// The author of the proposal that won, if there is a verdict.
    #[must_use]
    pub fn winner(&self) -> Option<&AgentId> {
        match &self.ended.as_ref()?.ending {
            Ending::Completed(verdict) => verdict.winner().map(|winner| &winner.author),
            Ending::NoQuorum { .. } | Ending::TimedOut | Ending::Cancelled { .. } => None,
        }
    }

    /// How many agents have proposed.
    #[must_use]
    pub fn answered(&self) -> u32 {
        let answered = self.lanes.iter().filter(|lane| !lane.versions.is_empty()).count();
        u32::try_from(answered).unwrap_or(u32::MAX)
    }

    /// The lane of an author.
    pub(crate) fn lane(&self, author: &AgentId) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.author == *author)
    }

    /// The seat of an agent.
    #[must_use]
    pub fn seat(&self, agent: &AgentId) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.author == *agent)
    }

    /// The agent who reviews the proposal in `seat`: the one before it in the ring. `None` where there
    /// is no ring yet, or no other agent in it.
    #[must_use]
    pub fn reviewer_of(&self, seat: usize) -> Option<usize> {
        let ring = self.ring.as_ref().filter(|ring| ring.len() > 1)?;
        let place = ring.iter().position(|other| *other == seat)?;
        Some(ring[(place + ring.len() - 1) % ring.len()])
    }

    /// The agent who does a job that is assigned.
    #[must_use]
    pub fn member(&self, assignment: &crate::Assignment) -> Option<&Member> {
        match assignment.seat {
            Some(seat) => self.submission().members.get(seat),
            None => self.submission().selection.architect.as_ref(),
        }
    }

    /// When something is to be given up next, if nothing happens before; `None` once it has ended.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.ended.is_some() {
            return None;
        }
        let windows = self.outstanding().map(|(_, window)| window.until);
        Some(windows.fold(self.opened.deadline_at, Timestamp::min))
    }
}

impl Lane {
    /// The version in force: the last one that was accepted.
    #[must_use]
    pub fn current(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.accepted)
    }
}

impl Step {
    pub(crate) fn renew(&mut self, new: Window) {
        match self {
            Step::Proposing(window)
            | Step::Checking { window, .. }
            | Step::Reviewing { window, .. }
            | Step::Revising { window, .. } => *window = new,
            Step::Checked { .. } | Step::Reviewed { .. } | Step::RoundOver { .. } | Step::Out => {}
        }
    }

    /// Whether the last text is written, in a deliberation of `rounds` rounds: at most its check is awaited.
    const fn is_written(&self, rounds: u32) -> bool {
        match *self {
            Step::Checking { round, .. } | Step::Checked { round } | Step::RoundOver { round } => {
                round >= rounds
            }
            Step::Out => true,
            Step::Proposing(_) | Step::Reviewing { .. } | Step::Reviewed { .. } | Step::Revising { .. } => {
                false
            }
        }
    }

    /// The job the step waits for, if it is one: its round, its kind, and its time.
    #[must_use]
    pub const fn job(&self) -> Option<(u32, JobKind, Window)> {
        match *self {
            Step::Proposing(window) => Some((0, JobKind::Propose, window)),
            Step::Checking { round, window } => Some((round, JobKind::Check, window)),
            Step::Reviewing { round, window, .. } => Some((round, JobKind::Critique, window)),
            Step::Revising { round, window, .. } => Some((round, JobKind::Revise, window)),
            Step::Checked { .. } | Step::Reviewed { .. } | Step::RoundOver { .. } | Step::Out => None,
        }
    }
}

/// The job that wrote version `version` of `author`'s proposal.
#[must_use]
pub fn text_job(deliberation: &DeliberationId, author: &AgentId, version: u32) -> JobId {
    let kind = if version == 0 { JobKind::Propose } else { JobKind::Revise };
    JobId { deliberation: deliberation.clone(), round: version, kind, subject: author.clone() }
}

/// The job that checks version `version` of `author`'s proposal.
#[must_use]
pub fn check_job(deliberation: &DeliberationId, author: &AgentId, version: u32) -> JobId {
    JobId {
        deliberation: deliberation.clone(),
        round: version,
        kind: JobKind::Check,
        subject: author.clone(),
    }
}
