//! The texts of the error model.

use std::fmt::Write as _;

use serde_json::json;

use super::super::LABEL;
use super::super::text::{APPROACHES, RISKS};
use super::{Attempt, ErrorTrial};
use crate::dice::Dice;

/// How likely a proposal speaks of a requirement.
const SPOKEN_OF: f64 = 0.9;

/// A proposal with the code of an attempt.
pub(super) fn proposal(trial: &ErrorTrial, attempt: Attempt, revised: bool, dice: &mut Dice) -> String {
    let mut text = String::with_capacity(1024);
    text.push_str(
        "## Analysis\n\nWhat counts is the result for ordinary input, and what happens at the edges.\n",
    );
    let requirements: Vec<&String> =
        trial.key.requirements.iter().filter(|_| dice.happens(SPOKEN_OF)).collect();
    if !requirements.is_empty() {
        text.push('\n');
    }
    for requirement in requirements {
        let _ = writeln!(text, "- {requirement}");
    }
    let _ = write!(text, "\n## Approach\n\n{}\n", dice.one_of(&APPROACHES));
    let (language, code) = (&trial.key.language, trial.code(attempt).trim_end());
    let _ = write!(text, "\n## Implementation\n\n```{language}\n{code}\n```\n");
    let _ = write!(text, "\n## Challenges\n\n- {}\n", dice.one_of(&RISKS));
    if revised {
        text.push_str("- Each requirement was gone through once more, with an input for it.\n");
    }
    let _ = write!(text, "\n{LABEL}");
    text
}

/// A review that finds a fault or not; `None` is of something that it knows nothing of.
pub(super) fn review(finds_fault: Option<bool>, dice: &mut Dice) -> String {
    let (findings, score, summary) = match finds_fault {
        Some(true) => {
            let finding = json!({
                "severity": "high",
                "location": "Implementation",
                "claim": "A case gives a wrong result.",
                "evidence": "Going through the code with an input at the edge gives something else than the task asks.",
            });
            (vec![finding], 2 + dice.below(3), "It fails the task.")
        }
        Some(false) => (Vec::new(), 7 + dice.below(3), "It does what the task asks."),
        None => (Vec::new(), 5, "There is no code in it that could be gone through."),
    };
    json!({"findings": findings, "score": score, "summary": format!("{summary} {LABEL}")}).to_string()
}

/// A judgement for the first of two proposals or for the second; `None` is of something that it knows nothing of.
pub(super) fn judgement(first: Option<bool>) -> String {
    let (better, reason) = match first {
        Some(true) => ("A", "A gives what the task asks where B does not."),
        Some(false) => ("B", "B gives what the task asks where A does not."),
        None => ("neither", "There is no code in them that could be gone through."),
    };
    json!({"reason": reason, "better": better}).to_string()
}
