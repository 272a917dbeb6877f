//! What checks take: those that read a proposal in the process, the start of a sandbox, and all of them with code
//! that is run.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fleet_checks::{Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{CheckOutcome, Role, TESTS, Task};
use fleet_orchestrator::port::{CheckRequest, Checker as _};
use fleet_sandbox::{Choice, Job, Sandbox};
use tokio::process::Command;

use crate::figures::{Figures, ms};
use crate::report::{Report, Row};
use crate::{Effort, progress};

const PROPOSAL_BYTES: usize = 10 * 1024;
/// How often a proposal is read, of which the median counts.
const READINGS: usize = 20;
const PROGRAM: &str = "/bin/true";
/// Starts before those that count.
const WARM_UP: usize = 10;
/// More than any check takes.
const CHECK_MS_MAX: u64 = 60_000;

/// One function with one test in each language that is run: its tag, code, test.
const PROGRAMS: [(&str, &str, &str); 5] = [
    ("python", "def double(n):\n    return 2 * n", "def test_double(): assert double(2) == 4"),
    (
        "javascript",
        "function double(n) {\n  return 2 * n;\n}",
        "test('double', () => assert.equal(double(2), 4));",
    ),
    (
        "bash",
        "double() {\n  echo $((2 * $1))\n}",
        "test_double() {\n  source \"$SOLUTION\"\n  [ \"$(double 2)\" = 4 ]\n}",
    ),
    (
        "rust",
        "pub fn double(n: u64) -> u64 {\n    2 * n\n}",
        "use super::*;\n#[test]\nfn doubles() {\n    assert_eq!(double(2), 4);\n}",
    ),
    (
        "c",
        "int twice(int n) {\n    return 2 * n;\n}",
        "void test_twice(void) {\n    assert(twice(2) == 4);\n}",
    ),
];

pub(crate) async fn measure(effort: Effort, report: &mut Report) -> anyhow::Result<()> {
    read(report)?;
    let bare = bare(effort).await?;
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        started(choice, effort, &bare, report).await?;
    }
    for program in PROGRAMS {
        checked(program, effort, report).await?;
    }
    Ok(())
}

/// Policies, lint and sketch of proposals that are put together from the corpus.
fn read(report: &mut Report) -> anyhow::Result<()> {
    let proposals = proposals()?;
    progress(format_args!("{READINGS} readings of {} proposals", proposals.len()));
    let suite = Suite::new(Policies::load(None)?);
    let read = |proposal: &String| {
        let begun = Instant::now();
        let _ = suite.run(proposal);
        begun.elapsed()
    };
    proposals.first().map(read);
    let medians = proposals
        .iter()
        .map(|proposal| Figures::of_times((0..READINGS).map(|_| read(proposal))).median())
        .collect();
    report.row(Row {
        name: "policies and lint of 10 KB, in the process".into(),
        value: format!("{:.1} ms", Figures::new(medians).spread()),
        target: "< 10 ms".into(),
        note: format!("{} proposals put together from the corpus, on one thread", proposals.len()),
    });
    Ok(())
}

fn proposals() -> anyhow::Result<Vec<String>> {
    let folder = crate::repository().join("crates/checks/corpus/known");
    let files = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = files.map(|file| file.map(|file| file.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let mut proposals = vec![String::new()];
    for path in paths {
        let file = fs::read_to_string(path)?;
        let text = file.splitn(3, "+++\n").nth(2).unwrap_or_default();
        match proposals.last_mut() {
            Some(last) if last.len() < PROPOSAL_BYTES => last.push_str(text),
            _ => proposals.push(text.to_owned()),
        }
    }
    Ok(proposals)
}

async fn bare(effort: Effort) -> anyhow::Result<Figures> {
    let mut times = Vec::new();
    for _ in 0..effort.sandboxes + WARM_UP {
        let started = Instant::now();
        Command::new(PROGRAM).output().await.context("starting a command")?;
        times.push(started.elapsed());
    }
    Ok(Figures::of_times(times.into_iter().skip(WARM_UP)))
}

async fn started(choice: Choice, effort: Effort, bare: &Figures, report: &mut Report) -> anyhow::Result<()> {
    let sandbox = Sandbox::new(choice);
    let level = sandbox.level().await?;
    progress(format_args!("{} starts of {level}", effort.sandboxes));
    let job = Job::new(PROGRAM, [""; 0]);
    let mut times = Vec::new();
    for _ in 0..effort.sandboxes + WARM_UP {
        let started = Instant::now();
        sandbox.run(&job).await?;
        times.push(started.elapsed());
    }
    let times = Figures::of_times(times.into_iter().skip(WARM_UP));
    report.row(Row {
        name: format!("a command in {level}, added to running it bare"),
        value: format!("{:.1} ms", times.median() - bare.median()),
        target: "< 40 ms".into(),
        note: format!(
            "median {:.1} against {:.1} ms, p95 {:.1} against {:.1} ms",
            times.median(),
            bare.median(),
            times.at(0.95),
            bare.at(0.95)
        ),
    });
    Ok(())
}

/// All checks of a short proposal, with a dry run and a given test. The texts differ, as what was run is remembered.
async fn checked(
    (tag, code, test): (&str, &str, &str),
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    progress(format_args!("{} proposals in {tag}", effort.checked));
    let runs = Runs::new(Sandbox::new(Choice::Auto), RunBounds::default(), Surroundings::default());
    let suite = Suite::new(Policies::load(None)?).with_runs(runs);
    let (comment, role) = (if matches!(tag, "python" | "bash") { "#" } else { "//" }, Role::new("DEV")?);
    let metadata = [(TESTS.to_owned(), test.to_owned())].into();
    let task = Task { description: "Double a number".into(), metadata, ..Task::default() };
    let mut times: Vec<Duration> = Vec::new();
    for n in 0..=effort.checked {
        let proposal = format!("```{tag}\n{comment} {n}\n{code}\n```\n");
        let begun = Instant::now();
        let request =
            CheckRequest { proposal: &proposal, task: &task, role: &role, timeout_ms: CHECK_MS_MAX };
        let checks = suite.check(request).await.checks;
        times.push(begun.elapsed());
        let failed = checks.values().find(|check| check.outcome != CheckOutcome::Pass);
        ensure!(failed.is_none(), "a right proposal in {tag} did not pass: {failed:?}");
    }
    // The first one looks for the toolchains.
    let first = ms(times[0]);
    let times = Figures::of_times(times.into_iter().skip(1));
    report.row(Row {
        name: format!("all checks of a function in {tag} with a test"),
        value: format!("{:.0} ms", times.spread()),
        target: String::new(),
        note: format!("dry run and test side by side, each in a sandbox; the first one {first:.0} ms"),
    });
    Ok(())
}
