//! The corpus: of proposals that are known to be good or bad, how many each check tells apart.
//!
//! `known` is what checks are tuned on; `held-out` is not looked at, only counted. What this prints stands in
//! `corpus/README.md`, and that of policies in `docs/policies.md`, too.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use fleet_checks::{Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckReport, Role, Severity, TESTS, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::{Choice, Sandbox};
use tokio::task::JoinSet;
use toml::de::{DeTable, DeValue};

/// Of the proposals that a check must fail, the least share that it does.
const RECALL_MIN: f64 = 0.95;
/// Long enough for a busy machine.
const BOUNDS: RunBounds =
    RunBounds { at_once: NonZeroUsize::new(2).expect("two"), dry_run_ms: 30_000, tests_ms: 60_000 };
/// Longer than all of the corpus takes.
const TIMEOUT_MS: u64 = 600_000;

struct Proposal {
    name: String,
    fails: Vec<String>,
    rules: Vec<String>,
    task: Task,
    text: String,
}

fn proposals(folder: &str) -> Vec<Proposal> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let files = fs::read_dir(&folder).expect("the corpus is there");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.iter().map(|path| proposal(path)).collect()
}

fn proposal(path: &Path) -> Proposal {
    let file = fs::read_to_string(path).expect("text");
    let (header, text) =
        file.strip_prefix("+++\n").and_then(|rest| rest.split_once("\n+++\n")).expect("a header");
    let header = DeTable::parse(header).expect("TOML").into_inner();
    let words = |key: &str| match header.get(key).map(|value| value.get_ref()) {
        None if key == "forbid" => Vec::new(),
        Some(DeValue::Array(words)) => {
            words.iter().map(|word| word.get_ref().as_str().expect("a string").to_owned()).collect()
        }
        _ => panic!("{}: `{key}` is a list", path.display()),
    };
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let forbidden = words("forbid").join(", ");
    let text_of = |key: &str| header.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    let mut task = Task { description: text_of("task").expect("a task"), ..Task::default() };
    if let Some(tests) = text_of("tests") {
        task.metadata.insert(TESTS.to_owned(), tests);
    }
    if !forbidden.is_empty() {
        task.metadata.insert("forbid".to_owned(), forbidden);
    }
    Proposal { name, fails: words("fails"), rules: words("rules"), task, text: text.to_owned() }
}

impl Proposal {
    /// Whether it says something of a check. What does not read as its language does not run either.
    fn is_judged_by(&self, kind: CheckKind) -> bool {
        let runs = matches!(kind, CheckKind::DryRun | CheckKind::Tests);
        !runs || !self.fails.iter().any(|fails| fails == "lint")
    }
}

/// How one check did.
#[derive(Default)]
struct Figures {
    caught: usize,
    missed: Vec<String>,
    right: usize,
    wrongly_failed: Vec<String>,
    /// Good proposals with a fault of high severity.
    hard: Vec<String>,
    run: bool,
}

impl Figures {
    fn of(kind: CheckKind, proposals: &[Proposal], reports: &[CheckReport]) -> Figures {
        let mut figures = Figures::default();
        for (proposal, report) in proposals.iter().zip(reports) {
            let Some(result) = report.checks.get(&kind).filter(|_| proposal.is_judged_by(kind)) else {
                continue;
            };
            figures.run |= matches!(result.outcome, CheckOutcome::Pass | CheckOutcome::Fail);
            let failed = result.outcome == CheckOutcome::Fail;
            let name = || {
                let faults: Vec<_> = result.faults.iter().take(3).map(ToString::to_string).collect();
                format!("{} ({}): {}", proposal.name, result.message, faults.join(" | "))
            };
            if proposal.fails.iter().any(|fails| fails == kind.as_str()) {
                let found = |rule: &String| result.faults.iter().any(|fault| fault.rule == *rule);
                let by_rule = match kind {
                    // Every rule that it breaks.
                    CheckKind::Policy => proposal.rules.iter().filter(|rule| rule.contains('/')).all(found),
                    CheckKind::Lint => proposal.rules.iter().any(found),
                    CheckKind::DryRun | CheckKind::Tests => true,
                };
                if failed && by_rule {
                    figures.caught += 1;
                } else {
                    figures.missed.push(name());
                }
            } else if failed {
                figures.wrongly_failed.push(name());
            } else {
                figures.right += 1;
            }
            if proposal.fails.is_empty()
                && failed
                && result.faults.iter().any(|fault| fault.severity == Severity::High)
            {
                figures.hard.push(name());
            }
        }
        figures
    }

    /// The row of the table in the README.
    fn row(&self, folder: &str, kind: CheckKind) -> String {
        let bad = self.caught + self.missed.len();
        let good = self.right + self.wrongly_failed.len();
        format!(
            "| {folder} | {} | {good} | {bad} | {:.3} | {:.3} | {} |",
            kind.as_str(),
            self.precision(),
            self.recall(),
            self.hard.len()
        )
    }

    fn recall(&self) -> f64 {
        share(self.caught, self.missed.len())
    }

    fn precision(&self) -> f64 {
        share(self.caught, self.wrongly_failed.len())
    }
}

fn share(right: usize, wrong: usize) -> f64 {
    if right + wrong == 0 { 1.0 } else { right as f64 / (right + wrong) as f64 }
}

fn reports(proposals: &[Proposal]) -> Vec<CheckReport> {
    let sandbox = Sandbox::new(Choice::Auto).with_helper(env!("CARGO_BIN_EXE_fleet-checks"));
    let policies = Policies::load(None).expect("what is built in is sound");
    // The figures are those of these toolchains, whatever others there are.
    let languages = ["python", "javascript", "bash", "rust", "c"].map(str::to_owned);
    let surroundings = Surroundings { languages: Some(languages.into()), ..Surroundings::default() };
    let suite = Arc::new(Suite::new(policies).with_runs(Runs::new(sandbox, BOUNDS, surroundings)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut checks = JoinSet::new();
        for (nth, proposal) in proposals.iter().enumerate() {
            let (suite, text, task) = (Arc::clone(&suite), proposal.text.clone(), proposal.task.clone());
            checks.spawn(async move {
                let role = Role::new("DEV").expect("a role");
                let request =
                    CheckRequest { proposal: &text, task: &task, role: &role, timeout_ms: TIMEOUT_MS };
                (nth, suite.check(request).await)
            });
        }
        let mut reports = checks.join_all().await;
        reports.sort_by_key(|(nth, _)| *nth);
        reports.into_iter().map(|(_, report)| report).collect()
    })
}

fn figures(folder: &str) -> Vec<(CheckKind, Figures)> {
    let proposals = proposals(folder);
    let reports = reports(&proposals);
    let bad = proposals.iter().filter(|proposal| !proposal.fails.is_empty()).count();
    println!("{folder}: {} proposals, {bad} of them bad", proposals.len());
    let all = CheckKind::ALL.map(|kind| (kind, Figures::of(kind, &proposals, &reports)));
    for (kind, figures) in &all {
        assert!(figures.run, "{} was never run", kind.as_str());
        println!("{}", figures.row(folder, *kind));
    }
    all.into()
}

/// Expects that the figures are those that are told.
fn told(folder: &str, kind: CheckKind, figures: &Figures) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let row = figures.row(folder, kind);
    let readme = fs::read_to_string(root.join("corpus/README.md")).expect("text");
    assert!(readme.contains(&row), "corpus/README.md lacks {row}");
    if kind == CheckKind::Policy {
        let docs = fs::read_to_string(root.join("../../docs/policies.md")).expect("text");
        let bad = figures.caught + figures.missed.len();
        let all = bad + figures.right + figures.wrongly_failed.len();
        let what = if folder == "known" { "known" } else { "kept apart" };
        let row = format!("| {all} {what} | {bad} | {:.3} | {:.3} |", figures.precision(), figures.recall());
        assert!(docs.contains(&row), "docs/policies.md lacks {row}");
    }
}

#[test]
fn on_what_they_are_tuned_on_checks_catch_the_bad_and_let_the_good_pass() {
    let all = figures("known");
    for (kind, figures) in &all {
        let name = kind.as_str();
        for missed in &figures.missed {
            println!("  missed by {name}: {missed}");
        }
        for wrongly in &figures.wrongly_failed {
            println!("  failed wrongly by {name}: {wrongly}");
        }
    }
    for (kind, figures) in &all {
        let name = kind.as_str();
        assert!(figures.recall() >= RECALL_MIN, "{name} misses {:#?}", figures.missed);
        assert!(figures.hard.is_empty(), "{name} fails good ones hard: {:#?}", figures.hard);
        assert!(
            figures.wrongly_failed.is_empty(),
            "{name} fails what it need not: {:#?}",
            figures.wrongly_failed
        );
        told("known", *kind, figures);
    }
}

// Says how many and never which, so that nothing is tuned on them.
#[test]
fn on_what_they_are_not_tuned_on_checks_catch_the_bad_and_fail_no_good_one_hard() {
    for (kind, figures) in figures("held-out") {
        let row = figures.row("held-out", kind);
        assert!(figures.recall() >= RECALL_MIN, "{row}");
        // One good one fails its tests; which, nobody has looked at, and how many, the README says.
        assert!(figures.hard.is_empty() || kind == CheckKind::Tests, "{row}");
        told("held-out", kind, &figures);
    }
}
