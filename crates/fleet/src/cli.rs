//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Flag;

/// A council of language models that proposes, reviews, checks and decides.
///
/// Give it a task; several agents propose in parallel, review each other, revise, every proposal is
/// checked, and the best one wins, with the reason why. Without a model server it uses a simulated model,
/// which shows how everything works and answers nothing for real.
#[derive(Debug, Parser)]
#[command(name = "fleet", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// A configuration file instead of the user's own; `fleet config` shows what is in effect
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where histories and answers are kept [default: fleet in the XDG state directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<String>,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring a task before a council and print the verdict
    ///
    /// Everything runs in this process, unless --server names a running server. Progress goes to standard
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
    /// It goes on when the server is started anew. With --events every step is a line of JSON on standard
    /// output, for programs: `sequence` numbers the steps from 1 without gaps, and --after goes on behind one.
    Watch(Watch),
    /// End a deliberation without a verdict
    Cancel(Cancel),
    /// List the deliberations submitted last, newest first
    ///
    /// LEFT is one that has not ended and that no process works on; `fleet resume ID` goes on with it.
    List(List),
    /// Show every configuration value in effect, and where it came from
    Config(ShowConfig),
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
    /// The council's role: DEV, QA, ARCHITECT, DEVOPS, DATA, or one of the configuration
    #[arg(long, default_value = "DEV")]
    pub role: String,
    /// How many agents work on it, 1 to 64; more than the council has adds temporary ones
    /// [default: the whole council]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub agents: Option<u32>,
    /// Rounds of review and revision, 0 to 10 [default: 1]
    #[arg(long, value_name = "N")]
    pub rounds: Option<u32>,
    /// How proposals are to be judged
    #[arg(long, value_name = "TEXT")]
    pub rubric: Option<String>,
    /// Something every proposal must fulfil; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub require: Vec<String>,
    /// Further context for the agents; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub metadata: Vec<(String, String)>,
    /// The longest it may take [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
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
    /// Print one JSON array, nothing else
    #[arg(long)]
    pub json: bool,
    /// Ask a running server [default: the one that works on the state, if there is one]
    #[arg(long, value_name = "ADDRESS")]
    pub server: Option<String>,
}

/// `fleet config`.
#[derive(Debug, Args)]
pub struct ShowConfig {
    /// Print the reference instead: every key with its meaning and default, as a file to start from
    #[arg(long)]
    pub reference: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("say it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
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
            Command::Resume(resume) => {
                say("--url", "model.url", &resume.url);
                say("--url", "model.kind", &resume.url.as_ref().map(|_| "openai".into()));
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
