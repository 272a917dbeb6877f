//! Runs jobs as each kind of user, in a process of their own that must live on.

use std::fs::{self, File, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fleet_sandbox::{Choice, Ended, Job};
use serde_json::{Value, json};
use tempfile::TempDir;

const NOBODY: u32 = 65_534;
const PROGRAM_MODE: u32 = 0o755;
const SPARE: Duration = Duration::from_secs(40);
/// What a runner has in its environment, and no job may see.
pub(crate) const SECRET: &str = "SECRET_OF_THE_HOST";

/// As whom a sandbox is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Root, where the tests are run by it.
    Root,
    /// Somebody else, or whoever runs the tests.
    Ordinary(u32),
}

impl User {
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::Ordinary(id) => id,
        }
    }
}

/// All users that can be had here.
pub(crate) fn users() -> Vec<User> {
    match rustix::process::geteuid().as_raw() {
        0 => vec![User::Root, User::Ordinary(NOBODY)],
        id => vec![User::Ordinary(id)],
    }
}

/// A level, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtLevel {
    pub(crate) choice: Choice,
    pub(crate) abi_max: Option<u32>,
}

/// Each level, and Landlock as old kernels have it: without a say in signals.
pub(crate) const LEVELS: [AtLevel; 3] = [
    AtLevel { choice: Choice::Bubblewrap, abi_max: None },
    AtLevel { choice: Choice::Landlock, abi_max: None },
    AtLevel { choice: Choice::Landlock, abi_max: Some(3) },
];

/// A copy of the program that runs a job, where everybody can start it.
pub(crate) struct Runner {
    place: TempDir,
    made: (i64, i64),
}

impl Runner {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        // By another process: one that a thread beside starts cannot hold it open for writing then.
        let (from, to) = (env!("CARGO_BIN_EXE_fleet-sandbox"), place.path().join("runner"));
        assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
        let folder = place.path().join("scratch");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        let program = fs::metadata(place.path().join("runner")).unwrap();
        Self { place, made: (program.mtime(), program.mtime_nsec()) }
    }

    /// Gives the program to a user, who runs it.
    pub(crate) fn give(&self, user: User) {
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(self.program(), Some(user.id()), Some(user.id())).unwrap();
        }
        fs::set_permissions(self.program(), Permissions::from_mode(PROGRAM_MODE)).unwrap();
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.place.path().join("runner")
    }

    /// Where scratch folders on disk are made.
    pub(crate) fn folder(&self) -> PathBuf {
        self.place.path().join("scratch")
    }

    /// The command that runs a job, and what it is to read.
    pub(crate) fn command(&self, user: User, level: AtLevel, job: &Job) -> (Command, File) {
        let request = json!({
            "choice": level.choice,
            "landlock_abi_max": level.abi_max,
            "folder": self.folder(),
            "job": job,
        });
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(request.to_string().as_bytes()).unwrap();
        input.seek(SeekFrom::Start(0)).unwrap();
        let mut command = Command::new(self.program());
        command.env(SECRET, "in the environment").current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(user.id()).gid(user.id());
        }
        (command, input)
    }

    /// What comes of a job; fails the test if the runner itself does not end well and in time.
    pub(crate) fn run(&self, user: User, level: AtLevel, job: &Job) -> Result<Ended, String> {
        let (mut command, input) = self.command(user, level, job);
        let mut output = tempfile::tempfile().unwrap();
        let mut runner = command
            .stdin(input)
            .stdout(Stdio::from(output.try_clone().unwrap()))
            .spawn()
            .expect("the runner can be started");
        let deadline = Instant::now() + Duration::from_millis(job.limits.wall_ms) + SPARE;
        let status = loop {
            if let Some(status) = runner.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                runner.kill().unwrap();
                panic!("{user:?} {level:?}: the job did not end in time");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(status.success(), "{user:?} {level:?}: the runner lives on: {status}");
        output.seek(SeekFrom::Start(0)).unwrap();
        let answer: Value = serde_json::from_reader(&output).unwrap();
        match answer.get("ended") {
            Some(ended) => Ok(serde_json::from_value(ended.clone()).unwrap()),
            None => Err(answer["error"].as_str().unwrap().to_owned()),
        }
    }

    /// Nothing is left of any job.
    pub(crate) fn assert_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.folder()).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "scratch folders are removed: {left:?}");
        let program = fs::metadata(self.program()).unwrap();
        assert_eq!(program.mode() & 0o7777, PROGRAM_MODE);
        assert_eq!((program.mtime(), program.mtime_nsec()), self.made, "the program is as it was");
    }
}

/// The processes that have `mark` in their environment or arguments.
pub(crate) fn marked(mark: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let read =
            |name: &str| fs::read(Path::new("/proc").join(pid.to_string()).join(name)).unwrap_or_default();
        let (environment, arguments) = (read("environ"), read("cmdline"));
        let has = |text: &[u8]| text.windows(mark.len()).any(|part| part == mark.as_bytes());
        if has(&environment) || has(&arguments) {
            found.push((pid, String::from_utf8_lossy(&arguments).replace('\0', " ")));
        }
    }
    found
}
