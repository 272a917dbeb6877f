//! The log: histories of records, the only truth.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use fleet_deliberation::{DeliberationId, Hour, Role, Timestamp};

use super::StoreError;

/// Names a history: `{kind}:{id}`, such as `deliberation:42`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryId(Box<str>);

/// What a history is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryKind {
    /// Of a deliberation, which ends.
    Deliberation,
    /// Of a role's council, which never does: one that is deleted may be made again.
    Council,
    /// Of what a role's council spends in an hour, which ends some time after it.
    Hour,
}

impl HistoryKind {
    /// What the names of histories of this kind begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            HistoryKind::Deliberation => "deliberation:",
            HistoryKind::Council => "council:",
            HistoryKind::Hour => "hour:",
        }
    }
}

impl HistoryId {
    /// The history of a deliberation.
    #[must_use]
    pub fn deliberation(id: &DeliberationId) -> HistoryId {
        HistoryId(format!("{}{id}", HistoryKind::Deliberation.prefix()).into())
    }

    /// The deliberation whose history this is, if it is one's.
    #[must_use]
    pub fn as_deliberation(&self) -> Option<DeliberationId> {
        DeliberationId::new(self.0.strip_prefix(HistoryKind::Deliberation.prefix())?).ok()
    }

    /// The history of a role's council.
    #[must_use]
    pub fn council(role: &Role) -> HistoryId {
        HistoryId(format!("{}{role}", HistoryKind::Council.prefix()).into())
    }

    /// The role whose council's history this is, if it is one's.
    #[must_use]
    pub fn as_council(&self) -> Option<Role> {
        Role::new(self.0.strip_prefix(HistoryKind::Council.prefix())?).ok()
    }

    /// The history of an hour of a role's council: `hour:{number}:{role}`.
    #[must_use]
    pub fn hour(role: &Role, hour: Hour) -> HistoryId {
        HistoryId(format!("{}{}:{role}", HistoryKind::Hour.prefix(), hour.0).into())
    }

    /// The role and the hour whose history this is, if it is one's.
    #[must_use]
    pub fn as_hour(&self) -> Option<(Role, Hour)> {
        let (hour, role) = self.0.strip_prefix(HistoryKind::Hour.prefix())?.split_once(':')?;
        Some((Role::new(role).ok()?, Hour(hour.parse().ok()?)))
    }

    /// Takes back what [`HistoryId::as_str`] gave.
    #[must_use]
    pub fn from_stored(text: &str) -> HistoryId {
        HistoryId(text.into())
    }

    /// The name as stores keep it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of a record in its history. Later records have higher sequences, not always by one; 0 is
/// the place before the first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

/// The place of a record in the whole log, or of an answer among all answers. Later ones are higher; 0
/// is the place before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// One record to be appended: one decision.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The record as it is to be read back, byte for byte.
    pub body: Bytes,
    /// When it was decided.
    pub at: Timestamp,
    /// Whether this record ends its history: nothing comes after it.
    pub ends: bool,
}

/// One record as the log holds it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place in the whole log.
    pub position: Position,
    /// The history it belongs to.
    pub history: HistoryId,
    /// Its place in that history.
    pub sequence: Sequence,
    /// The record.
    pub entry: Entry,
}

/// A history in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryInfo {
    /// Its name.
    pub id: HistoryId,
    /// When its first record was decided.
    pub opened_at: Timestamp,
    /// When its last record was decided, if it has ended.
    pub ended_at: Option<Timestamp>,
}

/// Which histories a listing is to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Every history of a kind that has not ended, oldest first.
    Open(HistoryKind),
    /// The `limit` histories of a kind that were opened last, newest first.
    Newest {
        /// Which kind.
        kind: HistoryKind,
        /// The most to name.
        limit: usize,
    },
    /// Up to `limit` histories that ended before a moment, and, if the whole store holds more than
    /// `bytes_max` bytes, of those that ended first as many as it takes to get below. Oldest end first.
    Expired {
        /// Histories that ended before this moment are named.
        ended_before: Timestamp,
        /// The bytes the store may hold.
        bytes_max: u64,
        /// The most to name.
        limit: usize,
    },
}

/// Keeps histories.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Appends one record if the history still ends at `after`, and gives its place.
    ///
    /// When this returns `Ok` the record is durable. `Conflict` when the history ends elsewhere, which
    /// it always does after a record that `ends`. After any other error the record may be there or not;
    /// it is never there in part.
    async fn append(
        &self,
        history: &HistoryId,
        after: Sequence,
        entry: Entry,
    ) -> Result<Sequence, StoreError>;

    /// The records of a history behind `after`, in order; none for a history that is not there.
    async fn read(&self, history: &HistoryId, after: Sequence) -> Result<Vec<Stored>, StoreError>;

    /// The histories a listing asks for.
    async fn histories(&self, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError>;

    /// The place of the last record of the log.
    async fn end(&self) -> Result<Position, StoreError>;

    /// Up to `limit` records behind `after`, in the order of the log; waits until there is one.
    /// Nothing is left out: a record is only given once no record before it can appear any more.
    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// Whether records would be taken now: finds out by writing something that is of no consequence, as
    /// durably as a record.
    async fn writable(&self) -> Result<(), StoreError>;

    /// Forgets an ended history for good. Nothing happens if it is not there; `Conflict` if it is open.
    async fn forget(&self, history: &HistoryId) -> Result<(), StoreError>;
}
