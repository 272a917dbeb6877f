//! Checks one proposal: its Markdown on standard input, the report as JSON on standard output.
//!
//! For the tests, whose sandboxes it is started again for, and for trying things out:
//! `fleet-checks tests.py < proposal.md`, with the tests of a task where a file names them.

use std::io::{self, Read};
use std::process::ExitCode;

use fleet_checks::{Linters, Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{Role, TESTS, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::{Choice, Sandbox};

const TIMEOUT_MS: u64 = 60_000;

fn main() -> ExitCode {
    fleet_sandbox::helper();
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fleet-checks: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<String> {
    let mut proposal = String::new();
    io::stdin().read_to_string(&mut proposal)?;
    let mut task = Task::default();
    if let Some(tests) = std::env::args_os().nth(1) {
        task.metadata.insert(TESTS.to_owned(), std::fs::read_to_string(tests)?);
    }
    let role = Role::new("DEV")?;
    let runs = Runs::new(Sandbox::new(Choice::Auto), RunBounds::default(), Surroundings::default());
    let suite = Suite::new(Policies::load(None)?).with_runs(runs.clone()).with_linters(Linters::new(runs));
    let request = CheckRequest { proposal: &proposal, task: &task, role: &role, timeout_ms: TIMEOUT_MS };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(serde_json::to_string_pretty(&runtime.block_on(suite.check(request)))?)
}
