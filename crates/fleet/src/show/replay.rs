//! A history as it is replayed: what happened, where it stood, and whether the verdict comes out again.

use fleet_deliberation::{
    CheckSummary, Deliberation, FindingCounts, Lane, Phase, Ranked, Standing, Step, Usage, Verdict,
};
use fleet_orchestrator::explain::{Awaited, awaited, status};
use fleet_orchestrator::{Difference, Past, PastEvent, Replayed, rfc3339};
use serde::Serialize;

use super::many;
use super::page::{table, wrapped};

/// The events of a history.
#[derive(Serialize)]
pub(crate) struct Told {
    task_id: String,
    events: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    sequence: u64,
    at: String,
    event: &'static str,
    told: String,
}

impl Told {
    pub(crate) fn of(past: &Past, until: u64) -> Told {
        let events = past.told().take_while(|(past, _)| past.sequence <= until);
        let line = |(past, told): (PastEvent<'_>, String)| Line {
            sequence: past.sequence,
            at: rfc3339(past.at),
            event: past.event.kind(),
            told,
        };
        Told { task_id: past.id().to_string(), events: events.map(line).collect() }
    }

    pub(crate) fn text(&self) -> String {
        let widest = self.events.iter().map(|line| line.event.len()).max().unwrap_or(0);
        let line = |line: &Line| {
            // A line an event, whatever was written into it.
            let told = line.told.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{:>5}  {}  {:widest$}  {told}\n", line.sequence, line.at, line.event)
        };
        self.events.iter().map(line).collect()
    }
}

/// Where a deliberation stood.
#[derive(Serialize)]
pub(crate) struct Then {
    task_id: String,
    /// The number of the event it stood after.
    sequence: u64,
    at: String,
    event: &'static str,
    told: String,
    status: &'static str,
    phase: &'static str,
    lanes: Vec<LaneThen>,
    awaited: Vec<Awaited>,
    tokens: Usage,
    /// How the proposals would have been ranked as they stood; nothing before there is one.
    ranking: Vec<Ranked>,
}

#[derive(Serialize)]
struct LaneThen {
    agent_id: String,
    /// What the lane waited for.
    step: String,
    versions: Vec<VersionThen>,
    scores: Vec<ScoreThen>,
    failures: u32,
}

#[derive(Serialize)]
struct VersionThen {
    version: u32,
    accepted: bool,
    /// `passed`, `unchecked` or `failed`; none while the checks run.
    standing: Option<Standing>,
}

#[derive(Serialize)]
struct ScoreThen {
    reviewer_id: String,
    version: u32,
    score: f64,
    findings: FindingCounts,
}

impl Then {
    /// After the event of this number; `None` where there is none.
    pub(crate) fn of(past: &Past, sequence: u64) -> Option<Then> {
        let state = past.until(sequence)?;
        let (last, told) = past.told().find(|(past, _)| past.sequence == sequence)?;
        let ranking = state.verdict().ranking;
        Some(Then {
            task_id: past.id().to_string(),
            sequence,
            at: rfc3339(last.at),
            event: last.event.kind(),
            told,
            status: status(&state),
            phase: phase(state.phase()),
            lanes: state.lanes.iter().map(|lane| lane_then(&state, lane)).collect(),
            awaited: awaited(&state),
            tokens: state.usage,
            ranking,
        })
    }

    pub(crate) fn text(&self) -> String {
        let Then { task_id, sequence, at, status, phase, .. } = self;
        let mut text = format!("{task_id} after event {sequence}, at {at}: {status} ({phase})\n");
        text += &wrapped("What happened: ", &self.told);
        text += "\nLANES\n";
        let lanes: Vec<Vec<String>> = self.lanes.iter().map(LaneThen::row).collect();
        text += &table(&["AGENT", "VERSIONS", "PEERS' SCORES", "STEP"], &lanes, &[]);
        text += "\nAWAITED\n";
        let awaited: Vec<Vec<String>> = self.awaited.iter().map(row).collect();
        text += &match awaited.is_empty() {
            true => "  nothing\n".to_owned(),
            false => table(&["JOB", "BY", "ON", "ROUND", "UNTIL"], &awaited, &[3]),
        };
        if !self.ranking.is_empty() {
            text += "\nAS IT STOOD, THE ORDER WOULD HAVE BEEN\n";
            let ranks: Vec<Vec<String>> = self.ranking.iter().map(super::explain::rank).collect();
            text += &table(&["RANK", "AGENT", "SCORE", "RESTS ON"], &ranks, &[0, 2]);
        }
        text
    }
}

/// An awaited job as a row.
pub(super) fn row(awaited: &Awaited) -> Vec<String> {
    let Awaited { kind, agent_id, author_id, round, until, .. } = awaited;
    let by = if *kind == "check" { "a check" } else { agent_id };
    vec![(*kind).into(), by.into(), author_id.clone(), round.to_string(), until.clone()]
}

impl LaneThen {
    fn row(&self) -> Vec<String> {
        let version = |version: &VersionThen| {
            let standing = version.standing.map_or("unchecked yet", |standing| match standing {
                Standing::Passed => "passed",
                Standing::Unchecked => "unchecked",
                Standing::Failed => "failed",
            });
            let taken = if version.accepted { "" } else { ", not taken" };
            format!("v{} {standing}{taken}", version.version)
        };
        let versions: Vec<String> = self.versions.iter().map(version).collect();
        let scores = self.scores.iter().map(|score| format!("{:.2} (v{})", score.score, score.version));
        let scores: Vec<String> = scores.collect();
        let or_none = |parts: Vec<String>| if parts.is_empty() { "-".into() } else { parts.join("; ") };
        vec![self.agent_id.clone(), or_none(versions), or_none(scores), self.step.clone()]
    }
}

fn lane_then(state: &Deliberation, lane: &Lane) -> LaneThen {
    let versions = lane.versions.iter().map(|version| VersionThen {
        version: version.round,
        accepted: version.accepted,
        standing: version.checks.as_ref().map(CheckSummary::standing),
    });
    let scores = lane.scores.iter().map(|score| ScoreThen {
        reviewer_id: score.reviewer.to_string(),
        version: score.version,
        score: score.score,
        findings: score.findings,
    });
    LaneThen {
        agent_id: lane.author.to_string(),
        step: step(state, lane.step),
        versions: versions.collect(),
        scores: scores.collect(),
        failures: u32::try_from(lane.failures.len()).unwrap_or(u32::MAX),
    }
}

fn step(state: &Deliberation, step: Step) -> String {
    match step {
        _ if state.ended.is_some() => "over".into(),
        Step::Proposing(_) => "proposes".into(),
        Step::Checking { round, .. } => format!("waits for the checks of v{round}"),
        Step::Checked { round } => format!("v{round} is checked; waits for the others"),
        Step::Reviewing { round, reviewer, version, .. } => {
            let reviewer = state.lanes.get(reviewer).map_or("a peer", |lane| lane.author.as_str());
            format!("{reviewer} reviews v{version} (round {round})")
        }
        Step::Reviewed { round, .. } => format!("is reviewed (round {round})"),
        Step::Revising { round, version, .. } => format!("revises v{version} (round {round})"),
        Step::RoundOver { round } => format!("round {round} is over"),
        Step::Out => "out: it gave no proposal".into(),
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Generating => "generating",
        Phase::Reviewing => "reviewing",
        Phase::Scoring => "scoring",
        Phase::Complete => "complete",
    }
}

/// A whole history, replayed.
#[derive(Serialize)]
pub(crate) struct Whole<'a> {
    task_id: String,
    records: usize,
    events: u64,
    status: &'static str,
    /// Whether the two verdicts agree; none where no verdict was recorded.
    agrees: Option<bool>,
    /// Whether they must, as the same rule gave both.
    must_agree: bool,
    recorded: Option<&'a Verdict>,
    recomputed: &'a Verdict,
    differences: &'a [Difference],
    missing_answers: Vec<String>,
}

impl<'a> Whole<'a> {
    pub(crate) fn of(past: &Past, replayed: &'a Replayed) -> Whole<'a> {
        Whole {
            task_id: past.id().to_string(),
            records: past.records.len(),
            events: past.len(),
            status: status(&past.state),
            agrees: replayed.agrees(),
            must_agree: replayed.must_agree(),
            recorded: replayed.recorded.as_ref(),
            recomputed: &replayed.recomputed,
            differences: &replayed.differences,
            missing_answers: past.missing().iter().map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn text(&self) -> String {
        let records = many(self.records as u64, "record");
        let mut text =
            format!("{}: {records}, {}, {}\n\n", self.task_id, many(self.events, "event"), self.status);
        match self.recorded {
            Some(recorded) => text += &said("Recorded, by rule", recorded),
            None => text += "No verdict was recorded.\n",
        }
        text += &match self.recorded {
            _ if self.recomputed.ranking.is_empty() => "Recomputed: there is no proposal to rank.\n".into(),
            None => said("As it stands, by rule", self.recomputed),
            Some(_) => said("Recomputed, by rule", self.recomputed),
        };
        let rank = |verdict: &Verdict| {
            let ranks: Vec<Vec<String>> = verdict.ranking.iter().map(super::explain::rank).collect();
            table(&["RANK", "AGENT", "SCORE", "RESTS ON"], &ranks, &[0, 2])
        };
        if !self.recomputed.ranking.is_empty() {
            text += &format!("\n{}", rank(self.recomputed));
        }
        text += match (self.agrees, self.must_agree) {
            (None, _) => "",
            (Some(true), _) => "\nThe two agree.\n",
            (Some(false), true) => "\nThe two DIFFER, and the same rule gave both:\n",
            (Some(false), false) => "\nThe two differ, as different rules may:\n",
        };
        for Difference { what, recorded, recomputed } in self.differences {
            text += &wrapped("  ", what);
            text += &wrapped("      recorded:   ", recorded);
            text += &wrapped("      recomputed: ", recomputed);
        }
        if !self.missing_answers.is_empty() {
            let missing = many(self.missing_answers.len() as u64, "answer");
            text += &format!(
                "\n{missing} that it rests on {} not kept.\n",
                if self.missing_answers.len() == 1 { "is" } else { "are" }
            );
        }
        text
    }
}

fn said(what: &str, verdict: &Verdict) -> String {
    let who = verdict.winner().map_or("nobody wins".to_owned(), |winner| format!("{} wins", winner.author));
    wrapped(&format!("{what} {}: ", verdict.rule), &format!("{who}: {}", verdict.why))
}
