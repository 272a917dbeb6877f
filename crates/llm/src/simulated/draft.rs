//! One version of a proposal: how good it is and what is wrong with it.

use super::task::{Language, Task};
use crate::dice::Dice;

/// What is wrong with the code of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// It does what it should not, and parses.
    Subtle,
    UnclosedBracket,
    BadIndentation,
    MissingColon,
}

const FLAWS: [Flaw; 5] =
    [Flaw::None, Flaw::Subtle, Flaw::UnclosedBracket, Flaw::BadIndentation, Flaw::MissingColon];

impl Flaw {
    pub(super) const fn is_syntax(self) -> bool {
        matches!(self, Flaw::UnclosedBracket | Flaw::BadIndentation | Flaw::MissingColon)
    }
}

/// What stands before the digits of a mark.
const MARK: &str = "(draft ";

/// The best a draft can be.
pub(super) const QUALITY_MAX: u64 = 15;

/// One version of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Draft {
    /// How much care was taken, up to [`QUALITY_MAX`].
    pub(super) quality: u64,
    pub(super) flaw: Flaw,
    /// Which of the ways to write it was taken.
    pub(super) style: u64,
}

impl Draft {
    /// A first draft. A hotter model is bolder.
    pub(super) fn first(dice: &mut Dice, temperature: f64) -> Draft {
        let bold = temperature.clamp(0.0, 2.0) / 10.0;
        let syntax = dice.happens(0.18 + bold);
        let subtle = dice.happens(0.20 + bold);
        let broken = [Flaw::UnclosedBracket, Flaw::BadIndentation, Flaw::MissingColon, Flaw::UnclosedBracket];
        let flaw = match (syntax, subtle) {
            (true, _) => *dice.one_of(&broken),
            (false, true) => Flaw::Subtle,
            (false, false) => Flaw::None,
        };
        Draft { quality: 3 + dice.below(9), flaw, style: dice.below(16) }
    }

    /// The draft after a revision: mostly better, sometimes worse.
    pub(super) fn revised(self, dice: &mut Dice) -> Draft {
        if dice.happens(0.12) {
            let flaw = if dice.happens(0.5) { Flaw::UnclosedBracket } else { self.flaw };
            return Draft { quality: self.quality.saturating_sub(2), flaw, ..self };
        }
        let flaw = match self.flaw {
            Flaw::None => Flaw::None,
            Flaw::Subtle if dice.happens(0.4) => Flaw::Subtle,
            Flaw::UnclosedBracket | Flaw::BadIndentation | Flaw::MissingColon if dice.happens(0.2) => {
                Flaw::Subtle
            }
            Flaw::Subtle | Flaw::UnclosedBracket | Flaw::BadIndentation | Flaw::MissingColon => Flaw::None,
        };
        Draft { quality: (self.quality + 1 + dice.below(3)).min(QUALITY_MAX), flaw, ..self }
    }

    /// The mark by which the simulated model knows its own drafts again when a prompt holds them.
    pub(super) fn mark(self) -> String {
        let flaw = FLAWS.iter().position(|flaw| *flaw == self.flaw).unwrap_or(0);
        format!("(draft {:x}{flaw:x}{:x})", self.quality.min(QUALITY_MAX), self.style % 16)
    }

    /// The draft whose mark a text holds last.
    pub(super) fn marked(text: &str) -> Option<Draft> {
        Draft::marked_at(text, text.rfind(MARK)?)
    }

    /// The drafts whose marks a text holds, in its order.
    pub(super) fn all_marked(text: &str) -> Vec<Draft> {
        text.match_indices(MARK).filter_map(|(at, _)| Draft::marked_at(text, at)).collect()
    }

    fn marked_at(text: &str, at: usize) -> Option<Draft> {
        let at = at + MARK.len();
        let mut digits = text.get(at..at + 3)?.chars().map(|c| c.to_digit(16));
        let mut next = || digits.next().flatten().map(u64::from);
        let (quality, flaw, style) = (next()?, next()?, next()?);
        let flaw = *FLAWS.get(usize::try_from(flaw).ok()?)?;
        Some(Draft { quality, flaw, style })
    }

    /// The code of the draft.
    pub(super) fn code(self, task: &Task<'_>) -> String {
        let right = usize::from(self.style % 2 == 1);
        match self.flaw {
            Flaw::None => task.code(right),
            Flaw::Subtle => task.code(2),
            Flaw::UnclosedBracket => without_last(&task.code(right), ')'),
            Flaw::BadIndentation => match task.language {
                Language::Python => outdented(&task.code(right)),
                Language::Rust => without_last(&task.code(right), '}'),
            },
            Flaw::MissingColon => match task.language {
                Language::Python => without_colon(&task.code(right)),
                Language::Rust => task.code(right).replacen("pub fn ", "pub fnn ", 1),
            },
        }
    }
}

fn without_last(code: &str, bracket: char) -> String {
    match code.rsplit_once(bracket) {
        Some((before, behind)) => format!("{before}{behind}"),
        None => format!("{code}("),
    }
}

/// The code with the body of its last function at the margin.
fn outdented(code: &str) -> String {
    let Some(at) = code.rfind("\ndef ").map(|at| at + 1).or_else(|| code.find("def ")) else {
        return format!("{code}\n  return");
    };
    let (head, function) = code.split_at(at);
    let mut lines = function.lines();
    let first = lines.next().unwrap_or_default();
    let body: Vec<&str> = lines.map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    format!("{head}{first}\n{}", body.join("\n"))
}

fn without_colon(code: &str) -> String {
    match code.rfind("def ").and_then(|at| Some(at + code[at..].find(":\n")?)) {
        Some(at) => format!("{}{}", &code[..at], &code[at + 1..]),
        None => without_last(code, ')'),
    }
}
