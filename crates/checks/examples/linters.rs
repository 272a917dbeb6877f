//! What the linters of this machine say of the corpus, and how long each takes for a proposal.
//!
//! `linters PATH` looks for them in the folders of `PATH` instead of those of the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use fleet_checks::{Linters, Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult, Role, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::{Choice, Sandbox};

const ROUNDS: usize = 20;
const TIMEOUT_MS: u64 = 60_000;

/// A block for each linter, long enough to be one of a proposal.
const BLOCKS: [(&str, &str, &str); 6] = [
    ("ruff", "python", "def f(a):\n    return [a, a]\n\n\n"),
    ("shellcheck", "bash", "f() {\n  printf '%s\\n' \"$1\"\n}\n\n"),
    ("hadolint", "dockerfile", "FROM debian:12\nRUN true && true\n"),
    ("yamllint", "yaml", "- a: 1\n  b: [2, 3]\n"),
    ("rustfmt", "rust", "pub fn f(a: u32) -> u32 {\n    a + 1\n}\n\n"),
    ("biome", "javascript", "export const f = (a) => {\n  return a + 1;\n};\n"),
];
const LINES: usize = 100;

fn main() -> anyhow::Result<()> {
    fleet_sandbox::helper();
    let path = env::args_os().nth(1).or_else(|| env::var_os("PATH")).unwrap_or_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        for found in Linters::on_path(runs(), path.clone()).found().await {
            println!("{found:?}");
        }
        for (name, tag, code) in BLOCKS {
            time(name, tag, code, &path).await?;
        }
        corpus(&path).await
    })
}

fn runs() -> Runs {
    Runs::new(Sandbox::new(Choice::Auto), RunBounds::default(), Surroundings::default())
}

async fn lint(suite: &Suite, proposal: &str) -> anyhow::Result<CheckResult> {
    let (task, role) = (Task::default(), Role::new("DEV")?);
    let mut report =
        suite.check(CheckRequest { proposal, task: &task, role: &role, timeout_ms: TIMEOUT_MS }).await;
    report.checks.remove(&CheckKind::Lint).ok_or_else(|| anyhow::anyhow!("no lint check"))
}

/// Times one linter, the sandbox included, over proposals that differ, so that none was seen before.
async fn time(name: &str, tag: &str, code: &str, path: &OsString) -> anyhow::Result<()> {
    let suite = Suite::new(Policies::load(None)?).with_linters(Linters::on_path(runs(), path));
    let body = code.repeat(LINES / code.lines().count());
    let comment = if tag == "rust" || tag == "javascript" { "//" } else { "#" };
    let mut times = Vec::new();
    let mut said = String::new();
    for round in 0..=ROUNDS {
        let proposal = format!("```{tag}\n{comment} {round}\n{body}```\n");
        let begun = Instant::now();
        said = lint(&suite, &proposal).await?.message;
        times.push(begun.elapsed());
    }
    // The first also looks for it.
    times.remove(0);
    times.sort();
    println!("{name}: median {:.0?}, longest {:.0?}; {said}", times[ROUNDS / 2], times[ROUNDS - 1]);
    Ok(())
}

/// Of how many proposals of the corpus the outcome of lint is another with linters, and what they find.
async fn corpus(path: &OsString) -> anyhow::Result<()> {
    let suite = Suite::new(Policies::load(None)?).with_linters(Linters::on_path(runs(), path));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/known");
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<anyhow::Result<_>>()?;
    files.sort();
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    let (mut good, mut with_advice) = (0, 0);
    for file in files {
        let text = fs::read_to_string(&file)?;
        let text = text.splitn(3, "+++\n").nth(2).unwrap_or_default();
        let before = suite.run(text).checks.remove(&CheckKind::Lint).map(|result| result.outcome);
        let result = lint(&suite, text).await?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if Some(result.outcome) != before {
            println!("{name}: {before:?} is {:?} with linters: {}", result.outcome, result.message);
        }
        if result.message.contains("no result") || result.message.contains("not run: it") {
            println!("{name}: {}", result.message);
        }
        let found: Vec<_> = result.faults.iter().filter(|fault| fault.rule.contains('/')).collect();
        if before == Some(CheckOutcome::Pass) {
            good += 1;
            with_advice += usize::from(!found.is_empty());
        }
        for fault in found {
            println!("{name}:{}: {}: {}", fault.line, fault.message, fault.excerpt);
            *rules.entry(fault.rule.clone()).or_default() += 1;
        }
    }
    println!("{with_advice} of {good} proposals that pass have something listed; by rule: {rules:?}");
    Ok(())
}
