//! The events `deliberation.completed` and `deliberation.failed`, with the keys of the wire.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use fleet_deliberation::{
    AgentId, Budget, CheckKind, CheckOutcome, CheckReport, Cost, Deliberation, Ending, JobKind, Lane,
    NO_ACCEPTABLE_PROPOSAL, Tiebreak,
};
use serde::{Deserialize, Serialize};

use crate::port::Announcement;
use crate::rfc3339;
use crate::view::{ResultView, View};

/// What is announced of a deliberation that has ended; `None` while it is open.
#[must_use]
pub fn of(view: &View) -> Option<Announcement> {
    let outcome = outcome(view)?;
    let subject = match &outcome {
        Outcome::Completed(_) => "deliberation.completed",
        Outcome::Failed(_) => "deliberation.failed",
    };
    Some(Announcement { id: format!("{}:ended", view.state.id()), subject, body: outcome.to_json().into() })
}

/// How a deliberation ended, in the words of the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// With a verdict.
    Completed(Completed),
    /// Without one.
    Failed(Failed),
}

impl Outcome {
    /// The event's content: one JSON object.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "the parts of an announcement are texts and numbers")]
        serde_json::to_string(self).expect("an announcement can be written")
    }
}

/// The event `deliberation.completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    /// The task.
    pub task_id: String,
    /// Always `completed`.
    pub status: Cow<'static, str>,
    /// The verdict, best first.
    pub results: Vec<Ranked>,
    /// `NO_ACCEPTABLE_PROPOSAL` where nobody won; the first of the results is the best effort then.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub outcome: Cow<'static, str>,
    /// The author of the winning proposal; empty where nobody won.
    pub winner_id: String,
    /// Why it won, or why nobody did.
    pub why: String,
    /// How near ties were told apart; not there where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_ties: Option<Box<NearTies>>,
    /// Agents that gave no proposal.
    pub failed_agents: Vec<FailedAgent>,
    /// Reviews, revisions and checks that did not come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_jobs: Vec<FailedJob>,
    /// Agents asked.
    pub total_agents: usize,
    /// Agents that proposed.
    pub successful_responses: usize,
    /// Agents that did not.
    pub failed_responses: usize,
    /// From submission to verdict, in milliseconds.
    pub duration_ms: u64,
    /// When, as RFC 3339.
    pub completed_at: String,
    /// Tokens of all answers.
    pub usage: fleet_deliberation::Usage,
    /// What it was allowed, and what that did not allow for; not there where there was no budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Box<Spending>>,
}

/// A budget and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// What it might cost.
    #[serde(flatten)]
    pub budget: Budget,
    /// What its jobs count: by the figures of their servers, and at their worst where there are none.
    pub spent: Cost,
    /// What was left out, in the order in which that was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<LeftOut>,
}

/// Something that a budget did not allow for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What, in words.
    pub what: String,
    /// What it might have cost at most.
    pub needed: Cost,
    /// What there was for it.
    pub left: Budget,
    /// The two in words; empty in events of earlier versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What was left out and why, in a line.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why.as_str() {
            "" => {
                write!(f, "{}; up to {}, with {} left", self.what, self.needed.within(self.left), self.left)
            }
            why => write!(f, "{}: {why}", self.what),
        }
    }
}

/// How near ties were told apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearTies {
    /// Whose proposals they are, in the computed order, and how judges placed them.
    #[serde(flatten)]
    pub tiebreak: Tiebreak,
    /// Why the architect chose what it chose, in its words; empty where none did, or it did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The event `deliberation.failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The task.
    pub task_id: String,
    /// `failed` or `timeout`.
    pub status: Cow<'static, str>,
    /// What happened.
    pub error: String,
    /// What kind of end it was: `no_quorum`, `timeout` or `cancelled`.
    pub error_type: Cow<'static, str>,
    /// Agents that gave no proposal.
    pub failed_agents: Vec<FailedAgent>,
    /// When, as RFC 3339.
    pub timestamp: String,
}

/// An agent that gave no proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedAgent {
    /// Which agent.
    pub agent_id: String,
    /// What happened.
    pub error: String,
    /// What kind of fault it was.
    pub error_type: Cow<'static, str>,
}

/// A review, a revision or a check that did not come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedJob {
    /// Whose proposal it was about; of a judgement the judge, of a choice the architect.
    pub author_id: String,
    /// `critique`, `revise`, `check`, `test`, `trial`, `judge` or `select`.
    pub kind: Cow<'static, str>,
    /// What happened.
    pub error: String,
    /// What kind of fault it was.
    pub error_type: Cow<'static, str>,
}

/// A ranked proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// What was proposed.
    pub proposal: Proposal,
    /// What the checks found.
    pub checks: Checks,
    /// From 0 to 1.
    pub score: f64,
    /// From 1.
    pub rank: u32,
    /// What the rank rests on.
    pub basis: String,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who wrote it.
    pub author_id: String,
    /// The author's role.
    pub author_role: String,
    /// The text in force.
    pub content: String,
    /// When the first version was written, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// The texts it replaced, oldest first.
    pub revisions: Vec<String>,
    /// The model that wrote it.
    pub model: String,
}

/// The check suite: a check that was not run is not there, but for the tests given with the task, whose message then
/// begins with `skipped: ` or `error: `.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// The checks that ran, by name.
    #[serde(flatten)]
    pub ran: BTreeMap<Cow<'static, str>, Check>,
    /// Whether every check of the suite ran and passed.
    pub all_passed: bool,
}

/// A check that ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Whether it found nothing.
    pub passed: bool,
    /// What was looked at.
    pub message: String,
    /// What it found.
    pub errors: Vec<String>,
}

/// The outcome of a deliberation that has ended; `None` while it is open.
#[must_use]
pub fn outcome(view: &View) -> Option<Outcome> {
    let state = &view.state;
    let ended = state.ended.as_ref()?;
    let task_id = state.id().to_string();
    let failed_agents: Vec<FailedAgent> = state.lanes.iter().filter_map(failed_agent).collect();
    let status = match &ended.ending {
        Ending::Completed(verdict) => {
            return Some(Outcome::Completed(Completed {
                task_id,
                status: "completed".into(),
                results: view.results.iter().map(|result| ranked(view, result)).collect(),
                outcome: if verdict.winner().is_none() { NO_ACCEPTABLE_PROPOSAL } else { "" }.into(),
                winner_id: view.winner().map(AgentId::to_string).unwrap_or_default(),
                why: verdict.why.clone(),
                near_ties: verdict.tiebreak.as_deref().map(|tiebreak| {
                    Box::new(NearTies {
                        tiebreak: tiebreak.clone(),
                        reason: view.choice.as_ref().map(|choice| choice.reason.clone()).unwrap_or_default(),
                    })
                }),
                failed_jobs: state.lanes.iter().flat_map(failed_jobs).chain(failed_closing(state)).collect(),
                total_agents: state.lanes.len(),
                successful_responses: state.answered() as usize,
                failed_responses: state.lanes.len() - state.answered() as usize,
                failed_agents,
                duration_ms: ended.at.ms_since(state.opened.at),
                completed_at: rfc3339(ended.at),
                usage: state.usage,
                budget: spending(state),
            }));
        }
        Ending::TimedOut => "timeout",
        Ending::NoQuorum { .. } | Ending::Cancelled { .. } => "failed",
    };
    let error_type = error_type(state).unwrap_or_default();
    Some(Outcome::Failed(Failed {
        task_id,
        status: status.into(),
        error: error_message(state),
        error_type: error_type.into(),
        failed_agents,
        timestamp: rfc3339(ended.at),
    }))
}

/// What a deliberation with a budget counts so far; `None` where there is none.
pub(crate) fn spending(state: &Deliberation) -> Option<Box<Spending>> {
    let purse = state.purse.as_ref()?;
    let architect = state.submission().selection.architect.is_some();
    let dropped = purse.dropped.iter().map(|dropped| LeftOut {
        why: dropped.what.why(dropped.needed, dropped.left, architect),
        what: dropped.what.to_string(),
        needed: dropped.needed,
        left: dropped.left,
    });
    let (budget, spent) = (state.submission().budget, purse.spent);
    Some(Box::new(Spending { budget, spent, dropped: dropped.collect() }))
}

/// What kind of end a deliberation came to that gave no verdict, in a word.
#[must_use]
pub fn error_type(state: &Deliberation) -> Option<&'static str> {
    match &state.ended.as_ref()?.ending {
        Ending::Completed(_) => None,
        Ending::TimedOut => Some("timeout"),
        Ending::NoQuorum { .. } => Some("no_quorum"),
        Ending::Cancelled { .. } => Some("cancelled"),
    }
}

/// Why a deliberation gave no verdict or its verdict no winner, in a sentence; empty otherwise.
#[must_use]
pub fn error_message(state: &Deliberation) -> String {
    match state.ended.as_ref().map(|ended| &ended.ending) {
        None => String::new(),
        Some(Ending::Completed(verdict)) => match verdict.winner() {
            Some(_) => String::new(),
            None => format!("{NO_ACCEPTABLE_PROPOSAL}: {}", verdict.why),
        },
        Some(Ending::NoQuorum { answered, quorum }) => {
            let causes: Vec<String> = state
                .lanes
                .iter()
                .filter_map(failed_agent)
                .map(|agent| format!("{}: {} ({})", agent.agent_id, agent.error, agent.error_type))
                .collect();
            format!(
                "{answered} of {} {} answered, {quorum} needed; {}",
                state.lanes.len(),
                if state.lanes.len() == 1 { "agent" } else { "agents" },
                causes.join("; ")
            )
        }
        Some(Ending::TimedOut) => {
            format!("no verdict within {} s", state.submission().timeout_ms.div_ceil(1000))
        }
        Some(Ending::Cancelled { reason }) if reason.is_empty() => "cancelled".to_owned(),
        Some(Ending::Cancelled { reason }) => format!("cancelled: {reason}"),
    }
}

fn failed_jobs(lane: &Lane) -> impl Iterator<Item = FailedJob> {
    lane.failures.iter().filter(|(kind, _)| *kind != JobKind::Propose).map(|(kind, failure)| FailedJob {
        author_id: lane.author.to_string(),
        kind: kind.as_str().into(),
        error: failure.message.clone(),
        error_type: failure.kind.as_str().into(),
    })
}

/// Tests, trials, judgements and the choice that did not come.
fn failed_closing(state: &Deliberation) -> impl Iterator<Item = FailedJob> {
    let testing = state.testing.as_deref();
    let written = testing.into_iter().flat_map(|testing| &testing.written);
    let written =
        written.filter_map(|(writer, outcome)| Some((writer, JobKind::Test, outcome.as_ref().err()?)));
    let tried = testing.into_iter().flat_map(|testing| &testing.tried);
    let tried = tried.filter_map(|(author, outcome)| Some((author, JobKind::Trial, outcome.as_ref().err()?)));
    let votes = state.judging.iter().flat_map(|judging| &judging.votes);
    let judged = votes.filter_map(|vote| Some((&vote.judge, JobKind::Judge, vote.outcome.as_ref().err()?)));
    let chosen = state.choosing.iter().filter_map(|choosing| {
        Some((&choosing.architect, JobKind::Select, choosing.outcome.as_ref()?.as_ref().err()?))
    });
    written.chain(tried).chain(judged).chain(chosen).map(|(agent, kind, failure)| FailedJob {
        author_id: agent.to_string(),
        kind: kind.as_str().into(),
        error: failure.message.clone(),
        error_type: failure.kind.as_str().into(),
    })
}

fn failed_agent(lane: &Lane) -> Option<FailedAgent> {
    let (_, failure) = lane.failures.iter().find(|(kind, _)| *kind == JobKind::Propose)?;
    Some(FailedAgent {
        agent_id: lane.author.to_string(),
        error: failure.message.clone(),
        error_type: failure.kind.as_str().into(),
    })
}

fn ranked(view: &View, result: &ResultView) -> Ranked {
    Ranked {
        proposal: Proposal {
            author_id: result.ranked.author.to_string(),
            author_role: view.state.submission().role.to_string(),
            content: result.generation.text.clone(),
            created_at_ms: result.created_at.0,
            revisions: result.earlier.clone(),
            model: result.generation.model.clone(),
        },
        checks: checks(result.checks.as_ref()),
        score: result.ranked.score,
        rank: result.ranked.rank,
        basis: result.ranked.basis.clone(),
    }
}

fn checks(report: Option<&CheckReport>) -> Checks {
    let result = |kind| report.and_then(|report| report.checks.get(&kind));
    let ran = |kind: CheckKind| {
        let result = result(kind)?;
        let message = match result.outcome {
            CheckOutcome::Pass | CheckOutcome::Fail => result.message.clone(),
            // Whoever gave tests is told why they were not run.
            CheckOutcome::Error if kind == CheckKind::Tests => format!("error: {}", result.message),
            CheckOutcome::Skipped if kind == CheckKind::Tests => format!("skipped: {}", result.message),
            CheckOutcome::Error | CheckOutcome::Skipped => return None,
        };
        let passed = result.outcome == CheckOutcome::Pass;
        let errors = result.faults.iter().map(ToString::to_string).collect();
        Some((Cow::Borrowed(kind.as_str()), Check { passed, message, errors }))
    };
    let passed = |kind| result(kind).map(|result| result.outcome == CheckOutcome::Pass);
    let all_passed = CheckKind::ALL.into_iter().all(|kind| match kind {
        // A task need not bring tests.
        CheckKind::Tests => passed(kind).unwrap_or(true),
        CheckKind::Policy | CheckKind::Lint | CheckKind::DryRun => passed(kind).unwrap_or(false),
    });
    Checks { ran: CheckKind::ALL.into_iter().filter_map(ran).collect(), all_passed }
}
