//! The subcommands, one file each.

mod backup;
mod cancel;
mod config;
mod councils;
mod deliberate;
mod doctor;
mod eval;
mod explain;
mod export;
mod list;
mod log;
mod manual;
mod models;
mod replay;
mod restore;
mod result;
mod resume;
mod serve;
mod status;
mod verify;
mod watch;

use anyhow::Context as _;

use crate::Exit;
use crate::cli::{Cli, Command};
use crate::config::{Environment, Loaded, Sources};

/// The most threads for long checks and for looking up names. More than there are cores, as looking up is
/// mostly waiting; the runtime's own bound of 512 would have as many checks compete for the cores, each with
/// memory of its own.
const BLOCKING_THREADS_MAX: usize = 16;

/// Does what the command line asks for.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    let sources =
        Sources { file: cli.config.clone(), environment: Environment::of_process(), flags: cli.settings() };
    crate::show::quiet(cli.quiet);
    // What says nothing of this machine must work also where the configuration does not.
    match &cli.command {
        Command::Config(show) if show.reference => return config::reference(),
        Command::Completions { shell } => return manual::completions(*shell),
        Command::Man { dir } => return manual::pages(dir.as_deref()),
        _ => {}
    }
    let loaded = Loaded::load(&sources)?;
    log::begin(&loaded.config.log, matches!(cli.command, Command::Serve(_)), cli.no_color)?;
    for warning in &loaded.warnings {
        crate::show::say(format_args!("fleet: warning: {warning}"));
    }
    // Two providers of cryptography in one process refuse to start; this is the one.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .context("starting the runtime")?;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Deliberate(deliberate) => deliberate::run(&loaded, deliberate).await,
            Command::Resume(resume) => resume::run(&loaded, resume).await,
            Command::Serve(_) => serve::run(&loaded).await,
            Command::Result(by_id) => result::run(&loaded, by_id).await,
            Command::Watch(watch) => watch::run(&loaded, watch).await,
            Command::Explain(explain) => explain::run(&loaded, explain).await,
            Command::Replay(replay) => replay::run(&loaded, replay).await,
            Command::Cancel(cancel) => cancel::run(&loaded, cancel).await,
            Command::List(list) => list::run(&loaded, list).await,
            Command::Models(models) => models::run(&loaded, models).await,
            Command::Doctor(doctor) => doctor::run(&loaded, doctor).await,
            Command::Eval(eval) => eval::run(loaded, eval).await,
            Command::Status(status) => status::run(&loaded, status).await,
            Command::Councils(councils) => councils::run(&loaded, councils).await,
            Command::Backup(backup) => backup::run(&loaded, backup).await,
            Command::Verify(verify) => verify::run(&loaded, verify).await,
            Command::Export(export) => export::run(&loaded, export).await,
            Command::Restore(restore) => restore::run(&loaded, restore).await,
            Command::Config(_) | Command::Completions { .. } | Command::Man { .. } => config::run(&loaded),
        }
    });
    // Whoever leaves at once does not wait for what still reads or writes.
    runtime.shutdown_background();
    exit
}
