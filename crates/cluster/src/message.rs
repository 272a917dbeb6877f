//! A message as a stream holds it.

use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, header};
use bytes::Bytes;
use fleet_deliberation::{Digest, Timestamp};
use fleet_orchestrator::port::{Sequence, StoreError};

use crate::error::Nonsense;

/// When something was decided, in milliseconds since 1970.
pub(crate) const AT: &str = "Fleet-At";
/// There on the record that opens a history.
pub(crate) const OPENS: &str = "Fleet-Opens";
/// There on the record that ends a history.
pub(crate) const ENDS: &str = "Fleet-Ends";
/// The position of the record that an announcement stands for.
pub(crate) const POSITION: &str = "Fleet-Position";
/// The SHA-256 of the body.
pub(crate) const DIGEST: &str = "Fleet-Digest";
/// In how many parts an answer lies, and under which name, where it is too large for one message.
pub(crate) const PARTS: &str = "Fleet-Parts";

/// One message of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.as_str())
    }

    /// The id that the one who wrote it gave to it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.headers.get(header::NATS_MESSAGE_ID).map(|id| id.as_str())
    }

    pub(crate) fn at(&self) -> Result<Timestamp, StoreError> {
        let at = self.header(AT).and_then(|at| at.parse().ok());
        at.map(Timestamp).ok_or_else(|| self.corrupt(format!("it has no time in {AT}")))
    }

    /// The error when the body is not what was written.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.check_body(&self.body)
    }

    /// The same of a body that lies elsewhere.
    pub(crate) fn check_body(&self, body: &[u8]) -> Result<(), StoreError> {
        let written = self.header(DIGEST).unwrap_or_default();
        let found = Digest::of(body).to_string();
        if written == found {
            return Ok(());
        }
        Err(self.corrupt(format!("it was written with the hash {written:?} and has {found}")))
    }

    pub(crate) fn corrupt(&self, what: String) -> StoreError {
        StoreError::Corrupt(Sequence(self.sequence), Nonsense(format!("{}: {what}", self.subject)).into())
    }
}

impl From<StreamMessage> for Message {
    fn from(message: StreamMessage) -> Message {
        Message {
            subject: message.subject.to_string(),
            sequence: message.sequence,
            headers: message.headers,
            body: message.payload,
        }
    }
}
