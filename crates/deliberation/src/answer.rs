//! What came of a job: recorded once, the first record wins.

use serde::{Deserialize, Serialize};

use crate::{CheckReport, Chosen, JobId, Preference, Timestamp, Trial};

/// What came of a job, whole. Histories name answers; they do not copy them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The job that is answered.
    pub job: JobId,
    /// Which attempt gave this answer; the first is 1.
    pub attempt: u32,
    /// When that attempt began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What it gave.
    pub outcome: Outcome,
}

impl Answer {
    /// The text that a model wrote for its own sake: a proposal, a revision, tests.
    #[must_use]
    pub const fn text(&self) -> Option<&Generation> {
        let Outcome::Text(generation) = &self.outcome else { return None };
        Some(generation)
    }

    /// The check report, if it is one.
    #[must_use]
    pub const fn checks(&self) -> Option<&CheckReport> {
        let Outcome::Checks(report) = &self.outcome else { return None };
        Some(report)
    }

    /// The review, if it is one.
    #[must_use]
    pub const fn review(&self) -> Option<&Review> {
        let Outcome::Review { review, .. } = &self.outcome else { return None };
        Some(review)
    }

    /// The judgement, if it is one.
    #[must_use]
    pub const fn judgement(&self) -> Option<&Judgement> {
        let Outcome::Judgement { judgement, .. } = &self.outcome else { return None };
        Some(judgement)
    }

    /// The architect's choice, if it is one.
    #[must_use]
    pub const fn choice(&self) -> Option<&Choice> {
        let Outcome::Choice { choice, .. } = &self.outcome else { return None };
        Some(choice)
    }
}

/// The kinds of outcome a job can have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A model wrote a proposal or a revision.
    Text(Generation),
    /// A model wrote a review, and it could be read.
    Review {
        /// The review as it was read.
        review: Review,
        /// What it was read from.
        generation: Generation,
    },
    /// A check suite came to its end.
    Checks(CheckReport),
    /// The tests by others were run against a proposal.
    Trial(Trial),
    /// A judge compared two proposals, and what it prefers could be read.
    Judgement {
        /// What it prefers.
        judgement: Judgement,
        /// What it was read from.
        generation: Generation,
    },
    /// An architect chose, and its choice could be read.
    Choice {
        /// What it chose.
        choice: Choice,
        /// What it was read from.
        generation: Generation,
    },
    /// The job failed for good.
    Failed(Failure),
}

/// What one call of a model gave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Generation {
    /// The answer, without the reasoning before it. Never empty.
    pub text: String,
    /// What the model said to itself first, when it is one that does and the server passes it on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// The model's name as the server gave it.
    pub model: String,
    /// Sampling temperature of the call.
    pub temperature: f64,
    /// Tokens read and written.
    pub usage: Usage,
    /// True when the answer was cut off at the limit of tokens.
    #[serde(default)]
    pub truncated: bool,
    /// Milliseconds from the call to its first token.
    #[serde(default)]
    pub first_token_ms: u64,
    /// Further calls of the same attempt, such as the slower one of two: what they took is not known.
    #[serde(default, skip_serializing_if = "zero")]
    pub calls_unknown: u32,
}

/// Tokens read and written by one call or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens written, reasoning included.
    pub completion_tokens: u64,
    /// True when the server gave no figures and these are our estimate.
    #[serde(default)]
    pub estimated: bool,
}

impl Usage {
    /// Whether nothing was read or written.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Usage::default()
    }

    /// The sum of both; estimated as soon as one part is.
    #[must_use]
    pub const fn plus(self, other: Usage) -> Usage {
        Usage {
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_add(other.completion_tokens),
            estimated: self.estimated || other.estimated,
        }
    }
}

/// What a judge says of two proposals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Which one it prefers.
    pub preference: Preference,
    /// Why, in a sentence or two; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What an architect says of near ties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What it chose, and by which evidence.
    #[serde(flatten)]
    pub chosen: Chosen,
    /// Why, in a sentence or two; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A peer's opinion of one version of a proposal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Review {
    /// How good the reviewed version is: 0 is useless, 1 could not be better.
    pub score: f64,
    /// What the reviewer found, most severe first as far as the reviewer says so.
    pub findings: Vec<Finding>,
    /// The review in a sentence or two; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
}

/// One thing a reviewer holds against a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Where in the proposal; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// What is wrong.
    pub claim: String,
    /// What shows it; a finding without evidence is advice.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// Why the evidence is none, such as a quotation that the proposal does not hold; empty where it holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unfounded: String,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth mending when the text is changed anyway.
    Low,
    /// Should be mended.
    Medium,
    /// The proposal fails its task with it.
    High,
}

/// Findings counted by what they weigh. One without evidence is advice, whatever its severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FindingCounts {
    /// With evidence, of high severity.
    #[serde(skip_serializing_if = "zero")]
    pub high: u32,
    /// With evidence, of medium severity.
    #[serde(skip_serializing_if = "zero")]
    pub medium: u32,
    /// With evidence, of low severity.
    #[serde(skip_serializing_if = "zero")]
    pub low: u32,
    /// Without evidence.
    #[serde(skip_serializing_if = "zero")]
    pub advice: u32,
}

const fn zero(n: &u32) -> bool {
    *n == 0
}

impl FindingCounts {
    /// How many there are that ask for a change.
    #[must_use]
    pub const fn with_evidence(self) -> u32 {
        self.high.saturating_add(self.medium).saturating_add(self.low)
    }

    /// How many there are in all.
    #[must_use]
    pub const fn all(self) -> u32 {
        self.with_evidence().saturating_add(self.advice)
    }

    /// What they weigh together: 4 for high, 2 for medium, 1 for low severity, nothing for advice.
    #[must_use]
    pub const fn weight(self) -> u32 {
        let high = self.high.saturating_mul(4);
        high.saturating_add(self.medium.saturating_mul(2)).saturating_add(self.low)
    }
}

impl Finding {
    /// A finding whose evidence nobody has looked up.
    #[must_use]
    pub fn new(
        severity: Severity,
        location: impl Into<String>,
        claim: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Finding {
        let (location, claim, evidence) = (location.into(), claim.into(), evidence.into());
        Finding { severity, location, claim, evidence, unfounded: String::new() }
    }

    /// Whether it names what shows it, and that is there.
    #[must_use]
    pub fn has_evidence(&self) -> bool {
        !self.evidence.trim().is_empty() && self.unfounded.is_empty()
    }
}

impl Review {
    /// Its findings, counted.
    #[must_use]
    pub fn counts(&self) -> FindingCounts {
        let mut counts = FindingCounts::default();
        for finding in &self.findings {
            let count = match finding.severity {
                _ if !finding.has_evidence() => &mut counts.advice,
                Severity::High => &mut counts.high,
                Severity::Medium => &mut counts.medium,
                Severity::Low => &mut counts.low,
            };
            *count = count.saturating_add(1);
        }
        counts
    }
}

/// Why a job failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of fault it was.
    pub kind: FailureKind,
    /// What happened, in a sentence, without prompts, answers or keys.
    pub message: String,
    /// How many attempts were made; 0 when none was begun.
    pub attempts: u32,
    /// What a model read and wrote for it all the same, such as a review that cannot be read.
    #[serde(default, skip_serializing_if = "Usage::is_none")]
    pub usage: Usage,
}

impl Failure {
    /// A failure on which no tokens were spent, as far as is known.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>, attempts: u32) -> Failure {
        Failure { kind, message: message.into(), attempts, usage: Usage::default() }
    }
}

/// The kinds of fault that end a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The server could not be reached, or the connection broke.
    Connection,
    /// The server was too slow: to accept, to begin, between tokens, or in all.
    Timeout,
    /// The server refused for now (408, 429).
    RateLimited,
    /// The server failed (5xx).
    Server,
    /// The key is missing or wrong (401, 403).
    Unauthorized,
    /// No such model or path (404).
    NotFound,
    /// The server refused the request as it stands (400, 422, other 4xx).
    BadRequest,
    /// The prompt does not fit the model's context.
    ContextTooLong,
    /// The model said nothing but, perhaps, its reasoning.
    Empty,
    /// What the model or the server wrote cannot be read as what was asked for.
    Unreadable,
    /// The worker that did the job died each time.
    WorkerLost,
    /// The phase's deadline passed.
    Deadline,
    /// A worker could not do its part, for a reason of its own; the log has it.
    Internal,
}

impl FailureKind {
    /// Whether trying again may help.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        use FailureKind::{Connection, RateLimited, Server, Timeout, WorkerLost};
        matches!(self, Connection | Timeout | RateLimited | Server | WorkerLost)
    }

    /// The word for this kind on the wire (`error_type`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureKind::Connection => "connection",
            FailureKind::Timeout => "timeout",
            FailureKind::RateLimited => "rate_limited",
            FailureKind::Server => "server",
            FailureKind::Unauthorized => "unauthorized",
            FailureKind::NotFound => "not_found",
            FailureKind::BadRequest => "bad_request",
            FailureKind::ContextTooLong => "context_too_long",
            FailureKind::Empty => "empty",
            FailureKind::Unreadable => "unreadable",
            FailureKind::WorkerLost => "worker_lost",
            FailureKind::Deadline => "deadline",
            FailureKind::Internal => "internal",
        }
    }
}
