//! Runs a command shut in: by Bubblewrap, else by Landlock and seccomp, else not at all.
//!
//! [`Sandbox::run`] takes a [`Job`] and gives back how it [`Ended`]. What runs sees system folders and those
//! that the job names, read only, one scratch folder of bounded size, and nothing else: no network, no file
//! and no environment of the host, no other process. When `run` returns, or its future is dropped, everything
//! that it started is gone. There is no way to run a command unsandboxed: where neither level works,
//! [`SandboxError::Unavailable`] says why.
//!
//! The program that uses this must call [`helper()`] at the very start of `main`: the sandbox starts the
//! running program again to shut the command in.
//!
//! | | Bubblewrap | Landlock and seccomp |
//! |---|---|---|
//! | files | a file system of its own | the kernel refuses to open others; that they exist can be seen |
//! | network | one of its own, with a loopback | no sockets but connected pairs |
//! | processes | its own; signals stay inside | signals stay inside, `/proc` is closed |
//! | scratch folder | in memory, sized | on disk, watched |
//!
//! As root a command runs as a user of its own that owns nothing. As an ordinary user without Bubblewrap it
//! runs as that user; calls that change the mode, owner or time of files are then not made, as Landlock does
//! not look at them: a file can be made executable for its owner, all else of that kind is refused or passed over.

mod bubblewrap;
mod ended;
mod ending;
mod error;
mod helper;
mod inner;
mod job;
mod landlock;
mod level;
mod limits;
mod output;
mod plan;
mod processes;
mod reach;
mod run;
mod sandbox;
mod scratch;
mod seccomp;
mod supervise;
mod sys;
mod user;
mod watch;

pub use ended::{End, Ended, Limit};
pub use error::{JobError, SandboxError};
pub use helper::helper;
pub use job::{FILES_BYTES_MAX, FILES_MAX, Job, STDIN_BYTES_MAX, SYSTEM};
pub use level::{Choice, Level};
pub use limits::Limits;
pub use output::Output;
pub use sandbox::Sandbox;
