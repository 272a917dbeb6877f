//! Tests by others, and how near ties were told apart.

use fleet_orchestrator::explain::{Explanation, JudgementShown, TrialShown};

use super::QUOTED_CHARS_MAX;
use crate::show::page::{table, wrapped};
use crate::show::{many, shortened};

/// The most judgements that are shown; `--json` has all of them.
const JUDGEMENTS_MAX: usize = 24;

pub(super) fn trials(explanation: &Explanation) -> String {
    if let Some(agents) = explanation.tests_skipped {
        let words = format!(
            "{} to write tests, and nobody was asked: no code of the proposals was run, so tests could not be either. \
             CHECKS says why (dryrun).",
            if agents == 1 { "1 agent was".to_owned() } else { format!("{agents} agents were") }
        );
        return wrapped("  ", &words);
    }
    if explanation.trials.is_empty() {
        return String::new();
    }
    let row = |trial: &TrialShown| {
        let passed = trial.tests.values().filter(|passed| **passed).count();
        let (counted, alike) = match &trial.counted {
            Some(others) => {
                (format!("{} of {}", others.passed, others.tests), others.group.saturating_sub(1).to_string())
            }
            None => ("-".into(), "-".into()),
        };
        let all = match trial.error.as_str() {
            "" => format!("{passed} of {}", trial.tests.len()),
            error => shortened(error, QUOTED_CHARS_MAX),
        };
        vec![trial.agent_id.clone(), all, counted, alike]
    };
    let rows: Vec<Vec<String>> = explanation.trials.iter().map(row).collect();
    let mut text = table(&["AGENT", "PASSED", "OF THOSE THAT COUNT", "OTHERS ALIKE"], &rows, &[3]);
    text +=
        &wrapped("  ", "Only tests that some proposals pass and others fail count, and none of one's own.");
    text
}

pub(super) fn near_ties(explanation: &Explanation) -> String {
    let Some(near) = &explanation.near_ties else { return String::new() };
    let tiebreak = &near.tiebreak;
    let names: Vec<&str> = tiebreak.computed.iter().map(|author| author.as_str()).collect();
    let mut text = wrapped(
        "  ",
        &format!("The evidence leaves {} as near ties, in this order: {}.", names.len(), names.join(", ")),
    );
    if !tiebreak.strengths.is_empty() {
        let rows: Vec<Vec<String>> = tiebreak
            .strengths
            .iter()
            .map(|of| {
                let strength = format!("{:.2} ± {:.2}", of.strength, of.error);
                vec![
                    of.author.to_string(),
                    strength,
                    of.wins.to_string(),
                    of.losses.to_string(),
                    of.ties.to_string(),
                ]
            })
            .collect();
        text += &table(&["AGENT", "STRENGTH", "WON", "LOST", "TIED"], &rows, &[2, 3, 4]);
    }
    near.judgements.iter().take(JUDGEMENTS_MAX).for_each(|shown| text += &judgement(shown));
    if near.judgements.len() > JUDGEMENTS_MAX {
        text += &format!("    and {} more\n", near.judgements.len() - JUDGEMENTS_MAX);
    }
    if let Some(votes) = &tiebreak.votes {
        let words = format!(
            "Of {} {} did not come; of {} that a judge saw in both orders, {} were not judged alike and count as ties.",
            many(u64::from(votes.asked), "judgement"),
            votes.failed,
            many(u64::from(votes.seen), "pair"),
            votes.inconsistent
        );
        text += &wrapped("  ", &words);
    }
    text + &architect(explanation)
}

fn judgement(shown: &JudgementShown) -> String {
    let JudgementShown { judge_id, first, second, prefers, reason, error } = shown;
    let came = match (prefers.as_str(), error.as_str()) {
        ("", "") => "neither".to_owned(),
        ("", error) => format!("no judgement: {error}"),
        (prefers, _) => prefers.to_owned(),
    };
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!(": \"{}\"", shortened(reason, QUOTED_CHARS_MAX))
    };
    wrapped(&format!("    {judge_id} on {first}, then {second}: "), &format!("{came}{reason}"))
}

fn architect(explanation: &Explanation) -> String {
    let Some(near) = &explanation.near_ties else { return String::new() };
    let dropped = explanation.budget.iter().flat_map(|spending| &spending.dropped);
    let unaffordable = dropped.filter(|left_out| left_out.what.starts_with("the choice of")).count() > 0;
    let Some(architect) = &near.tiebreak.architect else {
        if unaffordable {
            return wrapped("  ", "An architect was to choose, and the budget did not allow for it.");
        }
        return wrapped("  ", "No architect was asked: none is to be, or the judges leave no near ties.");
    };
    let words = match (&near.tiebreak.choice, &near.tiebreak.failure) {
        (Some(choice), _) => {
            let reason = match near.reason.as_str() {
                "" => String::new(),
                reason => format!(": \"{}\"", shortened(reason, QUOTED_CHARS_MAX)),
            };
            format!("{architect} chose {}, citing {}{reason}.", choice.author, choice.cites.join(", "))
        }
        (None, Some(failure)) => {
            format!(
                "{architect} was to choose and gave no choice: {}. The computed order stands.",
                failure.message
            )
        }
        (None, None) => format!("{architect} was to choose when the deliberation ended."),
    };
    wrapped("  ", &words)
}
