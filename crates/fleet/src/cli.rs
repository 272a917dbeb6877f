//! What can be said on the command line.

mod back;
mod bounds;
mod councils;
mod deliberations;
mod eval;
mod flags;
mod running;
mod task;

use std::path::PathBuf;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::Flag;
pub use back::{DatasetFormat, DecidedBy, Export, Replay, Verify};
pub use councils::{AgentType, Councils, CouncilsCommand, CreateCouncil, ListCouncils, RegisterAgent};
pub use deliberations::{ById, Cancel, List, ListedStatus, Watch};
pub use eval::Eval;
pub(crate) use flags::in_flags;
pub use running::{Backup, Doctor, Restore, Serve, ShowConfig, ShowModels, ShowStatus};
pub use task::{Deliberate, ModelFlags, Resume, TaskPriority};

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
    Explain(ById),
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
