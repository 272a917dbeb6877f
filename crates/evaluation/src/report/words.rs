//! A report for people, in Markdown.

use std::fmt::Write as _;

use super::{ArmReport, DISTINCT_WANTED, KEYWORDS_WANTED, Report, Setup, SweepReport};
use crate::{Estimate, Rate};

/// What is written where nothing was measured.
const NOTHING: &str = "–";

/// A report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut text = heading(&report.setup, report.tasks);
    if let Some(rates) = report.setup.simulated {
        simulated(&mut text, &rates.to_string());
    }
    unscored(&mut text, report);
    if report.arms.is_empty() {
        text.push_str("\nThere is nothing to compare: no task could be scored.\n");
        return text;
    }
    text.push_str("\n## Shares solved\n\n");
    text.push_str(
        "| arm | solved (95 %) | best available | regret (95 %) | tokens a task | samples | seconds |\n",
    );
    text.push_str("|---|---|---|---|---|---|---|\n");
    for arm in &report.arms {
        let estimated = if arm.tokens_estimated { "about " } else { "" };
        let _ = writeln!(
            text,
            "| {} | {} | {:.3} | {} | {estimated}{:.0} | {:.1} | {} |",
            arm.arm.label(),
            with_interval(&arm.solved),
            arm.available,
            with_interval(&arm.regret),
            arm.tokens,
            arm.samples,
            or_nothing(arm.seconds, 1),
        );
    }
    if !report.differences.is_empty() {
        text.push_str("\n## Differences\n\n| share solved of | less that of | is (95 %) |\n|---|---|---|\n");
        for difference in &report.differences {
            let (arm, minus) = (difference.arm.label(), difference.minus.label());
            let _ = writeln!(text, "| {arm} | {minus} | {} |", signed(&difference.solved));
        }
    }
    measures(&mut text, report);
    failures(&mut text, report);
    tasks(&mut text, report);
    text
}

/// What an evaluation found at each point of a sweep, as Markdown.
#[must_use]
pub fn sweep_markdown(sweep: &SweepReport) -> String {
    let Some(first) = sweep.points.first() else { return String::new() };
    let mut text = heading(&first.setup, first.tasks);
    if let Some(rates) = first.setup.simulated {
        let others = Rate::ALL.into_iter().filter(|rate| *rate != sweep.over);
        let others: Vec<String> = others.map(|rate| format!("{}={}", rate.name(), rates.get(rate))).collect();
        simulated(&mut text, &others.join(","));
    }
    let _ = writeln!(text, "\nVaried: {}.\n", sweep.over.label());
    text.push_str("## Shares solved (95 %)\n\n");
    by_point(&mut text, sweep, |arm| with_interval(&arm.solved));
    text.push_str("\n\n## Tokens a task\n\n");
    by_point(&mut text, sweep, |arm| format!("{:.0}", arm.tokens));
    text.push('\n');
    for point in &sweep.points {
        unscored(&mut text, point);
    }
    text
}

/// A table of one figure of each arm at each point.
fn by_point(text: &mut String, sweep: &SweepReport, figure: impl Fn(&ArmReport) -> String) {
    let Some(first) = sweep.points.first() else { return };
    let _ = write!(text, "| {} |", sweep.over.name());
    for arm in &first.arms {
        let _ = write!(text, " {} |", arm.arm.label());
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(first.arms.len()));
    for point in &sweep.points {
        let value = point.setup.simulated.map_or(f64::NAN, |rates| rates.get(sweep.over));
        let _ = write!(text, "\n| {value} |");
        for arm in &point.arms {
            let _ = write!(text, " {} |", figure(arm));
        }
    }
}

fn heading(setup: &Setup, tasks: usize) -> String {
    let mut text = "# Evaluation\n\n".to_owned();
    let many = |n: u32, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let _ = writeln!(
        text,
        "{tasks} tasks of {}, {} each, seed {}.",
        setup.file,
        many(setup.repetitions, "repetition"),
        setup.seed
    );
    let _ = writeln!(text, "Models: {}.", setup.models);
    text
}

fn simulated(text: &mut String, rates: &str) {
    let _ = writeln!(
        text,
        "\nSIMULATED with {rates}: this says how the arms compare if models err so, and nothing of any model."
    );
}

fn unscored(text: &mut String, report: &Report) {
    if report.unscored.is_empty() {
        return;
    }
    let _ = write!(text, "\nNot counted, as their hidden tests could not be run:\n\n");
    for unscored in &report.unscored {
        let _ = writeln!(text, "- {}: {}", unscored.task, unscored.reason);
    }
}

fn measures(text: &mut String, report: &Report) {
    text.push_str("\n## Proposals\n\n| |");
    for arm in &report.arms {
        let _ = write!(text, " {} |", arm.arm.label());
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(report.arms.len()));
    let wanted = |share: Option<f64>, wanted: f64| match share {
        Some(share) => format!("{share:.3}{}", if share > wanted { "" } else { " (low)" }),
        None => NOTHING.to_owned(),
    };
    let counted = |share: Option<super::Share>| {
        let share = share.filter(|share| share.of > 0);
        share.map_or(NOTHING.to_owned(), |share| format!("{} of {}", share.n, share.of))
    };
    let mut row = |name: &str, of: &dyn Fn(&ArmReport) -> String| {
        let _ = write!(text, "\n| {name} |");
        for arm in &report.arms {
            let _ = write!(text, " {} |", of(arm));
        }
    };
    row(&format!("distinct by text (wanted: more than {DISTINCT_WANTED})"), &|arm| {
        wanted(arm.distinct_texts, DISTINCT_WANTED)
    });
    row("distinct by behaviour", &|arm| or_nothing(arm.distinct_behaviours, 3));
    row("revisions accepted", &|arm| counted(Some(arm.revisions)));
    row("judges consistent", &|arm| counted(arm.judges_consistent));
    row(&format!("keywords in the winner (wanted: more than {KEYWORDS_WANTED})"), &|arm| {
        wanted(arm.keywords, KEYWORDS_WANTED)
    });
    row("runs without an acceptable proposal", &|arm| arm.none_acceptable.to_string());
    row("runs without a verdict", &|arm| arm.failures.values().sum::<u32>().to_string());
    text.push('\n');
}

fn failures(text: &mut String, report: &Report) {
    let failed: Vec<&ArmReport> = report.arms.iter().filter(|arm| !arm.failures.is_empty()).collect();
    if failed.is_empty() {
        return;
    }
    text.push_str("\n## Why there was no verdict\n\n");
    for arm in failed {
        for (reason, times) in &arm.failures {
            let _ = writeln!(text, "- {}, {times} times: {reason}", arm.arm.label());
        }
    }
}

fn tasks(text: &mut String, report: &Report) {
    text.push_str(
        "\n## Tasks\n\nThe share of its repetitions in which each arm solved each task.\n\n| task |",
    );
    for arm in &report.arms {
        let _ = write!(text, " {} |", arm.arm.label());
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(report.arms.len()));
    for (task, shares) in &report.solved {
        let _ = write!(text, "\n| {task} |");
        for arm in &report.arms {
            let _ = write!(text, " {} |", or_nothing(shares.get(arm.arm.name()).copied(), 2));
        }
    }
    text.push('\n');
}

fn with_interval(estimate: &Estimate) -> String {
    format!("{:.3} ({:.3} to {:.3})", estimate.mean, estimate.low, estimate.high)
}

fn signed(estimate: &Estimate) -> String {
    // Without a zero below zero.
    let [mean, low, high] =
        [estimate.mean, estimate.low, estimate.high].map(|n| (n * 1000.0).round() / 1000.0 + 0.0);
    format!("{mean:+.3} ({low:+.3} to {high:+.3})")
}

fn or_nothing(value: Option<f64>, decimals: usize) -> String {
    value.map_or(NOTHING.to_owned(), |value| format!("{value:.decimals$}"))
}
