//! What it took, who spoke through which model, and what failed.

use fleet_deliberation::Grouped;
use fleet_llm::SIMULATED;
use fleet_orchestrator::explain::{Explanation, Failed, ModelShown, Spent};

use super::QUOTED_CHARS_MAX;
use crate::show::page::{table, wrapped};
use crate::show::{many, shortened};

pub(super) fn cost(explanation: &Explanation) -> String {
    let cost = &explanation.cost;
    if cost.by_kind.is_empty() {
        return "  nothing has come back yet\n".into();
    }
    let about = if cost.tokens.estimated { "about " } else { "" };
    let (read, written) = (cost.tokens.prompt_tokens, cost.tokens.completion_tokens);
    let text = format!(
        "  {about}{} tokens: {} read, {} written\n",
        Grouped(read + written),
        Grouped(read),
        Grouped(written)
    );
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    let row = |spent: &Spent| {
        vec![
            spent.name.clone(),
            spent.jobs.to_string(),
            spent.failed.to_string(),
            Grouped(spent.tokens.prompt_tokens).to_string(),
            Grouped(spent.tokens.completion_tokens).to_string(),
            seconds(spent.longest_ms),
            seconds(spent.busy_ms),
        ]
    };
    let header = ["STEP", "JOBS", "FAILED", "READ", "WRITTEN", "LONGEST", "IN ALL"];
    let mut rows: Vec<Vec<String>> = cost.by_kind.iter().map(row).collect();
    rows.push(header.map(|cell| if cell == "STEP" { "AGENT".into() } else { String::new() }).to_vec());
    rows.extend(cost.by_agent.iter().map(row));
    text + &table(&header, &rows, &[1, 2, 3, 4, 5, 6])
}

pub(super) fn models(explanation: &Explanation) -> String {
    let mut text = String::new();
    for shown in &explanation.models {
        text += &wrapped(&format!("  {}: ", shown.agent_id), &model(shown));
    }
    if explanation.models.iter().any(|shown| shown.answered_by.contains(SIMULATED)) {
        text += "  SIMULATED: written by the built-in simulated model, not by a real one\n";
    }
    text
}

fn model(shown: &ModelShown) -> String {
    let mut parts = vec![format!("{} (profile {})", shown.model, shown.profile)];
    let others: Vec<&str> =
        shown.answered_by.iter().map(String::as_str).filter(|model| *model != shown.model).collect();
    if !others.is_empty() {
        parts.push(format!("answered as {}", others.join(", ")));
    }
    parts.extend(shown.endpoint.as_ref().map(|endpoint| format!("at {endpoint}")));
    parts.push(match shown.diversity {
        true => "diversity mode".into(),
        false => "plain".into(),
    });
    let at = shown.temperatures.iter().map(|(kind, at)| {
        let at: Vec<&str> = at.iter().map(String::as_str).collect();
        format!("{kind} {}", at.join(" and "))
    });
    let at: Vec<String> = at.collect();
    parts.push(match at.is_empty() {
        true => format!("temperature {:.2}", shown.temperature),
        false => format!("temperature {}", at.join(", ")),
    });
    parts.push(format!("at most {} tokens", Grouped(shown.tokens_max.into())));
    parts.extend(shown.parameters.iter().map(|(name, value)| format!("{name} {value}")));
    if !shown.parameters.contains_key("seed") {
        parts.push("no seed".into());
    }
    if shown.truncated > 0 {
        parts.push(format!("{} cut off at the limit", many(u64::from(shown.truncated), "answer")));
    }
    parts.join("; ")
}

pub(super) fn failures(explanation: &Explanation) -> String {
    let line = |failed: &Failed| {
        let Failed { agent_id, kind, author_id, round, error, error_type, attempts } = failed;
        let who = match *kind {
            "check" => format!("the check of {author_id} v{round}"),
            "critique" => format!("{agent_id}: review of {author_id} (round {round})"),
            kind => format!("{agent_id}: {kind} (round {round})"),
        };
        let attempts = match attempts {
            0 => "not begun".to_owned(),
            attempts => many(u64::from(*attempts), "attempt"),
        };
        let error = shortened(error, QUOTED_CHARS_MAX);
        wrapped("  ", &format!("{who}: {error} ({error_type}, {attempts})"))
    };
    explanation.failures.iter().map(line).collect()
}

/// What was allowed, what counts, and what that left out.
pub(super) fn budget(explanation: &Explanation) -> String {
    let Some(spending) = &explanation.budget else { return String::new() };
    let spent = spending.spent.within(spending.budget);
    let words = format!("{spent} of {} count, at their worst where no figures are known.", spending.budget);
    let mut text = wrapped("  ", &words);
    for left_out in &spending.dropped {
        text += &wrapped("  ", &format!("left out: {left_out}"));
    }
    text
}
