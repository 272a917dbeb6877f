//! Runs one job: a request as JSON on standard input, how it ended as JSON on standard output.
//!
//! For the tests, which run it as different users, and for trying things out:
//! `echo '{"job": {"program": "id"}}' | fleet-sandbox`

use std::hint::black_box;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use fleet_sandbox::{Choice, Job, Sandbox};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default)]
    choice: Choice,
    folder: Option<PathBuf>,
    landlock_abi_max: Option<u32>,
    job: Job,
}

/// What this program asks for and never uses, in bytes, as allocators do.
const RESERVE: usize = 256 << 20;

fn main() -> ExitCode {
    // What a program keeps in reserve is not to be taken from the commands that it runs.
    let _reserve = black_box(Vec::<u8>::with_capacity(RESERVE));
    fleet_sandbox::helper();
    match run() {
        Ok(ended) => {
            println!("{ended}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fleet-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<serde_json::Value> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let request: Request = serde_json::from_str(&text)?;
    let mut sandbox = Sandbox::new(request.choice);
    if let Some(folder) = request.folder {
        sandbox = sandbox.with_folder(folder);
    }
    if let Some(abi) = request.landlock_abi_max {
        sandbox = sandbox.with_landlock_abi_max(abi);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(sandbox.run(&request.job)) {
        Ok(ended) => json!({ "ended": ended }),
        Err(error) => json!({ "error": chain(&error) }),
    })
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
