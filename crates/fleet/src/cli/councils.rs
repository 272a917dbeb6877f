//! What can be said of councils and their agents: `councils`.

use clap::{Args, Subcommand, ValueEnum};

use super::task::key_value;

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
