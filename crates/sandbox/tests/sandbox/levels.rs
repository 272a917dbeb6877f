//! Which level is used, what it is called, and that there is none below.

use std::process::Command;

use fleet_sandbox::{Choice, Job, Level, Sandbox, SandboxError};

const HELPER: &str = env!("CARGO_BIN_EXE_fleet-sandbox");

fn sandbox(choice: Choice) -> Sandbox {
    Sandbox::new(choice).with_helper(HELPER)
}

#[tokio::test]
async fn bubblewrap_comes_first_and_says_its_version() {
    let version = Command::new("bwrap").arg("--version").output().expect("bubblewrap is installed").stdout;
    let version = String::from_utf8(version).unwrap();
    for choice in [Choice::Auto, Choice::Bubblewrap] {
        let level = sandbox(choice).level().await.unwrap();
        assert_eq!(level.to_string(), version.trim());
    }
}

#[tokio::test]
async fn landlock_is_used_where_it_is_asked_for_and_says_its_version() {
    let level = sandbox(Choice::Landlock).level().await.unwrap();
    let Level::Landlock { abi } = level else { panic!("{level:?}") };
    assert!(abi >= 3);
    assert_eq!(level.to_string(), format!("landlock abi {abi} + seccomp"));
    let older = sandbox(Choice::Landlock).with_landlock_abi_max(4).level().await.unwrap();
    assert_eq!(older, Level::Landlock { abi: 4 });
}

#[tokio::test]
async fn the_level_in_force_is_in_the_result() {
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        let sandbox = sandbox(choice);
        let ended = sandbox.run(&Job::new("true", [""; 0])).await.unwrap();
        assert_eq!(ended.level, sandbox.level().await.unwrap());
    }
}

/// What runs the job when nothing can shut it in: nothing.
async fn refused(sandbox: Sandbox, says: &str) {
    let place = tempfile::tempdir_in("/tmp").unwrap();
    let sign = place.path().join("was-run");
    let job = Job::new("touch", [sign.to_str().unwrap()]);
    let error = sandbox.run(&job).await.unwrap_err();
    let SandboxError::Unavailable { reason } = &error else { panic!("{error:?}") };
    assert!(reason.contains(says), "{reason}");
    assert_eq!(sandbox.level().await.unwrap_err(), error);
    assert!(!sign.exists());
}

#[tokio::test]
async fn turned_off_nothing_runs() {
    refused(sandbox(Choice::Off), "it is turned off").await;
}

#[tokio::test]
async fn too_old_a_landlock_runs_nothing() {
    refused(sandbox(Choice::Landlock).with_landlock_abi_max(2), "landlock: ").await;
}

#[tokio::test]
async fn a_program_that_is_not_its_own_helper_runs_nothing() {
    refused(Sandbox::new(Choice::Auto), "cannot be started again as its helper").await;
}

#[tokio::test]
async fn a_helper_that_is_none_runs_nothing_and_hangs_nothing() {
    for none in ["/bin/true", "/bin/false", "/bin/cat", "/no/such/program"] {
        refused(Sandbox::new(Choice::Auto).with_helper(none), "bubblewrap: ").await;
    }
}

#[test]
fn without_bubblewrap_landlock_takes_over_and_without_both_nothing_runs() {
    let run = |path: &str, choice: &str| {
        let mut child = Command::new(HELPER)
            .env("PATH", path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let request = format!(r#"{{"choice": "{choice}", "job": {{"program": "true"}}}}"#);
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), request.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    // One that does not work stands before the one that does.
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/false", place.path().join("bwrap")).unwrap();
    let path = place.path().to_str().unwrap();
    assert!(run(path, "auto").contains(r#""level":{"landlock""#));
    assert!(run(path, "bubblewrap").contains("no sandbox: bubblewrap: it does not start"));
}
