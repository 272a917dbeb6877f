//! The command `fleet`.

use std::process::ExitCode;

use clap::Parser as _;
use fleet::cli::Cli;
use fleet::command;

/// Answers are many small texts that live on other threads than they were read on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let (exit, message) = fleet::Problem::report(&error);
            fleet::complain(format_args!("fleet: {message}"));
            exit.into()
        }
    }
}
