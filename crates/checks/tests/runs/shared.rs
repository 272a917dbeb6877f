//! What runs share: the sandbox, the room for them, and what is remembered of them.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use fleet_checks::RunBounds;
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult};
use fleet_sandbox::Choice;

use crate::{BOUNDS, report, suite};

const RANDOM: &str = "```py\nimport secrets\nprint(secrets.token_hex())\n```";

fn output(result: &CheckResult) -> &str {
    result.run.as_ref().map_or("", |run| run.output.as_str())
}

#[tokio::test]
async fn the_same_code_is_not_run_twice() {
    let suite = suite(Choice::Auto, BOUNDS);
    let mut outputs = Vec::new();
    for proposal in
        [RANDOM.to_owned(), format!("Other words.\n\n{RANDOM}"), RANDOM.replace("print", "\nprint")]
    {
        let report = report(&suite, &proposal, None, 60_000).await;
        outputs.push(output(&report.checks[&CheckKind::DryRun]).to_owned());
    }
    assert_eq!(outputs[0], outputs[1]);
    assert_ne!(outputs[0], outputs[2]);
}

#[tokio::test]
async fn a_fault_that_is_remembered_stands_where_the_code_stands_now() {
    let suite = suite(Choice::Auto, BOUNDS);
    for above in ["", "One.\n\nTwo.\n\n"] {
        let proposal = format!("{above}```py\nx = 1\nprint(y)\n```");
        let report = report(&suite, &proposal, None, 60_000).await;
        let line = 3 + u32::try_from(above.lines().count()).expect("a few");
        assert_eq!(report.checks[&CheckKind::DryRun].faults[0].line, line);
    }
}

#[tokio::test]
async fn what_ran_out_of_time_is_not_remembered() {
    let bounds = RunBounds { dry_run_ms: 1_500, ..BOUNDS };
    let suite = suite(Choice::Auto, bounds);
    let proposal = RANDOM.replace("\n```", "\nimport sys\nsys.stdout.flush()\nwhile True: pass\n```");
    let mut outputs = Vec::new();
    for _ in 0..2 {
        let report = report(&suite, &proposal, None, 60_000).await;
        let result = &report.checks[&CheckKind::DryRun];
        assert_eq!(result.outcome, CheckOutcome::Fail, "{result:?}");
        assert!(result.message.contains("did not end in"), "{}", result.message);
        outputs.push(output(result).to_owned());
    }
    assert_ne!(outputs[0], outputs[1]);
}

#[tokio::test]
async fn where_nothing_may_be_run_it_is_said_and_nothing_is_passed() {
    let off = suite(Choice::Off, BOUNDS);
    let report = report(&off, RANDOM, Some("def test_a(): pass"), 60_000).await;
    for kind in [CheckKind::DryRun, CheckKind::Tests] {
        let result = &report.checks[&kind];
        assert_eq!(result.outcome, CheckOutcome::Skipped, "{result:?}");
        assert_eq!(result.message, "not run: no sandbox: it is turned off");
    }
}

#[tokio::test]
async fn no_more_run_at_once_than_may_and_who_waits_in_vain_is_told() {
    let bounds = RunBounds { at_once: NonZeroUsize::MIN, dry_run_ms: 4_000, tests_ms: 4_000 };
    let suite = suite(Choice::Auto, bounds);
    // So that neither waits for what is found out once.
    report(&suite, "```sh\ntrue\n```", None, 60_000).await;
    let endless = "```sh\nwhile :; do :; done\n```";
    let begun = Instant::now();
    let (first, second) =
        tokio::join!(report(&suite, endless, None, 60_000), report(&suite, RANDOM, None, 1_500));
    let second = &second.checks[&CheckKind::DryRun];
    assert_eq!(second.outcome, CheckOutcome::Error, "{second:?}");
    assert!(second.message.contains("1 runs were at work"), "{}", second.message);
    assert_eq!(first.checks[&CheckKind::DryRun].outcome, CheckOutcome::Fail);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_report_comes_within_the_time_of_the_request() {
    let suite = suite(Choice::Auto, BOUNDS);
    report(&suite, "```sh\ntrue\n```", None, 60_000).await;
    let begun = Instant::now();
    let endless = "```py\nwhile True: pass\n```";
    let report = report(&suite, endless, Some("def test_a(): pass"), 3_000).await;
    assert!(begun.elapsed() < Duration::from_millis(3_000 + 4_000), "{:?}", begun.elapsed());
    // There was less time than there should have been: that is not the code's fault.
    assert_eq!(report.checks[&CheckKind::DryRun].outcome, CheckOutcome::Error, "{report:?}");
}
