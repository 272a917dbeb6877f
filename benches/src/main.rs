//! Measures the built server from outside, against its targets and against a program that keeps nothing; and what
//! checks take, by themselves.

mod agents;
mod chain;
mod checks;
mod client;
mod councils;
mod disk;
mod figures;
mod in_flight;
mod ledger;
mod limit;
mod machine;
mod overload;
mod process;
mod report;
mod soak;
mod startup;
mod submissions;
mod trend;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

use crate::process::Programs;
use crate::report::Report;

/// As in `fleet`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures `fleet serve` and writes what it found to docs/performance.md.
#[derive(Debug, Parser)]
struct Arguments {
    /// A short form, for development; nothing is written
    #[arg(long)]
    quick: bool,
    /// Only these parts; a table is written if all of its parts are among them
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
    InFlight,
    Overload,
    Agents,
    Checks,
}

/// The tables of docs/performance.md, by the names of their marks, and the parts in each.
const TABLES: [(&str, &[Part]); 3] = [
    ("measured", &[Part::Submissions, Part::Chain, Part::Councils, Part::Startup]),
    ("load", &[Part::InFlight, Part::Overload, Part::Agents]),
    ("checks", &[Part::Checks]),
];

#[derive(Debug, Subcommand)]
enum Role {
    /// The program that keeps nothing
    #[command(hide = true)]
    Limit(limit::Arguments),
    /// Councils at a server that runs already, for profiles of it
    Load(councils::Load),
    /// A long run at half of what the server can do; writes docs/reliability.md
    Soak(soak::Arguments),
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
    /// Deliberations in flight at once.
    in_flight: usize,
    /// Deliberations of each number of agents.
    councils_of_many: usize,
    /// Starts of each sandbox.
    sandboxes: usize,
    /// Proposals checked in each language.
    checked: usize,
}

const FULL: Effort = Effort {
    repetitions: 3,
    submit_s: 20,
    lone: 40,
    councils_s: 6.0,
    starts: 15,
    ended: 10_000,
    in_flight: 10_000,
    councils_of_many: 20,
    sandboxes: 200,
    checked: 20,
};
const QUICK: Effort = Effort {
    repetitions: 1,
    submit_s: 5,
    lone: 8,
    councils_s: 3.0,
    starts: 3,
    ended: 1_000,
    in_flight: 2_000,
    councils_of_many: 4,
    sandboxes: 40,
    checked: 4,
};

fn main() -> anyhow::Result<()> {
    fleet_sandbox::helper();
    let arguments = Arguments::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    match arguments.role {
        Some(Role::Limit(limit)) => runtime.block_on(limit::run(limit)),
        Some(Role::Load(load)) => runtime.block_on(councils::load(load)),
        Some(Role::Soak(soak)) => runtime.block_on(soak_through(&soak)),
        None => runtime.block_on(measure(arguments.quick, &arguments.only)),
    }
}

async fn measure(quick: bool, only: &[Part]) -> anyhow::Result<()> {
    let effort = if quick { QUICK } else { FULL };
    let programs = Programs::find()?;
    for (table, parts) in TABLES {
        let wanted: Vec<Part> =
            parts.iter().copied().filter(|part| only.is_empty() || only.contains(part)).collect();
        if wanted.is_empty() {
            continue;
        }
        let dir = folder(&programs)?;
        let mut report = Report::new(dir.path())?;
        let stores = wanted.iter().any(|part| *part != Part::Checks);
        if stores {
            report.sync("before", disk::syncs(dir.path())?);
        }
        for part in &wanted {
            run(*part, &programs, dir.path(), effort, &mut report).await?;
        }
        if stores {
            report.sync("after", disk::syncs(dir.path())?);
        }

        let text = report.text();
        println!("{text}");
        if !quick && wanted.len() == parts.len() {
            report::write(&repository().join("docs/performance.md"), table, &text)?;
        }
    }
    Ok(())
}

async fn run(
    part: Part,
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    match part {
        Part::Submissions => {
            submissions::measure(programs, dir, effort, report).await?;
            report.sync("after the submissions", disk::syncs(dir)?);
        }
        Part::Chain => {
            chain::measure(programs, dir, effort, report).await?;
            report.sync("after the lone councils", disk::syncs(dir)?);
        }
        Part::Councils => {
            councils::measure(programs, dir, effort, report).await?;
            report.sync("after the councils at once", disk::syncs(dir)?);
        }
        Part::Startup => startup::measure(programs, dir, effort, report).await?,
        Part::InFlight => in_flight::measure(programs, dir, effort, report).await?,
        Part::Overload => overload::measure(programs, dir, effort, report).await?,
        Part::Agents => agents::measure(programs, dir, effort, report).await?,
        Part::Checks => checks::measure(effort, report).await?,
    }
    Ok(())
}

async fn soak_through(soak: &soak::Arguments) -> anyhow::Result<()> {
    let programs = Programs::find()?;
    let dir = folder(&programs)?;
    let mut report = Report::new(dir.path())?;
    soak::measure(&programs, dir.path(), soak, &mut report).await?;
    let text = report.text();
    println!("{text}");
    if soak.is_whole() {
        report::write(&repository().join("docs/reliability.md"), "soak", &text)?;
    }
    Ok(())
}

/// A folder for state, on the disk the programs lie on.
fn folder(programs: &Programs) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(programs.dir());
    folder.context("making a folder for state")
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
