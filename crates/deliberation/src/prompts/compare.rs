//! What judges, architects and writers of tests are told: proposals without their authors, in one form, each under a
//! letter.

use std::fmt::Write as _;

use super::{Prompt, findings, results, system, system_of, task};
use crate::{CITES_MAX, CheckReport, Opened, Review};

/// The role that writes tests.
const QA: &str = "QA";
/// The role that chooses.
const ARCHITECT: &str = "ARCHITECT";

/// A proposal that is compared with others.
#[derive(Debug, Clone, Copy)]
pub struct Exhibit<'a> {
    /// Its Markdown.
    pub text: &'a str,
    /// What its checks gave.
    pub checks: &'a CheckReport,
    /// What a peer said of it last; judges are not told.
    pub review: Option<&'a Review>,
}

/// The letter under which the exhibit in a place is shown: `A` for 0. There are at most 26.
#[must_use]
pub fn label(place: usize) -> char {
    char::from(b'A' + u8::try_from(place.min(25)).unwrap_or(25))
}

/// Asks a judge which of two proposals is better.
#[must_use]
pub fn judge(opened: &Opened, pair: [Exhibit<'_>; 2]) -> Prompt {
    let mut user = task(opened);
    for (place, exhibit) in pair.iter().enumerate() {
        shown(&mut user, place, exhibit);
    }
    user.push_str(
        "\n# Your judgement\n\nWhich proposal fulfils the task better: is it right, for ordinary input and at the \
         edges; does it fulfil every requirement; what do its check results show? Neither length, nor style, nor \
         which of them you read first counts. Answer with one JSON object and nothing else:\n\n\
         {\"reason\": one or two sentences that name what decides, \"better\": \"A\" or \"B\" or \"neither\"}\n",
    );
    Prompt { system: system(opened), user }
}

/// Asks an agent for tests that tell right proposals from wrong ones.
#[must_use]
pub fn write_tests(opened: &Opened, exhibits: &[Exhibit<'_>]) -> Prompt {
    let mut user = task(opened);
    for (place, exhibit) in exhibits.iter().enumerate() {
        shown(&mut user, place, exhibit);
    }
    user.push_str(
        "\n# Your tests\n\nWrite tests that every right solution of the task passes and a wrong one fails. What comes out \
         must follow from the task, not from what the proposals do; call only what every proposal has, by the name \
         the task gives or that they share. Look for the edges: empty, smallest, largest, negative, repeated, odd input. \
         Five to ten small tests, each for one thing, each with a name that says it. Answer with one fenced code block in \
         the language of the proposals and nothing else. In Python: functions test_... without arguments that assert; \
         everything of the proposal is in scope. In JavaScript: test(name, function), with assert in scope. In Bash: \
         functions test_... that call `solution ARGUMENTS`. In Rust: #[test] functions. In C: void test_...(void) with \
         assert.\n",
    );
    Prompt { system: system_of(opened, QA), user }
}

/// Asks an architect to choose one of several proposals, and to cite what the choice rests on.
#[must_use]
pub fn select(opened: &Opened, exhibits: &[Exhibit<'_>]) -> Prompt {
    let mut user = task(opened);
    for (place, exhibit) in exhibits.iter().enumerate() {
        shown(&mut user, place, exhibit);
        let Some(review) = exhibit.review.filter(|review| !review.findings.is_empty()) else { continue };
        let label = label(place);
        let _ = writeln!(user, "\n# What a peer found in proposal {label}\n");
        user.push_str(&findings(review, false, Some(label)).text);
    }
    let ids = citable(exhibits).join(", ");
    let _ = write!(
        user,
        "\n# Your choice\n\nThe checks and the judges leave these proposals as near ties. Choose the one that you \
         would build on, as an architect who has to live with it, and say on which evidence. Cite at least one and at \
         most {CITES_MAX} of these ids: {ids}. Answer with one JSON object and nothing else:\n\n{{\"cites\": [ids], \
         \"reason\": one or two sentences, \"choice\": one of the letters above}}\n",
    );
    Prompt { system: system_of(opened, ARCHITECT), user }
}

/// The ids of the evidence that is shown to an architect, who may cite it, in order: `A/lint` for a check that
/// came to an end, `A/lint/1` for what it found, `A/finding/1` for a peer's finding.
#[must_use]
pub fn citable(exhibits: &[Exhibit<'_>]) -> Vec<String> {
    let mut ids = Vec::new();
    for (place, exhibit) in exhibits.iter().enumerate() {
        let label = label(place);
        ids.extend(results(exhibit.checks).ids.iter().map(|id| format!("{label}/{id}")));
        let shown = exhibit.review.map_or(0, |review| findings(review, false, Some(label)).shown);
        ids.extend((1..=shown).map(|n| format!("{label}/finding/{n}")));
    }
    ids
}

fn shown(user: &mut String, place: usize, exhibit: &Exhibit<'_>) {
    let label = label(place);
    let _ = write!(user, "\n# Proposal {label}\n\n<proposal>\n{}\n</proposal>\n", exhibit.text);
    let _ = write!(user, "\n# Check results of proposal {label}\n\n");
    user.push_str(&results(exhibit.checks).text);
}
