//! What a deliberation may cost, and what it has cost.
//!
//! Nothing is asked for unless its worst case fits what is left. The worst case of a call is a token a byte of its
//! prompt, and as many as the answer may have; that of a job is [`ATTEMPTS_MAX`] attempts, each with as many calls as
//! it may make. What came of a job is then settled: by the figures of its server where these are known, by the worst
//! case where they are not. So a budget is kept whatever fails, as long as servers count rightly and write no more
//! than they were asked for.
//!
//! Where not all fits, it is left out in this order: the panel of judges (a single judge first), the architect's
//! choice, tests by others, the rounds of review, agents. What comes later in this order is asked for earlier in a
//! deliberation, so nothing is kept back for what may be left out.

mod bounds;
mod fit;
mod settle;
mod words;

use serde::{Deserialize, Serialize};

use crate::AgentId;

pub use bounds::SCHEMA_TOKENS;
pub(crate) use bounds::{Bounds, job};
pub(crate) use fit::{agents, check_prices, choice, first_round, left, next_round, panel, writers};
pub(crate) use settle::settled;

/// How often a job is tried.
pub const ATTEMPTS_MAX: u32 = 3;

/// What a deliberation may cost. `None` is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Tokens, prompts and answers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money, in millionths of the unit in which prices are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_micros: Option<u64>,
}

/// Tokens, and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Tokens, prompts and answers together.
    pub tokens: u64,
    /// Money, in millionths of the unit in which prices are; 0 where nothing has a price.
    #[serde(skip_serializing_if = "zero")]
    pub money_micros: u64,
}

/// What the tokens of a model cost, in millionths of some unit for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prices {
    /// A million tokens of prompts.
    pub prompt: u64,
    /// A million tokens of answers, reasoning included.
    pub completion: u64,
}

/// What an answer took, as far as a budget wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// How many attempts were made, the one that gave the answer included.
    pub attempts: u32,
    /// Further calls of that last attempt, of which it is not known what they took.
    pub calls_unknown: u32,
    /// The bytes that the answer takes up in prompts from here on.
    pub bytes: u64,
}

/// What a budget does not allow for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Agents, from the last seat on.
    Agents {
        /// Which.
        left_out: Vec<AgentId>,
    },
    /// Review and revision, from a round on.
    Review {
        /// The first round that is left out.
        round: u32,
        /// Of whose proposal; `None` when it is all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<AgentId>,
    },
    /// Agents that write tests for the proposals, from the last one on.
    Tests {
        /// How many would have been asked.
        asked_for: u32,
        /// How many are.
        asked: u32,
    },
    /// Judges of each pair of near ties.
    Judges {
        /// How many would have been asked.
        asked_for: u32,
        /// How many are.
        asked: u32,
    },
    /// The architect's choice among near ties.
    Choice {
        /// Who would have chosen.
        architect: AgentId,
    },
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// What.
    pub what: Cut,
    /// What it might have cost at most.
    pub needed: Cost,
    /// What there was for it.
    pub left: Budget,
}

/// What is left of a deliberation's budget, and what was left out for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purse {
    /// What all jobs so far count.
    pub spent: Cost,
    /// What was left out, in the order in which that was decided.
    pub dropped: Vec<Dropped>,
    /// How long prompts are, but for what is not known beforehand.
    pub(crate) bounds: Bounds,
}

/// The largest amount of money that is taken.
pub const MONEY_MAX: f64 = 1e9;

impl Budget {
    /// An amount of money in millionths, rounded down; `None` if it is negative, beyond [`MONEY_MAX`], or no number.
    #[must_use]
    pub fn micros(money: f64) -> Option<u64> {
        // What is nearly a whole millionth is one: 0.29 is a little less than 290,000 of them.
        let micros = (money * 1e6 + 1e-3).floor();
        (0.0..=MONEY_MAX).contains(&money).then_some(micros as u64)
    }

    /// Whether there is no bound.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.tokens.is_none() && self.money_micros.is_none()
    }

    /// What is left of it after `cost`.
    #[must_use]
    pub fn less(self, cost: Cost) -> Budget {
        Budget {
            tokens: self.tokens.map(|tokens| tokens.saturating_sub(cost.tokens)),
            money_micros: self.money_micros.map(|money| money.saturating_sub(cost.money_micros)),
        }
    }

    /// Whether `cost` is within it.
    #[must_use]
    pub fn covers(self, cost: Cost) -> bool {
        self.tokens.is_none_or(|tokens| cost.tokens <= tokens)
            && self.money_micros.is_none_or(|money| cost.money_micros <= money)
    }

    /// Of what both bound, the bounds of this one.
    #[must_use]
    pub fn both(self, other: Budget) -> Budget {
        Budget {
            tokens: self.tokens.filter(|_| other.tokens.is_some()),
            money_micros: self.money_micros.filter(|_| other.money_micros.is_some()),
        }
    }

    /// The lower of two bounds.
    #[must_use]
    pub fn min(self, other: Budget) -> Budget {
        let lower = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Budget {
            tokens: lower(self.tokens, other.tokens),
            money_micros: lower(self.money_micros, other.money_micros),
        }
    }
}

impl Cost {
    /// Whether it is nothing.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.tokens == 0 && self.money_micros == 0
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Cost) -> Cost {
        Cost {
            tokens: self.tokens.saturating_add(other.tokens),
            money_micros: self.money_micros.saturating_add(other.money_micros),
        }
    }

    /// So many times this.
    #[must_use]
    pub const fn times(self, n: u32) -> Cost {
        Cost {
            tokens: self.tokens.saturating_mul(n as u64),
            money_micros: self.money_micros.saturating_mul(n as u64),
        }
    }

    /// What these tokens cost; money is rounded up.
    #[must_use]
    pub fn of(prompt_tokens: u64, completion_tokens: u64, prices: Option<Prices>) -> Cost {
        let money = prices.map_or(0, |Prices { prompt, completion }| {
            let prompt = u128::from(prompt_tokens) * u128::from(prompt);
            let completion = u128::from(completion_tokens) * u128::from(completion);
            prompt.saturating_add(completion).div_ceil(1_000_000)
        });
        Cost {
            tokens: prompt_tokens.saturating_add(completion_tokens),
            money_micros: u64::try_from(money).unwrap_or(u64::MAX),
        }
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), Cost::plus)
    }
}

impl Purse {
    /// Whether no proposal is reviewed.
    pub(crate) fn no_review(&self) -> bool {
        self.has_dropped(|what| matches!(what, Cut::Review { author: None, .. }))
    }

    /// Whether nobody is asked for tests.
    pub(crate) fn no_tests(&self) -> bool {
        self.has_dropped(|what| matches!(what, Cut::Tests { asked: 0, .. }))
    }

    /// Whether no judge is asked.
    pub(crate) fn no_panel(&self) -> bool {
        self.has_dropped(|what| matches!(what, Cut::Judges { asked: 0, .. }))
    }

    /// Whether no architect is asked.
    pub(crate) fn no_choice(&self) -> bool {
        self.has_dropped(|what| matches!(what, Cut::Choice { .. }))
    }

    fn has_dropped(&self, is: impl Fn(&Cut) -> bool) -> bool {
        self.dropped.iter().any(|dropped| is(&dropped.what))
    }
}

impl Cost {
    /// The part of it that `budget` bounds.
    #[must_use]
    pub fn within(self, budget: Budget) -> Budget {
        Budget {
            tokens: budget.tokens.map(|_| self.tokens),
            money_micros: budget.money_micros.map(|_| self.money_micros),
        }
    }
}

const fn zero(n: &u64) -> bool {
    *n == 0
}
