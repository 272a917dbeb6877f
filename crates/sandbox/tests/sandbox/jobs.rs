//! What a job is given, what it may do, and what it says in the end.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fleet_sandbox::{Choice, End, Ended, FILES_MAX, Job, JobError, Limit, Limits, Sandbox, SandboxError};

use crate::support::{AtLevel, LEVELS, Runner, User, users};

/// Runs a job at each level as each user; `check` says what must be true.
fn everywhere(job: &Job, check: impl Fn(&str, User, AtLevel, Ended)) {
    let runner = Runner::new();
    for user in users() {
        for level in LEVELS {
            let by = format!("{user:?} {level:?}");
            let ended = runner.run(user, level, job).unwrap_or_else(|error| panic!("{by}: {error}"));
            check(&by, user, level, ended);
            runner.assert_clean();
        }
    }
}

/// What a job says at each level, as each user, on standard output.
fn says(job: &Job, text: &str) {
    everywhere(job, |by, _, _, ended| {
        assert_eq!(
            (ended.end, ended.stdout.text().as_str()),
            (End::Exit(0), text),
            "{by}: {}",
            ended.stderr.text()
        );
    });
}

fn sh(code: &str) -> Job {
    Job::new("sh", ["-c", code])
}

#[test]
fn files_are_where_the_job_says() {
    let job =
        sh("cat a.txt deep/er/b.txt; ./run.sh; test ! -x a.txt; ls -A . deep; cat deep/bytes | od -An -tx1")
            .file("a.txt", "one\n")
            .file("deep/er/b.txt", "two\n")
            .file("deep/bytes", [0, 255])
            .file("run.sh", "#!/bin/sh\necho three\n");
    says(&job, "one\ntwo\nthree\n.:\na.txt\ndeep\nrun.sh\ntmp\n\ndeep:\nbytes\ner\n 00 ff\n");
}

#[test]
fn what_the_program_around_keeps_in_reserve_is_not_taken_from_a_small_job() {
    // The tests' program has asked for 256 MiB that it never uses.
    let limits = Limits { memory_bytes: 32 << 20, ..Limits::default() };
    says(&Job { limits, ..sh("echo enough") }, "enough\n");
}

#[test]
fn many_files_are_placed_and_a_large_input_is_read() {
    let mut job = Job::new("sh", ["-c", "ls files | wc -l; cat files/* | wc -c; wc -c; wc -c </dev/stdin"]);
    for number in 0..FILES_MAX {
        job = job.file(format!("files/{number}"), vec![b'x'; 1_000]);
    }
    job.stdin = vec![b'y'; 300_000];
    everywhere(&job, |by, _, _, ended| {
        let text = ended.stdout.text();
        let numbers: Vec<_> = text.split_whitespace().take(3).collect();
        assert_eq!(numbers, ["1000", "1000000", "300000"], "{by}: {}", ended.stderr.text());
    });
}

#[test]
fn the_environment_is_what_the_job_says_and_no_more() {
    let mut job = Job::new("env", [""; 0]);
    job.env.insert("A".into(), "one = 1".into());
    job.env.insert("LANG".into(), "C".into());
    everywhere(&job, |by, _, level, ended| {
        let text = ended.stdout.text();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        let home = lines[1].strip_prefix("HOME=").unwrap();
        assert!(level.choice == Choice::Landlock || home == "/scratch", "{by}: {home}");
        let temporary = format!("TMPDIR={home}/tmp");
        let path = "PATH=/usr/local/bin:/usr/bin:/bin";
        assert_eq!(lines, ["A=one = 1", lines[1], "LANG=C", path, &temporary], "{by}");
    });
}

#[test]
fn input_comes_in_and_without_one_there_is_none() {
    let mut job = Job::new("cat", [""; 0]);
    says(&job, "");
    job.stdin = b"hello".to_vec();
    says(&job, "hello");
}

#[test]
fn the_end_is_told_as_it_was() {
    for (code, end) in
        [("exit 7", End::Exit(7)), ("kill -SEGV $$", End::Signal(11)), ("exit 137", End::Exit(137))]
    {
        everywhere(&sh(code), |by, _, level, ended| {
            // As an old kernel has it, no process may send itself signals by its id.
            let held = level.abi_max.is_some() && matches!(end, End::Signal(_));
            assert!(ended.end == end || held, "{by}: {code}: {} {}", ended.end, ended.stderr.text());
        });
    }
}

#[test]
fn both_streams_are_told_apart() {
    everywhere(&sh("echo out; echo err >&2"), |by, _, _, ended| {
        assert_eq!((ended.stdout.text().as_str(), ended.stderr.text().as_str()), ("out\n", "err\n"), "{by}");
    });
}

#[test]
fn long_output_keeps_its_beginning_and_its_end() {
    let mut job = sh("seq 100000");
    job.limits.kept_bytes = 1000;
    everywhere(&job, |by, _, _, ended| {
        assert!(ended.success(), "{by}: {}", ended.end);
        assert!(ended.stdout.head.starts_with(b"1\n2\n3\n") && ended.stdout.head.len() == 500, "{by}");
        assert!(ended.stdout.tail.ends_with(b"99999\n100000\n") && ended.stdout.tail.len() == 500, "{by}");
        assert_eq!(ended.stdout.cut_bytes, 588_895 - 1000, "{by}");
        assert!(ended.stdout.text().contains("\n[587895 bytes left out]\n"), "{by}");
    });
}

#[test]
fn programs_can_be_built_and_run() {
    let code = "#include <stdio.h>\nint main() { puts(\"built\"); }\n";
    says(&sh("cc -o main main.c && ./main").file("main.c", code), "built\n");
    let code = "set -e; touch a; cp -p a b; cp -a b c; mv c d; chmod +x d; mkdir -p x/y; mv d x/y; rm -r x; ln b e; ls -A";
    says(&sh(code), "a\nb\ne\ntmp\n");
    let code = "import subprocess, shutil, asyncio, threading, tempfile, os\n\
        open('x', 'w').write('#!/bin/sh\\necho run\\n'); os.chmod('x', 0o700)\n\
        shutil.copy('x', 'y'); os.rename('y', 'tmp/z'); os.utime('x')\n\
        print(subprocess.run(['./x'], capture_output=True).stdout.decode(), end='')\n\
        t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n\
        async def main(): return await asyncio.sleep(0.01, 'slept')\n\
        print(asyncio.run(main())); tempfile.TemporaryFile().write(b'x'); print(os.cpu_count() > 0)\n";
    says(&Job::new("python3", ["-B", "x.py"]).file("x.py", code), "run\nthread\nslept\nTrue\n");
}

#[test]
fn in_name_spaces_a_job_can_serve_itself() {
    let code = "import socket, threading, multiprocessing\n\
        server = socket.create_server(('127.0.0.1', 8080))\n\
        threading.Thread(target=lambda: server.accept()[0].sendall(b'served')).start()\n\
        print(socket.create_connection(('127.0.0.1', 8080)).recv(10).decode(), multiprocessing.Lock())\n";
    let job = Job::new("python3", ["x.py"]).file("x.py", code);
    let runner = Runner::new();
    for user in users() {
        let ended = runner.run(user, LEVELS[0], &job).unwrap();
        assert!(ended.stdout.text().starts_with("served <Lock"), "{}", ended.stderr.text());
    }
}

#[test]
fn what_the_job_names_is_shown_and_cannot_be_written() {
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    let folder = place.path().join("tools");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("tool"), "#!/bin/sh\necho tool\n").unwrap();
    for path in [&folder, &folder.join("tool")] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(place.path().join("beside"), "").unwrap();
    let tool = folder.join("tool").to_str().unwrap().to_owned();
    let mut job = sh(&format!(
        "{tool}; echo x >> {tool} || echo kept; cat {}/../beside || echo alone",
        folder.display()
    ));
    job.read_only = vec![folder.clone()];
    // As root even where others cannot go.
    for mode in [0o755, 0o700] {
        fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
        let runner = Runner::new();
        for user in users() {
            if mode == 0o700 && user != User::Root {
                continue;
            }
            for level in LEVELS {
                let ended = runner.run(user, level, &job).unwrap();
                let text = ended.stdout.text();
                assert_eq!(
                    text,
                    "tool\nkept\nalone\n",
                    "{user:?} {level:?} {mode:o}: {}",
                    ended.stderr.text()
                );
            }
        }
    }
    assert_eq!(fs::read_to_string(tool).unwrap(), "#!/bin/sh\necho tool\n");
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_says_so() {
    let runner = Runner::new();
    for user in users() {
        for level in LEVELS {
            let error = runner.run(user, level, &Job::new("no-such-program", ["x"])).unwrap_err();
            assert!(
                error.starts_with("no-such-program could not be started: there is no such program in"),
                "{error}"
            );
            let error = runner.run(user, level, &Job::new("./none", ["x"])).unwrap_err();
            assert!(error.contains("No such file"), "{error}");
            let error = runner.run(user, level, &Job::new("./x", ["x"]).file("x", "x")).unwrap_err();
            assert!(error.contains("Permission denied"), "{error}");
            runner.assert_clean();
        }
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_run_is_refused_before_anything_is_started() {
    let sandbox = Sandbox::new(Choice::Off);
    let long = "x".repeat(100_000);
    let mut wrong: Vec<Job> = Vec::new();
    for path in
        ["", "/abs", "../up", "a/../../b", "a//b", "./a", "a/", "a\0b", "..", ".", &"d/".repeat(400), &long]
    {
        wrong.push(Job::new("true", [""; 0]).file(path, ""));
    }
    wrong.push(Job::new("true", [""; 0]).file("a", "").file("a/b", ""));
    wrong.push(Job::new("", [""; 0]));
    wrong.push(Job::new("a\0b", [""; 0]));
    wrong.push(Job::new("true", ["a\0b"]));
    wrong.push(Job::new("true", [long.as_str()]));
    wrong.push(
        (0..=FILES_MAX).fold(Job::new("true", [""; 0]), |job, number| job.file(number.to_string(), "")),
    );
    wrong.push(Job::new("true", [""; 0]).file("large", vec![0; 17 << 20]));
    wrong.push(Job { stdin: vec![0; 5 << 20], ..Job::new("true", [""; 0]) });
    for name in ["", "A=B", "A\0"] {
        wrong.push(Job { env: [(name.to_owned(), String::new())].into(), ..Job::new("true", [""; 0]) });
    }
    for path in [
        "/",
        "/proc",
        "/proc/1",
        "/dev/sda",
        "/tmp",
        "relative",
        "/usr/../root",
        "/no/such/path",
        "/scratch/x",
    ] {
        wrong.push(Job { read_only: vec![PathBuf::from(path)], ..Job::new("true", [""; 0]) });
    }
    for limits in [
        Limits { wall_ms: 0, ..Limits::default() },
        Limits { memory_bytes: 1, ..Limits::default() },
        Limits { file_bytes: 0, ..Limits::default() },
        Limits { processes: u64::MAX, ..Limits::default() },
        Limits { kept_bytes: 0, ..Limits::default() },
    ] {
        wrong.push(Job { limits, ..Job::new("true", [""; 0]) });
    }
    for job in wrong {
        let result = sandbox.run(&job).await;
        assert!(matches!(result, Err(SandboxError::Job(_))), "{result:?}");
    }
    let job = Job::new("true", [""; 0]).file("../up", "");
    let error = sandbox.run(&job).await.unwrap_err();
    let said =
        JobError::File { path: "../up".into(), reason: "is not a plain path inside the scratch folder" };
    assert_eq!(error, SandboxError::Job(said));
}

#[test]
fn temporary_files_count_as_files() {
    let mut job = sh(
        "dd if=/dev/zero of=$TMPDIR/a bs=1M count=3 && dd if=/dev/zero of=$TMPDIR/b bs=1M count=3; sleep 1",
    );
    job.limits.file_bytes = 4 << 20;
    job.limits.wall_ms = 60_000;
    everywhere(&job, |by, _, _, ended| {
        let stderr = ended.stderr.text();
        let full = ended.end == End::Limit(Limit::FileBytes) || stderr.contains("No space left");
        assert!(full, "{by}: {} {stderr}", ended.end);
    });
}
