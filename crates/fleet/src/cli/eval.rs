//! What can be said of `fleet eval`.

use std::path::PathBuf;

use clap::{Args, value_parser};
use fleet_evaluation::{Arm, Rates, Sweep};

use super::ModelFlags;

/// `fleet eval`.
#[derive(Debug, Args)]
pub struct Eval {
    /// The tasks, a JSON object a line
    pub file: PathBuf,
    /// The arms to run: one, best, council, judged [default: all]
    #[arg(long, value_name = "ARMS", value_delimiter = ',')]
    pub arms: Vec<Arm>,
    /// How often each task is run in each arm
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Only the first so many tasks of the file
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// What the intervals, and what the error model draws, depend on
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many agents sit in the councils [default: the whole council]
    #[arg(long, value_name = "N")]
    pub agents: Option<u32>,
    /// Rounds of review and revision in the councils, 1 to 10 [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
    /// Judges of arm judged, an odd number up to 9 [default: as configured, 3]
    #[arg(long, value_name = "N")]
    pub judges: Option<u32>,
    /// The longest one deliberation may take, 1 to 86400 seconds [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// How many tasks are run at once; the arms of a task follow each other
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u32).range(1..=64))]
    pub parallel: u32,
    /// Ask no model; the simulated model errs with these rates, such as p=0.6,rho=0.3,q=0.7 (the defaults): how likely
    /// an attempt is right, how strongly errors are correlated, how likely reviewers and judges are right
    #[arg(
        long, value_name = "RATES", num_args = 0..=1, default_missing_value = "",
        conflicts_with_all = ["model", "url"]
    )]
    pub simulated: Option<Rates>,
    /// Vary one rate from a value to another over so many points, such as p=0.2..0.9/8, rho=0..1/5 or q=0.5..1/6
    #[arg(long, value_name = "SWEEP", requires = "simulated")]
    pub sweep: Option<Sweep>,
    /// Write report.md, report.json and plot.svg into a directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the report as one JSON object, nothing else
    #[arg(long)]
    pub json: bool,
    /// The models to use.
    #[command(flatten)]
    pub model: ModelFlags,
}
