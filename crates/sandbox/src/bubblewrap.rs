//! How Bubblewrap is found and started, and what it is told to build.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::MemfdFlags;
use rustix::io::{FdFlags, fcntl_setfd};

use crate::helper::INNER;
use crate::limits::Limits;
use crate::seccomp::{self, Around};

/// The scratch folder, in memory.
pub(crate) const SCRATCH: &str = "/scratch";
/// Where programs put shared memory gets as large a part of the scratch folder's size.
const SHARED_MEMORY_PART: u64 = 4;

/// Where it is installed.
pub(crate) fn find() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&paths).chain([PathBuf::from("/usr/bin")]);
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join("bwrap")).find(|file| {
        file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// Starts it, with the program that `itself` is inside. `control` becomes what that reads and answers on.
pub(crate) fn start(
    bubblewrap: &Path,
    read_only: &[PathBuf],
    limits: &Limits,
    itself: OwnedFd,
    control: OwnedFd,
) -> io::Result<()> {
    let filter = seccomp::bytes(Around::NameSpaces).map_err(io::Error::other)?;
    let mut file = File::from(rustix::fs::memfd_create("filter", MemfdFlags::CLOEXEC)?);
    file.write_all(&filter)?;
    file.rewind()?;
    // These two stay open in what is started.
    fcntl_setfd(&file, FdFlags::empty())?;
    fcntl_setfd(&itself, FdFlags::empty())?;
    // By descriptor: inside it has no name, and outside it may have none any more.
    let itself = PathBuf::from(format!("/proc/self/fd/{}", itself.as_raw_fd()));
    let mut command = Command::new(bubblewrap);
    command.args(args(read_only, limits, file.as_raw_fd(), &itself));
    command.env_clear().stdin(Stdio::from(control)).spawn().map(drop)
}

/// A file system, processes, network and identity of its own for `program`. The filter of system calls comes on the
/// descriptor `filter`.
fn args(read_only: &[PathBuf], limits: &Limits, filter: RawFd, program: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    let mut say = |words: &[&str]| args.extend(words.iter().map(OsString::from));
    say(&["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]);
    say(&["--unshare-cgroup-try", "--hostname", "sandbox", "--die-with-parent", "--new-session"]);
    say(&["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]);
    let in_tmp = read_only.iter().any(|path| path.starts_with("/tmp"));
    if !in_tmp {
        say(&["--symlink", "scratch/tmp", "/tmp"]);
    }
    for path in read_only.iter().filter_map(|path| path.to_str()) {
        say(&["--ro-bind", path, path]);
    }
    let shared = (limits.file_bytes / SHARED_MEMORY_PART).to_string();
    say(&["--perms", "0700", "--size", &limits.file_bytes.to_string(), "--tmpfs", SCRATCH]);
    say(&["--size", &shared, "--tmpfs", "/dev/shm"]);
    // These two are in memory as well, and of no size.
    say(&["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", SCRATCH]);
    // Bubblewrap's own process inside gets it too: nobody can borrow a freer one.
    say(&["--seccomp", &filter.to_string(), "--"]);
    args.extend([program.into(), INNER.into()]);
    args
}
