//! The texts of the simulated model: proposals, revisions and reviews.

use std::fmt::Write;

use serde_json::json;

use super::LABEL;
use super::draft::{Draft, Flaw};
use super::task::{Language, Task};
use crate::dice::Dice;

pub(super) const APPROACHES: [&str; 4] = [
    "Begin with the plainest thing that can work, and keep every step small enough to be tested by itself.",
    "State what must always hold, write it down as checks, and let the code follow from it.",
    "Go from the edges inwards: empty input, one item, very many, then the ordinary case.",
    "Choose the data first: with the right shape, little code is left to be wrong.",
];
pub(super) const RISKS: [&str; 4] = [
    "Very large input: time and memory grow with it, so a bound belongs at the edge.",
    "Input of the wrong type is refused with a message that names what was given.",
    "Nothing is shared between calls, so they may run side by side.",
    "What the task leaves open is decided in one place, where it can be changed.",
];

/// A proposal in Markdown.
pub(super) fn proposal(task: &Task<'_>, draft: Draft, dice: &mut Dice) -> String {
    body(task, draft, dice, "")
}

/// A proposal after a revision.
pub(super) fn revision(task: &Task<'_>, before: Draft, after: Draft, dice: &mut Dice) -> String {
    let changed = match (before.flaw, after.flaw) {
        (was, Flaw::None) if was.is_syntax() => "The code did not parse; it does now.",
        (Flaw::Subtle, Flaw::None) => "A case that gave a wrong result is mended.",
        _ if after.quality > before.quality => "More cases are named, and what was unclear is said again.",
        _ => "The text is shorter, and a part was written anew.",
    };
    body(task, after, dice, changed)
}

fn body(task: &Task<'_>, draft: Draft, dice: &mut Dice, changed: &str) -> String {
    let mut text = String::with_capacity(2048);
    if !changed.is_empty() {
        let _ = write!(text, "_Revised after review. {changed}_\n\n");
    }
    let line = task.line.trim_end_matches('.');
    let _ = write!(text, "## Analysis\n\nThe task: {line}. ");
    text.push_str("What counts is the result for ordinary input, and what happens at the edges.\n");
    if draft.quality > 6 {
        text.push_str("\n- empty and smallest input give a result, not an error\n");
        text.push_str("- input that makes no sense is refused and named\n");
    }
    let approach = APPROACHES[(draft.style / 2 % 4) as usize];
    let _ = write!(text, "\n## Approach\n\n{approach}\n");
    let code = draft.code(task);
    let _ = write!(text, "\n## Implementation\n\n```{}\n{code}\n```\n", task.language.name());
    if draft.quality > 9 && task.language == Language::Python {
        let _ = write!(text, "\nTests cover {}: empty, smallest, ordinary and refused input.\n", task.name);
    }
    text.push_str("\n## Challenges\n\n");
    let _ = writeln!(text, "- {}", dice.one_of(&RISKS));
    if draft.quality > 4 {
        let _ = writeln!(text, "- {}", dice.one_of(&RISKS));
    }
    let _ = write!(text, "\n{LABEL} {}", draft.mark());
    text
}

/// Tests for the proposals to a task, now and then with one that expects what is wrong.
pub(super) fn tests(task: &Task<'_>, dice: &mut Dice) -> String {
    let mut tests: Vec<String> = task.tests().into_iter().map(str::to_owned).collect();
    if tests.is_empty() {
        return format!("I know no test for this.\n\n{LABEL}");
    }
    let left_out = dice.below(tests.len() as u64);
    tests.remove(usize::try_from(left_out).unwrap_or(0));
    if dice.happens(0.15) {
        let wrong = usize::try_from(dice.below(tests.len() as u64)).unwrap_or(0);
        tests[wrong] = tests[wrong].replacen("==", "!=", 1);
    }
    format!("```{}\n{}\n```\n\n{LABEL}", task.language.name(), tests.join("\n\n\n"))
}

/// A review as JSON, and how good its score is.
pub(super) fn review(draft: Option<Draft>, dice: &mut Dice) -> String {
    let Some(draft) = draft else {
        // Not one of its own: it cannot tell.
        let claim = "How this behaves at the edges is not shown.";
        let findings = json!([{"severity": "low", "location": "", "claim": claim, "evidence": ""}]);
        return object(findings, 5 + dice.below(4), "Looks plausible.");
    };
    let mut findings = Vec::new();
    let mut finding = |severity: &str, location: &str, claim: &str, evidence: &str| {
        findings
            .push(json!({"severity": severity, "location": location, "claim": claim, "evidence": evidence}));
    };
    let care = draft.quality / 2;
    let noise = dice.below(2);
    let score = match draft.flaw {
        Flaw::UnclosedBracket => {
            finding(
                "high",
                "Implementation",
                "The code does not parse.",
                "A bracket is opened and never closed.",
            );
            1 + care / 3
        }
        Flaw::BadIndentation => {
            finding(
                "high",
                "Implementation",
                "The code does not parse.",
                "The body is not where its head expects it.",
            );
            1 + care / 3
        }
        Flaw::MissingColon => {
            finding(
                "high",
                "Implementation",
                "The code does not parse.",
                "The head of the function is not complete.",
            );
            1 + care / 3
        }
        Flaw::Subtle if dice.happens(0.7) => {
            finding(
                "high",
                "Implementation",
                "An edge case gives a wrong result.",
                "The smallest input shows it.",
            );
            2 + care / 3
        }
        Flaw::Subtle | Flaw::None => 3 + care,
    };
    if draft.quality <= 6 {
        finding("medium", "Analysis", "Edge cases are not named.", "Empty input is not spoken of.");
    }
    if draft.quality <= 9 {
        finding("low", "Implementation", "There are no tests.", "");
    }
    if findings.is_empty() {
        findings.push(
            json!({"severity": "low", "location": "Challenges", "claim": "The risks could be weighed.",
            "evidence": ""}),
        );
    }
    let summary = match score {
        0..=3 => "Not usable as it is.",
        4..=6 => "Usable once the findings are dealt with.",
        _ => "Good, with little to add.",
    };
    object(json!(findings), (score + noise).min(10), summary)
}

fn object(findings: serde_json::Value, score: u64, summary: &str) -> String {
    json!({"findings": findings, "score": score, "summary": format!("{summary} {LABEL}")}).to_string()
}

/// Something that was asked for as a review and is none.
pub(super) fn malformed_review(dice: &mut Dice) -> String {
    let forms = [
        format!("I think this is a good proposal overall, with some things to mend.\n\n{LABEL}"),
        "{\"findings\": [{\"severity\": \"high\", \"location\": \"Implem".to_owned(),
        format!("{{\"summary\": \"No verdict. {LABEL}\"}}"),
        format!("```json\n{{\"score\": \"splendid\"}}\n```\n{LABEL}"),
    ];
    dice.one_of(&forms).clone()
}
