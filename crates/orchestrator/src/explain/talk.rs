//! What peers said, and what authors made of it.

use fleet_deliberation::{
    AgentId, CheckKind, CheckSummary, Deliberation, Event, FindingCounts, JobId, JobKind, Review, Tally,
};
use serde::Serialize;

use super::checks::{outcome, severity};
use crate::past::Past;

/// A review that came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewShown {
    /// In which round.
    pub round: u32,
    /// Whose proposal.
    pub author_id: String,
    /// The version that was judged.
    pub version: u32,
    /// Who judged.
    pub reviewer_id: String,
    /// From 0 to 1.
    pub score: f64,
    /// The review in a sentence or two; may be empty.
    pub summary: String,
    /// How many findings there are, by what they weigh.
    pub counts: FindingCounts,
    /// The findings; none where the answer is not kept.
    pub findings: Vec<FindingShown>,
}

/// One thing a reviewer holds against a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingShown {
    /// `high`, `medium` or `low`.
    pub severity: &'static str,
    /// Where in the proposal; may be empty.
    pub location: String,
    /// What is wrong.
    pub claim: String,
    /// What shows it; empty for advice.
    pub evidence: String,
    /// Why the evidence is none, where it was looked up and is not there.
    pub unfounded: String,
    /// Whether it is advice, for want of evidence: it weighs nothing.
    pub advisory: bool,
}

/// What became of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevisionShown {
    /// Whose proposal.
    pub agent_id: String,
    /// In which round; the number of the new version, if it was written.
    pub round: u32,
    /// The version it started from.
    pub from_version: u32,
    /// What became of it.
    pub outcome: RevisionOutcome,
    /// Why, in words.
    pub why: String,
}

/// What became of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionOutcome {
    /// It took the place of the version before.
    Accepted,
    /// It did not, as its checks are worse.
    Refused,
    /// It was not written.
    Failed,
    /// There was nothing to revise.
    NotNeeded,
    /// It is being written or checked.
    UnderWay,
}

pub(super) fn reviews(past: &Past) -> Vec<ReviewShown> {
    let shown = |event: &Event| {
        let Event::Reviewed { round, author, version, reviewer, score, findings, counts, usage: _ } = event
        else {
            return None;
        };
        let job = JobId {
            deliberation: past.id().clone(),
            round: *round,
            kind: JobKind::Critique,
            subject: author.clone(),
        };
        let review = past.answer(&job).and_then(|answer| answer.review());
        Some(ReviewShown {
            round: *round,
            author_id: author.to_string(),
            version: *version,
            reviewer_id: reviewer.to_string(),
            score: *score,
            summary: review.map(|review| review.summary.clone()).unwrap_or_default(),
            counts: counts.unwrap_or(FindingCounts { medium: *findings, ..FindingCounts::default() }),
            findings: review.map(findings_of).unwrap_or_default(),
        })
    };
    past.events().filter_map(|past| shown(past.event)).collect()
}

fn findings_of(review: &Review) -> Vec<FindingShown> {
    let shown = review.findings.iter().map(|finding| FindingShown {
        severity: severity(finding.severity),
        location: finding.location.clone(),
        claim: finding.claim.clone(),
        evidence: finding.evidence.clone(),
        unfounded: finding.unfounded.clone(),
        advisory: !finding.has_evidence(),
    });
    shown.collect()
}

pub(super) fn revisions(past: &Past) -> Vec<RevisionShown> {
    let mut shown: Vec<RevisionShown> = Vec::new();
    for past_event in past.events() {
        let (author, round, outcome, why) = match past_event.event {
            Event::RevisionRequested { round, author, version, .. } => {
                shown.push(RevisionShown {
                    agent_id: author.to_string(),
                    round: *round,
                    from_version: *version,
                    outcome: RevisionOutcome::UnderWay,
                    why: match past.state.ended {
                        None => "it is being written".into(),
                        Some(_) => "it was being written when the deliberation ended".into(),
                    },
                });
                continue;
            }
            Event::NothingToRevise { round, author } => {
                shown.push(RevisionShown {
                    agent_id: author.to_string(),
                    round: *round,
                    from_version: version_before(&past.state, author, *round),
                    outcome: RevisionOutcome::NotNeeded,
                    why: "no finding with evidence and no failed check".into(),
                });
                continue;
            }
            Event::Revised { round, author, .. } => (
                author,
                round,
                RevisionOutcome::UnderWay,
                match past.state.ended {
                    None => "it is being checked".to_owned(),
                    Some(_) => "it was being checked when the deliberation ended".to_owned(),
                },
            ),
            Event::RevisionFailed { round, author, failure } => {
                (author, round, RevisionOutcome::Failed, failure.message.clone())
            }
            Event::RevisionAccepted { round, author } => {
                let why = "no check that decides is worse".to_owned();
                (author, round, RevisionOutcome::Accepted, why)
            }
            Event::RevisionRefused { round, author } => {
                (author, round, RevisionOutcome::Refused, worse(&past.state, author, *round))
            }
            Event::Opened(_)
            | Event::Proposed { .. }
            | Event::AuthorFailed { .. }
            | Event::Checked { .. }
            | Event::CheckFailed { .. }
            | Event::RingFormed { .. }
            | Event::ReviewRequested { .. }
            | Event::Reviewed { .. }
            | Event::ReviewFailed { .. }
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
            | Event::Settled { .. }
            | Event::Dropped { .. }
            | Event::Renewed { .. }
            | Event::Ended { .. } => continue,
        };
        let known = shown.iter_mut().find(|known| known.agent_id == author.as_str() && known.round == *round);
        if let Some(known) = known {
            (known.outcome, known.why) = (outcome, why);
        }
    }
    shown
}

/// The version that was in force when a round was over.
fn version_before(state: &Deliberation, author: &AgentId, round: u32) -> u32 {
    let lane = state.lanes.iter().find(|lane| lane.author == *author);
    let versions = lane.map(|lane| lane.versions.iter().rev());
    let taken = versions.into_iter().flatten().find(|version| version.accepted && version.round < round);
    taken.map_or(0, |version| version.round)
}

/// In what the revision of a round is worse than the version before it.
fn worse(state: &Deliberation, author: &AgentId, round: u32) -> String {
    let before = version_before(state, author, round);
    let checks = |round: u32| {
        let lane = state.lanes.iter().find(|lane| lane.author == *author)?;
        lane.versions.iter().find(|version| version.round == round)?.checks.as_ref()
    };
    let (Some(old), Some(new)) = (checks(before), checks(round)) else {
        return "its checks are not known".into();
    };
    let alone = |kind: CheckKind, summary: &CheckSummary| {
        CheckSummary::from_iter(summary.get(kind).map(|tally| (kind, tally)))
    };
    let kinds = CheckKind::ALL.into_iter().filter(|kind| kind.is_hard());
    let worse: Vec<String> = kinds
        .filter(|kind| !alone(*kind, new).not_worse_than(&alone(*kind, old)))
        .map(|kind| {
            format!("{}: {} instead of {}", kind.as_str(), came_out(new.get(kind)), came_out(old.get(kind)))
        })
        .collect();
    match worse.is_empty() {
        true => format!("it stands lower by its checks than v{before}, which stays"),
        false => format!("{}; v{before} stays", worse.join(", ")),
    }
}

fn came_out(tally: Option<Tally>) -> String {
    match tally {
        None => "not run".into(),
        Some(tally) if tally.tests > 0 => format!("{} of {} tests passed", tally.tests_passed, tally.tests),
        Some(tally) if tally.faults > 0 => {
            format!("{} with {} of high severity", outcome(tally.outcome), tally.high())
        }
        Some(tally) => outcome(tally.outcome).into(),
    }
}
