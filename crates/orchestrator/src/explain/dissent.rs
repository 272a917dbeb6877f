//! What speaks against the order of a verdict, or makes it count for less.

use fleet_deliberation::{Lane, Ranked, Sketch};
use serde::Serialize;

use crate::past::Past;

/// What speaks against the order.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Dissent {
    /// Proposals that peers scored higher than ones of a better rank.
    pub scored_higher: Vec<ScoredHigher>,
    /// Proposals that are nearly the same: their agreement counts once.
    pub nearly_same: Vec<NearlySame>,
}

/// A proposal that peers scored higher than ones of a better rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoredHigher {
    /// Its author.
    pub agent_id: String,
    /// Its rank.
    pub rank: u32,
    /// The mean of the peers' scores.
    pub score: f64,
    /// Who gave them.
    pub reviewers: Vec<String>,
    /// The authors of the better-ranked proposals that peers scored lower, best first, each with its score.
    pub over: Vec<(String, f64)>,
}

/// Two proposals that are nearly the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearlySame {
    /// The author of one.
    pub agent_id: String,
    /// The author of one in an earlier seat.
    pub like: String,
    /// How alike their texts are, from 0 to 1.
    pub likeness: f64,
}

pub(super) fn of(past: &Past) -> Dissent {
    Dissent { scored_higher: scored_higher(past), nearly_same: nearly_same(past) }
}

fn scored_higher(past: &Past) -> Vec<ScoredHigher> {
    let Some(verdict) = past.verdict() else { return Vec::new() };
    let mut higher = Vec::new();
    for (place, ranked) in verdict.ranking.iter().enumerate() {
        let Some(peers) = ranked.peers else { continue };
        let lower = |before: &Ranked| {
            let mean = before.peers?.mean;
            (mean < peers.mean).then(|| (before.author.to_string(), mean))
        };
        let over: Vec<(String, f64)> = verdict.ranking[..place].iter().filter_map(lower).collect();
        if over.is_empty() {
            continue;
        }
        let lane = past.state.lanes.iter().find(|lane| lane.author == ranked.author);
        let scores = lane.into_iter().flat_map(|lane| &lane.scores);
        let scores = scores.filter(|score| score.version == peers.version);
        let mut reviewers: Vec<String> = scores.map(|score| score.reviewer.to_string()).collect();
        reviewers.dedup();
        higher.push(ScoredHigher {
            agent_id: ranked.author.to_string(),
            rank: ranked.rank,
            score: peers.mean,
            reviewers,
            over,
        });
    }
    higher
}

fn nearly_same(past: &Past) -> Vec<NearlySame> {
    let sketch = |lane: &Lane| lane.current().map(|version| version.sketch.clone()).unwrap_or_default();
    let lanes: Vec<(&Lane, Sketch)> = past.state.lanes.iter().map(|lane| (lane, sketch(lane))).collect();
    let mut same = Vec::new();
    for (seat, (lane, sketch)) in lanes.iter().enumerate() {
        let like = lanes[..seat].iter().find(|(_, other)| other.is_near(sketch));
        if let Some((other, of_other)) = like {
            same.push(NearlySame {
                agent_id: lane.author.to_string(),
                like: other.author.to_string(),
                likeness: of_other.likeness(sketch).unwrap_or_default(),
            });
        }
    }
    same
}
