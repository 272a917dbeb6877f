//! The process inside: fills the scratch folder, shuts itself in, starts the command and says how it ended.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, pidfd_open};

use crate::ended::End;
use crate::landlock;
use crate::limits::Limits;
use crate::plan::{self, Inner, Inside};
use crate::seccomp::{self, Around};
use crate::sys;

const TEMPORARY: &str = "tmp";
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const LANG: &str = "C.UTF-8";
const CPU_SPARE_S: u64 = 2;
/// How much more memory a process may ask for than it may use.
const ADDRESSES: u64 = 2;
const FILE_MODE: u32 = 0o600;
const SCRIPT_MODE: u32 = 0o700;
const FOLDER_MODE: u32 = 0o700;
/// The kernel ends all that is worth least, first.
const OOM_SCORE: &str = "1000";

/// Does what its supervisor says on standard input, and answers there.
pub(crate) fn run() -> io::Result<()> {
    sys::close_inherited()?;
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    send_folder(&control)?;
    let inner: Inner = plan::read(&mut control)?;
    let mut shut = Shut::default();
    match shut_in(&inner, &mut control, &mut shut) {
        Ok(abi) => plan::write(&control, &Inside::Ready { abi })?,
        Err(reason) => return plan::write(&control, &Inside::Failed { reason }),
    }
    let Some(program) = &inner.program else { return Ok(()) };
    let mut child = match start(program, &inner, &mut shut) {
        Ok(child) => child,
        Err(reason) => return plan::write(&control, &Inside::Program { reason }),
    };
    plan::write(&control, &Inside::Started)?;
    let status = wait(&mut child, &control)?;
    end_all(shut.scoped);
    if let Some(status) = status {
        // A supervisor that is gone, or has heard enough, needs not be told.
        let _ = plan::write(&control, &Inside::Ended(end(status)));
    }
    Ok(())
}

/// What came of shutting in.
#[derive(Default)]
struct Shut {
    stdin: Option<File>,
    /// Signals stay inside.
    scoped: bool,
}

fn shut_in(inner: &Inner, control: &mut UnixStream, shut: &mut Shut) -> Result<Option<u32>, String> {
    let step = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    // A session of its own may be there already.
    let _ = rustix::process::setsid();
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    // What this process has open, its program above all, is not for the command to get at.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("it stays visible: {error}"))?;
    rustix::process::umask(Mode::from_raw_mode(0o077));
    std::env::set_current_dir(&inner.scratch).map_err(step("the scratch folder cannot be entered"))?;
    DirBuilder::new().mode(FOLDER_MODE).create(TEMPORARY).map_err(step("a folder for temporary files"))?;
    for (path, bytes) in &inner.files {
        place(path, *bytes, control)
            .map_err(|error| format!("the file {path} could not be placed: {error}"))?;
    }
    shut.stdin = stdin(inner.stdin, control).map_err(step("standard input"))?;
    limit(&inner.limits, inner.tasks_max).map_err(step("a limit was refused"))?;
    seccomp::stay_visible().map_err(|error| error.to_string())?;
    // Else Bubblewrap has done it.
    let Some(restricted) = &inner.landlock else { return Ok(None) };
    let in_force = landlock::restrict(&restricted.read_only, &inner.scratch, restricted.abi_max)
        .map_err(|error| error.to_string())?;
    shut.scoped = in_force.scoped;
    let around = Around::Landlock { scoped: in_force.scoped, own_user: inner.own_user };
    seccomp::restrict(around).map_err(|error| error.to_string())?;
    Ok(Some(in_force.abi))
}

/// Writes the next `bytes` that come to a new file.
fn place(path: &str, bytes: usize, control: &mut UnixStream) -> io::Result<()> {
    crate::job::inside(path).map_err(io::Error::other)?;
    let path = Path::new(path);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().mode(FOLDER_MODE).recursive(true).create(folder)?;
    }
    let mut content = vec![0; bytes];
    control.read_exact(&mut content)?;
    let mode = if content.starts_with(b"#!") { SCRIPT_MODE } else { FILE_MODE };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(&content)
}

/// The next `bytes` that come, as a file without a name.
fn stdin(bytes: usize, control: &mut UnixStream) -> io::Result<Option<File>> {
    if bytes == 0 {
        return Ok(None);
    }
    let mut file = File::from(rustix::fs::memfd_create("stdin", MemfdFlags::CLOEXEC)?);
    io::copy(&mut control.take(bytes as u64), &mut file)?;
    file.rewind()?;
    Ok(Some(file))
}

/// Hands the folder it is in to the supervisor: where it is the scratch folder, it has no name outside.
fn send_folder(control: &UnixStream) -> io::Result<()> {
    let folder = rustix::fs::open(".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let fds = [folder.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut buffer = SendAncillaryBuffer::new(&mut space);
    buffer.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(control, &[IoSlice::new(&[0])], &mut buffer, SendFlags::empty())?;
    Ok(())
}

fn limit(limits: &Limits, tasks_max: u64) -> io::Result<()> {
    let kept = [
        (Resource::Core, 0),
        // The supervisor counts all of them together, and comes first.
        (Resource::Cpu, limits.cpu_s + CPU_SPARE_S),
        // Stacks of threads count, though hardly any of it is used; what is used is watched.
        (Resource::Data, limits.memory_bytes * ADDRESSES + own_data()?),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.descriptors),
        (Resource::Nproc, tasks_max),
        (Resource::Msgqueue, 0),
    ];
    for (resource, value) in kept {
        let most = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let value = Some(value.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })?;
    }
    Ok(())
}

/// The bytes of data that this process has asked for: its allocator may keep much in reserve, and the command is
/// started from within it.
fn own_data() -> io::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(5).and_then(|pages| pages.parse::<u64>().ok());
    let pages =
        pages.ok_or_else(|| io::Error::other(format!("unknown form of memory figures: {statm:?}")))?;
    Ok(pages * rustix::param::page_size() as u64)
}

fn start(program: &str, inner: &Inner, shut: &mut Shut) -> Result<Child, String> {
    let scratch = inner.scratch.to_string_lossy();
    let temporary = inner.scratch.join(TEMPORARY);
    let mut command = Command::new(find(program, &inner.env)?);
    command
        .arg0(program)
        .args(&inner.args)
        .env_clear()
        .envs([("PATH", PATH), ("LANG", LANG), ("HOME", &scratch), ("TMPDIR", &temporary.to_string_lossy())])
        .envs(inner.env.iter().map(|(name, value)| (name, value)))
        .stdin(shut.stdin.take().map_or_else(Stdio::null, Stdio::from));
    // A group of its own: a signal to all of it does not end this process.
    if inner.landlock.is_none() || shut.scoped {
        command.process_group(0);
    }
    command.spawn().map_err(|error| error.to_string())
}

/// Where `program` is, looked for as a shell would.
fn find(program: &str, env: &[(String, String)]) -> Result<PathBuf, String> {
    if program.contains('/') {
        return Ok(program.into());
    }
    let paths = env.iter().find(|(name, _)| name == "PATH").map_or(PATH, |(_, paths)| paths);
    let files =
        paths.split(':').filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join(program));
    let startable =
        |file: &PathBuf| file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    files.into_iter().find(startable).ok_or_else(|| format!("there is no such program in {paths}"))
}

/// Waits for the command's end; none when the supervisor is gone before.
fn wait(child: &mut Child, control: &UnixStream) -> io::Result<Option<ExitStatus>> {
    let pidfd: OwnedFd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let mut fds = [PollFd::new(control, PollFlags::IN), PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if !fds[1].revents().is_empty() {
            return child.wait().map(Some);
        }
        if !fds[0].revents().is_empty() {
            return Ok(None);
        }
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    }
}

/// Ends all that the command has left, at one stroke. Where signals are not kept inside this is not the one to do
/// it, and name spaces end with this process.
fn end_all(scoped: bool) {
    if scoped {
        sys::kill_all_within_reach();
    }
}
