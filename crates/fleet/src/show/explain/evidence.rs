//! Checks, reviews, revisions, and what speaks against the order.

use fleet_deliberation::CheckKind;
use fleet_orchestrator::explain::{
    CheckCell, CheckRow, Explanation, FaultShown, FindingShown, InForce, NearlySame, ReviewShown,
    RevisionOutcome, RevisionShown, ScoredHigher,
};

use super::QUOTED_CHARS_MAX;
use crate::show::page::{table, wrapped};
use crate::show::{many, shortened};

/// The most faults of a version that are shown; `--json` has all of them.
const FAULTS_MAX: usize = 10;

pub(super) fn checks(explanation: &Explanation) -> String {
    if explanation.checks.is_empty() {
        return String::new();
    }
    let kinds: Vec<&str> = CheckKind::ALL.into_iter().map(CheckKind::as_str).collect();
    let names: Vec<String> = kinds.iter().map(|kind| kind.to_uppercase()).collect();
    let header: Vec<&str> =
        ["AGENT", "VERSION"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let row = |row: &CheckRow| {
        let cell = |kind: &&str| match &row.checks {
            None => "running".to_owned(),
            Some(checks) => checks.get(kind).map_or("not run".to_owned(), cell),
        };
        let version = match row.state {
            InForce::InForce => format!("v{}", row.version),
            InForce::Replaced => format!("v{} replaced", row.version),
            InForce::NotTaken => format!("v{} not taken", row.version),
        };
        [row.agent_id.clone(), version].into_iter().chain(kinds.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<String>> = explanation.checks.iter().map(row).collect();
    let mut text = table(&header, &rows, &[]);
    for row in &explanation.checks {
        for (kind, cell) in
            row.checks.iter().flatten().filter(|(_, cell)| matches!(cell.outcome, "error" | "skipped"))
        {
            let words = format!("{}: {}", cell.outcome, shortened(&cell.message, QUOTED_CHARS_MAX));
            text += &wrapped(&format!("  {} v{} {kind}: ", row.agent_id, row.version), &words);
        }
    }
    for row in explanation.checks.iter().filter(|row| !row.faults.is_empty()) {
        text += &wrapped("  ", &format!("{} v{}:", row.agent_id, row.version));
        row.faults.iter().take(FAULTS_MAX).for_each(|shown| text += &fault(shown));
        if row.faults.len() > FAULTS_MAX {
            text += &format!("    and {} more\n", row.faults.len() - FAULTS_MAX);
        }
    }
    text + &sandboxes(explanation)
}

fn sandboxes(explanation: &Explanation) -> String {
    if explanation.sandboxes.is_empty() {
        return wrapped("  ", "Nothing was run: the code was only read.");
    }
    let sandboxes = explanation.sandboxes.iter();
    let sandboxes: Vec<String> =
        sandboxes.map(|(sandbox, runs)| format!("{sandbox} ({})", many(u64::from(*runs), "check"))).collect();
    wrapped("  ", &format!("Code was run shut in by {}.", sandboxes.join(", ")))
}

fn cell(cell: &CheckCell) -> String {
    let outcome = match cell.outcome {
        "fail" => "FAIL",
        other => other,
    };
    match (cell.tests, cell.faults) {
        (0, 0) => outcome.into(),
        (0, faults) => format!("{outcome} ({faults}, {} high)", cell.high),
        (tests, _) => format!("{outcome} ({} of {tests})", cell.tests_passed),
    }
}

fn fault(fault: &FaultShown) -> String {
    let FaultShown { id, rule, severity, language, line, column, message, excerpt, tools } = fault;
    let rule = if rule.is_empty() { String::new() } else { format!(" {rule},") };
    let tools = if tools.is_empty() { String::new() } else { format!(" [{}]", tools.join(", ")) };
    let message = shortened(message, QUOTED_CHARS_MAX);
    let place = if *line == 0 { String::new() } else { format!(" line {line}:{column}") };
    let words = format!("{rule} {severity}, {language}{place}: {message}{tools}");
    let mut text = wrapped(&format!("    {id}: "), &words);
    if !excerpt.trim().is_empty() {
        text += &wrapped("        | ", excerpt);
    }
    text
}

pub(super) fn reviews(explanation: &Explanation) -> String {
    explanation.reviews.iter().map(|shown| review(explanation, shown)).collect()
}

fn review(explanation: &Explanation, review: &ReviewShown) -> String {
    let ReviewShown { round, author_id, version, reviewer_id, score, counts, .. } = review;
    let weight = match counts.weight() {
        0 if counts.advice > 0 => "only advice, which weighs nothing".to_owned(),
        0 => "no findings".to_owned(),
        weight => format!("findings of weight {weight}, {}", counts_for(explanation, review)),
    };
    let mut text = wrapped(
        "  ",
        &format!("{reviewer_id} on {author_id} v{version} (round {round}): {score:.2}; {weight}"),
    );
    if !review.summary.is_empty() {
        text += &wrapped("    ", &format!("\"{}\"", shortened(&review.summary, QUOTED_CHARS_MAX)));
    }
    review.findings.iter().for_each(|shown| text += &finding(shown));
    text
}

/// How much a review counts for in the ranking.
fn counts_for(explanation: &Explanation, review: &ReviewShown) -> &'static str {
    let of_author = explanation.reviews.iter().filter(|other| other.author_id == review.author_id);
    let of_version = |row: &&CheckRow| (&row.agent_id, row.version) == (&review.author_id, review.version);
    let version = explanation.checks.iter().find(of_version);
    match version.map(|row| row.state) {
        _ if of_author.map(|other| other.round).max() > Some(review.round) => "which a later review replaces",
        Some(InForce::InForce) => "about the version in force: they count in full",
        _ => "about a version that was replaced: they count for less",
    }
}

fn finding(finding: &FindingShown) -> String {
    let FindingShown { severity, location, claim, evidence, unfounded, advisory } = finding;
    let place = if location.is_empty() { String::new() } else { format!("{location}: ") };
    let kind = if *advisory { format!("{severity}, advice") } else { (*severity).to_owned() };
    let mut text =
        wrapped(&format!("    - {kind}: "), &shortened(&format!("{place}{claim}"), QUOTED_CHARS_MAX));
    if !unfounded.is_empty() {
        text += &wrapped("        its evidence is none: ", &shortened(unfounded, QUOTED_CHARS_MAX));
    }
    if !*advisory {
        text += &wrapped("        shown by: ", &shortened(evidence, QUOTED_CHARS_MAX));
    }
    text
}

pub(super) fn revisions(explanation: &Explanation) -> String {
    let line = |revision: &RevisionShown| {
        let RevisionShown { agent_id, round, from_version, outcome, why } = revision;
        let what = match outcome {
            RevisionOutcome::Accepted => format!("v{round} takes the place of v{from_version}"),
            RevisionOutcome::Refused => format!("v{round} REFUSED"),
            RevisionOutcome::Failed => "no revision came".into(),
            RevisionOutcome::NotNeeded => "nothing to revise".into(),
            RevisionOutcome::UnderWay => "under way".into(),
        };
        wrapped("  ", &format!("{agent_id} (round {round}): {what}: {}", shortened(why, QUOTED_CHARS_MAX)))
    };
    explanation.revisions.iter().map(line).collect()
}

pub(super) fn dissent(explanation: &Explanation) -> String {
    let mut text = String::new();
    for ScoredHigher { agent_id, rank, score, reviewers, over } in &explanation.dissent.scored_higher {
        let over: Vec<String> = over.iter().map(|(agent, score)| format!("{agent} ({score:.2})")).collect();
        let who = reviewers.join(" and ");
        let words = format!(
            "{who} gave {agent_id} {score:.2}, more than peers gave {}; it is rank {rank} all the same, as evidence \
             comes before scores.",
            over.join(" and ")
        );
        text += &wrapped("  ", &words);
    }
    for NearlySame { agent_id, like, likeness } in &explanation.dissent.nearly_same {
        let percent = likeness * 100.0;
        let words = format!(
            "{agent_id} is nearly the same as {like} ({percent:.0} % alike): the two agreeing is worth little more than \
             one of them."
        );
        text += &wrapped("  ", &words);
    }
    if text.is_empty() && explanation.verdict.is_some() {
        text += "  none: no peer scored against the order, and no two proposals are nearly the same\n";
    }
    if let Some(diversity) = &explanation.diversity {
        let (one, other) = &diversity.most_alike;
        let words = format!(
            "The proposals' texts are {:.0} % alike in the mean of {}; most alike are {one} and {other} ({:.0} %).",
            diversity.mean_likeness * 100.0,
            many(u64::from(diversity.pairs), "pair"),
            diversity.most_likeness * 100.0
        );
        text += &wrapped("  ", &words);
    }
    text
}
