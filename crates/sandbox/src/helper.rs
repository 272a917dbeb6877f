//! The door by which the running program, started again, becomes part of a sandbox.

use std::io;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{inner, supervise};

/// What they are called in a list of processes.
pub(crate) const NAME: &str = "fleet-sandbox";
/// The first argument of a process that is a supervisor.
pub(crate) const SUPERVISE: &str = "--fleet-sandbox=supervise";
/// The first argument of the process inside.
pub(crate) const INNER: &str = "--fleet-sandbox=inner";

const FAILED: i32 = 70;

static OPEN: AtomicBool = AtomicBool::new(false);

/// To be called at the very start of `main`, before anything else happens.
///
/// Returns at once in a program that was started by its user. In one that a [`Sandbox`](crate::Sandbox) started
/// it does what is to be done there, and never returns.
pub fn helper() {
    let done = match std::env::args_os().nth(1) {
        Some(first) if first == SUPERVISE => supervise::run(),
        Some(first) if first == INNER => inner::run(),
        _ => return OPEN.store(true, Ordering::Relaxed),
    };
    exit(done.map_or_else(complain, |()| 0))
}

/// Whether this program has called [`helper`], so that it can be started again.
pub(crate) fn open() -> bool {
    OPEN.load(Ordering::Relaxed)
}

fn complain(error: io::Error) -> i32 {
    eprintln!("sandbox: {error}");
    FAILED
}
