//! Why a deliberation came out as it did, in words.

mod evidence;
mod figures;
mod ties;

#[cfg(test)]
mod tests;

use fleet_deliberation::Ranked;
use fleet_orchestrator::explain::{Decided, Explanation, Rung, VerdictShown};

use super::page::{table, wrapped};
use super::{many, shortened};

/// The most characters of a text that somebody wrote which one line repeats; `--json` has all of it.
const QUOTED_CHARS_MAX: usize = 400;

/// The explanation as people read it. `left` says whether no process works on it, though it has not ended.
pub(crate) fn text(explanation: &Explanation, left: bool) -> String {
    let left = left && explanation.ended_at.is_none();
    let mut text = head(explanation, left);
    text += &match &explanation.verdict {
        Some(verdict) => why(verdict),
        None => stands(explanation, left),
    };
    let sections = [
        ("CHECKS", evidence::checks(explanation)),
        ("REVIEWS", evidence::reviews(explanation)),
        ("REVISIONS", evidence::revisions(explanation)),
        ("TESTS BY OTHERS", ties::trials(explanation)),
        ("NEAR TIES", ties::near_ties(explanation)),
        ("DISSENT", evidence::dissent(explanation)),
        ("COST", figures::cost(explanation)),
        ("BUDGET", figures::budget(explanation)),
        ("MODELS", figures::models(explanation)),
        ("FAILURES", figures::failures(explanation)),
    ];
    for (title, section) in sections.iter().filter(|(_, section)| !section.is_empty()) {
        text += &format!("\n{title}\n{section}");
    }
    if !explanation.missing_answers.is_empty() {
        let missing = many(explanation.missing_answers.len() as u64, "answer");
        text += "\n";
        text +=
            &wrapped("", &format!("Not kept: {missing} that this rests on, so their texts are not shown."));
    }
    text
}

fn head(explanation: &Explanation, left: bool) -> String {
    let Explanation { task_id, role, submitted_at, duration_ms, .. } = explanation;
    // As `fleet list` has it.
    let status = match explanation.error_type {
        Some("cancelled") => "CANCELLED",
        _ if left => "LEFT",
        _ => explanation.status,
    };
    let took = *duration_ms as f64 / 1000.0;
    let mut text = match &explanation.ended_at {
        Some(_) => format!("{task_id} ({role}): {status} after {took:.1} s, submitted {submitted_at}\n"),
        None => format!("{task_id} ({role}): {status}, submitted {submitted_at}\n"),
    };
    text += &wrapped("Task: ", &shortened(&explanation.task_description, QUOTED_CHARS_MAX));
    text
}

/// A proposal of a ranking as a row: rank, agent, score, what it rests on.
pub(super) fn rank(ranked: &Ranked) -> Vec<String> {
    vec![
        ranked.rank.to_string(),
        ranked.author.to_string(),
        format!("{:.2}", ranked.score),
        ranked.basis.clone(),
    ]
}

fn why(verdict: &VerdictShown) -> String {
    let mut text = String::from("\nWHY\n");
    // A copy of the winner says nothing of why it won.
    let first = verdict.decided.iter().find(|decided| decided.rung != Rung::Copies);
    let first = first.or(verdict.decided.first());
    text += &match (&verdict.winner_id, first) {
        (None, _) => {
            wrapped("  ", &format!("Nobody won: {}. The first below is the best effort.", verdict.why))
        }
        (Some(winner), None) => wrapped("  ", &format!("{winner} won: {}.", verdict.why)),
        (Some(winner), Some(decided)) => {
            let words = match decided.rung {
                Rung::Seat => format!(
                    "{winner} won by its seat alone: on every rung of the ranking it equals {}. A tie is settled \
                     for the earlier seat, which says nothing about the two.",
                    decided.over
                ),
                rung => format!(
                    "{winner} won. What tells it from the next, {}, is {}: {} here, {} there.{}",
                    decided.over,
                    rung.words(),
                    decided.here,
                    decided.there,
                    match rung {
                        Rung::Standing | Rung::Architect | Rung::Judges | Rung::NearTies | Rung::Copies => "",
                        _ => " In all that comes before that, the two are equal.",
                    }
                ),
            };
            let mut text = wrapped("  ", &words);
            text += &wrapped("  ", &format!("The verdict says: {}.", verdict.why));
            text
        }
    };
    text += "\nRANKING";
    text += &format!(" (rule {})\n", verdict.rule);
    let ranks: Vec<Vec<String>> = verdict.ranking.iter().map(rank).collect();
    text += &table(&["RANK", "AGENT", "SCORE", "RESTS ON"], &ranks, &[0, 2]);
    for (better, Decided { over, rung, here, there, .. }) in (1..).zip(&verdict.decided) {
        let place = format!("  {better} before {}: ", better + 1);
        text += &wrapped(
            &place,
            &match rung {
                Rung::Seat => rung.words().to_owned(),
                rung => format!("{} ({here}; {over}: {there})", rung.words()),
            },
        );
    }
    text
}

/// Where one stands that has no verdict.
fn stands(explanation: &Explanation, left: bool) -> String {
    let mut text = String::from("\nWHERE IT STANDS\n");
    if explanation.ended_at.is_some() {
        let why = match explanation.error.strip_prefix("no verdict ") {
            Some(why) => format!("No verdict {why}."),
            None => format!("No verdict: {}.", explanation.error),
        };
        return text + &wrapped("  ", &why);
    }
    let written = explanation.checks.iter().filter(|row| row.version == 0).count();
    let agents = explanation.models.len();
    text += &wrapped("  ", &format!("It has not ended. {written} of {agents} proposals are in; waited for:"));
    let awaited: Vec<Vec<String>> = explanation.awaited.iter().map(super::replay::row).collect();
    let hint = match left {
        true => wrapped(
            "  ",
            &format!(
                "No process works on it: until its deadline you can go on with: fleet resume {}",
                explanation.task_id
            ),
        ),
        false => String::new(),
    };
    text + &hint + &table(&["JOB", "BY", "ON", "ROUND", "UNTIL"], &awaited, &[3])
}
