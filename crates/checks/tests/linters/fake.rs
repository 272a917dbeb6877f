//! Linters that do not do their work, and machines that have none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use fleet_checks::{LinterFound, Linters};
use fleet_sandbox::Choice;
use tempfile::TempDir;

use crate::{TIMEOUT_MS, alone, block, lint_within, runs, suite};

/// A machine with one linter: a script that says its version, and otherwise does this.
fn machine(name: &str, does: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
    let script =
        format!("#!/bin/bash\nif [ \"$1\" = --version ]; then echo '{name} 9.8.7'; exit; fi\n{does}\n");
    install(folder.path(), name, &script);
    folder
}

fn install(folder: &Path, name: &str, script: &str) {
    let file = folder.join(name);
    fs::write(&file, script).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
}

/// Blocks of each language for which there is a linter.
const BLOCKS: [(&str, &str, &str); 5] = [
    ("ruff", "py", "x = 1"),
    ("shellcheck", "sh", "echo x"),
    ("hadolint", "docker", "FROM debian:12"),
    ("yamllint", "yaml", "a: 1"),
    ("biome", "js", "f();"),
];

/// That such a linter leaves the result as it was, and what it says of it.
async fn said(name: &str, tag: &str, code: &str, does: &str, timeout_ms: u64) -> String {
    let folder = machine(name, does);
    let proposal = block(tag, code);
    let (result, before) =
        (lint_within(&suite(Choice::Auto, folder.path()), &proposal, timeout_ms).await, alone(&proposal));
    assert_eq!(result.outcome, before.outcome, "{}", result.message);
    assert_eq!((&result.faults, &result.tools), (&before.faults, &before.tools), "{}", result.message);
    let said = result.message.strip_prefix(&before.message).expect("what is read here stands first");
    said.strip_prefix(&format!("; {name} 9.8.7 gave no result: ")).unwrap_or(said).to_owned()
}

#[tokio::test]
async fn what_cannot_be_read_is_no_result() {
    const UNREADABLE: &str = "its output cannot be read: ";
    for (name, tag, code) in BLOCKS {
        for does in [
            "echo nonsense",
            "echo nonsense; exit 1",
            "exit 1",
            "echo '[{}]'; exit 1",
            "echo '{\"comments\": 1}'",
            "head -c 1000 /dev/zero; exit 1",
        ] {
            let said = said(name, tag, code, does, TIMEOUT_MS).await;
            assert!(said.starts_with(UNREADABLE), "{name}: {does}: {said}");
        }
    }
    let diagnostic = |file: &str, row: usize| {
        let place = format!("\"location\": {{\"row\": {row}, \"column\": 1}}");
        format!(
            "echo '[{{\"code\": \"B006\", \"filename\": \"{file}\", {place}, \"message\": \"m\"}}]'; exit 1"
        )
    };
    for (does, why) in [
        (diagnostic("/etc/passwd", 1), "it speaks of /etc/passwd"),
        (diagnostic("b1.py", 1), "it speaks of b1.py"),
        (diagnostic("b0.py", 7), "it speaks of line 7 of 1"),
        (diagnostic("b0.py", 0), "it speaks of line 0 of 1"),
        ("echo '[]'; exit 1".to_owned(), "it says that it found something, and not what"),
        ("printf '[\\xff]'".to_owned(), ""),
    ] {
        let said = said("ruff", "py", "x = 1", &does, TIMEOUT_MS).await;
        assert!(said.contains(why), "{does}: {said}");
    }
}

#[tokio::test]
async fn a_crash_is_no_result() {
    let said_of = |does: &'static str| said("ruff", "py", "x = 1", does, TIMEOUT_MS);
    assert_eq!(said_of("echo boom >&2; exit 3").await, "exit code 3 (boom)");
    assert_eq!(said_of("kill -SEGV $$").await, "signal 11");
    assert_eq!(said_of("exit 2").await, "exit code 2");
}

#[tokio::test]
async fn a_flood_is_no_result() {
    for does in ["yes", "head -c 4000000 /dev/zero | tr '\\0' x; yes >&2"] {
        let said = said("ruff", "py", "x = 1", does, TIMEOUT_MS).await;
        assert!(said.starts_with("ended: it wrote too much output"), "{said}");
    }
}

#[tokio::test]
async fn a_linter_that_never_ends_is_ended_in_time() {
    let begun = Instant::now();
    let said = said("ruff", "py", "x = 1", "sleep 1000 & wait", 4_000).await;
    assert_eq!(said, "ended: it took too long");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_that_fails_hides_no_other() {
    let folder = machine("ruff", "exit 2");
    let empty = "#!/bin/bash\n[ \"$1\" = --version ] && echo shellcheck 1.2 || echo '{\"comments\": []}'\n";
    install(folder.path(), "shellcheck", empty);
    let proposal = block("py", "x = 1") + &block("sh", "echo x");
    let result = lint_within(&suite(Choice::Auto, folder.path()), &proposal, TIMEOUT_MS).await;
    let said = "; ruff 9.8.7 gave no result: exit code 2; shellcheck 1.2: nothing";
    assert!(result.message.ends_with(said), "{}", result.message);
    assert!(result.tools.contains(&"shellcheck 1.2".to_owned()), "{:?}", result.tools);
}

#[tokio::test]
async fn what_does_not_start_in_the_sandbox_is_said_and_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
    install(folder.path(), "ruff", "#!/bin/bash\necho no packages >&2\nexit 1\n");
    let linters = Linters::on_path(runs(Choice::Auto), folder.path());
    let broken = LinterFound::Broken("ruff", "it does not say its version (no packages)".to_owned());
    assert_eq!(linters.found().await[0], broken);
    let said = said_by(folder.path(), Choice::Auto).await;
    assert_eq!(
        said,
        "; ruff not run: it does not start in the sandbox: it does not say its version (no packages)"
    );
}

#[tokio::test]
async fn a_machine_without_linters_or_sandbox_says_so() {
    let folder = machine("ruff", "echo '[]'");
    assert_eq!(said_by(folder.path(), Choice::Auto).await, "; ruff 9.8.7: nothing");
    assert_eq!(said_by(Path::new("/nowhere"), Choice::Auto).await, "; not on this machine: ruff");
    let said = said_by(folder.path(), Choice::Off).await;
    assert_eq!(said, "; ruff not run: no sandbox: it is turned off");
}

async fn said_by(path: &Path, choice: Choice) -> String {
    let proposal = block("py", "x = 1");
    let (result, before) = (lint_within(&suite(choice, path), &proposal, TIMEOUT_MS).await, alone(&proposal));
    assert_eq!(result.outcome, before.outcome);
    result.message.strip_prefix(&before.message).expect("what is read here stands first").to_owned()
}

#[tokio::test]
async fn the_same_blocks_are_looked_at_once_and_others_again() {
    let folder = machine("ruff", "echo '[]'");
    let suite = suite(Choice::Auto, folder.path());
    let proposal = block("py", "x = 1");
    let first = lint_within(&suite, &proposal, TIMEOUT_MS).await;
    // From here on it would fail.
    install(folder.path(), "ruff", "#!/bin/bash\nexit 2\n");
    let second = lint_within(&suite, &format!("Other words.\n\n{proposal}"), TIMEOUT_MS).await;
    assert_eq!(second.message, first.message);
    let third = lint_within(&suite, &block("py", "x = 2"), TIMEOUT_MS).await;
    assert!(third.message.ends_with("gave no result: exit code 2"), "{}", third.message);
}

#[tokio::test]
async fn what_ran_out_of_time_is_tried_again() {
    let folder = machine("ruff", "sleep 1000");
    let suite = suite(Choice::Auto, folder.path());
    let proposal = block("py", "x = 1");
    let first = lint_within(&suite, &proposal, 4_000).await;
    assert!(first.message.ends_with("it took too long"), "{}", first.message);
    install(folder.path(), "ruff", "#!/bin/bash\n[ \"$1\" = --version ] && echo ruff 9.8.7 || echo '[]'\n");
    let second = lint_within(&suite, &proposal, TIMEOUT_MS).await;
    assert!(second.message.ends_with("ruff 9.8.7: nothing"), "{}", second.message);
}

#[tokio::test]
async fn a_linter_is_given_so_many_blocks_and_says_how_many_more_there_are() {
    // As many lines of advice as there are files.
    let does = "printf '['; for f in *.py; do printf '%s{\"code\": \"B006\", \"filename\": \"%s\", \"location\": \
                {\"row\": 1, \"column\": 1}, \"message\": \"m\"}' \"$c\" \"$f\"; c=,; done; echo ']'; exit 1";
    let folder = machine("ruff", does);
    let proposal = block("py", "x = 1").repeat(103);
    let result = lint_within(&suite(Choice::Auto, folder.path()), &proposal, TIMEOUT_MS).await;
    let said =
        "; ruff 9.8.7: 100 of advice, 3 of 103 not looked at; of what they found the first 20 are listed";
    assert!(result.message.ends_with(said), "{}", result.message);
    assert_eq!(result.faults.len(), 20);
}
