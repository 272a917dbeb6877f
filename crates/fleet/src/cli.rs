//! What can be said on the command line.

mod back;
mod bounds;
mod eval;
mod flags;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::config::Flag;
pub use back::{DatasetFormat, DecidedBy, Explain, Export, Replay, Verify};
pub use eval::Eval;
pub(crate) use flags::in_flags;

/// Under which heading the help of every command has the flags that all of them take.
const EVERYWHERE: &str = "Options of every command";

/// A council of language models that proposes, reviews, checks and decides.
///
/// Give it a task; several agents propose in parallel, review each other, revise, every proposal is
/// checked, and the best one wins, with the reason why. Without a model server it uses a simulated model,
/// which shows how everything works and answers nothing for real.
#[derive(Debug, Parser)]
#[command(name = "fleet", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// A configuration file instead of the user's own; `fleet config` shows what is in effect
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// Where histories and answers are kept [default: fleet in the XDG state directory]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub state: Option<String>,
    /// Say nothing on standard error but what went wrong
    #[arg(long, short, global = true, help_heading = EVERYWHERE)]
    pub quiet: bool,
    /// No colors, also on a terminal; NO_COLOR in the environment says the same
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub no_color: bool,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring a task before a council and print the verdict
    ///
    /// Everything runs in this process, unless --server names a running server. With --tests, the code of every
    /// proposal is run against tests of yours, which then count before anything that agents say. Progress goes to standard
    /// error, the result to standard output. An interrupt cancels the run; a second one leaves at once, and
    /// `fleet resume ID` goes on where it was.
    Deliberate(Deliberate),
    /// Go on with a deliberation that was left
    ///
    /// Answers that were recorded are not asked for again, and it goes on with the model it was begun with.
    /// Its deadline still holds (five minutes after the submission, unless it said otherwise).
    Resume(Resume),
    /// Run the server: gRPC, and everything behind it
    Serve(Serve),
    /// Print the result of a deliberation
    Result(ById),
    /// Follow a deliberation until it ends, then print its result
    ///
    /// Its steps go to standard error: live on a terminal, a plain line each elsewhere (none with --json). It
    /// goes on when the server is started anew. With --events every step is a line of JSON on standard output,
    /// for programs: `sequence` numbers the steps from 1 without gaps, `at_ms` says when each was recorded, and
    /// --after goes on behind one.
    Watch(Watch),
    /// Say why the winner won: what decided, checks, reviews, dissent, cost, models, failures
    ///
    /// All of it is read from what was recorded; no model is asked. One that has not ended is explained as far
    /// as it has come. --json prints one object; its keys are in docs/explain.md.
    Explain(Explain),
    /// Fold the history of a deliberation anew, and compare the verdict with the one that was recorded
    ///
    /// No model is asked. A verdict by the rule of this version must come out the same: else the command ends
    /// with 12. One by another rule may differ, and it is shown how. --until shows where it stood at an earlier
    /// moment instead, --events what happened.
    Replay(Replay),
    /// End a deliberation without a verdict
    Cancel(Cancel),
    /// List the deliberations submitted last, newest first
    ///
    /// STATUS says how each stands. LEFT is one that has not ended and that no process works on: `fleet resume
    /// ID` goes on with it, and so does the next `fleet serve`, until its deadline. CANCELLED is one that
    /// somebody ended before there was a verdict; for programs (--json, gRPC) it is FAILED with the error_type
    /// `cancelled`. PENDING, IN_PROGRESS, COMPLETED, FAILED and TIMEOUT are as --status says.
    List(List),
    /// Show how a running server does: health, totals, percentiles, councils
    Status(ShowStatus),
    /// Show the councils, or change them
    ///
    /// The councils of the configuration are there from the start. What is asked for here is kept with the
    /// state, counts over the configuration, and outlives restarts.
    Councils(Councils),
    /// Make a small test call to each profile's servers: time to first token, tokens per second
    Models(ShowModels),
    /// Look at everything a run needs, and say what to do about what is missing
    ///
    /// Looks at the configuration, the state and how durable it is, the running server, and the model servers
    /// of every profile (those of single agents: see councils). Nothing is changed, and no model is called. Ends
    /// with 8 if something does not work.
    Doctor(Doctor),
    /// Compare ways to spend tokens on a file of tasks with hidden tests
    ///
    /// Each task is run in four arms: `one`, a single call; `best`, samples of the same prompt ranked by their checks
    /// alone; `council`, a council that proposes, reviews and revises; `judged`, the same with near ties told apart by
    /// judges. The dearest arm is run first, and `best` draws samples until it has used as many tokens. Then hidden
    /// tests, which no model saw, say which winners are right. The report has the share of tasks that each arm solved
    /// with 95 % intervals, their differences, tokens, time, and what a better choice among the same proposals would
    /// have solved.
    ///
    /// FILE has a JSON object a line: id, language, description, hidden_tests, and if wanted role, rubric,
    /// requirements, keywords, tests, solution, wrong (docs/evaluation.md). Forty tasks in five languages come with
    /// fleet: crates/evaluation/tasks/forty.jsonl.
    ///
    /// With --simulated no model is asked: the simulated model answers with the right and wrong code of the file, by an
    /// error model with three rates, so that one can see how the arms compare if models err so:
    ///
    /// fleet eval forty.jsonl --simulated p=0.6,rho=0.3,q=0.7
    ///
    /// fleet eval forty.jsonl --simulated --sweep p=0.2..0.9/8 --out report
    ///
    /// The report goes to standard output, progress to standard error. Everything is in a state of its own, which is
    /// thrown away unless --state names a directory; then the same command goes on where it was interrupted.
    Eval(Eval),
    /// Show every configuration value in effect, and where it came from
    Config(ShowConfig),
    /// Write the state to one file, whether or not a server works on it
    ///
    /// In it is what was recorded when it began: deliberations with their prompts, answers and verdicts. Keep
    /// it as safe as the state. Not in it are counts of attempts, the configuration, and keys.
    Backup(Backup),
    /// Put a backup in the place of the state, on which no process may work
    ///
    /// The backup is read from end to end before anything is touched. What was open when it was made goes on
    /// at the next start. A state that holds deliberations is refused without --force, which moves it into a
    /// directory beside the new one.
    Restore(Restore),
    /// Look for what was changed, cut off or taken away in what is stored
    ///
    /// Reads every record and answer, and changes nothing; a server may work on the state meanwhile. Ends with
    /// 13 if something is not as it was written. It finds damage and careless changes; it is no signature:
    /// whoever writes all hashes anew is not found.
    Verify(Verify),
    /// Write past deliberations as data to train on
    ///
    /// sft: a chat a line that ends with the winner. dpo: a winner and a loser a line, where something but the
    /// seat tells them apart. jsonl: a whole deliberation a line. The newest come first.
    Export(Export),
    /// Print a script that completes fleet's commands and flags in your shell
    ///
    /// For bash: fleet completions bash > ~/.local/share/bash-completion/completions/fleet
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands into a directory
    ///
    /// To read it: fleet man | man -l -
    Man {
        /// Where one page a command is written
        dir: Option<PathBuf>,
    },
}

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

/// `fleet serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port of the gRPC server [default: 127.0.0.1:50055]; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Jobs done at once [default: 256]
    #[arg(long, value_name = "N")]
    pub slots: Option<u32>,
    /// The models to use.
    #[command(flatten)]
    pub model: ModelFlags,
}

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

/// `fleet councils`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = false)]
pub struct Councils {
    /// What is to be done; without it, the councils are listed.
    #[command(subcommand)]
    pub command: Option<CouncilsCommand>,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// What is to be done with councils.
#[derive(Debug, Subcommand)]
pub enum CouncilsCommand {
    /// List the councils: agents, status, model (as without a command)
    List(ListCouncils),
    /// Make the council of a role
    Create(CreateCouncil),
    /// Take the council of a role away; what it has under way goes on
    Delete {
        /// The role
        role: String,
    },
    /// Give a council another agent, with a model server or a profile of its own
    Register(RegisterAgent),
    /// Take an agent out of its council; what it has under way goes on
    Unregister {
        /// The council's role
        role: String,
        /// The agent's name
        agent: String,
    },
}

/// `fleet councils list`.
#[derive(Debug, Default, Args)]
pub struct ListCouncils {
    /// Only the council of this role, with its agents
    pub role: Option<String>,
    /// Show the agents
    #[arg(long)]
    pub agents: bool,
    /// Print one JSON array, nothing else
    #[arg(long)]
    pub json: bool,
}

/// What agents of a council are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AgentType {
    /// They speak through the simulated model: nothing they say is real.
    Mock,
    /// They speak through a model server.
    Vllm,
}

/// `fleet councils create`.
#[derive(Debug, Args)]
pub struct CreateCouncil {
    /// The role, such as SECURITY
    pub role: String,
    /// How many agents it has, 1 to 64 [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub agents: Option<u32>,
    /// Rounds of review and revision, unless a task says otherwise [default: as the server is configured]
    #[arg(long, value_name = "N")]
    pub rounds: Option<u32>,
    /// No review, unless a task asks for rounds
    #[arg(long, conflicts_with = "rounds")]
    pub no_review: bool,
    /// The model profile its agents speak through: one of the configuration [default: default]
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// What its agents are [default: as the profile is]
    #[arg(long, value_enum, value_name = "TYPE")]
    pub r#type: Option<AgentType>,
    /// Something sent with every request, over the profile's own: temperature=0.2, max_tokens=512, top_p=0.9,
    /// seed=7 or whatever else the model server knows; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = key_value)]
    pub parameter: Vec<(String, String)>,
}

/// `fleet councils register`.
#[derive(Debug, Args)]
pub struct RegisterAgent {
    /// The council's role
    pub role: String,
    /// The agent's name
    pub agent: String,
    /// The base URL of its own server, which speaks the OpenAI API; no key is sent there
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// The model's name as that server knows it
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The model profile it speaks through: one of the configuration
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// How many jobs at once make it busy [default: 1]
    #[arg(long, value_name = "N")]
    pub concurrent: Option<u32>,
    /// A kind of task it is for, for whoever asks; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub task: Vec<String>,
    /// A language it is for, for whoever asks; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub language: Vec<String>,
}

/// `fleet models`.
#[derive(Debug, Args)]
pub struct ShowModels {
    /// Only the servers of this profile; `[model]` is the profile named default
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Only list what the servers serve, without calling a model
    #[arg(long)]
    pub list: bool,
    /// Print one JSON array, nothing else
    #[arg(long)]
    pub json: bool,
    /// The base URL of a server instead of the configured ones of the profile default
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// `fleet status`.
#[derive(Debug, Args)]
pub struct ShowStatus {
    /// Only what ended within so many seconds counts for averages and percentiles [default: all that is kept]
    #[arg(long, value_name = "SECONDS")]
    pub within: Option<u32>,
    /// Print one JSON object, nothing else
    #[arg(long)]
    pub json: bool,
    /// Ask this server [default: the one that works on the state]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// `fleet doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON array, nothing else
    #[arg(long)]
    pub json: bool,
}

/// `fleet config`.
#[derive(Debug, Args)]
pub struct ShowConfig {
    /// Print the reference instead: every key with its meaning and default, as a file to start from
    #[arg(long)]
    pub reference: bool,
}

/// `fleet backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to write
    pub file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// `fleet restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    pub file: PathBuf,
    /// Move aside what the state holds; nothing is deleted
    #[arg(long)]
    pub force: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("say it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads the command line. What help and errors look like must be known before it is read.
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = bounds::said(Cli::command());
    if std::env::args_os().any(|argument| argument == "--no-color") {
        command = command.color(clap::ColorChoice::Never);
    }
    Cli::from_arg_matches(&command.try_get_matches()?)
}

impl Cli {
    /// What the flags say about configuration.
    #[must_use]
    pub fn settings(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        let mut say = |flag: &str, key: &str, value: &Option<String>| {
            if let Some(value) = value {
                flags.push(Flag { flag: flag.into(), key: key.into(), value: value.clone() });
            }
        };
        say("--state", "state.dir", &self.state);
        let model = match &self.command {
            Command::Deliberate(deliberate) => Some(&deliberate.model),
            Command::Eval(eval) => Some(&eval.model),
            Command::Resume(resume) => {
                say("--url", "model.url", &resume.url);
                say("--url", "model.kind", &resume.url.as_ref().map(|_| "openai".into()));
                None
            }
            Command::Models(models) => {
                say("--url", "model.url", &models.url);
                say("--url", "model.kind", &models.url.as_ref().map(|_| "openai".into()));
                None
            }
            Command::Serve(serve) => {
                say("--listen", "server.listen", &serve.listen);
                say("--slots", "worker.slots", &serve.slots.map(|n| n.to_string()));
                Some(&serve.model)
            }
            _ => None,
        };
        if let Some(ModelFlags { model, url }) = model {
            // Whoever names a server or a model does not want what the configuration says of its kind.
            say("--url", "model.url", url);
            say("--url", "model.kind", &url.as_ref().map(|_| "openai".into()));
            match model.as_deref() {
                None => {}
                Some("simulated") => say("--model", "model.kind", &Some("simulated".into())),
                Some(_) => {
                    say("--model", "model.name", model);
                    say("--model", "model.kind", &Some("openai".into()));
                }
            }
        }
        flags
    }
}
