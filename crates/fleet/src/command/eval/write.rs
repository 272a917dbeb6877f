//! Reports, to standard output and into a directory.

use std::path::Path;

use fleet_evaluation::{Arm, Line, Point, Report, Row, SweepReport, lines, markdown, rows, sweep_markdown};
use serde::Serialize;

use crate::cli::Eval;
use crate::show::{print, say};
use crate::{Exit, Problem};

/// Makes the directory of the reports, before anything is spent on them.
pub(super) fn prepare(out: Option<&Path>) -> Result<(), Problem> {
    let Some(out) = out else { return Ok(()) };
    std::fs::create_dir_all(out).map_err(|error| {
        Problem::new(Exit::Refused, format!("--out: {} cannot be made: {error}", out.display()))
    })
}

pub(super) fn report(report: &Report, asked: &Eval) -> anyhow::Result<()> {
    let row = |arm: &fleet_evaluation::ArmReport| Row { arm: arm.arm, share: arm.solved };
    let all: Vec<Row> = report.arms.iter().map(row).collect();
    let tasks = report.tasks;
    let title = match report.setup.simulated {
        Some(rates) => format!("{tasks} tasks, SIMULATED with {rates}"),
        None => format!("{tasks} tasks, {}", report.setup.models),
    };
    write(report, &markdown(report), &rows(&title, &all), asked)
}

pub(super) fn sweep(sweep: &SweepReport, asked: &Eval) -> anyhow::Result<()> {
    let at = |report: &Report| report.setup.simulated.map_or(0.0, |rates| rates.get(sweep.over));
    let line = |arm: Arm| Line {
        arm,
        points: sweep
            .points
            .iter()
            .filter_map(|report| {
                let of_arm = report.arms.iter().find(|other| other.arm == arm)?;
                Some(Point { x: at(report), share: of_arm.solved })
            })
            .collect(),
    };
    let first = sweep.points.first();
    let arms = first.map(|report| report.setup.arms.clone()).unwrap_or_default();
    let all: Vec<Line> = arms.into_iter().map(line).filter(|line| !line.points.is_empty()).collect();
    let ends = (first.map_or(0.0, at), sweep.points.last().map_or(1.0, at));
    let others = first.and_then(|report| report.setup.simulated).map_or(String::new(), |rates| {
        let others = fleet_evaluation::Rate::ALL.into_iter().filter(|rate| *rate != sweep.over);
        others.map(|rate| format!(", {}={}", rate.name(), rates.get(rate))).collect()
    });
    let tasks = first.map_or(0, |report| report.tasks);
    let title = format!("{tasks} tasks, SIMULATED{others}");
    write(sweep, &sweep_markdown(sweep), &lines(&title, sweep.over.label(), ends, &all), asked)
}

fn write(report: &impl Serialize, markdown: &str, plot: &str, asked: &Eval) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(report)? + "\n";
    if let Some(out) = &asked.out {
        for (name, text) in [("report.md", markdown), ("report.json", &json), ("plot.svg", plot)] {
            let path = out.join(name);
            std::fs::write(&path, text).map_err(|error| {
                Problem::new(Exit::Unavailable, format!("{} cannot be written: {error}", path.display()))
            })?;
        }
        say(format_args!("the report is in {}", out.display()));
    }
    match asked.json {
        true => print(&(serde_json::to_string(report)? + "\n")),
        false => print(markdown),
    }
}
