//! When the sandbox ends: with its job, with the one who asked, and not before.

use std::process::Stdio;
use std::time::{Duration, Instant};

use fleet_sandbox::{Choice, End, Job, Limits, Sandbox};

use crate::support::{LEVELS, Runner, marked, users};

const HELPER: &str = env!("CARGO_BIN_EXE_fleet-sandbox");
const IN_TIME: Duration = Duration::from_secs(30);

/// A job that leaves processes everywhere, and can be found.
fn clinging(mark: &str) -> Job {
    let mut job = Job::new("sh", ["-c", "setsid sleep 3601 & (setsid sleep 3602 &) ; sleep 3603"]);
    job.env.insert("MARK".to_owned(), mark.to_owned());
    job.limits = Limits { wall_ms: 600_000, ..Limits::default() };
    job
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + IN_TIME;
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn mark() -> String {
    let name = tempfile::Builder::new().rand_bytes(12).tempfile().unwrap();
    format!("lifetime-{}", name.path().file_name().unwrap().to_str().unwrap().trim_matches('.'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_future_ends_its_job() {
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let sandbox = Sandbox::new(choice).with_helper(HELPER).with_folder(folder.path());
        let mark = mark();
        let job = clinging(&mark);
        let mut running = Box::pin(sandbox.run(&job));
        let started = async {
            while marked(&mark).iter().filter(|(_, arguments)| arguments.starts_with("sleep")).count() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! { biased;
            ended = &mut running => panic!("it runs on: {ended:?}"),
            () = started => {}
            () = tokio::time::sleep(IN_TIME) => panic!("{choice:?}: it starts"),
        }
        drop(running);
        until("all of it goes", || marked(&mark).is_empty());
        until("its folder goes", || std::fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}

#[test]
fn with_a_killed_caller_everything_ends() {
    let runner = Runner::new();
    for user in users() {
        for level in LEVELS {
            let mark = mark();
            let (mut command, input) = runner.command(user, level, &clinging(&mark));
            let mut caller = command.stdin(input).stdout(Stdio::null()).spawn().unwrap();
            until("it starts", || {
                marked(&mark).iter().filter(|(_, arguments)| arguments.starts_with("sleep")).count() == 3
            });
            caller.kill().unwrap();
            caller.wait().unwrap();
            until("all of it goes", || marked(&mark).is_empty());
            until("its folder goes", || std::fs::read_dir(runner.folder()).unwrap().next().is_none());
        }
    }
}

#[test]
fn with_a_killed_supervisor_everything_ends() {
    let runner = Runner::new();
    for user in users() {
        // An old Landlock leaves what has left its session: nobody is there to end it.
        for level in &LEVELS[..2] {
            let mark = mark();
            let (mut command, input) = runner.command(user, *level, &clinging(&mark));
            let caller = command.stdin(input).stdout(Stdio::piped()).spawn().unwrap();
            until("it starts", || {
                marked(&mark).iter().filter(|(_, arguments)| arguments.starts_with("sleep")).count() == 3
            });
            let supervisor =
                std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", caller.id())).unwrap();
            let supervisor = rustix::process::Pid::from_raw(supervisor.trim().parse().unwrap()).unwrap();
            rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).unwrap();
            let output = caller.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("its supervisor is gone"), "{user:?} {level:?}: {text}");
            until("all of it goes", || marked(&mark).is_empty());
            runner.assert_clean();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_run_at_once_and_each_has_its_own() {
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        let sandbox = std::sync::Arc::new(Sandbox::new(choice).with_helper(HELPER));
        let mut running = tokio::task::JoinSet::new();
        for number in 0..20 {
            let sandbox = std::sync::Arc::clone(&sandbox);
            running.spawn(async move {
                let code = format!("echo {number} > mine; sleep 0.3; cat mine; exit {number}");
                let mut job = Job::new("sh", ["-c", &code]);
                job.limits.wall_ms = 60_000;
                (number, sandbox.run(&job).await.unwrap())
            });
        }
        while let Some(done) = running.join_next().await {
            let (number, ended) = done.unwrap();
            assert_eq!(ended.end, End::Exit(number), "{choice:?}: {}", ended.stderr.text());
            assert_eq!(ended.stdout.text(), format!("{number}\n"), "{choice:?}");
        }
    }
}
