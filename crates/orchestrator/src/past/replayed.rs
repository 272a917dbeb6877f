//! A verdict recomputed from its history, against the one that was recorded.

use fleet_deliberation::{Event, RULE, Verdict, evolve};
use serde::Serialize;

use super::Past;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The verdict that was recorded; `None` where there is none.
    pub recorded: Option<Verdict>,
    /// The verdict over the proposals by the rule of this version, whether or not there is a recorded one.
    pub recomputed: Verdict,
    /// In what the two differ; nothing where nothing is recorded.
    pub differences: Vec<Difference>,
}

/// In what two verdicts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about, such as `winner_id` or `ranking.agent-dev-001.rank`.
    pub what: String,
    /// What was recorded.
    pub recorded: String,
    /// What was recomputed.
    pub recomputed: String,
}

impl Replayed {
    pub(super) fn of(past: &Past) -> Replayed {
        // A verdict is given over what was there before its own event.
        let before = past.events().map(|past| past.event);
        let before = before.take_while(|event| !matches!(event, Event::Ended { .. })).fold(None, evolve);
        let recomputed = before.as_ref().unwrap_or(&past.state).verdict();
        let recorded = past.verdict().cloned();
        let differences = recorded.as_ref().map(|recorded| differences(recorded, &recomputed));
        Replayed { recorded, recomputed, differences: differences.unwrap_or_default() }
    }

    /// Whether the recorded verdict was given by the rule of this version: then the two must agree.
    #[must_use]
    pub fn must_agree(&self) -> bool {
        self.recorded.as_ref().is_some_and(|recorded| recorded.rule == RULE)
    }

    /// Whether the two agree; `None` where no verdict was recorded.
    #[must_use]
    pub fn agrees(&self) -> Option<bool> {
        self.recorded.as_ref().map(|_| self.differences.is_empty())
    }
}

fn differences(recorded: &Verdict, recomputed: &Verdict) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, recorded: String, recomputed: String| {
        if recorded != recomputed {
            differences.push(Difference { what: what.to_owned(), recorded, recomputed });
        }
    };
    let winner =
        |verdict: &Verdict| verdict.winner().map_or("none".to_owned(), |first| first.author.to_string());
    compare("winner_id", winner(recorded), winner(recomputed));
    for old in &recorded.ranking {
        let at = |part: &str| format!("ranking.{}.{part}", old.author);
        let Some(new) = recomputed.ranking.iter().find(|new| new.author == old.author) else {
            compare(&at("rank"), old.rank.to_string(), "none".into());
            continue;
        };
        compare(&at("rank"), old.rank.to_string(), new.rank.to_string());
        compare(&at("version"), old.version.to_string(), new.version.to_string());
        // Written so that a difference in the last digit is seen.
        compare(&at("score"), old.score.to_string(), new.score.to_string());
        compare(&at("standing"), format!("{:?}", old.standing), format!("{:?}", new.standing));
        compare(&at("peers"), format!("{:?}", old.peers), format!("{:?}", new.peers));
        compare(&at("merit"), format!("{:?}", old.merit), format!("{:?}", new.merit));
        compare(&at("like"), format!("{:?}", old.like), format!("{:?}", new.like));
        compare(&at("basis"), old.basis.clone(), new.basis.clone());
    }
    for new in &recomputed.ranking {
        if !recorded.ranking.iter().any(|old| old.author == new.author) {
            compare(&format!("ranking.{}.rank", new.author), "none".into(), new.rank.to_string());
        }
    }
    compare("why", recorded.why.clone(), recomputed.why.clone());
    if differences.is_empty() && recorded != recomputed {
        // Nothing of a verdict may differ unseen, also what is added to it later.
        let all =
            |verdict: &Verdict| serde_json::to_string(verdict).unwrap_or_else(|_| format!("{verdict:?}"));
        differences.push(Difference {
            what: "verdict".into(),
            recorded: all(recorded),
            recomputed: all(recomputed),
        });
    }
    differences
}
