//! A verdict as people read it.

use std::fmt::Write as _;

use fleet_deliberation::Grouped;
use fleet_llm::SIMULATED;
use fleet_orchestrator::announcement::{Completed, FailedJob};

use super::many;

/// The ranking with scores and what they rest on, then the winning proposal.
pub(crate) fn text(completed: &Completed, label: &str) -> String {
    let mut text = String::new();
    let simulated = completed.results.iter().any(|ranked| ranked.proposal.model == SIMULATED);
    if simulated {
        text += "SIMULATED: written by the built-in simulated model, not by a real one.\n\n";
    }
    let widest = completed.results.iter().map(|ranked| ranked.proposal.author_id.len()).max().unwrap_or(5);
    let _ = writeln!(text, "RANK  {:widest$}  SCORE  RESTS ON", "AGENT");
    for ranked in &completed.results {
        let agent = &ranked.proposal.author_id;
        let _ = writeln!(text, "{:>4}  {agent:widest$}  {:5.2}  {}", ranked.rank, ranked.score, ranked.basis);
    }
    for failed in &completed.failed_agents {
        let _ = writeln!(text, "   -  {:widest$}      -  no proposal: {}", failed.agent_id, failed.error);
    }
    text += &not_come(&completed.failed_jobs);
    let usage = completed.usage;
    let about = if usage.estimated { "about " } else { "" };
    let tokens = usage.prompt_tokens + usage.completion_tokens;
    let seconds = completed.duration_ms as f64 / 1000.0;
    let _ = match completed.winner_id.as_str() {
        "" => writeln!(text, "\nNo winner: {}. It follows, and should not be used as it is.", completed.why),
        winner => writeln!(text, "\nWinner: {winner}: {}.", completed.why),
    };
    if let Some(reason) =
        completed.near_ties.as_ref().map(|near| &near.reason).filter(|reason| !reason.is_empty())
    {
        let _ = writeln!(text, "The architect: {reason}");
    }
    let _ = write!(
        text,
        "{} of {}, {about}{} tokens, {seconds:.1} s",
        completed.successful_responses,
        many(completed.total_agents as u64, "agent"),
        Grouped(tokens)
    );
    if let Some(spending) = &completed.budget {
        let _ = write!(text, ", {} of {} counted", spending.spent.within(spending.budget), spending.budget);
    }
    let _ = if label.is_empty() { writeln!(text) } else { writeln!(text, ", using {label}") };
    for left_out in completed.budget.iter().flat_map(|spending| &spending.dropped) {
        let _ = writeln!(text, "Left out for the budget: {left_out}");
    }
    if let Some(winner) = completed.results.first() {
        let _ = writeln!(text, "\n{}", winner.proposal.content.trim_end());
    }
    text
}

/// What did not come of all but the proposals, a line a kind.
fn not_come(failed: &[FailedJob]) -> String {
    let kinds = [
        ("critique", "reviews"),
        ("revise", "revisions"),
        ("check", "checks"),
        ("test", "tests by others"),
        ("trial", "trials by the tests of others"),
        ("judge", "judgements"),
        ("select", "choices of the architect"),
    ];
    let line = |(kind, name): (&str, &str)| {
        let of_kind: Vec<&FailedJob> = failed.iter().filter(|job| job.kind == kind).collect();
        let first = of_kind.first()?;
        let more = if of_kind.len() > 1 { ", the first because " } else { ": " };
        Some(format!("{} {name} did not come{more}{}\n", of_kind.len(), first.error))
    };
    let lines: String = kinds.into_iter().filter_map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}
