//! The corpus: of proposals that are known to be good or bad, how many each check tells apart.
//!
//! `known` is what checks are tuned on; `held-out` is not looked at, only counted.

use std::fs;
use std::path::Path;

use fleet_checks::{Policies, Suite};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckReport, Role, Severity, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use toml::de::{DeTable, DeValue};

/// Of the proposals that a check must fail, the least share that it does.
const RECALL_MIN: f64 = 0.95;

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
    let mut task = Task::default();
    if !forbidden.is_empty() {
        task.metadata.insert("forbid".to_owned(), forbidden);
    }
    Proposal { name, fails: words("fails"), rules: words("rules"), task, text: text.to_owned() }
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
            let Some(result) = report.checks.get(&kind) else { continue };
            figures.run |= matches!(result.outcome, CheckOutcome::Pass | CheckOutcome::Fail);
            let failed = result.outcome == CheckOutcome::Fail;
            let name = || {
                let faults: Vec<_> = result.faults.iter().take(3).map(ToString::to_string).collect();
                format!("{} ({}): {}", proposal.name, result.message, faults.join(" | "))
            };
            if proposal.fails.iter().any(|fails| fails == kind.as_str()) {
                let by_rule = result.faults.iter().any(|fault| proposal.rules.contains(&fault.rule));
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
            if proposal.fails.is_empty() && result.faults.iter().any(|fault| fault.severity == Severity::High)
            {
                figures.hard.push(name());
            }
        }
        figures
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

fn figures(folder: &str) -> Vec<(CheckKind, Figures)> {
    let proposals = proposals(folder);
    let suite = Suite::new(Policies::load(None).expect("what is built in is sound"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let role = Role::new("DEV").expect("a role");
    let report = |proposal: &Proposal| {
        let request =
            CheckRequest { proposal: &proposal.text, task: &proposal.task, role: &role, timeout_ms: 60_000 };
        runtime.block_on(suite.check(request))
    };
    let reports: Vec<_> = proposals.iter().map(report).collect();
    let bad = proposals.iter().filter(|proposal| !proposal.fails.is_empty()).count();
    println!("{folder}: {} proposals, {bad} of them bad", proposals.len());
    let all = CheckKind::ALL.map(|kind| (kind, Figures::of(kind, &proposals, &reports)));
    let mut run = Vec::new();
    for (kind, figures) in all {
        if !figures.run {
            println!("  {:<8} not run", kind.as_str());
            continue;
        }
        println!(
            "  {:<8} precision {:.3}, recall {:.3} ({} caught, {} missed, {} passed rightly, {} failed wrongly; {} good \
             ones failed hard)",
            kind.as_str(),
            figures.precision(),
            figures.recall(),
            figures.caught,
            figures.missed.len(),
            figures.right,
            figures.wrongly_failed.len(),
            figures.hard.len(),
        );
        run.push((kind, figures));
    }
    run
}

#[test]
fn on_what_they_are_tuned_on_checks_catch_the_bad_and_let_the_good_pass() {
    for (kind, figures) in figures("known") {
        let kind = kind.as_str();
        for missed in &figures.missed {
            println!("  missed by {kind}: {missed}");
        }
        for wrongly in &figures.wrongly_failed {
            println!("  failed wrongly by {kind}: {wrongly}");
        }
        assert!(figures.recall() >= RECALL_MIN, "{kind} misses {:#?}", figures.missed);
        assert!(figures.hard.is_empty(), "{kind} fails good ones hard: {:#?}", figures.hard);
        assert!(
            figures.wrongly_failed.is_empty(),
            "{kind} fails what it need not: {:#?}",
            figures.wrongly_failed
        );
    }
}

#[test]
fn on_what_they_are_not_tuned_on_they_are_counted() {
    for (kind, figures) in figures("held-out") {
        let kind = kind.as_str();
        let judged = figures.caught + figures.missed.len() + figures.right + figures.wrongly_failed.len();
        assert!(judged > 0, "{kind} has nothing to be counted on");
    }
}
