//! Which proposal wins, and why: a pure function of where a deliberation stands.
//!
//! Rule 4. Proposals are ordered by, each deciding only where all before it are equal:
//! 1. the standing of the version in force: a passed check before an unchecked text before a hard check that
//!    failed badly (syntax, a policy of high severity, a given test);
//! 2. behaviour: the share of the given tests that passed, or where there are none of those by others that split the
//!    field (see [`crate::Testing`]), then how many proposals behave alike under these. No given test, where
//!    others have some, is 0; no test by others is the mean of those that have some;
//! 3. what the latest review found with evidence: 4, 2 or 1 a finding by its severity, times 4 if the version
//!    it is about is in force and not replaced since; less is better;
//! 4. all checks: fewer that failed, then more that passed;
//! 5. the mean of the peers' scores of the latest version that was scored; a proposal nobody scored is placed
//!    at the mean of the others' scores, neither rewarded nor punished for a peer's silence;
//! 6. the seat: the earlier one first.
//!
//! More against the same versions, in the same reviews, never raises a rank in this order. If a hard check of every
//! proposal failed badly, there is no winner, and the first one is the best effort.
//!
//! Near ties with the first (see [`crate::Selection`]) come before all others, in the order of their strengths
//! where judges compared them, then in the order above. The one that an architect chose comes first. A proposal
//! that is no near tie only because it is the same as one stands right behind that one, once they were told apart:
//! what was said of the one is as true of the other.
//!
//! The score shown is `(standing + 0.5 tests + 0.35 / (1 + weight / 16) + 0.1 / (1 + failed) + 0.05 peers) / 3`
//! with 0, 1 or 2 for the standing, and 1 for the tests where nobody has any, but never above that of the proposal
//! before it, so that it lies in [0, 1] and orders as the rule does. Where nothing was checked and nobody reviewed, it
//! is 0 and the basis is `none`.

mod rule;
mod tiebreak;
mod words;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Behaviour, CheckKind, Chosen, Deliberation, Failure, Standing};

pub(crate) use rule::{Entrant, of};
pub(crate) use tiebreak::{candidates, left};

/// The version of the rule by which this code ranks; kept with each verdict.
pub const RULE: u32 = 4;

/// How a verdict without a winner is named on the wire.
pub const NO_ACCEPTABLE_PROPOSAL: &str = "NO_ACCEPTABLE_PROPOSAL";

/// The outcome of a deliberation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The version of the rule that gave it.
    pub rule: u32,
    /// Every proposal, best first.
    pub ranking: Vec<Ranked>,
    /// How near ties were told apart; `None` where there were none, or nobody was to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiebreak: Option<Box<Tiebreak>>,
    /// Why the first one won, or why none did, in a sentence.
    pub why: String,
}

/// How near ties were told apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tiebreak {
    /// The near ties in the computed order, best first: by their strengths where they were compared, else by the
    /// evidence. What an architect chose does not change it.
    pub computed: Vec<AgentId>,
    /// Those that are the same as one of them, and stand behind it without having been looked at themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copied>,
    /// What the comparisons say of each, in the same order; empty where nobody compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strengths: Vec<Strength>,
    /// How the judges voted; `None` where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub votes: Option<Votes>,
    /// Who was asked to choose; `None` where nobody was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architect: Option<AgentId>,
    /// What the architect chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Chosen>,
    /// Why the architect chose nothing, so that the computed order stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A proposal that is the same as a near tie, but for comments and empty lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Whose proposal.
    pub author: AgentId,
    /// The author of the near tie.
    pub of: AgentId,
}

/// What comparisons say of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// Whose proposal.
    pub author: AgentId,
    /// How likely it is preferred to another near tie, on average; from 0 to 1, by Bradley and Terry's model.
    pub strength: f64,
    /// The standard error of that.
    pub error: f64,
    /// Judges that preferred it to another, in both orders.
    pub wins: u32,
    /// Judges that preferred another to it, in both orders.
    pub losses: u32,
    /// Judges that preferred neither, or went by the place.
    pub ties: u32,
}

/// How a panel voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Votes {
    /// Judgements asked for: one a judge, pair and order.
    pub asked: u32,
    /// Judgements that did not come.
    pub failed: u32,
    /// Pairs that a judge saw in both orders.
    pub seen: u32,
    /// Of these, those where it did not prefer the same proposal in both; they count as ties.
    pub inconsistent: u32,
}

impl Verdict {
    /// The winner; `None` if no proposal is acceptable, and then the first is the best effort.
    #[must_use]
    pub fn winner(&self) -> Option<&Ranked> {
        // Under rule 1 a failed proposal won where all had failed.
        self.ranking.first().filter(|first| self.rule < 2 || first.standing != Standing::Failed)
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
    /// What the rank rests on besides; `None` in verdicts of rule 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merit: Option<Merit>,
    /// The proposal of a better rank that this one is nearly the same as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<AgentId>,
    /// What the rank rests on, in words.
    pub basis: String,
}

/// What a proposal's rank rests on besides its standing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Merit {
    /// The hard checks that failed badly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hard_failures: Vec<CheckKind>,
    /// The checks that decide and gave no result, and the given tests, if they were not run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_result: Vec<CheckKind>,
    /// How many of the given tests were run.
    pub tests: u32,
    /// How many of them passed.
    pub tests_passed: u32,
    /// How it behaves under tests by others, where the task brought none and some were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_others: Option<Behaviour>,
    /// What the findings of its peers weigh; see the rule.
    pub findings_weight: u32,
    /// How many checks failed that are not among the hard failures.
    pub soft_failures: u32,
    /// How many checks passed.
    pub passes: u32,
}

impl Merit {
    /// How many checks failed, badly or not.
    pub(crate) fn failures(&self) -> u32 {
        self.soft_failures.saturating_add(u32::try_from(self.hard_failures.len()).unwrap_or(u32::MAX))
    }
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

impl Deliberation {
    /// The verdict over the proposals as they stand, whether or not it has ended: replaying a history
    /// to its last record gives the verdict of that record, if it was given by this [`RULE`].
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        of(self)
    }
}
