//! Ends all that descends from this process, however it tries to get away.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process};

use crate::processes;
use crate::sys;

/// How long ending everything may take, in milliseconds.
pub(crate) const END_MS_MAX: u64 = 5_000;
/// How long the process inside gets to end all others, in milliseconds.
const ASKED_MS_MAX: u64 = 200;
const PAUSE: Duration = Duration::from_micros(500);

/// Has the process inside end all others at one stroke, if it is still there to do it.
pub(crate) fn ask(inside: &UnixStream) {
    let _ = inside.shutdown(Shutdown::Both);
    let until = Instant::now() + Duration::from_millis(ASKED_MS_MAX);
    while reap() && Instant::now() < until {
        std::thread::sleep(PAUSE);
    }
}

/// Ends all; whether it got so far in time. `own_user`: this process is a user that nobody else is.
pub(crate) fn end_all(own_user: bool) -> bool {
    let until = Instant::now() + Duration::from_millis(END_MS_MAX);
    let own = getpid().as_raw_nonzero().get();
    let mut look: fn(i32) -> Vec<i32> = processes::descendants;
    while reap() {
        if Instant::now() > until {
            return false;
        }
        if own_user {
            sys::kill_all_within_reach();
        }
        for pid in look(own).into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        look = processes::descendants_thoroughly;
        std::thread::sleep(PAUSE);
    }
    true
}

/// Takes in what has ended; whether there are any left that have not.
pub(crate) fn reap() -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
