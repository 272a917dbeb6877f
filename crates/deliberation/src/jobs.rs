//! Which jobs an event asks for, which ones are still awaited, and what a job needs.

use crate::state::{check_job, text_job};
use crate::{AgentId, Deliberation, DeliberationId, Event, JobId, JobKind, Step, Window};

/// The jobs that `event` of `deliberation` asks for.
#[must_use]
pub fn jobs_after(deliberation: &DeliberationId, event: &Event) -> Vec<JobId> {
    let job = |round, kind, author: &AgentId| JobId {
        deliberation: deliberation.clone(),
        round,
        kind,
        subject: author.clone(),
    };
    match event {
        Event::Opened(opened) => {
            let members = opened.submission.members.iter();
            members.map(|member| job(0, JobKind::Propose, &member.agent)).collect()
        }
        Event::Proposed { author, .. } => vec![job(0, JobKind::Check, author)],
        Event::ReviewRequested { round, author, .. } => vec![job(*round, JobKind::Critique, author)],
        Event::RevisionRequested { round, author, .. } => vec![job(*round, JobKind::Revise, author)],
        Event::Revised { round, author, .. } => vec![job(*round, JobKind::Check, author)],
        Event::Renewed { author, round, kind, .. } => vec![job(*round, *kind, author)],
        Event::AuthorFailed { .. }
        | Event::Checked { .. }
        | Event::CheckFailed { .. }
        | Event::RingFormed { .. }
        | Event::Reviewed { .. }
        | Event::ReviewFailed { .. }
        | Event::NothingToRevise { .. }
        | Event::RevisionFailed { .. }
        | Event::RevisionAccepted { .. }
        | Event::RevisionRefused { .. }
        | Event::Ended { .. } => Vec::new(),
    }
}

/// What a job needs: answers by the jobs that gave them, agents by their seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// What is to be done.
    pub work: Work,
    /// The seat of the agent who does it; of the author, where no agent is needed.
    pub seat: usize,
    /// The time there is for it.
    pub window: Window,
}

/// What is to be done, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Write a proposal.
    Propose,
    /// Check a text.
    Check {
        /// The job that wrote it.
        text: JobId,
    },
    /// Review a text.
    Critique {
        /// The job that wrote it.
        text: JobId,
        /// The job that checked it.
        checks: JobId,
    },
    /// Revise a text.
    Revise {
        /// The job that wrote it.
        text: JobId,
        /// The job that checked it.
        checks: JobId,
        /// The job that reviewed it; what came of it may be a failure, and where there is no peer there
        /// is no answer.
        review: JobId,
    },
}

impl Deliberation {
    /// The jobs whose answers are awaited, with the time each has.
    pub fn outstanding(&self) -> impl Iterator<Item = (JobId, Window)> {
        let open = self.lanes.iter().filter(|_| self.ended.is_none());
        open.filter_map(|lane| {
            let (round, kind, window) = lane.step.job()?;
            let (deliberation, subject) = (self.id().clone(), lane.author.clone());
            Some((JobId { deliberation, round, kind, subject }, window))
        })
    }

    /// What `job` needs; `None` when its answer is not awaited, or not any more.
    #[must_use]
    pub fn assignment(&self, job: &JobId) -> Option<Assignment> {
        if self.ended.is_some() || job.deliberation != *self.id() {
            return None;
        }
        let author = self.seat(&job.subject)?;
        let step = self.lanes[author].step;
        let (round, kind, window) = step.job()?;
        if (round, kind) != (job.round, job.kind) {
            return None;
        }
        let text = |version| text_job(self.id(), &job.subject, version);
        let checks = |version| check_job(self.id(), &job.subject, version);
        let (seat, work) = match step {
            Step::Proposing(_) => (author, Work::Propose),
            Step::Checking { round, .. } => (author, Work::Check { text: text(round) }),
            Step::Reviewing { reviewer, version, .. } => {
                (reviewer, Work::Critique { text: text(version), checks: checks(version) })
            }
            Step::Revising { version, .. } => {
                let review = JobId { kind: JobKind::Critique, ..job.clone() };
                (author, Work::Revise { text: text(version), checks: checks(version), review })
            }
            Step::Checked { .. } | Step::Reviewed { .. } | Step::RoundOver { .. } | Step::Out => return None,
        };
        Some(Assignment { work, seat, window })
    }
}
