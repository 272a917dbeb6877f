//! Proposals whose code is run: the one that works wins over the one that does not.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleet_scripted::{Call, Reply, Script as _, Scripted};
use serde_json::Value;

use crate::support::{Place, council, kind_of};

const TASK: &str = "Write double(x) in Python";
const TESTS: &str =
    "def test_two():\n    assert double(2) == 4\n\ndef test_three():\n    assert double(3) == 6\n";
const RIGHT: &str = "It is a sum.\n\n```python\ndef double(x):\n    return x + x\n```\n";
/// It reads well, runs, and is right for 2.
const WRONG: &str = "It is a square.\n\n```python\ndef double(x):\n    \"\"\"Doubles x, with care, for every number there is.\"\"\"\n    return x * x\n```\n";

/// A council of which one agent is right.
async fn one_is_right() -> Scripted {
    let proposals = AtomicUsize::new(0);
    let others = council(0);
    let script = move |call: &Call| match kind_of(&call.caller) {
        "propose" if proposals.fetch_add(1, Ordering::SeqCst) == 1 => Reply::answer(call, RIGHT, 4),
        "propose" => Reply::answer(call, WRONG, 4),
        _ => others.reply(call),
    };
    Scripted::start(script).await.unwrap()
}

fn result_of(event: &Value, passed: bool) -> &Value {
    let results = event["results"].as_array().unwrap();
    let is = |result: &&Value| {
        result["proposal"]["content"].as_str().is_some_and(|text| (text.trim() == RIGHT.trim()) == passed)
    };
    results.iter().find(is).expect("there is one")
}

#[tokio::test]
async fn the_proposal_that_works_wins_over_those_that_do_not() {
    let model = one_is_right().await;
    let place = Place::new();
    let tests = format!("tests={TESTS}");
    let arguments =
        ["deliberate", TASK, "--json", "--url", &model.url(), "--rounds", "0", "--metadata", &tests];
    let run = place.fleet(&arguments).env("FLEET__CHECKS__SANDBOX", "auto");
    let ended = run
        .env("FLEET__CHECKS__TESTS_TIMEOUT_S", "60")
        .env("FLEET__CHECKS__DRY_RUN_TIMEOUT_S", "60")
        .end()
        .await;
    let event: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let right = result_of(&event, true);
    assert_eq!(event["winner_id"], right["proposal"]["author_id"], "{event}");
    assert_eq!(right["checks"]["dryrun"]["passed"], true, "{right}");
    let wrong = result_of(&event, false);
    assert_eq!(wrong["checks"]["dryrun"]["passed"], true, "it runs, and is wrong: {wrong}");
    assert_eq!(right["checks"]["all_passed"], true, "{right}");
    assert_eq!(wrong["checks"]["all_passed"], false, "{wrong}");
}

#[tokio::test]
async fn tests_come_from_a_file_and_where_none_is_run_that_is_said_with_the_reason() {
    let place = Place::new();
    let file = place.file("tests.py", TESTS);
    let arguments = ["deliberate", TASK, "--id", "given", "--json", "--rounds", "0", "--tests", &file];
    let ended = place.fleet(&arguments).env("FLEET__MODEL__KIND", "simulated").end().await;
    let event: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    let tests = &event["results"][0]["checks"]["tests"];
    assert_eq!(tests["passed"], false, "{event}");
    let message = tests["message"].as_str().unwrap();
    assert!(message.starts_with("skipped: not run: "), "{message}");
    let explained = place.run(&["explain", "given"]).await.stdout;
    assert!(explained.contains("tests: skipped: not run: "), "{explained}");

    let both = [&arguments[..], &["--metadata", "tests=assert True"]].concat();
    let refused = place.run(&both).await;
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("both give tests"), "{}", refused.stderr);
    let missing = place.run(&["deliberate", TASK, "--tests", "/nowhere/tests.py"]).await;
    assert!(missing.code == 2 && missing.stderr.contains("/nowhere/tests.py"), "{}", missing.stderr);
}

#[tokio::test]
async fn the_doctor_says_in_what_code_is_run_and_by_what() {
    let place = Place::new();
    let doctor = |sandbox: &'static str| {
        place
            .fleet(&["doctor"])
            .env("FLEET__MODEL__KIND", "simulated")
            .env("FLEET__CHECKS__SANDBOX", sandbox)
            .end()
    };
    let told = line(&doctor("auto").await.stdout, "running code");
    assert!(told.contains("landlock abi") || told.contains("bubblewrap"), "{told}");
    assert!(told.contains("; ") && told.contains("bash "), "{told}");
    let off = doctor("off").await.stdout;
    assert!(line(&off, "running code").contains("off, as checks.sandbox says"), "{off}");
    assert!(line(&off, "linters").contains("no sandbox: it is turned off; none is run"), "{off}");
}

#[tokio::test]
async fn the_doctor_says_which_linters_were_found_and_which_were_not() {
    let place = Place::new();
    // Where tests/setup.sh puts what the tests need, and no other place.
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin");
    let doctor = |path: &str, tools: &'static str| {
        place
            .fleet(&["doctor"])
            .env("PATH", path)
            .env("FLEET__MODEL__KIND", "simulated")
            .env("FLEET__CHECKS__SANDBOX", "auto")
            .env("FLEET__CHECKS__TOOLS", tools)
            .end()
    };
    let told = line(&doctor(installed, "true").await.stdout, "linters");
    assert!(told.contains("ruff 0.17.6, shellcheck 0.11.0, hadolint 2.15.1, yamllint 1.38.0"), "{told}");
    assert!(told.contains("biome 2.6.8; not found: rustfmt"), "{told}");
    let told = line(&doctor("/nowhere", "true").await.stdout, "linters");
    assert!(told.contains("none; not found: ruff, shellcheck, hadolint, yamllint, rustfmt, biome"), "{told}");
    let told = line(&doctor(installed, "false").await.stdout, "linters");
    assert!(told.contains("off, as checks.tools says"), "{told}");
}

/// The line of a report that is about this.
fn line(told: &str, about: &str) -> String {
    told.lines().find(|line| line.contains(about)).map(str::to_owned).expect(told)
}

// An ordinary user who runs these has done so above.
#[tokio::test]
async fn what_root_can_an_ordinary_user_can() {
    let place = Place::new();
    let (home, program) = (place.path("home"), place.path("home/fleet"));
    let (home, program) = (home.to_str().unwrap(), program.to_str().unwrap());
    let make =
        "mkdir \"$0\" && cp \"$1\" \"$0/fleet\" && chmod 0777 \"$0\" \"$0/..\" && chmod 0755 \"$0/fleet\"";
    let made = Command::new("sh").args(["-c", make, home, env!("CARGO_BIN_EXE_fleet")]).status().unwrap();
    assert!(made.success());
    let model = one_is_right().await;
    let tests = format!("tests={TESTS}");
    let fleet =
        [program, "deliberate", TASK, "--json", "--url", &model.url(), "--rounds", "0", "--metadata", &tests];
    let run = if is_root() {
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        place.program(Path::new("/usr/bin/setpriv"), &nobody).also(&fleet)
    } else {
        place.program(Path::new(program), &fleet[1..])
    };
    let run = run
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
        .env("XDG_STATE_HOME", &format!("{home}/state"));
    let run = run.env("FLEET__CHECKS__SANDBOX", "auto").env("FLEET__CHECKS__TESTS_TIMEOUT_S", "60");
    let ended = run.env("FLEET__CHECKS__DRY_RUN_TIMEOUT_S", "60").end().await;
    let event: Value = serde_json::from_str(&ended.stdout).expect(&ended.stderr);
    assert_eq!(event["winner_id"], result_of(&event, true)["proposal"]["author_id"], "{event}");
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
