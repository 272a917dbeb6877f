//! The few calls of Linux that no crate offers without `unsafe`.
#![expect(unsafe_code, reason = "plain calls of the system with numbers only: no memory is shared with them")]

use std::io;

/// Closes every descriptor but the first three. Only at the very start of a process, when nothing has opened any.
pub(crate) fn close_inherited() -> io::Result<()> {
    // SAFETY: takes numbers; nothing in this process owns one of these descriptors yet.
    done(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) })
}

/// Kills every process that this one may send signals to, but itself. Only for one whom either the kernel keeps
/// from all others, or whose user is nobody else's.
pub(crate) fn kill_all_within_reach() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    // SAFETY: takes numbers.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// From here on this process has mounts of its own.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: takes a number; this process has one thread, so that nobody else's view changes.
    done(unsafe { libc::unshare(libc::CLONE_NEWNS) }.into())
}

fn done(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
