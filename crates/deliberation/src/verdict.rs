//! Which proposal wins, and why: a pure function of where a deliberation stands.
//!
//! Rule 1. Proposals are ordered by
//! 1. the standing of the version in force: a passed check before an unchecked text before a failed
//!    check;
//! 2. the mean of the peers' scores of the latest version that was scored; a proposal nobody scored is
//!    placed at the mean of the others' scores, neither rewarded nor punished for a peer's silence;
//! 3. the seat: the earlier one first.
//!
//! The score shown is `(standing + peers) / 3` with 0, 1 or 2 for the standing and the peers' mean from
//! 0 to 1, so that it lies in [0, 1] and orders as the rule does. Where nothing was checked and nobody
//! scored, it is 0 and the basis is `none`.

use serde::{Deserialize, Serialize};

use crate::{AgentId, Deliberation, Lane, Standing};

/// The version of the rule by which this code ranks; kept with each verdict.
pub const RULE: u32 = 1;

/// The outcome of a deliberation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The version of the rule that gave it.
    pub rule: u32,
    /// Every proposal, best first.
    pub ranking: Vec<Ranked>,
    /// Why the first one won, in a sentence.
    pub why: String,
}

impl Verdict {
    /// The winner.
    #[must_use]
    pub fn winner(&self) -> Option<&Ranked> {
        self.ranking.first()
    }
}

/// A proposal in a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Whose proposal.
    pub author: AgentId,
    /// The version in force.
    pub version: u32,
    /// Its place, from 1.
    pub rank: u32,
    /// From 0 to 1; higher is better.
    pub score: f64,
    /// What the checks say of the version.
    pub standing: Standing,
    /// What the peers say.
    pub peers: Option<Peers>,
    /// What the rank rests on, in words.
    pub basis: String,
}

/// The peers' opinion of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// Mean of their scores, from 0 to 1.
    pub mean: f64,
    /// How many scores there are.
    pub scores: u32,
    /// The version they judged; may be older than the one in force.
    pub version: u32,
}

/// The verdict over the proposals as they stand. Every lane with a version takes part.
pub(crate) fn of(state: &Deliberation) -> Verdict {
    let entrants: Vec<(&Lane, Standing, Option<Peers>)> = state
        .lanes
        .iter()
        .filter_map(|lane| {
            let standing = lane.current()?.checks.as_ref().map_or(Standing::Unchecked, |c| c.standing());
            Some((lane, standing, peers(lane)))
        })
        .collect();
    let scored: Vec<f64> = entrants.iter().filter_map(|(_, _, peers)| peers.map(|p| p.mean)).collect();
    let nobody =
        scored.is_empty() && entrants.iter().all(|(_, standing, _)| *standing == Standing::Unchecked);
    let neutral = mean(&scored).unwrap_or(0.0);

    let mut ranking: Vec<Ranked> = entrants
        .into_iter()
        .map(|(lane, standing, peers)| {
            let merit = f64::from(standing as u8) + peers.map_or(neutral, |p| p.mean);
            let version = lane.current().map_or(0, |version| version.round);
            Ranked {
                author: lane.author.clone(),
                version,
                rank: 0,
                score: if nobody { 0.0 } else { merit / 3.0 },
                standing,
                peers,
                basis: basis(standing, peers, version, !scored.is_empty()),
            }
        })
        .collect();
    // The sort is stable, so that the order of the seats breaks what ties are left.
    ranking.sort_by(|a, b| b.standing.cmp(&a.standing).then(b.score.total_cmp(&a.score)));
    for (place, ranked) in (1..).zip(&mut ranking) {
        ranked.rank = place;
    }
    let why = why(&ranking);
    Verdict { rule: RULE, ranking, why }
}

/// The mean score of the latest version that peers scored.
fn peers(lane: &Lane) -> Option<Peers> {
    let version = lane.scores.last()?.version;
    let scores: Vec<f64> =
        lane.scores.iter().filter(|score| score.version == version).map(|score| score.score).collect();
    Some(Peers { mean: mean(&scores)?, scores: u32::try_from(scores.len()).unwrap_or(u32::MAX), version })
}

fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

fn basis(standing: Standing, peers: Option<Peers>, version: u32, others_scored: bool) -> String {
    let check = match standing {
        Standing::Passed => Some(format!("checks passed (v{version})")),
        Standing::Failed => Some(format!("checks failed (v{version})")),
        Standing::Unchecked => None,
    };
    let opinion = match peers {
        Some(Peers { scores: 1, version, .. }) => Some(format!("1 peer score (v{version})")),
        Some(Peers { scores, version, .. }) => Some(format!("mean of {scores} peer scores (v{version})")),
        None if others_scored => Some("no peer score, placed at the others' mean".to_owned()),
        None => None,
    };
    let parts: Vec<String> = check.into_iter().chain(opinion).collect();
    if parts.is_empty() { "none".into() } else { parts.join(" + ") }
}

fn why(ranking: &[Ranked]) -> String {
    let Some(first) = ranking.first() else { return "there is no proposal".into() };
    let fate = fate(first);
    let Some(second) = ranking.get(1) else { return format!("it is the only proposal, and it {fate}") };
    let next = &second.author;
    if first.standing != second.standing {
        return format!("it {fate}; the next, {next}, {}", self::fate(second));
    }
    if first.score > second.score {
        let score =
            |ranked: &Ranked| ranked.peers.map_or("no score".into(), |peers| format!("{:.2}", peers.mean));
        return format!(
            "it {fate}, as did the next, {next}; peers gave it {} and {next} {}",
            score(first),
            score(second)
        );
    }
    format!("it {fate} and ties with {next}; the earlier seat decides")
}

fn fate(ranked: &Ranked) -> &'static str {
    match ranked.standing {
        Standing::Passed => "passed its checks",
        Standing::Unchecked => "went unchecked",
        Standing::Failed => "failed its checks",
    }
}

impl Deliberation {
    /// The verdict over the proposals as they stand, whether or not it has ended: replaying a history
    /// to its last record gives the verdict of that record.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        of(self)
    }
}
