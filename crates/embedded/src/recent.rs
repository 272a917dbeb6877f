//! What was committed last, kept in memory for those who follow, and the wake-up for them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet_orchestrator::port::StoreError;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::error::closed;
use crate::reader::Reader;

/// The most entries kept.
pub(crate) const ENTRIES_MAX: usize = 16_384;

/// The most bytes of entries kept.
pub(crate) const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most entries one look gives, whatever was asked for.
const LIMIT_MAX: usize = 4096;

/// An entry at its position.
pub(crate) type At<T> = (u64, T);

/// Reads up to so many entries behind a position.
pub(crate) type Load<T> = fn(&Connection, u64, usize) -> Result<Vec<At<T>>, StoreError>;

/// The last entries of a sequence that only grows at its end.
pub(crate) struct Recent<T> {
    ring: Mutex<Ring<T>>,
    end: watch::Sender<u64>,
}

struct Ring<T> {
    /// Every entry behind this position is in `entries`, unless it was forgotten.
    floor: u64,
    entries: VecDeque<(u64, usize, T)>,
    bytes: usize,
}

impl<T: Clone + Send + 'static> Recent<T> {
    /// Nothing yet, behind what is stored up to `end`.
    pub(crate) fn behind_stored(end: u64) -> Recent<T> {
        let ring = Ring { floor: end, entries: VecDeque::new(), bytes: 0 };
        Recent { ring: Mutex::new(ring), end: watch::Sender::new(end) }
    }

    /// The position given last.
    pub(crate) fn end(&self) -> u64 {
        *self.end.borrow()
    }

    /// Takes committed entries, each with its size, and wakes those who follow. `end` is the position
    /// given last, also if its entry is forgotten by now.
    pub(crate) fn push(&self, entries: Vec<(u64, usize, T)>, end: u64) {
        if end == self.end() {
            return;
        }
        let mut ring = self.ring();
        for (position, bytes, entry) in entries {
            ring.bytes += bytes;
            ring.entries.push_back((position, bytes, entry));
            while ring.entries.len() > ENTRIES_MAX || ring.bytes > BYTES_MAX {
                let Some((position, bytes, _)) = ring.entries.pop_front() else { break };
                ring.floor = position;
                ring.bytes -= bytes;
            }
        }
        drop(ring);
        self.end.send_replace(end);
    }

    /// Forgets entries at or before `last` that `gone` names.
    pub(crate) fn forget(&self, last: u64, gone: impl Fn(&T) -> bool) {
        let mut ring = self.ring();
        if last <= ring.floor {
            return;
        }
        let mut freed = 0;
        ring.entries.retain(|(_, bytes, entry)| {
            let goes = gone(entry);
            freed += if goes { *bytes } else { 0 };
            !goes
        });
        ring.bytes -= freed;
    }

    /// Up to `limit` entries behind `after`, from memory or by `load`; waits until there is one.
    pub(crate) async fn tail(
        &self,
        after: u64,
        limit: usize,
        reader: &Reader,
        load: Load<T>,
    ) -> Result<Vec<At<T>>, StoreError> {
        let limit = limit.clamp(1, LIMIT_MAX);
        // Subscribe before looking, or an entry committed in between is missed.
        let mut end = self.end.subscribe();
        loop {
            if *end.borrow_and_update() > after {
                let found = match self.look(after, limit) {
                    Some(found) => found,
                    None => reader.scan(move |connection| load(connection, after, limit)).await?,
                };
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            end.changed().await.map_err(|_| closed())?;
        }
    }

    /// None when entries behind `after` may be missing here.
    fn look(&self, after: u64, limit: usize) -> Option<Vec<At<T>>> {
        let ring = self.ring();
        if after < ring.floor {
            return None;
        }
        let from = ring.entries.partition_point(|(position, ..)| *position <= after);
        let found = ring.entries.range(from..).take(limit);
        Some(found.map(|(position, _, entry)| (*position, entry.clone())).collect())
    }

    fn ring(&self) -> MutexGuard<'_, Ring<T>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
