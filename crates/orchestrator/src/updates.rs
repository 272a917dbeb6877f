//! What a watcher is told of a deliberation: a step an event, the same ones wherever and whenever it is asked.

mod cursor;
mod following;

use fleet_deliberation::{
    AgentId, CheckSummary, Deliberation, Ending, Event, Failure, JobKind, Lane, Phase, Preference, Standing,
    Step, Timestamp,
};

use crate::announcement::error_message;
use crate::view::Draft;

pub use cursor::Updates;
pub use following::{Following, Shown, Writing};

/// How far a deliberation has come: a function of its history up to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of the event in the history, from 1 and without gaps.
    pub sequence: u64,
    /// What the deliberation is busy with after it.
    pub phase: Phase,
    /// From 0 to 100; never less than before, and 100 only at the end.
    pub progress_percent: u32,
}

/// One step of a deliberation.
#[derive(Debug, Clone)]
pub struct Update {
    /// How far the deliberation has come with it.
    pub place: Place,
    /// When it was recorded.
    pub at: Timestamp,
    /// The step as a sentence, without capital and full stop.
    pub step: String,
    /// The agent who does or did it, where it is one.
    pub agent: Option<AgentId>,
    /// The proposal it is about, where there is news of it.
    pub draft: Option<Draft>,
}

/// The text to fetch with a step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// The version of an author's proposal that is in force.
    Draft(AgentId),
    /// The proposal that won.
    Winner,
}

/// What `event`, the one with this number, tells of a deliberation that stands as `state` after it, and which
/// text belongs to it.
fn told(state: &Deliberation, event: &Event, sequence: u64, at: Timestamp) -> (Update, Option<About>) {
    let update = Update {
        place: Place::of(state, sequence),
        at,
        step: sentence(state, event),
        agent: agent(event).cloned(),
        draft: None,
    };
    (update, about(event))
}

impl Place {
    fn of(state: &Deliberation, sequence: u64) -> Place {
        Place { sequence, phase: state.phase(), progress_percent: progress_percent(state) }
    }
}

/// The share of its lanes' steps that are done.
fn progress_percent(state: &Deliberation) -> u32 {
    if state.ended.is_some() {
        return 100;
    }
    // A proposal and its check, then three steps a round: review, revision and its check.
    let steps = |round: u32| 3 * u64::from(round) + 2;
    let all = steps(state.rounds());
    let done = |lane: &Lane| match lane.step {
        Step::Proposing(_) => 0,
        Step::Checking { round, .. } => steps(round) - 1,
        Step::Reviewing { round, .. } => steps(round).saturating_sub(3),
        Step::Reviewed { round, .. } | Step::Revising { round, .. } => steps(round) - 2,
        Step::Checked { round } | Step::RoundOver { round } => steps(round),
        Step::Out => all,
    };
    let of_all = all * (state.lanes.len() as u64).max(1);
    let done: u64 = state.lanes.iter().map(|lane| done(lane).min(all)).sum();
    u32::try_from(99 * done / of_all).unwrap_or(99)
}

fn agent(event: &Event) -> Option<&AgentId> {
    match event {
        Event::Opened(_)
        | Event::RingFormed { .. }
        | Event::TestsRequested { .. }
        | Event::TestsSkipped { .. }
        | Event::TrialsRequested { .. }
        | Event::JudgingOpened { .. }
        | Event::Dropped { .. }
        | Event::Ended { .. } => None,
        Event::SelectionFailed { architect, .. } => Some(architect),
        Event::TestsWritten { writer, .. } | Event::TestsFailed { writer, .. } => Some(writer),
        Event::Tried { author, .. } | Event::TrialFailed { author, .. } => Some(author),
        Event::Judged { judge, .. } | Event::JudgementFailed { judge, .. } => Some(judge),
        Event::SelectionRequested { architect, .. } => Some(architect),
        Event::Selected { chosen, .. } => Some(&chosen.author),
        Event::ReviewRequested { reviewer, .. }
        | Event::Reviewed { reviewer, .. }
        | Event::ReviewFailed { reviewer, .. } => Some(reviewer),
        Event::Proposed { author, .. }
        | Event::AuthorFailed { author, .. }
        | Event::Checked { author, .. }
        | Event::CheckFailed { author, .. }
        | Event::RevisionRequested { author, .. }
        | Event::NothingToRevise { author, .. }
        | Event::Revised { author, .. }
        | Event::RevisionFailed { author, .. }
        | Event::RevisionAccepted { author, .. }
        | Event::RevisionRefused { author, .. }
        | Event::Settled { author, .. }
        | Event::Renewed { author, .. } => Some(author),
    }
}

fn about(event: &Event) -> Option<About> {
    match event {
        Event::Proposed { author, .. }
        | Event::Checked { author, round: 0, .. }
        | Event::RevisionAccepted { author, .. } => Some(About::Draft(author.clone())),
        Event::Ended { ending: Ending::Completed(_), .. } => Some(About::Winner),
        Event::Opened(_)
        | Event::AuthorFailed { .. }
        | Event::Checked { .. }
        | Event::CheckFailed { .. }
        | Event::RingFormed { .. }
        | Event::ReviewRequested { .. }
        | Event::Reviewed { .. }
        | Event::ReviewFailed { .. }
        | Event::RevisionRequested { .. }
        | Event::NothingToRevise { .. }
        | Event::Revised { .. }
        | Event::RevisionFailed { .. }
        | Event::RevisionRefused { .. }
        | Event::TestsRequested { .. }
        | Event::TestsSkipped { .. }
        | Event::TestsWritten { .. }
        | Event::TestsFailed { .. }
        | Event::TrialsRequested { .. }
        | Event::Tried { .. }
        | Event::TrialFailed { .. }
        | Event::JudgingOpened { .. }
        | Event::Judged { .. }
        | Event::JudgementFailed { .. }
        | Event::SelectionRequested { .. }
        | Event::Selected { .. }
        | Event::SelectionFailed { .. }
        | Event::Renewed { .. }
        | Event::Settled { .. }
        | Event::Dropped { .. }
        | Event::Ended { .. } => None,
    }
}

pub(crate) fn sentence(state: &Deliberation, event: &Event) -> String {
    match event {
        Event::Opened(opened) => {
            let (agents, role) = (opened.submission.members.len(), &opened.submission.role);
            format!("{} of role {role} {} asked for a proposal", counted(agents, "agent"), are(agents))
        }
        Event::Proposed { author, .. } => format!("{author} has proposed"),
        Event::AuthorFailed { author, failure } => format!("{author} gave no proposal: {}", why(failure)),
        Event::Checked { author, round, summary, .. } => checked(&text(author, *round), summary),
        Event::CheckFailed { author, round, failure } => {
            format!("the checks of {} gave no result: {}", text(author, *round), why(failure))
        }
        Event::RingFormed { order } => match (order.len(), state.submission().rounds) {
            (1, 0) => "the only proposal is in".into(),
            (1, _) => "the only proposal is in; nobody is there to review it".into(),
            (proposals, 0) => format!("all {proposals} proposals are in"),
            (proposals, _) if state.purse.is_some() => {
                format!("all {proposals} proposals are in; a peer reviews each if the budget allows it")
            }
            (proposals, _) => format!("all {proposals} proposals are in; each is reviewed by a peer"),
        },
        Event::ReviewRequested { round, author, reviewer, .. } => {
            format!("{reviewer} reviews the proposal of {author} (round {round})")
        }
        Event::Reviewed { round, author, reviewer, score, findings, .. } => format!(
            "{reviewer} gave the proposal of {author} {score:.2}, with {} (round {round})",
            counted(*findings as usize, "finding")
        ),
        Event::ReviewFailed { round, author, reviewer, failure } => {
            format!("{reviewer} gave no review of the proposal of {author} (round {round}): {}", why(failure))
        }
        Event::RevisionRequested { round, author, .. } => {
            format!("{author} revises its proposal (round {round})")
        }
        Event::NothingToRevise { round, author } => {
            format!("{author} has nothing to revise (round {round})")
        }
        Event::Revised { round, author, .. } => format!("{author} has revised its proposal (round {round})"),
        Event::RevisionFailed { round, author, failure } => {
            format!("{author} gave no revision (round {round}): {}", why(failure))
        }
        Event::RevisionAccepted { round, author } => {
            format!("the revision of {author} takes the place of its proposal (round {round})")
        }
        Event::RevisionRefused { round, author } => {
            format!("the checks of the revision of {author} are worse; its proposal stays (round {round})")
        }
        Event::TestsRequested { writers, authors, .. } => {
            let (agents, proposals) = (writers.len(), counted(authors.len(), "proposal"));
            format!("{} {} asked for tests of {proposals}", counted(agents, "agent"), are(agents))
        }
        Event::TestsSkipped { .. } => {
            "no agent is asked for tests, as none could be run: no code of the proposals was".into()
        }
        Event::TestsWritten { writer, .. } => format!("{writer} has written tests"),
        Event::TestsFailed { writer, failure } => format!("{writer} gave no tests: {}", why(failure)),
        Event::TrialsRequested { authors, .. } => {
            let proposals = authors.len();
            format!("{} {} tried by the tests of others", counted(proposals, "proposal"), are(proposals))
        }
        Event::Tried { author, trial } => {
            let passed = trial.0.values().filter(|passed| **passed).count();
            format!("the proposal of {author} passed {passed} of {} tests by others", trial.0.len())
        }
        Event::TrialFailed { author, failure } => {
            format!("the tests by others gave no result for the proposal of {author}: {}", why(failure))
        }
        Event::JudgingOpened { comparisons, .. } => {
            let judgements: usize = comparisons.iter().map(|comparison| comparison.judges.len()).sum();
            let pairs = counted(comparisons.len() / 2, "pair");
            format!("near ties are compared: {pairs} in both orders, {}", counted(judgements, "judgement"))
        }
        Event::Judged { comparison, judge, preference, .. } => {
            let known = state.judging.as_ref().and_then(|judging| judging.comparison(*comparison));
            let [first, second] = known
                .map_or(["the first", "the second"], |known| [known.first.as_str(), known.second.as_str()]);
            match preference {
                Preference::First => format!("{judge} prefers {first} to {second}"),
                Preference::Second => format!("{judge} prefers {second} to {first}"),
                Preference::Neither => format!("{judge} prefers neither {first} nor {second}"),
            }
        }
        Event::JudgementFailed { judge, failure, .. } => {
            format!("{judge} gave no judgement: {}", why(failure))
        }
        Event::SelectionRequested { architect, candidates, .. } => {
            format!("{architect} chooses among {}", counted(candidates.len(), "near tie"))
        }
        Event::Selected { chosen, .. } => {
            format!("the architect chose {}, citing {}", chosen.author, chosen.cites.join(", "))
        }
        Event::SelectionFailed { failure, .. } => {
            format!("the architect chose nothing, and the computed order stands: {}", why(failure))
        }
        Event::Renewed { author, kind, .. } => {
            format!("the {} of {author} is given new time, as nobody worked for a while", word(*kind))
        }
        Event::Settled { author, kind, cost, .. } => {
            let of = match kind {
                JobKind::Critique => "the review for",
                JobKind::Propose
                | JobKind::Check
                | JobKind::Revise
                | JobKind::Test
                | JobKind::Trial
                | JobKind::Judge
                | JobKind::Select => "",
            };
            let what = if of.is_empty() { format!("the {} of", word(*kind)) } else { of.to_owned() };
            format!("{what} {author} counts {} against the budget", cost.within(state.submission().budget))
        }
        Event::Dropped { what, needed, left } => {
            let architect = state.submission().selection.architect.is_some();
            format!("left out for the budget: {what}: {}", what.why(*needed, *left, architect))
        }
        Event::Ended { ending: Ending::Completed(verdict), .. } => match verdict.winner() {
            Some(winner) => format!("{} wins: {}", winner.author, verdict.why),
            None => verdict.why.clone(),
        },
        Event::Ended { .. } => format!("no verdict: {}", error_message(state)),
    }
}

const fn word(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Propose => "proposal",
        JobKind::Check => "check",
        JobKind::Critique => "review",
        JobKind::Revise => "revision",
        JobKind::Test => "writing of tests",
        JobKind::Trial => "trial",
        JobKind::Judge => "judgement",
        JobKind::Select => "choice",
    }
}

fn text(author: &AgentId, round: u32) -> String {
    match round {
        0 => format!("the proposal of {author}"),
        round => format!("the revision of {author} (round {round})"),
    }
}

fn checked(text: &str, summary: &CheckSummary) -> String {
    match summary.standing() {
        Standing::Failed => format!("{text} failed its checks"),
        Standing::Passed if summary.any_failed() => format!("{text} failed a check, but none that decides"),
        Standing::Passed => format!("{text} passed its checks"),
        Standing::Unchecked if summary.any_failed() => {
            format!("{text} failed a check, but none that decides")
        }
        Standing::Unchecked => format!("nothing in {text} could be checked"),
    }
}

fn why(failure: &Failure) -> String {
    format!("{} ({})", failure.message, failure.kind.as_str())
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

const fn are(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}
