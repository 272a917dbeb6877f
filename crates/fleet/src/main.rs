//! The command `fleet`.

use std::process::ExitCode;

use fleet::command;

/// Answers are many small texts that live on other threads than they were read on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Started again by a sandbox, this is the sandbox, and goes no further.
    fleet_sandbox::helper();
    let cli = match fleet::cli::parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match command::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let (exit, message) = fleet::Problem::report(&error);
            fleet::complain(format_args!("fleet: {message}"));
            exit.into()
        }
    }
}
