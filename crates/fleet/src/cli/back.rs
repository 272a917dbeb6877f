//! What can be said of the past, beside `explain`: `replay`, `verify`, `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fleet_deliberation::Timestamp;

/// `fleet replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The id of the deliberation
    pub id: String,
    /// Show where it stood after the event of this sequence: lanes, steps, scores, what was waited for
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    pub until: Option<u64>,
    /// List the events, one a line, with sequence and time; those up to --until, if it is given
    #[arg(long)]
    pub events: bool,
    /// Print one JSON object, nothing else
    #[arg(long)]
    pub json: bool,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// `fleet verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Look at a file that `fleet backup` made instead of the state
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Print one JSON object, nothing else
    #[arg(long)]
    pub json: bool,
}

/// `fleet export`.
#[derive(Debug, Args)]
pub struct Export {
    /// What is written
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: DatasetFormat,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Only those of this role
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Only those submitted at this time or later, as 2026-11-21 or 2026-11-21T08:00:00Z; a day begins in UTC
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Timestamp>,
    /// Only those submitted before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Timestamp>,
    /// Only what was decided by this; with dpo, pair by pair
    #[arg(long, value_enum, value_name = "WHAT")]
    pub decided_by: Option<DecidedBy>,
    /// The most deliberations to write
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// What an export writes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DatasetFormat {
    /// A chat: system, user, and the winner as the assistant
    Sft,
    /// A prompt with the winner as chosen and a loser as rejected
    Dpo,
    /// A whole deliberation
    Jsonl,
}

/// What a deliberation was decided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DecidedBy {
    /// Checks: syntax, policies, tests
    Checks,
}

/// A moment: a day in UTC, or RFC 3339.
fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.contains(['T', 't', ' ']) { text.to_owned() } else { format!("{text}T00:00:00Z") };
    fleet_orchestrator::from_rfc3339(&whole)
        .ok_or_else(|| "say it as 2026-11-21 or 2026-11-21T08:00:00Z, not before 1970".to_owned())
}
