//! Prints what a sandbox adds to a command's run: `cargo run --release -p fleet-sandbox --example start_cost`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fleet_sandbox::{Choice, Job, Sandbox, SandboxError};
use tokio::process::Command;

const PROGRAM: &str = "/bin/true";
const RUNS: usize = 200;
const WARM_UP: usize = 10;

fn main() -> ExitCode {
    fleet_sandbox::helper();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(measure())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), String> {
    let mut bare = Vec::new();
    for _ in 0..RUNS + WARM_UP {
        let started = Instant::now();
        let mut command = Command::new(PROGRAM);
        command.output().await.map_err(|error| error.to_string())?;
        bare.push(started.elapsed());
    }
    let bare = Figures::of(bare);
    println!("{:<28} {bare}", "bare");
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        let sandbox = Sandbox::new(choice);
        let job = Job::new(PROGRAM, [""; 0]);
        let mut times = Vec::new();
        for _ in 0..RUNS + WARM_UP {
            let started = Instant::now();
            sandbox.run(&job).await.map_err(|error: SandboxError| error.to_string())?;
            times.push(started.elapsed());
        }
        let level = sandbox.level().await.map_err(|error| error.to_string())?;
        let figures = Figures::of(times);
        let added = figures.median.saturating_sub(bare.median);
        println!("{:<28} {figures}; added {:.1} ms", level.to_string(), ms(added));
    }
    Ok(())
}

struct Figures {
    median: Duration,
    p95: Duration,
}

impl Figures {
    fn of(mut times: Vec<Duration>) -> Self {
        times.drain(..WARM_UP);
        times.sort_unstable();
        Self { median: times[times.len() / 2], p95: times[times.len() * 95 / 100] }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "median {:.1} ms, 95 % within {:.1} ms", ms(self.median), ms(self.p95))
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
