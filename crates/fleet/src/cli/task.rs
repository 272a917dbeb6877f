//! What can be said of a task: `deliberate`, `resume`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `fleet deliberate`.
#[derive(Debug, Args)]
pub struct Deliberate {
    /// The task; `-` reads it from standard input
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub task: Option<String>,
    /// Read the task from a file
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The council's role: DEV, QA, ARCHITECT, DEVOPS, DATA, or another that has a council, by the
    /// configuration or by `fleet councils create`
    #[arg(long, default_value = "DEV")]
    pub role: String,
    /// How many agents work on it, 1 to 64; more than the council has adds temporary ones
    /// [default: the whole council]
    #[arg(long, value_name = "N")]
    pub agents: Option<u32>,
    /// Rounds of review and revision, 0 to 10 [default: 1]
    #[arg(long, value_name = "N")]
    pub rounds: Option<u32>,
    /// Judges that compare each pair of near ties, blind and in both orders; an odd number up to 9, or 0 for none
    /// [default: 3]
    #[arg(long, value_name = "N")]
    pub judges: Option<u32>,
    /// Near ties that are told apart at most, 2 to 8 [default: 2]
    #[arg(long, value_name = "N")]
    pub top_k: Option<u32>,
    /// Agents that write tests for each other's proposals where the task brings none, up to 8 [default: 0]
    #[arg(long, value_name = "N")]
    pub test_writers: Option<u32>,
    /// Leave the near ties that judges leave to the rule, rather than to an ARCHITECT agent
    #[arg(long)]
    pub no_architect: bool,
    /// The most tokens it may take, prompts and answers together; what does not fit is left out, judges first
    /// [default: no bound]
    #[arg(long, value_name = "N")]
    pub budget_tokens: Option<u64>,
    /// The most it may cost, in the unit of the prices of its models (price_prompt, price_completion)
    /// [default: no bound]
    #[arg(long, value_name = "AMOUNT")]
    pub budget_money: Option<f64>,
    /// How proposals are to be judged
    #[arg(long, value_name = "TEXT")]
    pub rubric: Option<String>,
    /// Something every proposal must fulfil; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub require: Vec<String>,
    /// Further context for the agents; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub metadata: Vec<(String, String)>,
    /// A file of tests that the code of every proposal is run against, in a sandbox (docs/checks.md); the same as
    /// --metadata tests=TEXT
    #[arg(long, value_name = "FILE")]
    pub tests: Option<PathBuf>,
    /// The longest it may take, 1 to 86400 seconds [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Who goes first where not all can be served at once [default: normal]
    #[arg(long, value_enum, value_name = "PRIORITY")]
    pub priority: Option<TaskPriority>,
    /// An id of your own: the same task under the same id is one deliberation [default: a new one]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Print one JSON object with the keys of the event deliberation.completed (or .failed), nothing else
    #[arg(long)]
    pub json: bool,
    /// The models to use.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Let a running server do it
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["model", "url"])]
    pub server: Option<String>,
}

/// Who goes first where not all can be served at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TaskPriority {
    /// After all others.
    Low,
    /// As most are.
    Normal,
    /// Before all others.
    High,
}

/// Which model to use.
#[derive(Debug, Args)]
pub struct ModelFlags {
    /// The model's name as its server knows it; `simulated` uses the built-in simulated model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The base URL of a server that speaks the OpenAI API [default: one found on a usual local port]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// `fleet resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// The id of the deliberation
    pub id: String,
    /// Print one JSON object, nothing else
    #[arg(long)]
    pub json: bool,
    /// The server of the model it was begun with [default: one found on a usual local port]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("say it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
