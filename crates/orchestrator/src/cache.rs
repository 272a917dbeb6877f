//! Deliberations kept in memory, by number and by size.

use std::num::NonZeroUsize;
use std::sync::Arc;

use fleet_deliberation::{Deliberation, DeliberationId};
use lru::LruCache;

use crate::Loaded;

/// The most bytes that are kept, as far as texts and lanes count.
const BYTES_MAX: usize = 256 * 1024 * 1024;
/// What a deliberation takes besides its texts and lanes, in bytes, roughly.
const STATE_BYTES: usize = 512;
/// What a lane takes, in bytes, roughly.
const LANE_BYTES: usize = 384;

/// The deliberations used last.
pub(crate) struct Cache {
    known: LruCache<DeliberationId, Arc<Loaded>>,
    bytes: usize,
}

impl Cache {
    pub(crate) fn new(entries_max: NonZeroUsize) -> Cache {
        Cache { known: LruCache::new(entries_max), bytes: 0 }
    }

    pub(crate) fn get(&mut self, id: &DeliberationId) -> Option<Arc<Loaded>> {
        self.known.get(id).cloned()
    }

    /// Keeps what is newer than what is known.
    pub(crate) fn put(&mut self, id: &DeliberationId, loaded: &Arc<Loaded>) {
        if self.known.peek(id).is_some_and(|known| known.sequence >= loaded.sequence) {
            return;
        }
        self.bytes += bytes(&loaded.state);
        // What goes for it is the older state of the same one, or, when there are too many, another's.
        if let Some((_, gone)) = self.known.push(id.clone(), Arc::clone(loaded)) {
            self.bytes -= bytes(&gone.state);
        }
        while self.bytes > BYTES_MAX && self.known.len() > 1 {
            let Some((_, gone)) = self.known.pop_lru() else { break };
            self.bytes -= bytes(&gone.state);
        }
    }

    pub(crate) fn pop(&mut self, id: &DeliberationId) {
        if let Some(gone) = self.known.pop(id) {
            self.bytes -= bytes(&gone.state);
        }
    }
}

/// About what a deliberation takes; the same for every state of it.
fn bytes(state: &Deliberation) -> usize {
    let task = &state.submission().task;
    let metadata = task.metadata.iter().map(|(key, value)| key.len() + value.len());
    let texts = task.description.len() + task.rubric.len() + metadata.sum::<usize>();
    let requirements = task.requirements.iter().map(String::len).sum::<usize>();
    texts + requirements + STATE_BYTES + LANE_BYTES * state.lanes.len()
}
