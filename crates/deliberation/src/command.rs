//! What is asked of a deliberation.

use crate::{
    Answer, CheckSummary, Chosen, Effort, Failure, FindingCounts, JobId, Outcome, Preference, Sketch,
    Submission, Timestamp, Trial, Usage, prompts,
};

/// Something that happens to a deliberation from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Open a deliberation.
    Submit {
        /// Everything that is fixed when it opens.
        submission: Box<Submission>,
        /// When it was accepted.
        at: Timestamp,
    },
    /// Take in what came of a job.
    Take {
        /// The job that was answered.
        job: JobId,
        /// What the rules need of the answer.
        report: Report,
        /// What it took, as far as a budget wants to know.
        effort: Effort,
        /// When it was taken in.
        at: Timestamp,
    },
    /// Give up what is overdue.
    Expire {
        /// What time it is.
        at: Timestamp,
    },
    /// Give new time to steps whose own was over while nobody worked.
    Renew {
        /// What time it is.
        at: Timestamp,
    },
    /// End it without a verdict.
    Cancel {
        /// Why, in the words of whoever asks.
        reason: String,
        /// When it was asked.
        at: Timestamp,
    },
}

/// What the rules need of an answer. The answer itself stays where answers are kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A proposal or a revision was written.
    Text {
        /// What it took.
        usage: Usage,
    },
    /// A review was written.
    Review {
        /// The peer's score, from 0 to 1.
        score: f64,
        /// Its findings, counted.
        findings: FindingCounts,
        /// What it took.
        usage: Usage,
    },
    /// A check suite came to its end.
    Checks {
        /// How each check came out.
        summary: CheckSummary,
        /// What tells whether another proposal is nearly the same.
        sketch: Sketch,
    },
    /// The tests by others were run against a proposal.
    Trial {
        /// How they came out.
        trial: Trial,
    },
    /// Two proposals were compared.
    Judgement {
        /// What the judge prefers.
        preference: Preference,
        /// What it took.
        usage: Usage,
    },
    /// An architect chose.
    Choice {
        /// What it chose.
        chosen: Chosen,
        /// What it took.
        usage: Usage,
    },
    /// The job failed for good.
    Failed(Failure),
}

impl Answer {
    /// The command that takes it in.
    #[must_use]
    pub fn taken(&self, at: Timestamp) -> Command {
        Command::Take { job: self.job.clone(), report: self.report(), effort: self.effort(), at }
    }

    /// What it took.
    fn effort(&self) -> Effort {
        let (calls_unknown, bytes) = match &self.outcome {
            Outcome::Text(generation) => (generation.calls_unknown, generation.text.len()),
            Outcome::Review { review, generation } => {
                (generation.calls_unknown, prompts::review_bytes(review))
            }
            Outcome::Checks(report) => (0, prompts::results_bytes(report)),
            Outcome::Judgement { generation, .. } | Outcome::Choice { generation, .. } => {
                (generation.calls_unknown, 0)
            }
            Outcome::Trial(_) | Outcome::Failed(_) => (0, 0),
        };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Effort { attempts: self.attempt, calls_unknown, bytes }
    }

    /// What the rules need of this answer.
    #[must_use]
    pub fn report(&self) -> Report {
        match &self.outcome {
            Outcome::Text(generation) => Report::Text { usage: generation.usage },
            Outcome::Review { review, generation } => {
                Report::Review { score: review.score, findings: review.counts(), usage: generation.usage }
            }
            Outcome::Checks(report) => {
                Report::Checks { summary: report.summary(), sketch: report.sketch.clone() }
            }
            Outcome::Trial(trial) => Report::Trial { trial: trial.clone() },
            Outcome::Judgement { judgement, generation } => {
                Report::Judgement { preference: judgement.preference, usage: generation.usage }
            }
            Outcome::Choice { choice, generation } => {
                Report::Choice { chosen: choice.chosen.clone(), usage: generation.usage }
            }
            Outcome::Failed(failure) => Report::Failed(failure.clone()),
        }
    }
}
