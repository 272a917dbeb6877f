//! What can be asked of the writer, and by whom the answer is awaited.

use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{Answer, DeliberationId, Digest, Timestamp};
use fleet_orchestrator::port::{Announcement, Entry, HistoryId, Position, Recorded, Sequence, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::error::{ReadingOnly, closed};

/// The most writes that wait for the writer; whoever comes then waits before.
pub(crate) const WRITES_MAX: usize = 4096;

/// Who waits for the outcome of a write.
pub(crate) type Done<T> = oneshot::Sender<Result<T, StoreError>>;

/// One write.
pub(crate) enum Write {
    Append {
        history: HistoryId,
        after: Sequence,
        entry: Entry,
        /// The hash of the entry's body.
        digest: Digest,
        done: Done<Sequence>,
    },
    ForgetHistory {
        history: HistoryId,
        done: Done<()>,
    },
    Record {
        answer: Arc<Answer>,
        job: String,
        body: Bytes,
        /// The hash of the body.
        digest: Digest,
        done: Done<Recorded>,
    },
    ForgetAnswers {
        deliberation: DeliberationId,
        done: Done<()>,
    },
    Publish {
        announcements: Vec<(Announcement, Position)>,
        at: Timestamp,
        done: Done<()>,
    },
    /// Something of no consequence, to find out whether it can be written.
    Probe {
        done: Done<()>,
    },
    /// Attempts were counted that are to reach the disk.
    Attempts,
    /// Nothing comes after this.
    Close,
}

impl Write {
    /// About how much it adds to a transaction.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Write::Append { entry, .. } => entry.body.len(),
            Write::Record { body, .. } => body.len(),
            Write::Publish { announcements, .. } => announcements.iter().map(|(a, _)| a.body.len()).sum(),
            Write::ForgetHistory { .. }
            | Write::ForgetAnswers { .. }
            | Write::Probe { .. }
            | Write::Attempts
            | Write::Close => 0,
        }
    }

    pub(crate) fn is_awaited(&self) -> bool {
        !matches!(self, Write::Attempts | Write::Close)
    }

    /// Tells who waits that it did not take place.
    pub(crate) fn refuse(self, error: StoreError) {
        // Whoever waited may be gone.
        match self {
            Write::Append { done, .. } => _ = done.send(Err(error)),
            Write::Record { done, .. } => _ = done.send(Err(error)),
            Write::ForgetHistory { done, .. }
            | Write::ForgetAnswers { done, .. }
            | Write::Publish { done, .. }
            | Write::Probe { done } => _ = done.send(Err(error)),
            Write::Attempts | Write::Close => {}
        }
    }
}

/// The way to the writer, where there is one.
#[derive(Clone)]
pub(crate) struct Writes(Option<mpsc::Sender<Write>>);

impl Writes {
    pub(crate) fn to(writes: mpsc::Sender<Write>) -> Writes {
        Writes(Some(writes))
    }

    /// For state that is only read.
    pub(crate) fn refused() -> Writes {
        Writes(None)
    }

    /// Hands a write over and waits until it is durable.
    pub(crate) async fn ask<T>(&self, write: impl FnOnce(Done<T>) -> Write) -> Result<T, StoreError> {
        let Some(writes) = &self.0 else { return Err(StoreError::Unavailable(ReadingOnly.into())) };
        let (done, outcome) = oneshot::channel();
        writes.send(write(done)).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    /// Has attempts stored, soon. With the channel full the writer is at work and takes them along.
    pub(crate) fn nudge(&self) {
        if let Some(writes) = &self.0 {
            _ = writes.try_send(Write::Attempts);
        }
    }

    pub(crate) async fn close(&self) {
        if let Some(writes) = &self.0 {
            // An error says that the writer has ended already.
            _ = writes.send(Write::Close).await;
        }
    }
}
