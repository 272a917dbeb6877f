//! How a decision is stored: one record, chained to the one before by its hash.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Event, Timestamp};

/// The version of the form in which this code stores records. Every earlier form is read as well:
///
/// 1. had neither priorities, traces, endpoints nor parameters; without them a task is of normal priority
///    and belongs to no trace, and an agent has no server of its own;
/// 2. had neither severities of faults, given tests, sketches nor weighed findings; all faults are of high
///    severity without them, and findings of medium;
/// 3. had neither judges nor architects: near ties are left to the rule without them.
pub const SCHEMA: u32 = 4;

/// One decision: all its events or none. Events are those of deliberations, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<E = Event> {
    /// The version of this form.
    pub schema: u32,
    /// When it was decided.
    pub at: Timestamp,
    /// The hash of the record before in the same history; zeros in the first.
    pub previous: Digest,
    /// What was decided. Never empty.
    pub events: Vec<E>,
}

/// SHA-256 of a record's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version of the program wrote it.
    #[error("the record has form {found}; this version knows forms up to {SCHEMA}")]
    Newer {
        /// The form it has.
        found: u32,
    },
    /// It is damaged, or no record at all.
    #[error("the record cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl<E: Serialize + DeserializeOwned> Record<E> {
    /// A record of this version.
    #[must_use]
    pub fn new(at: Timestamp, previous: Digest, events: Vec<E>) -> Record<E> {
        Record { schema: SCHEMA, at, previous, events }
    }

    /// The bytes to store: JSON, always the same for the same record.
    ///
    /// # Panics
    /// Never: no part of a record can fail to be written as JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "a record holds only what JSON can hold, with text as keys")]
        serde_json::to_vec(self).expect("a record can be written")
    }

    /// Reads what [`Record::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Record<E>, RecordError> {
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
        }
        match serde_json::from_slice::<Record<E>>(bytes) {
            Ok(record) if record.schema <= SCHEMA => Ok(record),
            Ok(record) => Err(RecordError::Newer { found: record.schema }),
            // A later form may hold events that this version does not know: then say that.
            Err(error) => match serde_json::from_slice::<Form>(bytes) {
                Ok(form) if form.schema > SCHEMA => Err(RecordError::Newer { found: form.schema }),
                _ => Err(RecordError::Unreadable(error)),
            },
        }
    }
}

impl Record {
    /// Whether this is the last record of its history.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Ended { .. }))
    }
}

impl Digest {
    /// The hash of a record's bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// The hash whose 32 bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        let wrong = || format!("{text:?} is not a SHA-256 in hexadecimal");
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Digest(bytes))
    }
}
