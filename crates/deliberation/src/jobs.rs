//! Which jobs an event asks for, which ones are still awaited, and what a job needs.

use crate::decide::{closing_jobs, closing_window};
use crate::state::{check_job, text_job};
use crate::{AgentId, Deliberation, DeliberationId, Digest, Event, JobId, JobKind, Step, Window};

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
        Event::TestsRequested { writers, .. } => {
            writers.iter().map(|writer| job(0, JobKind::Test, writer)).collect()
        }
        Event::TrialsRequested { authors, .. } => {
            authors.iter().map(|author| job(0, JobKind::Trial, author)).collect()
        }
        Event::JudgingOpened { comparisons, .. } => {
            let judges = (0u32..)
                .zip(comparisons)
                .flat_map(|(number, comparison)| comparison.judges.iter().map(move |judge| (number, judge)));
            judges.map(|(number, judge)| job(number, JobKind::Judge, judge)).collect()
        }
        Event::SelectionRequested { architect, .. } => vec![job(0, JobKind::Select, architect)],
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
        | Event::TestsSkipped { .. }
        | Event::TestsWritten { .. }
        | Event::TestsFailed { .. }
        | Event::Tried { .. }
        | Event::TrialFailed { .. }
        | Event::Judged { .. }
        | Event::JudgementFailed { .. }
        | Event::Selected { .. }
        | Event::SelectionFailed { .. }
        | Event::Settled { .. }
        | Event::Dropped { .. }
        | Event::Ended { .. } => Vec::new(),
    }
}

/// What a job needs: answers by the jobs that gave them, agents by their seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// What is to be done.
    pub work: Work,
    /// The seat of the agent who does it; of the author, where no agent is needed. `None` for the architect, who has
    /// no seat in the council.
    pub seat: Option<usize>,
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
    /// Write tests for several texts.
    Test {
        /// In the order in which they are shown.
        candidates: Vec<Contestant>,
    },
    /// Run tests by others against a text.
    Trial {
        /// The job that wrote the text.
        text: JobId,
        /// Who wrote tests, and the job that did.
        tests: Vec<(AgentId, JobId)>,
    },
    /// Say which of two texts is better.
    Judge {
        /// The one that is shown first, and the other.
        pair: [Contestant; 2],
    },
    /// Choose one of several texts.
    Select {
        /// In the order in which they are shown.
        candidates: Vec<Contestant>,
    },
}

/// A proposal that is compared with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contestant {
    /// Whose it is, which who compares is not told.
    pub author: AgentId,
    /// The job that wrote the version in force.
    pub text: JobId,
    /// The job that checked it.
    pub checks: JobId,
    /// The job that reviewed it last, if one did.
    pub review: Option<JobId>,
}

impl Deliberation {
    /// The jobs whose answers are awaited, with the time each has.
    pub fn outstanding(&self) -> impl Iterator<Item = (JobId, Window)> {
        let open = self.lanes.iter().filter(|_| self.ended.is_none());
        let lanes = open.filter_map(|lane| {
            let (round, kind, window) = lane.step.job()?;
            let (deliberation, subject) = (self.id().clone(), lane.author.clone());
            Some((JobId { deliberation, round, kind, subject }, window))
        });
        let closing = closing_window(self).filter(|_| self.ended.is_none());
        lanes.chain(closing.into_iter().flat_map(|window| closing_jobs(self).map(move |job| (job, window))))
    }

    /// What `job` needs; `None` when its answer is not awaited, or not any more.
    #[must_use]
    pub fn assignment(&self, job: &JobId) -> Option<Assignment> {
        if self.ended.is_some() || job.deliberation != *self.id() {
            return None;
        }
        if job.kind.is_closing() {
            return self.closing_assignment(job);
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
        Some(Assignment { work, seat: Some(seat), window })
    }

    /// What a writer of tests, a trial, a judge or the architect needs.
    fn closing_assignment(&self, job: &JobId) -> Option<Assignment> {
        let window = closing_window(self)?;
        if !closing_jobs(self).any(|known| known == *job) {
            return None;
        }
        if let JobKind::Test | JobKind::Trial = job.kind {
            let work = self.testing_work(job)?;
            return Some(Assignment { work, seat: self.seat(&job.subject), window });
        }
        if job.kind == JobKind::Judge {
            let comparison = self.judging.as_ref()?.comparison(job.round)?;
            let pair = [self.contestant(&comparison.first)?, self.contestant(&comparison.second)?];
            return Some(Assignment { work: Work::Judge { pair }, seat: self.seat(&job.subject), window });
        }
        let candidates = self.shuffled(&self.choosing.as_ref()?.candidates);
        Some(Assignment { work: Work::Select { candidates }, seat: None, window })
    }

    fn testing_work(&self, job: &JobId) -> Option<Work> {
        let testing = self.testing.as_deref()?;
        if job.kind == JobKind::Test {
            return Some(Work::Test { candidates: self.shuffled(&testing.authors) });
        }
        // Nobody is tried by its own tests.
        let others = testing.those_who_wrote().filter(|writer| **writer != job.subject);
        let test_job =
            |writer: &AgentId| JobId { kind: JobKind::Test, subject: writer.clone(), ..job.clone() };
        let tests = others.map(|writer| (writer.clone(), test_job(writer))).collect();
        Some(Work::Trial { text: self.contestant(&job.subject)?.text, tests })
    }

    /// Proposals in an order of chance, always the same: whoever reads them must learn nothing from it.
    fn shuffled(&self, authors: &[AgentId]) -> Vec<Contestant> {
        let mut all: Vec<Contestant> = authors.iter().filter_map(|author| self.contestant(author)).collect();
        all.sort_by_cached_key(|contestant| Digest::of(contestant.text.to_string().as_bytes()));
        all
    }

    fn contestant(&self, author: &AgentId) -> Option<Contestant> {
        let lane = self.lanes.iter().find(|lane| lane.author == *author)?;
        let version = lane.current()?.round;
        let review = lane.scores.last().map(|score| JobId {
            deliberation: self.id().clone(),
            round: score.round,
            kind: JobKind::Critique,
            subject: author.clone(),
        });
        let (text, checks) = (text_job(self.id(), author, version), check_job(self.id(), author, version));
        Some(Contestant { author: author.clone(), text, checks, review })
    }
}
