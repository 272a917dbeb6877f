//! What can be said of deliberations: `result`, `watch`, `cancel`, `list`.

use clap::{Args, ValueEnum};

/// A deliberation by its id.
#[derive(Debug, Args)]
pub struct ById {
    /// The id of the deliberation
    pub id: String,
    /// Print one JSON object, nothing else
    #[arg(long)]
    pub json: bool,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// `fleet watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The id of the deliberation
    pub id: String,
    /// Print the result as one JSON object, nothing else but what --events prints before it
    #[arg(long)]
    pub json: bool,
    /// Print each step as one line of JSON as it comes, and no result unless --json asks for it
    #[arg(long)]
    pub events: bool,
    /// With --events: also print what is being written, as it comes; needs a server
    #[arg(long, requires = "events")]
    pub tokens: bool,
    /// With --events: go on behind the step of this sequence
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0, requires = "events")]
    pub after: u64,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// `fleet cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The id of the deliberation
    pub id: String,
    /// Why, for whoever asks later
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// `fleet list`.
#[derive(Debug, Args)]
pub struct List {
    /// The most to list, 1 to 1000
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Only those that stand so
    #[arg(long, value_enum, ignore_case = true, value_name = "STATUS")]
    pub status: Option<ListedStatus>,
    /// Only those of this role
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Print one JSON array, nothing else
    #[arg(long)]
    pub json: bool,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// How a deliberation stands, for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListedStatus {
    /// Recorded; nothing has come back yet.
    Pending,
    /// Answers are coming in.
    #[value(alias = "in_progress")]
    InProgress,
    /// There is a verdict.
    Completed,
    /// There is none, because too few agents answered or it was cancelled.
    Failed,
    /// There is none, because it was cancelled; these have failed as well.
    Cancelled,
    /// There is none, because the time ran out.
    Timeout,
    /// It has not ended, and no process works on it; these are pending or in progress as well.
    Left,
}
