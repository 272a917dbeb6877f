//! What can go wrong with a cluster, by what can be done about it.

use async_nats::jetstream::ErrorCode;
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{Source, StoreError};

/// Why the cluster could not be opened. Nothing that was there is changed; streams that were missing may have been
/// made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting does not make sense: mend it.
    #[error("{name} is {found}: {why}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it says.
        found: String,
        /// What it may be.
        why: &'static str,
    },
    /// Nobody answers there, or does not let us in: look at the address, the server and the credentials.
    #[error("NATS cannot be reached at {servers}")]
    Unreachable {
        /// The addresses that were tried, without secrets.
        servers: String,
        /// What was met.
        #[source]
        source: Source,
    },
    /// The server is there, and JetStream does not do what it is asked for: look at its configuration and room.
    #[error("JetStream does not give the stream {stream}")]
    Refused {
        /// The stream.
        stream: String,
        /// What the server says.
        #[source]
        source: Source,
    },
    /// A stream of this name is there, and it would not keep what has to be kept: mend it, or use another prefix.
    #[error("the stream {stream} has {setting} {found}, and must have {wanted}")]
    Differs {
        /// The stream.
        stream: String,
        /// What differs.
        setting: &'static str,
        /// What the stream has.
        found: String,
        /// What it must have.
        wanted: String,
    },
}

/// Why it is not known what came of a call.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum Lost {
    /// There is no connection, or it broke.
    #[error("there is no connection to NATS")]
    Away,
    /// No answer came in time.
    #[error("NATS did not answer within {0} ms")]
    Late(u64),
    /// Nobody serves the stream now: JetStream is starting, or the stream has no leader.
    #[error("nobody serves the stream {0} at this moment")]
    Unserved(&'static str),
}

impl From<Lost> for StoreError {
    fn from(lost: Lost) -> StoreError {
        StoreError::Unavailable(lost.into())
    }
}

/// Something that NATS said and that does not make sense here.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Nonsense(pub(crate) String);

/// What could be read; says so in the log where it could not.
pub(crate) fn readable<T>(read: Result<T, StoreError>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(error = chain(error), "something stored cannot be read")).ok()
}

pub(crate) fn unavailable(source: impl Into<Source>) -> StoreError {
    StoreError::Unavailable(source.into())
}

/// Whether JetStream refuses because the subject does not end where the write expects it to.
pub(crate) fn is_elsewhere(code: ErrorCode) -> bool {
    code == ErrorCode::STREAM_WRONG_LAST_SEQUENCE
}

/// Whether JetStream refuses because another write to the subject is under way: of several servers, the leader has
/// sent it to the others, and not yet heard that they have it. Nobody can read that one yet.
pub(crate) fn is_contested(code: ErrorCode) -> bool {
    code == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
}

/// Whether JetStream refuses because there is no room.
pub(crate) fn is_full(code: ErrorCode) -> bool {
    [
        // A limit of the stream: bytes.
        ErrorCode::STREAM_STORE_FAILED,
        // A limit of the stream: the size of one message.
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM,
        // A limit of the account or of the server.
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::INSUFFICIENT_RESOURCES,
    ]
    .contains(&code)
}
