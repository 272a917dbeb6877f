//! How near ties are told apart: who judges what, and among whom an architect chooses.
//!
//! A proposal is a *near tie* with the first one if the evidence against it is hardly more: the same standing and
//! share of tests, no more failed checks, and findings that weigh less than one of medium severity more. The near
//! ties, at most `top_k` of them and none that is the same as another but for comments, are compared pair by pair:
//! blind, in both orders, by a panel with an odd number of judges (arXiv 2306.05685, 2404.18796). Where the panel
//! leaves several of them as near as before, an architect chooses and cites evidence.

mod field;
mod strength;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Failure, Member, Rejection, TEST_WRITERS_MAX, Window};

pub(crate) use field::{comparisons, is_copy, near_ties};
pub(crate) use strength::strengths;

/// The most judges of a panel.
pub const JUDGES_MAX: u32 = 9;
/// The most near ties that are told apart.
pub const TOP_K_MAX: u32 = 8;
/// The most pieces of evidence that a choice cites.
pub const CITES_MAX: usize = 16;

/// How near ties are to be told apart; fixed when a deliberation opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// How many judges compare each pair, an odd number; 0 for none. Of a smaller council as many as there are, less
    /// one if that is even.
    pub judges: u32,
    /// How many proposals are told apart at most, from 2 to [`TOP_K_MAX`].
    pub top_k: u32,
    /// How many agents write tests for each other's proposals where the task brings none; see [`crate::Testing`].
    #[serde(default, skip_serializing_if = "none")]
    pub test_writers: u32,
    /// Who chooses among those that the judges leave; `None` where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architect: Option<Member>,
}

const fn none(n: &u32) -> bool {
    *n == 0
}

impl Default for Selection {
    /// Neither judges, nor tests by others, nor an architect.
    fn default() -> Selection {
        Selection { judges: 0, top_k: 2, test_writers: 0, architect: None }
    }
}

impl Selection {
    /// Whether proposals are left to the rule alone.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.test_writers == 0 && !self.tells_apart()
    }

    /// Whether anybody is to tell near ties apart.
    #[must_use]
    pub const fn tells_apart(&self) -> bool {
        self.judges > 0 || self.architect.is_some()
    }

    pub(crate) fn validate(&self) -> Result<(), Rejection> {
        check_judges("judges", self.judges)?;
        check_test_writers("test_writers", self.test_writers)?;
        check_top_k("top_k", self.top_k)
    }
}

/// Checks for how many judges `field` asks.
pub fn check_judges(field: &str, judges: u32) -> Result<(), Rejection> {
    if judges == 0 || (judges <= JUDGES_MAX && judges % 2 == 1) {
        return Ok(());
    }
    let reason = format!("is {judges}; it must be 0, or an odd number up to {JUDGES_MAX}");
    Err(Rejection::Malformed { field: field.into(), reason })
}

/// Checks how many agents `field` wants to write tests.
pub fn check_test_writers(field: &str, writers: u32) -> Result<(), Rejection> {
    if writers <= TEST_WRITERS_MAX {
        return Ok(());
    }
    let reason = format!("is {writers}; it must lie between 0 and {TEST_WRITERS_MAX}");
    Err(Rejection::Malformed { field: field.into(), reason })
}

/// Checks how many near ties `field` wants told apart.
pub fn check_top_k(field: &str, top_k: u32) -> Result<(), Rejection> {
    if (2..=TOP_K_MAX).contains(&top_k) {
        return Ok(());
    }
    let reason = format!("is {top_k}; it must lie between 2 and {TOP_K_MAX}");
    Err(Rejection::Malformed { field: field.into(), reason })
}

/// Two proposals in the order in which judges see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Whose proposal is shown first.
    pub first: AgentId,
    /// Whose proposal is shown second.
    pub second: AgentId,
    /// Who judges.
    pub judges: Vec<AgentId>,
}

/// What a judge prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// The proposal that was shown first.
    First,
    /// The proposal that was shown second.
    Second,
    /// Neither.
    Neither,
}

/// The judging of near ties, as far as it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Judging {
    /// Who is compared with whom; a comparison's place in this list is its number.
    pub comparisons: Vec<Comparison>,
    /// What came of it, in the order in which it came.
    pub votes: Vec<Vote>,
    /// The judges' time.
    pub window: Window,
}

/// What came of one judge's look at one comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The number of the comparison.
    pub comparison: u32,
    /// Who judged.
    pub judge: AgentId,
    /// What the judge prefers, or why there is nothing.
    pub outcome: Result<Preference, Failure>,
}

impl Judging {
    /// The judgements that are awaited: the number of the comparison, and the judge.
    pub fn awaited(&self) -> impl Iterator<Item = (u32, &AgentId)> {
        (0u32..).zip(&self.comparisons).flat_map(move |(number, comparison)| {
            let open = move |judge: &&AgentId| self.vote(number, judge).is_none();
            comparison.judges.iter().filter(open).map(move |judge| (number, judge))
        })
    }

    /// What came of a judge's look at a comparison.
    #[must_use]
    pub fn vote(&self, comparison: u32, judge: &AgentId) -> Option<&Vote> {
        self.votes.iter().find(|vote| vote.comparison == comparison && vote.judge == *judge)
    }

    /// A comparison by its number.
    #[must_use]
    pub fn comparison(&self, number: u32) -> Option<&Comparison> {
        self.comparisons.get(number as usize)
    }
}

/// The architect's choice, as far as it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Choosing {
    /// Who chooses.
    pub architect: AgentId,
    /// Among whose proposals, best first.
    pub candidates: Vec<AgentId>,
    /// The architect's time.
    pub window: Window,
    /// What came of it; `None` while it is awaited.
    pub outcome: Option<Result<Chosen, Failure>>,
}

/// What an architect chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Whose proposal.
    pub author: AgentId,
    /// The evidence it rests on, each as `{author}/{check or finding}`, such as `agent-dev-001/lint/1`; 1 to
    /// [`CITES_MAX`].
    pub cites: Vec<String>,
}
