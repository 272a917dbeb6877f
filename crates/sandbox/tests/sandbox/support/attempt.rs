//! An attempt: a script that tries something, what it must say, and how it may end.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use fleet_sandbox::{End, Ended, Job, Limits};

use super::calls;
use super::{AtLevel, Host, LEVELS, Runner, User, users};

/// What every attempt in Python can use: `attempt` tries one thing and says `held`, or `ESCAPED`.
const PRELUDE: &str = r#"
import ctypes, errno, os, resource, signal, socket, subprocess, sys, time
def say(*words):
    print(*words, flush=True)
def attempt(name, what):
    try:
        result = what()
    except BaseException as error:
        say("held", name, type(error).__name__, error)
    else:
        say("ESCAPED" if result is not None else "tried", name, repr(result)[:200])
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    number = name if isinstance(name, int) else CALLS[name]
    arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
"#;

pub(crate) fn python(code: &'static str) -> Attempt {
    Attempt::new("python3", "try.py", code)
}

pub(crate) fn shell(code: &'static str) -> Attempt {
    Attempt::new("sh", "try.sh", code)
}

type Judge = fn(&Ended) -> bool;

pub(crate) struct Attempt {
    program: &'static str,
    file: &'static str,
    code: &'static str,
    limits: Limits,
    must_say: Vec<(&'static str, &'static [&'static str])>,
    ends: Option<(&'static str, Judge)>,
    leak: bool,
}

impl Attempt {
    fn new(program: &'static str, file: &'static str, code: &'static str) -> Self {
        let limits = Limits { wall_ms: 20_000, ..Limits::default() };
        Self {
            program,
            file,
            code,
            limits,
            must_say: Vec::new(),
            ends: Some(("it ends by itself", Ended::success)),
            leak: false,
        }
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With a descriptor open in whoever asks for the sandbox.
    pub(crate) fn with_leak(mut self) -> Self {
        self.leak = true;
        self
    }

    /// It must say that `name` was held, for one of these reasons.
    pub(crate) fn held(mut self, name: &'static str, reasons: &'static [&'static str]) -> Self {
        self.must_say.push((name, reasons));
        self
    }

    /// It must end like this, instead of by itself.
    pub(crate) fn ends(mut self, how: &'static str, judge: Judge) -> Self {
        self.ends = Some((how, judge));
        self
    }

    /// It may end as it likes.
    pub(crate) fn ends_anyhow(mut self) -> Self {
        self.ends = None;
        self
    }

    fn script(&self, host: &Host) -> String {
        let code = host.tell(self.code);
        if self.program != "python3" {
            return code;
        }
        format!("{PRELUDE}\nCALLS = {}\n{code}", calls::dictionary())
    }

    fn job(&self, host: &Host) -> Job {
        let code = self.script(host);
        let mut job = Job::new(self.program, [self.file]).file(self.file, code);
        job.env.insert("MARK".to_owned(), host.mark.clone());
        job.limits = self.limits.clone();
        job
    }

    /// At each level, as each user: it is held, the host is unharmed, and whoever asked lives on.
    pub(crate) fn must_be_held(self) {
        self.must_be_held_as(|_, _| true);
    }

    /// The same, where `here` says.
    pub(crate) fn must_be_held_as(self, here: fn(User, AtLevel) -> bool) {
        let runner = Runner::new();
        for user in users() {
            let mut host = Host::new(user);
            runner.give(user);
            for level in LEVELS.into_iter().filter(|level| here(user, *level)) {
                let by = format!("{user:?} {level:?}");
                let leak = self.leak.then(|| host.leak());
                let ended =
                    runner.run(user, level, &self.job(&host)).unwrap_or_else(|error| panic!("{by}: {error}"));
                drop(leak);
                self.judge(&by, &ended);
                host.assert_unharmed(&by);
                runner.assert_clean();
            }
        }
    }

    fn judge(&self, by: &str, ended: &Ended) {
        let (stdout, stderr) = (ended.stdout.text(), ended.stderr.text());
        let seen = format!("{by}: {} after {:?}\n{stdout}\n{stderr}", ended.end, ended.duration);
        assert!(!stdout.contains("ESCAPED"), "{seen}");
        for (name, reasons) in &self.must_say {
            let said = stdout.lines().find(|line| line.starts_with(&format!("held {name} ")));
            let said = said.unwrap_or_else(|| panic!("it says that {name} was held: {seen}"));
            assert!(
                reasons.iter().any(|reason| said.contains(reason)),
                "{said:?} is for one of {reasons:?}: {seen}"
            );
        }
        if let Some((how, judge)) = self.ends {
            assert!(judge(ended), "{how}: {seen}");
        }
        if ended.end == End::Exit(0) && self.program == "python3" {
            assert!(stdout.contains("held") || stdout.contains("tried"), "it tries something: {seen}");
        }
    }

    /// Not shut in, as each user, the same gets what it is after: `names` are said to have escaped.
    pub(crate) fn would_succeed(&self, names: &[&str]) {
        for user in users() {
            let host = Host::new(user);
            let place = tempfile::tempdir_in("/tmp").unwrap();
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(place.path(), Some(user.id()), Some(user.id())).unwrap();
            }
            let leak = self.leak.then(|| host.leak());
            let mut command = Command::new(format!("/usr/bin/{}", self.program));
            command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir(place.path());
            command.env(super::runner::SECRET, "in the environment").process_group(0);
            if rustix::process::geteuid().is_root() {
                command.uid(user.id()).gid(user.id());
            }
            let mut child = command.spawn().unwrap();
            let code = self.script(&host);
            child.stdin.take().unwrap().write_all(code.as_bytes()).unwrap();
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let output = std::thread::scope(|scope| {
                let host = &host;
                scope.spawn(move || {
                    while stopped
                        .recv_timeout(std::time::Duration::from_millis(5))
                        .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
                    {
                        host.visitors();
                    }
                });
                let output = child.wait_with_output().unwrap();
                drop(stop);
                output
            });
            drop((leak, place));
            let stdout = String::from_utf8_lossy(&output.stdout);
            for name in names {
                assert!(
                    stdout.contains(&format!("ESCAPED {name} ")),
                    "{user:?}: {name} works outside: {stdout}"
                );
            }
        }
    }
}
