//! Budgets and what they leave out, in words.

use std::fmt;

use super::{Budget, Cost, Cut};
use crate::{AgentId, Grouped};

/// `7,000 tokens`, `7,000 tokens and 0.25 of money`.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tokens, self.money_micros) {
            (Some(tokens), Some(money)) => {
                write!(f, "{} tokens and {} of money", Grouped(tokens), Money(money))
            }
            (Some(tokens), None) => {
                write!(f, "{} token{}", Grouped(tokens), if tokens == 1 { "" } else { "s" })
            }
            (None, Some(money)) => write!(f, "{} of money", Money(money)),
            (None, None) => f.write_str("no bound"),
        }
    }
}

/// An amount in millionths, as a decimal number.
pub(crate) struct Money(pub(crate) u64);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let digits = format!("{part:06}");
        match digits.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            digits => write!(f, "{whole}.{digits}"),
        }
    }
}

impl Cut {
    /// Why it was left out, in words that follow on what it is: what might have been `needed`, for all that was asked
    /// for, and what was `left`. `architect` says whether one was to choose, for whom something is kept.
    #[must_use]
    pub fn why(&self, needed: Cost, left: Budget, architect: bool) -> String {
        let (whole, needed) = (self.whole(), needed.within(left));
        let beside = match self {
            Cut::Judges { .. } if architect => " beside what is kept for the architect's choice",
            _ => "",
        };
        format!("{whole} may take up to {needed}, with {left} left{beside}")
    }

    /// What might have needed so much: all that was asked for, also where a part of it fits.
    fn whole(&self) -> String {
        match self {
            Cut::Agents { .. } => "the proposals of all agents".to_owned(),
            Cut::Review { author: None, .. } => "the first round of all proposals".to_owned(),
            Cut::Review { author: Some(_), .. } => "that round".to_owned(),
            Cut::Tests { asked_for: 1, .. } | Cut::Judges { asked_for: 1, .. } | Cut::Choice { .. } => {
                "it".to_owned()
            }
            Cut::Tests { asked_for, .. } => format!("the tests of all {asked_for}"),
            Cut::Judges { asked_for, .. } => format!("all {asked_for} judges of each pair"),
        }
    }
}

/// What was left out, in words that follow on "left out: ".
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Agents { left_out } => {
                let names: Vec<&str> = left_out.iter().map(AgentId::as_str).collect();
                write!(f, "the proposals of {}", names.join(", "))
            }
            Cut::Review { author: None, .. } => f.write_str("all reviews"),
            Cut::Review { round, author: Some(author) } => {
                write!(f, "reviews of {author} from round {round} on")
            }
            Cut::Tests { asked_for, asked } => {
                write!(f, "{} of {asked_for} agents that were to write tests", asked_for - asked)
            }
            Cut::Judges { asked_for, asked: 0 } => write!(f, "all {asked_for} judges of near ties"),
            Cut::Judges { asked_for, asked } => {
                write!(f, "{} of {asked_for} judges of near ties", asked_for - asked)
            }
            Cut::Choice { architect } => write!(f, "the choice of {architect} among near ties"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_told_with_what_the_whole_of_it_needs() {
        let needed = Cost { tokens: 120_636, money_micros: 7 };
        let left = Budget { tokens: Some(1), money_micros: None };
        let judges = Cut::Judges { asked_for: 3, asked: 1 };
        assert_eq!(judges.to_string(), "2 of 3 judges of near ties");
        assert_eq!(
            judges.why(needed, left, true),
            "all 3 judges of each pair may take up to 120,636 tokens, with 1 token left beside what is kept for the \
             architect's choice"
        );
        assert_eq!(
            judges.why(needed, left, false),
            "all 3 judges of each pair may take up to 120,636 tokens, with 1 token left"
        );
        let writer = Cut::Tests { asked_for: 1, asked: 0 };
        assert_eq!(writer.why(needed, left, true), "it may take up to 120,636 tokens, with 1 token left");
    }
}
