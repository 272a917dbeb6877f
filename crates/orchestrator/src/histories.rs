//! Deliberations as their histories leave them, read through a bounded cache.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_deliberation::{Decision, Deliberation, DeliberationId, Digest, Record, Timestamp, evolve};
use tokio::sync::watch;

use crate::cache::Cache;
use crate::port::{Entry, EventStore, HistoryId, Sequence, StoreError, Stored};

/// A deliberation with its place in its history.
#[derive(Debug)]
pub struct Loaded {
    /// Where it stands.
    pub state: Deliberation,
    /// The place of the record that left it so.
    pub sequence: Sequence,
    /// The hash of that record.
    digest: Digest,
}

/// Loads and stores deliberations. What it gives may be older than the log, never other than it; an
/// append on an older state is a conflict.
pub struct Histories {
    store: Arc<dyn EventStore>,
    cache: Mutex<Cache>,
    /// Those somebody follows. What has ended is not followed any more.
    watched: Mutex<BTreeMap<DeliberationId, watch::Sender<Arc<Loaded>>>>,
}

impl Histories {
    /// Histories in `store`, of which up to `cached_max` are kept in memory.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, cached_max: NonZeroUsize) -> Histories {
        let cache = Mutex::new(Cache::new(cached_max));
        Histories { store, cache, watched: Mutex::default() }
    }

    /// The store behind.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// A deliberation, from memory where it is there; `None` if it has no history.
    pub async fn load(&self, id: &DeliberationId) -> Result<Option<Arc<Loaded>>, StoreError> {
        match self.in_memory(id) {
            Some(loaded) => Ok(Some(loaded)),
            None => self.refresh(id).await,
        }
    }

    /// A deliberation as the log has it now.
    pub async fn refresh(&self, id: &DeliberationId) -> Result<Option<Arc<Loaded>>, StoreError> {
        let known = self.in_memory(id);
        let after = known.as_ref().map_or(Sequence::default(), |loaded| loaded.sequence);
        let records = self.store.read(&HistoryId::deliberation(id), after).await?;
        if records.is_empty() {
            return Ok(known);
        }
        let (mut state, mut digest) = match &known {
            Some(loaded) => (Some(loaded.state.clone()), loaded.digest),
            None => (None, Digest::default()),
        };
        let mut sequence = after;
        for stored in &records {
            let record = decode(stored)?;
            if record.previous != digest {
                let cause =
                    format!("its previous hash is {}, the record before has {digest}", record.previous);
                return Err(StoreError::Corrupt(stored.sequence, cause.into()));
            }
            state = record.events.iter().fold(state, evolve);
            digest = Digest::of(&stored.entry.body);
            sequence = stored.sequence;
        }
        let Some(state) = state else {
            return Err(StoreError::Corrupt(sequence, "the history does not begin with its opening".into()));
        };
        let loaded = Arc::new(Loaded { state, sequence, digest });
        self.keep(id, &loaded);
        Ok(Some(loaded))
    }

    /// Stores a decision taken on `base` as one record. `Conflict` if the history has moved on.
    pub async fn commit(
        &self,
        base: Option<&Arc<Loaded>>,
        decision: Decision,
        at: Timestamp,
    ) -> Result<Arc<Loaded>, StoreError> {
        let Decision { state: Some(state), events } = decision else {
            return Err(StoreError::Conflict);
        };
        let id = state.id().clone();
        let (after, previous) = base.map_or_else(Default::default, |base| (base.sequence, base.digest));
        let record = Record::new(at, previous, events);
        let body = record.encode();
        let digest = Digest::of(&body);
        let entry = Entry { body: body.into(), at, ends: record.ends() };
        match self.store.append(&HistoryId::deliberation(&id), after, entry).await {
            Ok(sequence) => {
                let loaded = Arc::new(Loaded { state, sequence, digest });
                self.keep(&id, &loaded);
                Ok(loaded)
            }
            Err(error) => {
                // Whether the record is there is not known, so what is in memory may be old.
                lock(&self.cache).pop(&id);
                Err(error)
            }
        }
    }

    /// Takes in a record that came by the log, if it follows on what is in memory: then whoever is told of
    /// it from here on finds a state that knows it, also before the one who stored it has come so far.
    pub(crate) fn learn(&self, id: &DeliberationId, stored: &Stored, record: &Record) {
        let known = self.in_memory(id);
        let (state, sequence, digest) = match &known {
            Some(known) => (Some(&known.state), known.sequence, known.digest),
            None => (None, Sequence::default(), Digest::default()),
        };
        if sequence >= stored.sequence || digest != record.previous {
            return;
        }
        let Some(state) = record.events.iter().fold(state.cloned(), evolve) else { return };
        let digest = Digest::of(&stored.entry.body);
        self.keep(id, &Arc::new(Loaded { state, sequence: stored.sequence, digest }));
    }

    /// Follows a deliberation: the receiver sees its latest state, and wakes when it changes.
    pub async fn watch(
        &self,
        id: &DeliberationId,
    ) -> Result<Option<watch::Receiver<Arc<Loaded>>>, StoreError> {
        let Some(loaded) = self.load(id).await? else { return Ok(None) };
        if loaded.state.ended.is_some() {
            return Ok(Some(watch::Sender::new(loaded).subscribe()));
        }
        let mut watched = lock(&self.watched);
        let sender = watched.entry(id.clone()).or_insert_with(|| watch::Sender::new(Arc::clone(&loaded)));
        // The sender may have been there before, and older.
        offer(sender, &loaded);
        let receiver = sender.subscribe();
        drop(watched);
        // A state that was kept between loading and subscribing was offered to nobody.
        if let Some(now) = self.in_memory(id) {
            self.notify(id, &now);
        }
        Ok(Some(receiver))
    }

    /// Drops a deliberation from memory.
    pub fn evict(&self, id: &DeliberationId) {
        lock(&self.cache).pop(id);
    }

    /// A deliberation if it is in memory.
    pub fn in_memory(&self, id: &DeliberationId) -> Option<Arc<Loaded>> {
        lock(&self.cache).get(id)
    }

    fn keep(&self, id: &DeliberationId, loaded: &Arc<Loaded>) {
        lock(&self.cache).put(id, loaded);
        self.notify(id, loaded);
    }

    fn notify(&self, id: &DeliberationId, loaded: &Arc<Loaded>) {
        let mut watched = lock(&self.watched);
        if let Some(sender) = watched.get(id) {
            offer(sender, loaded);
            // Who follows still sees what was offered last.
            if loaded.state.ended.is_some() || sender.receiver_count() == 0 {
                watched.remove(id);
            }
        }
    }
}

fn offer(sender: &watch::Sender<Arc<Loaded>>, loaded: &Arc<Loaded>) {
    sender.send_if_modified(|known| {
        let newer = known.sequence < loaded.sequence;
        if newer {
            *known = Arc::clone(loaded);
        }
        newer
    });
}

/// The record that a store gave back.
pub(crate) fn decode(stored: &Stored) -> Result<Record, StoreError> {
    Record::decode(&stored.entry.body).map_err(|error| StoreError::Corrupt(stored.sequence, error.into()))
}

/// Locks what no panic can leave half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
