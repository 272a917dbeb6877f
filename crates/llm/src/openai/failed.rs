//! Why a call gave no answer, and what that says of its server.

use fleet_deliberation::FailureKind;
use fleet_orchestrator::port::ModelError;

/// A call that gave no answer.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: ModelError,
    pub(crate) blame: Blame,
}

/// What a failed call says of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// No connection came about: another server may be asked, for nothing can have been paid.
    NotReached,
    /// The server was too slow, broke off, or failed.
    Server,
    /// The server answered; the request, the model or the answer is at fault.
    Answered,
    /// The job had no more time: nothing is known of the server.
    OutOfTime,
}

impl Failed {
    pub(super) const fn new(error: ModelError, blame: Blame) -> Failed {
        Failed { error, blame }
    }

    /// A fault of one request or one answer, whatever the server calls it.
    pub(super) const fn answered(error: ModelError) -> Failed {
        Failed { error, blame: Blame::Answered }
    }
}

impl From<ModelError> for Failed {
    /// The blame that lies in the kind of fault.
    fn from(error: ModelError) -> Failed {
        use FailureKind::{Connection, Server, Timeout};
        let blame = match error.kind {
            Connection | Timeout | Server => Blame::Server,
            _ => Blame::Answered,
        };
        Failed { error, blame }
    }
}
