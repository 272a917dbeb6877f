//! The process around: starts what shuts a command in, holds it to its limits, and ends all of it.
//!
//! It belongs to one command. It is not inside, so that nothing in there can stop it; it ends everything when
//! the command has ended, when a limit is passed, and when whoever asked for it is gone.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Signal, getpid};

use crate::bubblewrap;
use crate::ended::{End, Limit};
use crate::ending::{self, END_MS_MAX};
use crate::helper::{INNER, NAME};
use crate::plan::{self, How, Inner, Inside, Landlock, Plan, Report};
use crate::processes;
use crate::reach;
use crate::scratch;
use crate::sys;
use crate::user::User;
use crate::watch::{Scratch, Watch};

/// How long setting up may take, in milliseconds.
pub(crate) const START_MS_MAX: u64 = 10_000;

const MESSAGE_MS_MAX: u64 = 1_000;
/// What folders take, and the filter.
const FILES_SPARE_BYTES: usize = 64 * 1024;
/// Tasks beyond what a command may have, until its supervisor has seen them.
const TASKS_SPARE: u64 = 16;
/// The same where all processes of a user count, and others may start more meanwhile.
const TASKS_SPARE_SHARED: u64 = 128;

/// Does what comes on standard input, and answers there.
pub(crate) fn run() -> io::Result<()> {
    sys::close_inherited()?;
    // From here on all that descends from this process stays its own, whatever it does.
    rustix::process::set_child_subreaper(Some(getpid()))?;
    let _ = rustix::process::setsid();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let plan: Plan = plan::read(&mut control)?;
    let bytes = plan.inner.stdin + plan.inner.files.iter().map(|(_, bytes)| bytes).sum::<usize>();
    let mut blobs = vec![0; bytes];
    control.read_exact(&mut blobs)?;
    let mut supervisor = match Supervisor::start(plan, &blobs) {
        Ok(supervisor) => supervisor,
        Err(reason) => return plan::write(&control, &Report::Failed { reason }),
    };
    let report = supervisor.supervise(&control);
    let ended = supervisor.end_all();
    let told = match report {
        Some(report) if ended => plan::write(&control, &report),
        Some(_) => {
            let reason = format!("processes did not end within {END_MS_MAX} ms");
            plan::write(&control, &Report::Failed { reason })
        }
        // Nobody is left to read one.
        None => Ok(()),
    };
    // Nobody else would end them.
    while !ended && !supervisor.end_all() {}
    told
}

struct Supervisor {
    how: How,
    inner: Inner,
    inside: UnixStream,
    own_tasks: u64,
    /// On disk, if it is not in memory.
    folder: Option<PathBuf>,
    started: Instant,
    running: bool,
    watch: Option<Watch>,
    abi: Option<u32>,
}

/// What has happened.
enum Event {
    Inside(Inside),
    /// The process inside is gone.
    InsideGone,
    TooMuchOutput,
    /// Whoever asked is gone.
    Abandoned,
    Look,
    OutOfTime,
}

impl Supervisor {
    fn start(plan: Plan, blobs: &[u8]) -> Result<Self, String> {
        let Plan { how, scratch: folder, read_only, mut inner } = plan;
        let user = User::instead_of_root().map_err(|error| format!("no other user than root: {error}"))?;
        inner.own_user = user.is_some_and(|user| user.own);
        if user.is_some() {
            reach::bring(&read_only)
                .map_err(|error| format!("a folder that only root can get to cannot be shown: {error}"))?;
        }
        let on_disk = matches!(how, How::Landlock { .. });
        if on_disk {
            scratch::make(&folder, user.map(|user| user.id))
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        if let Some(user) = user {
            user.become_it().map_err(|error| format!("root cannot become another user: {error}"))?;
        }
        // What a system gave this program beyond its user is not for others.
        let _ = rustix::thread::clear_ambient_capability_set();
        let (inside, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
        let own_tasks = match how {
            How::Bubblewrap { .. } => 3,
            How::Landlock { .. } => 1,
        };
        inner.scratch = if on_disk { folder.clone() } else { bubblewrap::SCRATCH.into() };
        inner.tasks_max = tasks_max(&inner, own_tasks, !on_disk || inner.own_user);
        if let How::Landlock { abi_max } = how {
            inner.landlock = Some(Landlock { read_only: read_only.clone(), abi_max });
        }
        let mut supervisor = Self {
            how,
            inner,
            inside,
            own_tasks,
            folder: on_disk.then_some(folder),
            started: Instant::now(),
            running: false,
            watch: None,
            abi: None,
        };
        let spawned = supervisor.spawn(&read_only, theirs.into()).and_then(|()| supervisor.tell(blobs));
        spawned.map_err(|error| {
            supervisor.end_all();
            error.to_string()
        })?;
        Ok(supervisor)
    }

    fn spawn(&self, read_only: &[PathBuf], control: OwnedFd) -> io::Result<()> {
        let itself = Path::new("/proc/self/exe");
        let mut command = match &self.how {
            How::Landlock { .. } => Command::new(itself),
            How::Bubblewrap { program } => {
                let itself = rustix::fs::open(itself, OFlags::PATH, Mode::empty())?;
                return bubblewrap::start(program, read_only, &self.inner.limits, itself, control);
            }
        };
        command.arg0(NAME).arg(INNER).env_clear().stdin(Stdio::from(control)).spawn().map(drop)
    }

    fn tell(&mut self, blobs: &[u8]) -> io::Result<()> {
        let start = Some(Duration::from_millis(START_MS_MAX));
        self.inside.set_write_timeout(start)?;
        self.inside.set_read_timeout(Some(Duration::from_millis(MESSAGE_MS_MAX)))?;
        match plan::write(&self.inside, &self.inner).and_then(|()| self.inside.write_all(blobs)) {
            // It has ended before it took all: it will have said why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            told => told,
        }
    }

    /// Until the end of everything; none if nobody waits for it any more.
    fn supervise(&mut self, control: &UnixStream) -> Option<Report> {
        loop {
            let event = self.next(control);
            ending::reap();
            match event {
                Event::Inside(Inside::Ready { abi }) => {
                    self.abi = abi;
                    if self.inner.program.is_none() {
                        return Some(Report::Works { abi });
                    }
                }
                Event::Inside(Inside::Started) => {
                    self.running = true;
                    if let Some(watch) = &mut self.watch {
                        watch.start();
                    }
                    self.started = Instant::now();
                }
                Event::Inside(Inside::Ended(end)) => return Some(self.ended(meant(end))),
                Event::Inside(Inside::Program { reason }) => return Some(Report::Program { reason }),
                Event::Inside(Inside::Failed { reason }) => return Some(Report::Failed { reason }),
                Event::InsideGone if self.running => {
                    return Some(self.ended(End::Signal(Signal::KILL.as_raw())));
                }
                Event::InsideGone => {
                    return Some(Report::Failed { reason: "it ended before the command was started".into() });
                }
                Event::TooMuchOutput => return Some(self.ended(End::Limit(Limit::Output))),
                Event::OutOfTime if self.running => return Some(self.ended(End::Limit(Limit::Time))),
                Event::OutOfTime => {
                    let reason = format!("it was not ready within {START_MS_MAX} ms");
                    return Some(Report::Failed { reason });
                }
                Event::Abandoned => return None,
                Event::Look => {
                    // What sets up is trusted, and not to be looked into while it changes who it is.
                    let watch = self.watch.as_mut().filter(|_| self.running);
                    if let Some(limit) = watch.and_then(Watch::look) {
                        return Some(self.ended(End::Limit(limit)));
                    }
                }
            }
        }
    }

    fn ended(&self, end: End) -> Report {
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Report::Ended { end, duration_us }
    }

    fn next(&mut self, control: &UnixStream) -> Event {
        let limit_ms = if self.running { self.inner.limits.wall_ms } else { START_MS_MAX };
        let deadline = self.started + Duration::from_millis(limit_ms);
        let look = self.watch.as_ref().filter(|_| self.running).map(Watch::due);
        let now = Instant::now();
        if now >= deadline {
            return Event::OutOfTime;
        }
        let until = look.map_or(deadline, |look| look.min(deadline));
        let [asked, inside] =
            ready([control.as_fd(), self.inside.as_fd()], until.saturating_duration_since(now));
        if asked {
            let mut byte = [0];
            return match (&mut &*control).read(&mut byte) {
                Ok(1) if byte == [plan::TOO_MUCH_OUTPUT] => Event::TooMuchOutput,
                _ => Event::Abandoned,
            };
        }
        if inside {
            return self.message();
        }
        Event::Look
    }

    fn message(&mut self) -> Event {
        if self.watch.is_none() {
            let Some(scratch) = receive(&self.inside) else { return Event::InsideGone };
            let scratch = self.folder.clone().map_or(Scratch::Memory(scratch), Scratch::Folder);
            let own_file_bytes = (self.inner.stdin + FILES_SPARE_BYTES) as u64;
            self.watch = Some(Watch::new(self.inner.limits.clone(), self.own_tasks, own_file_bytes, scratch));
            return Event::Look;
        }
        plan::read(&mut self.inside).map_or(Event::InsideGone, Event::Inside)
    }

    /// Ends all that descends from this process, and removes the scratch folder; whether it got so far.
    fn end_all(&mut self) -> bool {
        if self.abi.is_some() && self.running {
            ending::ask(&self.inside);
        }
        let ended = ending::end_all(self.inner.own_user);
        if let Some(folder) = self.folder.as_ref().filter(|_| ended) {
            // What is left of it, whoever asked looks after.
            let _ = scratch::remove(folder);
        }
        ended
    }
}

/// How many tasks the kernel is to allow. All that the user has count, unless it is counted apart.
fn tasks_max(inner: &Inner, own_tasks: u64, apart: bool) -> u64 {
    let tasks = inner.limits.processes + own_tasks;
    if apart {
        return tasks + TASKS_SPARE;
    }
    tasks + processes::tasks_of_system().unwrap_or(0) + TASKS_SPARE_SHARED
}

/// A signal that the kernel sends at a limit is that limit.
fn meant(end: End) -> End {
    match end {
        End::Signal(signal) if signal == Signal::XCPU.as_raw() => End::Limit(Limit::Cpu),
        End::Signal(signal) if signal == Signal::XFSZ.as_raw() => End::Limit(Limit::FileBytes),
        end => end,
    }
}

fn ready(fds: [BorrowedFd<'_>; 2], within: Duration) -> [bool; 2] {
    let timeout = Timespec::try_from(within).ok();
    let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) => fds.map(|fd| !fd.revents().is_empty()),
        Err(_) => [false; 2],
    }
}

/// The descriptor that comes with the next byte.
fn receive(from: &UnixStream) -> Option<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from, &mut [io::IoSliceMut::new(&mut byte)], &mut buffer, RecvFlags::CMSG_CLOEXEC).ok()?;
    buffer.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    })
}
