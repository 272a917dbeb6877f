//! Measures the built server from outside, against its targets and against a program that keeps nothing.

mod chain;
mod client;
mod councils;
mod disk;
mod figures;
mod limit;
mod machine;
mod process;
mod report;
mod startup;
mod submissions;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

use crate::process::Programs;
use crate::report::Report;

/// Measures `fleet serve` and writes what it found to docs/performance.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// A short form, for development; nothing is written
    #[arg(long)]
    quick: bool,
    /// Only these parts; nothing is written
    #[arg(long, value_enum)]
    only: Vec<Part>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Submissions,
    Chain,
    Councils,
    Startup,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The program that keeps nothing
    #[command(hide = true)]
    Limit(limit::Arguments),
    /// Councils at a server that runs already, for profiles of it
    Load(councils::Load),
}

/// How long and how often things are measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Repetitions of a part.
    repetitions: usize,
    /// How long submissions are sent, in seconds.
    submit_s: u64,
    /// Deliberations run one at a time.
    lone: usize,
    /// How long councils are run at each number at once, in seconds.
    councils_s: f64,
    /// Starts of the server.
    starts: usize,
    /// Ended deliberations in the state for a start.
    ended: usize,
}

const FULL: Effort =
    Effort { repetitions: 3, submit_s: 20, lone: 40, councils_s: 6.0, starts: 15, ended: 10_000 };
const QUICK: Effort =
    Effort { repetitions: 1, submit_s: 5, lone: 8, councils_s: 3.0, starts: 3, ended: 1_000 };

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    match arguments.role {
        Some(Role::Limit(limit)) => runtime.block_on(limit::run(limit)),
        Some(Role::Load(load)) => runtime.block_on(councils::load(load)),
        None => runtime.block_on(measure(arguments.quick, &arguments.only)),
    }
}

async fn measure(quick: bool, only: &[Part]) -> anyhow::Result<()> {
    let effort = if quick { QUICK } else { FULL };
    let programs = Programs::find()?;
    let dir = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(programs.dir())
        .context("making a folder for state")?;
    let wants = |part| only.is_empty() || only.contains(&part);
    let mut report = Report::new(dir.path())?;

    report.sync("before", disk::syncs(dir.path())?);
    if wants(Part::Submissions) {
        submissions::measure(&programs, dir.path(), effort, &mut report).await?;
        report.sync("after the submissions", disk::syncs(dir.path())?);
    }
    if wants(Part::Chain) {
        chain::measure(&programs, dir.path(), effort, &mut report).await?;
        report.sync("after the lone councils", disk::syncs(dir.path())?);
    }
    if wants(Part::Councils) {
        councils::measure(&programs, dir.path(), effort, &mut report).await?;
        report.sync("after the councils at once", disk::syncs(dir.path())?);
    }
    if wants(Part::Startup) {
        startup::measure(&programs, dir.path(), effort, &mut report).await?;
    }
    report.sync("after", disk::syncs(dir.path())?);

    let text = report.text();
    println!("{text}");
    if !quick && only.is_empty() {
        report::write(&repository().join("docs/performance.md"), &text)?;
    }
    Ok(())
}

/// The repository this program was built from.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Says how far it has come.
fn progress(what: impl std::fmt::Display) {
    eprintln!("bench: {what}");
}
