//! What can be said of the program itself: `serve`, `models`, `status`, `doctor`, `config`, `backup`, `restore`.

use std::path::PathBuf;

use clap::Args;

use super::ModelFlags;

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
