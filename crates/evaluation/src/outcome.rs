//! What came of one task in one arm, and what is measured of it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{Arm, Rates};

/// Which of the runs of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// How the error model errs; `None` with a real model.
    pub rates: Option<Rates>,
    /// The place of the task in its file, from 0.
    pub task: usize,
    /// Which repetition, from 1.
    pub repetition: u32,
    /// The arm.
    pub arm: Arm,
}

/// How a proposal did in the hidden tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// They ran; whether each passed, in their order. None of them is none that passed.
    Ran(Vec<bool>),
    /// They could not be run, and why.
    NotRun(String),
}

impl Score {
    /// Whether the task is solved: there are tests, and all passed. `None` where they could not be run.
    #[must_use]
    pub fn solved(&self) -> Option<bool> {
        match self {
            Score::Ran(tests) => Some(!tests.is_empty() && tests.iter().all(|passed| *passed)),
            Score::NotRun(_) => None,
        }
    }
}

/// One text that an arm gave, or could have given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its Markdown.
    pub text: String,
    /// How it did.
    pub score: Score,
    /// Whether it took part in the ranking; a version that was replaced or refused did not.
    pub in_force: bool,
}

/// Revisions, and those of them that replaced the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revisions {
    /// How many were accepted.
    pub accepted: u32,
    /// How many were written and checked.
    pub written: u32,
}

/// What came of one task in one arm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Every proposal, those that were replaced or refused as well.
    pub proposals: Vec<Proposal>,
    /// The place of the winner among them; `None` where nobody won.
    pub winner: Option<usize>,
    /// Tokens read and written.
    pub tokens: u64,
    /// Whether a part of them is estimated.
    pub estimated: bool,
    /// Deliberations it took: more than one only where samples were drawn.
    pub samples: u32,
    /// How long it took; `None` where that says nothing, as with the simulated model.
    pub seconds: Option<f64>,
    /// Its revisions.
    pub revisions: Revisions,
    /// Pairs that judges saw in both orders, and how many of them they judged alike.
    pub judged: Option<(u32, u32)>,
    /// Why there is no verdict, where there is none.
    pub failure: Option<String>,
}

impl Outcome {
    /// Whether the winner solves the task; `Err` says why that is not known.
    pub fn solved(&self) -> Result<bool, &str> {
        match self.winner.and_then(|winner| self.proposals.get(winner)).map(|winner| &winner.score) {
            None => Ok(false),
            Some(Score::NotRun(why)) => Err(why),
            Some(score) => Ok(score.solved() == Some(true)),
        }
    }

    /// Whether any proposal solves the task: the best that any choice among them could have done.
    pub fn available(&self) -> Result<bool, &str> {
        let mut why = None;
        for proposal in &self.proposals {
            match &proposal.score {
                Score::NotRun(reason) => why = Some(reason.as_str()),
                score if score.solved() == Some(true) => return Ok(true),
                Score::Ran(_) => {}
            }
        }
        why.map_or(Ok(false), Err)
    }

    /// The share of the proposals in force that differ in their text, whatever its case and white space; `None`
    /// where there are fewer than two.
    #[must_use]
    pub fn distinct_texts(&self) -> Option<f64> {
        self.distinct(|proposal| Some(normalised(&proposal.text)))
    }

    /// The share of them that differ in which hidden tests they pass.
    #[must_use]
    pub fn distinct_behaviours(&self) -> Option<f64> {
        self.distinct(|proposal| match &proposal.score {
            Score::Ran(tests) => Some(tests.clone()),
            Score::NotRun(_) => None,
        })
    }

    fn distinct<T: Ord>(&self, of: impl Fn(&Proposal) -> Option<T>) -> Option<f64> {
        let known: Vec<T> =
            self.proposals.iter().filter(|proposal| proposal.in_force).filter_map(of).collect();
        let all = known.len();
        let different: BTreeSet<T> = known.into_iter().collect();
        (all > 1).then(|| different.len() as f64 / all as f64)
    }

    /// The winner's text.
    #[must_use]
    pub fn winner_text(&self) -> Option<&str> {
        Some(self.proposals.get(self.winner?)?.text.as_str())
    }
}

/// A text in small letters, with a single space wherever it has white space.
fn normalised(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}
