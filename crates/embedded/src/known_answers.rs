//! Answers in memory: to give them again without asking SQLite, and to know which are not there.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_deliberation::{Answer, DeliberationId, JobId};
use lru::LruCache;

/// The most bytes of answers kept.
pub(crate) const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most deliberations whose answers are kept.
const DELIBERATIONS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// What a deliberation without answers takes, about.
const DELIBERATION_BYTES: usize = 256;

/// Answers by deliberation; whole deliberations go when room is needed, those not asked for longest.
pub(crate) struct KnownAnswers {
    known: Mutex<Known>,
}

struct Known {
    deliberations: LruCache<DeliberationId, Deliberation>,
    bytes: usize,
    /// How often something was forgotten; see [`KnownAnswers::learn`].
    forgotten: u64,
}

struct Deliberation {
    answers: BTreeMap<JobId, Arc<Answer>>,
    /// Whether `answers` holds all there are: it was opened since we began, with no answer then.
    whole: bool,
    bytes: usize,
}

/// What is known of a job's answer.
#[derive(Debug)]
pub(crate) enum Lookup {
    There(Arc<Answer>),
    NotThere,
    /// Ask SQLite, and hand this back to [`KnownAnswers::learn`].
    Unknown(u64),
}

impl KnownAnswers {
    pub(crate) fn new() -> KnownAnswers {
        let known = Known { deliberations: LruCache::new(DELIBERATIONS_MAX), bytes: 0, forgotten: 0 };
        KnownAnswers { known: Mutex::new(known) }
    }

    pub(crate) fn find(&self, job: &JobId) -> Lookup {
        let mut known = self.known();
        let forgotten = known.forgotten;
        match known.deliberations.get(&job.deliberation) {
            Some(Deliberation { answers, whole, .. }) => match answers.get(job) {
                Some(answer) => Lookup::There(Arc::clone(answer)),
                None if *whole => Lookup::NotThere,
                None => Lookup::Unknown(forgotten),
            },
            None => Lookup::Unknown(forgotten),
        }
    }

    /// A deliberation was opened that has no answers yet.
    pub(crate) fn opened(&self, id: DeliberationId) {
        let mut known = self.known();
        known.deliberation(id, true);
        known.shrink();
    }

    /// An answer was recorded.
    pub(crate) fn recorded(&self, answer: Arc<Answer>, bytes: usize) {
        let mut known = self.known();
        known.add(answer, bytes);
        known.shrink();
    }

    /// An answer was read after `unknown` was given. Nothing is kept if anything was forgotten since:
    /// it might have been this one.
    pub(crate) fn learn(&self, answer: Arc<Answer>, bytes: usize, unknown: u64) {
        let mut known = self.known();
        if known.forgotten == unknown {
            known.add(answer, bytes);
            known.shrink();
        }
    }

    /// A deliberation's answers were deleted.
    pub(crate) fn forget(&self, id: &DeliberationId) {
        let mut known = self.known();
        known.forgotten += 1;
        if let Some(gone) = known.deliberations.pop(id) {
            known.bytes -= gone.bytes;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn deliberation(&mut self, id: DeliberationId, whole: bool) -> &mut Deliberation {
        if !self.deliberations.contains(&id) {
            let new = Deliberation { answers: BTreeMap::new(), whole, bytes: DELIBERATION_BYTES };
            self.bytes += new.bytes;
            // At the most deliberations, the one not asked for longest goes here.
            if let Some((_, gone)) = self.deliberations.push(id.clone(), new) {
                self.bytes -= gone.bytes;
            }
        }
        self.deliberations.get_mut(&id).expect("was put there if it was not")
    }

    fn add(&mut self, answer: Arc<Answer>, bytes: usize) {
        let deliberation = self.deliberation(answer.job.deliberation.clone(), false);
        if deliberation.answers.insert(answer.job.clone(), answer).is_none() {
            deliberation.bytes += bytes;
            self.bytes += bytes;
        }
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES_MAX {
            let Some((_, gone)) = self.deliberations.pop_lru() else { return };
            self.bytes -= gone.bytes;
        }
    }
}
