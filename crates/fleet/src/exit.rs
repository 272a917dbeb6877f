//! How the command ends: one code a kind of outcome.

use std::process::ExitCode;

use fleet_checks::BadPolicy;
use fleet_deliberation::Rejection;
use fleet_embedded::OpenError;
use fleet_orchestrator::port::StoreError;
use fleet_orchestrator::{HandleError, chain};
use tonic_types::StatusExt as _;

use crate::config::ConfigError;
use crate::state;

/// How the command ends. `docs/errors.md` lists the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// There is a verdict, or what was asked for was done.
    Done = 0,
    /// Something went wrong that should not.
    Unexpected = 1,
    /// Flags, configuration or task are not acceptable. Flags that are no flags end with the same code.
    Refused = 2,
    /// The deliberation ended without a verdict: too few agents answered.
    Failed = 3,
    /// The deliberation ended without a verdict: its time was up.
    TimedOut = 4,
    /// The deliberation was cancelled.
    Cancelled = 5,
    /// There is no such deliberation or council.
    NotFound = 6,
    /// Not now: a limit is reached, or another process works on the state.
    Busy = 7,
    /// A server, a model or the state cannot be reached, or the state is damaged.
    Unavailable = 8,
    /// The id is taken by a task with other content.
    Conflict = 9,
    /// The deliberation has not ended yet.
    Open = 10,
    /// There is a verdict, and no proposal is acceptable.
    NoneAcceptable = 11,
    /// A replay gives another verdict than the one recorded, by the same rule.
    Differs = 12,
    /// What is stored is not as it was written.
    Tampered = 13,
    /// Left at once; the deliberation can be resumed.
    Left = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Something the user can do something about.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// How the command ends.
    pub exit: Exit,
    /// What happened, what it was about, what to do.
    pub message: String,
}

impl Problem {
    /// A problem with an outcome of its own.
    pub fn new(exit: Exit, message: impl Into<String>) -> Problem {
        Problem { exit, message: message.into() }
    }

    /// The code and the message for an error, whatever it is.
    #[must_use]
    pub fn report(error: &anyhow::Error) -> (Exit, String) {
        let message = chain(error.as_ref());
        for cause in error.chain() {
            if let Some(problem) = cause.downcast_ref::<Problem>() {
                return (problem.exit, message);
            }
            if let Some(error) = cause.downcast_ref::<ConfigError>() {
                let exit = match error {
                    ConfigError::Internal(_) => Exit::Unexpected,
                    _ => Exit::Refused,
                };
                return (exit, message);
            }
            if cause.downcast_ref::<BadPolicy>().is_some() {
                return (Exit::Refused, message);
            }
            if let Some(HandleError::Store(error)) = cause.downcast_ref::<HandleError>() {
                return (store(error), format!("{message}; {}", remedy(error)));
            }
            if let Some(error) = cause.downcast_ref::<HandleError>() {
                return (handle(error), message);
            }
            if let Some(error) = cause.downcast_ref::<StoreError>() {
                return (store(error), format!("{message}; {}", remedy(error)));
            }
            if let Some(error) = cause.downcast_ref::<OpenError>() {
                return (open(error), format!("{message}; {}", advice(error)));
            }
            if let Some(status) = cause.downcast_ref::<tonic::Status>() {
                return remote(status);
            }
        }
        (Exit::Unexpected, message)
    }
}

fn handle(error: &HandleError) -> Exit {
    match error {
        HandleError::Rejected(rejection) => match rejection {
            Rejection::Unknown(_) | Rejection::NotThere(_) => Exit::NotFound,
            Rejection::Malformed { .. } | Rejection::NotNow(_) => Exit::Refused,
            Rejection::OtherContent(_) | Rejection::Taken(_) => Exit::Conflict,
        },
        HandleError::NoCouncil { .. } | HandleError::NoLongerServed { .. } => Exit::NotFound,
        HandleError::Busy { .. } | HandleError::Exhausted { .. } => Exit::Busy,
        HandleError::Closing { .. } => Exit::Unavailable,
        HandleError::Store(error) => store(error),
    }
}

fn store(error: &StoreError) -> Exit {
    match error {
        StoreError::Conflict | StoreError::Full | StoreError::Unavailable(_) | StoreError::Corrupt(..) => {
            Exit::Unavailable
        }
    }
}

/// What can be done about an error of a state that is open.
pub(crate) fn remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::Conflict => "try again",
        StoreError::Full => "make room on its disk, or give --state DIR to work elsewhere",
        StoreError::Unavailable(_) => "mend its disk, or give --state DIR to work elsewhere",
        StoreError::Corrupt(..) => {
            "`fleet verify` says what is damaged; keep a copy of the directory, and put a backup in its place with \
             `fleet restore FILE --force`"
        }
    }
}

fn open(error: &OpenError) -> Exit {
    match error {
        OpenError::Held { .. } | OpenError::Restoring(_) => Exit::Busy,
        OpenError::Missing(_) => Exit::NotFound,
        OpenError::Newer { .. } | OpenError::NotOurs(_) => Exit::Refused,
        OpenError::Damaged(..)
        | OpenError::NotReadable(..)
        | OpenError::NotWritable(..)
        | OpenError::NoRoom(..) => Exit::Unavailable,
        OpenError::Other(..) => Exit::Unexpected,
    }
}

fn advice(error: &OpenError) -> String {
    match error {
        OpenError::Held { by } => match state::address_in(by) {
            Some(address) => {
                format!("give --server {address} to have it do the work, or --state DIR to work elsewhere")
            }
            None => "wait for it, or give --state DIR to work elsewhere".into(),
        },
        OpenError::Newer { .. } => "use that version, or --state DIR to work elsewhere".into(),
        OpenError::NotOurs(_) => "give --state DIR to work elsewhere".into(),
        OpenError::Damaged(..) => "put a backup in its place with `fleet restore FILE --force`, which \
                                   deletes nothing, or give --state DIR to work elsewhere"
            .into(),
        OpenError::NotReadable(..) | OpenError::NotWritable(..) => {
            "mend its permissions, or give --state DIR to work elsewhere".into()
        }
        OpenError::NoRoom(..) => "make room on its disk, or give --state DIR to work elsewhere".into(),
        OpenError::Restoring(_) => {
            "wait for it; if it was interrupted, the next `fleet serve` or `fleet restore` completes it"
                .into()
        }
        OpenError::Missing(_) => "nothing was ever submitted here".into(),
        OpenError::Other(..) => "please report it if the disk is sound".into(),
    }
}

/// What this process refused in the words of the wire.
pub(crate) fn refused(status: &tonic::Status) -> Problem {
    Problem::new(code(status), status.message())
}

fn code(status: &tonic::Status) -> Exit {
    use tonic::Code;
    match status.code() {
        Code::NotFound => Exit::NotFound,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition | Code::Unimplemented => {
            Exit::Refused
        }
        Code::AlreadyExists => Exit::Conflict,
        Code::ResourceExhausted | Code::Aborted => Exit::Busy,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Exit::Unavailable,
        _ => Exit::Unexpected,
    }
}

fn remote(status: &tonic::Status) -> (Exit, String) {
    let exit = code(status);
    let again = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    let hint = again.map(|delay| format!(" (try again in {} s)", delay.as_secs().max(1))).unwrap_or_default();
    // Without a source the server said it; with one, the connection did.
    if std::error::Error::source(status).is_some() {
        let message = "the connection to the server was lost; what it accepted goes on at its next start";
        return (Exit::Unavailable, message.into());
    }
    (exit, format!("the server answers: {}{hint}", status.message()))
}
