//! The subcommands, one file each.

mod cancel;
mod config;
mod deliberate;
mod list;
mod result;
mod resume;
mod serve;
mod watch;

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::Exit;
use crate::cli::{Cli, Command};
use crate::config::{Environment, Loaded, Sources};

/// Does what the command line asks for.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    let sources =
        Sources { file: cli.config.clone(), environment: Environment::of_process(), flags: cli.settings() };
    if let Command::Config(show) = &cli.command
        && show.reference
    {
        return config::reference();
    }
    let loaded = Loaded::load(&sources)?;
    for warning in &loaded.warnings {
        crate::show::say(format_args!("fleet: warning: {warning}"));
    }
    log(matches!(cli.command, Command::Serve(_)))?;
    // Two providers of cryptography in one process refuse to start; this is the one.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Deliberate(deliberate) => deliberate::run(&loaded, deliberate).await,
            Command::Resume(resume) => resume::run(&loaded, resume).await,
            Command::Serve(_) => serve::run(&loaded).await,
            Command::Result(by_id) => result::run(&loaded, by_id).await,
            Command::Watch(watch) => watch::run(&loaded, watch).await,
            Command::Cancel(cancel) => cancel::run(&loaded, cancel).await,
            Command::List(list) => list::run(&loaded, list).await,
            Command::Config(_) => config::run(&loaded),
        }
    });
    // Whoever leaves at once does not wait for what still reads or writes.
    runtime.shutdown_background();
    exit
}

/// Logs to standard error; `FLEET_LOG` says what, in the words of tracing's `EnvFilter`.
fn log(serving: bool) -> anyhow::Result<()> {
    let filter = match std::env::var("FLEET_LOG") {
        Ok(said) if !said.is_empty() => EnvFilter::try_new(&said)
            .map_err(|error| crate::Problem::new(Exit::Refused, format!("FLEET_LOG is {said:?}: {error}")))?,
        _ if serving => EnvFilter::new("info"),
        _ => EnvFilter::new("error"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
